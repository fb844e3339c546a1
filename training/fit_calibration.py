"""Fit the logistic model that turns the evidence on a sentence pair into a calibrated score.

    python training/fit_calibration.py DATA_FOLDER detectors/models/calibration.json --suite benchmarks/suite

Only what `train_nli.py` keeps from a model is read: the groups of training sets that `data.is_held_out_set` sets apart,
the held-out NLI rows, and the ``tune`` half of the suite.  Labels are known for passages, not for sentences, so the fit
alternates: score all candidate pairs, keep the highest of each bag (the pair that would be reported), refit.  A bag
is a consistent set, a conflicting pair of passages, the rest of a conflicting set, or a labelled pair of sentences.

All weights are fitted together, maximum a posteriori: each benign shape starts from `SHAPE_PRIOR`, what we believe
without data, and may only speak against a conflict.

The threshold is the lowest at which, averaged over groups (source and type, our own hard rows left out), no more
than ``--false-alarms`` of the consistent bags fire and precision, classes weighed equally, reaches ``--precision``.
The bias of the stances is fitted on our own sets with a yes/no question, which no model ever saw.
All figures that are printed come from cross-fitting: over five folds of groups of sets, and, harder, over sources,
each scored by weights that never saw that source.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from data import CONTRADICTION, allowed_sources, is_held_out_set, load, read
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from detectors import encoder, nli
from detectors.calibration import EVIDENCE, FEATURES, SHAPES, features, logit, sigmoid
from detectors.candidates import candidate_pairs
from detectors.comparison import Comparison, readable
from detectors.evidence import Passage, Sentence, SentencePair, Span
from detectors.segment import segment
from detectors.stance import answers, is_yes_no

WRITTEN = Path(__file__).parent / "sets"  # our own sets, which no model sees
PROSE = ("synth_", "vitaminc", "chatprotect", "aligned_", "contractnli", "mnli", "snli")  # held-out pairs of these
FOLDS = 5
FAMILIES = ("vitaminc", "condaqa", "nqswap", "squad", "conflictqa", "chatprotect", "nli", "synth", "suite", "written")
STANCE_SLOPE = 0.8  # set by hand: steep enough that an answer outweighs chance clashes of two sentences (docs/log.md)
ANSWER_ALARMS = 0.1  # share of agreeing passages that may be said to answer differently
SHAPE_PRIOR = -5.0
SHAPE_FORCE, EVIDENCE_FORCE = 10.0, 3.3  # the precisions of the normal priors
HARD_WEIGHT = 0.5  # our own rows are made to be hard: they say little of how common the shapes are


@dataclass(frozen=True, slots=True)
class Bag:
    """Sentence pairs of which the highest score decides.  ``key`` is source, label and type; ``fold`` 0..4."""

    key: str
    fold: int
    is_conflict: bool
    pairs: tuple[SentencePair, ...]


def bags_of_set(key: str, fold: int, passages: Sequence[Passage], conflicts: set[frozenset[str]]) -> Iterator[Bag]:
    """Yield one bag for each conflicting pair of passages (one alone for a self-contradiction), one for the rest."""
    sentences = [s for p in passages for s in segment(p)]
    if len(sentences) < 2:
        return
    groups: dict[frozenset[str], list[SentencePair]] = defaultdict(list)
    for pair in candidate_pairs(sentences, encoder.load().encode([s.text for s in sentences])):
        ids = frozenset((pair.a.passage_id, pair.b.passage_id))
        groups[ids if ids in conflicts else frozenset()].append(pair)
    for ids, pairs in groups.items():
        yield Bag(key if bool(ids) == bool(conflicts) else f"{key} (rest)", fold, bool(ids), tuple(pairs))


def sets(root: Path, limit: int, seed: int) -> tuple[list[Bag], list[dict[str, Any]]]:
    """Return the bags of at most ``limit`` held-out sets of each key, and the records with a yes/no question."""
    allowed, rng = allowed_sources(root), random.Random(seed)
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in ("passage_sets", "self_contradiction"):
        for r in read(root / "train" / f"{name}.jsonl.gz", allowed):
            if r["source"] == "chatprotect" or not is_held_out_set(r) or r.get("conflicts", []) is None:
                continue
            grouped[f"{r['source']}/{_label(r)}/{r.get('type', '')}"].append(r)
    for path in sorted(WRITTEN.glob("*.jsonl")):
        for r in map(json.loads, path.open(encoding="utf-8")):
            grouped[f"written_{path.stem}/{r['label']}/{r['type']}"].append({**r, "source": f"written_{path.stem}"})
    bags, asked = [], []
    for key, records in sorted(grouped.items()):
        for r in rng.sample(records, min(limit, len(records))):
            passages = [Passage(p["id"], p["text"]) for p in r.get("passages", [{"id": "p", "text": r.get("text")}])]
            ids = [p.id for p in passages]
            pairs = r["conflicts"] if "conflicts" in r else [[0, 0]] if r["contradiction"] else []
            conflicts = {frozenset((ids[i], ids[j])) for i, j in pairs}
            if is_yes_no(r.get("question")):
                asked.append({**r, "passages": passages, "conflicts": conflicts})
            if r.get("type") != "yes/no answer":  # such a conflict lies in the stance, not in two sentences
                bags.extend(bags_of_set(key, _fold(r), passages, conflicts))
    return bags, asked


def labelled_pairs(root: Path, suite: Path | None, seed: int) -> Iterator[Bag]:
    """Yield bags of one pair: held-out NLI rows and the tune half of the suite's pairs."""
    for n, r in enumerate(r for r in load(root, seed)[1] if r.source.startswith(PROSE)):
        key = f"{r.source}/{'conflict' if r.label == CONTRADICTION else 'consistent'}"
        yield Bag(key, n % FOLDS, r.label == CONTRADICTION, (_pair(r.premise, r.hypothesis),))
    rows = [json.loads(line) for line in (suite / "pairs.jsonl").open()] if suite else []
    for n, r in enumerate(r for r in rows if r["half"] == "tune"):
        yield Bag(f"suite/{r['label']}/{r['type']}", n % FOLDS, r["label"] == "conflict", (_pair(r["a"], r["b"]),))


def suite_sets(suite: Path) -> Iterator[Bag]:
    """Yield the bags of the tune half of the suite's sets, conditional ones left out."""
    rows = [json.loads(line) for line in (suite / "sets.jsonl").open()]
    for n, r in enumerate(r for r in rows if r["half"] == "tune" and r["kind"] != "conditional"):
        passages = [Passage(p["id"], p["text"]) for p in r["passages"]]
        conflicts = {frozenset((c["a"]["passage"], c["b"]["passage"])) for c in r["conflicts"]}
        yield from bags_of_set(f"suite_sets/{r['label']}/{r['kind']}", n % FOLDS, passages, conflicts)


def _pair(a: str, b: str) -> SentencePair:
    one, two = encoder.load().encode([a, b])
    return SentencePair(Sentence(Span("a", 0, len(a), a)), Sentence(Span("b", 0, len(b), b)), float(one @ two))


def _label(record: dict[str, Any]) -> str:
    return record.get("label") or ("conflict" if record["contradiction"] else "consistent")


def _fold(record: dict[str, Any]) -> int:
    return int(record["id"].split("-")[1]) % FOLDS


@dataclass(frozen=True, slots=True)
class Evidence:
    """The features of all pairs of all bags: ``x`` (n_pairs, n_features), ``start`` (n_bags + 1,)."""

    x: np.ndarray
    start: np.ndarray
    y: np.ndarray
    fold: np.ndarray
    keys: list[str]

    @property
    def is_hard(self) -> np.ndarray:
        return np.array([key.startswith(("suite", "written")) for key in self.keys])

    @property
    def source(self) -> np.ndarray:
        return np.array([family(key) for key in self.keys])

    @property
    def weights(self) -> np.ndarray:
        """Keys count by the root of their size, our own less; both labels count the same."""
        n = {key: self.keys.count(key) for key in set(self.keys)}
        w = np.array([n[key] ** -0.5 for key in self.keys])  # between one vote a bag and one vote a key
        w[self.is_hard] *= HARD_WEIGHT
        for label in (True, False):
            w[self.y == label] *= len(w) / 2 / w[self.y == label].sum()
        return w

    def top(self, sums: np.ndarray) -> np.ndarray:
        """Return for each bag the row of its highest sum."""
        return np.array([s + int(sums[s:e].argmax()) for s, e in zip(self.start[:-1], self.start[1:], strict=True)])


def both_directions(pairs: Sequence[SentencePair], scorer: nli.NLIModel) -> tuple[nli.Scores, nli.Scores]:
    """Return NLI scores of (a, b) and (b, a), each (n_pairs, 3); unlike in the product, of every pair."""
    texts = [(readable(p.a), readable(p.b)) for p in pairs]
    both = scorer.score(texts + [t[::-1] for t in texts])
    return both[: len(pairs)], both[len(pairs) :]


def evidence(bags: Sequence[Bag], scorer: nli.NLIModel) -> Evidence:
    pairs = [p for bag in bags for p in bag.pairs]
    compared = [Comparison(p) for p in pairs]
    return Evidence(
        features(compared, *both_directions(pairs, scorer)),
        np.cumsum([0, *(len(bag.pairs) for bag in bags)]),
        np.array([bag.is_conflict for bag in bags]),
        np.array([bag.fold for bag in bags]),
        [bag.key for bag in bags],
    )


def family(key: str) -> str:
    """Return what a key's rows were made from: sources that share texts or makers are one."""
    return next((name for name in FAMILIES if name in key), key.split("_")[0].split("/")[0])


def fit(found: Evidence, chosen: np.ndarray, rounds: int = 6) -> tuple[np.ndarray, float]:
    """Return (coefficients, bias) fitted on the ``chosen`` bags."""
    n_shapes, y, w = len(SHAPES), found.y[chosen], found.weights[chosen]
    prior = np.array([0.0] * len(EVIDENCE) + [SHAPE_PRIOR] * n_shapes)
    force = np.array([EVIDENCE_FORCE] * len(EVIDENCE) + [SHAPE_FORCE] * n_shapes)
    bounds = [(0, None)] * len(EVIDENCE) + [(None, 0)] * n_shapes + [(None, None)]
    sign = np.where(y, 1.0, -1.0)
    coefficient, bias = prior + np.eye(len(prior))[0], 0.0
    for _ in range(rounds):
        rows = found.x[found.top(found.x @ coefficient)][chosen]

        def loss(p: np.ndarray, rows: np.ndarray = rows) -> tuple[float, np.ndarray]:
            margin, off = sign * (rows @ p[:-1] + p[-1]), p[:-1] - prior
            slope = -sign * w * sigmoid(-margin)
            value = (w * np.logaddexp(0, -margin)).sum() + (force * off**2).sum() / 2
            return float(value), np.append(rows.T @ slope + force * off, slope.sum())

        found_p = minimize(loss, np.append(prior, 0.0), jac=True, bounds=bounds, method="L-BFGS-B").x
        coefficient, bias = found_p[:-1], float(found_p[-1])
    return coefficient, bias


def scores_of(found: Evidence, coefficient: np.ndarray, bias: float) -> np.ndarray:
    sums = found.x @ coefficient + bias
    return sigmoid(sums[found.top(sums)])


def cross_fitted(found: Evidence, part: np.ndarray) -> np.ndarray:
    """Return the score of each bag by the weights that did not see its ``part``."""
    scores = np.zeros(len(found.y))
    for one in np.unique(part):
        scores[part == one] = scores_of(found, *fit(found, part != one))[part == one]
    return scores


def stance_rows(asked: Sequence[dict[str, Any]], scorer: nli.NLIModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (logit of the product of stances, label, weight) of each pair of passages."""
    x, y, keys = [], [], []
    for r in asked:
        sentences = [s for p in r["passages"] for s in segment(p)]
        found = answers(r["passages"], r["question"], sentences, scorer)
        for i, a in enumerate(r["passages"]):
            for j in range(i + 1, len(found)):
                x.append(logit(max(found[i].yes * found[j].no, found[i].no * found[j].yes)))
                y.append(frozenset((a.id, r["passages"][j].id)) in r["conflicts"])
                keys.append((r["source"], y[-1]))
    weight = np.array([1 / keys.count(k) for k in keys])
    return np.array(x), np.array(y), weight / weight.mean()


def calibration_error(scores: np.ndarray, y: np.ndarray, w: np.ndarray, bins: int = 15) -> float:
    order = np.array_split(np.argsort(scores), bins)
    return float(sum(w[b].sum() * abs(np.average(scores[b] - y[b], weights=w[b])) for b in order) / w.sum())


def threshold_of(scores: np.ndarray, found: Evidence, precision: float, false_alarms: float) -> float:
    w = found.weights
    index = np.array(found.keys)
    calm = set(index[~found.y & ~found.is_hard])
    for candidate in np.arange(0.3, 0.99, 0.01):
        fired = scores >= candidate
        alarms = np.mean([fired[index == key].mean() for key in calm])
        if fired.any() and w[fired & found.y].sum() / w[fired].sum() >= precision and alarms <= false_alarms:
            return float(candidate)
    return 0.99


def report(scores: np.ndarray, found: Evidence, threshold: float) -> None:
    w, fired, index = found.weights, scores >= threshold, np.array(found.keys)
    print(f"cross-fitted, {len(scores)} bags, {int(found.y.sum())} in conflict; threshold {threshold:.2f}: precision "
          f"{w[fired & found.y].sum() / w[fired].sum():.3f}, recall {w[fired & found.y].sum() / w[found.y].sum():.3f}, "
          f"AUROC {roc_auc_score(found.y, scores, sample_weight=w):.3f}, "
          f"calibration error {calibration_error(scores, found.y, w):.3f}")  # fmt: skip
    for key in sorted(set(found.keys)):
        own = index == key
        print(
            f"  {key:55s} {own.sum():5d} bags, {fired[own].mean():.3f} fire, median score {np.median(scores[own]):.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--suite", type=Path, help="folder with pairs.jsonl and sets.jsonl; only the tune half is read")
    parser.add_argument("--model", help="NLI model, the bundled one by default")
    parser.add_argument("--limit", type=int, default=150, help="sets of each source, label and type")
    parser.add_argument("--precision", type=float, default=0.88)
    parser.add_argument("--false-alarms", type=float, default=0.08)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    scorer = nli.load(args.model)
    bags, asked = sets(args.data, args.limit, args.seed)
    bags += labelled_pairs(args.data, args.suite, args.seed)
    if args.suite and (args.suite / "sets.jsonl").exists():
        bags += suite_sets(args.suite)
    found = evidence(bags, scorer)
    scores = cross_fitted(found, found.fold)
    threshold = threshold_of(scores, found, args.precision, args.false_alarms)
    report(scores, found, threshold)
    unseen = cross_fitted(found, found.source)
    for name in np.unique(found.source):
        own = found.source == name
        if len(set(found.y[own])) == 2:
            print(f"  never seen in the fit: {name:15s} AUROC {roc_auc_score(found.y[own], unseen[own]):.3f}")
    x, y, _ = stance_rows([r for r in asked if r["source"].startswith("written")], scorer)
    # The threshold is reached where only a few agreeing passages would be reported.
    reached = STANCE_SLOPE * float(np.quantile(x[~y], 1 - ANSWER_ALARMS))
    print(f"stance: {len(y)} pairs of passages of our own, AUROC {roc_auc_score(y, x):.3f}")
    coefficient, bias = fit(found, np.ones(len(found.y), dtype=bool))
    stored = {
        "bias": round(bias, 4),
        "threshold": round(threshold, 2),
        "weights": {name: round(float(c), 4) for name, c in zip(FEATURES, coefficient, strict=True)},
        "stance": {"slope": STANCE_SLOPE, "bias": round(logit(threshold) - reached, 4)},
    }
    args.out.write_text(json.dumps(stored, indent=2) + "\n")
    print(args.out.read_text())


if __name__ == "__main__":
    main()
