"""A language model of this process, asked by chats: checked passages in, the adaptive decoder's answer out.

Read `LocalModel.answer` from top to bottom.  One engine decodes for all requests at once; how much the passages are
boosted is the gate's decision on the verdict (`guard.answer_gate`).  Where nothing settles a conflict, the model reads
the annotated passages and no side is boosted, as an upstream would read them.  Knows nothing about sockets.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from detectors.errors import ModelError
from guard import LanguageModel
from guard.answer_gate import gate

from .completions import Asked, Reply, Shown, asked
from .config import ServerConfig
from .context import Outcome
from .conversation import Conversation, conversation
from .door import Visit
from .errors import BrokenAnswer, Refusal, busy
from .extractors import Chat
from .metrics import Metrics
from .upstream import Answer, once

if TYPE_CHECKING:
    from decoding import Engine, Event, Handle, Step

    _Told = tuple[int, Event]

PREFIX = "local/"
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
JSON = [(b"content-type", b"application/json")]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Token ids with the passages and without; alike where there are none."""

    context: list[int]
    prior: list[int]


class LocalModel:
    """The model that ``local_model`` names: ``NAME=PATH``, or a path or hub name, whose last part is the name.

    ``is_ready`` once it is loaded; ``load_error`` where it cannot be.
    """

    def __init__(self, source: str, config: ServerConfig, metrics: Metrics) -> None:
        name, _, given = source.rpartition("=")
        self._source, self._config, self._metrics = given, config, metrics
        self.id = PREFIX + (name or PurePath(given).name)
        self._loaded: tuple[LanguageModel, Engine] | None = None
        self.load_error: Exception | None = None

    @property
    def is_ready(self) -> bool:
        return self._loaded is not None

    async def load(self) -> None:
        """Load model and tokenizer, and start the engine."""
        try:
            self._loaded = await asyncio.to_thread(self._load)
        except Exception as error:  # whatever it is, the server is not ready and must say why
            self.load_error = error
            log.error("local model could not be loaded", extra={"error": f"{type(error).__name__}: {error}"})

    def close(self) -> None:
        """End what is being decoded."""
        if self._loaded is not None:
            self._loaded[1].close(cancel=True)

    def listed(self) -> dict[str, Any]:
        """Return the entry for a list of models."""
        return {"id": self.id, "object": "model", "created": 0, "owned_by": "passageguard"}

    def is_asked(self, chat: Chat) -> bool:
        """Say whether a chat is for this process, and could be answered.  Raises `Refusal`."""
        wanted = chat.get("model")
        if not isinstance(wanted, str) or not wanted.startswith(PREFIX):
            return False
        if wanted != self.id:
            raise self.other_asked()
        asked(chat)
        return True

    def other_asked(self) -> Refusal:
        """Return the answer to a chat that asks for a model that is not here."""
        return Refusal(404, "model_not_found", f"there is no such model here; ask for {self.id}", param="model")

    async def answer(self, chat: Chat, outcome: Outcome, visit: Visit, shown: Shown | None, traces: bool) -> Answer:
        """Return the answer as soon as its first token is there.  Raises `Refusal`.

        ``shown`` is what our field in the answer should hold; ``traces`` adds how each token was chosen.
        """
        if self._loaded is None:
            raise busy("model_loading", f"{self.id} is being loaded; try again")
        settings, said = asked(chat), conversation(chat, outcome)
        trust, reason = _trusted(outcome)
        prompts = await asyncio.to_thread(self._prompts, self._loaded[0], said)
        handles = self._submitted(*self._loaded, prompts, settings, trust)
        for handle in handles:
            visit.closing.callback(handle.cancel)
        self._metrics.tokens.add("prompt", by=len(prompts.context))
        if shown is not None:
            shown = {**shown, "trust": trust, "reason": reason}
        reply = Reply(settings, shown, len(prompts.context))
        choices = [_Choice(i, self._loaded[0], settings, traces) for i in range(len(handles))]
        events = _interleaved(handles)
        try:
            first = await anext(events)
            if settings.stream:
                return Answer(200, EVENTS, self._streamed(reply, choices, first, events))
            return Answer(200, JSON, once(b"")).with_body(await self._whole(reply, choices, first, events))
        except BrokenAnswer as error:
            raise Refusal(500, "decoding_failed", str(error)) from error

    def _load(self) -> tuple[LanguageModel, Engine]:
        from decoding import Engine

        loaded = LanguageModel.load(self._source)
        slots, queue = self._config.local_slots, self._config.max_requests
        return loaded, Engine(loaded.model, tokenizer=loaded.tokenizer, slots=slots, queue=queue)

    def _prompts(self, model: LanguageModel, said: Conversation) -> Prompts:
        try:
            if not said.passages:
                prior = model.prior(said.question, said.instructions, said.history)
                return Prompts(prior, prior)
            pair = model.prompts(said.question, said.passages, said.instructions, said.history)
            return Prompts(pair.context_ids, pair.prior_ids)
        except ModelError as error:
            raise Refusal(400, "invalid_value", str(error), param="messages") from error

    def _submitted(
        self, model: LanguageModel, engine: Engine, prompts: Prompts, settings: Asked, trust: float
    ) -> list[Handle]:
        from decoding import DecodingError, EngineFullError

        limit = self._limit(model, prompts, settings)
        stops = (*(settings.stop or ()), *model.stops)
        handles: list[Handle] = []
        try:
            for seed in settings.seeds:
                handles.append(engine.submit(
                    prompts.context, prompts.prior, trust=trust, seed=seed, max_new_tokens=limit,
                    eos_token_id=model.end_tokens, stop_strings=stops, **settings.sampling,
                ))  # fmt: skip
        except DecodingError as error:
            for handle in handles:
                handle.cancel()
            if isinstance(error, EngineFullError):
                raise busy("overloaded", "too many requests wait for the local model; try again") from error
            raise Refusal(400, "invalid_value", str(error)) from error
        return handles

    def _limit(self, model: LanguageModel, prompts: Prompts, settings: Asked) -> int:
        """Return how many tokens may come: what is asked for, as far as the model has room for them."""
        limit = settings.limit or self._config.local_max_tokens
        room = getattr(model.model.config.get_text_config(), "max_position_embeddings", None)
        if room is None:
            return limit
        longest = max(len(prompts.context), len(prompts.prior))
        if longest >= room:
            message = f"the messages and passages are {longest} tokens; {self.id} takes {room} with the answer"
            raise Refusal(400, "context_length_exceeded", message, param="messages")
        return min(limit, int(room) - longest)

    async def _whole(self, reply: Reply, choices: Sequence[_Choice], first: _Told, rest: AsyncIterator[_Told]) -> bytes:
        async for index, event in _chained(first, rest):
            choices[index].take(event)
        tokens = self._counted(choices)
        traced = [c.trace() for c in choices if c.traces]
        return reply.whole([(c.text, c.reason) for c in choices], tokens, {"choices": traced} if traced else None)

    async def _streamed(
        self, reply: Reply, choices: Sequence[_Choice], first: _Told, rest: AsyncIterator[_Told]
    ) -> AsyncIterator[bytes]:
        for choice in choices:
            yield reply.opening(choice.index)
        async for index, event in _chained(first, rest):
            choice = choices[index]
            if new := choice.take(event):
                yield reply.piece(index, new)
            if event.finish is not None:
                yield reply.end(index, choice.reason, {"choices": [choice.trace()]} if choice.traces else None)
        yield reply.closing(self._counted(choices))

    def _counted(self, choices: Sequence[_Choice]) -> int:
        tokens = sum(choice.tokens for choice in choices)
        self._metrics.tokens.add("completion", by=tokens)
        return tokens


class _Choice:
    """One answer as it grows.  A model without a chat template begins with a space, which is left out."""

    def __init__(self, index: int, model: LanguageModel, settings: Asked, traces: bool) -> None:
        from decoding import GrowingText

        self.index, self.traces, self.text = index, traces, ""
        self._model = model
        self._growing = GrowingText(model.tokenizer, (*(settings.stop or ()), *model.stops))
        self._steps: list[Step] = []

    @property
    def reason(self) -> str:
        return self._growing.reason

    @property
    def tokens(self) -> int:
        return len(self._growing.token_ids)

    def take(self, event: Event) -> str:
        """Return the text that is new."""
        if self.traces and event.step is not None:
            self._steps.append(event.step)
        new = self._growing.grown(event)
        new = new if self.text or self._model.chats else new.lstrip()
        self.text += new
        return new

    def trace(self) -> dict[str, Any]:
        """Return how each token was chosen; what is not finite is null, since JSON has no other word for it."""
        pieces = self._model.pieces(self._growing.token_ids)
        steps = [{"token": piece, **asdict(step)} for piece, step in zip(pieces, self._steps, strict=True)]
        return {"index": self.index, "trace": [{k: _finite(v) for k, v in step.items()} for step in steps]}


def _trusted(outcome: Outcome) -> tuple[float, str]:
    """Return how much the passages are boosted, in [0, 1], and why."""
    if outcome.verdict is None and outcome.headline != "none":
        return 0.0, "the passages could not be checked, so they are read, but not boosted"
    decided = gate(outcome.verdict, None)
    return decided.trust, decided.reason


async def _interleaved(handles: Sequence[Handle]) -> AsyncIterator[_Told]:
    """Yield (index, event) of all handles in turn, as the engine decodes them.  Raises `BrokenAnswer`."""
    from decoding import DecodingError

    going = {index: aiter(handle) for index, handle in enumerate(handles)}
    while going:
        for index, events in list(going.items()):
            try:
                yield index, await anext(events)
            except StopAsyncIteration:
                del going[index]
            except DecodingError as error:
                raise BrokenAnswer(f"the local model failed: {error}") from error


async def _chained(first: _Told, rest: AsyncIterator[_Told]) -> AsyncIterator[_Told]:
    yield first
    async for told in rest:
        yield told


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
