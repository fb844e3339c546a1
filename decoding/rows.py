"""The model's side of decoding: two rows a request, one cache, one forward pass a token.

Works with every causal language model of transformers that keeps plain keys and values and takes position ids.  Knows
nothing of how a token is chosen.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from .errors import DecodingError


@dataclass(frozen=True)
class Rows:
    """Two rows a request: all rows with context, then all without, in the same order.

    cache: the keys and values of every token so far, padded on the left.  mask: (rows, width), 0 on padding.
    lengths: (rows,), tokens without padding, which is the position of the next one.  logits: (rows, vocab), of the
    next token.
    """

    cache: Any
    mask: Tensor
    lengths: Tensor
    logits: Tensor


def prefill(model: Any, context_ids: Sequence[Sequence[int]], prior_ids: Sequence[Sequence[int]]) -> Rows:
    """Read every prompt alone and unpadded, then merge the caches."""
    prompts = [torch.tensor([list(ids)], device=model.device) for ids in (*context_ids, *prior_ids)]
    caches = [DynamicCache() for _ in prompts]
    logits = [
        _forward(model, ids, torch.ones_like(ids), torch.arange(ids.shape[1], device=ids.device)[None], cache)
        for ids, cache in zip(prompts, caches, strict=True)
    ]
    lengths = torch.tensor([ids.shape[1] for ids in prompts], device=model.device)
    width = int(lengths.max())
    mask = (torch.arange(width, device=model.device) >= width - lengths[:, None]).long()
    return Rows(_merge(caches, width), mask, lengths, torch.cat(logits))


def _merge(caches: Sequence[DynamicCache], width: int) -> DynamicCache:
    """Put caches of one row each into one of many rows, padded on the left to `width` tokens."""
    if odd := {type(layer).__name__ for layer in caches[0].layers if type(layer) is not DynamicLayer}:
        raise DecodingError(f"the model keeps {', '.join(odd)} besides plain keys and values, which cannot be merged")
    merged = DynamicCache()
    for number, layers in enumerate(zip(*(cache.layers for cache in caches), strict=True)):
        keys = torch.cat([F.pad(layer.keys, (0, 0, width - layer.keys.shape[2], 0)) for layer in layers])
        values = torch.cat([F.pad(layer.values, (0, 0, width - layer.values.shape[2], 0)) for layer in layers])
        merged.update(keys, values, number)
    return merged


def advance(model: Any, rows: Rows, tokens: Tensor) -> Rows:
    """Feed the chosen tokens, (requests,), each to both rows of its request."""
    mask = F.pad(rows.mask, (0, 1), value=1)
    fed = torch.cat([tokens, tokens])[:, None].to(model.device)
    logits = _forward(model, fed, mask, rows.lengths[:, None], rows.cache)
    return Rows(rows.cache, mask, rows.lengths + 1, logits)


def _forward(model: Any, token_ids: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache) -> Tensor:
    """Return the logits of the last position only, (rows, vocab), and let the cache grow."""
    last_only = {"logits_to_keep": 1} if _takes(model, "logits_to_keep") else {}
    output = model(
        input_ids=token_ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        **last_only,
    )
    return torch.as_tensor(output.logits[:, -1])


def keep(rows: Rows, going: Sequence[bool]) -> Rows:
    """Let go of both rows of the requests that do not go on."""
    if all(going) or not any(going):
        return rows
    kept = torch.tensor([*going, *going], device=rows.mask.device).nonzero()[:, 0]
    rows.cache.batch_select_indices(kept)
    return Rows(rows.cache, rows.mask[kept], rows.lengths[kept], rows.logits[kept.to(rows.logits.device)])


def check_model(model: Any) -> None:
    """Raise DecodingError for a model whose rows cannot be coupled."""
    name = type(model).__name__
    if model.config.is_encoder_decoder:
        raise DecodingError(f"{name} is an encoder-decoder model; contrastive decoding needs a causal language model")
    if not _takes(model, "position_ids"):
        raise DecodingError(f"{name} takes no position_ids, so prompts of different length cannot share a batch")
    if model.training:
        raise DecodingError(f"{name} is in training mode, where dropout changes every answer; call model.eval() first")


def check_prompts(
    model: Any, context_ids: Sequence[Sequence[int]], prior_ids: Sequence[Sequence[int]], max_new_tokens: int
) -> None:
    """Raise DecodingError, naming request and branch, for a prompt that the model cannot read; nothing is cut."""
    if len(context_ids) != len(prior_ids):
        raise DecodingError(f"{len(context_ids)} prompts with context, but {len(prior_ids)} without; give pairs")
    config = model.config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    for branch, prompts in (("with context", context_ids), ("without context", prior_ids)):
        for request, ids in enumerate(prompts):
            where = f"request {request}, prompt {branch}"
            if not len(ids):
                raise DecodingError(f"{where}: there are no tokens; give at least one, such as the start token")
            if limit is not None and len(ids) + max_new_tokens > limit:
                raise DecodingError(
                    f"{where}: {len(ids)} tokens and max_new_tokens {max_new_tokens} exceed the model's limit of "
                    f"{limit} positions; shorten the context or ask for fewer tokens"
                )
            if not 0 <= min(ids) <= max(ids) < config.vocab_size:
                raise DecodingError(f"{where}: a token id is outside the model's vocabulary of {config.vocab_size}")


def _takes(model: Any, argument: str) -> bool:
    return argument in inspect.signature(model.forward).parameters
