"""What the cache of ``passageguard audit`` saves, and that a killed run goes on to the same bytes.

    python benchmarks/audit_cache.py [TREE] [--documents 1000] [--kills 10] [--seed 0] [--out audit_cache.json]

Without a folder TREE of documents, small ones are written: about things of which each has two documents, some with
another number.  Each run is a process of its own, as a user starts it, in a copy of the tree:

1. a first run, then five more over the unchanged tree: wall and processor time, their ratio (median of five), bytes;
2. a run after one file got another number and one more sentence: how many pairs it scored, and how many it may at most
   (a pair with a side in that file is read in both directions);
3. with a new cache, runs that are killed (SIGKILL) at random moments, then one to the end: its report against that of
   the first run.

Printed, and written as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from detectors.store import Kind
from guard.cli.audit import Inputs

ROOT = Path(__file__).parent.parent
PROGRAM = [sys.executable, "-c", "from guard.cli import main; main()", "audit", "docs", "-o", "report.json"]
DATABASE = Path(".passageguard_cache/store/entries.sqlite3")
AGAIN = 5
CLAIMS = (
    "The {} warranty lasts {} months.",
    "Up to {1} people may stay in the {0} hall.",
    "Repairs of the {} pump take {} working days.",
    "The {} office closes at {} on weekdays.",
    "A ticket for the {} ferry costs {} euros.",
    "The {} archive keeps letters for {} years.",
    "Members of the {} club pay {} euros a year.",
)


def write_documents(folder: Path, n: int, dice: random.Random) -> None:
    """Write n documents, two about each thing; a tenth of the second ones say another number in one sentence."""
    folder.mkdir()
    parts = ("ba co du fe gi ho ja ke li mo nu pa re si ta vo wu".split(), "dan lor mar ven tis rak bel".split())
    names = [(a + b + c).title() for a in parts[0] for b in parts[0] for c in parts[1]]
    dice.shuffle(names)
    for i in range(0, n, 2):
        claims = dice.sample(CLAIMS, 3)
        numbers = [dice.randrange(2, 60) for _ in claims]
        for j in range(2):
            numbers[0] += 3 * (j and dice.random() < 0.1)
            text = [claim.format(names[i // 2], number) for claim, number in zip(claims, numbers, strict=True)]
            (folder / f"d{i + j:05}.md").write_text(f"# {names[i // 2]}\n\n" + "\n\n".join(text) + "\n")


def run() -> dict[str, float]:
    """Run an audit to its end and return its seconds and what the cache holds of scores."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = start().wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended not in (0, 1):
        raise SystemExit(f"the audit ended with {ended}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(time.perf_counter() - begun, 2), "cpu_s": round(cpu, 2), "scores": scores()}


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(PROGRAM, env={**os.environ, "PYTHONPATH": str(ROOT)})


def scores() -> int:
    """Return how many scores are committed."""
    if not DATABASE.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True) as db:
            (count,) = db.execute(f"SELECT count(*) FROM {Kind.SCORES}").fetchone()
    except sqlite3.OperationalError:  # no tables yet
        return 0
    return int(count)


def unchanged(whole: bytes, first: dict[str, float]) -> dict[str, Any]:
    later, same = [], True
    for _ in range(AGAIN):
        later.append(run())
        same &= Path("report.json").read_bytes() == whole
    return {
        "first": first, "later": later, "same_bytes": same, "cache_bytes": DATABASE.stat().st_size,
        "times_faster": {k: round(first[k] / median(each[k] for each in later), 1) for k in ("wall_s", "cpu_s")},
    }  # fmt: skip


def one_changed(dice: random.Random) -> dict[str, Any]:
    before, files = scores(), sorted(p for p in Path("docs").rglob("*") if p.suffix in (".md", ".rst", ".txt"))
    file = dice.choice(files)
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"\d+", "61", text, count=1) + "\nThe 61 visitors leave at noon.\n", encoding="utf-8")
    ran = run()
    inputs = Inputs.of([Path("docs")])
    with Inputs(inputs.documents, inputs.errors, {file.as_posix()}).guard(None, max_pairs=sys.maxsize) as (guard, _):
        sentences, _ = guard._sentences([p for d in inputs.documents for p in d.passages])
        touching = len(guard._candidates(sentences)[0])
    file.write_text(text, encoding="utf-8")
    return {"documents": len(inputs.documents), "file": file.as_posix(), **ran, "scores": ran["scores"] - before,
            "pairs_with_a_side_in_it": touching}  # fmt: skip


def killed(whole: bytes, kills: int, first: dict[str, float], dice: random.Random) -> dict[str, Any]:
    """Kill runs with a new cache, each at a moment that leaves work for the next ones, then let one end."""
    shutil.rmtree(DATABASE.parent)
    Path("report.json").unlink()
    moments, work_s = [], first["wall_s"] / kills
    for _ in range(kills):
        process, moment = start(), dice.uniform(0, 2 * work_s)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        ended = process.wait()
        moments.append({"after_s": round(moment, 2), "killed": ended == -signal.SIGKILL, "scores": scores()})
    last = run()
    return {"kills": moments, "last": last, "same_bytes": Path("report.json").read_bytes() == whole}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", nargs="?", type=Path)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("audit_cache.json"))
    args = parser.parse_args()
    dice, out = random.Random(args.seed), args.out.resolve()
    tree = args.tree and args.tree.resolve()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    report: dict[str, Any] = {
        "machine": {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "threads": os.environ.get("OMP_NUM_THREADS")},
        "commit": commit, "seed": args.seed, "tree": str(args.tree or f"{args.documents} written documents"),
    }  # fmt: skip

    def say(name: str, found: dict[str, Any]) -> None:
        report[name] = found
        print(name, json.dumps(found), flush=True)
        out.write_text(json.dumps(report, indent=2) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if tree:
            shutil.copytree(tree, "docs")
        else:
            write_documents(Path("docs"), args.documents, dice)
        first = run()
        whole = Path("report.json").read_bytes()
        say("unchanged", unchanged(whole, first))
        say("one_changed", one_changed(dice))
        if args.kills:
            say("killed", killed(whole, args.kills, first, dice))
        os.chdir(out.parent)


if __name__ == "__main__":
    main()
