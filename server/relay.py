"""A request on its way to an upstream, and the answer on its way back, chunk by chunk as it comes.

Knows nothing about passages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.types import Send

from .door import Visit
from .errors import Refusal
from .upstream import Answer, Headers, Upstream


async def ask(
    upstream: Upstream, request: Request, body: bytes, headers: Headers | None = None, mount: str = ""
) -> Answer:
    """Return the upstream's answer as soon as its headers are there.  It ends with the visit.

    The path is the client's own without ``mount``.  Raises `Refusal` where there is no answer.
    """
    visit: Visit = request.state.visit
    path = request.scope.get("raw_path", request.url.path.encode()).partition(b"?")[0]
    if not path.startswith(mount.encode()):
        raise Refusal(400, "invalid_path", f"write {mount} without escapes")
    path = path.removeprefix(mount.encode()) or b"/"
    sent = request.headers.raw if headers is None else headers
    asked = upstream.ask(request.method, path, request.scope["query_string"], sent, body)
    answer = await visit.closing.enter_async_context(asked)
    theirs = answer.header(b"x-request-id")
    if theirs:
        visit.facts["upstream_request_id"] = theirs.decode("latin-1")[:128]
    return answer


async def send_on(answer: Answer, send: Send) -> None:
    """Send the answer to the client."""
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    async for chunk in answer.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def held(chunks: AsyncIterator[bytes], limit: int) -> tuple[bytes, bool]:
    """Return the body, and whether it is whole or was cut off beyond the limit."""
    parts, size = [], 0
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            return b"".join(parts), False
    return b"".join(parts), True


async def chained(held: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what was read already, and the rest."""
    yield held
    async for chunk in rest:
        yield chunk
