"""HTML to blocks, read as a stream of tags: no tree is built, so depth costs nothing and every text has its line.

Headings, list items, table rows and paragraphs never run together; ``script``, ``style``, ``template``,
``noscript`` and ``nav`` are left out.  A table that holds headings or tables is taken for page layout.
Knows nothing about files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from .markdown import metadata_value
from .passages import TRUST_KEYS, Block, Line
from .tables import table_blocks
from .tags import Tag, tags

SKIPPED = frozenset(("script", "style", "template", "noscript", "nav"))
NEVER_SHOWN = frozenset(("script", "style"))
HEADINGS = {f"h{n}": n for n in range(1, 7)}
BREAKING = frozenset(
    "address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form frame head header hr html iframe legend li main menu ol optgroup option p pre section select "
    "summary table tbody textarea tfoot thead ul video".split()
)
INVISIBLE = re.compile("[\u00ad\u200b\u200c\u2060\ufeff]")


def blocks(text: str) -> tuple[list[Block], dict[str, Any]]:
    """Return the blocks, and the title and the trust keys of the page's ``meta`` elements."""
    reader = _read(text, SKIPPED)
    if reader.skipping:  # an element that is never closed must not swallow the rest of the page
        reader = _read(text, NEVER_SHOWN)
    return reader.blocks, reader.metadata


def _read(text: str, skipped: frozenset[str]) -> _Reader:
    reader = _Reader(skipped)
    for tag in tags(text):
        reader.take(tag)
    reader.finish()
    return reader


class _Reader:
    """A state of few things: the lines of the open block or cell, the open table, and what is being skipped."""

    def __init__(self, skipped: frozenset[str]) -> None:
        self.skipped = skipped
        self.skipping: list[str] = []
        self.open: Counter[str] = Counter()  # of what is being skipped
        self.at = 1  # the line of the tag or text that is being taken
        self.blocks: list[Block] = []
        self.metadata: dict[str, Any] = {}
        self.title: list[str] | None = None
        self.lines: list[tuple[int | None, list[str]]] = []
        self.level = 0  # of the heading that the open block is, 0 for none
        self.item = False
        self.pre = self.code = False
        self.table: list[tuple[int | None, list[str]]] | None = None
        self.has_header = False

    def take(self, tag: Tag) -> None:
        self.at = tag.line
        if not tag.name:
            self._text(tag.text)
        elif tag.closes:
            self._end(tag.name)
        else:
            self._start(tag.name, tag.attributes)

    def finish(self) -> None:
        self._end_table()
        self._end_block()

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in self.skipped:
            self._break()
            self.skipping.append(tag)
            self.open[tag] += 1
        elif self.skipping:
            return
        elif tag == "title":
            self.title = []
        elif tag == "meta":
            self._meta(attributes)
        elif tag == "table":
            self._start_table()
        elif tag in ("tr", "td", "th"):
            self._start_cell(tag)
        elif tag == "br":
            self._line()
        elif tag in HEADINGS or tag in BREAKING:
            self._start_block(tag, attributes)
        elif tag in ("code", "samp", "kbd"):
            self.code |= self.pre
        elif tag == "sup" and self._last().isdigit():
            self._add("^")

    def _end(self, tag: str) -> None:
        if self.skipping:
            while self.open[tag]:
                closed = self.skipping.pop()
                self.open[closed] -= 1
                if closed == tag:
                    break
        elif tag == "title":
            self._end_title()
        elif tag == "table":
            self._end_table()
        elif tag in HEADINGS or tag in BREAKING or tag in ("tr", "td", "th"):
            self._break()
            if tag in HEADINGS or tag == "li":
                self.level, self.item = 0, False
            if tag == "pre":
                self.pre = False

    def _text(self, data: str) -> None:
        if self.skipping:
            return
        if self.title is not None:
            self.title.append(data)
        elif self.pre:
            self._preformatted(data)
        else:
            self._add(data)

    def _meta(self, attributes: Mapping[str, str]) -> None:
        key = attributes.get("name", "").lower()
        if key in TRUST_KEYS and attributes.get("content"):
            self.metadata[key] = metadata_value(key, attributes["content"])

    def _end_title(self) -> None:
        title = " ".join("".join(self.title or []).split())
        self.title = None
        if title:
            self.metadata.setdefault("title", title)

    def _add(self, data: str) -> None:
        blank = len(data) - len(data.lstrip())
        line = self.at + data.count("\n", 0, blank) if blank < len(data) else None
        if not self.lines:
            self._line()
        known, parts = self.lines[-1]
        parts.append(data)
        self.lines[-1] = (line if known is None else known, parts)

    def _preformatted(self, data: str) -> None:
        first = self.at
        for offset, text in enumerate(data.split("\n")):
            if offset or not self.lines:
                self.lines.append((first + offset, []))
            self.lines[-1][1].append(text)

    def _last(self) -> str:
        return self.lines[-1][1][-1][-1:] if self.lines and self.lines[-1][1] else ""

    def _line(self) -> None:
        self.lines.append((self.at if self.pre else None, []))

    def _break(self) -> None:
        """End a block; inside a table of data only a line of its cell."""
        if self.table is None:
            self._end_block()
        else:
            self._line()

    def _start_block(self, tag: str, attributes: Mapping[str, str]) -> None:
        """A heading or item keeps its mark for a block directly inside it, such as a paragraph."""
        if self.table is not None and tag in HEADINGS:
            self._to_layout()
        self._break()
        if self.table is not None:
            return
        if tag in HEADINGS or tag == "li":
            self.level, self.item = HEADINGS.get(tag, 0), tag == "li"
        if tag == "pre":
            self.pre, self.code = True, "class" in attributes

    def _end_block(self) -> None:
        if self.title is not None:  # never closed
            self._end_title()
        if self.pre:
            lines = [(n, INVISIBLE.sub("", "".join(parts)).rstrip()) for n, parts in self.lines]
            self.blocks.extend(_code(lines) if self.code else _paragraphs(lines))
            self.lines = []
        elif lines := self._taken():
            number, text = lines[0]
            if self.level:
                title = " ".join(text for _, text in lines)
                self.blocks.append(Block("heading", ((number, "#" * self.level + " " + title),), self.level, title))
            else:
                first = (number, "- " + text) if self.item else lines[0]
                self.blocks.append(Block("prose", (first, *lines[1:])))
            self.level, self.item = 0, False

    def _taken(self) -> list[Line]:
        """Return the lines that hold text, and start afresh."""
        lines = [(n, " ".join(INVISIBLE.sub("", "".join(parts)).split())) for n, parts in self.lines]
        self.lines = []
        return [line for line in lines if line[1]]

    def _start_table(self) -> None:
        if self.table is not None:
            self._to_layout()
        self._end_block()
        self.table, self.has_header = [], False

    def _start_cell(self, tag: str) -> None:
        if self.table is None:
            self._end_block()
            return
        self._end_cell()
        if tag == "tr" or not self.table:
            self.table.append((self.at, []))
        if tag != "tr":
            self.has_header |= tag == "th" and len(self.table) == 1
            self.table[-1][1].append("")

    def _end_cell(self) -> None:
        lines = self._taken()
        if not lines:
            return
        text = join_lines([text for _, text in lines])
        if self.table and self.table[-1][1]:
            number, cells = self.table[-1]
            self.table[-1] = (number if any(cells) else lines[0][0], cells)
            cells[-1] = join_lines([cells[-1], text])
        else:  # a caption, or text between rows
            self.blocks.append(Block("prose", ((lines[0][0], text),)))

    def _to_layout(self) -> None:
        """Give up the open table: its cells so far become paragraphs."""
        self._end_cell()
        for number, cells in self.table or ():
            self.blocks.extend(Block("prose", ((number, cell),)) for cell in cells if cell)
        self.table = None

    def _end_table(self) -> None:
        if self.table is None:
            self._end_block()
            return
        self._end_cell()
        rows = [(number, cells) for number, cells in self.table if any(cells)]
        if all(len(cells) == 1 for _, cells in rows):  # one column is no table
            self.blocks.extend(Block("prose", ((number, cells[0]),)) for number, cells in rows)
        else:
            self.blocks.extend(table_blocks(rows, True if self.has_header else None))
        self.table = None


def join_lines(texts: list[str]) -> str:
    """Join the lines of a table cell, so that two statements do not run together.

    >>> join_lines(["Twelve months.", "Parts", "labour"])
    'Twelve months. Parts; labour'
    """
    joined = ""
    for text in filter(None, texts):
        joined += (" " if joined.endswith((".", "!", "?", ":", ";", ",")) else "; ") * bool(joined) + text
    return joined


def _code(lines: list[Line]) -> Iterator[Block]:
    kept = list(lines)
    while kept and not kept[-1][1].strip():
        kept.pop()
    while kept and not kept[0][1].strip():
        kept.pop(0)
    if kept:
        fence = "`" * (1 + max((len(m) for _, t in kept for m in re.findall("`{3,}", t)), default=2))
        yield Block("code", ((None, fence), *kept, (None, fence)))


def _paragraphs(lines: list[Line]) -> Iterator[Block]:
    for blank, group in groupby(lines, lambda line: not line[1].strip()):
        if not blank:
            yield Block("prose", tuple(group))
