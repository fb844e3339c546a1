"""Candidate pairs to calibrated scores, within a budget.  What was not scored is named, never dropped silently.

A cascade: one NLI direction for every pair, the other only where the first sees a hint of contradiction or the
words differ in a telling way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from . import values
from .conflict import ALIGNED_SCORE, FEATURES, Calibration, aligned_antonyms, calibrated, difference, features
from .evidence import Sentence, SentencePair, Unverified
from .nli import CONTRADICTION, NLIModel, Scores
from .scope import why_not

CHUNK = 512
HINT = 0.03  # least contradiction probability that is worth asking in the other direction
MARKUP = re.compile(r"[*_`|]{1,3}|^\s*(?:[-+•]|\d+[.)])\s+")
BENIGN_FACTOR = 0.1  # what a benign shape leaves of a score
VALUE = FEATURES.index("value")


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """``scores``: (n_pairs,) calibrated, 0..1.  ``contradiction``: (n_pairs,) NLI probability, 0 when not asked."""

    pairs: tuple[SentencePair, ...]
    scores: npt.NDArray[np.float64]
    contradiction: npt.NDArray[np.float64]
    unverified: tuple[Unverified, ...] = field(default=())


def readable(sentence: Sentence) -> str:
    """Return the text as the model should read it: without markup, a table row after its header."""
    text = " ".join(MARKUP.sub(" ", sentence.text).split())
    if sentence.kind == "row" and sentence.context:
        return " ".join(MARKUP.sub(" ", sentence.context).split()) + ": " + text
    return text


def score_pairs(
    pairs: Sequence[SentencePair],
    nli: NLIModel | None,
    use_values: bool,
    calibration: Calibration,
    expired: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] | None = None,
) -> ScoredPairs:
    """Score pairs in the given order until they are done or ``expired()``.

    Without ``nli`` the score is the value detector's own strength.  A scorer that raises leaves its pairs
    unscored and says so.
    """
    done: list[npt.NDArray[np.float64]] = []
    asked: list[npt.NDArray[np.float64]] = []
    unverified: list[Unverified] = []
    for start in range(0, len(pairs), CHUNK):
        if expired():
            left = len(pairs) - start
            unverified.append(
                Unverified("pairs", f"deadline reached: {left} of {len(pairs)} sentence pairs not scored")
            )
            break
        chunk = pairs[start : start + CHUNK]
        try:
            scores, contradiction = _score_chunk(chunk, nli, use_values, calibration)
        except Exception as error:  # a detector that fails must not look like "no conflict"
            unverified.append(
                Unverified("nli", f"failed on {len(chunk)} sentence pairs: {type(error).__name__}: {error}")
            )
            scores, contradiction = _score_chunk(chunk, None, use_values, calibration)
        done.append(scores)
        asked.append(contradiction)
        if progress:
            progress(start + len(chunk), len(pairs))
    empty = np.zeros(0)
    scored = np.concatenate(done) if done else empty
    return ScoredPairs(
        tuple(pairs[: len(scored)]), scored, np.concatenate(asked) if asked else empty, tuple(unverified)
    )


def _score_chunk(
    pairs: Sequence[SentencePair], nli: NLIModel | None, use_values: bool, calibration: Calibration
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    benign = np.array([why_not(p, difference(p.a.text, p.b.text).replaced) is not None for p in pairs])
    factor = np.where(benign, BENIGN_FACTOR, 1.0)
    if nli is None:
        found = [values.disagreement(p.a.text, p.b.text) if use_values else None for p in pairs]
        return factor * np.array([f.strength if f else 0.0 for f in found]), np.zeros(len(pairs))
    forward, backward = both_directions(pairs, nli)
    rows = features(pairs, forward, backward)
    if not use_values:
        rows[:, VALUE] = 0.0
    aligned = np.array([aligned_antonyms(p.a.text, p.b.text) for p in pairs])
    scores = np.maximum(calibrated(rows, calibration), np.where(aligned, ALIGNED_SCORE, 0.0))
    return factor * scores, np.maximum(forward, backward)[:, CONTRADICTION].astype(float)


def both_directions(pairs: Sequence[SentencePair], nli: NLIModel) -> tuple[Scores, Scores]:
    """Return NLI scores of (a, b) and (b, a), the second a copy of the first where it promises nothing."""
    texts = [(readable(p.a), readable(p.b)) for p in pairs]
    forward = nli.score(texts)
    undecided = np.flatnonzero(forward[:, CONTRADICTION] >= HINT)
    backward = forward.copy()
    if len(undecided):
        backward[undecided] = nli.score([texts[i][::-1] for i in undecided])
    return forward, backward
