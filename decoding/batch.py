"""Requests that are decoded together, a token at a time; `generate` and the engine share this and nothing else.

A turn is: `join` (read the newcomers' prompts, merge their rows into the others'), `choose` (one token for every
request from the logits at hand), `leave` (drop the rows of requests that are over), `advance` (one forward pass for all
rows).  Knows nothing of threads, queues or of where requests come from.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import torch
from torch import Tensor

from .contrast import Contrast, adjust, as_float32
from .errors import DecodingError, OutOfMemoryError
from .rows import Rows, advance, check_prompts, keep, merged, prefill
from .sampling import choose, penalised, plausible
from .settings import Settings
from .trace import Event, Finish, Generation, Step


@dataclass(eq=False)
class Request:
    """One request and what has become of it.

    prompts: token ids with the context, without, and with each context that lacks a passage.  index: the number that
    errors and events name.  It is over once `finish` or `error` is set.
    """

    index: int
    prompts: Sequence[Sequence[int]]
    settings: Settings
    trust: float
    random: random.Random
    tokenizer: Any = None
    trace: list[Step] = field(default_factory=list)
    finish: Finish | None = None
    error: DecodingError | None = None

    @property
    def over(self) -> bool:
        """Whether the request is over, by its end or by an error."""
        return self.finish is not None or self.error is not None

    @property
    def token_ids(self) -> list[int]:
        """The answer so far."""
        return [step.token_id for step in self.trace]

    def check(self, model: Any) -> None:
        """Raise DecodingError where the model cannot read a prompt or the settings need a tokenizer."""
        check_prompts(model, self.index, self.prompts, self.settings.max_new_tokens)
        if self.settings.stop_strings and self.tokenizer is None:
            raise DecodingError("stop_strings need a tokenizer to read the answer with; pass tokenizer=…")

    def add(self, step: Step) -> None:
        """Take the next token, and end where it ends the answer."""
        self.trace.append(step)
        settings = self.settings
        if step.token_id in settings.end_tokens:
            self.finish = Finish.EOS
        elif settings.stop_strings and any(stop in self._text() for stop in settings.stop_strings):
            self.finish = Finish.STOP
        elif len(self.trace) == settings.max_new_tokens:
            self.finish = Finish.LENGTH

    def event(self) -> Event:
        """Say what the last turn brought: a token, the end, or both."""
        cancelled = self.finish is Finish.CANCELLED
        return Event(self.index, None if cancelled else self.trace[-1], self.finish)

    def answer(self) -> Generation:
        """Return the answer of a request that has come to its end; its text ends before a stop string."""
        assert self.finish is not None
        text = None if self.tokenizer is None else self._text()
        if text is not None:
            stops = [text.index(stop) for stop in self.settings.stop_strings if stop in text]
            text = text[: min(stops, default=len(text))]
        return Generation(self.token_ids, self.trace, self.finish, text)

    def _text(self) -> str:
        return str(self.tokenizer.decode(self.token_ids, skip_special_tokens=True))


class Batch:
    """The requests that go on, in the order in which they joined, and their rows.  For one thread at a time."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.requests: list[Request] = []
        self.rows: Rows | None = None

    def join(self, requests: Sequence[Request]) -> None:
        """Read the prompts of new requests.  Where that fails, the others are as they were."""
        with _memory(f"reading {_named(requests)} beside {len(self.requests)} others"):
            rows = prefill(self.model, [request.prompts for request in requests])
            self.rows = rows if self.rows is None else merged([self.rows, rows])
        self.requests.extend(requests)

    def leave(self) -> None:
        """Let go of the requests that are over."""
        going = [not request.over for request in self.requests]
        self.requests = list(compress(self.requests, going))
        self.rows = keep(self.rows, going) if self.rows is not None and self.requests else None

    def choose(self) -> None:
        """Choose one token for every request; where its logits are no numbers, the request gets an error instead."""
        if self.rows is None:
            return
        with _memory(f"choosing a token for {len(self.requests)} requests"):
            steps = self._steps(self.rows)
        for request, step in zip(self.requests, steps, strict=True):
            if step is not None:
                request.add(step)
                continue
            request.error = DecodingError(
                f"request {request.index}, token {len(request.trace)}: the model's logits are NaN or infinite; "
                "load it in bfloat16 or float32"
            )

    def _steps(self, rows: Rows) -> list[Step | None]:
        """Return each request's step, having put together those with the same settings."""
        steps: dict[int, Step | None] = {}
        own = [range(start, start + size) for start, size in zip(rows.starts, rows.sizes, strict=True)]
        for places in _alike(self.requests):
            alike = _steps(rows.logits, [own[place] for place in places], [self.requests[place] for place in places])
            steps.update(zip(places, alike, strict=True))
        return [steps[place] for place in range(len(self.requests))]

    def advance(self) -> None:
        """Let go of the requests that are over and feed the others their last token.

        Where that fails for want of memory, nothing is lost: another one may be ended, and this tried again.
        """
        self.leave()
        if self.rows is not None:
            with _memory(f"feeding a token to {len(self.requests)} requests"):
                self.rows = advance(self.model, self.rows, [request.trace[-1].token_id for request in self.requests])


@contextmanager
def _memory(doing: str) -> Iterator[None]:
    """Turn the device's want of memory into an error that says what was being done."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            f"{doing}: out of memory; give fewer requests at once, shorter contexts, or a smaller model"
        ) from error


def _named(requests: Sequence[Request]) -> str:
    tokens = sum(len(prompt) for request in requests for prompt in request.prompts)
    what = f"request {requests[0].index}" if len(requests) == 1 else f"{len(requests)} requests"
    return f"{what} of {tokens} prompt tokens"


def _alike(requests: Sequence[Request]) -> list[list[int]]:
    """Return the places of the requests, those with the same settings together."""
    groups: list[list[int]] = []
    for place, request in enumerate(requests):
        for group in groups:
            if requests[group[0]].settings == request.settings:
                group.append(place)
                break
        else:
            groups.append([place])
    return groups


def _steps(logits: Tensor, rows: Sequence[range], requests: Sequence[Request]) -> list[Step | None]:
    """Adjust, mask, penalise and choose for requests of the same settings, each with its rows of the logits."""
    settings = requests[0].settings
    made = adjust(
        logits[[own[0] for own in rows]],
        logits[[own[1] for own in rows]],
        settings.formula,
        log_base=settings.log_base,
        trust=[request.trust for request in requests],
        options=settings.formula_options,
    )
    scores = plausible(made.adjusted, made.measures.log_p, settings.min_plausibility)
    scores = penalised(scores, [r.token_ids for r in requests], settings.presence_penalty, settings.frequency_penalty)
    draws = [request.random.random() for request in requests]
    tokens = choose(scores, settings.temperature, settings.top_k, settings.top_p, draws)
    return _written(made, tokens, _without(logits, rows, tokens))


def _without(logits: Tensor, rows: Sequence[range], tokens: Tensor) -> list[list[float]]:
    """Return the chosen token's log-probability in each row that lacks a passage."""
    counts = [len(own) - 2 for own in rows]
    if not any(counts):
        return [[] for _ in rows]
    log_p = as_float32(logits[[row for own in rows for row in own[2:]]]).log_softmax(-1)
    places = [place for place, count in enumerate(counts) for _ in range(count)]
    chosen = iter(log_p.gather(1, tokens[places, None])[:, 0].tolist())
    return [[next(chosen) for _ in range(count)] for count in counts]


def _written(made: Contrast, tokens: Tensor, without: Sequence[Sequence[float]]) -> list[Step | None]:
    """Write down, in plain numbers and one copy from the device, how each token was chosen; None where NaN was met."""
    measures = made.measures
    prior_top = measures.log_r.max(-1)
    chosen = (log.gather(1, tokens[:, None])[:, 0] for log in (measures.log_p, measures.log_r))
    numbers = (made.alpha, measures.jsd, measures.context_entropy, measures.prior_entropy, *chosen, prior_top.values)
    ids = (tokens, measures.log_p.argmax(-1), prior_top.indices, made.adjusted.argmax(-1))
    steps: list[Step | None] = []
    for row, lacking in zip(torch.stack([x.double() for x in (*numbers, *ids)], dim=1).tolist(), without, strict=True):
        alpha, jsd, context_entropy, prior_entropy, log_p, log_r, top_log_r = row[:7]
        token, context_top, prior_top_id, top = map(int, row[7:])
        attribution = tuple(log_p - other for other in lacking)
        numeric = all(x == x for x in (jsd, *attribution))
        steps.append(
            Step(
                token, alpha, jsd, context_entropy, prior_entropy, context_top, prior_top_id, top != context_top,
                log_p, log_r, top_log_r, attribution,
            ) if numeric else None
        )  # fmt: skip
    return steps
