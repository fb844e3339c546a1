"""The guard that an audit asks: surer in a large collection, able to look at some pairs alone, and to plan.

The shipped threshold is for retrieved sets, of which many hold a conflict.  Where many pages are compared, most of what
looks like one is about sibling things, so each type of conflict has a higher threshold there.

Knows nothing about documents.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from detectors import calibration
from detectors.evidence import Passage, Sentence, SentencePair, Unverified
from detectors.recalibration import Recalibration
from detectors.scoring import score_pairs
from guard.config import GuardConfig
from guard.pipeline import Guard, validated

LARGE = 200  # passages from which a collection is large
SAMPLE = 256  # pairs that are scored to estimate the rate


@dataclass(frozen=True, slots=True)
class Plan:
    """What a check would do.  ``pairs_per_s`` is measured on some of the pairs, 0 where there are none."""

    sentences: int
    pairs: int
    pairs_per_s: float
    unverified: tuple[Unverified, ...]

    @property
    def seconds(self) -> float:
        """Return how long the pairs take at that rate."""
        return self.pairs / self.pairs_per_s if self.pairs_per_s else 0.0


class AuditGuard(Guard):
    """`Guard` for a collection of ``n_passages``.

    It compares only the pairs with a side in the passages ``focus``, given by id; None is all.
    """

    def __init__(self, config: GuardConfig, n_passages: int, focus: Collection[str] | None = None) -> None:
        super().__init__(replace(config, max_pairs=sys.maxsize))
        self._max_pairs, self._focus = config.max_pairs, focus
        self.is_cautious = n_passages > LARGE and config.threshold is None and config.calibration is None

    @cached_property
    def _recalibration(self) -> Recalibration:
        found = super()._recalibration
        return replace(found, by_type=calibration.load().large_collection) if self.is_cautious else found

    def plan(self, passages: Sequence[Passage]) -> Plan:
        """Return what `check` would do, with the rate of scoring as measured on a sample.  Raises as `check` does."""
        sentences, not_read = self._sentences(validated(passages, None, self.config))
        pairs, not_paired = self._candidates(sentences)
        sample = pairs[:: max(1, len(pairs) // SAMPLE)][:SAMPLE]
        nli = self.scorer if "nli" in self.config.detectors else None
        begun = time.perf_counter()
        for _ in score_pairs(sample, nli, "values" in self.config.detectors, self._calibration):
            pass
        rate = len(sample) / (time.perf_counter() - begun) if sample else 0.0
        return Plan(len(sentences), len(pairs), rate, (*not_read, *not_paired))

    def _candidates(self, sentences: Sequence[Sentence]) -> tuple[list[SentencePair], tuple[Unverified, ...]]:
        """Choose before the limit is applied, which is for the pairs that are looked at."""
        if self._focus is not None and not self._focus:
            return [], ()
        pairs, _ = super()._candidates(sentences)
        if self._focus is not None:
            pairs = [p for p in pairs if p.a.passage_id in self._focus or p.b.passage_id in self._focus]
        left = len(pairs) - self._max_pairs
        if left <= 0:
            return pairs, ()
        reason = f"max_pairs reached: the {left} least similar of {len(pairs)} sentence pairs not scored"
        return pairs[: self._max_pairs], (Unverified("pairs", reason),)
