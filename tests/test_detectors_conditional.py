"""Pairs that a third sentence makes comparable: all that reading every sentence for each would find."""

import re
from itertools import permutations

from detectors import conditional
from detectors.conditional import BRIDGE, MAX_RULES, QUANTIFIER, bridged_pairs
from detectors.evidence import Passage, Unverified
from detectors.protocols import Material
from detectors.segment import segment

TEXTS = [
    "Brandt GmbH is a Tier 2 supplier.", "All Tier 2 suppliers must be audited within 30 days.",
    "Brandt GmbH must be audited within 60 days.", "Every tier 2 supplier sends its report in May.",
    "Ann is a night porter of the inn. Annual leave of a night porter is 20 days.",
    "The annual report names Ann and Brandt GmbH. Ann has 25 days of leave.", "Night porters work alone.",
    "Ossory is a supplier.", "Suppliers of Ossory wait.", "X is a - -.", "The Tier 2 suppliers of Brandt GmbH wait.",
]  # fmt: skip


def sentences(texts):
    return [s for i, text in enumerate(texts) for s in segment(Passage(f"p{i:03}", text))]


def brute_force(found):
    """Try every sentence as the bridge, the rule and the fact; a member's name counts as a whole word."""
    for bridge, rule, fact in permutations(found, 3):
        match = BRIDGE.match(bridge.text)
        if not match or len(match["kind"].split()) < 2:
            continue
        member = re.compile(rf"(?<!\w){re.escape(match['member'])}(?!\w)")
        kind = re.compile(QUANTIFIER + rf"\b{re.escape(match['kind'])}(?:e?s)?\b", re.I)
        says = kind.search(rule.text) and not member.search(rule.text)
        apart = len({bridge.passage_id, rule.passage_id, fact.passage_id}) == 3
        if says and member.search(fact.text) and not kind.search(fact.text) and apart:
            yield bridge.text, rule.text, fact.text


def test_pairs_are_those_of_all_threes():
    found = sentences(TEXTS)
    bridged = [(b.given.text, b.pair.a.text, b.pair.b.text) for b in bridged_pairs(found)]
    assert len(bridged) == len(set(bridged)) >= 4
    assert set(bridged) == set(brute_force(found))


def test_an_expletive_or_pronoun_is_no_member_of_a_class():
    rule, fact = "A shared key holder must sign.", "{} must not sign."
    for word, n_pairs in (("Brandt", 1), ("There", 0), ("This", 0), ("Here", 0)):
        bridge = f"{word} is a shared key holder."
        assert len(list(bridged_pairs(sentences([bridge, rule, fact.format(word)])))) == n_pairs


def test_a_class_of_which_very_many_speak_is_named_as_left_out():
    rules = [f"All Tier 2 suppliers of region {i} pay fees." for i in range(MAX_RULES + 1)]
    few = sentences([*TEXTS[:1], *TEXTS[2:3], *rules[:MAX_RULES]])
    assert len(list(bridged_pairs(few))) == MAX_RULES
    (left,) = bridged_pairs(sentences([*TEXTS[:1], *TEXTS[2:3], *rules]))
    assert isinstance(left, Unverified) and "'Tier 2 supplier'" in left.reason


def test_what_is_beyond_the_limit_is_named(monkeypatch):
    monkeypatch.setattr(conditional, "MAX_PAIRS", 1)
    scored = []

    def score(pairs):
        scored.extend(pairs)
        return iter(())

    material = Material((), None, sentences(TEXTS), (), None, None, score)
    (said,) = conditional.Conditional().find(material)
    assert isinstance(said, Unverified) and "only 1 pair" in said.reason
    assert len(scored) == 1
