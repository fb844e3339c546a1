"""Find the thresholds for large collections: how sure a finding must be where many pages are compared.

    python training/working_points.py detectors/models/calibration.json --per-page 0.1 DOCS_A DOCS_B …

The shipped threshold is fitted on retrieved sets, of which many hold a conflict.  In a large collection most of what is
alike is about sibling things, and true contradictions are rare: the same score means less.  The folders hold real
documentation that its authors keep consistent, so that nearly all that is found there is a false alarm.  For each type
of conflict the threshold is the lowest that leaves, in every folder, at most ``--per-page`` pairs a page; never
less than the shipped one.  Written to ``large_collection`` in the calibration file.  Do not judge an audit
on the folders that were given here.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from detectors.conflict import describe
from detectors.evidence import ConflictType
from guard import Guard
from guard.audit.readers import find_files, read

MOST = 0.995  # a type that is never sure enough is still reported from here


def scores_by_type(folder: Path, guard: Guard) -> tuple[int, dict[ConflictType, list[float]]]:
    """Return the number of pages, and the scores of all pairs over the shipped threshold, the highest first."""
    documents = [read(file) for file in find_files([folder])]
    scored, _ = guard.scored([p for d in documents for p in d.passages])
    found = defaultdict(list)
    for pair in sorted(scored, key=lambda s: -s.score):
        if pair.score >= guard.threshold:
            found[describe(pair).type].append(pair.score)
    return len(documents), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--per-page", type=float, default=0.1)
    args = parser.parse_args()
    guard = Guard()
    points = dict.fromkeys(ConflictType, guard.threshold)
    for folder in args.folders:
        pages, found = scores_by_type(folder, guard)
        allowed = int(args.per_page * pages)
        print(f"{folder}: {pages} pages, " + ", ".join(f"{len(s)} {t.value}" for t, s in found.items()), flush=True)
        for kind, scores in found.items():
            if len(scores) > allowed:
                points[kind] = max(points[kind], min(MOST, scores[allowed] + 0.005))
    stored = json.loads(args.calibration.read_text())
    stored["large_collection"] = {t.value: round(p, 2) for t, p in points.items() if p > guard.threshold}
    args.calibration.write_text(json.dumps(stored, indent=2) + "\n")
    print(json.dumps(stored["large_collection"], indent=2))


if __name__ == "__main__":
    main()
