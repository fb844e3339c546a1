"""JSON and JSON Lines to entries, each with the line where it begins, and entries to text.

Knows nothing about files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from detectors.errors import InputError

from .limits import MAX_PASSAGES, require
from .passages import line_numbers

TEXT_KEYS = ("text", "content", "page_content", "body")
MAX_NAME = 200  # characters: what is shown of the name of a field
GAP = re.compile(r"[\s,:]*")
SURROGATE = re.compile(r"\\u[dD][89abcdefABCDEF]")

Entry = tuple[int, Any]
"""The line where an entry begins, from 1, and the entry."""


def records(text: str, name: str) -> list[Any]:
    """Return the entries of a JSON document (a list, or an object with "passages") or of JSON Lines.

    Raises `InputError` naming the line of what is broken.
    """
    return [entry for _, entry in located(text, name)]


def located(text: str, name: str) -> list[Entry]:
    """`records`, each with the line where it begins."""
    if not text.strip():
        raise InputError(f"{name}: empty; give passages as JSON or JSON Lines")
    try:
        whole = load(text, name)
    except json.JSONDecodeError as error:
        if not _is_lines(text, name):
            raise InputError(
                f"{name}: not valid JSON: {fault(error)} at line {error.lineno}, column {error.colno}"
            ) from error
        return [(n, _line(line, n, name)) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if isinstance(whole, dict) and isinstance(whole.get("passages"), list):
        require(len(whole["passages"]), MAX_PASSAGES, "entries", name)
        return _with_lines(text, whole["passages"], _passages_start(text))
    if isinstance(whole, list):
        require(len(whole), MAX_PASSAGES, "entries", name)
        return _with_lines(text, whole, text.index("["))
    return [(line_numbers(text, [len(text) - len(text.lstrip())])[0], whole)]


def load(text: str, name: str) -> Any:
    """`json.loads`, but every failure other than a syntax error is an `InputError`."""
    try:
        value = json.loads(text, parse_constant=lambda word: _no_constant(word, name))
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise InputError(f"{name}: JSON nested too deeply; make it flatter") from error
    except ValueError as error:  # Python refuses to read integers over 4,300 digits
        raise InputError(f"{name}: an integer with too many digits; write it as a string") from error
    if SURROGATE.search(text):
        refuse_surrogates(value, name)
    return value


def refuse_surrogates(value: Any, name: str) -> None:
    """Raise `InputError` for half of a surrogate pair, which no UTF-8 text can hold."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise InputError(
            f"{name}: {half} is a lone surrogate, half of a character; remove it or write the whole pair"
        ) from error


def fields(value: Any) -> Iterator[str]:
    """Yield ``name: value`` for every scalar of a nested value, names joined by spaces.

    >>> list(fields({"hub": {"price": 5, "colours": ["red", "grey"]}, "sold": True}))
    ['hub price: 5', 'hub colours: red', 'hub colours: grey', 'sold: true']
    """
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        prefix, inner = todo.pop()
        if isinstance(inner, Mapping):
            todo.extend((f"{prefix} {key}".strip()[:MAX_NAME], each) for key, each in reversed(list(inner.items())))
        elif isinstance(inner, list):
            todo.extend((prefix, each) for each in reversed(inner))
        else:
            said = inner if isinstance(inner, str) else json.dumps(inner)
            yield " ".join(f"{prefix}: {said}".split()) if prefix else said


def _line(line: str, number: int, name: str) -> Any:
    try:
        return load(line, f"{name}: line {number}")
    except json.JSONDecodeError as error:
        raise InputError(f"{name}: line {number} is not valid JSON: {fault(error)} at column {error.colno}") from error


def fault(error: json.JSONDecodeError) -> str:
    """Return what is wrong, without the "at" in which some of Python's messages end."""
    return re.sub(r"(?: starting)? at$", "", error.msg)


def _is_lines(text: str, name: str) -> bool:
    """Whether broken JSON was meant as JSON Lines: by its name, or as the first of several lines is whole."""
    if name.lower().endswith(".jsonl"):
        return True
    first, _, rest = text.strip().partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return bool(rest.strip())


def _no_constant(word: str, name: str) -> Any:
    raise InputError(f"{name}: {word} is no JSON value; use null or a string")


def _with_lines(text: str, entries: list[Any], start: int) -> list[Entry]:
    return list(zip(line_numbers(text, _starts(text, start)), entries, strict=True))


def _starts(text: str, at: int) -> Iterator[int]:
    """Yield the offset of each entry of the (valid) array that opens at ``at``."""
    decode = json.JSONDecoder().raw_decode
    at = _after_gap(text, at + 1)
    while text[at] != "]":
        yield at
        at = _after_gap(text, decode(text, at)[1])


def _passages_start(text: str) -> int:
    """Return the offset of the array "passages" of a (valid) object, the last one as in `json.loads`."""
    decode = json.JSONDecoder().raw_decode
    at, found = text.index("{") + 1, 0
    while text[at := _after_gap(text, at)] != "}":
        key, at = decode(text, at)
        at = _after_gap(text, at)
        found = at if key == "passages" else found
        at = decode(text, at)[1]
    return found


def _after_gap(text: str, at: int) -> int:
    gap = GAP.match(text, at)
    return gap.end() if gap else at
