"""Contrastive decoding of many requests in one batch of coupled rows.

Each request has two rows, its prompt with the context and its prompt without; more where passages are left out to see
what they did.  Every prompt is read alone and unpadded; the caches are then merged, padded on the left, and each token
costs one forward pass of all rows, with explicit positions and mask.  The same token is fed to all rows of a request,
and a request that ends takes its rows along.  Read `_decode`: one turn of its loop is one token.

Greedy answers do not depend on the batch in float32, or at a fixed batch shape; in half precision the order of a sum
may change with the shape, and a near tie with it.  Knows nothing of passages, prompts' wording or HTTP; all state is
local to a call.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from .batch import Batch, Request
from .contrast import trusts
from .errors import DecodingError
from .rows import check_model
from .settings import Settings
from .trace import Event, Finish, Generation

Prompts = Sequence[Sequence[int]]
"""Token ids, one list for each request."""


def generate(
    model: Any,
    context_ids: Prompts,
    prior_ids: Prompts,
    *,
    without_ids: Sequence[Prompts] | None = None,
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
    requests = _requests(
        model, context_ids, prior_ids, Settings(**settings), without_ids=without_ids, trust=trust, seed=seed,
        tokenizer=tokenizer,
    )  # fmt: skip
    for _ in _decode(model, requests, cancelled):
        pass
    return [request.answer() for request in requests]


def stream(
    model: Any,
    context_ids: Prompts,
    prior_ids: Prompts,
    settings: Settings,
    *,
    without_ids: Sequence[Prompts] | None = None,
    trust: Sequence[float] | float = 1.0,
    seed: Sequence[int] | int = 0,
    tokenizer: Any = None,
    cancelled: Callable[[int], bool] | None = None,
) -> Iterator[Event]:
    """Yield every token as it is chosen, request by request, and with a request's last event why it ended.

    without_ids: for each request, further prompts with context that each lack a passage; a step's `attribution` then
    says what the passage did to the token (see `attribution`).  trust: how much of the formula applies, in [0, 1], for
    all or for each request; 0 is plain decoding with context.  The verdict of the guard on a request's passages enters
    here.  seed: for all or for each request; a request's sample depends on its own seed alone.  cancelled(request) is
    asked before every token; a request for which it says True ends at once and changes no other.  tokenizer: for stop
    strings.

    Raises DecodingError, before the first token, for a model, prompt or setting that cannot be decoded with, and later
    where the model's logits are no numbers or the device's memory does not suffice.
    """
    requests = _requests(
        model, context_ids, prior_ids, settings, without_ids=without_ids, trust=trust, seed=seed, tokenizer=tokenizer
    )
    return _decode(model, requests, cancelled)


def _requests(
    model: Any,
    context_ids: Prompts,
    prior_ids: Prompts,
    settings: Settings,
    *,
    without_ids: Sequence[Prompts] | None,
    trust: Sequence[float] | float,
    seed: Sequence[int] | int,
    tokenizer: Any,
) -> list[Request]:
    """Check everything that is known before the first token, and return the requests."""
    check_model(model)
    count = len(context_ids)
    lacking = [()] * count if without_ids is None else without_ids
    seeds = [seed] * count if isinstance(seed, int) else list(seed)
    if len(prior_ids) != count:
        raise DecodingError(f"{count} prompts with context, but {len(prior_ids)} without; give pairs")
    if len(lacking) != count:
        raise DecodingError(f"without_ids has {len(lacking)} lists of prompts for {count} requests; give one for each")
    if len(seeds) != count:
        raise DecodingError(f"there are {len(seeds)} seeds for {count} requests; give one number, or one for each")
    requests = [
        Request(index, (context, prior, *others), settings, one_trust, random.Random(one_seed), tokenizer)
        for index, (context, prior, others, one_trust, one_seed) in enumerate(
            zip(context_ids, prior_ids, lacking, trusts(trust, count), seeds, strict=True)
        )
    ]
    for request in requests:
        request.check(model)
    return requests


@torch.inference_mode()
def _decode(model: Any, requests: list[Request], cancelled: Callable[[int], bool] | None) -> Iterator[Event]:
    """Read the prompts; then for each token: choose, tell, and feed the choice to all rows of its request."""
    batch = Batch(model)
    if requests:
        batch.join(requests)
    while batch.requests:
        for request in batch.requests:
            if cancelled is not None and cancelled(request.index):
                request.finish = Finish.CANCELLED
                yield request.event()
        batch.leave()
        batch.choose()
        for request in batch.requests:
            if request.error is not None:
                raise request.error
            yield request.event()
        batch.advance()
