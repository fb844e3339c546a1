"""The application: routes, and what they share.  `create_app` is the one way to build it.

Knows nothing about command lines and sockets.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from detectors.errors import InputError
from guard import Guard
from guard.verdict import Verdict

from . import annotation, errors, litellm_api, metrics, openapi, page
from .checks import Checker, CheckFailed, Checks
from .config import ServerConfig
from .context import ContextGuard
from .door import Door, Visit
from .front import Front, Mounted, Retriever
from .gateway import MOUNTS, Gateway
from .local import LocalModel
from .retrieval import Retrieval
from .schemas import BatchRequest, CheckRequest
from .upstream import Upstream

NOT_READY: dict[str, Any] = {"description": "Not yet, or never.", "content": {"text/plain": {"schema": openapi.TEXT}}}
GATEWAY = "gateway"  # its upstream's name, which no mount can have


class Application(FastAPI):
    """FastAPI's, whose document describes chats, too, where ``answers_as`` names the one model that answers them."""

    answers_as: str | None = None

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        return openapi.with_chats(document, self.answers_as) if self.answers_as else document


def create_app(
    config: ServerConfig, guard: Checks | None = None, on_load_error: Callable[[Exception], None] | None = None
) -> FastAPI:
    """Return the ASGI application.  ``guard`` may be injected; otherwise one is built from the configuration.

    Models load in the background once the application starts; ``on_load_error`` is told where they cannot.
    """
    counted = metrics.Metrics()
    checker = Checker(guard or Guard(config.guard_config()), config, counted)
    upstreams = _upstreams(config, counted)
    local = None if config.local_model is None else LocalModel(config.local_model, config, counted)
    loaded: list[Checker | LocalModel] = [checker] if local is None else [checker, local]

    async def load() -> None:
        for part in loaded:
            await part.load()
            if part.load_error is not None and on_load_error is not None:
                on_load_error(part.load_error)
        gc.collect()
        gc.freeze()  # what the model libraries hold stays: looking through it would stop all requests for a moment

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(load())
        yield
        loading.cancel()
        checker.close()
        if local is not None:
            await asyncio.to_thread(local.close)
        for upstream in upstreams.values():
            await upstream.close()

    app = Application(title="PassageGuard", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.answers_as = None if local is None or config.upstream is not None else local.id
    app.add_exception_handler(errors.Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(Door, config=config, metrics=counted)
    secret = secrets.token_bytes(32)  # notes are marked under it
    _add_own_routes(app, config, checker, loaded, counted)
    page.add_routes(app, config, counted)
    litellm_api.add_routes(app, config, ContextGuard(config, checker, secret))
    own = {route.path: frozenset(route.methods or ()) for route in app.routes if isinstance(route, Route)}
    app.mount("/", Front(_mounted(config, checker, upstreams, local, secret), own))
    return app


def _mounted(
    config: ServerConfig, checker: Checker, upstreams: Mapping[str, Upstream], local: LocalModel | None, secret: bytes
) -> list[Mounted]:
    """Return the gateway and the retrievers that are configured."""
    mounted: list[Mounted] = []
    if config.upstream is not None or local is not None:
        gateway = Gateway(config, checker, upstreams.get(GATEWAY), local, secret)
        mounted += [Mounted(mount, gateway) for mount in MOUNTS]
    for route in config.retrievers():
        upstream = upstreams[route.mount]
        retrieval = Retrieval(config, checker, upstream, secret, route.mount)
        mounted.insert(0, Mounted(route.mount, Retriever(route, upstream, retrieval)))
    return mounted


def _upstreams(config: ServerConfig, counted: metrics.Metrics) -> dict[str, Upstream]:
    """Return an upstream for each mount, and one for the gateway."""
    made = {route.mount: Upstream(route.upstream, config, counted) for route in config.retrievers()}
    gateway = {} if config.upstream is None else {GATEWAY: Upstream(config.upstream, config, counted, "/v1")}
    return {**made, **gateway}


def _add_own_routes(
    app: FastAPI, config: ServerConfig, checker: Checker, loaded: Sequence[Checker | LocalModel],
    counted: metrics.Metrics,
) -> None:  # fmt: skip
    async def verdict_of(asked: CheckRequest, where: str) -> Verdict:
        policy = asked.policy.policy(config, f"{where}policy")
        try:
            return await checker.check(asked.evidence(), asked.question, policy)
        except InputError as error:
            raise errors.Refusal(400, "invalid_value", str(error), param=f"{where}passages") from error
        except CheckFailed as error:
            raise errors.busy("check_failed", str(error), error.retry_after_s) from error

    @app.post("/v1/passageguard/check", responses=openapi.answers(openapi.VERDICT, "The verdict."))
    async def check(asked: CheckRequest, request: Request) -> Response:
        """Check passages against each other.  The answer is the verdict (guard/verdict.schema.json)."""
        visit: Visit = request.state.visit
        visit.route, visit.facts["passages"] = "check", len(asked.passages)
        verdict = await verdict_of(asked, "")
        visit.verdict, visit.conflicts = annotation.headline(verdict), len(verdict.conflicts)
        return JSONResponse(verdict.to_dict())

    @app.post("/v1/passageguard/check/batch", responses=openapi.answers(openapi.BATCH, "A result for each."))
    async def check_batch(asked: BatchRequest, request: Request) -> Response:
        """Check several requests, one after another; each result is a verdict or an error."""
        request.state.visit.route = "batch"
        results: list[dict[str, Any]] = []
        for i, one in enumerate(asked.requests):
            try:
                results.append({"verdict": (await verdict_of(one, f"requests[{i}].")).to_dict()})
            except errors.Refusal as refusal:
                results.append(refusal.body())
        return JSONResponse({"results": results})

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> Response:
        """Say that the server runs."""
        return PlainTextResponse("ok\n")

    @app.get("/readyz", response_class=PlainTextResponse, responses={503: NOT_READY})
    async def readyz() -> Response:
        """Say whether the models are loaded."""
        if all(part.is_ready for part in loaded):
            return PlainTextResponse("ready\n")
        has_failed = any(part.load_error for part in loaded)
        state = "models could not be loaded; see the log" if has_failed else "models are being loaded"
        return PlainTextResponse(f"{state}\n", 503, {"retry-after": "1"})

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics_text() -> Response:
        """Return all counts in Prometheus' format."""
        return Response(counted.text(), media_type=metrics.CONTENT_TYPE)


def _refused(_: Request, error: Exception) -> Response:
    """Answer an error in OpenAI's shape."""
    match error:
        case errors.Refusal():
            return error.response()
        case RequestValidationError():
            return errors.from_validation(error).response()
        case HTTPException():
            return errors.from_http(error).response()
    raise error
