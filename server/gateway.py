"""In front of an OpenAI-compatible upstream: chat requests are checked, and what it retrieves; all else passes through.

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

from guard.verdict import Verdict

from . import annotation, relay
from .checks import Checker
from .config import ServerConfig
from .context import ContextGuard
from .door import Visit
from .errors import Refusal
from .extractors import FIELD
from .retrieval import Retrieval
from .routes import GATEWAY
from .schemas import json_bytes, json_object, request_options
from .upstream import Answer, Upstream, once, without_encodings

MOUNTS = ("/v1", "/v2", *(f"/{name}" for name in ("rerank", "retrieval")))
CHATS = ("/v1/chat/completions", "/v2/chat")  # OpenAI's and Cohere's
ORDINARY = ("choices", "message", "delta")  # what an answer, or an event of it, that may carry our field has
MAX_EVENT_BYTES = 2**20  # of the events searched for the first ordinary chunk
EVENT_END = re.compile(rb"\r?\n\r?\n")


class Gateway:
    """Answers everything under its `MOUNTS`."""

    def __init__(self, config: ServerConfig, checker: Checker, upstream: Upstream, secret: bytes) -> None:
        self._config, self._upstream = config, upstream
        self._context = ContextGuard(config, checker, secret)
        self._retrieval = Retrieval(config, checker, upstream, secret)

    async def __call__(self, request: Request, path: str, send: Send) -> None:
        endpoint = next((e for e in GATEWAY if e.takes(request.method, path)), None)
        if request.method == "POST" and path in CHATS:
            await self.chat(request, send)
        elif endpoint is not None:
            await self._retrieval.answer(request, endpoint, send)
        else:
            await self.pass_through(request, send)

    async def chat(self, request: Request, send: Send) -> None:
        """Check the passages of a chat request, repair its context, and relay the upstream's answer."""
        visit: Visit = request.state.visit
        visit.route, visit.verdict = "chat", "none"
        body = await request.body()
        chat = json_object(_unencoded(request, body))
        options = request_options(request.headers, chat.get(FIELD))
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
        await relay.send_on(await self._answer(request, body, options.include_verdict, outcome.verdict), send)

    async def pass_through(self, request: Request, send: Send) -> None:
        """Forward a request as it is, and relay the answer."""
        visit: Visit = request.state.visit
        visit.route = "pass_through"
        await relay.send_on(await relay.ask(self._upstream, request, await request.body()), send)

    async def _answer(self, request: Request, body: bytes, shows: bool, verdict: Verdict | None) -> Answer:
        """Return the model's answer, the verdict in its body where asked for.

        The one place that knows where a checked chat is answered: a model of this process would be asked here.
        """
        if not shows:
            return await relay.ask(self._upstream, request, body)
        visit: Visit = request.state.visit
        answer = await relay.ask(self._upstream, request, body, without_encodings(request.headers.raw))
        if answer.status != 200 or answer.header(b"content-encoding"):
            return answer
        shown = {"verdict": visit.verdict, **(annotation.summary(verdict) if verdict else {})}
        return await _showing(answer, {"request_id": visit.id, **shown})


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


# the verdict in the answer's body, where asked for


async def _showing(answer: Answer, shown: Mapping[str, Any]) -> Answer:
    """Return the answer with our field in it; one that is neither JSON nor a stream of events stays as it is."""
    kind = answer.header(b"content-type").partition(b";")[0].strip()
    headers = [(k, v) for k, v in answer.headers if k.lower() != b"content-length"]
    if kind == b"text/event-stream":
        return replace(answer, headers=headers, chunks=_events_showing(answer.chunks, shown))
    if kind == b"application/json":
        body = b"".join([chunk async for chunk in answer.chunks])
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
