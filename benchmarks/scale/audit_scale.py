"""What an audit costs and finds as a document set grows from 100 to 10,000 documents.

    python benchmarks/scale/audit_scale.py [--documents 100,300,1000,3000,10000] [--json scale.json]

Each size is audited in a process of its own, so that its peak memory is its own: the documents of `corpus` are written
to files, read, and checked as ``passageguard audit`` does.  A hundred documents hold 18 plants only, so the smallest
size is audited over the first blocks of the corpus one after another (``--blocks``); its cost is the mean, and its
plants are those that the larger sizes are asked about, too.

Printed as Markdown: cost by size and its growth exponent, CPU seconds by stage, what became of the plants (a
candidate, over the threshold of retrieved sets, reported), and all pairs through the same NLI model, extrapolated from
the smallest size.  Then what larger collections would take.  Exponents are slopes of a straight line through log(CPU
seconds) over log(sentences): on a machine that does other work, too, seconds on the clock say little.  ``--detectors
values`` leaves the model out, for what is a candidate.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import corpus as scale
import numpy as np

from detectors import calibration, encoder, nli
from detectors.evidence import SentencePair
from guard import pipeline
from guard.audit import declared, run
from guard.audit.engine import AuditGuard
from guard.audit.run import Known, audited
from guard.cli.audit import read_all
from guard.cli.options import make_config

ALL = "nli,values,stance,conditional"
SAMPLE = 512  # pairs of sentences at random, for the cost of a call
SPREAD = ("embedding", "nli")  # the stages that ``audit --ray`` gives to workers
BEYOND = (10_000, 1_000_000, 100_000_000)  # documents, of one passage each
WORKERS = 64
USD, GIB = 0.05, 8  # a core costs an hour, and the memory that it brings; an assumption
STAGES = ("reading", "sentences", "embedding", "candidates", "nli", "rules", "detectors", "findings", "rest")
CLOCK: dict[str, float] = defaultdict(float)  # CPU seconds by stage


@contextmanager
def clock(stage: str) -> Iterator[None]:
    """Add the CPU seconds of what is done inside to the stage, and take them off the stage around it."""
    begun, inside = time.process_time(), sum(CLOCK.values())
    yield
    CLOCK[stage] += time.process_time() - begun - (sum(CLOCK.values()) - inside)


def timed(stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def measured(*args: Any, **settings: Any) -> Any:
        with clock(stage):
            return call(*args, **settings)

    return measured


class TimedScorer(nli.NLIModel):
    def score(self, *args: Any, **settings: Any) -> nli.Scores:
        with clock("nli"):
            return super().score(*args, **settings)


class TimedEncoder:
    def encode(self, texts: Sequence[str]) -> encoder.Vectors:
        with clock("embedding"):
            return encoder.load().encode(texts)


class TimedGuard(AuditGuard):
    """An audit's guard that adds up the time of its stages and keeps what it scored."""

    pairs: Sequence[SentencePair] = ()
    scored: Sequence[Any] = ()

    @cached_property
    def _encoder(self) -> Any:
        return TimedEncoder()

    @cached_property
    def scorer(self) -> nli.NLIModel:
        return TimedScorer.like(nli.load())

    def _sentences(self, *args: Any) -> Any:
        with clock("sentences"):
            return super()._sentences(*args)

    def _candidates(self, *args: Any) -> Any:
        with clock("candidates"):
            found = super()._candidates(*args)
        self.pairs = found[0]
        return found

    def _scores(self, *args: Any) -> Any:
        with clock("rules"):
            found = super()._scores(*args)
        self.scored = found[0]
        return found


def watch() -> None:
    """Time the functions that a check and an audit call one after another."""
    pipeline._found_by = timed("detectors", pipeline._found_by)
    for name in ("findings", "joined", "look_alikes"):
        setattr(run, name, timed("findings", getattr(run, name)))


def audit(n: int, seed: int, first: int, detectors: str) -> dict[str, Any]:
    """Audit ``n`` documents from block ``first`` on, and return what it cost and found."""
    made = scale.corpus(n, seed, first)
    CLOCK.clear()
    with tempfile.TemporaryDirectory() as folder:
        made.write(Path(folder))
        os.chdir(folder)
        encoder.load()
        if "nli" in detectors:
            nli.load().score([("A door is open.", "A door is closed.")])
        clock_s, cpu_s = time.perf_counter(), time.process_time()
        with clock("reading"):
            documents, errors = read_all([Path()])
        passages = declared.resolved(documents)[0]
        guard = TimedGuard(make_config("report", detectors=detectors, max_pairs=200_000), len(passages))
        calls = guard.scorer.calls if "nli" in detectors else 0
        report = audited(guard, documents, errors, Known())
        clock_s, cpu_s = time.perf_counter() - clock_s, time.process_time() - cpu_s
        os.chdir("/")
    CLOCK["rest"] = cpu_s - sum(CLOCK.values())
    reported = {_key(pair.a, pair.b) for finding in report.findings for pair in finding.pairs}
    return {
        "documents": n, "passages": len(passages), "sentences": sum(len(d.statements) for d in made.documents),
        "pairs": len(guard.pairs), "nli_calls": (guard.scorer.calls - calls) if "nli" in detectors else 0,
        "cpu_s": cpu_s, "clock_s": clock_s, "stages": dict(CLOCK), "cautious": guard.is_cautious,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "errors": len(errors),
        "unverified": [f"{u.subject}: {u.reason}" for u in report.unverified], "findings": len(report.findings),
        "reported_pairs": len(reported), "plants": [*_outcomes(made, guard, reported)],
    }  # fmt: skip


def _outcomes(
    made: scale.Corpus, guard: TimedGuard, reported: set[frozenset[tuple[str, str]]]
) -> Iterator[dict[str, Any]]:
    """Yield for each plant and control how far it came.  Two equal sentences are no pair to compare."""
    scores: dict[frozenset[tuple[str, str]], float] = defaultdict(float)
    for s in guard.scored:
        key = _key(s.pair.a.span, s.pair.b.span)
        scores[key] = max(scores[key], s.score)
    suspected = calibration.load().threshold
    for plant in made.plants:
        key = frozenset(((plant.a.path, plant.a.text), (plant.b.path, plant.b.text)))
        if plant.a.text != plant.b.text:
            yield {
                "kind": plant.kind, "contradicts": plant.contradicts, "reworded": plant.is_reworded,
                "named": plant.is_named, "number": int(plant.a.path.rpartition("/")[2][:6]), "candidate": key in scores,
                "suspected": scores.get(key, 0.0) >= suspected, "reported": key in reported,
            }  # fmt: skip


def _key(a: Any, b: Any) -> frozenset[tuple[str, str]]:
    return frozenset((side.passage_id.partition("#")[0], side.text) for side in (a, b))


def smallest(n: int, seed: int, blocks: int, detectors: str) -> dict[str, Any]:
    """Return the mean cost of ``blocks`` audits of ``n`` documents, each of its own documents, and all their plants."""
    runs = [audit(n, seed, i * n // scale.BLOCK, detectors) for i in range(blocks)]
    mean = {k: sum(r[k] for r in runs) / blocks for k, v in runs[0].items() if type(v) in (int, float)}
    stages = {stage: sum(r["stages"].get(stage, 0.0) for r in runs) / blocks for stage in STAGES}
    return {
        **runs[-1], **mean, "stages": stages, "peak_gib": runs[-1]["peak_gib"], "blocks": blocks,
        "plants": [plant for r in runs for plant in r["plants"]],
        "call_s": call_s(n, seed) if "nli" in detectors else 0.0,
    }  # fmt: skip


def call_s(n: int, seed: int) -> float:
    """Return the CPU seconds that the model takes for one direction of a pair of sentences at random."""
    rng, texts = random.Random(seed), [s.text for d in scale.corpus(n, seed).documents for s in d.statements]
    model = nli.NLIModel.like(nli.load())
    pairs = [(rng.choice(texts), rng.choice(texts)) for _ in range(SAMPLE)]
    begun = time.process_time()
    model.score(pairs)
    return (time.process_time() - begun) / SAMPLE


def exponent(rows: Sequence[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> float:
    """Return the slope of log(value) over log(sentences)."""
    points = [(math.log(r["sentences"]), math.log(value(r))) for r in rows if value(r) > 0]
    return float(np.polyfit(*zip(*points, strict=True), 1)[0]) if len(points) > 1 else math.nan


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def share(plants: Sequence[dict[str, Any]], what: str) -> str:
    return f"{100 * sum(p[what] for p in plants) / len(plants):.1f}%" if plants else "-"


def rendered(rows: Sequence[dict[str, Any]]) -> str:
    """Return the tables."""
    parts = [
        table(
            ("documents", "sentences", "pairs", "pairs per sentence", "NLI calls", "CPU s", "clock s", "peak GiB",
             "all pairs, CPU s"),
            [
                (f"{r['documents']:,.0f}", f"{r['sentences']:,.0f}", f"{r['pairs']:,.0f}",
                 f"{r['pairs'] / r['sentences']:.2f}", f"{r['nli_calls']:,.0f}", f"{r['cpu_s']:,.1f}",
                 f"{r['clock_s']:,.0f}", f"{r['peak_gib']:.2f}",
                 f"{r['sentences'] * (r['sentences'] - 1) / 2 * rows[0]['call_s']:,.0f}")
                for r in rows
            ],
        ),
        f"Growth exponent of CPU seconds: {exponent(rows, lambda r: r['cpu_s']):.2f}; "
        f"of pairs: {exponent(rows, lambda r: r['pairs']):.2f}.\n",
        table(
            ("CPU s", *(f"{r['documents']:,.0f}" for r in rows), "exponent"),
            [
                (stage, *(f"{r['stages'].get(stage, 0.0):.2f}" for r in rows),
                 f"{exponent(rows, lambda r, stage=stage: r['stages'].get(stage, 0.0)):.2f}")
                for stage in STAGES
            ],
        ),
    ]  # fmt: skip
    last = int(rows[0]["documents"] * rows[0].get("blocks", 1))
    parts.append(table(
        ("documents", "plants", "candidates", "suspected", "reported", f"candidates of the first {last:,} documents",
         "suspected", "reported", "controls reported", "other pairs reported, per 100 documents"),
        [_recall(r, last) for r in rows],
    ))  # fmt: skip
    kinds = list(dict.fromkeys(p["kind"] for p in rows[-1]["plants"] if p["contradicts"]))
    groups: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
        *((kind, lambda p, kind=kind: p["kind"] == kind) for kind in kinds),
        ("same words", lambda p: not p["reworded"]), ("worded otherwise", lambda p: p["reworded"]),
        ("both name the thing", lambda p: p["named"]), ("one leaves it to the heading", lambda p: not p["named"]),
    ]  # fmt: skip
    parts.append(table(
        ("candidates / suspected / reported", *(f"{r['documents']:,.0f}" for r in rows)),
        [
            (name, *(_three([p for p in r["plants"] if p["contradicts"] and choose(p)]) for r in rows))
            for name, choose in groups
        ],
    ))  # fmt: skip
    return "\n".join([*parts, beyond(rows)] if len(rows) > 1 else parts)


def beyond(rows: Sequence[dict[str, Any]]) -> str:
    """Return what larger collections would take: each stage grown from the largest size by its exponent, at least 1.

    A machine for the one process counts as the cores that come with its memory.
    """
    last, before = rows[-1], rows[-2]
    slope = (last["peak_gib"] - before["peak_gib"]) / (last["documents"] - before["documents"])
    lines = []
    for n in BEYOND:
        grown = n / last["documents"]
        hours = {
            stage: last["stages"].get(stage, 0.0) / 3600
            * grown ** max(1.0, exponent(rows, lambda r, stage=stage: r["stages"].get(stage, 0.0)))
            for stage in STAGES
        }  # fmt: skip
        spread, gib = sum(hours[stage] for stage in SPREAD), last["peak_gib"] + slope * (n - last["documents"])
        alone = sum(hours.values()) - spread
        whole = alone + spread / WORKERS
        usd = USD * (spread + whole * gib / GIB)
        lines.append((f"{n:,}", f"{spread:,.2f}", f"{alone:,.2f}", f"{gib:,.0f}", f"{whole:,.2f}", f"{usd:,.2f}"))
    head = (
        "passages",
        "workers, core hours",
        "one process, hours",
        "its memory, GiB",
        f"hours, {WORKERS} workers",
        "USD",
    )
    return table(head, lines)


def _recall(r: dict[str, Any], last: int) -> tuple[object, ...]:
    true = [p for p in r["plants"] if p["contradicts"]]
    first, controls = [p for p in true if p["number"] < last], [p for p in r["plants"] if not p["contradicts"]]
    planted = sum(p["reported"] for p in r["plants"]) / r.get("blocks", 1)
    return (
        f"{r['documents']:,.0f}", len(true), *(share(true, w) for w in ("candidate", "suspected", "reported")),
        *(share(first, w) for w in ("candidate", "suspected", "reported")), share(controls, "reported"),
        f"{100 * (r['reported_pairs'] - planted) / r['documents']:.1f}",
    )  # fmt: skip


def _three(plants: Sequence[dict[str, Any]]) -> str:
    return " / ".join(share(plants, what).removesuffix("%") for what in ("candidate", "suspected", "reported"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", default="100,300,1000,3000,10000", help="sizes, multiples of 100")
    parser.add_argument("--blocks", type=int, default=10, help="audits of the smallest size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detectors", default=ALL)
    parser.add_argument("--json", type=Path, help="where the figures are written; sizes in it are not measured again")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = sorted(int(n) for n in options.documents.split(","))
    if options.only:
        watch()
        measure = smallest if options.only == sizes[0] else lambda n, seed, _, found: audit(n, seed, 0, found)
        print(json.dumps(measure(options.only, options.seed, options.blocks, options.detectors)))
        return
    known = json.loads(options.json.read_text())["rows"] if options.json and options.json.exists() else []
    rows = [row for row in known if row["documents"] in sizes]
    for n in (size for size in sizes if all(row["documents"] != size for row in known)):
        print(f"{n} documents …", file=sys.stderr, flush=True)
        again = [sys.executable, __file__, *sys.argv[1:], "--only", str(n)]
        ran = subprocess.run(again, stdout=subprocess.PIPE, text=True, check=True)
        rows = sorted([*rows, json.loads(ran.stdout.splitlines()[-1])], key=lambda row: row["documents"])
        if options.json:
            options.json.write_text(json.dumps({"hardware": hardware(), "seed": options.seed, "rows": rows}))
    print(rendered(rows))


def hardware() -> dict[str, object]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    return {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
            "commit": commit.stdout.strip()}  # fmt: skip


if __name__ == "__main__":
    main()
