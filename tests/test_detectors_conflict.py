"""What is reported, once and under which type; a threshold of one type leaves the others alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.conflict import describe, resolve
from detectors.evidence import ConflictType, ScoredPair, Sentence, SentencePair, Span, WhyNot

from .test_detectors_scope import pair

VALUE = pair("The trial lasts 14 days.", "The trial lasts 30 days.", ids=("a", "b"))
NEGATION = pair("The permit is valid.", "The permit is not valid.", ids=("c", "d"))
ANTONYM = pair("A helmet is mandatory.", "A helmet is optional.", ids=("e", "f"))
PAIRS = {ConflictType.VALUE: VALUE, ConflictType.NEGATION: NEGATION, ConflictType.ANTONYM: ANTONYM}
RULE = Sentence(Span("r", 0, 45, "Tier 2 suppliers are paid after thirty days."))
FACT = Sentence(Span("f", 0, 40, "Brandt GmbH is paid on the day of order."))
BRIDGE = Span("b", 0, 34, "Brandt GmbH is a Tier 2 supplier.")
scores = st.fixed_dictionaries({t: st.floats(0, 1) for t in PAIRS})
limits = st.dictionaries(st.sampled_from([*PAIRS, ConflictType.ANSWER]), st.floats(0, 1))


def test_the_types_are_those_that_the_table_says():
    assert {t: describe(ScoredPair(p, 0.9, ("nli",))).type for t, p in PAIRS.items()} == {t: t for t in PAIRS}


@given(scores, st.floats(0, 1), limits)
def test_a_conflict_reaches_the_threshold_of_its_type_or_the_overall_one(found, threshold, by_type):
    conflicts, _ = resolve([ScoredPair(PAIRS[t], s, ("nli",)) for t, s in found.items()], threshold, by_type)
    wanted = {t for t, s in found.items() if s >= by_type.get(t, threshold)}
    assert {c.type for c in conflicts} == wanted


@given(scores, st.floats(0, 1), st.sampled_from(list(PAIRS)), st.floats(0, 1))
def test_the_threshold_of_one_type_changes_only_its_conflicts(found, threshold, type_, own):
    scored = [ScoredPair(PAIRS[t], s, ("nli",)) for t, s in found.items()]
    before, after = resolve(scored, threshold)[0], resolve(scored, threshold, {type_: own})[0]
    assert [c for c in before if c.type is not type_] == [c for c in after if c.type is not type_]
    assert any(c.type is type_ for c in after) == (found[type_] >= own)


@pytest.mark.parametrize(("own", "is_benign"), [(0.55, True), (0.75, False), (0.2, False)])
def test_a_look_alike_is_one_that_only_its_shape_keeps_below_the_threshold_of_its_type(own, is_benign):
    shaped = ScoredPair(VALUE, 0.3, ("values",), WhyNot.SCOPE, 0.6)
    conflicts, benign = resolve([shaped], 0.9, {ConflictType.VALUE: own})
    assert bool(benign) == is_benign and bool(conflicts) == (own <= 0.3)


def test_a_conditional_conflict_has_its_own_type_whatever_clashes():
    given_a_third = ScoredPair(SentencePair(VALUE.a, VALUE.b), 0.8, ("conditional",), given=Span("z", 0, 1, "x"))
    assert resolve([given_a_third], 0.5, {ConflictType.CONDITIONAL: 0.9}) == ((), ())
    assert len(resolve([given_a_third], 0.5, {ConflictType.VALUE: 0.9})[0]) == 1


def test_a_pair_that_clashes_given_a_third_passage_is_reported_with_it_alone():
    plain = ScoredPair(SentencePair(RULE, FACT), 0.9, ("nli",))
    given = ScoredPair(SentencePair(FACT, RULE), 0.8, ("conditional", "nli"), given=BRIDGE)
    for scored in ([plain, given], [given, plain]):
        (conflict,) = resolve(scored, 0.5)[0]
        assert conflict.type == "conditional" and conflict.given == BRIDGE and conflict.score == 0.8
    assert [c.type for c in resolve([plain, given], 0.85)[0]] != ["conditional"]


def test_what_scores_below_the_threshold_is_no_conflict():
    assert resolve([ScoredPair(SentencePair(RULE, FACT), 0.49)], 0.5) == ((), ())


def test_a_stance_is_reported_only_where_no_sentences_clash():
    stance = ScoredPair(SentencePair(RULE, FACT), 0.7, ("stance",))
    (alone,) = resolve([stance], 0.5)[0]
    assert alone.type == "answer"
    (clash,) = resolve([stance, ScoredPair(SentencePair(RULE, FACT), 0.6, ("nli",))], 0.5)[0]
    assert clash.detectors == ("nli",)
