"""Declared trust: what is read from metadata, which rule decides, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import ConfigError, InputError
from detectors.evidence import Passage
from guard.trust import Trust, TrustRules, decisive_rule, declared_rule, ordering, sort_key, usable


def passage(passage_id: str, **metadata: Any) -> Passage:
    return Passage(passage_id, "text", metadata)


def trust(first: dict[str, Any], second: dict[str, Any], **rules: Any) -> tuple[Trust, Trust]:
    found = ordering([passage("a", **first), passage("b", **second)], TrustRules(**rules))
    return found["a"], found["b"]


@pytest.mark.parametrize(
    ("loser", "winner", "rule"),
    [
        ({"authority": 0.9, "date": "2030"}, {"supersedes": "a"}, "supersedes"),
        ({"authority": 0.9}, {"supersedes": ["x", "a"]}, "supersedes"),
        ({"authority": 0.2, "date": "2030"}, {"authority": 0.8, "date": "2020"}, "authority"),
        ({"authority": 0.2}, {}, "authority"),
        ({"source": "wiki"}, {"source": "handbook"}, "authority"),
        ({"source": "handbook", "authority": 0}, {"source": "wiki"}, "authority"),
        ({"date": "2023-12-31"}, {"date": "2024-01-01"}, "date"),
        ({"effective_date": "2020-01-01", "date": "2030-01-01"}, {"date": "2021"}, "date"),
    ],
)
def test_declared_rules_in_order(loser: dict[str, Any], winner: dict[str, Any], rule: str) -> None:
    a, b = trust(loser, winner, authority={"wiki": 0.3, "handbook": 0.9})
    assert decisive_rule(b, a) == rule
    assert declared_rule(a, b) is None


def test_no_date_is_not_old() -> None:
    a, b = trust({}, {"date": "2024-01-01"})
    assert declared_rule(a, b) is declared_rule(b, a) is None


def test_dates_can_be_switched_off() -> None:
    a, b = trust({"date": "2020"}, {"date": "not a date"}, prefer_newer=False)
    assert declared_rule(b, a) is None


def test_witnesses_before_rank() -> None:
    assert decisive_rule(Trust("a", 1, witnesses=2), Trust("b", 0)) == "witnesses"
    assert decisive_rule(Trust("a", 0), Trust("b", 1)) == "rank"


def test_supersedes_is_transitive_and_inherits() -> None:
    chain = [
        passage("v1", authority=0.9, date="2024"),
        passage("v2", supersedes="v1"),
        passage("v3", supersedes=["v2"]),
    ]
    found = ordering(chain, TrustRules())
    assert found["v3"].supersedes == {"v1", "v2"}
    assert found["v3"].authority == 0.9
    assert found["v3"].date == datetime(2024, 1, 1, tzinfo=UTC)


def test_circle_is_refused_with_ids() -> None:
    circle = [passage("a", supersedes="b"), passage("b", supersedes="c"), passage("c", supersedes="a")]
    with pytest.raises(ConfigError, match="circle") as caught:
        ordering(circle, TrustRules())
    assert all(f"'{i}'" in str(caught.value) for i in "abc")
    with pytest.raises(ConfigError, match="'me'"):
        ordering([passage("me", supersedes="me")], TrustRules())


def test_long_chain_needs_no_recursion() -> None:
    chain = [passage(str(i), supersedes=str(i - 1)) for i in range(1500)]
    assert len(ordering(chain, TrustRules())["1499"].supersedes) == 1499


UNREADABLE = pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "yesterday"), ("date", ""), ("date", 2024), ("effective_date", "2024-13-01"),
        ("date", "2024-00"),
        ("authority", 1.1), ("authority", -0.1), ("authority", True), ("authority", "high"),
        ("authority", float("nan")), ("supersedes", 3), ("supersedes", [1]), ("supersedes", {"a": 1}),
    ],
)  # fmt: skip


@UNREADABLE
def test_bad_metadata_names_passage_and_field(name: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        ordering([passage("fine"), passage("bad one", **{name: value})], TrustRules())
    assert "'bad one'" in str(caught.value) and f"'{name}'" in str(caught.value)


@UNREADABLE
def test_what_cannot_be_read_can_be_left_out(name: str, value: Any) -> None:
    odd = Passage("odd", "text", {name: value, "page": 3})
    left, wrong = usable(odd, TrustRules())
    assert left == Passage("odd", "text", {"page": 3}) and odd.metadata == {name: value, "page": 3}
    assert len(wrong) == 1 and wrong[0].startswith(f"metadata '{name}' is ")
    assert ordering([left], TrustRules())["odd"] == ordering([passage("odd")], TrustRules())["odd"]


def test_what_can_be_read_or_is_not_read_stays() -> None:
    fine = passage("a", date="2024", effective_date=None, authority=0.9, supersedes=["b"], source=3)
    assert usable(fine, TrustRules()) == (fine, ())
    undated = passage("a", date="spring", effective_date=7)
    assert usable(undated, TrustRules(prefer_newer=False)) == (undated, ())
    left, wrong = usable(passage("a", date="2024", effective_date="soon", authority="high"), TrustRules())
    assert left.metadata == {"date": "2024"} and len(wrong) == 2


@pytest.mark.parametrize("value", [1.5, -1, "0.5", None, float("nan"), True])
def test_bad_source_authority(value: Any) -> None:
    with pytest.raises(ConfigError, match="'wiki'"):
        TrustRules(authority={"wiki": value})


def test_repeated_id() -> None:
    with pytest.raises(InputError, match="twice"):
        ordering([passage("a"), passage("a")], TrustRules())


def test_date_forms_agree() -> None:
    plus2 = timezone(timedelta(hours=2))
    forms = ["2024-05-01", "2024-05", date(2024, 5, 1), datetime(2024, 5, 1), "2024-05-01T02:00+02:00",
             datetime(2024, 5, 1, 2, tzinfo=plus2), " 2024-05-01T00:00:00Z "]  # fmt: skip
    found = ordering([passage(str(n), date=form) for n, form in enumerate(forms)], TrustRules())
    assert {t.date for t in found.values()} == {datetime(2024, 5, 1, tzinfo=UTC)}


METADATA = st.fixed_dictionaries(
    {},
    optional={
        "authority": st.sampled_from([0.1, 0.5, 0.9]),
        "date": st.sampled_from(["2020", "2021", "2022"]),
    },
)


@given(st.lists(st.tuples(METADATA, st.sets(st.integers(0, 5))), max_size=6))
def test_declared_rules_never_circle_and_sort_key_agrees(rows: list[tuple[dict[str, Any], set[int]]]) -> None:
    """Passages only supersede lower numbers, so every draw is legal."""
    passages = [
        passage(str(n), **metadata, supersedes=[str(i) for i in older if i < n])
        for n, (metadata, older) in enumerate(rows)
    ]
    for a, b in permutations(ordering(passages, TrustRules()).values(), 2):
        if declared_rule(a, b):
            assert declared_rule(b, a) is None
            assert sort_key(a) < sort_key(b)
