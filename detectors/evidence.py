"""The evidence: what is compared and what was found.  Frozen, plain, shared by every layer.

Knows nothing about models, policies, HTTP or LLMs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ConflictType(StrEnum):
    """What two spans disagree about.  Decides the policy that applies."""

    VALUE = "value"  # a number, amount, percentage, duration or version differs
    DATE = "date"  # a calendar date or year of the same event differs
    NEGATION = "negation"  # one side denies what the other states
    ANTONYM = "antonym"  # opposite words in the same slot: mandatory / optional
    ENTITY = "entity"  # another name stands in the same slot
    ANSWER = "answer"  # the passages answer the yes/no question differently
    CONDITIONAL = "conditional"  # incompatible only given a third passage
    STATEMENT = "statement"  # contradictory in another way


class WhyNot(StrEnum):
    """Why two statements that look contradictory are not: the benign shapes of `detectors.scope`."""

    RESTATEMENT = "restatement"  # the same values, written in two ways
    SCOPE = "scope"  # another group, place or period
    PARTIAL = "partial"  # a part against the whole
    DIFFERENT_SUBJECTS = "different_subjects"  # another ticket, version or product
    OTHER_TOPIC = "other_topic"  # each passage is speaking of something else
    NAME_ONLY = "name_only"  # nothing but a name is shared, which two things may bear
    TABLE_ROWS = "table_rows"  # two rows of one table
    SIBLINGS = "siblings"  # parallel statements, steps or cases of one document
    HYPOTHETICAL = "hypothetical"  # one side is a condition that is not said to hold
    REPORTED = "reported"  # one side is somebody's claim
    OPINION = "opinion"  # one side is somebody's view or taste
    TEMPORAL = "temporal"  # planned, then done; true until then, and now otherwise
    REFINEMENT = "refinement"  # one side says the same more exactly
    EXCEPTION = "exception"  # the rule names the exception
    LIST_VALUED = "list_valued"  # both can hold


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrieved text.  ``metadata`` is kept as given; `guard.trust` reads a few keys of it."""

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """``text == passage.text[start:end]``; offsets are in characters (code points), end exclusive."""

    passage_id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item, heading or table row of a passage.

    ``context`` is text that the sentence needs to be understood (the headings above it, a table's header
    row) and may be empty.  ``kind`` is ``prose``, ``heading``, ``item``, ``row`` or ``code``.  ``before`` is the
    sentence before, where this one opens with a pronoun that stands for something in it.  ``subject`` holds the
    words of the name that the sentence speaks of (`detectors.subjects`), empty where that is not sure;
    ``names_subject`` says whether the sentence opens with that name itself.  ``headings`` holds the words of all
    headings above, those of the document too; ``entry`` what the nearest one is about, where the sentence says nothing
    without it (`detectors.entries`).  ``document`` names the document that the passage is a part of, where known.
    """

    span: Span
    context: str = ""
    kind: str = "prose"
    before: str = ""
    subject: frozenset[str] = frozenset()
    names_subject: bool = False
    headings: frozenset[str] = frozenset()
    entry: frozenset[str] = frozenset()
    document: str = ""

    @property
    def text(self) -> str:
        return self.span.text

    @property
    def passage_id(self) -> str:
        return self.span.passage_id


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two sentences about the same thing.  ``similarity`` is the cosine of their embeddings, -1..1."""

    a: Sentence
    b: Sentence
    similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """What the detectors say of one pair of sentences.

    ``score`` is the calibrated probability, 0..1, that both cannot be true.  ``suspicion`` is what it would be
    without the benign shape ``why_not`` that speaks loudest against a conflict (``score`` itself without one).
    ``detectors`` names those that fired; ``given`` is the third span of a conditional conflict; ``clash`` is what a
    detector says clashes, for where the rules see nothing in particular.
    """

    pair: SentencePair
    score: float
    detectors: tuple[str, ...] = ()
    why_not: WhyNot | None = None
    suspicion: float = 0.0
    given: Span | None = None
    clash: Finding | None = None

    @property
    def passage_ids(self) -> tuple[str, str]:
        return self.pair.a.passage_id, self.pair.b.passage_id


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector says of one pair.  ``strength`` is that detector's own 0..1, not calibrated."""

    type: ConflictType
    strength: float
    explanation: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two spans that cannot both be true.  A self-contradiction has the same passage on both sides.

    ``score`` is calibrated, 0..1.  ``detectors`` names those that fired.  ``given`` is the third span of a
    conditional conflict.
    """

    type: ConflictType
    score: float
    a: Span
    b: Span
    explanation: str
    detectors: tuple[str, ...]
    given: Span | None = None

    @property
    def is_self_contradiction(self) -> bool:
        return self.a.passage_id == self.b.passage_id


@dataclass(frozen=True, slots=True)
class Benign:
    """Two spans that look contradictory and are not, with the reason.

    ``score`` is the calibrated one, below the threshold; without ``why_not`` it would be above.
    """

    why_not: WhyNot
    score: float
    a: Span
    b: Span


@dataclass(frozen=True, slots=True)
class Unverified:
    """Something that was not checked.  ``subject`` is a passage id, a detector's name or ``pairs``."""

    subject: str
    reason: str
