"""Which logged questions are contested: what was retrieved for them holds a conflict that their answer depends on.

A conflict bears on a question where an answer that was logged says what one side says, or where one of its quotes
shares more than half as many words with the question as the sentence that shares most.  Other conflicts lie beside the
question: what was retrieved disagrees about something else.  The rule is made by hand and not measured.

Knows nothing about files, options and formats.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from detectors.errors import PassageGuardError
from detectors.evidence import ConflictType, Passage, Unverified
from detectors.segment import segment
from detectors.words import content_words
from guard.verdict import Verdict

from . import baseline, declared, reviews
from .findings import Finding, Severity, State, findings
from .passages import Document
from .queries import Log, Logged
from .run import Known
from .wording import differing

Progress = Callable[[int, int], None]


class Checker(Protocol):
    """What a replay needs of a `Guard`."""

    def check(self, passages: Sequence[Passage], question: str | None = None) -> Verdict: ...


class Standing(StrEnum):
    """Where a question stands, the gravest first."""

    CONTESTED = "contested"  # its answer depends on a conflict
    BESIDE = "beside"  # what was retrieved holds a conflict about something else
    UNVERIFIED = "unverified"  # no conflict was found, and not everything was checked
    CONSISTENT = "consistent"


@dataclass(frozen=True, slots=True)
class Contest:
    """A conflict among what was retrieved.  ``sides`` counts the logged answers that say what ``a`` or ``b`` says."""

    finding: Finding
    bears: bool
    sides: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the log with what was found for it, the conflicts that bear on it first."""

    logged: Logged
    contests: tuple[Contest, ...] = ()
    unverified: tuple[Unverified, ...] = ()

    @property
    def new(self) -> tuple[Contest, ...]:
        """Return the conflicts that nobody has dealt with."""
        return tuple(c for c in self.contests if c.finding.state is State.NEW)

    @property
    def standing(self) -> Standing:
        if self.new:
            return Standing.CONTESTED if any(c.bears for c in self.new) else Standing.BESIDE
        return Standing.UNVERIFIED if self.unverified else Standing.CONSISTENT


@dataclass(frozen=True, slots=True)
class Replay:
    """All questions, in the order of the log.  ``errors`` name what could not be read or checked at all."""

    name: str
    questions: tuple[Question, ...]
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    def standing(self, standing: Standing) -> tuple[Question, ...]:
        """Return the questions that stand so, those that were asked most often first."""
        found = [q for q in self.questions if q.standing is standing]
        return tuple(sorted(found, key=lambda q: -len(q.logged.lines)))

    def asked(self, standing: Standing | None = None) -> int:
        """Return how often questions of this standing, or all, were asked."""
        return sum(len(q.logged.lines) for q in self.questions if standing in (None, q.standing))

    @property
    def is_complete(self) -> bool:
        """Whether every line was read and every passage checked."""
        return not self.errors and not any(q.unverified for q in self.questions)

    def conflicts(self) -> list[tuple[Finding, list[Question]]]:
        """Return each conflict that contests questions, with them; the one that contests most first."""
        shown: dict[str, Finding] = {}
        contested: dict[str, list[Question]] = {}
        for question in self.questions:
            for found in {c.finding.id: c.finding for c in question.new if c.bears}.values():
                shown.setdefault(found.id, found)
                contested.setdefault(found.id, []).append(question)
        by_weight = sorted(contested, key=lambda id: -sum(len(q.logged.lines) for q in contested[id]))
        return [(shown[id], contested[id]) for id in by_weight]


def replayed(
    guard: Checker, log: Log, known: Known, progress: Progress | None = None, max_seconds: float | None = None
) -> Replay:
    """Check what was retrieved for each question, and say which are contested.

    After ``max_seconds`` the questions that are left are unverified.  ``progress(done, total)`` counts questions.
    """
    begun = time.monotonic()
    questions: list[Question] = []
    warnings: list[str] = []
    errors = list(log.errors)
    for done, logged in enumerate(log.questions):
        if progress:
            progress(done, len(log.questions))
        if max_seconds is not None and time.monotonic() - begun > max_seconds:
            questions.append(Question(logged, (), (Unverified("question", "deadline reached before it was checked"),)))
            continue
        try:
            question, wrong = _checked(guard, logged, known)
        except PassageGuardError as error:
            errors.append(f"{log.name}: line {logged.lines[0]}: {error}")
            continue
        questions.append(question)
        warnings += [f"{log.name}: line {logged.lines[0]}: {each}" for each in wrong]
    return Replay(log.name, tuple(questions), tuple(warnings), tuple(errors))


def _checked(guard: Checker, logged: Logged, known: Known) -> tuple[Question, Sequence[str]]:
    if not logged.passages:
        return Question(logged, (), _without_text(logged)), ["nothing was retrieved"] * (not logged.without_text)
    documents = [Document(str(p.metadata["path"]), (p,)) for p in logged.passages]
    passages, warnings = declared.resolved(documents)
    verdict = guard.check(passages, logged.question)
    found = reviews.apply(findings(verdict.conflicts, documents, passages), known.reviews)
    found = baseline.accepted(found, known.baseline or {})
    asked = content_words(logged.question)
    most = max((len(asked & content_words(s.text)) for p in passages for s in segment(p)), default=0)
    contests = [_contest(each, asked, most, logged.answers) for each in found]
    contests.sort(key=lambda c: (not c.bears, -c.finding.score))
    return Question(logged, tuple(contests), (*verdict.unverified, *_without_text(logged))), warnings


def _without_text(logged: Logged) -> tuple[Unverified, ...]:
    n = logged.without_text
    return (Unverified("passages", f"{n} of {n + len(logged.passages)} hold no text"),) if n else ()


def _contest(found: Finding, asked: frozenset[str], most: int, answers: Sequence[str]) -> Contest:
    sides = Counter(filter(None, (side_of(answer, found) for answer in answers)))
    shared = max(len(asked & content_words(f"{q.heading or ''} {q.text}")) for q in (found.a, found.b))
    bears = bool(sides) or found.type is ConflictType.ANSWER or 2 * shared > most or not asked
    found = found if bears else replace(found, severity=Severity.NOTE)
    return Contest(found, bears, dict(sorted(sides.items())))


def side_of(answer: str, found: Finding) -> str:
    """Return the side, ``a`` or ``b``, whose own words an answer says, and nothing where it says neither or both."""
    marks = differing(found.a.text, found.b.text)
    said = {
        side: bool(ranges) and all(_says(answer, quote.text[start:end]) for start, end in ranges)
        for side, quote, ranges in zip("ab", (found.a, found.b), marks, strict=True)
    }
    return next((side for side in said if list(said.values()) == [side == "a", side == "b"]), "")


def _says(answer: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", answer, re.IGNORECASE) is not None
