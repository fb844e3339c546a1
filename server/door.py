"""What every request passes before a route sees it: id, place, key, body, and an end when the client leaves.

Routes find the body already read, and are cancelled when the client goes away.  One line is logged for each request;
it holds no query, header or text of the request.  Knows nothing about routes.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .config import ServerConfig
from .errors import BrokenAnswer, ClientGone, Refusal, busy
from .metrics import Metrics

OPEN_PATHS = ("/healthz", "/readyz", "/metrics")  # no key, and always a place
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
DRAINED = 4  # times max_body_bytes are read and thrown away, so that the client gets to read the refusal
CLIENT_GONE = 499  # as web servers log it

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Visit:
    """What is known of one request, for the log, the metrics and the response headers; routes fill it in."""

    id: str
    route: str = "other"
    status: int = 0
    verdict: str | None = None
    conflicts: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    started: float = field(default_factory=time.monotonic)
    is_complete: bool = False

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        if self.verdict is None:
            return []
        return [
            (b"x-passageguard-verdict", self.verdict.encode()),
            (b"x-passageguard-conflicts", str(self.conflicts).encode()),
        ]


class Door:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, config: ServerConfig, metrics: Metrics) -> None:
        self._app, self._config, self._metrics = app, config, metrics
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        visit = Visit(_request_id(headers))
        scope.setdefault("state", {})["visit"] = visit
        answer = _answering(send, visit)
        try:
            async with visit.closing:
                await self._admit(scope, headers, receive, answer)
        except Refusal as refusal:
            if not visit.status:
                await refusal.response()(scope, receive, answer)
        except ClientGone:
            visit.status = CLIENT_GONE
        except BrokenAnswer as error:  # returning unfinished makes the server cut the connection
            visit.facts["error"] = str(error)
        except Exception as error:  # of our own making; its words may hold text of the request
            visit.facts["error"] = type(error).__name__
            log.error("request failed", exc_info=log.isEnabledFor(logging.DEBUG))
            if not visit.status:
                await Refusal(500, "internal_error", "the server failed").response()(scope, receive, answer)
        finally:
            self._record(scope, visit)

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        if scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        self._inside += 1
        self._metrics.in_flight.add(by=1)
        try:
            body = await self._body(headers, receive)
            visit: Visit = scope["state"]["visit"]
            await _until_client_leaves(self._app(scope, _replay(body), send), receive, visit)
        finally:
            self._inside -= 1
            self._metrics.in_flight.add(by=-1)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Return the body of a request that may come in.  Raises `Refusal`, after reading what was on its way."""
        limit = self._config.max_body_bytes
        try:
            async with asyncio.timeout(self._config.body_timeout_s):
                refusal = self._refusal(headers)
                body = await _read(receive, limit * DRAINED if refusal else limit, keep=refusal is None)
                if body is None and refusal is None:
                    refusal = Refusal(413, "body_too_large", f"the body is over {limit:,} bytes (max_body_bytes)")
                    await _read(receive, limit * DRAINED, keep=False)
        except TimeoutError as error:
            raise Refusal(408, "body_timeout", "the body did not come in time (body_timeout_s)") from error
        if refusal is not None:
            raise refusal
        return body or b""

    def _refusal(self, headers: dict[bytes, bytes]) -> Refusal | None:
        if self._config.key is not None:
            given = headers.get(b"x-passageguard-key", b"")
            if not hmac.compare_digest(given, self._config.key.encode()):
                return Refusal(401, "invalid_key", "X-Passageguard-Key is missing or wrong")
        if self._inside > self._config.max_requests:
            return busy("overloaded", "too many requests at once (max_requests); try again")
        if b"content-length" in headers and b"transfer-encoding" in headers:
            return Refusal(400, "ambiguous_length", "Content-Length and Transfer-Encoding contradict each other")
        return None

    def _record(self, scope: Scope, visit: Visit) -> None:
        seconds = time.monotonic() - visit.started
        self._metrics.requests.add(visit.route, str(visit.status))
        self._metrics.request_s.observe(seconds)
        if visit.verdict is not None:
            self._metrics.verdicts.add(visit.verdict)
        if scope["path"] in OPEN_PATHS:
            return
        verdict = {} if visit.verdict is None else {"verdict": visit.verdict, "conflicts": visit.conflicts}
        facts = {
            "request_id": visit.id, "method": scope["method"], "path": scope["path"][:200], "status": visit.status,
            "seconds": round(seconds, 4), **verdict, **visit.facts,
        }  # fmt: skip
        log.info("request", extra=facts)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the facts given with ``extra``."""

    _NOT_FACTS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName", "color_message"}

    def format(self, record: logging.LogRecord) -> str:
        facts = {k: v for k, v in vars(record).items() if k not in self._NOT_FACTS}
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {"time": when, "level": record.levelname.lower(), "event": record.getMessage(), **facts}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


async def _until_client_leaves(work: Any, receive: Receive, visit: Visit) -> None:
    """Run the route; cancel it when the client disconnects first.  Raises `ClientGone`."""
    route, watch = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((route, watch), return_when=asyncio.FIRST_COMPLETED)
        if not route.done() and not visit.is_complete:
            raise ClientGone("the client closed the connection")
        await route
    finally:
        route.cancel()
        watch.cancel()
        await asyncio.gather(route, watch, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive, limit: int, *, keep: bool) -> bytes | None:
    """Return the rest of the body, or None as soon as it is over the limit.  Raises `ClientGone`."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client closed the connection")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > limit:
            return None
        if keep:
            parts.append(part)
    return b"".join(parts)


def _replay(body: bytes) -> Receive:
    """Return a receive that yields the whole body once and then waits: leaving is watched for outside."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError("never set")

    return receive


def _answering(send: Send, visit: Visit) -> Send:
    """Return a send that notes the status and adds our headers."""

    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
            headers = [*message.get("headers", ()), *visit.headers]
            if not any(name.lower() == b"x-request-id" for name, _ in headers):
                headers.append((b"x-request-id", visit.id.encode()))
            message = {**message, "headers": headers}
        elif not message.get("more_body", False):
            visit.is_complete = True
        await send(message)

    return answering


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in scope["headers"]}


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
