"""What the answers of the own API look like, for the OpenAPI document at ``/openapi.json``.

Knows nothing about how they come about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import guard

from .completions import Asked
from .extractors import FIELD
from .schemas import ChatOptions

CHATS, MODEL_LIST = "/v1/chat/completions", "/v1/models"
Schema = Mapping[str, Any]
Responses = dict[int | str, dict[str, Any]]

TEXT: Schema = {"type": "string"}
COUNTS: Schema = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}


def record(**fields: Schema) -> Schema:
    """Return the schema of an object with just these fields."""
    return {"type": "object", "additionalProperties": False, "required": [*fields], "properties": fields}


def optional(*kinds: str) -> Schema:
    return {"type": [*kinds, "null"]}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return the schema with its definitions in their places: references would point into the whole document."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    return {k: _inlined(v, definitions) for k, v in schema.items() if k not in ("$defs", "$id", "$schema")}


def _verdict() -> Schema:
    schema = json.loads((Path(guard.__file__).parent / "verdict.schema.json").read_text(encoding="utf-8"))
    inlined: Schema = _inlined(schema, schema["$defs"])
    return inlined


VERDICT = _verdict()
ERROR = record(
    error={
        "type": "object",
        "required": ["message", "type", "param", "code"],
        "properties": {"message": TEXT, "type": TEXT, "param": optional("string"), "code": TEXT},
    }
)
BATCH = record(results=array({"oneOf": [record(verdict=VERDICT), ERROR]}))
STATS = record(
    uptime_s={"type": "number"},
    requests=array(record(route=TEXT, status={"type": "integer"}, count={"type": "integer"})),
    verdicts=COUNTS, conflicts=COUNTS, check_failures=COUNTS, upstream_errors=COUNTS,
    recent=array(
        record(
            route=TEXT, status={"type": "integer"}, verdict=optional("string"), conflicts={"type": "integer"},
            passages=optional("integer"), seconds={"type": "number"},
        )
    ),
)  # fmt: skip
COUNT: Schema = {"type": "integer", "minimum": 0}
TOKENS = record(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT)
MESSAGE = record(role={"const": "assistant"}, content=TEXT, refusal={"type": "null"})
CHOICE = record(
    index={"type": "integer"}, message=MESSAGE, logprobs={"type": "null"}, finish_reason={"enum": ["stop", "length"]}
)
COMPLETION: Schema = {
    "type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
        "id": TEXT, "object": {"const": "chat.completion"}, "created": {"type": "integer"}, "model": TEXT,
        "choices": array(CHOICE), "usage": TOKENS, "passageguard": {"type": "object"},
    },
}  # fmt: skip
MODEL = record(id=TEXT, object={"const": "model"}, created={"type": "integer"}, owned_by=TEXT)
MODELS = record(object={"const": "list"}, data=array(MODEL))
PART = {"type": "object", "required": ["type", "text"], "properties": {"type": {"const": "text"}, "text": TEXT}}
ASKED_MESSAGE: Schema = {
    "type": "object", "required": ["role", "content"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
        "content": {"oneOf": [TEXT, array(PART)]},
    },
}  # fmt: skip
GUARDRAIL: Schema = {
    "type": "object", "additionalProperties": False, "required": ["action"],
    "properties": {
        "action": {"enum": ["NONE", "BLOCKED", "GUARDRAIL_INTERVENED"]}, "blocked_reason": TEXT, "texts": array(TEXT),
    },
}  # fmt: skip


def answers(schema: Schema, description: str) -> Responses:
    """Return what a route answers: this, or an error."""
    error = {"description": "An error, with its code.", "content": {"application/json": {"schema": ERROR}}}
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}, "default": error}


def with_chats(document: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return the document with the paths of the local model, where nobody else answers them."""
    own = _inlined((schema := Asked.model_json_schema()), schema.get("$defs", {}))
    options = _inlined((schema := ChatOptions.model_json_schema()), schema.get("$defs", {}))
    messages = {"type": "array", "minItems": 1, "items": ASKED_MESSAGE}
    fields = {**own["properties"], "model": {"const": model}, "messages": messages, FIELD: options}
    body = {"type": "object", "required": ["model", "messages"], "properties": fields}
    chats = answers(COMPLETION, "The answer; a stream of events where asked for.")
    chats[200]["content"]["text/event-stream"] = {"schema": TEXT}
    described = {
        CHATS: {"post": _operation("Answer from the passages of the request.", chats, body)},
        MODEL_LIST: {"get": _operation("List the model.", answers(MODELS, "The list."))},
    }
    return {**document, "paths": {**document["paths"], **described}}


def _operation(description: str, responses: Responses, body: Schema | None = None) -> dict[str, Any]:
    asked = {} if body is None else {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}}
    }  # fmt: skip
    return {
        "summary": description.rstrip("."), "description": description, **asked,
        "responses": {str(status): response for status, response in responses.items()},
    }  # fmt: skip
