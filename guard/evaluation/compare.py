"""Two evaluations of the same rows: which answers flipped.

A negative flip is a row that was right before and is wrong now; its rate is the share of such rows among all
("Positive-congruent training", arXiv 2011.09161; "MUSCLE", arXiv 2407.09435).  A rising accuracy may hide many of them.
Knows nothing about models: rows are the ``rows`` of a JSON report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectors.errors import InputError

Key = tuple[str, str, str]
Row = Mapping[str, Any]
FIELDS = ("kind", "source", "id", "label", "predicted", "score")


@dataclass(frozen=True, slots=True)
class Flip:
    """One row whose answer turned right or wrong."""

    kind: str
    source: str
    id: str
    label: str
    before: str
    now: str
    score_before: float
    score_now: float


@dataclass(frozen=True, slots=True)
class Flips:
    """The flips among ``rows`` rows."""

    rows: int
    negative: tuple[Flip, ...]
    positive: tuple[Flip, ...]

    @property
    def negative_rate(self) -> float:
        """Share of all rows, 0..1."""
        return len(self.negative) / self.rows

    @property
    def positive_rate(self) -> float:
        return len(self.positive) / self.rows

    def of(self, kind: str, source: str, rows: int) -> Flips:
        """Return the flips of one source, which has ``rows`` rows."""
        sides = (self.negative, self.positive)
        return Flips(rows, *(tuple(f for f in side if (f.kind, f.source) == (kind, source)) for side in sides))


def read_report(path: Path) -> dict[str, Any]:
    """Read a JSON report.  Raises `InputError` for anything else."""
    try:
        report: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a JSON report; write one with passageguard eval … -o FILE.json") from error
    rows = report.get("rows") if isinstance(report, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and set(FIELDS) <= set(r) for r in rows):
        raise InputError(f"{path}: not a report of passageguard eval: no rows with {', '.join(FIELDS)}")
    return dict(report)


def require_same_rows(old: Sequence[Row], labels: Mapping[Key, str], name: str) -> None:
    """Raise `InputError` unless ``old`` holds exactly the keys of ``labels``, labelled alike."""
    before = {key_of(row): row["label"] for row in old}
    missing, extra = [k for k in labels if k not in before], [k for k in before if k not in labels]
    if missing or extra:
        first = "/".join((missing or extra)[0])
        raise InputError(
            f"{name}: measured on other rows: {len(missing)} of these {len(labels)} are not in it, it has {len(extra)} "
            f"others (first: {first}); use the same files, --half, --limit and --seed"
        )
    changed = [k for k in labels if labels[k] != before[k]]
    if changed:
        raise InputError(
            f"{name}: {len(changed)} rows were labelled otherwise (first: {'/'.join(changed[0])}); measure the old "
            "version on the present labels"
        )


def compare(old: Sequence[Row], new: Sequence[Row]) -> Flips:
    """Return what flipped between two runs over the same rows."""
    before = {key_of(row): row for row in old}
    pairs = [(before[key_of(row)], row) for row in new]
    return Flips(
        len(pairs),
        tuple(_flip(a, b) for a, b in pairs if _right(a) and not _right(b)),
        tuple(_flip(a, b) for a, b in pairs if _right(b) and not _right(a)),
    )


def key_of(row: Row) -> Key:
    """Return what identifies a row in every run."""
    return str(row["kind"]), str(row["source"]), str(row["id"])


def by_source(flips: Flips, rows: Iterable[Row]) -> dict[tuple[str, str], Flips]:
    """Return the flips of each (kind, source)."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = str(row["kind"]), str(row["source"])
        counts[key] = counts.get(key, 0) + 1
    return {key: flips.of(*key, count) for key, count in sorted(counts.items())}


def _right(row: Row) -> bool:
    return bool(row["predicted"] == row["label"])


def _flip(old: Row, new: Row) -> Flip:
    return Flip(
        *key_of(new), new["label"], old["predicted"], new["predicted"], float(old["score"]), float(new["score"])
    )
