"""Contrastive decoding of many requests in one batch of coupled rows.

Each request has two rows, its prompt with the context and its prompt without.  Every prompt is read alone and unpadded;
the caches are then merged, padded on the left, and each token costs one forward pass of all rows, with explicit
positions and mask.  The same token is fed to both rows of a request, and a request that ends takes its rows along.
Read `_decode`: one turn of its loop is one token.

Greedy answers do not depend on the batch in float32, or at a fixed batch shape; in half precision the order of a sum
may change with the shape, and a near tie with it.  Knows nothing of passages, prompts' wording or HTTP; all state is
local to a call.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import torch
from torch import Tensor

from .contrast import Contrast, adjust, trusts
from .errors import DecodingError
from .rows import advance, check_model, check_prompts, keep, prefill
from .sampling import choose, penalised, plausible
from .settings import Settings
from .trace import Event, Finish, Generation, Step


def generate(
    model: Any,
    context_ids: Sequence[Sequence[int]],
    prior_ids: Sequence[Sequence[int]],
    *,
    trust: Sequence[float] | float = 1.0,
    seed: Sequence[int] | int = 0,
    tokenizer: Any = None,
    cancelled: Callable[[int], bool] | None = None,
    **settings: Any,
) -> list[Generation]:
    """Decode one answer for each pair of prompts, as token ids with the context and without; see `Settings`, `stream`.

    max_new_tokens and eos_token_id must be given.  Returns the answers in the order of the requests, each with its
    tokens, the end token included, and one step a token of trace; no pairs give no answers.
    """
    chosen = Settings(**settings)
    traces: list[list[Step]] = [[] for _ in context_ids]
    ends = [Finish.LENGTH] * len(traces)
    for event in stream(
        model, context_ids, prior_ids, chosen, trust=trust, seed=seed, tokenizer=tokenizer, cancelled=cancelled
    ):
        if event.step is not None:
            traces[event.request].append(event.step)
        if event.finish is not None:
            ends[event.request] = event.finish
    answers = [[step.token_id for step in trace] for trace in traces]
    texts = [_cut(_text(tokenizer, ids), chosen.stop_strings) if tokenizer is not None else None for ids in answers]
    return [Generation(*answer) for answer in zip(answers, traces, ends, texts, strict=True)]


def stream(
    model: Any,
    context_ids: Sequence[Sequence[int]],
    prior_ids: Sequence[Sequence[int]],
    settings: Settings,
    *,
    trust: Sequence[float] | float = 1.0,
    seed: Sequence[int] | int = 0,
    tokenizer: Any = None,
    cancelled: Callable[[int], bool] | None = None,
) -> Iterator[Event]:
    """Yield every token as it is chosen, request by request, and with a request's last event why it ended.

    trust: how much of the formula applies, in [0, 1], for all or for each request; 0 is plain decoding with context.
    The verdict of the guard on a request's passages enters here.  seed: for all or for each request; a request's
    sample depends on its own seed alone.  cancelled(request) is asked before every token; a request for which it says
    True ends at once and changes no other.  tokenizer: for stop strings.

    Raises DecodingError, before the first token, for a model, prompt or setting that cannot be decoded with, and later
    where the model's logits are no numbers.
    """
    check_model(model)
    check_prompts(model, context_ids, prior_ids, settings.max_new_tokens)
    if settings.stop_strings and tokenizer is None:
        raise DecodingError("stop_strings need a tokenizer to read the answer with; pass tokenizer=…")
    count = len(context_ids)
    seeds = [seed] * count if isinstance(seed, int) else list(seed)
    if len(seeds) != count:
        raise DecodingError(f"there are {len(seeds)} seeds for {count} requests; give one number, or one for each")
    requests = [
        _Request(index, one_trust, random.Random(one_seed))
        for index, (one_trust, one_seed) in enumerate(zip(trusts(trust, count), seeds, strict=True))
    ]
    return _decode(model, context_ids, prior_ids, settings, requests, tokenizer, cancelled or (lambda request: False))


@torch.inference_mode()
def _decode(
    model: Any,
    context_ids: Sequence[Sequence[int]],
    prior_ids: Sequence[Sequence[int]],
    settings: Settings,
    requests: list[_Request],
    tokenizer: Any,
    cancelled: Callable[[int], bool],
) -> Iterator[Event]:
    """Read the prompts; then for each token: adjust, mask, penalise, choose, tell, and feed the choice to both rows."""
    if not requests:
        return
    rows = prefill(model, context_ids, prior_ids)
    while True:
        going = [not cancelled(request.index) for request in requests]
        for request in compress(requests, (not goes for goes in going)):
            yield Event(request.index, None, Finish.CANCELLED)
        rows, requests = keep(rows, going), list(compress(requests, going))
        if not requests:
            return
        c, q = rows.logits.chunk(2)
        made = adjust(
            c,
            q,
            settings.formula,
            log_base=settings.log_base,
            trust=[request.trust for request in requests],
            options=settings.formula_options,
        )
        _check_numbers(made, requests)
        scores = plausible(made.adjusted, made.measures.log_p, settings.min_plausibility)
        scores = penalised(
            scores, [r.token_ids for r in requests], settings.presence_penalty, settings.frequency_penalty
        )
        draws = [request.random.random() for request in requests]
        tokens = choose(scores, settings.temperature, settings.top_k, settings.top_p, draws)
        going = []
        for request, step in zip(requests, _steps(made, tokens), strict=True):
            request.token_ids.append(step.token_id)
            finish = _finish(request.token_ids, settings, tokenizer)
            going.append(finish is None)
            yield Event(request.index, step, finish)
        rows, requests = keep(rows, going), list(compress(requests, going))
        if not requests:
            return
        rows = advance(model, rows, tokens[torch.tensor(going)])


@dataclass
class _Request:
    """A request that goes on: its place in the call, its trust, its source of randomness, its tokens so far."""

    index: int
    trust: float
    random: random.Random
    token_ids: list[int] = field(default_factory=list)


def _steps(made: Contrast, tokens: Tensor) -> Iterator[Step]:
    """Write down, in plain numbers, how each row's token was chosen."""
    measures = made.measures
    numbers = torch.stack([made.alpha, measures.jsd, measures.context_entropy, measures.prior_entropy], dim=1)
    tops = [scores.argmax(-1) for scores in (measures.log_p, measures.log_r, made.adjusted)]
    ids = torch.stack([tokens, *tops], dim=1)
    for (alpha, jsd, context_entropy, prior_entropy), (token, context_top, prior_top, top) in zip(
        numbers.tolist(), ids.tolist(), strict=True
    ):
        yield Step(
            token, alpha, jsd, context_entropy, prior_entropy, context_top, prior_top, flipped=top != context_top
        )


def _finish(token_ids: Sequence[int], settings: Settings, tokenizer: Any) -> Finish | None:
    """Say whether, and why, an answer ends with the token that it has just got."""
    if token_ids[-1] in settings.end_tokens:
        return Finish.EOS
    if settings.stop_strings and any(stop in _text(tokenizer, token_ids) for stop in settings.stop_strings):
        return Finish.STOP
    return Finish.LENGTH if len(token_ids) == settings.max_new_tokens else None


def _text(tokenizer: Any, token_ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(token_ids), skip_special_tokens=True))


def _cut(text: str, stop_strings: Sequence[str]) -> str:
    """Return the text before the first stop string in it."""
    return text[: min((text.index(stop) for stop in stop_strings if stop in text), default=len(text))]


def _check_numbers(made: Contrast, requests: Sequence[_Request]) -> None:
    """Raise DecodingError where the logits of a request are NaN or infinite, which no comparison would notice."""
    for request, jsd in zip(requests, made.measures.jsd.tolist(), strict=True):
        if jsd != jsd:
            raise DecodingError(
                f"request {request.index}, token {len(request.token_ids)}: the model's logits are NaN or infinite; "
                "load it in bfloat16 or float32"
            )
