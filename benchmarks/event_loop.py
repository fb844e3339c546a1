"""How long an event loop stands while 200 retrievals are awaited at once, checked by the bundled models.

    python benchmarks/event_loop.py [--calls 200] [--runs 8] [--out event_loop.json]

A task wakes up every millisecond; a pause is the time between two of its turns.  Each call retrieves two of three
documents, two of which contradict each other, for a question of its own.  Results must equal those of one call after
the other, and the model must exist once.  What was loaded is frozen (see `Guarded.load`), so that full collections of
garbage are short; how many there were is counted.

Printed, and written as JSON: the longest pause and the 99.9th percentile of each run; the longest pause less the time
for which the loop's thread was ready and other processes had the processors; the longest time that this thread computed
between two turns; the number of full collections; and the calls per second.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from detectors.nli import NLIModel
from guard import Action, Guard, GuardConfig, Policy
from guard.integrations.langchain import PassageGuardRetriever

Call = Callable[[], Awaitable[Any]]


class Three(BaseRetriever):
    """Returns the same three documents, of which the first two contradict each other."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [
            Document("Employees receive 25 days of annual leave.", id="a", metadata={"date": "2024-01-01"}),
            Document("Employees receive 30 days of annual leave.", id="b", metadata={"date": "2025-01-01"}),
            Document("Leave is booked in the staff portal.", id="c"),
        ]


def run_delay() -> float:
    """Return the seconds for which this thread was ready to run and other processes had the processors (Linux)."""
    return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def clocks() -> np.ndarray:
    return np.array([time.perf_counter(), time.thread_time(), run_delay()])


async def watched(calls: Sequence[Call]) -> tuple[list[Any], list[np.ndarray]]:
    """Return the results of all calls, begun a millisecond apart, and the loop's pauses, in seconds.

    Each pause as (time that went by, processor time of the loop's thread in it, its `run_delay` in it).
    """
    pauses, done = list[np.ndarray](), asyncio.Event()

    async def tick() -> None:
        last = clocks()
        while not done.is_set():
            await asyncio.sleep(0.001)
            now = clocks()
            pauses.append(now - last)
            last = now

    async def start(n: int, call: Call) -> Any:
        await asyncio.sleep(n / 1000)  # 200 first steps in one turn would be counted as one pause
        return await call()

    ticker = asyncio.create_task(tick())
    results = await asyncio.gather(*(start(n, call) for n, call in enumerate(calls)))
    done.set()
    await ticker
    return results, pauses


def full_collections() -> int:
    """Return how many there have been in this process."""
    return int(gc.get_stats()[2]["collections"])


def measured(retriever: BaseRetriever, questions: Sequence[str], expected: Any) -> dict[str, float]:
    started, collections = time.perf_counter(), full_collections()
    results, pauses = asyncio.run(watched([lambda q=q: retriever.ainvoke(q) for q in questions]))
    seconds = time.perf_counter() - started
    if results != expected:
        raise SystemExit("results differ from those of one call after the other")
    passed, computed, delayed = np.array(pauses).T * 1000
    return {
        "longest_pause_ms": round(float(passed.max()), 1),
        "longest_pause_less_run_delay_ms": round(float((passed - delayed).max()), 1),
        "p999_pause_ms": round(float(np.percentile(passed, 99.9)), 1),
        "longest_turn_cpu_ms": round(float(computed.max()), 1),
        "full_collections": full_collections() - collections,
        "calls_per_s": round(len(questions) / seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    retriever = PassageGuardRetriever(retriever=Three(), guard=Guard(GuardConfig(policy=Policy(Action.DROP))), k=2)
    retriever.load()
    warm = [f"How many days of leave in {n}?" for n in range(options.calls)]
    expected = [retriever.invoke(question) for question in warm]
    report: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        "calls": options.calls,
        "runs": [measured(retriever, warm, expected) for _ in range(options.runs)],
    }
    gc.unfreeze()  # what `load` has frozen cannot be counted
    report["models"] = sum(type(thing) is NLIModel for thing in gc.get_objects())
    print(json.dumps(report, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
