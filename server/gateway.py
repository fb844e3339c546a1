"""In front of an OpenAI-compatible upstream: chat requests are checked, everything else under ``/v1/`` passes through.

Read `Gateway.chat` from top to bottom: it is the path of a request.  A request that needs no change is forwarded byte
for byte.  Knows nothing about how passages are found, checked, or sent.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from detectors.evidence import Passage
from guard.policy import Policy
from guard.verdict import Action, Status, Verdict

from . import annotation, extractors
from .checks import Checker
from .config import ServerConfig
from .door import Visit
from .errors import Refusal, busy
from .extractors import Repair, Search
from .schemas import chat_options, json_bytes, json_object
from .upstream import Answer, Headers, Upstream

FIELD = "passageguard"  # in requests and, where asked for, in answers
CHAT = "/v1/chat/completions"
MAX_EVENT_BYTES = 2**20  # of the events searched for the first ordinary chunk
EVENT_END = re.compile(rb"\r?\n\r?\n")


class Gateway:
    """An ASGI application for everything under ``/v1/`` that is not our own."""

    def __init__(self, config: ServerConfig, checker: Checker, upstream: Upstream) -> None:
        self._config, self._checker, self._upstream = config, checker, upstream
        self._secret = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = re.sub(r"/+", "/", scope["path"]).rstrip("/")
        if path.startswith("/v1/passageguard"):
            raise Refusal(404, "not_found", f"no {request.method} {path} here")
        if self._config.upstream is None:
            raise Refusal(404, "no_upstream", "no upstream is configured; start the server with --upstream URL")
        if request.method == "POST" and path == CHAT:
            await self.chat(request, send)
        else:
            await self.pass_through(request, send)

    async def chat(self, request: Request, send: Send) -> None:
        """Check the passages of a chat request, repair its context, and relay the upstream's answer."""
        visit: Visit = request.state.visit
        visit.route, visit.verdict = "chat", "none"
        body = await request.body()
        chat = json_object(_unencoded(request, body))
        options = chat_options(chat.get(FIELD) or {})
        policy = options.policy(self._config, FIELD)
        try:
            found = extractors.find(chat, self._config.extractors, self._config.passage_regex)
            verdict = await self._verdict(found, policy, visit)
            sent = self._repaired(chat, found, verdict)
        except Refusal:
            raise
        except Exception as error:  # our failure must look neither like "clean" nor like the client's
            verdict, sent = None, self._unchecked(chat, error, visit)
        if sent is not chat:
            body = _encoded(sent)
        headers = request.headers.raw
        if not options.include_verdict:
            await self._relay(request, headers, body, send)
            return
        shown = {"verdict": visit.verdict, **(annotation.summary(verdict) if verdict else {})}
        await self._relay(request, _plain_answer(headers), body, send, {"request_id": visit.id, **shown})

    async def pass_through(self, request: Request, send: Send) -> None:
        """Forward a request as it is, and relay the answer."""
        visit: Visit = request.state.visit
        visit.route = "pass_through"
        await self._relay(request, request.headers.raw, await request.body(), send)

    async def _verdict(self, found: Search, policy: Policy | None, visit: Visit) -> Verdict | None:
        """Return the verdict, or None where there are no passages.  Raises `Refusal` for what is blocked.

        What the extractors could not read joins ``verdict.unverified``, so that it is never called clean.
        """
        visit.facts["passages"] = len(found.passages)
        if not found.passages:
            visit.verdict = "unverified" if found.unread else "none"
            return None
        verdict = await self._checker.check(found.passages, extractors.question(found), policy)
        if found.unread:
            status = Status.UNVERIFIED if verdict.status is Status.CLEAN else verdict.status
            verdict = replace(verdict, status=status, unverified=(*verdict.unverified, *found.unread))
        visit.verdict, visit.conflicts = annotation.headline(verdict), len(verdict.conflicts)
        if verdict.action is Action.BLOCK:
            raise _blocked(verdict)
        return verdict

    def _unchecked(self, chat: Mapping[str, Any], error: Exception, visit: Visit) -> Mapping[str, Any]:
        """Return what the upstream gets of a chat that could not be checked.  Raises `Refusal` (closed)."""
        visit.verdict, visit.conflicts = "skipped", 0
        visit.facts["check_error"] = type(error).__name__
        if self._config.on_error == "closed":
            raise busy("check_failed", "the passages could not be checked, and on_error is closed") from error
        return self._repaired(chat, Search(chat), None)

    def _repaired(self, chat: Mapping[str, Any], found: Search, verdict: Verdict | None) -> Mapping[str, Any]:
        """Return what the upstream gets; ``chat`` itself where that is the same."""
        sign = annotation.mark(self._secret, found.passages or [Passage("", secrets.token_hex())])
        repaired = {k: v for k, v in chat.items() if k != FIELD} if FIELD in chat else chat
        if verdict is not None and (found.is_forged or annotation.changes(verdict, found.passages)):
            repaired = _written(repaired, found, annotation.repair(verdict, sign))
        if "documents" not in repaired or self._config.documents == "native":
            return repaired
        documents = repaired["documents"]
        repaired = {k: v for k, v in repaired.items() if k != "documents"}
        if self._config.documents == "rendered":
            return extractors.with_context(repaired, extractors.rendered(documents, sign))
        notice = annotation.repair(verdict, sign).notice if verdict else ""
        return extractors.with_context(repaired, notice) if notice else repaired

    async def _relay(
        self, request: Request, headers: Headers, body: bytes, send: Send, shown: Mapping[str, Any] | None = None
    ) -> None:
        """Send the request on and the answer back, chunk by chunk as it comes; ``shown`` is put into its body."""
        visit: Visit = request.state.visit
        path = request.scope.get("raw_path", request.url.path.encode()).partition(b"?")[0].removeprefix(b"/v1")
        asked = self._upstream.ask(request.method, path, request.scope["query_string"], headers, body)
        answer = await visit.closing.enter_async_context(asked)
        theirs = answer.header(b"x-request-id")
        if theirs:
            visit.facts["upstream_request_id"] = theirs.decode("latin-1")[:128]
        if shown is not None and answer.status == 200 and not answer.header(b"content-encoding"):
            answer = await _showing(answer, shown)
        await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
        async for chunk in answer.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _written(chat: Mapping[str, Any], found: Search, repair: Repair) -> Mapping[str, Any]:
    """Return the chat with the repaired passages where they came from; the notice stands in the first place."""
    for place in found.places:
        chat = extractors.replaced(chat, place.path, place.rewritten(repair))
        repair = replace(repair, notice="")
    return chat


def _blocked(verdict: Verdict) -> Refusal:
    return Refusal(
        400, "context_conflict", verdict.notice or "The passages contradict each other.", param="documents",
        headers={"x-should-retry": "false"}, extra={FIELD: annotation.summary(verdict)},
    )  # fmt: skip


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


def _plain_answer(headers: Headers) -> Headers:
    """Return the headers without Accept-Encoding: a field can only be put into an answer that is not compressed."""
    return [(k, v) for k, v in headers if k.lower() != b"accept-encoding"]


# the verdict in the answer's body, where asked for


async def _showing(answer: Answer, shown: Mapping[str, Any]) -> Answer:
    """Return the answer with our field in it; one that is neither JSON nor a stream of events stays as it is."""
    kind = answer.header(b"content-type").partition(b";")[0].strip()
    headers = [(k, v) for k, v in answer.headers if k.lower() != b"content-length"]
    if kind == b"text/event-stream":
        return replace(answer, headers=headers, chunks=_events_showing(answer.chunks, shown))
    if kind == b"application/json":
        body = b"".join([chunk async for chunk in answer.chunks])
        return replace(answer, headers=headers, chunks=_once(_with_field(body, shown) or body))
    return answer


async def _events_showing(chunks: AsyncIterator[bytes], shown: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """Yield the chunks, our field put into the first event that has choices: some clients trip over others."""
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
    """Return a JSON object that has choices with our field, or None where it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not value.get("choices"):
        return None
    return json_bytes({**value, FIELD: shown})


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
