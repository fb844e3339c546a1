"""Candidate pairs to calibrated scores.  What was not scored is named, never dropped silently.

A cascade: one NLI direction for every pair; the other direction, and everything that the rules compute, only
where that sees a hint of contradiction or the rules see a clash that NLI misses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from .calibration import FEATURES, Calibration, features
from .comparison import Comparison, readable
from .errors import ModelError
from .evidence import ScoredPair, SentencePair, Unverified, WhyNot
from .nli import CONTRADICTION, Scorer
from .scope import shapes

CHUNK = 128  # pairs between two looks at the clock
HINT = 0.25  # least contradiction probability that is worth a closer look
_FAR = 0.1  # keeps the pairs without a hint in order, below all that have one
MIN_ALIGNED = 0.6  # share of the shorter sentence's content words, for aligned antonyms
ALIGNED_SCORE = 0.85  # the least score of aligned antonyms without a benign shape; set by hand, not fitted
FIRED = 0.5  # contradiction probability from which NLI counts as having fired
VALUE = FEATURES.index("value")

Progress = Callable[[int, int], None]


def score_pairs(
    pairs: Sequence[SentencePair],
    nli: Scorer | None,
    use_values: bool,
    calibration: Calibration,
    expired: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
    at_once: int | None = None,
) -> Iterator[ScoredPair | Unverified]:
    """Yield the pairs, scored in the given order until they are done or ``expired()``, and what was not checked.

    ``nli`` is asked about ``at_once`` pairs at a time, `CHUNK` unless given.

    Without ``nli`` the score is the value detector's own strength.  A scorer that raises leaves its pairs to
    the value detector and says so.  Raises `ModelError` where it cannot be loaded.
    """
    at_once = at_once or CHUNK
    for start in range(0, len(pairs), at_once):
        if expired():
            left = len(pairs) - start
            yield Unverified("pairs", f"deadline reached: {left} of {len(pairs)} sentence pairs not scored")
            return
        chunk = [Comparison(pair) for pair in pairs[start : start + at_once]]
        try:
            yield from _scored(chunk, nli, use_values, calibration)
        except ModelError:
            raise
        except Exception as error:  # a detector that fails must not look like "no conflict"
            yield Unverified("nli", f"failed on {len(chunk)} sentence pairs: {type(error).__name__}: {error}")
            yield from _scored(chunk, None, use_values, calibration)
        if progress:
            progress(start + len(chunk), len(pairs))


def _scored(
    chunk: Sequence[Comparison], nli: Scorer | None, use_values: bool, calibration: Calibration
) -> list[ScoredPair]:
    if nli is None:
        return [_by_value(c) if use_values else ScoredPair(c.pair, 0.0) for c in chunk]
    texts = [(readable(c.pair.a), readable(c.pair.b)) for c in chunk]
    forward = nli.score(texts)
    close = [i for i, c in enumerate(chunk) if _is_hint(c, float(forward[i, CONTRADICTION]), use_values)]
    backward = nli.score([texts[i][::-1] for i in close])
    rows = features([chunk[i] for i in close], forward[close], backward)
    if not use_values:
        rows[:, VALUE] = 0.0
    scores = calibration.scores(rows)
    found = [ScoredPair(c.pair, float(p) * _FAR) for c, p in zip(chunk, forward[:, CONTRADICTION], strict=True)]
    suspicions, reasons = calibration.suspicions(rows)
    contradiction = np.maximum(forward[close], backward)[:, CONTRADICTION]
    for i, score, suspicion, why_not, p in zip(close, scores, suspicions, reasons, contradiction, strict=True):
        fired = _fired(chunk[i], float(p), use_values)
        if _is_plain_opposite(chunk[i]) and why_not is None:
            score = suspicion = max(score, ALIGNED_SCORE)
        found[i] = ScoredPair(chunk[i].pair, float(score), fired, why_not, float(suspicion))
    return found


def _is_hint(c: Comparison, contradiction: float, use_values: bool) -> bool:
    return contradiction >= HINT or (use_values and c.value is not None) or c.aligned_opposite


def _is_plain_opposite(c: Comparison) -> bool:
    """Whether the sentences match but for opposite words, which a small NLI model may read as entailment."""
    return c.aligned_opposite and c.containment >= MIN_ALIGNED


def _fired(c: Comparison, contradiction: float, use_values: bool) -> tuple[str, ...]:
    said = {
        "nli": contradiction >= FIRED,
        "values": use_values and c.value is not None,
        "antonyms": c.aligned_opposite,
    }
    return tuple(name for name, has in said.items() if has) or ("nli",)


def _by_value(c: Comparison) -> ScoredPair:
    """Score without a model: the value detector's own strength, unless the values belong to different subjects."""
    if c.value is None or shapes(c) & {WhyNot.SCOPE, WhyNot.DIFFERENT_SUBJECTS, WhyNot.TABLE_ROWS}:
        return ScoredPair(c.pair, 0.0)
    return ScoredPair(c.pair, c.value.strength, ("values",))
