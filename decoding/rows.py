"""The model's side of decoding: two or more rows a request, one cache, one forward pass a token.

Works with every causal language model of transformers that keeps plain keys and values and takes position ids.  Knows
nothing of how a token is chosen.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from .errors import DecodingError

ROOM = 64
"""Tokens for which a cache gets room at a time."""


@dataclass(frozen=True)
class Rows:
    """The rows of all requests, request by request: with context, without, and each context that lacks a passage.

    cache: the keys and values of every token so far, padded on the left.  mask: (rows, width), 0 on padding.
    lengths: (rows,), tokens without padding, which is the position of the next one.  logits: (rows, vocab), of the
    next token.  sizes: how many rows each request has, at least 2.
    """

    cache: Cache
    mask: Tensor
    lengths: Tensor
    logits: Tensor
    sizes: tuple[int, ...]

    @property
    def starts(self) -> list[int]:
        """The first row of each request; the row without context follows it."""
        return [end - size for end, size in zip(accumulate(self.sizes), self.sizes, strict=True)]


class _Layer(DynamicLayer):
    """Keys and values in buffers with room for more, so that a token is written beside the others without copying them.

    keys and values are the filled part of the buffers, or tensors of their own, which move there with the next token.
    """

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            self._buffers: tuple[Tensor, ...] = ()
            return self.keys, self.values
        length, end = self.keys.shape[2], self.keys.shape[2] + key_states.shape[2]
        if not self._buffers or self._buffers[0].data_ptr() != self.keys.data_ptr() or self._buffers[0].shape[2] < end:
            self._buffers = tuple(F.pad(kept, (0, 0, 0, end - length + ROOM)) for kept in (self.keys, self.values))
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, length:end] = states
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._buffers = ()


def prefill(model: Any, requests: Sequence[Sequence[Sequence[int]]]) -> Rows:
    """Read every prompt of every request alone and unpadded, then merge the caches."""
    read = [_read(model, ids) for prompts in requests for ids in prompts]
    return replace(merged(read), sizes=tuple(len(prompts) for prompts in requests))


def _read(model: Any, token_ids: Sequence[int]) -> Rows:
    """Return one row that has read one prompt."""
    ids = torch.tensor([list(token_ids)], device=model.device)
    cache, mask = Cache(layer_class_to_replicate=_Layer), torch.ones_like(ids)
    logits = _forward(model, ids, mask, mask.cumsum(-1) - 1, cache)
    return Rows(cache, mask, mask.sum(-1), logits, (1,))


def merged(parts: Sequence[Rows]) -> Rows:
    """Put the rows of all parts into one batch, padded on the left to the widest; the parts stay as they are."""
    width = max(part.mask.shape[1] for part in parts)
    cache = Cache(layer_class_to_replicate=_Layer)
    for number, layers in enumerate(zip(*(part.cache.layers for part in parts), strict=True)):
        keys = torch.cat([F.pad(layer.keys, (0, 0, width - layer.keys.shape[2], 0)) for layer in layers])
        values = torch.cat([F.pad(layer.values, (0, 0, width - layer.values.shape[2], 0)) for layer in layers])
        cache.update(keys, values, number)
    return Rows(
        cache,
        torch.cat([F.pad(part.mask, (width - part.mask.shape[1], 0)) for part in parts]),
        torch.cat([part.lengths for part in parts]),
        torch.cat([part.logits for part in parts]),
        tuple(size for part in parts for size in part.sizes),
    )


def advance(model: Any, rows: Rows, tokens: Sequence[int]) -> Rows:
    """Feed one chosen token a request, each to all rows of its request.  Where that fails, `rows` is left as it was."""
    fed = [[token] for token, size in zip(tokens, rows.sizes, strict=True) for _ in range(size)]
    mask = F.pad(rows.mask, (0, 1), value=1)
    try:
        logits = _forward(model, torch.tensor(fed, device=mask.device), mask, rows.lengths[:, None], rows.cache)
    except Exception:
        _narrow(rows.cache, slice(None, rows.mask.shape[1]))
        raise
    return Rows(rows.cache, mask, rows.lengths + 1, logits, rows.sizes)


def keep(rows: Rows, going: Sequence[bool]) -> Rows:
    """Let go of all rows of the requests that do not go on, and of padding that no row needs any more."""
    if all(going):
        return rows
    each = [goes for goes, size in zip(going, rows.sizes, strict=True) for _ in range(size)]
    kept = torch.tensor(each, device=rows.mask.device).nonzero()[:, 0]
    lengths = rows.lengths[kept]
    needed = slice(rows.mask.shape[1] - int(lengths.max()), None)
    rows.cache.batch_select_indices(kept)
    _narrow(rows.cache, needed)
    logits = rows.logits[kept.to(rows.logits.device)]
    return Rows(rows.cache, rows.mask[kept, needed], lengths, logits, tuple(compress(rows.sizes, going)))


def _narrow(cache: Cache, positions: slice) -> None:
    """Keep these positions of every layer."""
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[:, :, positions], layer.values[:, :, positions]


def _forward(model: Any, token_ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
    """Return the logits of the last position only, (rows, vocab), and let the cache grow."""
    named = {"cache" if _takes(model, "cache") else "past_key_values": cache}  # `cache` from transformers 5.24 on
    last_only = {"logits_to_keep": 1} if _takes(model, "logits_to_keep") else {}
    output = model(
        input_ids=token_ids, attention_mask=mask, position_ids=positions, use_cache=True, **named, **last_only
    )  # fmt: skip
    return torch.as_tensor(output.logits[:, -1])


def check_model(model: Any) -> None:
    """Raise DecodingError for a model whose rows cannot be coupled."""
    name = type(model).__name__
    if model.config.is_encoder_decoder:
        raise DecodingError(f"{name} is an encoder-decoder model; contrastive decoding needs a causal language model")
    if not _takes(model, "position_ids"):
        raise DecodingError(f"{name} takes no position_ids, so prompts of different length cannot share a batch")
    layers = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    if odd := sorted(kind for kind in layers if not kind.endswith("attention") or kind.startswith("linear")):
        raise DecodingError(f"{name} has layers of the kind {', '.join(odd)}, whose state cannot be merged or dropped")
    if model.training:
        raise DecodingError(f"{name} is in training mode, where dropout changes every answer; call model.eval() first")


def check_prompts(model: Any, request: int, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> None:
    """Raise DecodingError, naming request and branch, for a prompt that the model cannot read; nothing is cut."""
    config = model.config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    branches = ["with context", "without context", *(f"without passage {i}" for i in range(len(prompts) - 2))]
    for branch, ids in zip(branches, prompts, strict=True):
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
