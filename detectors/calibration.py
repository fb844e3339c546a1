"""The evidence on a pair, summed into one calibrated score.

The sum is a logistic model over a few readable features: `EVIDENCE`, and one for each benign shape, which only
speaks against a conflict.  Its weights, and the line that calibrates the stances, are in
``models/calibration.json``, fitted by ``training/fit_calibration.py``.  Knows nothing about passages or policies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .comparison import Comparison
from .evidence import ConflictType, WhyNot
from .nli import CONTRADICTION, Scores
from .scope import shapes

SHIPPED = Path(__file__).parent / "models" / "calibration.json"
EVIDENCE = ("nli_logit_mean", "shared_words", "two_passages", "value", "antonym", "aligned_antonym", "replaced_name")
MANY_SHARED = 8  # content words; more say no more
FEATURES = (*EVIDENCE, *(shape.value for shape in WhyNot))
SHAPES = tuple(WhyNot)


@dataclass(frozen=True, slots=True)
class Calibration:
    """``score = sigmoid(bias + weights · features)``; ``threshold`` is the shipped working point.

    ``stance`` is (slope, bias) over the logit of the product of two stances.  ``large_collection`` holds the thresholds
    of conflict types where many documents are compared (``training/working_points.py``).
    """

    weights: npt.NDArray[np.float64]
    bias: float
    threshold: float
    stance: tuple[float, float]
    large_collection: Mapping[ConflictType, float]

    def scores(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (n_pairs,) probabilities that a pair is a conflict, from (n_pairs, len(FEATURES))."""
        return sigmoid(self.bias + rows @ self.weights)

    def suspicions(self, rows: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], list[WhyNot | None]]:
        """Return what the scores would be without the loudest benign shape, and that shape, for each pair."""
        said = rows[:, len(EVIDENCE) :] * self.weights[len(EVIDENCE) :]
        loudest = said.argmin(1) if len(rows) else np.zeros(0, dtype=int)
        voice = said[np.arange(len(rows)), loudest]
        why_not = [SHAPES[i] if v < 0 else None for i, v in zip(loudest, voice, strict=True)]
        return sigmoid(self.bias + rows @ self.weights - voice), why_not

    def stance_score(self, product: float) -> float:
        """Return the probability that two passages disagree, from the product of their stances, 0..1."""
        slope, bias = self.stance
        return float(sigmoid(np.array(bias + slope * logit(product))))


@lru_cache(maxsize=8)
def load(path: Path = SHIPPED) -> Calibration:
    """Read a calibration file."""
    stored = json.loads(path.read_text())
    weights = np.array([stored["weights"][name] for name in FEATURES])
    stance = stored["stance"]
    large = {ConflictType(name): float(p) for name, p in stored.get("large_collection", {}).items()}
    threshold = float(stored["threshold"])
    return Calibration(weights, float(stored["bias"]), threshold, (stance["slope"], stance["bias"]), large)


def features(compared: Sequence[Comparison], forward: Scores, backward: Scores) -> npt.NDArray[np.float64]:
    """Return (n_pairs, len(FEATURES)); unchanged when the two sides of a pair are exchanged."""
    rows = np.zeros((len(compared), len(FEATURES)))
    for row, (c, one, two) in enumerate(zip(compared, forward, backward, strict=True)):
        present = shapes(c)
        rows[row] = (
            (logit(float(one[CONTRADICTION])) + logit(float(two[CONTRADICTION]))) / 2,
            min(c.shared_words, MANY_SHARED) / MANY_SHARED,
            c.pair.a.passage_id != c.pair.b.passage_id,
            c.value.strength if c.value else 0.0,
            c.opposite is not None,
            c.aligned_opposite * c.containment,
            (c.replaced_name is not None) * c.containment,
            *(shape in present for shape in SHAPES),
        )
    return rows


def sigmoid(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float64)


def logit(p: float) -> float:
    """Return ln(p / (1 - p)), with p kept within 1e-4 of 0 and 1."""
    p = min(max(p, 1e-4), 1 - 1e-4)
    return float(np.log(p / (1 - p)))
