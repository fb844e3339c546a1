"""The lines of a passage to blocks: headings, list items, table rows, code and prose, with exact offsets.

Each line of a front matter block (``--- key: value ---`` at the very start) is an item.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE = re.compile(r"[^\r\n]+|\r\n|\r|\n")
HEADING = re.compile(r"[ \t]{0,3}(#{1,6})[ \t]+(?=\S)")
UNDERLINE = re.compile(r"[ \t]{0,3}(=+|-{3,})[ \t]*$")
BULLET = re.compile(r"[ \t]*[-*+•‣◦–][ \t]+(?=\S)")
ORDINAL = re.compile(r"[ \t]*\(?(\d{1,3}|[A-Za-z])([.)])[ \t]+(?=\S)")
QUOTE = re.compile(r"[ \t]*>[ \t>]*")
FENCE = re.compile(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})")
RULE = re.compile(r"[\s|:\-=+*_]*$")
SEPARATOR = re.compile(r"(?=.*-)(?=.*\|)[\s|:\-]+$")
FRONT_LINE = re.compile(r"[\w.-]+:(?:\s|$)|- |[ \t]+\S")


@dataclass(slots=True)
class Block:
    """A run of lines of one kind: prose, heading, item, row or code."""

    kind: str
    start: int
    end: int
    level: int = 0


def _lines(text: str) -> list[tuple[int, int]]:
    r"""Return the (start, end) of every line, without its line break: \n, \r\n or \r."""
    lines, start = [], 0
    for match in LINE.finditer(text):
        if match.group()[0] in "\r\n":
            lines.append((start, match.start()))
            start = match.end()
    return [*lines, (start, len(text))]


def blocks(text: str) -> Iterator[Block]:
    """Group lines into blocks; prose and item lines join the block above until a blank line."""
    lines = _lines(text)
    skip = _front_matter(text, lines)
    yield from (Block("item", *line) for line in lines[1 : max(1, skip - 1)])
    reader = _Reader()
    for number, (start, end) in enumerate(lines[skip:], skip):
        line = text[start:end]
        following = text[slice(*lines[number + 1])] if "|" in line and number + 1 < len(lines) else ""
        yield from reader.read(line, start, following)
    yield from reader.close()


def _front_matter(text: str, lines: list[tuple[int, int]]) -> int:
    """Return how many lines the front matter takes at the start of the text, its two rules included."""
    if text[slice(*lines[0])].rstrip() != "---":
        return 0
    for number, (start, end) in enumerate(lines[1:], 1):
        line = text[start:end]
        if line.rstrip() in ("---", "..."):
            return number + 1 if number > 1 else 0
        if not FRONT_LINE.match(line):
            return 0
    return 0


class _Reader:
    """The state between lines: the open block, the fence, the table and the ordinals seen in the list."""

    def __init__(self) -> None:
        self.open: Block | None = None
        self.one_line = False
        self.fence = ""
        self.in_table = False
        self.ordinals: set[int] = set()

    def close(self) -> Iterator[Block]:
        if self.open:
            yield self.open
        self.open = None

    def read(self, line: str, start: int, following: str) -> Iterator[Block]:
        """Yield the blocks that this line ends, and itself where it is one."""
        fence = FENCE.match(line)
        if self.fence:
            if fence and fence.group(1).startswith(self.fence) and not line[fence.end() :].strip():
                self.fence = ""
            elif line.strip():
                yield Block("code", start, start + len(line))
        elif fence:
            yield from self.close()
            self.fence = fence.group(1)
        elif self.open and self.open.kind == "prose" and self.one_line and UNDERLINE.match(line):
            yield Block("heading", self.open.start, self.open.end, 1 if "=" in line else 2)
            self.open = None
        else:
            yield from self._plain(line, start, following)

    def _plain(self, line: str, start: int, following: str) -> Iterator[Block]:
        kind, begin, end, level = self._kind(line, following)
        if kind == "prose" and self.open:
            self.open.end, self.one_line = start + end, False
            return
        yield from self.close()
        if kind in ("prose", "item"):
            self.open, self.one_line = Block(kind, start + begin, start + end), True
        elif kind:
            self.ordinals.clear()
            yield Block(kind, start + begin, start + end, level)

    def _kind(self, line: str, following: str) -> tuple[str, int, int, int]:
        """Return (kind, begin and end of the content, heading level); an empty kind is blank or a rule."""
        quote = QUOTE.match(line)
        begin, end = quote.end() if quote else 0, len(line)
        inner = line[begin:]
        if RULE.match(inner):
            self.in_table = self.in_table and "|" in inner
            return "", 0, 0, 0
        if heading := HEADING.match(inner):
            title, bare = inner.rstrip(), inner.rstrip().rstrip("#")
            kept = len(bare.rstrip() if bare.endswith((" ", "\t")) else title)
            return "heading", begin + heading.end(), begin + max(kept, heading.end()), len(heading.group(1))
        self.in_table = "|" in inner and (self.in_table or bool(SEPARATOR.match(following)))
        cells = inner.strip()
        if self.in_table or cells.startswith("|") or cells.count("|") >= 2 or cells.count("\t") >= 2:
            return "row", begin, end, 0
        item = self._item(inner)
        return ("prose" if item is None else "item"), begin + (item or 0), end, 0

    def _item(self, line: str) -> int | None:
        """Return where an item's text begins, None for no item.

        An ordinal is a marker, left out of the text, when it is the first or follows one of this list.  Any
        other ("20. It", "A. Smith") may be a value or a name: it stays in the text, and never splits prose.
        """
        if bullet := BULLET.match(line):
            return bullet.end()
        match = ORDINAL.match(line)
        if not match:
            return None
        mark = match.group(1)
        number = int(mark) if mark.isdigit() else ord(mark.lower()) - 96
        initial = mark.isupper() and match.group(2) == "."
        if number - 1 in self.ordinals or (number == 1 and not initial):
            self.ordinals.add(number)
            return match.start(1) if initial else match.end()
        if self.open:
            return None
        self.ordinals.add(number)
        return match.start(1)
