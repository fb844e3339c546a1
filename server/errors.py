"""Refusals: what the server answers instead of a result, in OpenAI's error shape.

Knows nothing about how a request is handled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from detectors.errors import PassageGuardError

INVALID, SERVER, UPSTREAM = "invalid_request_error", "server_error", "upstream_error"


class Refusal(PassageGuardError):
    """An answer with an error status.  ``param`` names the field at fault; ``extra`` joins the error object."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.headers, self.extra = dict(headers or {}), dict(extra or {})

    def body(self) -> dict[str, Any]:
        """Return ``{"error": {"message", "type", "param", "code"}}``."""
        kind = INVALID if self.status < 500 else UPSTREAM if self.code.startswith("upstream") else SERVER
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code, **self.extra}
        return {"error": error}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), self.status, self.headers)


class ClientGone(PassageGuardError):
    """The client closed the connection before it had its answer."""


class BrokenAnswer(PassageGuardError):
    """The upstream broke off after its answer had begun, so that no other answer can be given."""


def wrong_method(path: str, allowed: Iterable[str]) -> Refusal:
    """Return the answer to a request by another method than those that a path takes."""
    taken = ", ".join(sorted(allowed))
    return Refusal(405, "method_not_allowed", f"{path} takes {taken}", headers={"allow": taken})


def busy(code: str, message: str, retry_after_s: int = 1) -> Refusal:
    """Return the 503 that asks the client to come back."""
    return Refusal(503, code, message, headers={"retry-after": str(retry_after_s)})


def from_validation(error: RequestValidationError) -> Refusal:
    """Return the first validation error, with its field named as in ``passages[0].text``; never its input."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Refusal(400, "invalid_json", f"the body is not JSON: {first['ctx']['error']}")
    param = field_name(first["loc"][1:])
    if not param:
        return Refusal(400, "invalid_value", "send a JSON object, with Content-Type: application/json")
    return Refusal(400, "invalid_value", f"{param}: {first['msg']}", param=param)


def from_http(error: HTTPException) -> Refusal:
    """Return the framework's own errors (no such path, wrong method) in our shape."""
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    return Refusal(error.status_code, code, str(error.detail), headers=error.headers)


def field_name(location: Sequence[int | str]) -> str:
    """Return a path as people write it.

    >>> field_name(("passages", 0, "text"))
    'passages[0].text'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
