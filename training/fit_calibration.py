"""Fit the logistic model that turns the evidence on a sentence pair into a calibrated score.

    python training/fit_calibration.py DATA_FOLDER detectors/models/calibration.json

Only training files are read.  Labels are known for passages, not for sentences, so the fit alternates: score
all candidate pairs, keep the highest of each passage pair (the pair that would be reported), refit.  The
threshold is the lowest at which precision on the training sets, conflicts and consistent ones weighed equally
by source, reaches ``--precision``.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from data import CONTRADICTION, allowed_sources, load, read
from sklearn.linear_model import LogisticRegression

from detectors import encoder, nli
from detectors.candidates import candidate_pairs
from detectors.conflict import FEATURES, features
from detectors.evidence import Passage, Sentence, SentencePair, Span
from detectors.scoring import both_directions
from detectors.segment import segment

PROSE = ("synth_", "vitaminc", "chatprotect", "aligned_condaqa", "contractnli", "mnli")  # held-out pairs of these
NLI_WEIGHT = 6.0  # all held-out pairs together count as much as this many groups of sets
NON_NEGATIVE = ("nli_logit_mean", "nli_logit_min", "value", "negation", "antonym", "replaced_name")


def examples(root: Path, limit: int, seed: int) -> list[tuple[list[Passage], set[tuple[int, int]] | None, str]]:
    """Return (passages, conflicting index pairs, source and label); (0, 0) marks a self-contradiction."""
    allowed, rng = allowed_sources(root), random.Random(seed)
    grouped: dict[str, list[Any]] = {}
    for record in read(root / "train" / "passage_sets.jsonl.gz", allowed):
        if record["source"] == "conflictqa_strategy" or record["conflicts"] is None:
            continue
        passages = [Passage(p["id"], p["text"]) for p in record["passages"]]
        key = f"{record['source']}/{record['label']}/{record['type']}"
        grouped.setdefault(key, []).append((passages, {tuple(sorted(c)) for c in record["conflicts"]}, key))
    for record in read(root / "train" / "self_contradiction.jsonl.gz", allowed):
        key = f"{record['source']}/{'conflict' if record['contradiction'] else 'consistent'}"
        grouped.setdefault(key, []).append(
            ([Passage("p", record["text"])], {(0, 0)} if record["contradiction"] else set(), key)
        )
    return [row for _, rows in sorted(grouped.items()) for row in rng.sample(rows, min(limit, len(rows)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, default=150, help="examples of each source, label and type")
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    scorer, embed = nli.load(), encoder.load()

    rows, bags, labels, weights = [], [], [], []
    chosen = examples(args.data, args.limit, args.seed)
    n_of = {key: sum(k == key for _, _, k in chosen) for key in {k for _, _, k in chosen}}
    for passages, conflicting, key in chosen:
        sentences = [s for p in passages for s in segment(p)]
        if len(sentences) < 2:
            continue
        pairs = candidate_pairs(sentences, embed.encode([s.text for s in sentences]))
        if not pairs:
            continue
        index = {p.id: i for i, p in enumerate(passages)}
        matrix = features(pairs, *both_directions(pairs, scorer))
        groups: dict[tuple[int, int], list[int]] = {}
        for i, pair in enumerate(pairs):
            groups.setdefault(_key(pair, index), []).append(i)
        for group, members in groups.items():
            bags.append((len(rows), len(rows) + len(members)))
            rows.extend(matrix[members])
            labels.append(group in conflicting)
            weights.append(1 / n_of[key] / len(groups))
    prose = [r for r in load(args.data, args.seed)[1] if r.source.startswith(PROSE)]
    pairs = [
        SentencePair(Sentence(Span("a", 0, 0, r.premise)), Sentence(Span("b", 0, 0, r.hypothesis)), float(v @ u))
        for r, v, u in zip(
            prose, embed.encode([r.premise for r in prose]), embed.encode([r.hypothesis for r in prose]), strict=True
        )
    ]
    matrix = features(pairs, *both_directions(pairs, scorer))
    for r, row in zip(prose, matrix, strict=True):
        bags.append((len(rows), len(rows) + 1))
        rows.append(row)
        labels.append(r.label == CONTRADICTION)
        weights.append(NLI_WEIGHT / len(prose))
    x, y, w = np.array(rows), np.array(labels), np.array(weights)
    w[y] /= w[y].sum()
    w[~y] /= w[~y].sum()
    w *= len(y) / 2
    print(f"{len(chosen)} examples, {len(bags)} passage pairs, {int(y.sum())} in conflict")

    coefficient, bias = np.zeros(len(FEATURES)), 0.0
    coefficient[0] = 1.0
    for _ in range(8):
        sums = x @ coefficient + bias
        top = np.array([start + int(sums[start:end].argmax()) for start, end in bags])
        active = np.ones(len(FEATURES), dtype=bool)
        while True:
            fitted = LogisticRegression(C=0.3, max_iter=2000).fit(x[top][:, active], y, sample_weight=w)
            coefficient = np.zeros(len(FEATURES))
            coefficient[active] = fitted.coef_[0]
            wrong = [i for i, name in enumerate(FEATURES) if name in NON_NEGATIVE and coefficient[i] < 0]
            if not wrong:
                break
            active[wrong] = False
        bias = float(fitted.intercept_[0])
    sums = x @ coefficient + bias
    score = 1 / (1 + np.exp(-np.array([sums[s:e].max() for s, e in bags])))
    threshold = 0.95
    for candidate in np.arange(0.5, 0.99, 0.01):
        fired = score >= candidate
        if fired.any() and w[fired & y].sum() / w[fired].sum() >= args.precision:
            threshold = float(candidate)
            break
    fired = score >= threshold
    print(f"threshold {threshold:.2f}: precision {w[fired & y].sum() / w[fired].sum():.3f}, "
          f"recall {w[fired & y].sum() / w[y].sum():.3f} on the rows it was fitted on")  # fmt: skip
    stored = {"bias": round(bias, 4), "threshold": round(threshold, 2),
              "weights": {n: round(float(c), 4) for n, c in zip(FEATURES, coefficient, strict=True)}}  # fmt: skip
    args.out.write_text(json.dumps(stored, indent=2) + "\n")
    print(args.out.read_text())


def _key(pair: SentencePair, index: dict[str, int]) -> tuple[int, int]:
    i, j = sorted((index[pair.a.passage_id], index[pair.b.passage_id]))
    return i, j


if __name__ == "__main__":
    main()
