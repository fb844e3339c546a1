"""Throughput of concurrent checks: one at a time, in threads over one model, and with NLI batched across requests.

    python benchmarks/micro_batching.py [--requests 24] [--clients 8] [--rounds 3] [--out batching.json]

Two kinds of request, both from the suite's tune half (`check_latency.request`): ``small``, one set of two to four short
passages, where a request alone fills no batch, and ``ten``, ten passages of about 100 words.  ``batched`` is what a
micro-batcher would do: checks run in as many threads as there are clients, and one thread scores all pairs that wait.
``pair_by_pair`` scores without any batch: what batching inside a request brings.  Every mode sees the same requests
with an empty cache; rounds alternate, and the medians are printed, with the processor time of a request, which a busy
machine changes less.  ``largest_change`` is how far a conflict's score is
from that of the check alone, ``other_conflicts`` how many verdicts differ.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from check_latency import SUITE, request

from detectors import nli
from detectors.evidence import Passage
from guard import Guard, Verdict

MAX_PAIRS = 1024  # of one joint call
Job = tuple[Sequence[tuple[str, str]], "Future[nli.Scores]"]


class BatchingScorer(nli.NLIModel):
    """Scores the pairs of all callers that wait in one call."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def score(self, pairs: Sequence[tuple[str, str]], on_batch: Callable[[int], None] | None = None) -> nli.Scores:
        if not pairs:
            return np.zeros((0, 3), dtype=np.float32)
        result: Future[nli.Scores] = Future()
        self._jobs.put((pairs, result))
        return result.result()

    def close(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            while sum(len(pairs) for pairs, _ in jobs) < MAX_PAIRS:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    return
                jobs.append(more)
            rows = super().score([pair for pairs, _ in jobs for pair in pairs])
            for pairs, result in jobs:
                result.set_result(rows[: len(pairs)])
                rows = rows[len(pairs) :]


class PairByPair(nli.NLIModel):
    """Scores one pair a call."""

    def score(self, pairs: Sequence[tuple[str, str]], on_batch: Callable[[int], None] | None = None) -> nli.Scores:
        rows = [super(PairByPair, self).score([pair]) for pair in pairs]
        return np.concatenate([np.zeros((0, 3), dtype=np.float32), *rows])


def timed(scorer: nli.NLIModel, requests: Sequence[list[Passage]], threads: int) -> tuple[float, float, list[Verdict]]:
    """Return requests a second, processor seconds a request, and the verdicts."""
    guard = Guard(scorer=scorer)
    with ThreadPoolExecutor(threads) as pool:
        started, before = time.perf_counter(), time.process_time()
        verdicts = list(pool.map(guard.check, requests))
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - before
        return len(requests) / seconds, cpu_s / len(requests), verdicts


def run(requests: Sequence[list[Passage]], clients: int, rounds: int) -> dict[str, Any]:
    modes = {
        "pair_by_pair": (PairByPair, 1),
        "one_at_a_time": (nli.NLIModel, 1),
        "threads": (nli.NLIModel, 2),
        "batched": (BatchingScorer, clients),
    }
    rates: dict[str, list[float]] = {name: [] for name in modes}
    spent: dict[str, list[float]] = {name: [] for name in modes}
    verdicts: dict[str, list[Verdict]] = {}
    for _ in range(rounds):
        for name, (kind, threads) in modes.items():
            scorer = kind.like(nli.load())
            rate, cpu_s, verdicts[name] = timed(scorer, requests, threads)
            rates[name].append(rate)
            spent[name].append(1e3 * cpu_s)
            if isinstance(scorer, BatchingScorer):
                scorer.close()
    found = {name: [scores(v) for v in each] for name, each in verdicts.items()}
    pairs = list(zip(found["one_at_a_time"], found["batched"], strict=True))
    return {
        "requests_per_s": {name: median(each) for name, each in rates.items()},
        "cpu_ms_per_request": {name: median(each) for name, each in spent.items()},
        "pairs_per_request": float(np.mean([v.stats["pairs"] for v in verdicts["threads"]])),
        "other_conflicts": sum(a.keys() != b.keys() for a, b in pairs),
        "largest_change": max((abs(a[k] - b[k]) for a, b in pairs for k in a.keys() & b.keys()), default=0.0),
    }


def scores(verdict: Verdict) -> dict[tuple[Any, ...], float]:
    return {(c.a.passage_id, c.a.start, c.b.passage_id, c.b.start): c.score for c in verdict.conflicts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sets = [s for s in map(json.loads, SUITE.open()) if s["half"] == "tune"]
    chosen = [i for i, s in enumerate(sets) if s["kind"] == "pair"]
    small = [[Passage(p["id"], p["text"]) for p in sets[i]["passages"]] for i in chosen]
    ten = [request(sets, i, 10)[0] for i in chosen[: args.requests]]
    timed(nli.NLIModel.like(nli.load()), ten[:1], 1)
    figures = {
        "machine": {"cpus": os.cpu_count(), "torch": torch.__version__, "torch_threads": torch.get_num_threads(),
                    "precision": "bfloat16" if nli.cpu_prefers_bfloat16() else "float32"},
        "clients": args.clients,
        "small": run(small, args.clients, args.rounds),
        "ten": run(ten, args.clients, args.rounds),
    }  # fmt: skip
    text = json.dumps(figures, indent=2, default=lambda x: round(float(x), 3))
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
