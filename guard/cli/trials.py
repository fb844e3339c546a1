"""``passageguard eval --inject`` and ``--consistency``: a section of the report from documents, and from rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detectors.errors import ConfigError, InputError
from detectors.evidence import Passage
from guard.audit import declared

from .audit import read_all

if TYPE_CHECKING:
    from guard import Guard
    from guard.evaluation.datasets import Example, SetExample
    from guard.evaluation.evaluate import StartProgress
    from guard.evaluation.inject import Planting
    from guard.evaluation.table import Resampling

LIMIT = 20  # planted sets of each shape and edit, unless told


@dataclass(frozen=True, slots=True)
class Trial:
    """Documents that were read, and what is planted in them; nothing is checked yet."""

    folder: Path
    documents: int
    passages: Sequence[Passage]
    unread: Sequence[str]
    planting: Planting
    limit: int

    @classmethod
    def of(cls, folder: Path, limit: int | None, seed: int, start: StartProgress) -> Trial:
        """Read the documents as ``audit`` does.  Raises `InputError` where nothing can be read or planted."""
        from guard.evaluation.inject import inject_each

        documents, unread = read_all([folder])
        passages, _ = declared.resolved(documents)
        most = limit or LIMIT
        planting = inject_each(passages, most, seed, start("passages to edit", len(passages)))
        if not any(i.contradicting for i in planting.injections):
            raise InputError(
                f"{folder}: no contradiction can be planted in its {planting.sentences:,} sentences, "
                f"{planting.editable:,} of them plain English statements; give documents with more running text"
            )
        return cls(folder, len(documents), passages, unread, planting, most)

    def run(self, guard: Guard, resampling: Resampling, start: StartProgress) -> dict[str, Any]:
        """Check what was planted and return what the report says of it (see `guard.evaluation.corpus_report`)."""
        from guard.evaluation import corpus, corpus_report

        begun, calls = time.monotonic(), guard.scorer.calls
        answers, untouched = corpus.measure(guard, self.passages, self.planting, start)
        return {
            "folder": str(self.folder),
            "documents": self.documents,
            "passages": len(self.passages),
            "unread": list(self.unread),
            "limit": self.limit,
            "nli_calls": guard.scorer.calls - calls,
            "seconds": round(time.monotonic() - begun, 1),
            **corpus_report.section(self.planting, answers, untouched, resampling),
        }


def set_examples(examples: Sequence[Example]) -> list[SetExample]:
    """Return the rows that have passages.  Raises `ConfigError` where there is none."""
    from guard.evaluation.datasets import SetExample

    rows = [e for e in examples if isinstance(e, SetExample)]
    if not rows:
        raise ConfigError("--consistency transforms passages, and NLI pairs have none; give sets, texts or suite pairs")
    return rows


def consistency_of(
    guard: Guard, rows: Sequence[SetExample], resampling: Resampling, start: StartProgress
) -> dict[str, Any]:
    """Transform the rows and return what the report says of it (see `guard.evaluation.consistency_report`)."""
    from guard.evaluation import consistency, consistency_report

    begun, calls = time.monotonic(), guard.scorer.calls
    outcomes = consistency.measure(guard, rows, resampling.seed, start)
    calls, seconds = guard.scorer.calls - calls, round(time.monotonic() - begun, 1)
    return {"nli_calls": calls, "seconds": seconds, **consistency_report.section(outcomes, resampling)}
