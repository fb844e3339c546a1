"""What the answers of the own API look like, for the OpenAPI document at ``/openapi.json``.

Knows nothing about how they come about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import guard

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
