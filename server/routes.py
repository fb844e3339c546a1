"""Which paths of which upstream answer with passages: presets, and the tables ``[[routes]]`` of the configuration.

A route stands in front of one retriever: the answers of its endpoints are checked, everything else under its mount
passes through.  Knows nothing about how an answer is fetched or checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from detectors.errors import ConfigError

from . import paths
from .paths import EVERY, JsonPath
from .shapes import PathShape, Rerank, Shape

KEYS = ("match", "upstream", "preset", "mount", "passages", "fields", "write", "query", "columns")
FIELDS = ("text", "id", "score", "metadata")
METHODS = ("GET", "POST", "PUT")
MATCH = re.compile(rf"(?P<methods>(?:{'|'.join(METHODS)})(?:\|(?:{'|'.join(METHODS)}))*) (?P<path>/\S*)")
MOUNT = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path whose answers hold passages.  ``kind`` names it in metrics."""

    methods: frozenset[str]
    path: re.Pattern[str]
    shape: Shape
    kind: str = "retrieval"

    def takes(self, method: str, path: str) -> bool:
        return method in self.methods and self.path.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class Route:
    """A retriever.  ``mount`` is what stands before its own paths, and empty for all paths."""

    mount: str
    upstream: str
    endpoints: tuple[Endpoint, ...]


def endpoint(match: object, shape: Shape, kind: str = "retrieval") -> Endpoint:
    """Return the endpoint for ``POST /{index}/_search``; ``{…}`` is one segment.  Raises `ConfigError`."""
    found = MATCH.fullmatch(match) if isinstance(match, str) else None
    if found is None:
        raise ConfigError(f"{match!r} is no method and path; write POST /{{index}}/_search")
    parts = re.split(r"\{[^{}/]*\}", found["path"])
    return Endpoint(
        frozenset(found["methods"].split("|")), re.compile("[^/]+".join(map(re.escape, parts))), shape, kind
    )


def _each(*texts: str) -> tuple[JsonPath, ...]:
    return tuple(map(paths.parse, texts))


def _lucene(passages: str) -> PathShape:
    return PathShape(
        paths.parse(passages), _each("_source.text", "_source.content", "_source.page_content", "_source.body"),
        _each("_id"), _each("_score"), _each("_source.metadata", "_source"), paths.parse("_source.passageguard"),
        _each(
            "$.query.multi_match.query", "$.query.query_string.query", "$.query.simple_query_string.query",
            "$.query.match.*.query", "$.query.match.*", "$.query.bool.must[*].match.*",
        ),
    )  # fmt: skip


def _qdrant(passages: str) -> PathShape:
    return PathShape(
        paths.parse(passages),
        _each("payload.text", "payload.page_content", "payload.document", "payload.content"), _each("id"),
        _each("score"), _each("payload.metadata", "payload"), paths.parse("payload.passageguard"),
        _each("$.query.text", "$.query.nearest.text"),
    )  # fmt: skip


SEARCH = (("GET|POST /_search", "$.hits.hits[*]"), ("GET|POST /{index}/_search", "$.hits.hits[*]"),
          ("GET|POST /_msearch", "$.responses[*].hits.hits[*]"),
          ("GET|POST /{index}/_msearch", "$.responses[*].hits.hits[*]"))  # fmt: skip
POINTS = (("search", "[*]"), ("search/batch", "[*][*]"), ("search/groups", ".groups[*].hits[*]"),
          ("query", ".points[*]"), ("query/batch", "[*].points[*]"), ("query/groups", ".groups[*].hits[*]"),
          ("recommend", "[*]"))  # fmt: skip
CHROMA = PathShape(
    paths.parse("$.ids[*][*]"), _each("$.documents[*][*]"), _each("$.ids[*][*]"), _each("$.distances[*][*]"),
    _each("$.metadatas[*][*]"), paths.parse("$.metadatas[*][*].passageguard"),
    columns=_each(*(f"$.{name}[*][*]" for name in ("documents", "metadatas", "distances", "embeddings", "uris"))),
)  # fmt: skip
DIFY = PathShape(
    paths.parse("$.records[*]"), _each("content"), _each("metadata.document_id", "metadata.id"), _each("score"),
    _each("metadata"), paths.parse("content"), _each("$.query"), keeps_all=True,
)  # fmt: skip
VECTOR_STORE = PathShape(
    paths.parse("$.data[*]"), _each("content[*].text"), _each("file_id"), _each("score"), _each("attributes"),
    paths.parse("content[0].text"), _each("$.query"),
)  # fmt: skip

PRESETS: dict[str, tuple[Endpoint, ...]] = {
    "elasticsearch": tuple(endpoint(m, _lucene(p)) for m, p in SEARCH),
    "opensearch": tuple(endpoint(m, _lucene(p)) for m, p in SEARCH),
    "qdrant": tuple(endpoint(f"POST /collections/{{name}}/points/{m}", _qdrant(f"$.result{p}")) for m, p in POINTS),
    "chroma": tuple(
        endpoint(f"POST {prefix}/collections/{{id}}/query", CHROMA)
        for prefix in ("/api/v1", "/api/v2/tenants/{tenant}/databases/{database}")
    ),
    "rerank": tuple(endpoint(f"POST {v}/rerank", Rerank(), "rerank") for v in ("", "/v1", "/v2")),
    "dify": (endpoint("POST /retrieval", DIFY),),
    "vector_store": (endpoint("POST /v1/vector_stores/{id}/search", VECTOR_STORE),),
}
GATEWAY = (*PRESETS["rerank"], *PRESETS["dify"], *PRESETS["vector_store"])
"""What an OpenAI-compatible upstream answers with passages, beside chats."""


def parse(table: object) -> Route:
    """Return the route that a table of the configuration stands for.  Raises `ConfigError` naming the key.

    >>> parse({"preset": "qdrant", "upstream": "http://localhost:6333"}).endpoints[0].takes(
    ...     "POST", "/collections/faq/points/search")
    True
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f" must be a table, not {table!r}")
    for key in table:
        _require_key(key, KEYS)
    upstream, mount = table.get("upstream"), table.get("mount", "/")
    if not isinstance(upstream, str):
        raise ConfigError(".upstream must be an address such as http://localhost:9200")
    mount = mount.rstrip("/") if isinstance(mount, str) else None
    if mount is None or not MOUNT.fullmatch(mount):
        raise ConfigError(f".mount is {table['mount']!r}; write a path such as / or /search")
    return Route(mount, upstream, tuple(_of_preset(table) if "preset" in table else _of_paths(table)))


def _of_preset(table: Mapping[str, Any]) -> list[Endpoint]:
    name = table["preset"]
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError(f".preset is {name!r}; choose from {', '.join(PRESETS)}")
    for key in ("match", "passages", "columns"):
        if key in table:
            raise ConfigError(f".{key} comes with the preset; leave out one of the two")
    changed = _changes(table)
    if not changed:
        return list(PRESETS[name])
    if name == "rerank":
        raise ConfigError(f".preset rerank has no {next(iter(changed))} to set: its passages are in the request")
    shapes = [(e, e.shape) for e in PRESETS[name]]
    return [replace(e, shape=replace(shape, **changed)) for e, shape in shapes if isinstance(shape, PathShape)]


def _of_paths(table: Mapping[str, Any]) -> list[Endpoint]:
    for key in ("match", "passages"):
        if key not in table:
            raise ConfigError(f".{key} is missing; or name a preset: {', '.join(PRESETS)}")
    passages = _at(".passages", paths.parse, table["passages"])
    if not passages.is_absolute or passages.steps[-1:] != (EVERY,):
        raise ConfigError(f".passages is {passages.text!r}; it must begin with $ and end in [*]: $.hits[*]")
    changed = _changes(table)
    if "text" not in changed:
        raise ConfigError(".fields.text is missing: where a hit's text is")
    columns = _paths(".columns", table.get("columns", []))
    shape = PathShape(passages, changed.pop("text"), columns=columns, **changed)
    matches = table["match"] if isinstance(table["match"], list) else [table["match"]]
    return [_at(".match", lambda m: endpoint(m, shape), m) for m in matches]


def _changes(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table says of a shape's paths."""
    fields = table.get("fields", {})
    if not isinstance(fields, Mapping):
        raise ConfigError(f'.fields must be a table such as {{text = "body"}}, not {fields!r}')
    for key in fields:
        _require_key(key, FIELDS, ".fields")
    changed: dict[str, Any] = {key: _paths(f".fields.{key}", value) for key, value in fields.items()}
    if "query" in table:
        changed["query"] = _paths(".query", table["query"])
    if "write" in table:
        changed["write"] = _at(".write", paths.parse, table["write"])
    return changed


def _paths(key: str, value: object) -> tuple[JsonPath, ...]:
    return tuple(_at(key, paths.parse, text) for text in (value if isinstance(value, list) else [value]))


def _at(key: str, parsed: Callable[[Any], Any], value: object) -> Any:
    try:
        return parsed(value)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error


def _require_key(key: str, known: tuple[str, ...], where: str = "") -> None:
    if key not in known:
        close = get_close_matches(key, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)}"
        raise ConfigError(f"{where}.{key}: no such key; {hint}")
