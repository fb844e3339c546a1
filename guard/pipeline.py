"""The path of a request: passages in, verdict out.  Read `Guard.check` first.

Knows nothing about wire formats.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from detectors import calibration, encoder, nli, recalibration, registry
from detectors.candidates import candidate_pairs
from detectors.comparison import readable
from detectors.conflict import resolve
from detectors.duplicates import near_duplicates
from detectors.encoder import Encoder
from detectors.errors import ConfigError, InputError
from detectors.evidence import Passage, ScoredPair, Sentence, SentencePair, Unverified
from detectors.language import unsupported_script_or_language
from detectors.protocols import Detector, Material
from detectors.recalibration import Recalibration
from detectors.scoring import Progress, score_pairs
from detectors.segment import segment
from detectors.verifier import Verifier

from .config import GuardConfig
from .policy import decide
from .remediate import remediate
from .verdict import Status, Verdict


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
        scorer: nli.Scorer | None = None,
    ) -> None:
        if config is not None and not isinstance(config, GuardConfig):
            raise ConfigError(f"config must be a GuardConfig, not {type(config).__name__}")
        self.config = config or GuardConfig()
        self._given_encoder = encoder
        self._given_scorer = scorer
        self._at_once: int | None = None
        own = self.config.calibration
        self._given_recalibration = None if own is None else recalibration.load(Path(own))
        self._verifier = Verifier(self.config.verifier) if self.config.verifier else None

    def check(
        self, passages: Sequence[Passage], question: str | None = None, progress: Progress | None = None
    ) -> Verdict:
        """Return what contradicts what, and the repaired context.

        ``progress(done, total)`` is told about sentence pairs.  Raises `InputError` for passages that cannot
        be checked and `ModelError` for a model that cannot be loaded; every other failure is in
        ``verdict.unverified``.
        """
        passages = validated(passages, question, self.config)
        left_s = self._left_s()
        sentences, not_read = self._sentences(passages)
        pairs, not_paired = self._candidates(sentences)
        scored, not_scored = self._scores(passages, question, sentences, pairs, left_s, progress)
        conflicts, benign = resolve(scored, self.threshold, self._recalibration.by_type)
        clusters = near_duplicates(passages, conflicts)
        decision = decide(conflicts, passages, clusters, self.config.policy)
        kept, removed, notice = remediate(passages, conflicts, decision, self.config.policy.min_passages)
        unverified = (*not_read, *not_paired, *not_scored)
        status = Status.CONFLICT if conflicts else Status.UNVERIFIED if unverified else Status.CLEAN
        return Verdict(
            status, conflicts, decision.action, kept, removed, unverified, benign, clusters, notice,
            {"sentences": len(sentences), "pairs": len(pairs)},
        )  # fmt: skip

    async def acheck(self, passages: Sequence[Passage], question: str | None = None) -> Verdict:
        """`check` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.check, passages, question)

    def scores(self, passages: Sequence[Passage], question: str | None = None) -> dict[tuple[str, str], float]:
        """Return the highest calibrated score per pair of passage ids, below the threshold too.

        Keys are in the order of ``passages``; ``(id, id)`` is for contradictions within one passage.
        """
        scored, _ = self.scored(passages, question)
        rank = {p.id: i for i, p in enumerate(passages)}
        best = {(p.id, q.id): 0.0 for i, p in enumerate(passages) for q in passages[i:]}
        for found in scored:
            a, b = sorted(found.passage_ids, key=rank.__getitem__)
            best[a, b] = max(best[a, b], found.score)
        return best

    def scored(
        self, passages: Sequence[Passage], question: str | None = None
    ) -> tuple[tuple[ScoredPair, ...], tuple[Unverified, ...]]:
        """Return every scored pair of sentences, below the threshold too, and what was not scored."""
        passages = validated(passages, question, self.config)
        left_s = self._left_s()
        sentences, not_read = self._sentences(passages)
        pairs, not_paired = self._candidates(sentences)
        scored, not_scored = self._scores(passages, question, sentences, pairs, left_s)
        return tuple(scored), (*not_read, *not_paired, *not_scored)

    @cached_property
    def _encoder(self) -> Encoder:
        return self._given_encoder or encoder.load(self.config.encoder, self.config.device)

    @cached_property
    def scorer(self) -> nli.Scorer:
        """What scores pairs: the loaded NLI model unless another was injected."""
        return self._given_scorer or nli.load(self.config.model, self.config.device)

    @cached_property
    def _calibration(self) -> calibration.Calibration:
        """The shipped calibration; its threshold is the least score that can be reported after recalibration."""
        least = self._recalibration.shipped_score(self._recalibration.least_threshold)
        return replace(calibration.load(), threshold=least)

    @cached_property
    def _recalibration(self) -> Recalibration:
        """What the configured file, or none, makes of the shipped scores.  A configured threshold is for all types."""
        if self._given_recalibration is not None:
            self._given_recalibration.require_fitted_for(self.model_revision)
        found = self._given_recalibration or Recalibration(calibration.load().threshold)
        threshold = self.config.threshold
        return found if threshold is None else replace(found, threshold=threshold, by_type={})

    @cached_property
    def _detectors(self) -> dict[str, Detector]:
        return {name: registry.load(name) for name in self.config.detectors if name not in registry.PAIR_SCORERS}

    @property
    def model_revision(self) -> str | None:
        """The revision of the NLI model that scores; None where no NLI model does."""
        return getattr(self.scorer, "revision", None) if "nli" in self.config.detectors else None

    @property
    def threshold(self) -> float:
        """The least calibrated score of a conflict whose type has no threshold of its own."""
        return self._recalibration.threshold

    def _left_s(self) -> Callable[[], float]:
        """Return what says how many seconds are left of a check that begins now."""
        return deadline(self.config.deadline_s)

    def _sentences(self, passages: Sequence[Passage]) -> tuple[list[Sentence], tuple[Unverified, ...]]:
        """Segment in order of id, so that the order of passages changes nothing."""
        sentences: list[Sentence] = []
        unverified: list[Unverified] = []
        for passage in sorted(passages, key=lambda p: p.id):
            reason = unsupported_script_or_language(passage.text)
            if reason:
                unverified.append(Unverified(passage.id, f"{reason}; the model was trained on English"))
                continue
            found = segment(passage)
            if not found:
                unverified.append(Unverified(passage.id, "no words in it: nothing to compare"))
            sentences.extend(found)
        return sentences, tuple(unverified)

    def _candidates(self, sentences: Sequence[Sentence]) -> tuple[list[SentencePair], tuple[Unverified, ...]]:
        if len(sentences) < 2:
            return [], ()
        pairs = candidate_pairs(sentences, self._encoder.encode([readable(s) for s in sentences]))
        left = len(pairs) - self.config.max_pairs
        if left <= 0:
            return pairs, ()
        reason = f"max_pairs reached: the {left} least similar of {len(pairs)} sentence pairs not scored"
        return pairs[: self.config.max_pairs], (Unverified("pairs", reason),)

    def _scores(
        self,
        passages: Sequence[Passage],
        question: str | None,
        sentences: Sequence[Sentence],
        pairs: Sequence[SentencePair],
        left_s: Callable[[], float],
        progress: Progress | None = None,
    ) -> tuple[list[ScoredPair], tuple[Unverified, ...]]:
        """Score the pairs, let the other detectors look, then the verifier; one that fails is named as unverified."""
        nli = self.scorer if "nli" in self.config.detectors else None
        settings = (nli, "values" in self.config.detectors, self._calibration, lambda: left_s() < 0)

        def score(more: Sequence[SentencePair]) -> Iterator[ScoredPair | Unverified]:
            return score_pairs(more, *settings, at_once=self._at_once)

        found = list(score_pairs(pairs, *settings, progress, self._at_once))
        material = Material(passages, question, sentences, pairs, nli, self._calibration, score)
        for name, detector in self._detectors.items():
            found.extend(_found_by(name, detector, material, settings[-1]))
        scored = self._recalibration.applied(s for s in found if isinstance(s, ScoredPair))
        unverified = tuple(s for s in found if isinstance(s, Unverified))
        if self._verifier is None:
            return scored, unverified
        scored, not_verified = self._verifier.verify(scored, question, left_s())
        return scored, (*unverified, *not_verified)


def _found_by(
    name: str, detector: Detector, material: Material, expired: Callable[[], bool]
) -> list[ScoredPair | Unverified]:
    if expired():
        return [Unverified(name, "deadline reached before this detector ran")]
    try:
        return list(detector.find(material))
    except Exception as error:  # a detector that fails must not look like "no conflict"
        return [Unverified(name, f"failed: {type(error).__name__}: {error}")]


def deadline(seconds: float | None) -> Callable[[], float]:
    """Return a function that says how many of ``seconds`` are left from now; None never run out."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    return lambda: end - time.monotonic()


def validated(passages: Sequence[Passage], question: str | None, config: GuardConfig) -> tuple[Passage, ...]:
    """Return the passages as a tuple, or raise `InputError` naming the passage and the field."""
    if question is not None and not isinstance(question, str):
        raise InputError(f"question must be a string, not {type(question).__name__}")
    _require_encodable(question or "", "question")
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
        if not isinstance(passage.metadata, Mapping):
            raise InputError(
                f"passage {passage.id!r}: metadata must be a mapping, not {type(passage.metadata).__name__}"
            )
        _require_encodable(passage.id, f"passages[{i}]: id")
        _require_encodable(passage.text, f"passage {passage.id!r}: text")
        if passage.id in seen:
            raise InputError(f"duplicate passage id {passage.id!r}; ids must be unique")
        seen.add(passage.id)
    return tuple(passages)


def _require_encodable(text: str, what: str) -> None:
    """Refuse half a surrogate pair, which no tokenizer and no JSON can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} holds a lone surrogate at character {error.start}; decode it as UTF-8") from error
