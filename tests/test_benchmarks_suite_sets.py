"""The hand-written passage sets: whole, exact and evenly split."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

SETS = Path(__file__).parent.parent / "benchmarks" / "suite" / "sets.jsonl"
ROWS = [json.loads(line) for line in SETS.read_text(encoding="utf-8").splitlines()]
FIELDS = {
    "id", "question", "passages", "label", "kind", "type", "conflicts", "near_misses", "domain", "style", "half",
    "why_hard",
}  # fmt: skip
DISTINCT_PASSAGES = {"pair": 2, "self": 1, "conditional": 3}


def quotes(finding):
    return [finding[side] for side in ("a", "b", "given") if finding.get(side)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_set_is_whole(row):
    assert set(row) == FIELDS
    assert row["label"] in ("conflict", "consistent") and row["half"] in ("tune", "held_out")
    assert all(isinstance(row[f], str) and row[f].strip() for f in FIELDS - {"passages", "conflicts", "near_misses"})
    texts = {p["id"]: p["text"] for p in row["passages"]}
    assert 3 <= len(texts) == len(row["passages"]) <= 6
    assert all(25 <= len(text.split()) <= 120 for text in texts.values())
    for finding in (*row["conflicts"], *row["near_misses"]):
        assert all(q["quote"] in texts[q["passage"]] for q in quotes(finding))
    assert all(miss["why_not"] for miss in row["near_misses"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_the_kind_says_where_the_conflict_lies(row):
    assert (row["label"] == "conflict") == bool(row["conflicts"]) == (row["kind"] != "none")
    for conflict in row["conflicts"]:
        assert len({q["passage"] for q in quotes(conflict)}) == DISTINCT_PASSAGES[row["kind"]]
        assert ("given" in conflict) == (row["kind"] == "conditional")


def test_there_are_enough_sets_evenly_split():
    assert len(ROWS) >= 130 and len({row["id"] for row in ROWS}) == len(ROWS)
    halves = [Counter((r["label"], r["kind"], r["type"]) for r in ROWS if r["half"] == h) for h in ("tune", "held_out")]
    assert halves[0].keys() == halves[1].keys()
    assert all(abs(n - halves[1][key]) <= 1 for key, n in halves[0].items())
    assert 0.4 < sum(r["label"] == "conflict" for r in ROWS) / len(ROWS) < 0.5


def test_no_set_is_a_near_copy_of_another():
    words = [set(re.findall(r"\w+", " ".join(p["text"] for p in r["passages"]).lower())) for r in ROWS]
    assert max(len(a & b) / len(a | b) for a, b in combinations(words, 2)) < 0.5
