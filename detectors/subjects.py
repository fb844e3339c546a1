"""What a sentence speaks of: the name that it opens with, or the one that the text before it opened with.

"It has no heating" says nothing about the stadium of another passage.  A sentence that names no subject of its own goes
on with the last one that was named, the simplest case of centering (Grosz, Joshi and Weinstein, *Centering*,
Computational Linguistics 21, 1995).  An identifier in the heading above (`fs.open()`, `--depth`, CMP0023) names the
subject of a reference entry.  What is not sure to be a name is none.  Knows nothing about pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .entries import CODE
from .evidence import Sentence
from .quantities.units import MONTHS, WEEKDAYS
from .words import STOP_WORDS, WORD

DETERMINERS = frozenset("the a an our your this that".split())
CONNECTORS = frozenset("of the de la du van von der and for".split())
NO_NAMES = frozenset("nobody everybody somebody anybody everyone someone anyone nothing everything something".split())
COPULA = re.compile(r"\s*(?:\([^)]*\)\s*)?(?:is|was|has been|refers to|\(born)\b")
CALENDAR = MONTHS.keys() | WEEKDAYS.keys()
IDENTIFIER = re.compile(rf"{CODE}|\b[A-Z]+\d+\b")


def with_subjects(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Return the sentences of one passage, each with its ``subject`` and whether it ``names_subject`` itself."""
    named, common = _vocabulary(sentences)
    found, subject, context = [], frozenset[str](), ""
    for s in sentences:
        if s.context != context:
            context = s.context
            subject = _identifiers(context.rpartition(" › ")[2]) or subject
        own = frozenset[str]() if s.kind in ("heading", "code") else opening_name(s.text, named, common)
        subject = own or subject
        found.append(replace(s, subject=subject, names_subject=bool(own)))
    return found


def opening_name(
    text: str, named: frozenset[str] = frozenset(), common: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Return the lower-cased words of the name that a sentence opens with, or nothing.

    ``named`` are words known to be (part of) names, ``common`` words that are written small elsewhere.

    >>> sorted(opening_name("The Morland Prize is awarded by the city."))
    ['morland', 'prize']
    >>> opening_name("Existing notebooks are left as they are.")
    frozenset()
    """
    words = list(_opening_run(text))
    if not words:
        return frozenset()
    first, last = words[0], words[-1]
    name = frozenset(_bare(m.group()) for m in words) - CONNECTORS
    sure = sum(m.group()[0].isupper() for m in words) >= 2 or _bare(first.group()) in named
    sure = sure or bool(COPULA.match(text, last.end()))
    return name if sure and not (_bare(first.group()) in common and len(name) == 1) else frozenset()


def _opening_run(text: str) -> Iterator[re.Match[str]]:
    """Yield the capitalised words at the start, with numbers and connectors between or after them."""
    held: list[re.Match[str]] = []
    end = 0
    for match in WORD.finditer(text):
        word, gap = match.group(), text[end : match.start()]
        begun, end = bool(held) or end > 0, match.end()
        if begun and not re.fullmatch(r"[\s&\"“”'‘’*_`]*", gap):
            break
        if not begun and word.lower() in DETERMINERS:
            end = max(end, 1)
            continue
        if word[0].isupper() and word.lower() not in STOP_WORDS | NO_NAMES and _bare(word) not in CALENDAR:
            yield from held
            held = []
            yield match
        elif word[0].isdigit() and begun:
            yield match
        elif begun and word.lower() in CONNECTORS:
            held.append(match)
        else:
            break


def _bare(word: str) -> str:
    return re.sub(r"['’]s?$", "", word.lower())


def _vocabulary(sentences: Sequence[Sentence]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words that stand capitalised inside a sentence, and those that stand small anywhere."""
    named, common = set[str](), set[str]()
    for s in sentences:
        if s.kind == "heading":
            continue
        for i, match in enumerate(WORD.finditer(s.text)):
            word = match.group()
            if word[0].islower():
                common.add(_bare(word))
            elif i > 0 and word[0].isupper():
                named.add(_bare(word))
    return frozenset(named - common), frozenset(common)


def _identifiers(heading: str) -> frozenset[str]:
    return frozenset(m.group().strip("`").lower() for m in IDENTIFIER.finditer(heading))
