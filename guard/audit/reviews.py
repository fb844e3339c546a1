"""What people said of findings, in a file of JSON Lines that is committed beside the documents.

A line is a labelled row as `guard.evaluation.datasets` reads it, so that the file is what ``passageguard calibrate``
and ``eval`` take: confirmed and resolved findings are conflicts, dismissed ones consistent.  It holds the quotes with
the headings above them, the verdict, the reason and the day.  Keyed by a finding's id; the last word on an id counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from detectors.errors import InputError

from . import records
from .findings import Finding, Pair, Quote, State
from .wording import printable


class Verdict(StrEnum):
    """What a reviewer may say of a finding."""

    CONFIRMED = "confirmed"  # a contradiction, still to be corrected
    DISMISSED = "dismissed"  # no contradiction
    RESOLVED = "resolved"  # it was one, and the documents were corrected


@dataclass(frozen=True, slots=True)
class Review:
    """One verdict.  ``date`` is a day as ``2026-11-24``; ``row`` is the labelled row, the other fields included."""

    id: str
    verdict: Verdict
    reason: str
    date: str
    row: Mapping[str, Any]

    @property
    def said(self) -> str:
        """Return "dismissed on 2026-11-24: another product"."""
        again = ", and here again" if self.verdict is Verdict.RESOLVED else ""
        return f"{self.verdict} on {self.date}{again}" + (f": {self.reason}" if self.reason else "")


Reviews = Mapping[str, Review]


def of(found: Finding, verdict: Verdict, reason: str, date: str) -> list[Review]:
    """Return a review for each id of the finding."""
    pairs = {pair.id: pair for pair in reversed(found.pairs)}
    return [Review(pair.id, verdict, reason, date, _row(found, pair, verdict, reason, date)) for pair in pairs.values()]


def resolved(review: Review, reason: str, date: str) -> Review:
    """Return the review of a finding that is gone since, as resolved."""
    row = {**review.row, "label": "conflict", "verdict": Verdict.RESOLVED.value, "reason": reason, "date": date}
    return Review(review.id, Verdict.RESOLVED, reason, date, row)


def load(file: Path) -> Reviews:
    """Read a file of reviews.  Raises `InputError` naming file, line and field."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; passageguard review writes one") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a file of reviews: {error}") from error
    found = (_review(f"{file}, line {n}", line) for n, line in enumerate(lines, 1) if line.strip())
    return {review.id: review for review in found}


def dump(reviews: Reviews) -> str:
    """Return the file's text, one line for each id, sorted."""
    return "".join(json.dumps(reviews[id].row, ensure_ascii=False) + "\n" for id in sorted(reviews))


def apply(findings: Sequence[Finding], reviews: Reviews) -> list[Finding]:
    """Return the findings, those dismissed as such; what was confirmed, or resolved and is here again, says so."""
    return [_reviewed(found, reviews.get(found.id)) for found in findings]


def _reviewed(found: Finding, review: Review | None) -> Finding:
    if review is None or found.state is not State.NEW:
        return found
    state = State.DISMISSED if review.verdict is Verdict.DISMISSED else State.NEW
    return replace(found, state=state, state_reason=review.said)


def _row(found: Finding, pair: Pair, verdict: Verdict, reason: str, date: str) -> dict[str, Any]:
    is_conflict = verdict is not Verdict.DISMISSED
    said = {"verdict": verdict.value, "reason": reason, "date": date, "score": round(pair.score, 4)}
    head = {"id": pair.id, "label": "conflict" if is_conflict else "consistent", "type": found.type.value}
    if found.given is None:
        return {
            **head, "a": printable(pair.a.text), "b": printable(pair.b.text), "context_a": _context(pair.a),
            "context_b": _context(pair.b), **said, "place_a": pair.a.path, "place_b": pair.b.path,
        }  # fmt: skip
    quotes = {"a": pair.a, "b": pair.b, "given": found.given}
    return {
        **head,
        "passages": [{"id": side, "text": printable(q.text), "place": q.path} for side, q in quotes.items()],
        "conflicts": [{side: {"passage": side, "quote": printable(q.text)} for side, q in quotes.items()}]
        if is_conflict else [],
        **said,
    }  # fmt: skip


def _context(quote: Quote) -> str:
    return " > ".join(part.strip() for part in (quote.heading or "").split("›") if part.strip())


def _review(where: str, line: str) -> Review:
    try:
        row = records.load(line, where)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not valid JSON: {error}") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: must be a JSON object, not {type(row).__name__}")
    for name in ("id", "verdict", "reason", "date"):
        if not isinstance(row.get(name), str):
            raise InputError(f'{where}: "{name}" is missing or not a string; passageguard review writes it')
    if row["verdict"] not in set(Verdict):
        raise InputError(f'{where}: "verdict" must be {", ".join(Verdict)}, not {row["verdict"]!r:.60}')
    return Review(row["id"], Verdict(row["verdict"]), row["reason"], row["date"], row)


def merged(old: Reviews, new: Iterable[Review]) -> Reviews:
    """Return the reviews with the new ones in place of older ones."""
    return {**old, **{review.id: review for review in new}}
