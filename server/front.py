"""Which part of the server a path belongs to: the gateway, or one of the configured retrievers.

The longest mount that fits takes the request.  Knows nothing about what is done with it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from . import relay
from .door import Visit
from .errors import Refusal, wrong_method
from .retrieval import Retrieval
from .routes import Route
from .upstream import Upstream

OWN = "/v1/passageguard"
Handler = Callable[[Request, str, Send], Awaitable[None]]  # request, plain path, send


@dataclass(frozen=True, slots=True)
class Mounted:
    """What answers everything under a mount."""

    mount: str
    handler: Handler

    def holds(self, path: str) -> bool:
        return path.startswith(self.mount) and path[len(self.mount) :][:1] in ("", "/")


class Retriever:
    """A route with its upstream: the answers of its endpoints are checked, everything else passes through."""

    def __init__(self, route: Route, upstream: Upstream, retrieval: Retrieval) -> None:
        self._route, self._upstream, self._retrieval = route, upstream, retrieval

    async def __call__(self, request: Request, path: str, send: Send) -> None:
        below = path[len(self._route.mount) :] or "/"
        for endpoint in self._route.endpoints:
            if endpoint.takes(request.method, below):
                await self._retrieval.answer(request, endpoint, send)
                return
        visit: Visit = request.state.visit
        visit.route = "pass_through"
        answer = await relay.ask(self._upstream, request, await request.body(), mount=self._route.mount)
        await relay.send_on(answer, send)


class Front:
    """An ASGI application for every path that is not our own."""

    def __init__(self, mounted: Sequence[Mounted], own: Mapping[str, frozenset[str]]) -> None:
        """``own`` has the methods of the application's own paths, of which all others are refused."""
        self._mounted = sorted(mounted, key=lambda m: -len(m.mount))
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = re.sub(r"/+", "/", scope["path"]).rstrip("/") or "/"
        allowed = self._own.get(path, frozenset())
        if allowed and request.method not in allowed:
            raise wrong_method(path, allowed)
        if allowed or path == OWN or path.startswith(f"{OWN}/"):
            raise Refusal(404, "not_found", f"no {request.method} {path} here")
        for m in self._mounted:
            if m.holds(path):
                await m.handler(request, path, send)
                return
        if path.startswith(("/v1/", "/v2/")) or path in ("/rerank", "/retrieval"):
            raise Refusal(404, "no_upstream", "no upstream is configured; start the server with --upstream URL")
        raise Refusal(404, "not_found", "no such path here")
