"""An audit from documents to report: check, findings, what was dealt with, clusters.

Whom a finding waits for is settled in this order: a comment in a document, a review, the baseline.
Knows nothing about files and options.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detectors.evidence import Passage
from guard.verdict import Verdict

from . import baseline, declared, reviews, suppressions
from .baseline import Baseline
from .clusters import joined
from .findings import Finding, findings, look_alikes
from .passages import Document
from .report import Report, Source
from .reviews import Reviews

Progress = Callable[[int, int], None]


class Checker(Protocol):
    """What an audit needs of a `Guard`."""

    def check(self, passages: Sequence[Passage], *, progress: Progress | None = None) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What people have said before: the baseline (None: without one) and the reviews."""

    baseline: Baseline | None = None
    reviews: Reviews = field(default_factory=dict)


def audited(
    guard: Checker,
    documents: Sequence[Document],
    errors: Sequence[str],
    known: Known,
    changed: Collection[str] | None = None,
    progress: Progress | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Check the documents and return what there is to report.

    ``errors`` name what could not be read, ``notes`` are further warnings.
    Where ``changed`` is given, only findings that touch these paths count, and
    nothing is said of what no longer occurs.
    """
    passages, warnings = declared.resolved(documents)
    verdict = guard.check(passages, progress=progress)
    found = _touching(changed, findings(verdict.conflicts, documents, passages))
    comments = [each for document in documents for each in document.suppressions]
    found, unused = suppressions.apply(found, comments)
    found = reviews.apply(found, known.reviews)
    accepted = known.baseline or {}
    found = baseline.accepted(found, accepted)
    is_whole = changed is None
    unneeded = [f"{each.place}: suppression that no finding needs; remove it" for each in unused if is_whole]
    return Report(
        [Source(d.path, len(d.passages)) for d in documents],
        joined(found),
        look_alikes(verdict.benign, documents, passages),
        verdict.unverified,
        [*notes, *(w for d in documents for w in d.warnings), *warnings, *unneeded],
        errors,
        stale=baseline.stale(found, accepted) if known.baseline is not None and is_whole else None,
    )


def _touching(changed: Collection[str] | None, found: Sequence[Finding]) -> list[Finding]:
    return [f for f in found if changed is None or any(quote.path in changed for quote in f.quotes)]
