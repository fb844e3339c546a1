"""Blocks of a document to passages: what belongs together under one heading, with every line's place in the file.

A reader yields `Block`s; `cut` makes a `Document` of them.  A block of ordinary size is never cut; an enormous
one is cut at line or sentence ends, a table with its header repeated, code with its fence.
Knows nothing about file formats.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from detectors.evidence import Passage

from .limits import MAX_PASSAGES, require

if TYPE_CHECKING:
    from .suppressions import Suppression

PASSAGE_CHARS = 1200  # a passage ends before the block that would take it beyond this
MAX_CHARS = 4 * PASSAGE_CHARS  # a longer block is cut
HEADING_CHARS = 200  # what a heading path shows of one heading
TRUST_KEYS = ("date", "effective_date", "supersedes", "authority", "source", "title")
MAX_KEYS = 100  # of metadata that every passage of a file carries, beside the trust keys and its own id

Line = tuple[int | None, str]
"""A line of text and the line of the file where it stands, from 1; None where a format has no lines."""

SENTENCE_END = re.compile(r"[.!?][\"')\]»”]*\s")
SPACE = re.compile(r"\s")
NEW_ITEM = re.compile(r"\s*(?:[-*+•|>]|\d+[.)])")
FENCE = re.compile(r"`{3,}|~{3,}")
TABLE_RULE = re.compile(r"(?=.*-)[\s|:+=\-]+$")


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines that belong together.  ``title`` and ``level`` (from 0) are those of a heading."""

    kind: Literal["heading", "prose", "table", "code"]
    lines: tuple[Line, ...]
    level: int = 0
    title: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read; ``path`` as the user would write it.

    ``lines`` maps a passage id to the file line of each line of its text (None: unknown).  ``warnings`` name
    what could not be used, such as a page without text.  ``suppressions`` are comments that let findings stand.
    """

    path: str
    passages: tuple[Passage, ...]
    lines: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    suppressions: tuple[Suppression, ...] = ()

    def line_of(self, passage: Passage, start: int) -> int | None:
        """Return the file line at offset ``start`` of a passage, or None where the format has no lines."""
        lines = self.lines.get(passage.id, ())
        at = passage.text.count("\n", 0, start)
        return lines[at] if at < len(lines) and lines[at] else passage.metadata.get("line")


def cut(blocks: Iterable[Block], path: str, metadata: Mapping[str, Any], warnings: Iterable[str] = ()) -> Document:
    """Return the passages ``path#1``, ``path#2``, …; headings without text between them stay together."""
    found: list[Passage] = []
    lines: dict[str, tuple[int | None, ...]] = {}
    headings: dict[int, str] = {}
    parts: list[Block] = []
    size = 0

    def flush() -> None:
        nonlocal parts, size
        if parts:
            require(len(found) + 1, MAX_PASSAGES, "passages", path)
            heading = " › ".join(headings[k] for k in sorted(headings))
            where = {k: v for k, v in (("heading", heading), ("page", parts[0].page)) if v}
            passage, lines_of_it = join(f"{path}#{len(found) + 1}", parts, path, metadata, where)
            found.append(passage)
            lines[passage.id] = lines_of_it
        parts, size = [], 0

    for block in chain.from_iterable(map(pieces, blocks)):
        length = sum(len(text) for _, text in block.lines)
        has_text = bool(parts) and parts[-1].kind != "heading"
        if block.kind == "heading":
            if has_text or size > MAX_CHARS:
                flush()
            headings = {k: v for k, v in headings.items() if k < block.level}
            headings[block.level] = block.title[:HEADING_CHARS]
        elif has_text and (size + length > PASSAGE_CHARS or block.page != parts[0].page):
            flush()
        parts.append(block)
        size += length
    flush()
    return Document(path, tuple(found), lines, tuple(warnings))


def join(
    passage_id: str,
    blocks: Sequence[Block],
    path: str,
    metadata: Mapping[str, Any],
    where: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Passage, tuple[int | None, ...]]:
    """Return blocks as one passage, a blank line between them, and the file line of each line of its text.

    ``where`` (heading and page), ``path`` and ``line`` (the first line of the file that the passage holds, where known)
    join the metadata.
    """
    lines: list[Line] = []
    for block in blocks:
        lines += [(None, ""), *block.lines] if lines else block.lines
    first = next((line for line, text in lines if line is not None and text.strip()), None)
    own = {**where, "path": path} if first is None else {**where, "path": path, "line": first}
    if len(metadata) > MAX_KEYS:
        metadata = {k: metadata[k] for k in (*islice(metadata, MAX_KEYS), *TRUST_KEYS, "id") if k in metadata}
    passage = Passage(passage_id, "\n".join(text for _, text in lines), {**metadata, **own})
    return passage, tuple(line for line, _ in lines)


def pieces(block: Block) -> Iterator[Block]:
    """Yield the block, in pieces of about `PASSAGE_CHARS` where it is longer than `MAX_CHARS`."""
    if sum(len(text) + 1 for _, text in block.lines) <= MAX_CHARS:
        yield block
        return
    kind = "prose" if block.kind == "heading" else block.kind
    head, body, tail = _frame(block)
    for lines in _groups([piece for line in body for piece in _split(line)]):
        yield Block(kind, (*head, *lines, *tail), page=block.page)
        head = tuple((None, text) for _, text in head)


def _frame(block: Block) -> tuple[tuple[Line, ...], tuple[Line, ...], tuple[Line, ...]]:
    """Return (head, body, tail): head and tail are what every piece of a table or of code needs, if short."""
    lines = block.lines
    if block.kind == "code" and len(lines[0][1]) <= PASSAGE_CHARS:
        fence = "".join(FENCE.findall(lines[0][1])[:1])
        end = len(lines) - (len(lines) > 1 and lines[-1][1].strip().startswith(fence))
        return lines[:1], lines[1:end], ((None, fence),)
    head = 0
    if block.kind == "table" and all(len(text) <= PASSAGE_CHARS for _, text in lines[:2]):
        head = 2 if len(lines) > 1 and TABLE_RULE.match(lines[1][1]) else 1
    return lines[:head], lines[head:], ()


def _groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Group lines to about `PASSAGE_CHARS`, ending a group where a sentence or an item ends if one does."""
    group: list[Line] = []
    size = 0
    for number, (line, text) in enumerate(lines):
        group.append((line, text))
        size += len(text) + 1
        following = lines[number + 1][1] if number + 1 < len(lines) else ""
        ends = text.rstrip().endswith((".", "!", "?", ":", "|")) or NEW_ITEM.match(following) is not None
        if (ends and size >= PASSAGE_CHARS) or size + len(following) > MAX_CHARS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _split(line: Line) -> Iterator[Line]:
    """Cut an enormous line after a sentence, else at a space, else hard."""
    number, text = line
    start = 0
    while len(text) - start > PASSAGE_CHARS * 2:
        low, high = start + PASSAGE_CHARS, start + 2 * PASSAGE_CHARS
        match = SENTENCE_END.search(text, low, high) or SPACE.search(text, low, high)
        end = match.end() if match else high
        yield number, text[start:end]
        start = end
    yield number, text[start:]


def line_numbers(text: str, offsets: Iterable[int]) -> list[int]:
    """Return the line, from 1, of each offset.

    >>> line_numbers("one\\ntwo\\nthree", [0, 4, 9])
    [1, 2, 3]
    """
    ends = list(accumulate(len(line) + 1 for line in text.split("\n")))
    return [bisect_left(ends, offset + 1) + 1 for offset in offsets]
