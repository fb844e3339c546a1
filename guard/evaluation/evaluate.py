"""One pass of the guard over labelled rows, and the figures of what it said.

`measure` and `classify` ask the guard; `set_figures` and `nli_figures` turn their results into `Figure`s, each with a
bootstrap confidence interval (rows resampled within each source and label).  Knows nothing about files or output.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detectors.errors import InputError, PassageGuardError
from detectors.evidence import Conflict, ConflictType, Passage, Span
from guard.verdict import Verdict

from . import metrics
from .datasets import NLI_LABELS, Kind, NLIExample, Scope, SetExample
from .metrics import Bools, Figure, Floats

NLI_CHUNK = 512
PRECISION, RECALL = 0.95, 0.40  # the working points of the report; the second is that of an audit
CENTRED = ("ece", "ece_equal_width")
PER_1000 = {"false_alarm_rate": "false_alarms_per_1000", "outside_alarm_rate": "outside_alarms_per_1000"}

Advance = Callable[[int], None]
StartProgress = Callable[[str, int], Advance]
"""``start(description, total)`` returns what is told about each further piece of work done."""


class Scorer(Protocol):
    """What is asked of an NLI model: (n, 3) entailment / neutral / contradiction, and how often it was asked."""

    calls: int

    def score(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]: ...


class Checker(Protocol):
    """What is asked of a `guard.Guard`."""

    @property
    def scorer(self) -> Scorer: ...
    @property
    def threshold(self) -> float: ...
    def check(self, passages: Sequence[Passage], question: str | None = None) -> Verdict: ...
    def scores(self, passages: Sequence[Passage], question: str | None = None) -> dict[tuple[str, str], float]: ...


@dataclass(frozen=True, slots=True)
class SetResult:
    """What the guard said of one example.

    ``score``: the highest calibrated score in the label's scope, 0..1, and ``best`` the indices of the passages that
    have it.  ``found``: the type of conflict of an alarm.  ``outside``: the highest score outside that scope.  ``right_pair`` and ``right_sentences`` are judged on
    alarms at conflicts whose gold is known, and None elsewhere; of two passages the right pair is no feat.
    """

    example: SetExample
    score: float
    alarm: bool
    best: tuple[int, int] | None = None
    outside: float = 0.0
    outside_alarm: bool = False
    right_pair: bool | None = None
    right_sentences: bool | None = None
    unverified: bool = False
    found: ConflictType | None = None


@dataclass(frozen=True, slots=True)
class NLIResult:
    """``predicted`` is one of `NLI_LABELS`, ``contradiction`` its probability."""

    example: NLIExample
    predicted: str
    contradiction: float


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of some rows; ``rows`` counts them by label."""

    rows: Mapping[str, int]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Stratum:
    """The rows of one type and label.  ``against`` says which rows of the other label the AUROC compares with."""

    source: str
    type: str
    label: str
    rows: int
    alarm_rate: Figure
    auroc: Figure
    against: str


@dataclass(frozen=True, slots=True)
class TypeAlarms:
    """The alarms of one type of conflict, over all sources: how many are true, and what share.

    ``precision_balanced`` counts both labels of a source as if it had equally many rows of them.
    """

    found: ConflictType
    true: int
    false: int
    precision: Figure
    precision_balanced: Figure


@dataclass(frozen=True, slots=True)
class Figures:
    """Per source, averaged over sources (all count the same) and with all rows thrown together."""

    sources: Mapping[str, Group]
    macro: Group
    pooled: Group
    strata: tuple[Stratum, ...] = ()
    by_type: tuple[TypeAlarms, ...] = ()


def measure(guard: Checker, examples: Sequence[SetExample], advance: Advance) -> list[SetResult]:
    """Check every example.  Raises `InputError` naming file and line of passages that cannot be checked."""
    results = []
    for example in examples:
        results.append(_measured(guard, example))
        advance(1)
    return results


def classify(scorer: Scorer, examples: Sequence[NLIExample], advance: Advance) -> list[NLIResult]:
    """Ask the NLI model about every example, in batches."""
    results = []
    for start in range(0, len(examples), NLI_CHUNK):
        chunk = examples[start : start + NLI_CHUNK]
        for example, row in zip(chunk, scorer.score([(e.premise, e.hypothesis) for e in chunk]), strict=True):
            results.append(NLIResult(example, NLI_LABELS[int(row.argmax())], float(row[2])))
        advance(len(chunk))
    return results


def set_figures(results: Sequence[SetResult], threshold: float, count: int, seed: int) -> Figures:
    """Return all figures of passage sets, self-contradictions or suite pairs; ``count`` resamples."""
    by_source = _by_source(results)
    drawn = {source: _drawn(some, threshold, count, _rng(seed, source)) for source, some in by_source.items()}
    names = next(iter(drawn.values())).keys()
    means = {n: metrics.macro([d[n] for d in drawn.values()]) for n in names if n != "threshold_at_recall"}
    return Figures(
        {source: Group(_labels(some), _figures(drawn[source], some)) for source, some in by_source.items()},
        Group({"sources": len(drawn)}, _figures(means)),
        Group(_labels(results), _figures(_drawn(results, threshold, count, _rng(seed, "")), results)),
        tuple(s for source, some in by_source.items() for s in _strata(source, some, count, seed)),
        _by_type(results, count, seed),
    )


def ranking_figures(
    scores: Floats, examples: Sequence[SetExample], count: int, seed: int
) -> Mapping[str, Mapping[str, Figure]]:
    """Return the figures that need no threshold, of any score (a baseline's), per source and as ``macro``."""
    sources = np.array([e.source for e in examples])
    labels = np.array([e.is_conflict for e in examples])
    drawn = {
        str(source): _ranking_drawn(scores[sources == source], labels[sources == source], count, _rng(seed, source))
        for source in np.unique(sources)
    }
    means = {n: metrics.macro([d[n] for d in drawn.values()]) for n in next(iter(drawn.values()))}
    del means["threshold_at_recall"]
    return {**{source: _figures(d) for source, d in drawn.items()}, "macro": _figures(means)}


def nli_figures(results: Sequence[NLIResult], count: int, seed: int) -> Figures:
    """Return accuracy and F1 of the NLI model per source, averaged and pooled."""
    by_source: dict[str, list[NLIResult]] = {}
    for result in sorted(results, key=lambda r: r.example.source):
        by_source.setdefault(result.example.source, []).append(result)
    drawn = {s: _nli_drawn(some, count, _rng(seed, s)) for s, some in by_source.items()}
    means = {n: metrics.macro([d[n] for d in drawn.values()]) for n in next(iter(drawn.values()))}
    return Figures(
        {source: Group(_labels(some), _figures(drawn[source])) for source, some in by_source.items()},
        Group({"sources": len(drawn)}, _figures(means)),
        Group(_labels(results), _figures(_nli_drawn(results, count, _rng(seed, "")))),
    )


def _measured(guard: Checker, example: SetExample) -> SetResult:
    """Scores rank; the check adds conditional conflicts and spans.  The scorer's cache makes the second call cheap."""
    try:
        scores = guard.scores(example.passages, example.question)
        verdict = guard.check(example.passages, example.question)
    except PassageGuardError as error:
        raise InputError(f"{example.where}: {error}") from error
    place = {p.id: i for i, p in enumerate(example.passages)}
    best: dict[tuple[int, int], float] = {}
    found = [((c.a.passage_id, c.b.passage_id), c.score) for c in verdict.conflicts]
    for (one, two), score in [*scores.items(), *found]:
        key = min(place[one], place[two]), max(place[one], place[two])
        best[key] = max(best.get(key, 0.0), float(score))
    inside = {key: score for key, score in best.items() if _in_scope(key, example.scope)}
    outside = max((score for key, score in best.items() if key not in inside), default=0.0)
    top = max(inside, key=inside.__getitem__, default=None)
    score = inside[top] if top else 0.0
    result = SetResult(
        example, score, score >= guard.threshold, top if score > 0 else None,
        outside, outside >= guard.threshold, unverified=bool(verdict.unverified),
    )  # fmt: skip
    return _judged(result, [c for c in verdict.conflicts if _in_scope(_places(c, place), example.scope)])


def _judged(result: SetResult, conflicts: Sequence[Conflict]) -> SetResult:
    """Add the type of an alarm, and whether a true one names the right passages and sentences."""
    example = result.example
    top = max(conflicts, key=lambda c: c.score, default=None)
    if result.alarm and top is not None:
        result = replace(result, found=top.type)
    if not (result.alarm and example.is_conflict):
        return result
    return replace(
        result,
        right_pair=result.best in example.gold_pairs if example.gold_pairs and example.kind is Kind.SETS else None,
        right_sentences=top is not None and names_sentences(top, example.gold_spans) if example.gold_spans else None,
    )


def names_sentences(conflict: Conflict, gold: Sequence[tuple[Span, Span]]) -> bool:
    """Whether both spans of the conflict lie on both spans of one gold conflict, in either order."""
    a, b = conflict.a, conflict.b
    return any((covers(a, x) and covers(b, y)) or (covers(a, y) and covers(b, x)) for x, y in gold)


def covers(one: Span, two: Span) -> bool:
    """Whether the spans share at least half of the shorter one."""
    shared = min(one.end, two.end) - max(one.start, two.start)
    return one.passage_id == two.passage_id and 2 * shared >= min(one.end - one.start, two.end - two.start)


def _in_scope(key: tuple[int, int], scope: Scope) -> bool:
    return scope is Scope.BOTH or (key[0] == key[1]) == (scope is Scope.WITHIN)


def _has_outside(example: SetExample) -> bool:
    """Whether a consistent row may raise an alarm of which its label says nothing."""
    lone = len(example.passages) == 1 and example.scope is Scope.WITHIN
    return not example.is_conflict and example.scope is not Scope.BOTH and not lone


def _places(conflict: Conflict, place: Mapping[str, int]) -> tuple[int, int]:
    return place[conflict.a.passage_id], place[conflict.b.passage_id]


def _drawn(results: Sequence[SetResult], threshold: float, count: int, rng: np.random.Generator) -> dict[str, Floats]:
    scores = np.array([r.score for r in results])
    labels = np.array([r.example.is_conflict for r in results])
    strata = np.array([f"{r.example.source}/{r.example.label}" for r in results])
    judged = {
        "right_pair": [r.right_pair for r in results],
        "right_pair_of_3": [r.right_pair if len(r.example.passages) > 2 else None for r in results],
        "right_sentences": [r.right_sentences for r in results],
        "outside_alarm_rate": [r.outside_alarm if _has_outside(r.example) else None for r in results],
    }

    def figures(weights: Floats) -> dict[str, Floats]:
        curve = metrics.curve(scores, labels, weights)
        return {
            **_ranking(curve),
            **metrics.at_threshold(curve, threshold),
            **{name: _weighted_share(weights, values) for name, values in judged.items()},
            "ece": metrics.calibration_error(scores, labels, weights),
            "ece_equal_width": metrics.calibration_error(scores, labels, weights, equal_mass=False),
            "brier": metrics.brier(scores, labels, weights),
        }

    return metrics.bootstrap(figures, strata, count, rng)


def _ranking_drawn(scores: Floats, labels: Bools, count: int, rng: np.random.Generator) -> dict[str, Floats]:
    return metrics.bootstrap(lambda weights: _ranking(metrics.curve(scores, labels, weights)), labels, count, rng)


def _ranking(curve: metrics.Curve) -> dict[str, Floats]:
    at_recall, threshold = metrics.precision_at_recall(curve, RECALL)
    return {
        "auroc": metrics.auroc(curve),
        "average_precision": metrics.average_precision(curve),
        "recall_at_precision": metrics.recall_at_precision(curve, PRECISION),
        "recall_at_precision_balanced": metrics.recall_at_precision(curve, PRECISION, balanced=True),
        "precision_at_recall": at_recall,
        "precision_at_recall_balanced": metrics.precision_at_recall(curve, RECALL, balanced=True)[0],
        "threshold_at_recall": threshold,
    }


def _weighted_share(weights: Floats, values: Sequence[bool | None]) -> Floats:
    known, true = np.array([v is not None for v in values]), np.array([v is True for v in values])
    return metrics.ratio(weights @ true, weights @ known)


def _figures(drawn: Mapping[str, Floats], results: Sequence[SetResult] = ()) -> dict[str, Figure]:
    """Turn resampled values into figures; ``results`` tell of how many rows a share is the share."""
    totals = _totals(results)
    out = {}
    for name, values in drawn.items():
        total = totals.get(name)
        figure = metrics.share(values, total) if total else metrics.interval(values, centred=name in CENTRED)
        out[PER_1000.get(name, name)] = _scaled(figure, 1000) if name in PER_1000 else figure
    return out


def _totals(results: Sequence[SetResult]) -> dict[str, int]:
    conflicts = sum(r.example.is_conflict for r in results)
    known = [r for r in results if r.right_pair is not None]
    return {
        "precision": sum(r.alarm for r in results),
        "recall": conflicts,
        "false_alarm_rate": len(results) - conflicts,
        "outside_alarm_rate": sum(_has_outside(r.example) for r in results),
        "right_pair": len(known),
        "right_pair_of_3": sum(len(r.example.passages) > 2 for r in known),
        "right_sentences": sum(r.right_sentences is not None for r in results),
    }


def _scaled(figure: Figure, factor: float) -> Figure:
    values = (figure.value, figure.low, figure.high)
    return Figure(*(None if v is None else v * factor for v in values))


def _strata(source: str, results: Sequence[SetResult], count: int, seed: int) -> list[Stratum]:
    """One entry for each type and label; a type that has both labels is measured against itself."""
    found = []
    for type_, label in sorted({(r.example.type, r.example.label) for r in results}):
        own = [r for r in results if (r.example.type, r.example.label) == (type_, label)]
        other = [r for r in results if r.example.label != label]
        same_type = [r for r in other if r.example.type == type_]
        opposed = same_type or other
        rng = _rng(seed, f"{source}/{type_}")
        scores = np.array([r.score for r in [*own, *opposed]])
        truth = np.array([r.example.is_conflict for r in [*own, *opposed]])
        auroc = _ranking_drawn(scores, truth, count, rng)["auroc"]
        alarms = metrics.drawn_share(sum(r.alarm for r in own), len(own), count, rng)
        found.append(
            Stratum(
                source, type_, label, len(own), metrics.share(alarms, len(own)), metrics.interval(auroc),
                "same type" if same_type else f"all {opposed[0].example.label}" if opposed else "none",
            )
        )  # fmt: skip
    return found


def _by_type(results: Sequence[SetResult], count: int, seed: int) -> tuple[TypeAlarms, ...]:
    """Return the alarms of each type of conflict that was found, in the order of `ConflictType`."""
    groups = np.array([f"{r.example.source}/{r.example.label}" for r in results])
    sizes = {name: int((groups == name).sum()) for name in np.unique(groups)}
    evened = np.array([1 / sizes[name] for name in groups])
    truth = np.array([r.example.is_conflict for r in results])
    found = []
    for kind in ConflictType:
        own = np.array([r.found is kind for r in results])
        true, false = int((own & truth).sum()), int((own & ~truth).sum())
        if not true + false:
            continue

        def precision(weights: Floats, own: Bools = own) -> dict[str, Floats]:
            return {
                name: metrics.ratio(weights @ (own * truth * w), weights @ (own * w))
                for name, w in (("plain", np.ones(len(own))), ("balanced", evened))
            }

        drawn = metrics.bootstrap(precision, groups, count, _rng(seed, f"type/{kind}"))
        plain, balanced = (metrics.share(drawn[name], true + false) for name in ("plain", "balanced"))
        found.append(TypeAlarms(kind, true, false, plain, balanced))
    return tuple(found)


def _nli_drawn(results: Sequence[NLIResult], count: int, rng: np.random.Generator) -> dict[str, Floats]:
    matrix = metrics.confusion(
        [NLI_LABELS.index(r.example.label) for r in results], [NLI_LABELS.index(r.predicted) for r in results], 3
    )
    matrices = metrics.resampled_confusion(matrix, count, rng)
    f1 = metrics.class_f1(matrices)
    return {
        "accuracy": metrics.accuracy(matrices),
        "f1": metrics.macro(list(f1.T)),
        **{f"f1_{label}": f1[:, i] for i, label in enumerate(NLI_LABELS)},
    }


def _by_source(results: Sequence[SetResult]) -> dict[str, list[SetResult]]:
    grouped: dict[str, list[SetResult]] = {}
    for result in sorted(results, key=lambda r: r.example.source):
        grouped.setdefault(result.example.source, []).append(result)
    return grouped


def _labels(results: Sequence[Any]) -> dict[str, int]:
    labels = [r.example.label for r in results]
    return {label: labels.count(label) for label in sorted(set(labels))}


def _rng(seed: int, name: str) -> np.random.Generator:
    """A stream of its own for each name, so that another source changes nothing in this one's figures."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
