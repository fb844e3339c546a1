"""The guard that an audit asks: surer in a large collection, able to look at some pairs alone, and to plan.

The shipped threshold is for retrieved sets, of which many hold a conflict.  Where many pages are compared, most of what
looks like one is about sibling things, so each type of conflict has a higher threshold there.

Knows nothing about documents.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from detectors import calibration, nli
from detectors.comparison import readable
from detectors.encoder import Encoder
from detectors.evidence import Passage, Sentence, SentencePair, Unverified
from detectors.recalibration import Recalibration
from detectors.scoring import score_pairs
from detectors.store import StoredScorer
from guard.config import GuardConfig
from guard.pipeline import Guard, deadline, validated

LARGE = 200  # passages from which a collection is large
SAMPLE = 256  # pairs that are scored to estimate the rate


@dataclass(frozen=True, slots=True)
class Plan:
    """What a check would do.  ``new_pairs`` are those whose scores are not stored yet; ``pairs_per_s`` is measured on
    some of them, 0 where there are none.
    """

    sentences: int
    pairs: int
    new_pairs: int
    pairs_per_s: float
    unverified: tuple[Unverified, ...]

    @property
    def seconds(self) -> float:
        """Return how long the new pairs take at that rate."""
        return self.new_pairs / self.pairs_per_s if self.pairs_per_s else 0.0


class AuditGuard(Guard):
    """`Guard` for a collection of ``n_passages``.

    It compares only the pairs with a side in the passages ``focus``, given by id; None is all.
    Its own model is steady: a score depends on nothing but the pair.  ``at_once`` pairs are scored at a time.
    ``deadline_s`` counts from now.
    """

    def __init__(
        self,
        config: GuardConfig,
        n_passages: int,
        focus: Collection[str] | None = None,
        *,
        encoder: Encoder | None = None,
        scorer: nli.Scorer | None = None,
        at_once: int | None = None,
    ) -> None:
        super().__init__(replace(config, max_pairs=sys.maxsize), encoder=encoder, scorer=scorer)
        self._max_pairs, self._focus = config.max_pairs, focus
        self._left, self._at_once = deadline(config.deadline_s), at_once
        self.is_cautious = n_passages > LARGE and config.threshold is None and config.calibration is None

    @cached_property
    def scorer(self) -> nli.Scorer:
        """What scores pairs."""
        return self._given_scorer or steady_model(self.config)

    @cached_property
    def _recalibration(self) -> Recalibration:
        found = super()._recalibration
        return replace(found, by_type=calibration.load().large_collection) if self.is_cautious else found

    def _left_s(self) -> Callable[[], float]:
        return self._left

    def plan(self, passages: Sequence[Passage]) -> Plan:
        """Return what `check` would do, with the rate of scoring as measured on a sample.  Raises as `check` does."""
        sentences, not_read = self._sentences(validated(passages, None, self.config))
        pairs, not_paired = self._candidates(sentences)
        scorer = self.scorer if "nli" in self.config.detectors else None
        new = _not_stored(pairs, scorer)
        sample = new[:: max(1, len(new) // SAMPLE)][:SAMPLE]
        begun = time.perf_counter()
        for _ in score_pairs(sample, scorer, "values" in self.config.detectors, self._calibration):
            pass
        rate = len(sample) / (time.perf_counter() - begun) if sample else 0.0
        return Plan(len(sentences), len(pairs), len(new), rate, (*not_read, *not_paired))

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


def steady_model(config: GuardConfig) -> nli.NLIModel:
    """Return the configured model in its steady form.  Raises `ModelError`."""
    return nli.NLIModel.like(nli.load(config.model, config.device), steady=True)


def _not_stored(pairs: Sequence[SentencePair], scorer: nli.Scorer | None) -> Sequence[SentencePair]:
    if not isinstance(scorer, StoredScorer):
        return pairs
    return [pairs[i] for i in scorer.missing([(readable(p.a), readable(p.b)) for p in pairs])]
