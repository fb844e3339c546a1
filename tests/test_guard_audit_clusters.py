"""Clusters: one claim against many places is one finding, no pair is lost, and what was dealt with stays apart."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.evidence import ConflictType
from guard.audit.clusters import joined
from guard.audit.findings import Finding, Preference, Quote, Severity, State, fingerprint


def quote(place, text):
    return Quote(f"{place}.md#1", 0, len(text), text, f"{place}.md", 3)


def finding(a, b, score=0.9, type=ConflictType.VALUE, **other):
    a, b = (quote(*side.split(":")) for side in (a, b))
    settings = {"explanation": "clash", "given": None, "preferred": None, "action": "Look.", **other}
    return Finding(fingerprint(a.text, b.text), type, Severity.ERROR, score, detectors=("nli",), a=a, b=b, **settings)


def undirected(pairs):
    return Counter(frozenset([(p.a.path, p.a.text), (p.b.path, p.b.text)]) for p in pairs)


def test_one_claim_against_many_places_is_one_finding_that_names_all():
    found = [finding(f"p{n}:{30 + n} days", "hub:14 days", 0.8 + n / 100) for n in range(5)]
    (star,) = joined(found)
    assert (star.id, star.score, star.a.path, star.b.path) == (found[4].id, found[4].score, "hub.md", "p4.md")
    assert [q.path for q in star.against] == ["p3.md", "p2.md", "p1.md", "p0.md"] and star.repeats == ()
    assert star.paths == ("hub.md", "p0.md", "p1.md", "p2.md", "p3.md", "p4.md")
    assert [p.id for p in star.pairs] == [f.id for f in reversed(found)]
    assert star.action == "Find out which is right, hub.md:3 or p4.md:3 and 4 more places, and correct what is wrong."


def test_three_places_against_four_are_one_finding_where_their_words_agree():
    found = [finding(f"a{n}:14  Days", f"b{m}:30 days") for n in range(3) for m in range(4)]
    (star,) = joined(found)
    assert len(star.pairs) == 12 and (len(star.repeats), len(star.against)) == (2, 3)
    assert star.action.startswith("Find out which is right, a0.md:3 and 2 more places or b")


def test_wordings_of_their_own_need_as_many_findings_as_the_smaller_side_has():
    found = [finding(f"a{n}:{n} old", f"b{m}:{m} new") for n in range(2) for m in range(9)]
    assert len(joined(found)) == 2


CLAIMS = st.integers(0, 6)


@given(st.lists(st.tuples(CLAIMS, CLAIMS, st.integers(1, 99), st.sampled_from(["value", "date"])), max_size=25))
def test_no_pair_is_lost_or_doubled_and_the_order_of_findings_changes_nothing(edges):
    found = [
        finding(f"p{i}:claim {a}", f"q{i}:claim {b}", s / 100, ConflictType(t)) for i, (a, b, s, t) in enumerate(edges)
    ]
    stars = joined(found)
    assert undirected(p for star in stars for p in star.pairs) == undirected(p for f in found for p in f.pairs)
    assert joined(reversed(found)) == stars
    assert [s.score for s in stars] == sorted((s.score for s in stars), reverse=True)
    for star in stars:
        assert star.score == max(p.score for p in star.pairs)
        assert len({p.a.text for p in star.pairs}) == 1, "one claim"


def test_what_was_dealt_with_another_type_and_a_third_statement_stay_apart():
    one, other = finding("hub:14 days", "x:30 days"), finding("hub:14 days", "y:31 days")
    assert len(joined([one, other])) == 1
    for change in ({"state": State.ACCEPTED}, {"type": ConflictType.DATE}, {"given": quote("z", "third")}):
        assert len(joined([one, replace(other, **change)])) == 2


@pytest.mark.parametrize(
    ("sides", "action"),
    [
        ("aa", "Correct x.md:3 and 1 more place to agree with hub.md:3."),
        ("bb", "Correct hub.md:3; to be preferred: x.md:3 and 1 more place."),
        ("ab", "Find out which is right, hub.md:3 or x.md:3 and 1 more place, and correct what is wrong."),
    ],
)
def test_the_action_follows_what_all_pairs_prefer(sides, action):
    better = [Preference(side, "date", "later") for side in sides]
    turned = replace(better[1], side="b" if sides[1] == "a" else "a")
    found = [
        finding("hub:14 days", "x:30 days", 0.95, preferred=better[0]),
        finding("y:31 days", "hub:14 days", preferred=turned),
    ]
    (star,) = joined(found)
    assert star.action == action and star.a.path == "hub.md"
    assert star.preferred == (better[0] if sides in ("aa", "bb") else None)


def test_an_explanation_turns_with_the_sides():
    said = 'values: "31 days" against "14 days"'
    found = [finding("y:31 days", "hub:14 days", 0.95, explanation=said), finding("hub:14 days", "x:30 days")]
    (star,) = joined(found)
    assert (star.a.text, star.explanation) == ("14 days", 'values: "14 days" against "31 days"')
