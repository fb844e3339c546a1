"""The sentence-pair suite: schema, balance, no duplicates, and the figures its README gives."""

import json
import re
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

SUITE = Path(__file__).parents[1] / "benchmarks" / "suite"
CONFLICT = set(
    "value date negation antonym entity definition conditional_rule quantifier role_swap comparative state_change "
    "world_knowledge causal".split()
)
CONSISTENT = set(
    "temporal_supersession list_valued refinement scope same_name reported_speech opinion hypothetical restatement "
    "partial_total rule_and_exception identifiers different_attribute different_event near_topic definition_vs_use "
    "before_after example_values".split()
)
CLOSED = {
    "label": {"conflict", "consistent"},
    "type": CONFLICT | CONSISTENT,
    "domain": set("policy medical legal product news finance code science hr operations".split()),
    "style": set("prose table_row bullet chat legalese heading_value".split()),
    "half": {"tune", "held_out"},
}
REQUIRED = {"id", "a", "b", "why_hard", *CLOSED}
OPTIONAL = {"question", "context_a", "context_b"}
ROWS = [json.loads(line) for line in (SUITE / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


def faults(row: dict[str, object]) -> list[str]:
    """Return what is wrong with a row; an empty list if nothing is."""
    found = [f"lacks {key}" for key in sorted(REQUIRED - set(row))]
    found += [f"unknown {key}" for key in sorted(set(row) - REQUIRED - OPTIONAL)]
    for key, value in row.items():
        if not isinstance(value, str) or not value.strip() or value != value.strip():
            found.append(f"{key} is no trimmed text")
        elif key in CLOSED and value not in CLOSED[key]:
            found.append(f"{key} {value!r} is not listed")
    if not found and (row["label"] == "conflict") != (row["type"] in CONFLICT):
        found.append("label and type disagree")
    if not found and row["a"] == row["b"]:
        found.append("sides are equal")
    if not found and not re.fullmatch(r"[a-z]+-\d{3}", str(row["id"])):
        found.append("id is malformed")
    return found


def words(row: dict[str, str]) -> set[str]:
    return set(re.findall(r"\w+", f"{row['a']} {row['b']}".lower()))


def jaccard(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right)


def near_copies(rows: list[dict[str, str]], limit: float = 0.6) -> list[tuple[str, str]]:
    bags = [(row["id"], words(row)) for row in rows]
    return [(i, j) for (i, left), (j, right) in combinations(bags, 2) if jaccard(left, right) >= limit]


def test_every_row_follows_the_schema():
    assert {row.get("id"): faults(row) for row in ROWS if faults(row)} == {}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"a": " "}, "a is no trimmed text"),
        ({"b": None}, "b is no trimmed text"),
        ({"style": "poem"}, "style 'poem' is not listed"),
        ({"label": "consistent"}, "label and type disagree"),
        ({"note": "x"}, "unknown note"),
        ({"b": "It lasts 3 days."}, "sides are equal"),
        ({"id": "17"}, "id is malformed"),
    ],
)
def test_the_validator_names_faults(change, fault):
    row = dict(id="val-999", a="It lasts 3 days.", b="It lasts 4 days.", label="conflict", type="value")
    row |= dict(domain="policy", style="prose", half="tune", why_hard="One digit.")
    assert faults(row) == []
    assert faults(row | change) == [fault]
    assert faults({k: v for k, v in row.items() if k != "half"}) == ["lacks half"]


def test_ids_are_unique_and_belong_to_one_type():
    assert [i for i, n in Counter(row["id"] for row in ROWS).items() if n > 1] == []
    prefixes = defaultdict(set)
    for row in ROWS:
        prefixes[row["id"].split("-")[0]].add(row["type"])
    assert len(prefixes) == len(CONFLICT | CONSISTENT)
    assert all(len(types) == 1 for types in prefixes.values())


def test_size_and_balance():
    assert len(ROWS) >= 420
    assert 0.42 <= sum(row["label"] == "conflict" for row in ROWS) / len(ROWS) <= 0.48
    assert all(n >= 20 for n in Counter(row["type"] for row in ROWS).values())


@pytest.mark.parametrize("name", sorted(CONFLICT | CONSISTENT))
def test_each_step_of_two_rows_has_one_in_each_half(name):
    halves = [row["half"] for row in ROWS if row["type"] == name]
    assert len(halves) >= 20 and len(halves) % 2 == 0
    assert all({first, second} == CLOSED["half"] for first, second in zip(halves[::2], halves[1::2], strict=True))


@pytest.mark.parametrize("field", ["domain", "style"])
def test_both_halves_have_the_same_make_up(field):
    tune, held_out = (Counter(row[field] for row in ROWS if row["half"] == half) for half in ("tune", "held_out"))
    assert set(tune) == set(held_out) == CLOSED[field]
    assert all(abs(tune[value] - held_out[value]) <= 5 for value in CLOSED[field])


def test_no_two_rows_are_near_copies():
    assert near_copies(ROWS) == []
    longer = ROWS[0] | {"id": "val-999", "a": ROWS[0]["a"] + " Indeed."}
    assert near_copies([*ROWS, longer]) == [(ROWS[0]["id"], "val-999")]


def test_length_does_not_give_the_label_away():
    mean = {
        label: sum(len(row[side].split()) for row in rows for side in "ab") / (2 * len(rows))
        for label in CLOSED["label"]
        if (rows := [row for row in ROWS if row["label"] == label])
    }
    assert abs(mean["conflict"] - mean["consistent"]) < 1
    assert max(len(row[side].split()) for row in ROWS for side in "ab") <= 40


def test_the_readme_counts_and_examples_are_those_of_the_file():
    readme = (SUITE / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \| .+ \| (\d+) \| (\d+) \|$", readme, re.MULTILINE)
    counts = Counter((row["type"], row["half"]) for row in ROWS)
    assert {t: (int(n), int(m)) for t, n, m in table} == {
        t: (counts[t, "tune"], counts[t, "held_out"]) for t in CONFLICT | CONSISTENT
    }
    shown = readme.replace("\\|", "|")
    quoted = [row for row in ROWS if row["a"] in shown and row["b"] in shown]
    assert {row["type"] for row in quoted} == CONFLICT | CONSISTENT
    assert {row["half"] for row in quoted} == {"tune"}
