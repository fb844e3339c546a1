"""Figures of a ranking, a working point, a calibration and a classification, each for many resamples at once.

Every function takes weights of shape (resamples, rows), how often a row counts, and returns (resamples,): row 0 of
`resamples` is the data as it is, so the figure is element 0 and the others are its bootstrap.  What is not defined
(one class only, no alarm) is NaN.  Scores may tie: rows with the same score always stand on the same side of a
threshold and in the same bin.  Knows nothing about files, passages or models.

>>> c = curve(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False]))
>>> auroc(c)
array([0.875])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BINS = 15
LEVEL = 0.95
Z = 1.959964  # the normal distribution's quantile of that level
CELLS = 4_000_000  # weights held at once
_SLACK = 1e-9  # a recall of 0.4 made of ten thirds is still 0.4


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its confidence interval; None is "not defined"."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Alarms from the strictest threshold to the loosest.

    ``thresholds``: (k,) the distinct scores, falling.  ``true`` and ``false``: (b, k) weight of the conflicts and of
    the consistent rows scored at least that high.  ``positives`` and ``negatives``: (b,) their total weights.
    """

    thresholds: Floats
    true: Floats
    false: Floats
    positives: Floats
    negatives: Floats


def resamples(strata: npt.NDArray[Any], count: int, rng: np.random.Generator) -> Floats:
    """Return (count + 1, rows) weights: ones, then ``count`` draws with replacement within each stratum."""
    strata = np.asarray(strata)
    weights = np.zeros((count + 1, len(strata)))
    weights[0] = 1
    for name in np.unique(strata):
        members = np.flatnonzero(strata == name)
        n = len(members)
        drawn = rng.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        weights[1:, members] = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n)
    return weights


def bootstrap(
    figures: Callable[[Floats], dict[str, Floats]],
    strata: npt.NDArray[Any],
    count: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return each of the figures as (count + 1,), computed from `resamples` in pieces that fit into memory."""
    piece = max(1, CELLS // max(1, len(strata)))
    parts = []
    for start in range(0, max(count, 1), piece):
        weights = resamples(strata, min(piece, count - start), rng)
        parts.append(figures(weights[1:] if start else weights))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(values: Floats, *, centred: bool = False) -> Figure:
    """Return element 0 with the 2.5th and 97.5th percentile of the rest; no bounds where the rest shows no spread.

    ``centred`` takes off what resampling itself adds on average: a calibration error grows by the noise of the draw.
    """
    if math.isnan(values[0]):
        return Figure(None)
    drawn = values[1:][~np.isnan(values[1:])]
    if not len(drawn) or np.ptp([values[0], *drawn]) == 0:
        return Figure(float(values[0]))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    if centred:
        shift = drawn.mean() - values[0]
        low, high = min(max(0.0, low - shift), values[0]), max(high - shift, values[0])
    return Figure(float(values[0]), float(low), float(high))


def share(values: Floats, total: int) -> Figure:
    """`interval` for a share of ``total`` rows.

    Where all rows agree, there is no spread to resample; there Wilson's score interval stands (JASA 22, 1927,
    p. 209): 0 of n may be up to z² / (n + z²).
    """
    figure = interval(values)
    if figure.value not in (0, 1) or len(values) == 1:
        return figure
    reach = Z * Z / (total + Z * Z)
    return Figure(0.0, 0.0, reach) if figure.value == 0 else Figure(1.0, 1 - reach, 1.0)


def drawn_share(hits: int, total: int, count: int, rng: np.random.Generator) -> Floats:
    """Return (count + 1,): ``hits / total``, then the same of ``total`` rows drawn anew."""
    if total == 0:
        return np.full(1, np.nan)
    return np.concatenate([[hits / total], rng.binomial(total, hits / total, count) / total])


def curve(scores: Floats, labels: Bools, weights: Floats | None = None) -> Curve:
    """Rank the rows once for all resamples.  ``labels``: True is a conflict."""
    weights = np.ones((1, len(scores))) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(ranked) else np.zeros(0, int)
    by_rank = weights[:, order]
    true = np.cumsum(np.add.reduceat(by_rank * labels[order], starts, axis=1), axis=1)
    false = np.cumsum(np.add.reduceat(by_rank * ~labels[order], starts, axis=1), axis=1)
    return Curve(ranked[starts], true, false, weights @ labels, weights @ ~labels)


def auroc(c: Curve) -> Floats:
    """Return the chance that a conflict scores above a consistent row, a tie counting half."""
    gained = np.diff(c.false, axis=1, prepend=0)
    before = np.concatenate([np.zeros((len(c.true), 1)), c.true[:, :-1]], axis=1)
    return ratio((gained * (before + c.true) / 2).sum(1), c.positives * c.negatives)


def average_precision(c: Curve) -> Floats:
    """Return the precision at each recall gained, weighed by the gain."""
    gained = np.diff(c.true, axis=1, prepend=0)
    value = ratio((gained * np.nan_to_num(_precision(c))).sum(1), c.positives)
    return np.where(c.negatives > 0, value, np.nan)


def recall_at_precision(c: Curve, least: float, *, balanced: bool = False) -> Floats:
    """Return the highest recall of any threshold whose precision is at least ``least``; 0 where none is.

    ``balanced`` weighs both classes equally.
    """
    fits = np.nan_to_num(_precision(c, balanced)) >= least - _SLACK
    best = np.where(fits, c.true, 0).max(axis=1, initial=0)
    return np.where(c.negatives > 0, ratio(best, c.positives), np.nan)


def precision_at_recall(c: Curve, least: float, *, balanced: bool = False) -> tuple[Floats, Floats]:
    """Return (precision, threshold) at the strictest threshold whose recall is at least ``least``."""
    if not len(c.thresholds):
        return np.full(len(c.true), np.nan), np.full(len(c.true), np.nan)
    reached = c.true >= (least - _SLACK) * c.positives[:, None]
    place = reached.argmax(1)
    defined = (c.positives > 0) & (c.negatives > 0)
    precision = _precision(c, balanced)[np.arange(len(place)), place]
    return np.where(defined, precision, np.nan), np.where(defined, c.thresholds[place], np.nan)


def at_threshold(c: Curve, threshold: float) -> dict[str, Floats]:
    """Return precision, balanced precision, recall, F1 and false alarm rate of alarms at ``threshold`` or above."""
    place = int((c.thresholds >= threshold).sum())
    zeros = np.zeros(len(c.true))
    true, false = (c.true[:, place - 1], c.false[:, place - 1]) if place else (zeros, zeros)
    both = (c.positives > 0) & (c.negatives > 0)
    recall, false_rate = ratio(true, c.positives), ratio(false, c.negatives)
    return {
        "precision": np.where(both, ratio(true, true + false), np.nan),
        "precision_balanced": np.where(both, ratio(recall, recall + false_rate), np.nan),
        "recall": recall,
        "f1": np.where(both, ratio(2 * true, true + false + c.positives), np.nan),
        "false_alarm_rate": false_rate,
    }


def brier(scores: Floats, labels: Bools, weights: Floats) -> Floats:
    """Return the mean squared distance of score and label."""
    return ratio(weights @ (scores - labels) ** 2, weights.sum(1))


def calibration_error(
    scores: Floats, labels: Bools, weights: Floats, bins: int = BINS, *, equal_mass: bool = True
) -> Floats:
    """Return the expected calibration error: |mean score - share of conflicts| per bin, weighed by the bin's rows.

    Equal-mass bins hold about as many rows each, equal-width bins divide 0..1.
    """
    values, group = np.unique(scores, return_inverse=True)
    mass, hits = _by_group(weights, group, len(values)), _by_group(weights * labels, group, len(values))
    chosen = _bins(values, mass, bins, equal_mass)
    cell = (chosen + bins * np.arange(len(mass))[:, None]).ravel()

    def total(per_group: Floats) -> Floats:
        return np.asarray(np.bincount(cell, per_group.ravel(), bins * len(mass)), float).reshape(len(mass), bins)

    return ratio(np.abs(total(mass * values) - total(hits)).sum(1), mass.sum(1))


def reliability(scores: Floats, labels: Bools, bins: int = BINS) -> list[tuple[float, float, int]]:
    """Return (mean score, share of conflicts, rows) of each equal-mass bin that holds a row."""
    values, group = np.unique(scores, return_inverse=True)
    mass = _by_group(np.ones((1, len(scores))), group, len(values))
    chosen = _bins(values, mass, bins, True)[0][group]
    return [
        (float(scores[chosen == b].mean()), float(labels[chosen == b].mean()), int((chosen == b).sum()))
        for b in np.unique(chosen)
    ]


def confusion(gold: Sequence[int], predicted: Sequence[int], classes: int) -> Ints:
    """Return (classes, classes) counts, gold by row, predicted by column."""
    cells = np.asarray(gold, int) * classes + np.asarray(predicted, int)
    return np.bincount(cells, minlength=classes * classes).astype(np.int64).reshape(classes, classes)


def resampled_confusion(matrix: Ints, count: int, rng: np.random.Generator) -> Floats:
    """Return (count + 1, classes, classes): the matrix, then rows drawn anew within each gold class."""
    drawn = np.zeros((count + 1, *matrix.shape))
    drawn[0] = matrix
    for gold, row in enumerate(matrix):
        if row.sum():
            drawn[1:, gold] = rng.multinomial(row.sum(), row / row.sum(), count)
    return drawn


def accuracy(matrices: Floats) -> Floats:
    """Return (b,) the share on the diagonals of (b, classes, classes)."""
    return ratio(np.trace(matrices, axis1=1, axis2=2), matrices.sum((1, 2)))


def class_f1(matrices: Floats) -> Floats:
    """Return (b, classes); NaN for a class that no row has as its label."""
    right = np.diagonal(matrices, axis1=1, axis2=2)
    gold, predicted = matrices.sum(2), matrices.sum(1)
    return np.where(gold > 0, ratio(2 * right, gold + predicted), np.nan)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Divide; by zero is NaN."""
    out: Floats = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


def macro(figures: Sequence[Floats]) -> Floats:
    """Return the mean over sources per resample, of the sources in which the figure itself is defined."""
    defined = [f for f in figures if not math.isnan(f[0])]
    if not defined:
        return np.full(1, np.nan)
    stacked = np.stack(defined)
    known = ~np.isnan(stacked)
    return ratio(np.where(known, stacked, 0).sum(0), known.sum(0).astype(float))


def _precision(c: Curve, balanced: bool = False) -> Floats:
    if not balanced:
        return ratio(c.true, c.true + c.false)
    recall, false_rate = ratio(c.true, c.positives[:, None]), ratio(c.false, c.negatives[:, None])
    return ratio(recall, recall + false_rate)


def _by_group(weights: Floats, group: Ints, count: int) -> Floats:
    """Sum (b, rows) over the rows of each group: (b, groups)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(count))
    sums: Floats = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def _bins(values: Floats, mass: Floats, bins: int, equal_mass: bool) -> Ints:
    """Return (b, groups): the bin of each distinct score; by mass, that in which the group's middle falls."""
    if not equal_mass:
        places = np.broadcast_to(bins * values, mass.shape)
    else:
        places = bins * (np.cumsum(mass, axis=1) - mass / 2) / mass.sum(1, keepdims=True)
    return np.clip(np.floor(places).astype(np.int64), 0, bins - 1)
