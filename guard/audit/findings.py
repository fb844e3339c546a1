"""What an audit found, as something with a life: a stable id, a severity, both quotes in place, and what to do.

The id is a fingerprint of what is quoted and of nothing else: neither path nor line nor score nor type enters it, so
it survives a document that moves or is renamed, text edited elsewhere in it, another start folder and another model.
Two copies of a document therefore share ids; who keeps a list of ids must count (`guard.audit.baseline` does).
Findings about one claim become one with many places in `guard.audit.clusters`.
Pure: reads no files.  Knows nothing about formats.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from detectors.evidence import Benign, Conflict, ConflictType, Passage, Span, WhyNot
from guard.trust import Trust, TrustRules, ordering

from . import declared
from .passages import Document

ERROR_SCORE, WARNING_SCORE = 0.9, 0.7  # calibrated scores, chosen by hand
NEEDS_JUDGEMENT = frozenset((ConflictType.ANSWER, ConflictType.CONDITIONAL, ConflictType.STATEMENT))
ID_DIGITS = 16
CONTEXT_CHARS = 160  # of the same paragraph, before and after a quote


class Severity(StrEnum):
    """How much a finding matters, the gravest first; the names are those of SARIF's levels."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class State(StrEnum):
    """Whether somebody has dealt with a finding.  Only new ones count for the exit code."""

    NEW = "new"
    ACCEPTED = "accepted"  # listed in the baseline
    SUPPRESSED = "suppressed"  # by a comment in a document
    DISMISSED = "dismissed"  # in review


QUIET = tuple(state for state in State if state is not State.NEW)


@dataclass(frozen=True, slots=True)
class Quote:
    """A quoted span and where it stands.  Lines and pages count from 1 and are None where the format has none.

    ``before`` and ``after`` are what stands around it in the same paragraph, cut with an ellipsis.
    """

    passage_id: str
    start: int
    end: int
    text: str
    path: str
    line: int | None = None
    end_line: int | None = None
    page: int | None = None
    heading: str | None = None
    before: str = ""
    after: str = ""

    @property
    def place(self) -> str:
        """Return ``handbook.md:12`` or ``report.pdf page 3``."""
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where} page {self.page}" if self.page else where


@dataclass(frozen=True, slots=True)
class Preference:
    """The side (``a`` or ``b``) that the documents' own declarations prefer, by which rule, and why in words."""

    side: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A further pair of quotes of a finding: ``a`` says what the finding's first quote says."""

    id: str
    score: float
    a: Quote
    b: Quote


@dataclass(frozen=True, slots=True)
class Finding:
    """Two quotes that cannot both be true, given a third where there is one.

    ``action`` says in one line what to do.  ``state_reason`` says why the finding is not new, or what a review said
    of it.  ``more`` are weaker pairs about the claim of ``a``.
    """

    id: str
    type: ConflictType
    severity: Severity
    score: float
    explanation: str
    detectors: tuple[str, ...]
    a: Quote
    b: Quote
    given: Quote | None
    preferred: Preference | None
    action: str
    state: State = State.NEW
    state_reason: str = ""
    more: tuple[Pair, ...] = ()

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Return all pairs, the strongest first."""
        return (Pair(self.id, self.score, self.a, self.b), *self.more)

    @property
    def repeats(self) -> tuple[Quote, ...]:
        """Return the further places of the claim of ``a``."""
        return tuple(dict.fromkeys(pair.a for pair in self.more if pair.a != self.a))

    @property
    def against(self) -> tuple[Quote, ...]:
        """Return what contradicts that claim beside ``b``."""
        return tuple(dict.fromkeys(pair.b for pair in self.more if pair.b != self.b))

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """Return every quote: both sides, the third statement if there is one, and the further places."""
        return (self.a, self.b, *((self.given,) if self.given else ()), *self.repeats, *self.against)

    @property
    def sides(self) -> tuple[Quote, Quote]:
        """Return the side to correct first, as far as that is known, and the other."""
        return (self.b, self.a) if self.preferred and self.preferred.side == "a" else (self.a, self.b)

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the documents of both sides, sorted, each once."""
        return tuple(sorted({quote.path for pair in self.pairs for quote in (pair.a, pair.b)}))


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two quotes that look contradictory and are not."""

    why_not: WhyNot
    score: float
    a: Quote
    b: Quote


class Places:
    """Where the passages of some documents stand.  ``passages`` are those that were checked, by id."""

    def __init__(self, documents: Iterable[Document], passages: Iterable[Passage]) -> None:
        self._homes = {p.id: d for d in documents for p in d.passages}
        self._passages = {p.id: p for p in passages}

    def quote(self, span: Span) -> Quote:
        """Return the span with its place."""
        passage, home = self._passages[span.passage_id], self._homes[span.passage_id]
        line, last = home.line_of(passage, span.start), home.line_of(passage, max(span.start, span.end - 1))
        metadata = passage.metadata
        return Quote(
            span.passage_id, span.start, span.end, span.text, home.path, line, max(line, last or 0) if line else None,
            metadata.get("page"), metadata.get("heading"), *_context(passage.text, span.start, span.end),
        )  # fmt: skip


def findings(
    conflicts: Iterable[Conflict], documents: Sequence[Document], passages: Sequence[Passage]
) -> tuple[Finding, ...]:
    """Return the conflicts as findings, the highest score first.

    ``passages`` are those of the documents with usable metadata, as `guard.audit.declared.resolved` returns them.
    Raises `ConfigError` where declarations of ``supersedes`` go in a circle.
    """
    found = sorted(conflicts, key=lambda c: -c.score)
    trust = ordering(passages, TrustRules()) if found else {}
    places = Places(documents, passages)
    return tuple(_finding(conflict, places, trust) for conflict in found)


def look_alikes(
    benign: Iterable[Benign], documents: Sequence[Document], passages: Sequence[Passage]
) -> tuple[LookAlike, ...]:
    """Return the benign pairs with their places."""
    places = Places(documents, passages)
    return tuple(LookAlike(b.why_not, b.score, places.quote(b.a), places.quote(b.b)) for b in benign)


def fingerprint(a: str, b: str, given: str | None = None) -> str:
    """Return the id of a finding: 16 hexadecimal digits that depend on the words quoted, not on their order of sides.

    >>> fingerprint("14 days.", "30\\n days.") == fingerprint("30 days.", "14 days.")
    True
    """
    key = [*sorted((normalised(a), normalised(b))), *([normalised(given)] if given is not None else [])]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:ID_DIGITS]


def normalised(text: str) -> str:
    """Return the text with single spaces, composed characters, and without invisible ones such as soft hyphens."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(c for c in composed if unicodedata.category(c) != "Cf").split())


def severity(type: ConflictType, score: float) -> Severity:
    """Return the severity: by score, and one step lower for types that take judgement to confirm.

    >>> severity(ConflictType.VALUE, 0.95), severity(ConflictType.STATEMENT, 0.95)
    (<Severity.ERROR: 'error'>, <Severity.WARNING: 'warning'>)
    """
    step = (score < ERROR_SCORE) + (score < WARNING_SCORE) + (type in NEEDS_JUDGEMENT)
    return list(Severity)[min(step, 2)]


def _finding(conflict: Conflict, places: Places, trust: Mapping[str, Trust]) -> Finding:
    a, b = places.quote(conflict.a), places.quote(conflict.b)
    given = places.quote(conflict.given) if conflict.given else None
    preferred = _preference(a, b, trust)
    return Finding(
        fingerprint(a.text, b.text, given.text if given else None), conflict.type,
        severity(conflict.type, conflict.score), conflict.score, conflict.explanation, conflict.detectors, a, b, given,
        preferred, _action(a, b, given, preferred),
    )  # fmt: skip


def _context(text: str, start: int, end: int) -> tuple[str, str]:
    """Return what stands before and after in the same paragraph, whole words of it."""
    before, after = text[:start].rpartition("\n\n")[2], text[end:].partition("\n\n")[0]
    if len(before) > CONTEXT_CHARS:
        before = "… " + before[-CONTEXT_CHARS:].partition(" ")[2]
    if len(after) > CONTEXT_CHARS:
        after = after[:CONTEXT_CHARS].rpartition(" ")[0] + " …"
    return before, after


def _preference(a: Quote, b: Quote, trust: Mapping[str, Trust]) -> Preference | None:
    choice = declared.preferred(trust, a.passage_id, b.passage_id) if a.passage_id != b.passage_id else None
    if choice is None:
        return None
    winner, rule = choice
    side, loser = ("a", b) if winner == a.passage_id else ("b", a)
    return Preference(side, rule, _reason(rule, trust[winner], trust[loser.passage_id]))


def _reason(rule: str, winner: Trust, loser: Trust) -> str:
    meaning = f"it {declared.MEANING[rule]}"
    if rule == "authority":
        return f"{meaning}: {winner.authority:g} against {loser.authority:g}"
    if rule == "date" and winner.date and loser.date:
        return f"{meaning}: {winner.date.date()} against {loser.date.date()}"
    return meaning


def _action(a: Quote, b: Quote, given: Quote | None, preferred: Preference | None) -> str:
    if given:
        return "Read the three statements together, and correct the one that does not hold."
    if preferred:
        right, wrong = (a, b) if preferred.side == "a" else (b, a)
        return f"Correct {wrong.place} to agree with {right.place}."
    if a.path == b.path:
        return f"Find out which of the two statements in {a.path} is right, and correct the other."
    return f"Find out whether {a.path} or {b.path} is right, and correct the other."
