"""A log of retrievals to questions with their passages, whatever wrote it: one JSON object a line.

A line holds a question and what was retrieved for it, and may hold the answer that was given.  Known are the names
that LangChain, LlamaIndex, Haystack, Ragas, OpenInference, Elasticsearch, Qdrant and Chroma give to these, also inside
``inputs``, ``outputs`` and the like.  The same question with the same passages is one question, asked several times.
Knows nothing about conflicts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from detectors.errors import InputError
from detectors.evidence import Passage

from . import records
from .limits import MAX_BYTES, require

QUESTION_KEYS = ("query", "question", "user_input", "input", "input.value", "prompt", "search_query", "q")
PASSAGE_KEYS = (
    "passages", "contexts", "retrieved_contexts", "retrieved_documents", "source_documents", "documents",
    "source_nodes", "retrieval.documents", "nodes", "chunks", "hits", "points", "results", "matches", "retrieved",
    "context",
)  # fmt: skip
ANSWER_KEYS = ("answer", "response", "output", "output.value", "result", "completion", "generated_answer")
WRAPPERS = ("inputs", "outputs", "input", "output", "attributes", "retrieval", "response", "result", "request", "data")
TEXT_KEYS = (*records.TEXT_KEYS, "document.content", "chunk_text", "chunk", "passage", "document", "snippet")
ID_KEYS = ("id", "_id", "id_", "node_id", "chunk_id", "document_id", "doc_id", "document.id")
METADATA_KEYS = ("metadata", "document.metadata", "meta")
INNER = ("node", "document", "_source", "payload", "entity")
MAX_DEPTH = 4
MAX_LINES = 1_000_000  # of a log
NEEDED = 'give {"query": "…", "passages": ["…"]}'


@dataclass(frozen=True, slots=True)
class Logged:
    """A question and what was retrieved for it, on one or more ``lines`` of the log, counted from 1.

    ``answers`` are those that were logged, one for each line that has one.  ``without_text`` counts passages that hold
    no text.
    """

    lines: tuple[int, ...]
    question: str
    passages: tuple[Passage, ...]
    id: str = ""
    answers: tuple[str, ...] = ()
    without_text: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """What was read; ``errors`` name the lines that could not be."""

    name: str
    questions: tuple[Logged, ...]
    errors: tuple[str, ...] = ()


def read(content: Iterable[bytes], name: str) -> Log:
    """Read the lines of a log, or a JSON document that lists the same objects.

    A line that cannot be read is an error that names its number, and the rest is read.  Raises `InputError` where no
    line can be.
    """
    questions: dict[tuple[str, tuple[tuple[str, str], ...]], Logged] = {}
    errors: list[str] = []
    for number, line in _lines(content, name):
        try:
            logged = _logged(_entry(line, f"{name}: line {number}"), number)
        except InputError as error:
            errors.append(str(error) if str(error).startswith(name) else f"{name}: line {number}: {error}")
            continue
        key = (logged.question, tuple((p.id, p.text) for p in logged.passages))
        known = questions.get(key)
        questions[key] = logged if known is None else replace(
            known, lines=(*known.lines, number), answers=(*known.answers, *logged.answers)
        )  # fmt: skip
    if not questions:
        more = f" (and {len(errors) - 1:,} more lines)" if errors[1:] else ""
        raise InputError(errors[0] + more if errors else f"{name}: empty; {NEEDED}, one a line")
    return Log(name, tuple(questions.values()), tuple(errors))


def _lines(content: Iterable[bytes], name: str) -> Iterator[tuple[int, bytes | Mapping[str, Any]]]:
    """Yield the lines that hold something; of one JSON document over several lines its entries."""
    lines = list(content)
    require(len(lines), MAX_LINES, "lines", name)
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    start = filled[0][1].strip() if filled else b""
    if start in (b"[", b"{") or (len(filled) == 1 and start.startswith(b"[")):
        try:
            text = b"".join(lines).decode("utf-8-sig")
            whole = records.load(text, name)
            yield from records.located(text, name) if isinstance(whole, list) else [(filled[0][0], whole)]
            return
        except (InputError, ValueError):
            pass  # the lines say what is wrong, and where
    yield from filled


def _entry(line: bytes | Mapping[str, Any], where: str) -> Mapping[str, Any]:
    entry: Any = line
    if isinstance(line, bytes):
        if len(line) > MAX_BYTES:
            raise InputError(f"longer than {MAX_BYTES // 1_000_000} MB")
        try:
            entry = records.load(line.decode("utf-8-sig").strip(), where)
        except UnicodeDecodeError as error:
            raise InputError(f"not valid UTF-8 at byte {error.start}") from error
        except json.JSONDecodeError as error:
            raise InputError(f"not valid JSON: {records.fault(error)} at column {error.colno}") from error
    if not isinstance(entry, Mapping):
        raise InputError(f"must be an object, not {type(entry).__name__}; {NEEDED}")
    return entry


def _logged(entry: Mapping[str, Any], number: int) -> Logged:
    question = next(filter(None, (_question(level) for level in _levels(entry))), "")
    if not question:
        raise InputError(f"no question in it; {NEEDED}")
    found = next(filter(None, (_retrieved(level) for level in _levels(entry))), None)
    if found is None:
        raise InputError(f"no passages in it; {NEEDED}")
    (items,) = found
    passages = _unique(filter(None, (_passage(item, at) for at, item in enumerate(items, 1))))
    answer = next(filter(None, (_first(level, ANSWER_KEYS) for level in _levels(entry))), "")
    named = next((str(entry[k]) for k in (*ID_KEYS, "query_id", "run_id", "trace_id") if _is_name(entry.get(k))), "")
    return Logged((number,), question, passages, named, (answer,) if answer else (), len(items) - len(passages))


def _levels(entry: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield the object and those inside it that may hold the question, the passages or the answer."""
    yield entry
    for key in WRAPPERS:
        inner = entry.get(key)
        if isinstance(inner, Mapping) and depth < MAX_DEPTH:
            yield from _levels(inner, depth + 1)


def _first(level: Mapping[str, Any], keys: Iterable[str]) -> str:
    return next((value.strip() for k in keys if isinstance(value := level.get(k), str) and value.strip()), "")


def _question(level: Mapping[str, Any]) -> str:
    """Return the question, of a chat the last one that a user asked."""
    messages = level.get("messages")
    asked = [m for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []
    said = [_first(m, ("content",)) for m in asked if m.get("role") in ("user", "human")]
    return _first(level, QUESTION_KEYS) or next(filter(None, reversed(said)), "")


def _retrieved(level: Mapping[str, Any]) -> tuple[list[Any]] | None:
    """Return what was retrieved, which may be nothing, or None where the object does not say."""
    for key in PASSAGE_KEYS:
        value, home = level.get(key), level
        if isinstance(value, Mapping):
            home = value
            value = next((home[k] for k in PASSAGE_KEYS if isinstance(home.get(k), list)), None)
        elif isinstance(value, str) and value.strip():
            value = [value]
        if isinstance(value, list):
            return (_columns(home, value[0]),) if value and isinstance(value[0], list) else (value,)
    return None


def _columns(level: Mapping[str, Any], texts: Sequence[Any]) -> list[Any]:
    """Return Chroma's lists, one of texts, one of ids, one of metadata, as passages."""
    ids, metadata = ([*_inside(level.get(k)), *[None] * len(texts)] for k in ("ids", "metadatas"))
    return [{"id": i, "text": t, "metadata": m} for i, t, m in zip(ids, texts, metadata, strict=False)]


def _inside(value: Any) -> Sequence[Any]:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], list) else ()


def _passage(item: Any, at: int) -> Passage | None:
    if isinstance(item, str):
        return Passage(str(at), item, {"path": f"passage {at}"}) if item.strip() else None
    if not isinstance(item, Mapping):
        return None
    levels = [item, *(inner for k in INNER if isinstance(inner := item.get(k), Mapping))]
    text = next((t for level in reversed(levels) if (t := _first(level, TEXT_KEYS))), "")
    if not text:
        return None
    named = next((str(level[k]) for level in levels for k in ID_KEYS if _is_name(level.get(k))), "")
    metadata: dict[str, Any] = {}
    for level in levels:
        metadata |= {k: v for k, v in level.items() if k not in (*TEXT_KEYS, *ID_KEYS, *METADATA_KEYS, *INNER)}
        for key in METADATA_KEYS:
            metadata |= level[key] if isinstance(level.get(key), Mapping) else {}
    path = next((v for k in ("path", "source", "file_name", "file_path") if _is_name(v := metadata.get(k))), named)
    return Passage(named or str(at), text, {**metadata, "id": named or str(at), "path": str(path or f"passage {at}")})


def _is_name(value: Any) -> bool:
    return bool(value) and isinstance(value, (str, int)) and not isinstance(value, bool)


def _unique(passages: Iterable[Passage]) -> tuple[Passage, ...]:
    """Return the passages with ids that differ: the chunks of one document often share its id."""
    found: dict[str, Passage] = {}
    for passage in passages:
        own, n = passage.id, 1
        while own in found:
            n += 1
            own = f"{passage.id} ({n})"
        found[own] = replace(passage, id=own)
    return tuple(found.values())
