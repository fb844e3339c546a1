"""Comments in a document that say why a finding may stand.

    <!-- passageguard: ignore[value] the old price, kept for the record -->      md, html
    .. passageguard: ignore the old price, kept for the record                   rst
    # passageguard: ignore-file a chronicle of former rules                      txt, a line of its own

In brackets may stand types or ids of findings, and without, all are meant.  A reason is required.  A comment beside
text speaks of the lines it stands in, one alone of the paragraph below; ``ignore-file`` of the whole document.
Knows nothing about how documents are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from detectors.evidence import ConflictType

from .findings import Finding, State
from .passages import line_numbers
from .wording import printable

COMMENTS = {
    ".md": re.compile(r"<!--\s*(passageguard:.*?)-->", re.S),
    ".rst": re.compile(r"^[ \t]*\.\.[ \t]+(passageguard:.*)$", re.M),
    ".txt": re.compile(r"^[ \t]*(?:(?:#|//|;|--|%)[ \t]*)?(passageguard:.*)$", re.M),
}
COMMENTS |= {".markdown": COMMENTS[".md"], ".html": COMMENTS[".md"], ".htm": COMMENTS[".md"]}
INSTRUCTION = re.compile(r"passageguard:\s*ignore(-file)?(?![\w-])\s*(?:\[([^\]]*)\])?[\s:]*(.*)", re.S)
FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.M | re.S)
TICKS = re.compile(r"`+")
NOT_NEWLINE = re.compile(r"[^\n]")
CLOSED = re.compile(r"</(?:p|li|tr|td|dd|h[1-6]|blockquote|div|section)>", re.I)
ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Suppression:
    """A comment on line ``line`` of ``path`` that speaks of the lines ``first`` to ``last``, or of all (None).

    ``only`` are types and ids, empty for all.
    """

    path: str
    line: int
    first: int | None
    last: int | None
    only: frozenset[str]
    reason: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    def covers(self, found: Finding) -> bool:
        """Whether one side of the finding stands where the comment speaks of, and is of a kind that it names."""
        if self.only and not self.only & {found.type.value, found.id}:
            return False
        return any(quote.path == self.path and self._holds(quote.line, quote.end_line) for quote in (found.a, found.b))

    def _holds(self, line: int | None, end_line: int | None) -> bool:
        if self.first is None or self.last is None:
            return True
        return line is not None and line <= self.last and (end_line or line) >= self.first


def read(text: str, suffix: str, path: str) -> tuple[str, tuple[Suppression, ...], tuple[str, ...]]:
    """Return the text without these comments (its lines stay in place), the suppressions, and warnings.

    A comment without a reason, or with a kind that does not exist, suppresses nothing and is a warning.
    """
    if "passageguard:" not in text or suffix not in COMMENTS:
        return text, (), ()
    comments = _comments(text, suffix)
    rest = _blanked(text, [comment.span() for comment in comments])
    lines = rest.split("\n")
    paragraphs = _paragraphs(lines, suffix)
    found: list[Suppression] = []
    warnings: list[str] = []
    for comment, line in zip(comments, line_numbers(text, [c.start() for c in comments]), strict=True):
        instruction = INSTRUCTION.fullmatch(comment.group(1).strip())
        if wrong := _complaint(instruction):
            warnings.append(f"{path}:{line}: {wrong}")
        elif instruction:
            whole = instruction[1] is not None
            first, last = (None, None) if whole else _lines(lines, paragraphs, comment, line)
            found.append(Suppression(path, line, first, last, _only(instruction), printable(instruction[3])))
    return rest, tuple(found), tuple(warnings)


def apply(findings: Sequence[Finding], suppressions: Sequence[Suppression]) -> tuple[list[Finding], list[Suppression]]:
    """Return the findings, those that a comment speaks of as suppressed, and the comments that suppress nothing."""
    used: set[Suppression] = set()
    marked = []
    for found in findings:
        covering = [each for each in suppressions if each.covers(found)]
        used.update(covering)
        if covering and found.state is State.NEW:
            reason = f"{covering[0].reason} ({covering[0].place})"
            found = replace(found, state=State.SUPPRESSED, state_reason=reason)
        marked.append(found)
    return marked, [each for each in suppressions if each not in used]


def _complaint(instruction: re.Match[str] | None) -> str:
    """Return what is wrong with a comment, or nothing."""
    if instruction is None:
        return "no such instruction; write passageguard: ignore[type] reason, or ignore-file"
    unknown = sorted(each for each in _only(instruction) if each not in set(ConflictType) and not ID.fullmatch(each))
    if unknown:
        return f"suppression of an unknown type {unknown[0]!r}; choose from {', '.join(ConflictType)}, or give an id"
    if not instruction[3].strip():
        return "suppression without a reason, so it suppresses nothing; say why behind it"
    return ""


def _only(instruction: re.Match[str]) -> frozenset[str]:
    return frozenset(each.strip() for each in (instruction[2] or "").split(",") if each.strip())


def _comments(text: str, suffix: str) -> list[re.Match[str]]:
    """Return the comments outside of Markdown's code; behind the last ``-->`` of a page none can end."""
    shown = _without_code(text) if suffix in (".md", ".markdown") else text
    end = shown.rfind("-->") + 3 if COMMENTS[suffix] is COMMENTS[".md"] else len(shown)
    return list(COMMENTS[suffix].finditer(shown, 0, end))


def _without_code(text: str) -> str:
    """Return Markdown with its code blanked, so that offsets stay."""
    text = FENCED.sub(lambda code: _blank(code.group()), text)
    starts = accumulate((len(line) + 1 for line in text.split("\n")), initial=0)
    spans = [
        (start + a, start + b)
        for start, line in zip(starts, text.split("\n"), strict=False) if "`" in line
        for a, b in _inline_code(line)
    ]  # fmt: skip
    return _blanked(text, spans)


def _inline_code(line: str) -> Iterator[tuple[int, int]]:
    """Yield the spans between two runs of equally many backticks."""
    runs = [(found.start(), found.end()) for found in TICKS.finditer(line)]
    of_length: dict[int, list[int]] = {}
    for number, (start, end) in reversed(list(enumerate(runs))):
        of_length.setdefault(end - start, []).append(number)
    number = 0
    while number < len(runs):
        start, end = runs[number]
        same = of_length[end - start]
        while same and same[-1] <= number:
            same.pop()
        if same:
            number = same[-1]
            yield start, runs[number][1]
        number += 1


def _paragraphs(lines: Sequence[str], suffix: str) -> list[tuple[int, int]]:
    """Return for each line, counted from 1, the first and last line of what is left of its paragraph, or of the next.

    Where none follows, a line stands for itself.
    """
    found = [(number, number) for number in range(len(lines) + 2)]
    filled = 0  # the number of the next line that is not blank
    for number in range(len(lines), 0, -1):
        line, following = lines[number - 1], lines[number] if number < len(lines) else ""
        if line.strip():
            ends = not following.strip() or (suffix in (".html", ".htm") and CLOSED.search(line))
            found[number] = (number, number if ends else found[number + 1][1])
            filled = number
        elif filled:
            found[number] = found[filled]
    return found


def _lines(
    lines: Sequence[str], paragraphs: Sequence[tuple[int, int]], comment: re.Match[str], first: int
) -> tuple[int, int]:
    """Return the lines a comment speaks of: its own, or where nothing else stands there, the paragraph below."""
    last = first + comment.group().count("\n")
    if any(line.strip() for line in lines[first - 1 : last]):
        return first, last
    return paragraphs[last + 1]


def _blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text with these spans, in order and apart, as spaces."""
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], _blank(text[start:end])]
        at = end
    return "".join([*parts, text[at:]])


def _blank(text: str) -> str:
    return NOT_NEWLINE.sub(" ", text)
