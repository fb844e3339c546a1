"""Latency of a check, beside the same verdict from sentence-transformers' CrossEncoder over all sentence pairs.

    python benchmarks/check_latency.py [--requests 20] [--out latency.json]

A request is ten passages of about 100 words: one set of the suite's tune half (benchmarks/suite/sets.jsonl) with a
conflict between passages, filled up with passages of other sets, each with one more passage below it.  The reference
scores every pair of sentences in both directions with ``CrossEncoder.predict`` and its defaults, the weights in
float32, as most models are stored (no candidates, no cascade, no length sorting of ours), and then sums the same
evidence with the same weights and threshold, but without the rule for aligned antonyms.  No pair is seen twice, so no
cache helps.

Printed: median and p95 of both and their ratio; pairs scored; the share of each stage; how many of the true
conflicts (those that the suite planted) the reference finds and the check keeps; and the exponent with which the
time grows from 10 to 100 passages.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from detectors import calibration, nli
from detectors.comparison import Comparison, readable
from detectors.conflict import resolve
from detectors.encoder import load as load_encoder
from detectors.evidence import Conflict, Passage, ScoredPair, Sentence, SentencePair, Span
from detectors.segment import segment
from guard import Guard, GuardConfig

SUITE = Path(__file__).parent / "suite" / "sets.jsonl"
CLOCK: dict[str, float] = defaultdict(float)


@contextmanager
def clock(stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    CLOCK[stage] += time.perf_counter() - started


class TimedScorer(nli.NLIModel):
    """The bundled model; the time inside ``score`` is its own stage."""

    def score(self, *args: Any, **kwargs: Any) -> nli.Scores:
        with clock("nli"):
            return super().score(*args, **kwargs)


class TimedGuard(Guard):
    """A guard that adds up the time of its stages."""

    def _sentences(self, *args: Any) -> Any:
        with clock("sentences"):
            return super()._sentences(*args)

    def _candidates(self, *args: Any) -> Any:
        with clock("candidates"):
            return super()._candidates(*args)

    def _scores(self, *args: Any) -> Any:
        with clock("scores"):
            return super()._scores(*args)


def request(sets: Sequence[dict[str, Any]], at: int, n: int) -> tuple[list[Passage], list[tuple[Span, Span]]]:
    """Return ``n`` passages, those of set ``at`` among them, and the planted conflicts."""
    rng, own = random.Random(at), sets[at]
    passages = [Passage(f"{own['id']}/{p['id']}", p["text"]) for p in own["passages"]]
    others = [Passage(f"{s['id']}/{p['id']}", p["text"]) for s in sets if s is not own for p in s["passages"]]
    rng.shuffle(others)
    passages += others[: n - len(passages)]
    below = others[n - len(own["passages"]) :]
    passages = [Passage(p.id, f"{p.text}\n\n{more.text}") for p, more in zip(passages, below, strict=False)]
    rng.shuffle(passages)
    by_id = {p.id: p for p in passages}

    def span(side: dict[str, str]) -> Span:
        passage_id = f"{own['id']}/{side['passage']}"
        start = by_id[passage_id].text.index(side["quote"])
        return Span(passage_id, start, start + len(side["quote"]), side["quote"])

    return passages, [(span(c["a"]), span(c["b"])) for c in own["conflicts"]]


def reference(passages: Sequence[Passage], model: CrossEncoder) -> tuple[tuple[Conflict, ...], int]:
    """Return the conflicts from all pairs of sentences, and the number of ordered pairs scored."""
    sentences = [
        s for p in sorted(passages, key=lambda p: p.id) for s in segment(p) if s.kind not in ("heading", "code")
    ]
    vectors = load_encoder().encode([s.text for s in sentences])
    pairs = [_pair(sentences, vectors, i, j) for i, j in combinations(range(len(sentences)), 2)]
    texts = [(readable(p.a), readable(p.b)) for p in pairs]
    scores = model.predict(texts + [t[::-1] for t in texts], apply_softmax=True, show_progress_bar=False)
    compared = [Comparison(p) for p in pairs]
    shipped = calibration.load()
    found = shipped.scores(calibration.features(compared, scores[: len(pairs)], scores[len(pairs) :]))
    scored = [ScoredPair(c.pair, float(s)) for c, s in zip(compared, found, strict=True)]
    return resolve(scored, shipped.threshold)[0], 2 * len(pairs)


def _pair(sentences: Sequence[Sentence], vectors: np.ndarray, i: int, j: int) -> SentencePair:
    return SentencePair(sentences[i], sentences[j], float(vectors[i] @ vectors[j]))


def reported(gold: tuple[Span, Span], conflicts: Sequence[Conflict]) -> bool:
    """Whether a conflict names both planted spans, in either order."""
    return any(
        (_touch(gold[0], c.a) and _touch(gold[1], c.b)) or (_touch(gold[0], c.b) and _touch(gold[1], c.a))
        for c in conflicts
    )


def _touch(a: Span, b: Span) -> bool:
    return a.passage_id == b.passage_id and a.start < b.end and b.start < a.end


def timed_checks(guard: TimedGuard, requests: Sequence[Sequence[Passage]]) -> tuple[list[float], list[Any]]:
    seconds, verdicts = [], []
    for passages in requests:
        guard._given_scorer = TimedScorer.like(guard.scorer)  # an empty cache
        guard.__dict__.pop("scorer", None)
        started = time.perf_counter()
        verdicts.append(guard.check(passages))
        seconds.append(time.perf_counter() - started)
    return seconds, verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sets = [s for s in map(json.loads, SUITE.open()) if s["half"] == "tune"]
    chosen = [i for i, s in enumerate(sets) if s["kind"] == "pair"][: args.requests]
    given = [request(sets, i, 10) for i in chosen]
    guard = TimedGuard(GuardConfig(detectors=("nli", "values")), scorer=TimedScorer.like(nli.load()))
    plain = CrossEncoder(str(nli.BUNDLED), device="cpu", model_kwargs={"dtype": torch.float32})
    guard.check(given[-1][0])
    CLOCK.clear()
    ours, verdicts = timed_checks(guard, [p for p, _ in given])
    stages = dict(CLOCK)
    theirs, found, n_pairs = [], [], 0
    for number, (passages, _) in enumerate(given, 1):
        started = time.perf_counter()
        conflicts, n = reference(passages, plain)
        theirs.append(time.perf_counter() - started)
        found.append(conflicts)
        n_pairs += n
        print(f"reference {number}/{len(given)}", end="\r", flush=True)
    planted = [(g, v) for (_, gold), v in zip(given, verdicts, strict=True) for g in gold]
    true = [(g, v) for (_, gold), v, f in zip(given, verdicts, found, strict=True) for g in gold if reported(g, f)]
    sizes = {
        n: float(np.median(timed_checks(guard, [request(sets, i, n)[0] for i in chosen[:5]])[0])) for n in (10, 30, 100)
    }
    total = sum(ours)
    figures = {
        "machine": {"cpus": os.cpu_count(), "processor": platform.machine(), "torch": torch.__version__,
                    "precision": "bfloat16" if nli.cpu_prefers_bfloat16() else "float32"},
        "requests": len(given),
        "check_ms": {"median": 1e3 * np.median(ours), "p95": 1e3 * np.percentile(ours, 95)},
        "reference_ms": {"median": 1e3 * np.median(theirs), "p95": 1e3 * np.percentile(theirs, 95)},
        "times_faster": np.median(theirs) / np.median(ours),
        "pairs": {"check": np.mean([v.stats["pairs"] for v in verdicts]), "reference": n_pairs / len(given)},
        "share_of_time": {
            "sentences": stages["sentences"] / total, "candidates": stages["candidates"] / total,
            "nli": stages["nli"] / total, "rules": (stages["scores"] - stages["nli"]) / total,
            "policy and the rest": 1 - (stages["sentences"] + stages["candidates"] + stages["scores"]) / total,
        },
        "true_conflicts": {"planted": len(planted), "reference": len(true),
                           "kept": sum(reported(g, v.conflicts) for g, v in true),
                           "check": sum(reported(g, v.conflicts) for g, v in planted)},
        "conflicts_reported": {"check": sum(len(v.conflicts) for v in verdicts), "reference": sum(map(len, found))},
        "ms_by_passages": {n: 1e3 * s for n, s in sizes.items()},
        "growth_exponent": np.polyfit(np.log(list(sizes)), np.log(list(sizes.values())), 1)[0],
    }  # fmt: skip
    text = json.dumps(figures, indent=2, default=lambda x: round(float(x), 3))
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
