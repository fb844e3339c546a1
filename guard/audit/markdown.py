"""Markdown and plain text to blocks; headings and fences as `detectors.blocks` sees them inside a passage.

Front matter (``--- key: value ---`` at the very start) is metadata.  Knows nothing about files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from detectors.blocks import BULLET, FENCE, FRONT_LINE, HEADING, ORDINAL, QUOTE, SEPARATOR, UNDERLINE

from .passages import TRUST_KEYS, Block, Line

KEY = re.compile(r"([\w.-]+):(?:\s+(.*))?$")
COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")


def blocks(lines: Iterable[Line]) -> Iterator[Block]:
    """Yield headings (``#`` or underlined), fenced code, tables, and prose cut at blank lines."""
    prose: list[Line] = []
    fence = ""
    for line in lines:
        text = line[1]
        mark = FENCE.match(text)
        if fence:
            prose.append(line)
            if mark and mark.group(1).startswith(fence) and not text[mark.end() :].strip():
                yield Block("code", tuple(prose))
                prose, fence = [], ""
        elif mark:
            yield from _close(prose)
            prose, fence = [line], mark.group(1)
        elif not text.strip():
            yield from _close(prose)
            prose = []
        elif heading := HEADING.match(text):
            yield from _close(prose)
            title = re.sub(r"\s#+$", "", text[heading.end() :].rstrip()).strip()
            yield Block("heading", (line,), len(heading.group(1)), title)
            prose = []
        elif len(prose) == 1 and UNDERLINE.match(text) and _is_plain(prose[0][1]):
            yield Block("heading", (prose[0], line), 1 if "=" in text else 2, prose[0][1].strip())
            prose = []
        else:
            prose.append(line)
    if fence:
        yield Block("code", tuple(prose))
    else:
        yield from _close(prose)


def numbered(text: str, first: int = 1) -> list[Line]:
    """Return the lines of a text with their numbers."""
    return list(enumerate(text.split("\n"), first))


def front_matter(lines: Sequence[Line]) -> tuple[dict[str, Any], int]:
    """Return the metadata and how many lines it takes; ({}, 0) without a closed front matter.

    >>> front_matter(numbered("---\\ndate: 2024-05-01\\nauthority: 0.9\\nsupersedes: [a.md, b.md]\\n---\\nText."))
    ({'date': '2024-05-01', 'authority': 0.9, 'supersedes': ['a.md', 'b.md']}, 5)
    """
    if not lines or lines[0][1].rstrip() != "---":
        return {}, 0
    inside: list[str] = []
    for _, text in lines[1:]:
        if text.rstrip() in ("---", "..."):
            return (_metadata(inside), len(inside) + 2) if inside else ({}, 0)
        if text.strip() and not text.startswith("#") and not FRONT_LINE.match(text):
            break
        inside.append(text)
    return {}, 0


def metadata_value(key: str, value: str) -> Any:
    """Return the value as `guard.trust` expects it: an authority is a number where it can be one."""
    value = value.strip()
    if key == "authority":
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _close(prose: Sequence[Line]) -> Iterator[Block]:
    if prose:
        first = prose[0][1].strip()
        is_table = first.startswith("|") or (len(prose) > 1 and "|" in first and SEPARATOR.match(prose[1][1]))
        kind: Literal["table", "prose"] = "table" if is_table else "prose"
        yield Block(kind, tuple(prose))


def _is_plain(text: str) -> bool:
    item = BULLET.match(text) or ORDINAL.match(text) or QUOTE.match(text)
    return not item and not text.strip().startswith("|") and text.count("|") < 2 and text.count("\t") < 2


def _metadata(lines: Iterable[str]) -> dict[str, Any]:
    """Read the flat part of YAML: scalars and lists of scalars; what is nested is kept as its text."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        match = KEY.match(line)
        if match:
            key = match.group(1).lower() if match.group(1).lower() in TRUST_KEYS else match.group(1)
            found[key] = [match.group(2) or ""]
        elif key and line.strip():
            found[key].append(line.strip())
    return {key: _value(key, *parts) for key, parts in found.items()}


def _value(key: str, inline: str, *below: str) -> Any:
    inline = _scalar(inline)
    if below and all(line.startswith("- ") for line in below):
        return [_scalar(line[2:]) for line in below]
    if inline.startswith("[") and inline.endswith("]"):
        return [_scalar(part) for part in inline[1:-1].split(",") if part.strip()]
    return metadata_value(key, " ".join([inline.strip("|>") if below else inline, *below]))


def _scalar(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        return value[1:-1]
    return COMMENT.sub("", value).rstrip()
