"""Figures of the model card: AUROC per source on passage sets and self-contradictions, NLI accuracy.

    python benchmarks/evaluate.py DATA_FOLDER [--limit 300] [--out figures.json]

DATA_FOLDER holds dev/passage_sets.jsonl.gz, dev/self_contradiction.jsonl.gz and dev/nli.jsonl.gz.  Beside
PassageGuard stand two plain baselines on the same sets: the highest contradiction probability over all
sentence pairs (both from the bundled model), and the word overlap of the two closest passages.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from detectors import nli
from detectors.segment import segment
from detectors.words import content_words
from guard import Guard, Passage


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def sample(rows: list[dict[str, Any]], key: Any, limit: int) -> list[dict[str, Any]]:
    """Take at most ``limit`` rows of each (source, label), chosen by a fixed seed."""
    grouped: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["source"], key(row)].append(row)
    rng = random.Random(0)
    return [r for _, some in sorted(grouped.items(), key=str) for r in rng.sample(some, min(limit, len(some)))]


def all_pairs(passages: list[Passage], scorer: nli.NLIModel) -> tuple[float, int]:
    """Return the highest contradiction probability over sentence pairs across passages, and their number."""
    sides = [[s.text for s in segment(p)] for p in passages]
    pairs = [(a, b) for i, left in enumerate(sides) for right in sides[i + 1 :] for a in left for b in right]
    return (float(scorer.score(pairs)[:, nli.CONTRADICTION].max()) if pairs else 0.0), len(pairs)


def overlap(passages: list[Passage]) -> float:
    words = [content_words(p.text) for p in passages]
    return max((len(a & b) / max(1, len(a | b)) for i, a in enumerate(words) for b in words[i + 1 :]), default=0.0)


def passage_sets(rows: list[dict[str, Any]], guard: Guard, baseline: nli.NLIModel | None) -> dict[str, Any]:
    by_source: dict[str, list[tuple[bool, float, float, float]]] = defaultdict(list)
    alarms: dict[str, list[bool]] = defaultdict(list)
    named = total = calls = baseline_calls = 0
    for row in rows:
        passages = [Passage(p["id"], p["text"]) for p in row["passages"]]
        before = guard.scorer.calls
        scores = guard.scores(passages, row["question"])
        calls += guard.scorer.calls - before
        between = {key: s for key, s in scores.items() if key[0] != key[1]}
        best, score = max(between.items(), key=lambda item: item[1])
        plain = 0.0
        if baseline:
            plain, n = all_pairs(passages, baseline)
            baseline_calls += n
        is_conflict = row["label"] == "conflict"
        by_source[row["source"]].append((is_conflict, score, plain, overlap(passages)))
        alarms[f"{row['source']}/{row['type']}"].append(score >= guard.threshold)
        if is_conflict and row["conflicts"] and score >= guard.threshold:
            total += 1
            ids = [p.id for p in passages]
            named += tuple(sorted((ids.index(best[0]), ids.index(best[1])))) in {
                tuple(sorted(c)) for c in row["conflicts"]
            }
    columns = [(1, "passageguard"), *([(2, "all_pairs_nli")] if baseline else []), (3, "overlap")]
    table = {}
    for source, some in sorted(by_source.items()):
        label = [s[0] for s in some]
        table[source] = {name: round(float(roc_auc_score(label, [s[i] for s in some])), 3) for i, name in columns}
    macro = {name: round(float(np.mean([t[name] for t in table.values()])), 3) for _, name in columns}
    return {
        "auroc": {**table, "macro": macro},
        "alarm_rate": {k: round(float(np.mean(v)), 3) for k, v in sorted(alarms.items())},
        "right_pair_named": round(named / max(1, total), 3),
        "nli_calls": calls,
        "all_pairs_nli_calls": baseline_calls,
    }


def self_contradictions(rows: list[dict[str, Any]], guard: Guard) -> dict[str, Any]:
    label = [r["contradiction"] for r in rows]
    score = np.array([guard.scores([Passage("p", r["text"])])["p", "p"] for r in rows])
    sources = sorted({r["source"] for r in rows})
    auroc = {
        s: round(float(roc_auc_score([y for y, r in zip(label, rows, strict=True) if r["source"] == s],
                                     [v for v, r in zip(score, rows, strict=True) if r["source"] == s])), 3)
        for s in sources
    }  # fmt: skip
    fired = score >= guard.threshold
    return {
        "auroc": {**auroc, "all": round(float(roc_auc_score(label, score)), 3)},
        "alarm_rate": {"contradiction": round(float(fired[np.array(label)].mean()), 3),
                       "consistent": round(float(fired[~np.array(label)].mean()), 3)},
    }  # fmt: skip


def nli_accuracy(rows: list[dict[str, Any]], scorer: nli.NLIModel) -> dict[str, float]:
    names = ("entailment", "neutral", "contradiction")
    predicted = scorer.score([(r["premise"], r["hypothesis"]) for r in rows]).argmax(1)
    hits: dict[str, list[bool]] = defaultdict(list)
    for row, column in zip(rows, predicted, strict=True):
        hits[row["source"]].append(names[column] == row["label"])
    return {source: round(float(np.mean(some)), 3) for source, some in sorted(hits.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, default=10_000, help="rows of each source and label")
    parser.add_argument("--no-baseline", action="store_true", help="skip the slow all-pairs baseline")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    guard, fresh = Guard(), nli.NLIModel.like(nli.load())
    dev = args.data / "dev"
    sets = sample(read(dev / "passage_sets.jsonl.gz"), lambda r: r["label"], args.limit)
    figures = {"passage_sets": passage_sets(sets, guard, None if args.no_baseline else fresh)}
    print(json.dumps(figures, indent=2), flush=True)
    selves = sample(read(dev / "self_contradiction.jsonl.gz"), lambda r: r["contradiction"], args.limit)
    figures["self_contradiction"] = self_contradictions(selves, guard)
    figures["nli"] = nli_accuracy(sample(read(dev / "nli.jsonl.gz"), lambda r: r["label"], args.limit), guard.scorer)
    print(json.dumps(figures, indent=2))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
