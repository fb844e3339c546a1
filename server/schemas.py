"""The bodies that clients send to us, and what a request may ask for.  Unknown fields are refused by name.

Knows nothing about how a check is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from detectors.evidence import ConflictType, Passage
from guard import Action, Policy

from .config import ServerConfig
from .errors import Refusal, field_name
from .extractors import FIELD

MAX_BATCH = 100
# these may stand in headers, too: X-Passageguard-On-Conflict
OPTIONS = ("on_conflict", "by_type", "include_verdict", "include_trace")
OURS = "x-passageguard-"
Model = TypeVar("Model", bound=BaseModel)


def _or_text(schema: dict[str, Any]) -> None:
    """Say in the schema that a string will do."""
    described = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, described]


class PassageIn(BaseModel):
    """A passage: a string, or an object; fields other than these join ``metadata``."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_or_text)

    text: str
    id: Annotated[str, Field(min_length=1)] | None = None
    metadata: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    def passage(self, position: int) -> Passage:
        """Return it as evidence; without an id of its own it is named by its position, from 1."""
        return Passage(self.id or str(position), self.text, {**(self.model_extra or {}), **self.metadata})


class PolicyIn(BaseModel):
    """Another policy for one request, as far as the server's configuration allows."""

    model_config = ConfigDict(extra="forbid")

    on_conflict: Action | None = None
    by_type: dict[ConflictType, Action] = {}

    def policy(self, config: ServerConfig, where: str) -> Policy | None:
        """Return the policy asked for, or None where none is.  Raises `Refusal` for an action that is not allowed."""
        asked = {"on_conflict": self.on_conflict, **{f"by_type.{t}": a for t, a in self.by_type.items()}}
        for name, action in asked.items():
            if action is not None and action not in config.allow_on_conflict:
                allowed = ", ".join(config.allow_on_conflict) or "none"
                message = f"{where}.{name}: {action.value} may not be asked for; this server allows: {allowed}"
                raise Refusal(400, "not_allowed", message, param=f"{where}.{name}")
        if self.on_conflict is None and not self.by_type:
            return None
        if self.on_conflict is not None:
            return Policy(self.on_conflict, self.by_type)
        return Policy(config.policy.action, {**config.policy.by_type, **self.by_type})


class CheckRequest(BaseModel):
    """What ``POST /v1/passageguard/check`` takes."""

    model_config = ConfigDict(extra="forbid")

    passages: Annotated[list[PassageIn], Field(min_length=1)]
    question: str | None = None
    policy: PolicyIn = PolicyIn()

    def evidence(self) -> list[Passage]:
        return [p.passage(i) for i, p in enumerate(self.passages, 1)]


class BatchRequest(BaseModel):
    """What ``POST /v1/passageguard/check/batch`` takes."""

    model_config = ConfigDict(extra="forbid")

    requests: Annotated[list[CheckRequest], Field(min_length=1, max_length=MAX_BATCH)]


class ChatOptions(PolicyIn):
    """The field ``passageguard`` of a chat request."""

    include_verdict: bool = False
    include_trace: bool = False


def chat_options(value: Any) -> ChatOptions:
    """Return the options.  Raises `Refusal` naming the field at fault."""
    return parsed(ChatOptions, value, (FIELD,))


def parsed(model: type[Model], value: Any, inside: tuple[str, ...] = ()) -> Model:
    """Return a value as the model; ``inside`` is the path to it.  Raises `Refusal` naming the field at fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        name = field_name((*inside, *first["loc"]))
        raise Refusal(400, "invalid_value", f"{name}: {first['msg']}", param=name) from error


def request_options(headers: Mapping[str, str], value: Any) -> ChatOptions:
    """Return what a request asks for in its field, and for what that leaves open in its headers.  Raises `Refusal`."""
    said = {name: headers[header] for name in OPTIONS if (header := f"{OURS}{name.replace('_', '-')}") in headers}
    if not said or not (value is None or isinstance(value, dict)):
        return chat_options(value or {})
    pairs = [pair.partition("=") for pair in said.get("by_type", "").split(",") if pair.strip()]
    by_type = {"by_type": {name.strip(): action.strip() for name, _, action in pairs}} if pairs else {}
    return chat_options({**said, **by_type, **(value or {})})


def json_object(body: bytes) -> dict[str, Any]:
    """Return a body as a JSON object.  Raises `Refusal`; no message repeats the body."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise Refusal(400, "invalid_json", f"the body is not JSON: {error.msg} at {error.pos}") from error
    except RecursionError as error:
        raise Refusal(400, "invalid_json", "the body is nested too deeply") from error
    except ValueError as error:  # not Unicode, NaN, a number of thousands of digits
        raise Refusal(400, "invalid_json", "the body is not JSON in UTF-8 with finite numbers") from error
    if not isinstance(value, dict):
        raise Refusal(400, "invalid_json", "the body must be a JSON object")
    return value


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Return the object as JSON, in ASCII, so that nothing in it is lost."""
    return json.dumps(value, separators=(",", ":")).encode()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
