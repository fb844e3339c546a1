"""The one module that knows the HTTP client.

httpx's transport is used without its client: so nothing is added to a request (no default headers, cookies, netrc or
proxies), redirects are not followed, nothing is retried, and answers come as raw bytes, undecoded.  The upstream's
address comes from the configuration alone.  Knows nothing about passages.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes, urlsplit

import httpx

from .breaker import Breaker
from .config import ServerConfig
from .errors import BrokenAnswer, Refusal, busy
from .metrics import Metrics

Headers = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer trailers "
    b"transfer-encoding upgrade".split()
)
OURS = b"x-passageguard-"
OF_THE_BODY = frozenset(b"content-length content-md5 content-digest digest repr-digest etag".split())
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

    @property
    def is_json(self) -> bool:
        """Whether the body is said to be JSON, and is not compressed."""
        kind = self.header(b"content-type").partition(b";")[0].strip()
        is_plain = self.header(b"content-encoding") in (b"", b"identity")
        return is_plain and (kind == b"application/json" or kind.endswith(b"+json"))

    def with_body(self, body: bytes) -> Answer:
        """Return the answer with another body; headers that speak of the old one are left out."""
        headers = [(k, v) for k, v in self.headers if k.lower() not in OF_THE_BODY]
        return replace(self, headers=[*headers, (b"content-length", str(len(body)).encode())], chunks=once(body))


class Upstream:
    """Sends requests to one configured address.

    ``version`` is the segment that an OpenAI-compatible address ends in, and that a bare host gets: what clients ask
    for under it follows the address, everything else the address without it.  Empty, all paths follow the address.
    """

    def __init__(self, url: str, config: ServerConfig, metrics: Metrics, version: str = "") -> None:
        parts = urlsplit(url)
        self._origin = httpx.URL(f"{parts.scheme}://{parts.netloc}")
        self._version = version.encode()
        self._prefix = (parts.path.rstrip("/") or version).encode()
        self._timeouts = {
            "connect": config.connect_timeout_s, "read": config.read_timeout_s, "write": config.read_timeout_s,
            "pool": config.connect_timeout_s,
        }  # fmt: skip
        limits = httpx.Limits(max_connections=config.max_requests, max_keepalive_connections=20)
        self._transport = httpx.AsyncHTTPTransport(limits=limits, retries=0, trust_env=False)
        self._metrics = metrics
        self._breaker = Breaker(config.breaker_failures, config.breaker_cooldown_s)

    @asynccontextmanager
    async def ask(self, method: str, path: bytes, query: bytes, headers: Headers, body: bytes) -> AsyncIterator[Answer]:
        """Yield the answer as soon as its headers are there; leaving the context cancels what has not come yet.

        ``path`` is raw.  Raises `Refusal` (502, 503, 504) where there is no answer, and, while chunks
        are read, `BrokenAnswer`.
        """
        target = self._target(_plain(path)) + (b"?" + query if query else b"")
        request = httpx.Request(
            method, self._origin.copy_with(raw_path=target), headers=forwarded(headers), content=body,
            extensions={"timeout": self._timeouts},
        )  # fmt: skip
        wait_s = self._breaker.wait_s()
        if wait_s:
            self._metrics.upstream_errors.add("open")
            raise busy("upstream_down", "the upstream did not answer lately; try again", math.ceil(wait_s))
        started = time.monotonic()
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.HTTPError as error:
            raise self._refusal(error) from error
        self._metrics.upstream_s.observe(time.monotonic() - started)
        self._breaker.succeeded()
        try:
            kept = [(k, v) for k, v in without_hops(response.headers.raw) if not k.lower().startswith(OURS)]
            yield Answer(response.status_code, kept, self._chunks(response))
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._transport.aclose()

    def _target(self, path: bytes) -> bytes:
        first, rest = path[: len(self._version)], path[len(self._version) :]
        if first == self._version and rest[:1] in (b"", b"/"):
            return self._prefix + rest
        return self._prefix.removesuffix(self._version) + path

    async def _chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.aiter_raw():
                yield chunk
        except httpx.HTTPError as error:
            self._metrics.upstream_errors.add("broken")
            raise BrokenAnswer(f"the upstream broke off: {type(error).__name__}") from error

    def _refusal(self, error: httpx.HTTPError) -> Refusal:
        """Return our answer for an upstream that gave none.  The error's own words may repeat the address."""
        if not isinstance(error, httpx.PoolTimeout):  # that one is our own limit
            self._breaker.failed()
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


async def once(body: bytes) -> AsyncIterator[bytes]:
    """Yield the body in one piece."""
    yield body


def without_encodings(headers: Headers) -> Headers:
    """Return the headers without Accept-Encoding: a compressed answer cannot be read."""
    return [(k, v) for k, v in headers if k.lower() != b"accept-encoding"]


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
