"""The path of a request: passages in, verdict out.  Read `Guard.check` first.

Knows nothing about wire formats.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from detectors import conditional, conflict, encoder, nli, stance
from detectors.candidates import candidate_pairs
from detectors.duplicates import near_duplicates
from detectors.encoder import Encoder
from detectors.errors import InputError
from detectors.evidence import Conflict, ConflictType, Passage, Sentence, SentencePair, Unverified
from detectors.language import unsupported_script_or_language
from detectors.scoring import ScoredPairs, score_pairs
from detectors.segment import segment

from .config import GuardConfig
from .policy import decide
from .remediate import remediate
from .verdict import Status, Verdict

Progress = Callable[[int, int], None]


class Guard:
    """Checks retrieved passages against each other.  Models are loaded once, on first use, and shared.

    ``encoder`` and ``scorer`` may be injected; otherwise they come from the configuration.  Safe to use from
    several threads.

    >>> from guard import Guard, Passage
    >>> verdict = Guard().check([
    ...     Passage("a", "Employees receive 25 days of annual leave."),
    ...     Passage("b", "Employees receive 30 days of annual leave."),
    ... ])
    >>> verdict.status.value, verdict.conflicts[0].type.value
    ('conflict', 'value')
    """

    def __init__(
        self,
        config: GuardConfig | None = None,
        *,
        encoder: Encoder | None = None,
        scorer: nli.NLIModel | None = None,
    ) -> None:
        self.config = config or GuardConfig()
        self._given_encoder = encoder
        self._given_scorer = scorer

    def check(
        self, passages: Sequence[Passage], question: str | None = None, progress: Progress | None = None
    ) -> Verdict:
        """Return what contradicts what, and the repaired context.

        ``progress(done, total)`` is told about sentence pairs.  Raises `InputError` for passages that cannot
        be checked and `ModelError` for a model that cannot be loaded; every other failure is in
        ``verdict.unverified``.
        """
        passages = validated(passages, question, self.config)
        sentences, unverified = self._sentences(passages)
        pairs, over_budget = self._candidates(sentences)
        scored = self._scores(pairs, progress)
        conflicts = self._conflicts(passages, question, sentences, scored)
        clusters = near_duplicates(passages, conflicts)
        decision = decide(conflicts, passages, clusters, self.config.policy)
        kept, removed, notice = remediate(passages, conflicts, decision, self.config.policy.min_passages)
        unverified = (*unverified, *over_budget, *scored.unverified)
        status = Status.CONFLICT if conflicts else Status.UNVERIFIED if unverified else Status.CLEAN
        return Verdict(
            status, conflicts, decision.action, kept, removed, unverified, clusters, notice,
            {"sentences": len(sentences), "pairs": len(scored.pairs)},
        )  # fmt: skip

    async def acheck(self, passages: Sequence[Passage], question: str | None = None) -> Verdict:
        """`check` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.check, passages, question)

    def scores(self, passages: Sequence[Passage], question: str | None = None) -> dict[tuple[str, str], float]:
        """Return the highest calibrated score per pair of passage ids, below the threshold too.

        Keys are in the order of ``passages``; ``(id, id)`` is for contradictions within one passage.
        """
        passages = validated(passages, question, self.config)
        sentences, _ = self._sentences(passages)
        scored = self._scores(self._candidates(sentences)[0], None)
        rank = {p.id: i for i, p in enumerate(passages)}
        best = {(p.id, q.id): 0.0 for i, p in enumerate(passages) for q in passages[i:]}
        for pair, score in zip(scored.pairs, scored.scores, strict=True):
            ids = sorted((pair.a.passage_id, pair.b.passage_id), key=rank.__getitem__)
            best[ids[0], ids[1]] = max(best[ids[0], ids[1]], float(score))
        if "stance" in self.config.detectors:
            for key, score in stance.stance_scores(passages, question, self.scorer).items():
                best[key] = max(best[key], score)
        return best

    @cached_property
    def _encoder(self) -> Encoder:
        return self._given_encoder or encoder.load(self.config.encoder, self.config.device)

    @cached_property
    def scorer(self) -> nli.NLIModel:
        """The loaded NLI model."""
        return self._given_scorer or nli.load(self.config.model, self.config.device)

    @cached_property
    def _calibration(self) -> conflict.Calibration:
        shipped = conflict.load_calibration()
        threshold = self.config.threshold
        return shipped if threshold is None else replace(shipped, threshold=threshold)

    @property
    def threshold(self) -> float:
        """The least calibrated score of a conflict."""
        return self._calibration.threshold

    def _sentences(self, passages: Sequence[Passage]) -> tuple[list[Sentence], tuple[Unverified, ...]]:
        """Segment in order of id, so that the order of passages changes nothing."""
        sentences: list[Sentence] = []
        unverified: list[Unverified] = []
        for passage in sorted(passages, key=lambda p: p.id):
            reason = unsupported_script_or_language(passage.text)
            if reason:
                unverified.append(Unverified(passage.id, f"{reason}; the model was trained on English"))
            else:
                sentences.extend(segment(passage))
        return sentences, tuple(unverified)

    def _candidates(self, sentences: Sequence[Sentence]) -> tuple[list[SentencePair], tuple[Unverified, ...]]:
        if len(sentences) < 2:
            return [], ()
        pairs = candidate_pairs(sentences, self._encoder.encode([s.text for s in sentences]))
        left = len(pairs) - self.config.max_pairs
        if left <= 0:
            return pairs, ()
        reason = f"max_pairs reached: the {left} least similar of {len(pairs)} sentence pairs not scored"
        return pairs[: self.config.max_pairs], (Unverified("pairs", reason),)

    def _scores(self, pairs: Sequence[SentencePair], progress: Progress | None) -> ScoredPairs:
        end = None if self.config.deadline_s is None else time.monotonic() + self.config.deadline_s
        scorer = self.scorer if "nli" in self.config.detectors else None
        use_values = "values" in self.config.detectors
        return score_pairs(
            pairs, scorer, use_values, self._calibration, lambda: end is not None and time.monotonic() > end, progress
        )

    def _conflicts(
        self, passages: Sequence[Passage], question: str | None, sentences: Sequence[Sentence], scored: ScoredPairs
    ) -> tuple[Conflict, ...]:
        threshold = self._calibration.threshold
        found = [
            conflict.describe(pair, float(score), contradiction >= 0.5)
            for pair, score, contradiction in zip(scored.pairs, scored.scores, scored.contradiction, strict=True)
            if score >= threshold
        ]
        by_id = {p.id: p for p in passages}
        if "stance" in self.config.detectors:
            for (a, b), score in stance.stance_scores(passages, question, self.scorer).items():
                if score >= threshold and question:
                    found.append(stance.answer_conflict(by_id[a], by_id[b], score, question, sentences, self.scorer))
        if "conditional" in self.config.detectors:
            found.extend(self._conditional(sentences, {(c.a, c.b) for c in found}))
        return tuple(sorted(found, key=lambda c: (-c.score, c.a.passage_id, c.a.start, c.b.passage_id, c.b.start)))

    def _conditional(self, sentences: Sequence[Sentence], known: set[tuple[object, object]]) -> list[Conflict]:
        bridged = conditional.bridged_pairs(sentences)
        scored = self._scores([conditional.rewritten(b) for b in bridged], None)
        return [
            replace(
                conflict.describe(pair, float(score), True), type=ConflictType.CONDITIONAL, a=b.pair.a.span,
                given=b.given, explanation=f"incompatible given what passage {b.given.passage_id!r} says",
            )
            for b, pair, score in zip(bridged, scored.pairs, scored.scores, strict=False)
            if score >= self._calibration.threshold and (b.pair.a.span, b.pair.b.span) not in known
        ]  # fmt: skip


def validated(passages: Sequence[Passage], question: str | None, config: GuardConfig) -> tuple[Passage, ...]:
    """Return the passages as a tuple, or raise `InputError` naming the passage and the field."""
    if question is not None and not isinstance(question, str):
        raise InputError(f"question must be a string, not {type(question).__name__}")
    if isinstance(passages, str) or not isinstance(passages, Sequence):
        raise InputError("passages must be a list of Passage")
    if not passages:
        raise InputError("no passages: give at least one")
    seen: set[str] = set()
    for i, passage in enumerate(passages):
        if not isinstance(passage, Passage):
            raise InputError(f"passages[{i}] must be a Passage, not {type(passage).__name__}")
        if not isinstance(passage.id, str) or not passage.id:
            raise InputError(f"passages[{i}]: id must be a non-empty string, not {passage.id!r}")
        if not isinstance(passage.text, str):
            raise InputError(f"passage {passage.id!r}: text must be a string, not {type(passage.text).__name__}")
        if len(passage.text) > config.max_passage_chars:
            raise InputError(
                f"passage {passage.id!r}: {len(passage.text):,} characters is over max_passage_chars "
                f"({config.max_passage_chars:,}); split it"
            )
        if passage.id in seen:
            raise InputError(f"duplicate passage id {passage.id!r}; ids must be unique")
        seen.add(passage.id)
    return tuple(passages)
