"""The decision, against a brute-force oracle and the rules that guard.policy states."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import ConfigError, InputError
from detectors.evidence import Conflict, ConflictType, Passage, Span
from guard.independent_set import EXACT_LIMIT, max_weight_independent_set
from guard.policy import Policy, decide
from guard.trust import TrustRules
from guard.verdict import Action, Decision


def clash(a: str, b: str, type_: ConflictType = ConflictType.VALUE, score: float = 0.9) -> Conflict:
    return Conflict(type_, score, Span(a, 0, 1, a[:1]), Span(b, 2, 3, b[:1]), "", ("fake",))


def passages(ids: str, **metadata: dict[str, Any]) -> list[Passage]:
    return [Passage(i, f"text {i}", metadata.get(i, {})) for i in ids]


def lost(decision: Decision) -> dict[str, tuple[str, str]]:
    return {loss.passage_id: (loss.winner_id, loss.rule) for loss in decision.losses}


def oracle(edges: set[tuple[int, int]], weights: list[int]) -> int:
    """Weight of the best of all subsets."""
    size = len(weights)
    fine = (s for n in range(size + 1) for s in combinations(range(size), n) if not edges & set(combinations(s, 2)))
    return max(sum(weights[v] for v in s) for s in fine)


def graph_of(size: int, edges: set[tuple[int, int]]) -> dict[int, set[int]]:
    return {v: {a + b - v for a, b in edges if v in (a, b)} for v in range(size)}


@st.composite
def graphs(draw: st.DrawFn, largest: int = 9) -> tuple[int, set[tuple[int, int]]]:
    size = draw(st.integers(0, largest))
    possible = list(combinations(range(size), 2))
    return size, draw(st.sets(st.sampled_from(possible))) if possible else set()


@given(graphs(), st.lists(st.integers(1, 50), min_size=9, max_size=9))
@settings(deadline=None)
def test_independent_set_equals_brute_force(drawn: tuple[int, set[tuple[int, int]]], weights: list[int]) -> None:
    size, edges = drawn
    found = max_weight_independent_set(graph_of(size, edges), dict(enumerate(weights)))
    assert not edges & set(combinations(sorted(found), 2))
    assert sum(weights[v] for v in found) == oracle(edges, weights[:size])


@given(st.integers(EXACT_LIMIT + 1, 40), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25)
def test_fallback_is_independent_and_maximal(size: int, random: Any) -> None:
    edges = {(random.randrange(v), v) for v in range(1, size)}
    edges |= {tuple(sorted(random.sample(range(size), 2))) for _ in range(size)}
    graph = graph_of(size, edges)
    found = max_weight_independent_set(graph, dict.fromkeys(range(size), 1))
    assert not edges & set(combinations(sorted(found), 2))
    assert all(v in found or graph[v] & found for v in graph)


def test_fallback_solves_a_large_star() -> None:
    star = {(0, v) for v in range(1, 60)}
    weights = {v: 1 for v in range(60)} | {0: 50}
    assert max_weight_independent_set(graph_of(60, star), weights) == set(range(1, 60))


@given(graphs(8))
@settings(deadline=None)
def test_kept_set_is_a_largest_and_each_loser_lost_to_a_kept_one(
    drawn: tuple[int, set[tuple[int, int]]],
) -> None:
    size, edges = drawn
    ids = "abcdefgh"[:size]
    gone = lost(decide([clash(ids[a], ids[b]) for a, b in edges], passages(ids), [], Policy()))
    assert size - len(gone) == oracle(edges, [1] * size)
    assert all(winner not in gone for winner, _ in gone.values())


@given(
    graphs(7),
    st.permutations(range(7)),
    st.lists(st.sampled_from(["2020", "2021", None]), min_size=7, max_size=7),
)
@settings(deadline=None)
def test_order_matters_only_by_rank(
    drawn: tuple[int, set[tuple[int, int]]], order: list[int], dates: list[Any]
) -> None:
    """Order of conflicts never matters; with distinct authority, order of passages does not either."""
    size, edges = drawn
    given_ = [Passage(str(v), "t", {"date": dates[v], "authority": v / 10}) for v in range(size)]
    undeclared = [Passage(str(v), "t", {"date": dates[v]}) for v in range(size)]
    conflicts = [clash(str(a), str(b), score=0.5) for a, b in sorted(edges)]
    turned = [clash(str(b), str(a), score=0.5) for a, b in sorted(edges, reverse=True)]
    shuffled = [given_[v] for v in order if v < size]
    assert lost(decide(conflicts, given_, [], Policy())) == lost(decide(turned, shuffled, [], Policy()))
    assert lost(decide(conflicts, undeclared, [], Policy())) == lost(decide(turned, undeclared, [], Policy()))


def test_three_witnesses_beat_one_at_the_top() -> None:
    gone = lost(decide([clash("a", i) for i in "bcd"], passages("abcd"), [], Policy()))
    assert gone == {"a": ("b", "witnesses")}


@pytest.mark.parametrize(
    ("metadata", "rule"),
    [
        ({"authority": 0.9}, "authority"),
        ({"supersedes": ["b", "c", "d"]}, "supersedes"),
        ({"date": "2025"}, "date"),
    ],
)
def test_declared_trust_beats_witnesses(metadata: dict[str, Any], rule: str) -> None:
    others = {i: {"date": "2020"} for i in "bcd"}
    given_ = passages("abcd", a={"date": "2020", **metadata}, **others)
    assert lost(decide([clash("a", i) for i in "bcd"], given_, [], Policy())) == dict.fromkeys("bcd", ("a", rule))


def test_a_beaten_passage_returns_when_what_beats_it_has_lost() -> None:
    given_ = passages("abc", a={"authority": 0.9}, b={"authority": 0.8}, c={"authority": 0.7})
    assert lost(decide([clash("a", "b"), clash("b", "c")], given_, [], Policy())) == {"b": ("a", "authority")}


def test_rank_breaks_a_tie() -> None:
    assert lost(decide([clash("a", "b")], passages("ab"), [], Policy())) == {"b": ("a", "rank")}
    assert lost(decide([clash("a", "b")], passages("ba"), [], Policy())) == {"a": ("b", "rank")}


def test_copies_are_one_witness() -> None:
    conflicts = [clash("a", i) for i in "bcd"]
    gone = lost(decide(conflicts, passages("abcd"), [["b", "c", "d"]], Policy()))
    assert gone == dict.fromkeys("bcd", ("a", "rank"))


def test_a_copy_without_its_own_conflict_loses_with_its_cluster() -> None:
    decision = decide([clash("a", "b")], passages("abc", a={"authority": 1}), [["b", "c"]], Policy())
    assert lost(decision) == {"b": ("a", "authority"), "c": ("a", "authority")}
    assert decision.losses[1].lost_to.passage_id == "a"


def test_a_changed_copy_is_set_apart_from_its_cluster() -> None:
    conflicts = [clash("a", "b"), clash("a", "c")]
    assert lost(decide(conflicts, passages("abc"), [["a", "b", "c"]], Policy())) == dict.fromkeys("bc", ("a", "rank"))


def test_self_contradiction_loses_and_is_no_witness() -> None:
    conflicts = [clash("a", "a"), clash("a", "b"), clash("c", "b")]
    decision = decide(conflicts, passages("abc", b={"authority": 0.9}), [], Policy())
    assert lost(decision) == {"c": ("b", "authority"), "a": ("a", "self-contradiction")}
    assert decision.losses[-1].passage_id == "a"


def test_conditional_is_an_edge_between_a_and_b() -> None:
    decision = decide([clash("a", "c", ConflictType.CONDITIONAL)], passages("abc"), [], Policy())
    assert lost(decision) == {"c": ("a", "rank")}


def test_strictest_action_of_the_types_and_only_its_conflicts_cause_losses() -> None:
    by_type = {ConflictType.VALUE: Action.DROP, ConflictType.DATE: Action.REPORT}
    policy = Policy(Action.ANNOTATE, by_type)
    conflicts = [clash("a", "b"), clash("c", "d", ConflictType.DATE), clash("e", "f", ConflictType.ENTITY)]
    decision = decide(conflicts, passages("abcdef"), [], policy)
    assert decision.action is Action.DROP
    assert lost(decision).keys() == {"b"}
    assert decide(conflicts[1:2], passages("abcdef"), [], policy) == Decision(Action.REPORT)
    assert decide([], passages("ab"), [], Policy(Action.BLOCK)) == Decision(Action.REPORT)


@pytest.mark.parametrize(
    "settings_",
    [{"min_passages": -1}, {"min_passages": 1.5}, {"min_passages": True}, {"action": "drop"}, {"trust": None},
     {"by_type": {"value": Action.DROP, "typo": Action.DROP}}, {"by_type": {ConflictType.VALUE: "drop"}}],
)  # fmt: skip
def test_contradictory_settings_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Policy(**settings_)


def test_unknown_ids_and_overlapping_clusters_are_refused() -> None:
    with pytest.raises(InputError, match="'z'"):
        decide([clash("a", "z")], passages("a"), [], Policy())
    with pytest.raises(InputError, match="two clusters"):
        decide([clash("a", "b")], passages("abc"), [["a", "b"], ["b", "c"]], Policy(trust=TrustRules()))
