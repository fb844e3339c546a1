"""In front of an OpenAI-compatible upstream: chat requests are checked, and what it retrieves; all else passes through.

A model of this process may answer beside the upstream, or in its stead.

Read `Gateway.chat` from top to bottom: it is the path of a request.  A request that needs no change is forwarded byte
for byte.  Knows nothing about how passages are found, checked, or sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.types import Send

from . import annotation, relay
from .checks import Checker
from .config import ServerConfig
from .context import Chat, ContextGuard, Outcome
from .door import Visit
from .errors import Refusal, wrong_method
from .extractors import FIELD
from .local import LocalModel
from .retrieval import Retrieval
from .routes import GATEWAY
from .schemas import ChatOptions, json_bytes, json_object, request_options
from .upstream import Answer, Upstream, once, without_encodings

MOUNTS = ("/v1", "/v2", *(f"/{name}" for name in ("rerank", "retrieval")))
CHATS = ("/v1/chat/completions", "/v2/chat")  # OpenAI's and Cohere's
MODELS = "/v1/models"
ALONE = {CHATS[0]: ("POST",), MODELS: ("GET",)}  # what is answered where there is no upstream
ORDINARY = ("choices", "message", "delta")  # what an answer, or an event of it, that may carry our field has
MAX_EVENT_BYTES = 2**20  # of the events searched for the first ordinary chunk
EVENT_END = re.compile(rb"\r?\n\r?\n")


class Gateway:
    """Answers everything under its `MOUNTS`."""

    def __init__(
        self, config: ServerConfig, checker: Checker, upstream: Upstream | None, local: LocalModel | None, secret: bytes
    ) -> None:
        self._config, self._upstream, self._local = config, upstream, local
        self._context = ContextGuard(config, checker, secret)
        self._retrieval = Retrieval(config, checker, upstream, secret) if upstream is not None else None

    async def __call__(self, request: Request, path: str, send: Send) -> None:
        endpoint = next((e for e in GATEWAY if e.takes(request.method, path)), None)
        if request.method == "POST" and path in self._chats:
            await self.chat(request, send)
        elif self._local is not None and request.method == "GET" and path in (MODELS, f"{MODELS}/{self._local.id}"):
            await relay.send_on(await self._models(request, self._local, is_list=path == MODELS), send)
        elif endpoint is not None and self._retrieval is not None:
            await self._retrieval.answer(request, endpoint, send)
        elif self._upstream is None and path in ALONE:
            raise wrong_method(path, ALONE[path])
        else:
            await self.pass_through(request, send)

    async def chat(self, request: Request, send: Send) -> None:
        """Check the passages of a chat request, repair its context, and relay the upstream's answer."""
        visit: Visit = request.state.visit
        visit.route, visit.verdict = "chat", "none"
        body = await request.body()
        chat = json_object(_unencoded(request, body))
        options = request_options(request.headers, chat.get(FIELD))
        local = self._local_for(chat)
        policy = options.policy(self._config, FIELD)
        try:
            outcome = await self._context.repaired(chat, policy)
        except Refusal:
            visit.verdict = "skipped"
            raise
        visit.verdict, visit.conflicts, visit.facts["passages"] = outcome.headline, outcome.conflicts, outcome.passages
        if outcome.refusal is not None:
            raise outcome.refusal
        if outcome.chat is not chat:
            body = _encoded(outcome.chat)
        shown = self._said(visit, outcome, options)
        if local is not None:
            answer = await local.answer(chat, outcome, visit, shown, options.include_trace)
        else:
            answer = await self._answer(request, body, shown)
        await relay.send_on(answer, send)

    async def pass_through(self, request: Request, send: Send) -> None:
        """Forward a request as it is, and relay the answer."""
        visit: Visit = request.state.visit
        visit.route = "pass_through"
        await relay.send_on(await relay.ask(self._asked(), request, await request.body()), send)

    @property
    def _chats(self) -> tuple[str, ...]:
        return CHATS if self._upstream is not None else CHATS[:1]

    def _local_for(self, chat: Chat) -> LocalModel | None:
        """Return the model of this process that a chat asks for; None is the upstream.  Raises `Refusal`."""
        if self._local is None or self._local.is_asked(chat):
            return self._local
        if self._upstream is None:
            raise self._local.other_asked()
        return None

    def _said(self, visit: Visit, outcome: Outcome, options: ChatOptions) -> Mapping[str, Any] | None:
        """Return what the answer's body should say of the check; None where that is not asked for."""
        if not options.include_verdict:
            return None
        found = annotation.summary(outcome.verdict) if outcome.verdict else {}
        return {"request_id": visit.id, "verdict": visit.verdict, **found}

    async def _answer(self, request: Request, body: bytes, shown: Mapping[str, Any] | None) -> Answer:
        """Return the upstream's answer, with ``shown`` in its body unless that is None."""
        if shown is None:
            return await relay.ask(self._asked(), request, body)
        answer = await relay.ask(self._asked(), request, body, without_encodings(request.headers.raw))
        if answer.status != 200 or answer.header(b"content-encoding"):
            return answer
        return await _showing(answer, shown, self._config.max_body_bytes)

    async def _models(self, request: Request, local: LocalModel, *, is_list: bool) -> Answer:
        """Return the entry of the local model, or the upstream's list with it."""
        own: dict[str, Any] = {"object": "list", "data": [local.listed()]} if is_list else local.listed()
        if self._upstream is None or not is_list:
            return Answer(200, [(b"content-type", b"application/json")], once(b"")).with_body(json_bytes(own))
        answer = await relay.ask(self._upstream, request, b"", without_encodings(request.headers.raw))
        if answer.status != 200 or not answer.is_json:
            return answer
        held, is_whole = await relay.held(answer.chunks, self._config.max_body_bytes)
        if not is_whole:
            return replace(answer, chunks=relay.chained(held, answer.chunks))
        return answer.with_body(_with_model(held, local.listed()) or held)

    def _asked(self) -> Upstream:
        if self._upstream is None:
            raise Refusal(404, "no_upstream", "no upstream is configured; start the server with --upstream URL")
        return self._upstream


def _unencoded(request: Request, body: bytes) -> bytes:
    """Return the body, or refuse one that cannot be read, which could not be checked either."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "unsupported_encoding", "send the body without Content-Encoding", param="content-encoding")
    return body


def _encoded(chat: Mapping[str, Any]) -> bytes:
    try:
        return json_bytes(chat)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "invalid_json", "the body holds an infinite number or is nested too deeply") from error


def _with_model(body: bytes, entry: Mapping[str, Any]) -> bytes | None:
    """Return a list of models with one more, or None where it is none."""
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    models = listed.get("data") if isinstance(listed, dict) else None
    return json_bytes({**listed, "data": [*models, entry]}) if isinstance(models, list) else None


# the verdict in the answer's body, where asked for


async def _showing(answer: Answer, shown: Mapping[str, Any], limit: int) -> Answer:
    """Return the answer with our field in it.

    One that is neither JSON of at most ``limit`` bytes nor a stream of events stays as it is.
    """
    kind = answer.header(b"content-type").partition(b";")[0].strip()
    headers = [(k, v) for k, v in answer.headers if k.lower() != b"content-length"]
    if kind == b"text/event-stream":
        return replace(answer, headers=headers, chunks=_events_showing(answer.chunks, shown))
    if kind == b"application/json":
        body, is_whole = await relay.held(answer.chunks, limit)
        if not is_whole:
            return replace(answer, chunks=relay.chained(body, answer.chunks))
        return replace(answer, headers=headers, chunks=once(_with_field(body, shown) or body))
    return answer


async def _events_showing(chunks: AsyncIterator[bytes], shown: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """Yield the chunks, our field put into the first ordinary event: some clients trip over others."""
    held, is_done = b"", False
    async for chunk in chunks:
        if is_done:
            yield chunk
            continue
        held += chunk
        while not is_done and (end := EVENT_END.search(held)):
            event, held = held[: end.start()], held[end.end() :]
            changed = _event_with_field(event, shown)
            is_done = changed is not None
            yield (changed or event) + end[0]
        if held and (is_done or len(held) > MAX_EVENT_BYTES):
            yield held
            held, is_done = b"", True
    if held:
        yield held


def _event_with_field(event: bytes, shown: Mapping[str, Any]) -> bytes | None:
    """Return a one-line ``data:`` event with our field, or None where it is no ordinary chunk."""
    prefix, data, rest = event.rpartition(b"data:")
    if not data or b"\n" in rest or (prefix and not prefix.endswith(b"\n")):
        return None
    changed = _with_field(rest, shown)
    return None if changed is None else prefix + b"data: " + changed


def _with_field(body: bytes, shown: Mapping[str, Any]) -> bytes | None:
    """Return an `ORDINARY` JSON object with our field, or None where it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not any(value.get(key) for key in ORDINARY):
        return None
    return json_bytes({**value, FIELD: shown})
