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
from collections.abc import Sequence
from dataclasses import dataclass, replace

from detectors.evidence import ConflictType

from .findings import Finding, State
from .wording import printable

COMMENTS = {
    ".md": re.compile(r"<!--\s*(passageguard:.*?)-->", re.S),
    ".rst": re.compile(r"^[ \t]*\.\.[ \t]+(passageguard:.*)$", re.M),
    ".txt": re.compile(r"^[ \t]*(?:#|//|;|--|%)?[ \t]*(passageguard:.*)$", re.M),
}
COMMENTS |= {".markdown": COMMENTS[".md"], ".html": COMMENTS[".md"], ".htm": COMMENTS[".md"]}
INSTRUCTION = re.compile(r"passageguard:\s*ignore(-file)?(?![\w-])\s*(?:\[([^\]]*)\])?[\s:]*(.*)", re.S)
FENCED = r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)"
CODE = re.compile(rf"{FENCED}|(?<!`)(`+)(?!`)[^\n]*?(?<!`)\2(?!`)", re.M | re.S)
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
    shown = CODE.sub(lambda code: _blank(code.group()), text) if suffix in (".md", ".markdown") else text
    comments = list(COMMENTS[suffix].finditer(shown))
    characters = list(text)
    for comment in comments:
        characters[comment.start() : comment.end()] = _blank(comment.group())
    rest = "".join(characters)
    lines = rest.split("\n")
    found: list[Suppression] = []
    warnings: list[str] = []
    for comment in comments:
        line = text.count("\n", 0, comment.start()) + 1
        instruction = INSTRUCTION.fullmatch(comment.group(1).strip())
        if wrong := _complaint(instruction):
            warnings.append(f"{path}:{line}: {wrong}")
        elif instruction:
            whole = instruction[1] is not None
            first, last = (None, None) if whole else _lines(lines, comment, line, suffix)
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


def _lines(lines: Sequence[str], comment: re.Match[str], first: int, suffix: str) -> tuple[int, int]:
    """Return the lines a comment speaks of: its own, or where nothing else stands there, the paragraph below."""
    last = first + comment.group().count("\n")
    if any(line.strip() for line in lines[first - 1 : last]):
        return first, last
    start = next((n for n in range(last + 1, len(lines) + 1) if lines[n - 1].strip()), last + 1)
    end = start
    while (
        end < len(lines) and lines[end].strip() and not (suffix in (".html", ".htm") and CLOSED.search(lines[end - 1]))
    ):
        end += 1
    return start, end


def _blank(text: str) -> str:
    return "".join(c if c == "\n" else " " for c in text)
