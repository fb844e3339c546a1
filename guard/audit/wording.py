"""Passages as people read them: the words that differ, text that steers no terminal, types and severities in words.

Knows nothing about formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from detectors.evidence import ConflictType

MAX_COMPARED = 2000  # words
MAX_MARKED = 8  # words: what is longer is said on one side only, and not what clashes
WORD = re.compile(r"[€$£]?\w+(?:[.,:/'’-]\w+)*[%°]?")
TITLES = {
    ConflictType.VALUE: "Different values",
    ConflictType.DATE: "Different dates",
    ConflictType.NEGATION: "One side denies the other",
    ConflictType.ANTONYM: "Opposite words",
    ConflictType.ENTITY: "Different names",
    ConflictType.ANSWER: "Different answers",
    ConflictType.CONDITIONAL: "Clash with a third statement",
    ConflictType.STATEMENT: "Other contradictions",
}
MEANINGS = {
    ConflictType.VALUE: "A number, amount, percentage, duration or version differs.",
    ConflictType.DATE: "A calendar date or year of the same event differs.",
    ConflictType.NEGATION: "One side denies what the other states.",
    ConflictType.ANTONYM: "Opposite words stand in the same place, such as mandatory and optional.",
    ConflictType.ENTITY: "Another name stands in the same place.",
    ConflictType.ANSWER: "The passages answer a question differently.",
    ConflictType.CONDITIONAL: "The two statements cannot both be true given a third.",
    ConflictType.STATEMENT: "The statements cannot both be true in some other way.",
}

Range = tuple[int, int]


def differing(a: str, b: str) -> tuple[list[Range], list[Range]]:
    """Return the ranges of the words that differ; punctuation and capitals do not count.

    >>> differing("It costs 5 EUR.", "It costs 7 EUR")
    ([(9, 10)], [(9, 10)])
    """
    left, right = list(WORD.finditer(a)), list(WORD.finditer(b))
    if max(len(left), len(right)) > MAX_COMPARED:
        return [], []
    matcher = SequenceMatcher(None, [m.group().lower() for m in left], [m.group().lower() for m in right], False)
    found: tuple[list[Range], list[Range]] = [], []
    for tag, i, i2, j, j2 in matcher.get_opcodes():
        for side, words, first, last in ((0, left, i, i2), (1, right, j, j2)):
            if tag != "equal" and 0 < last - first <= MAX_MARKED:
                found[side].append((words[first].start(), words[last - 1].end()))
    return found


def pieces(text: str, marks: Sequence[Range]) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces, each with whether it is marked.

    >>> list(pieces("It costs 5 EUR", [(9, 10)]))
    [('It costs ', False), ('5', True), (' EUR', False)]
    """
    at = 0
    for start, end in marks:
        if at < start:
            yield text[at:start], False
        yield text[start:end], True
        at = end
    if at < len(text):
        yield text[at:], False


def printable(text: str) -> str:
    """Return the text on one line, without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def counted(n: int, word: str) -> str:
    """Return "1 finding", "2,000 findings"."""
    return f"{n:,} {word if n == 1 else word + 's'}"
