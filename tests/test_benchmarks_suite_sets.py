"""The hand-written passage sets of benchmarks/suite/sets.jsonl: shape, quotes, make-up, no near-copies."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[1] / "benchmarks" / "suite" / "sets.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]

CONFLICT_TYPES = set(
    "value date negation antonym entity definition quantifier role_swap comparative world_knowledge conditional".split()
)
BENIGN_TYPES = set(
    "paraphrase overlap same_topic namesake agreement temporal scope list partial_total reported exception unit".split()
)
TEXT_FIELDS = ("id", "question", "label", "kind", "type", "domain", "style", "half", "why_hard")
FIELDS = {*TEXT_FIELDS, "passages", "conflicts", "near_misses"}
WORD = re.compile(r"[^\W_][\w'’.,-]*")


def faults(row: dict[str, Any]) -> list[str]:
    """Return what is wrong with one row; empty when it keeps to the schema."""
    if set(row) != FIELDS:
        return [f"fields {sorted(set(row) ^ FIELDS)}"]
    found = [f"{f} is no text" for f in TEXT_FIELDS if not isinstance(row[f], str) or not row[f].strip()]
    found += _passage_faults(row["passages"])
    texts = {p["id"]: p["text"] for p in row["passages"]}
    found += [fault for c in row["conflicts"] for fault in _conflict_faults(c, row["kind"], texts)]
    for miss in row["near_misses"]:
        if set(miss) != {"a", "b", "why_not"} or miss["why_not"] not in BENIGN_TYPES:
            found.append("near miss without its reason")
        found += _quote_faults([miss["a"], miss["b"]], texts)
    return found + _label_faults(row)


def _passage_faults(passages: list[dict[str, Any]]) -> list[str]:
    found = [] if 3 <= len(passages) <= 6 else [f"{len(passages)} passages"]
    if len({p["id"] for p in passages}) < len(passages):
        found.append("a passage id occurs twice")
    for p in passages:
        if not {"id", "text"} <= set(p) <= {"id", "text", "metadata"} or not isinstance(p.get("metadata", {}), dict):
            found.append(f"passage {p.get('id')} has wrong fields")
        if not 30 <= (n := len(WORD.findall(p["text"]))) <= 120:
            found.append(f"passage {p['id']} has {n} words")
    return found


def _quote_faults(sides: list[dict[str, str]], texts: dict[str, str]) -> list[str]:
    found = [
        f"no such quote in {s['passage']}" for s in sides if not s["quote"] or s["quote"] not in texts[s["passage"]]
    ]
    if any(a == b for a, b in combinations(sides, 2)):
        found.append("a quote against itself")
    return found


def _conflict_faults(conflict: dict[str, Any], kind: str, texts: dict[str, str]) -> list[str]:
    sides = [conflict[side] for side in ("a", "b", "given") if side in conflict]
    shape = (len(sides), len({s["passage"] for s in sides}))
    wanted = {"pair": (2, 2), "self": (2, 1), "conditional": (3, 3)}.get(kind)
    return _quote_faults(sides, texts) + ([] if shape == wanted else [f"quotes do not fit the kind {kind}"])


def _label_faults(row: dict[str, Any]) -> list[str]:
    conflicting = row["label"] == "conflict"
    kinds = {"pair", "self", "conditional"} if conflicting else {"none"}
    checks = {
        "label": row["label"] in {"conflict", "consistent"},
        "half": row["half"] in {"tune", "held_out"},
        "kind": row["kind"] in kinds,
        "type": row["type"] in (CONFLICT_TYPES if conflicting else BENIGN_TYPES),
        "conditional": (row["kind"] == "conditional") == (row["type"] == "conditional"),
        "conflicts": bool(row["conflicts"]) == conflicting,
    }
    return [f"{name} does not fit" for name, holds in checks.items() if not holds]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_row_keeps_to_the_schema(row: dict[str, Any]) -> None:
    assert faults(row) == []


def _same_side(row: dict[str, Any]) -> None:
    row["near_misses"][0]["b"] = row["near_misses"][0]["a"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row.pop("why_hard"),
        lambda row: row.update(note="x"),
        lambda row: row.update(label="consistent"),
        lambda row: row.update(kind="self"),
        lambda row: row.update(type="paraphrase"),
        lambda row: row.update(half="test"),
        lambda row: row.update(question=" "),
        lambda row: row.update(conflicts=[]),
        lambda row: row["conflicts"][0]["a"].update(quote="words that are nowhere"),
        lambda row: row["passages"][0].update(text="Too short."),
        lambda row: row["passages"][-1].update(id=row["passages"][0]["id"]),
        lambda row: row.update(passages=row["passages"] * 3),
        lambda row: row["near_misses"][0].update(why_not="because"),
        _same_side,
    ],
)
def test_a_damaged_row_is_noticed(damage: Callable[[dict[str, Any]], object]) -> None:
    row = copy.deepcopy(next(r for r in ROWS if r["kind"] == "pair" and r["near_misses"]))
    damage(row)
    assert faults(row)


def test_ids_are_unique_and_the_suite_is_large_enough() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS) >= 130


def test_make_up() -> None:
    kinds = Counter(row["kind"] for row in ROWS)
    conflicts = len(ROWS) - kinds["none"]
    assert 0.40 <= conflicts / len(ROWS) <= 0.50
    assert 0.55 <= kinds["pair"] / conflicts <= 0.65
    for kind in ("self", "conditional"):
        assert 0.15 <= kinds[kind] / conflicts <= 0.25
    assert {row["type"] for row in ROWS} == CONFLICT_TYPES | BENIGN_TYPES


def test_each_kind_and_type_is_split_evenly() -> None:
    halves = Counter((row["kind"], row["type"], row["half"]) for row in ROWS)
    for kind, kind_type in {(row["kind"], row["type"]) for row in ROWS}:
        assert halves[kind, kind_type, "tune"] == halves[kind, kind_type, "held_out"] > 0, (kind, kind_type)


def test_no_set_is_a_near_copy_of_another() -> None:
    words = {row["id"]: {w for p in row["passages"] for w in re.findall(r"\w+", p["text"].lower())} for row in ROWS}
    similar = {(a, b): len(words[a] & words[b]) / len(words[a] | words[b]) for a, b in combinations(words, 2)}
    assert max(similar.values()) < 0.5, max(similar, key=similar.__getitem__)


def test_no_passage_occurs_in_two_sets() -> None:
    passages = Counter(" ".join(p["text"].lower().split()) for row in ROWS for p in row["passages"])
    assert max(passages.values()) == 1
