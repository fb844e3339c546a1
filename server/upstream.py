"""The one module that knows the HTTP client.

httpx's transport is used without its client: so nothing is added to a request (no default headers, cookies, netrc or
proxies), redirects are not followed, nothing is retried, and answers come as raw bytes, undecoded.  The upstream's
address comes from the configuration alone.  Knows nothing about passages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

import httpx

from .config import ServerConfig
from .errors import BrokenAnswer, Refusal
from .metrics import Metrics

Headers = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer trailers "
    b"transfer-encoding upgrade".split()
)
OURS = b"x-passageguard-"
NOT_FORWARDED = HOP_BY_HOP | {b"host", b"content-length", b"expect"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An upstream's answer whose headers have come.  Hop-by-hop headers are left out."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes]

    def header(self, name: bytes) -> bytes:
        """Return a header's value, lower case, or empty."""
        return next((value.lower() for key, value in self.headers if key.lower() == name), b"")


class Upstream:
    """Sends requests to the configured address."""

    def __init__(self, config: ServerConfig, metrics: Metrics) -> None:
        parts = urlsplit(config.upstream or "")
        self._origin = httpx.URL(f"{parts.scheme}://{parts.netloc}")
        self._prefix = (parts.path.rstrip("/") or "/v1").encode()
        self._timeouts = {
            "connect": config.connect_timeout_s, "read": config.read_timeout_s, "write": config.read_timeout_s,
            "pool": config.connect_timeout_s,
        }  # fmt: skip
        limits = httpx.Limits(max_connections=config.max_requests, max_keepalive_connections=20)
        self._transport = httpx.AsyncHTTPTransport(limits=limits, retries=0, trust_env=False)
        self._metrics = metrics

    @asynccontextmanager
    async def ask(self, method: str, path: bytes, query: bytes, headers: Headers, body: bytes) -> AsyncIterator[Answer]:
        """Yield the answer as soon as its headers are there; leaving the context cancels what has not come yet.

        ``path`` is raw and follows ``/v1``.  Raises `Refusal` (502, 504) where there is no answer, and, while chunks
        are read, `BrokenAnswer`.
        """
        target = self._prefix + _plain(path) + (b"?" + query if query else b"")
        request = httpx.Request(
            method, self._origin.copy_with(raw_path=target), headers=forwarded(headers), content=body,
            extensions={"timeout": self._timeouts},
        )  # fmt: skip
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.HTTPError as error:
            raise self._refusal(error) from error
        try:
            kept = [(k, v) for k, v in without_hops(response.headers.raw) if not k.lower().startswith(OURS)]
            yield Answer(response.status_code, kept, self._chunks(response))
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._transport.aclose()

    async def _chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.aiter_raw():
                yield chunk
        except httpx.HTTPError as error:
            self._metrics.upstream_errors.add("broken")
            raise BrokenAnswer(f"the upstream broke off: {type(error).__name__}") from error

    def _refusal(self, error: httpx.HTTPError) -> Refusal:
        """Return our answer for an upstream that gave none.  The error's own words may repeat the address."""
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            refusal = Refusal(502, "upstream_unreachable", "the upstream cannot be reached")
        elif isinstance(error, httpx.PoolTimeout):
            refusal = Refusal(503, "upstream_busy", "too many requests to the upstream", headers={"retry-after": "1"})
        elif isinstance(error, httpx.TimeoutException):
            refusal = Refusal(504, "upstream_timeout", "the upstream did not answer in time")
        else:
            refusal = Refusal(502, "upstream_broken", "the upstream broke off or did not speak HTTP")
        self._metrics.upstream_errors.add(refusal.code.removeprefix("upstream_"))
        return refusal


def forwarded(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return the client's headers for the upstream: without hop-by-hop ones and ours."""
    return [
        (k, v) for k, v in without_hops(headers) if k.lower() not in NOT_FORWARDED and not k.lower().startswith(OURS)
    ]


def without_hops(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return the headers without hop-by-hop ones and those that ``Connection`` names."""
    named = {n.strip().lower() for k, v in headers if k.lower() == b"connection" for n in v.split(b",")}
    return [(k, v) for k, v in headers if k.lower() not in HOP_BY_HOP | named]


def _plain(path: bytes) -> bytes:
    """Return the path, or refuse one that could climb out of the upstream's prefix."""
    if any(part in (b".", b"..") for part in unquote_to_bytes(path).replace(b"\\", b"/").split(b"/")):
        raise Refusal(400, "invalid_path", "the path must not hold . or ..")
    return path
