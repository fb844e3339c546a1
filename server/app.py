"""The application: routes, and what they share.  `create_app` is the one way to build it.

Knows nothing about command lines and sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from detectors.errors import InputError
from guard import Guard
from guard.verdict import Verdict

from . import annotation, errors, metrics
from .checks import Checker, CheckFailed, Checks
from .config import ServerConfig
from .door import Door, Visit
from .gateway import Gateway
from .schemas import BatchRequest, CheckRequest
from .upstream import Upstream


def create_app(
    config: ServerConfig, guard: Checks | None = None, on_load_error: Callable[[Exception], None] | None = None
) -> FastAPI:
    """Return the ASGI application.  ``guard`` may be injected; otherwise one is built from the configuration.

    Models load in the background once the application starts; ``on_load_error`` is told where they cannot.
    """
    counted = metrics.Metrics()
    checker = Checker(guard or Guard(config.guard_config()), config, counted)
    upstream = Upstream(config, counted)

    async def load() -> None:
        await checker.load()
        if checker.load_error is not None and on_load_error is not None:
            on_load_error(checker.load_error)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(load())
        yield
        loading.cancel()
        checker.close()
        await upstream.close()

    app = FastAPI(title="PassageGuard", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(errors.Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(Door, config=config, metrics=counted)
    _add_own_routes(app, config, checker, counted)
    app.mount("/v1", Gateway(config, checker, upstream))
    return app


def _add_own_routes(app: FastAPI, config: ServerConfig, checker: Checker, counted: metrics.Metrics) -> None:
    async def verdict_of(asked: CheckRequest, where: str) -> Verdict:
        policy = asked.policy.policy(config, f"{where}policy")
        try:
            return await checker.check(asked.evidence(), asked.question, policy)
        except InputError as error:
            raise errors.Refusal(400, "invalid_value", str(error), param=f"{where}passages") from error
        except CheckFailed as error:
            raise errors.busy("check_failed", str(error)) from error

    @app.post("/v1/passageguard/check")
    async def check(asked: CheckRequest, request: Request) -> Response:
        """Check passages against each other.  The answer is the verdict (schema: guard/verdict.schema.json)."""
        visit: Visit = request.state.visit
        visit.route, visit.facts["passages"] = "check", len(asked.passages)
        verdict = await verdict_of(asked, "")
        visit.verdict, visit.conflicts = annotation.headline(verdict), len(verdict.conflicts)
        return JSONResponse(verdict.to_dict())

    @app.post("/v1/passageguard/check/batch")
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

    @app.get("/healthz")
    async def healthz() -> Response:
        """Say that the server runs."""
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> Response:
        """Say whether the models are loaded."""
        if checker.is_ready:
            return PlainTextResponse("ready\n")
        state = "models could not be loaded; see the log" if checker.load_error else "models are being loaded"
        return PlainTextResponse(f"{state}\n", 503, {"retry-after": "1"})

    @app.get("/metrics")
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
