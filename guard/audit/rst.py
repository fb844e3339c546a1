"""reStructuredText to Markdown lines, each with its place in the file.

Headings by any punctuation underline, literal blocks and code directives as fences, simple, grid and list tables
as rows, admonitions and list items as prose; roles and links leave their text, comments and targets nothing.
Source: the reStructuredText markup specification of docutils.  Knows nothing about files.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from .markdown import metadata_value
from .passages import TRUST_KEYS, Line

ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+\s*$")
SIMPLE_BORDER = re.compile(r"=+(?: +=+)+\s*$")
GRID_BORDER = re.compile(r"\s*\+[-=+]{2,}\s*$")
DIRECTIVE = re.compile(r"\.\. +(?:\|([^|]+)\| +)?([\w:.+-]+?)::(?:\s+(.*))?$")
FOOTNOTE = re.compile(r"\.\. +(\[[^\]\s]+\])\s*(.*)$")
FIELD = re.compile(r":([^:`\s][^:`]*):(?:\s+(.*))?$")
ITEM = re.compile(r"(?:[-*+•‣⁃]|\(?(?:\d{1,3}|#|[A-Za-z])[.)])\s+(?=\S)")
REPLACE = re.compile(r"^[ \t]*\.\. +\|([^|\n]+)\| +replace::[ \t]*(\S.*)$", re.MULTILINE)
INLINE = re.compile(
    r"``.+?``"
    r"|:[\w:.+-]{1,40}:`[~!]?(?P<role>[^`<]++)(?:<[^`>]*>)?`"
    r"|`(?P<link>[^`<]++)(?:<[^`>]*>)?`__?"
    r"|\|(?P<substitution>[^|\s](?:[^|]*[^|\s])?)\|_{0,2}"
    r"|(?P<footnote>\[[#*\w]+\])_"
    r"|(?<=[A-Za-z0-9])__?(?=[\s.,;:!?)]|$)",
    re.DOTALL,
)
CODE = frozenset(
    "code code-block sourcecode highlight parsed-literal math literalinclude productionlist raw graphviz digraph graph "
    "mermaid uml plantuml doctest testcode testoutput testsetup testcleanup prompt ipython jupyter-execute toctree "
    "contents index include autosummary autoclass autofunction automodule meta bibliography".split()
)
CHANGES = {
    "versionadded": "New in version", "versionchanged": "Changed in version",
    "versionremoved": "Removed in version", "deprecated": "Deprecated since version",
}  # fmt: skip
PATH_ARGUMENT = frozenset(("image", "figure", "only", "ifconfig", "container", "class", "role", "default-role"))
PROSE_OPTIONS = ("alt", "caption", "title", "subtitle")
MAX_DEPTH = 40
MAX_REPLACED_CHARS = 1000  # beside as many as the document has: what substitutions may add to it


def to_markdown(lines: Sequence[Line]) -> list[Line]:
    """Return the document as Markdown lines that keep their file line."""
    text = "\n".join(line for _, line in lines)
    converter = _Converter(dict(REPLACE.findall(text)), len(text) + MAX_REPLACED_CHARS)
    return list(converter.convert([(n, line.expandtabs()) for n, line in lines]))


def docinfo(lines: Sequence[Line]) -> dict[str, Any]:
    """Return the trust keys of the field list at the start, before or right after the title.

    >>> from guard.audit.markdown import numbered
    >>> docinfo(numbered("Leave\\n=====\\n\\n:Date: 2024-05-01\\n:Authority: 0.9\\n\\nText."))
    {'date': '2024-05-01', 'authority': 0.9}
    """
    found: dict[str, Any] = {}
    text = [line for _, line in lines if line.strip()]
    skipped = 0
    while skipped < min(3, len(text)) and not FIELD.match(text[skipped]):
        skipped += 1
    for line in text[skipped:]:
        field = FIELD.match(line)
        if not field:
            break
        key = field.group(1).lower().replace(" ", "_")
        if key in TRUST_KEYS:
            found[key] = metadata_value(key, field.group(2) or "")
    return found


class _Converter:
    """The heading styles in order of appearance, and the substitutions, with how many characters they may still add."""

    def __init__(self, substitutions: dict[str, str], may_add: int) -> None:
        self.styles: list[tuple[str, bool]] = []
        self.substitutions = substitutions
        self.may_add = may_add

    def convert(self, lines: Sequence[Line], depth: int = 0) -> Iterator[Line]:
        at = 0
        while at < len(lines):
            at, out = self._next(lines, at, depth)
            yield from out

    def _next(self, lines: Sequence[Line], at: int, depth: int) -> tuple[int, list[Line]]:
        """Return where the construct at ``at`` ends, and its lines."""
        number, text = lines[at]
        if not text.strip():
            return at + 1, [(number, "")]
        if text[0] in " \t":
            end = _indented(lines, at)
            return end, self._nested(lines[at:end], depth)
        heading = self._heading(lines, at)
        if heading:
            return heading
        if text.startswith(".. ") or text.strip() == "..":
            end = _indented(lines, at + 1)
            return end, [*self._explicit(number, text, lines[at + 1 : end], depth), (None, "")]
        if GRID_BORDER.match(text):
            end = _while(lines, at, lambda line: line.lstrip().startswith(("+", "|")))
            return end, [*self._rows(_grid_rows(lines[at:end])), (None, "")]
        if SIMPLE_BORDER.match(text):
            end = _simple_table_end(lines, at)
            return end, [*self._rows(_simple_rows(lines[at:end])), (None, "")]
        if ADORNMENT.match(text) and len(text.strip()) >= 4:
            return at + 1, [(number, "")]
        field = FIELD.match(text)
        item = ITEM.match(text)
        if (field or item) and self._is_item(lines, at):
            end = _indented(lines, at + 1)
            return end, self._item(number, text, field, item, lines[at + 1 : end], depth)
        return self._paragraph(lines, at, depth)

    def _nested(self, lines: Sequence[Line], depth: int) -> list[Line]:
        inner = _dedented(lines)
        return list(self.convert(inner, depth + 1)) if depth < MAX_DEPTH else inner

    def _heading(self, lines: Sequence[Line], at: int) -> tuple[int, list[Line]] | None:
        """Return an underlined, or over- and underlined, title as ``# Title``."""
        number, text = lines[at]
        one, two = (lines[k][1] if k < len(lines) else "" for k in (at + 1, at + 2))
        over = ADORNMENT.match(text)
        if over and one.strip() and not ADORNMENT.match(one) and text.strip() == two.strip():
            return at + 3, [self._title(lines[at + 1], over.group(1), True)]
        under = ADORNMENT.match(one)
        wide = under is not None and (len(one.strip()) >= 4 or len(one.strip()) >= len(text.strip()))
        if under and wide and one.strip() != "::" and any(c.isalnum() for c in text):
            return at + 2, [self._title((number, text), under.group(1), False)]
        return None

    def _title(self, line: Line, mark: str, overlined: bool) -> Line:
        style = (mark, overlined)
        if style not in self.styles:
            self.styles.append(style)
        level = min(6, self.styles.index(style) + 1)
        return line[0], "#" * level + " " + self._inline(line[1].strip())

    def _explicit(self, number: int | None, text: str, body: Sequence[Line], depth: int) -> list[Line]:
        """Return a directive, footnote, comment or target; the last two leave nothing."""
        note = FOOTNOTE.match(text)
        if note:
            return [(number, f"{note.group(1)} {self._inline(note.group(2))}"), *self._nested(body, depth)]
        directive = DIRECTIVE.match(text)
        if not directive or directive.group(1):
            return []
        name, argument = directive.group(2).lower(), directive.group(3) or ""
        options, content = _options(body)
        captions = [line for key in PROSE_OPTIONS if options.get(key) for line in self._said(number, options[key])]
        if name.split(":")[-1] in CODE:
            return [*captions, *(_fenced(number, argument, _dedented(content)) if argument or content else [])]
        if name == "list-table":
            return [*self._said(number, argument), *self._rows(_list_rows(_dedented(content)))]
        if name == "csv-table":
            lines = [(number, options.get("header", "")), *_dedented(content)]
            rows = [(n, next(csv.reader([line], skipinitialspace=True))) for n, line in lines if line.strip()]
            return [*self._said(number, argument), *self._rows(rows)]
        if ":" in name:  # the signature of an object in a domain
            return [*_fenced(number, "", [(number, argument)]), *self._nested(content, depth)]
        said = f"{CHANGES[name]} {argument}:" if name in CHANGES else argument
        out = [*([] if name in PATH_ARGUMENT else self._said(number, said)), *captions]
        goes_on = out and content is body  # in the next line
        return [*(out[:-1] if goes_on else out), *self._nested(content, depth)]

    def _said(self, number: int | None, text: str) -> list[Line]:
        return [(number, self._inline(text)), (None, "")] if text.strip() else []

    def _is_item(self, lines: Sequence[Line], at: int) -> bool:
        """An enumerated line is an item only if the next line is blank, indented or an item, too."""
        following = lines[at + 1][1] if at + 1 < len(lines) else ""
        return not following.strip() or following[0] in " \t" or bool(ITEM.match(following) or FIELD.match(following))

    def _item(
        self, number: int | None, text: str, field: re.Match[str] | None, item: re.Match[str] | None,
        body: Sequence[Line], depth: int,
    ) -> list[Line]:  # fmt: skip
        if field:
            own = f"{field.group(1)}: {field.group(2) or ''}".strip()
            return [(number, "- " + self._inline(own)), *self._nested(body, depth)]
        marker = item.group().strip() if item else ""
        marker = marker if marker[0].isalnum() and "#" not in marker else "-"
        own = text[item.end() :] if item else text
        end = next((k for k, (_, line) in enumerate(body) if not line.strip()), len(body))
        if own.startswith(".. ") or ITEM.match(own) or own.endswith("::"):  # a construct of its own inside the item
            inner = [(number, own), *_dedented(body)]
            return list(self.convert(inner, depth + 1)) if depth < MAX_DEPTH else inner
        if any(ITEM.match(line.lstrip()) for _, line in body[:end]):
            end = 0
        first = self._text([(number, own), *((n, line.strip()) for n, line in body[:end])])
        return [(first[0][0], f"{marker} {first[0][1]}"), *first[1:], *self._nested(body[end:], depth)]

    def _paragraph(self, lines: Sequence[Line], at: int, depth: int) -> tuple[int, list[Line]]:
        """Return a paragraph, with the literal block or the definition that hangs on it."""
        if lines[at][1].startswith(">>> "):
            end = _while(lines, at, lambda line: bool(line.strip()))
            return end, _fenced(None, "", lines[at:end])
        end = _while(lines, at, lambda line: bool(line.strip()) and line[0] not in " \t")
        own, last = list(lines[at:end]), lines[end - 1][1].rstrip()
        below = next((k for k in range(end, len(lines)) if lines[k][1].strip()), len(lines))
        if last.endswith("::"):
            own[-1] = (own[-1][0], "" if last == "::" else last[:-1].removesuffix(" :"))
            literal = below < len(lines) and lines[below][1][0] in " \t"
            after = _indented(lines, below) if literal else end
            code = _fenced(None, "", _dedented(lines[below:after])) if literal else []
            return after, [*self._text(own), (None, ""), *code]
        if text_block := own[0][1].startswith("| "):
            own = [line for number, text in own for line in ((number, text.lstrip("| ")), (None, ""))]
        if end < len(lines) and lines[end][1].strip() and not text_block:
            after = _indented(lines, end)
            return after, [*self._text(own), (None, ""), *self._nested(lines[end:after], depth), (None, "")]
        return end, self._text(own)

    def _text(self, lines: Sequence[Line]) -> list[Line]:
        """Resolve inline markup, which may cross line ends, and give every line its number back."""
        texts = self._inline("\n".join(text for _, text in lines)).split("\n")
        texts += [""] * (len(lines) - len(texts))
        found = [(number, text) for (number, _), text in zip(lines, texts, strict=False)]
        return [line for line in found if line[1].strip() or line[0] is None]

    def _inline(self, text: str) -> str:
        def shown(match: re.Match[str]) -> str:
            found = match.groupdict()
            if name := found["substitution"]:
                said = self.substitutions.get(name, name)
                self.may_add -= len(said)
                return said if self.may_add >= 0 else str(name)
            if content := found["role"] or found["link"] or found["footnote"]:
                return str(content).rstrip()
            return match.group() if match.group().startswith("``") else ""

        return INLINE.sub(shown, text)

    def _rows(self, rows: Sequence[tuple[int | None, list[str]]]) -> list[Line]:
        return [(number, "| " + " | ".join(self._inline(c) for c in cells) + " |") for number, cells in rows]


def _while(lines: Sequence[Line], at: int, test: Any) -> int:
    while at < len(lines) and test(lines[at][1]):
        at += 1
    return at


def _indented(lines: Sequence[Line], at: int) -> int:
    """Return the end of the indented lines from ``at``; blank lines at their end do not belong."""
    end = at
    for k in range(at, len(lines)):
        text = lines[k][1]
        if text.strip():
            if text[0] not in " \t":
                break
            end = k + 1
    return end


def _dedented(lines: Sequence[Line]) -> list[Line]:
    margin = min((len(t) - len(t.lstrip()) for _, t in lines if t.strip()), default=0)
    return [(number, text[margin:]) for number, text in lines]


def _options(body: Sequence[Line]) -> tuple[dict[str, str], Sequence[Line]]:
    """Return the ``:name: value`` lines directly below a directive, and the content after them."""
    options: dict[str, str] = {}
    for at, (_, text) in enumerate(body):
        field = FIELD.match(text.strip())
        if not field:
            return options, body[at:] if at else body
        options[field.group(1)] = field.group(2) or ""
    return options, ()


def _fenced(number: int | None, argument: str, lines: Sequence[Line]) -> list[Line]:
    content = [line for line in lines if line[1].strip() or line[0] is not None]
    longest = max((len(m) for _, text in content for m in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return [(number, fence + argument.replace("`", "")), *content, (None, fence), (None, "")]


class _Rows(list[tuple[int | None, list[list[str]]]]):
    """Rows whose cells grow by parts, which are joined once."""

    def start(self, number: int | None, cells: Iterable[str]) -> None:
        self.append((number, [[cell] for cell in cells]))

    def go_on(self, cells: Iterable[str]) -> None:
        for parts, more in zip(self[-1][1], cells, strict=True):
            parts.append(more)

    def joined(self) -> list[tuple[int | None, list[str]]]:
        return [(number, [" ".join(filter(None, parts)) for parts in cells]) for number, cells in self]


def _grid_rows(lines: Sequence[Line]) -> list[tuple[int | None, list[str]]]:
    """Join the lines of each row of a grid table, cell by cell."""
    rows = _Rows()
    fresh = True
    for number, text in lines:
        if GRID_BORDER.match(text):
            fresh = True
            continue
        cells = [cell.strip(" +-=") if re.search(r"\+[-=]{2,}", text) else cell.strip() for cell in
                 text.strip().strip("|+").split("|")]  # fmt: skip
        if fresh or len(cells) != len(rows[-1][1]):
            rows.start(number, cells)
        else:
            rows.go_on(cells)
        fresh = False
    return rows.joined()


def _simple_table_end(lines: Sequence[Line], at: int) -> int:
    """Return the end of a simple table: its second or third border, that a blank line or the end follows."""
    borders = (k for k in range(at + 1, len(lines)) if SIMPLE_BORDER.match(lines[k][1]))
    for k in islice(borders, 2):
        if k + 1 == len(lines) or not lines[k + 1][1].strip():
            return k + 1
    return at + 1


def _simple_rows(lines: Sequence[Line]) -> list[tuple[int | None, list[str]]]:
    """Cut the lines at the columns of the border; an empty first cell continues the row above."""
    starts = [match.start() for match in re.finditer(r"=+", lines[0][1])]
    rows = _Rows()
    for number, text in lines:
        if not text.strip() or re.fullmatch(r"[=\- ]+", text.rstrip()):
            continue
        cells = [text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
        if cells[0] or not rows:
            rows.start(number, cells)
        else:
            rows.go_on(cells)
    return rows.joined()


def _list_rows(lines: Sequence[Line]) -> list[tuple[int | None, list[str]]]:
    """Read ``* - cell`` rows of a list-table."""
    rows = _Rows()
    for number, text in lines:
        row = re.match(r"[*+-]\s+[*+-](?:\s+(.*))?$", text)
        cell = re.match(r"\s+[*+-](?:\s+(.*))?$", text)
        if row:
            rows.start(number, [row.group(1) or ""])
        elif cell and rows:
            rows[-1][1].append([cell.group(1) or ""])
        elif text.strip() and rows:
            rows[-1][1][-1].append(text.strip())
        elif text.strip():
            rows.start(number, [text.strip()])
    return rows.joined()
