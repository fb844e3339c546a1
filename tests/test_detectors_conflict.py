"""From scored pairs to conflicts: what is reported, once, and under which type."""

from detectors.conflict import resolve
from detectors.evidence import ScoredPair, Sentence, SentencePair, Span

RULE = Sentence(Span("r", 0, 45, "Tier 2 suppliers are paid after thirty days."))
FACT = Sentence(Span("f", 0, 40, "Brandt GmbH is paid on the day of order."))
BRIDGE = Span("b", 0, 34, "Brandt GmbH is a Tier 2 supplier.")


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
