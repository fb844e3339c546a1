"""A calibration of one's own, from labelled rows: the line, the thresholds, and what they do on rows they did not see.

A row's evidence is the highest shipped score in its label's scope, of each conflict type that the guard sees there.
The line (`detectors.recalibration`) is fitted to the highest of all.  A threshold is the least whose precision has a
lower confidence bound (Wilson's, JASA 22, 1927, p. 209) of at least what is wanted.  In a type's precision a
consistent row counts where it would raise an alarm of that type, a conflict only where that type scores highest: what
else is in a conflict, the label does not say.  Figures are cross-fitted: each row is judged by a fit that saw neither
it nor any row that shares its question or the text of a passage.  Knows nothing about files or output.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Protocol

import numpy as np

from detectors.calibration import logit
from detectors.conflict import describe
from detectors.errors import ConfigError, InputError
from detectors.evidence import ConflictType, Passage, ScoredPair, Unverified
from detectors.recalibration import MAX_BIAS, MAX_SLOPE, MIN_SLOPE, Recalibration

from . import metrics
from .datasets import Example, Kind, NLIExample, Scope, SetExample
from .evaluate import Advance
from .metrics import Bools, Figure, Floats, Ints

TYPES = tuple(ConflictType)
LEAST_ROWS = 10  # of each label, for any fit
PLATT_ROWS = 30  # of each label, for a bias beside the temperature
LEAST_CONFLICTS = 5  # of one type, for a threshold of its own, however little confidence is asked
FOLDS = 5
RESAMPLES = 1000
DIGITS = 4  # of slope and bias
STEPS = 100  # at most, of the fit
_SLACK = 1e-9


class PairScorer(Protocol):
    """What is asked of a `guard.Guard`."""

    def scored(
        self, passages: Sequence[Passage], question: str | None = None
    ) -> tuple[tuple[ScoredPair, ...], tuple[Unverified, ...]]: ...


@dataclass(frozen=True, slots=True)
class Goal:
    """The precision that a threshold must reach, and how sure that must be (0.5: as observed)."""

    precision: float = 0.9
    confidence: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.precision < 1:
            raise ConfigError(f"precision must lie between 0 and 1, not {self.precision:g}")
        if not 0.5 <= self.confidence < 1:
            raise ConfigError(f"confidence must be at least 0.5 and below 1, not {self.confidence:g}")

    @property
    def z(self) -> float:
        """The normal distribution's quantile of the confidence, one-sided."""
        return NormalDist().inv_cdf(self.confidence)

    @property
    def least_alarms(self) -> int:
        """The fewest alarms, all of them right, whose lower bound reaches the precision."""
        return max(1, math.ceil(self.z**2 * self.precision / (1 - self.precision) - _SLACK))


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled example and the highest shipped score, 0..1, of each conflict type in its scope."""

    example: SetExample
    scores: Mapping[ConflictType, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``scores``: (n, len(TYPES)), 0 where a type has no pair; ``labels``: (n,) True is a conflict."""

    scores: Floats
    labels: Bools

    @property
    def top(self) -> Floats:
        """The highest score of each row: (n,)."""
        return np.asarray(self.scores.max(axis=1), float)

    @property
    def top_type(self) -> Ints:
        """The place in TYPES of each row's highest score: (n,)."""
        return np.asarray(self.scores.argmax(axis=1), np.int64)

    def counted(self, type_: int) -> Bools:
        """The rows that count in the precision of one type: (n,)."""
        has = self.scores[:, type_] > 0
        return np.asarray(has & (~self.labels | (self.top_type == type_)))

    def of(self, chosen: Bools) -> Evidence:
        return Evidence(self.scores[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold and what it does on the rows it was chosen on.

    ``low`` is the lower bound of the precision, ``conflicts`` how many there are to find.  Where ``reached`` is false,
    no threshold reaches the goal, and this is the one with the highest bound.
    """

    threshold: float
    true: int
    alarms: int
    conflicts: int
    low: float
    reached: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """``types`` holds a choice for each type with enough conflicts; ``conflicts`` counts those of every type."""

    recalibration: Recalibration
    overall: Choice
    types: Mapping[ConflictType, Choice]
    conflicts: Mapping[ConflictType, int]


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """What fits that did not see them say of the rows.

    ``scores``: (n,) the new highest scores; ``by_type``: (n, len(TYPES)) whether a conflict of that type is reported.
    ``by_group`` says whether rows with a text in common were kept together.
    """

    scores: Floats
    by_type: Bools
    by_group: bool

    @property
    def alarms(self) -> Bools:
        """Whether anything is reported: (n,)."""
        return np.asarray(self.by_type.any(axis=1), bool)


@dataclass(frozen=True, slots=True)
class Result:
    """What was fitted on which rows, and the figures of the shipped scores (``before``) and of cross-fitted ones."""

    goal: Goal
    rows: Sequence[Row]
    found: Evidence
    fitted: Fit
    crossed: CrossFitted
    before: Mapping[str, Figure]
    after: Mapping[str, Figure]
    shipped_threshold: float
    seed: int


def calibrate(rows: Sequence[Row], goal: Goal, shipped_threshold: float, seed: int) -> Result:
    """Fit, and fit again without each fifth.  Raises `InputError` where rows or goal do not allow it."""
    found = evidence(rows)
    with_bias = wants_bias(found)
    fitted = fit(found, goal, with_bias)
    require(fitted.overall, goal)
    crossed = cross_fit(found, [row.example for row in rows], goal, with_bias, seed)
    alarms = np.asarray(found.top >= shipped_threshold, bool)
    before = figures(found.top, alarms, found.labels, RESAMPLES, seed)
    after = figures(crossed.scores, crossed.alarms, found.labels, RESAMPLES, seed)
    return Result(goal, rows, found, fitted, crossed, before, after, shipped_threshold, seed)


def as_set(example: Example) -> SetExample:
    """Return the example as passages: a premise and a hypothesis are two, in conflict where they contradict."""
    if isinstance(example, SetExample):
        return example
    return _two_passages(example)


def observe(guard: PairScorer, examples: Sequence[SetExample], advance: Advance) -> tuple[list[Row], list[str]]:
    """Ask the guard about every example; return the rows, and for each that was not checked in full why not."""
    rows, left_out = [], []
    for example in examples:
        try:
            scored, unverified = guard.scored(example.passages, example.question)
        except InputError as error:
            raise InputError(f"{example.where}: {error}") from error
        if unverified:
            left_out.append(f"{example.where}: {unverified[0].subject}: {unverified[0].reason}")
        else:
            rows.append(Row(example, _highest(scored, example.scope)))
        advance(1)
    return rows, left_out


def evidence(rows: Sequence[Row]) -> Evidence:
    """Return the rows as arrays.  Raises `InputError` for too few rows of a label, saying how many are needed."""
    scores = np.array([[row.scores.get(t, 0.0) for t in TYPES] for row in rows]).reshape(len(rows), len(TYPES))
    found = Evidence(scores, np.array([row.example.is_conflict for row in rows], bool))
    conflicts, consistent = _usable(found)
    if min(conflicts, consistent) < LEAST_ROWS:
        raise InputError(
            f"a calibration needs at least {LEAST_ROWS} conflicts and {LEAST_ROWS} consistent rows in which there are "
            f"sentences to compare; these are {conflicts} and {consistent}: label more rows"
        )
    if metrics.auroc(metrics.curve(found.top, found.labels))[0] <= 0.5:
        raise InputError(
            "the scores rank the rows labelled conflict no higher than those labelled consistent: there is nothing "
            "to calibrate; check the labels, or try another model"
        )
    return found


def fit(found: Evidence, goal: Goal, with_bias: bool) -> Fit:
    """Fit the line and choose the thresholds.  Where a goal is not reached the best choice stands; see `require`."""
    scored = found.top > 0  # the line leaves 0 where it is
    slope, bias = fit_line(found.top[scored], found.labels[scored], with_bias)
    line = Recalibration(0.5, slope=slope, bias=bias)
    new = Evidence(_mapped(line, found.scores), found.labels)
    overall = choose(new.top, new.labels, goal)
    conflicts = {t: int((new.labels & new.counted(i)).sum()) for i, t in enumerate(TYPES)}
    least = max(LEAST_CONFLICTS, goal.least_alarms)
    types = {
        t: choose(new.scores[new.counted(i), i], new.labels[new.counted(i)], goal)
        for i, t in enumerate(TYPES)
        if conflicts[t] >= least
    }
    # A type that never reaches the goal is at least held to what it can reach.
    by_type = {t: c.threshold if c.reached else max(c.threshold, overall.threshold) for t, c in types.items()}
    return Fit(replace(line, threshold=overall.threshold, by_type=by_type), overall, types, conflicts)


def require(chosen: Choice, goal: Goal) -> None:
    """Raise `InputError` for a goal out of reach, with the best that can be reached and what it costs."""
    if chosen.reached:
        return
    wanted = f"no threshold reaches precision {goal.precision:g} with {goal.confidence:.0%} confidence"
    if chosen.conflicts < goal.least_alarms:
        raise InputError(
            f"{wanted} on {chosen.conflicts} conflicts: that takes {goal.least_alarms}; label more rows, or lower "
            "--precision or --confidence"
        )
    best = math.floor(chosen.low * 100) / 100
    raise InputError(
        f"{wanted}: the best is {best:.2f}, at threshold {chosen.threshold:.3f}, where {chosen.true} of "
        f"{chosen.alarms} alarms are right and {chosen.true / chosen.conflicts:.0%} of the conflicts are found; "
        f"lower --precision to {best:.2f}, or label more rows"
    )


def wants_bias(found: Evidence) -> bool:
    """Whether there are rows enough for Platt scaling; with fewer, a temperature is fitted alone."""
    return min(_usable(found)) >= PLATT_ROWS


def fit_line(scores: Floats, labels: Bools, with_bias: bool) -> tuple[float, float]:
    """Return (slope, bias) of the likeliest line over the logit of the scores; without a bias, bias 0.

    Labels are softened as Platt does (1999, section 2.2), so that classes that separate have a finite line.  The slope
    is kept within MIN_SLOPE..MAX_SLOPE, the bias within ±MAX_BIAS.
    """
    x = np.array([logit(float(s)) for s in scores])
    columns = np.stack([x, np.ones_like(x)], axis=1) if with_bias else x[:, None]
    positives, negatives = int(labels.sum()), int((~labels).sum())
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weights = _newton(columns, targets)
    bias = float(weights[1]) if with_bias else 0.0
    return (
        round(float(np.clip(weights[0], MIN_SLOPE, MAX_SLOPE)), DIGITS),
        round(float(np.clip(bias, -MAX_BIAS, MAX_BIAS)), DIGITS),
    )


def choose(scores: Floats, labels: Bools, goal: Goal) -> Choice:
    """Return the least threshold above 0 that reaches the goal, or the one that comes nearest."""
    curve = metrics.curve(scores[scores > 0], labels[scores > 0])
    true, alarms = curve.true[0], curve.true[0] + curve.false[0]
    low = lower_bound(true, alarms, goal.z)
    reached = np.flatnonzero(low >= goal.precision - _SLACK)
    at = int(reached[-1]) if len(reached) else int(np.flatnonzero(low == low.max())[-1])
    return Choice(
        float(curve.thresholds[at]), int(true[at]), int(alarms[at]), int(labels.sum()), float(low[at]), len(reached) > 0
    )  # fmt: skip


def lower_bound(hits: Floats, total: Floats, z: float) -> Floats:
    """Return Wilson's lower bound of the share ``hits / total`` (total above 0)."""
    share, spread = hits / total, z * z / total
    margin = z * np.sqrt(share * (1 - share) / total + spread / (4 * total))
    return np.asarray((share + spread / 2 - margin) / (1 + spread), float)


def cross_fit(found: Evidence, examples: Sequence[SetExample], goal: Goal, with_bias: bool, seed: int) -> CrossFitted:
    """Judge each row by a fit on the other folds.  Folds are by group where that leaves both labels to every fit."""
    fold = folds(groups(examples), found.labels, seed)
    by_group = _fits_see_both(fold, found)
    if not by_group:
        fold = folds(np.arange(len(examples)), found.labels, seed)
    scores, alarms = np.zeros(len(found.labels)), np.zeros(found.scores.shape, bool)
    for n in range(FOLDS):
        own = fold == n
        line = fit(found.of(~own), goal, with_bias).recalibration
        new = _mapped(line, found.scores[own])
        scores[own] = new.max(axis=1, initial=0)
        alarms[own] = new >= [line.by_type.get(t, line.threshold) for t in TYPES]
    return CrossFitted(scores, alarms, by_group)


def groups(examples: Sequence[SetExample]) -> Ints:
    """Return (n,) the group of each row: rows that share a question or a passage's text, or are linked by others."""
    parent = list(range(len(examples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, example in enumerate(examples):
        texts = [example.question or "", *(p.text for p in example.passages)]
        for key in {" ".join(text.casefold().split()) for text in texts} - {""}:
            parent[root(i)] = root(first.setdefault(key, i))
    return np.array([root(i) for i in range(len(examples))], int)


def folds(group: Ints, labels: Bools, seed: int) -> Ints:
    """Return (n,) the fold of each row, 0..FOLDS-1; groups stay together, sizes and labels are spread evenly."""
    names, place = np.unique(group, return_inverse=True)
    size, conflicts = np.bincount(place), np.bincount(place, labels)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.lexsort((-size[shuffled], conflicts[shuffled] / size[shuffled]))]
    fold = np.empty(len(names), int)
    fold[order] = np.arange(len(names)) % FOLDS
    return fold[place]


def figures(scores: Floats, alarms: Bools, labels: Bools, count: int, seed: int) -> dict[str, Figure]:
    """Return calibration error, Brier score, precision, recall and false alarm rate with bootstrap intervals.

    ``scores``, ``alarms`` and ``labels``: (n,); ``count`` resamples within each label.
    """

    def drawn(weights: Floats) -> dict[str, Floats]:
        return {
            "ece": metrics.calibration_error(scores, labels, weights),
            "brier": metrics.brier(scores, labels, weights),
            "precision": metrics.ratio(weights @ (alarms & labels), weights @ alarms),
            "recall": metrics.ratio(weights @ (alarms & labels), weights @ labels),
            "false_alarm_rate": metrics.ratio(weights @ (alarms & ~labels), weights @ ~labels),
        }

    totals = {"precision": alarms.sum(), "recall": labels.sum(), "false_alarm_rate": (~labels).sum()}
    values = metrics.bootstrap(drawn, labels, count, np.random.default_rng(seed))
    return {
        name: metrics.share(v, int(totals[name])) if name in totals else metrics.interval(v, centred=name == "ece")
        for name, v in values.items()
    }


def alarms_of_type(found: Evidence, crossed: CrossFitted, type_: ConflictType) -> tuple[int, int]:
    """Return (right alarms, alarms) of one type among the rows that count in its precision."""
    i = TYPES.index(type_)
    fired = crossed.by_type[:, i] & found.counted(i)
    return int((fired & found.labels).sum()), int(fired.sum())


def _two_passages(example: NLIExample) -> SetExample:
    label = "conflict" if example.label == "contradiction" else "consistent"
    return SetExample(
        example.id, example.source, Kind.PAIRS, Scope.BETWEEN, label, "",
        (Passage("premise", example.premise), Passage("hypothesis", example.hypothesis)),
        f"{example.source}/{example.id}", half=example.half,
    )  # fmt: skip


def _highest(scored: Sequence[ScoredPair], scope: Scope) -> dict[ConflictType, float]:
    best: dict[ConflictType, float] = {}
    for s in scored:
        within = s.passage_ids[0] == s.passage_ids[1]
        if s.score > 0 and (scope is Scope.BOTH or within == (scope is Scope.WITHIN)):
            type_ = describe(s).type
            best[type_] = max(best.get(type_, 0.0), s.score)
    return best


def _usable(found: Evidence) -> tuple[int, int]:
    """Return how many conflicts and how many consistent rows have a score above 0."""
    scored = found.top > 0
    return int((scored & found.labels).sum()), int((scored & ~found.labels).sum())


def _fits_see_both(fold: Ints, found: Evidence) -> bool:
    return all(min(_usable(found.of(fold != n))) > 0 and (fold == n).any() for n in range(FOLDS))


def _mapped(line: Recalibration, scores: Floats) -> Floats:
    """Score by score, as `Recalibration.applied` does, so that thresholds are met to the last bit."""
    return np.array([line.score(float(s)) for s in scores.ravel()]).reshape(scores.shape)


def _newton(columns: Floats, targets: Floats) -> Floats:
    """Return the weights that minimise the logistic loss; steps are halved until the loss falls."""

    def loss(w: Floats) -> float:
        sums = columns @ w
        return float((np.logaddexp(0, sums) - targets * sums).sum())

    weights = np.zeros(columns.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(columns @ weights, -500, 500)))
        gradient = columns.T @ (p - targets)
        curvature = columns.T @ (columns * (p * (1 - p))[:, None]) + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-12:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    return weights
