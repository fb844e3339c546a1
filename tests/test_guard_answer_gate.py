"""The gate: each row of its table, and the ways in which a conflict counts as open."""

import itertools

import pytest

from detectors.evidence import Conflict, ConflictType, Passage, Span
from guard import Action, Gate, Knowledge, Policy, Source, Status, Verdict
from guard.answer_gate import gate, is_open
from guard.policy import decide
from guard.remediate import remediate

CLASH = "a", "b"
DECLARED = {"a": {"date": "2024"}, "b": {"date": "2020"}}


def verdict(pairs, action=Action.DROP, metadata=None, ids=("a", "b", "c"), unverified=()):
    """The verdict that the guard's own policy and remediation make of given conflicts."""
    passages = [Passage(i, f"text {i}", (metadata or {}).get(i, {})) for i in ids]
    conflicts = tuple(
        Conflict(ConflictType.VALUE, 0.9, Span(a, 0, 4, "text"), Span(b, 0, 4, "text"), "", ()) for a, b in pairs
    )
    decision = decide(conflicts, passages, [], Policy(action))
    kept, removed, notice = remediate(passages, conflicts, decision, 1)
    status = Status.CONFLICT if conflicts else Status.UNVERIFIED if unverified else Status.CLEAN
    return Verdict(status, conflicts, decision.action, kept, removed, unverified, notice=notice)


STATES = (None, *Knowledge)


@pytest.mark.parametrize(
    ("given", "source", "trust"),
    [
        (None, Source.MEMORY, 0),
        (verdict([]), Source.CONTEXT, 1),
        (verdict([], unverified=("x",)), Source.CONTEXT, 0),
        (verdict([CLASH], metadata=DECLARED), Source.CONTEXT, 1),
        (verdict([("a", "a")]), Source.CONTEXT, 1),
        (verdict([CLASH], Action.REPORT), Source.CONTEXT, 0),
        (verdict([CLASH], Action.BLOCK), Source.NEITHER, 0),
        (verdict([CLASH], Action.BLOCK, DECLARED), Source.NEITHER, 0),
    ],
)
def test_where_knowledge_does_not_matter(given, source, trust):
    for known in STATES:
        assert (gate(given, known).source, gate(given, known).trust) == (source, trust)


@pytest.mark.parametrize(
    "given",
    [
        verdict([CLASH]),  # dropped by rank alone
        verdict([CLASH, ("b", "c")]),  # outvoted: two against one
        verdict([CLASH], Action.ANNOTATE, DECLARED),  # both sides stay
        verdict([CLASH], Action.RERANK, DECLARED),
        verdict([("a", "a")], ids=("a",)),  # the only passage, put back by min_passages
        verdict([CLASH, ("c", "a")], metadata=DECLARED),  # one settled, the other by rank
    ],
)
def test_an_open_conflict_is_answered_from_memory_only_by_a_model_that_knows(given):
    assert is_open(given)
    assert [gate(given, known).source for known in STATES] == [
        Source.NEITHER, Source.MEMORY, Source.NEITHER, Source.NEITHER,
    ]  # fmt: skip
    assert {gate(given, known).trust for known in STATES} == {0}


def test_trust_is_a_share_and_every_gate_has_a_reason():
    actions = itertools.product(Action, ([], [CLASH], [("a", "a")]), (None, DECLARED))
    gates = [gate(verdict(pairs, action, told), known) for action, pairs, told in actions for known in STATES]
    assert all(isinstance(g, Gate) and 0 <= g.trust <= 1 and g.reason for g in gates)
    assert {g.source for g in gates} == set(Source)


def test_memory_and_abstention_never_carry_trust():
    for action, pairs in itertools.product(Action, ([CLASH], [("a", "a")])):
        for known in STATES:
            found = gate(verdict(pairs, action), known)
            assert found.source is Source.CONTEXT or found.trust == 0
