"""Latency of a check, beside sentence-transformers' CrossEncoder over all pairs with its defaults.

    python benchmarks/check_latency.py [--rounds 5]

Ten passages of about 100 words, each made anew from a seed so that no cache helps, with one planted conflict.
The growth exponent compares 10 and 100 passages.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable

from detectors import nli
from detectors.segment import segment
from guard import Guard, Passage

PLACES = "Tilburg Aarhus Oslo Lyon Porto Gdansk Turin Bergen Ghent Malmo".split()
THINGS = "pump valve sensor boiler filter turbine crane press scanner mixer".split()
DOES = "was serviced by,was inspected by,was delivered to,is leased from,is operated by,was repaired by".split(",")
TEAMS = "the night shift,an outside firm,the safety office,a local workshop,the purchasing team".split(",")


def corpus(n: int, seed: int) -> list[Passage]:
    rng = random.Random(seed)
    passages = []
    for i in range(n):
        sentences = [
            f"The {rng.choice(THINGS)} {rng.randrange(10**4)}{'xyz'[k % 3]} in {rng.choice(PLACES)} {rng.choice(DOES)} "
            f"{rng.choice(TEAMS)} and has run without trouble since then."
            for k in range(6)
        ]
        passages.append(Passage(f"p{i}", " ".join(sentences)))
    for i, days in ((0, 14), (n - 1, 30)):
        passages[i] = Passage(f"p{i}", passages[i].text + f" The warranty of every machine lasts {days} days.")
    return passages


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    from sentence_transformers import CrossEncoder

    guard, naive = Guard(), CrossEncoder(str(nli.BUNDLED), device="cpu")
    guard.check(corpus(10, 999))
    ours, pairs = [], []
    for seed in range(args.rounds):
        passages = corpus(10, seed)
        ours.append(timed(lambda passages=passages: pairs.append(guard.check(passages).stats["pairs"])))
    sides = [[s.text for s in segment(p)] for p in corpus(10, 0)]
    every = [(a, b) for i, x in enumerate(sides) for j, y in enumerate(sides) if i != j for a in x for b in y]
    theirs = timed(lambda: naive.predict(every, show_progress_bar=False))
    ten, hundred = statistics.median(ours), timed(lambda: guard.check(corpus(100, 77)))
    print(f"guard: median {ten * 1e3:.0f} ms, worst {max(ours) * 1e3:.0f} ms, {statistics.median(pairs):.0f} pairs")
    print(f"CrossEncoder.predict over all {len(every)} ordered pairs: {theirs * 1e3:.0f} ms, {theirs / ten:.1f} x")
    print(f"10 to 100 passages: exponent {math.log10(hundred / ten):.2f}")


if __name__ == "__main__":
    main()
