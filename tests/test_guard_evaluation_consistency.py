"""Transformations that must not change a verdict, and guards whose verdict is known to change or to stay."""

from random import Random

import pytest

from detectors.errors import InputError
from detectors.evidence import Conflict, ConflictType, Passage, Span
from detectors.segment import segment
from guard.evaluation import consistency, consistency_report
from guard.evaluation.consistency import TRANSFORMATIONS
from guard.evaluation.datasets import Kind, Scope, SetExample
from guard.evaluation.table import Resampling
from guard.verdict import Action, Status, Verdict

LEAVE = (
    Passage("p1", "The hall has 28 lockers for staff. However, the office is closed in August. The canteen isn't open.",
            {"path": "leave.md"}),
    Passage("p3", "The hall has 30 lockers for staff. It is paid. Approximately 4,200 people work at the plant."),
    Passage("p2", "The hall opened on 3 May 2021. Requests are sent by post."),
)  # fmt: skip
TWO = LEAVE[:2]
LONE = (Passage("only", "The trial lasts 14 days. Bring a pen. The trial lasts 30 days."),)


def row(name, passages, label="conflict", kind=Kind.SETS):
    return SetExample(name, "src", kind, Scope.BOTH, label, "", passages, f"rows.jsonl, line {name}")


ROWS = [row("1", LEAVE), row("2", TWO, kind=Kind.PAIRS), row("3", LONE, kind=Kind.SELF)]


class FakeGuard:
    """Reports one conflict, or none, by what ``is_conflict`` says of the passages in order of id."""

    threshold = 0.5

    def __init__(self, is_conflict):
        self.is_conflict = is_conflict

    def check(self, passages, question=None):
        ordered = sorted(passages, key=lambda p: p.id)
        if not self.is_conflict(ordered):
            return Verdict(Status.CLEAN, (), Action.REPORT, (), (), ())
        spans = [Span(p.id, 0, len(p.text), p.text) for p in (ordered[0], ordered[-1])]
        found = Conflict(ConflictType.VALUE, 0.9, *spans, "", ("fake",))
        return Verdict(Status.CONFLICT, (found,), Action.REPORT, (), (), ())


def measured(is_conflict, rows=ROWS, seed=0):
    outcomes = consistency.measure(FakeGuard(is_conflict), rows, seed, lambda what, total: lambda done: None)
    section = consistency_report.section(outcomes, Resampling(50, seed))
    return outcomes, {(t["transformation"], t["kind"]): t for t in section["transformations"]}, section


def transformed(name, passages, seed=0):
    return TRANSFORMATIONS[name](passages, Random(seed))


def words(passages):
    return sorted(" ".join(p.text for p in passages).split())


def test_a_verdict_by_what_is_said_never_flips():
    outcomes, figures, section = measured(lambda ps: "28 lockers" in "".join(p.text for p in ps))
    assert {o.transformation for o in outcomes} == set(TRANSFORMATIONS) and not any(o.is_flip for o in outcomes)
    for t in figures.values():
        assert t["lost"] == t["gained"] == 0
        assert t["flip_rate"]["value"] == (0.0 if t["rows"] else None)
    assert not any(section["examples"].values())


@pytest.mark.parametrize(
    ("is_conflict", "flipping"),
    [
        (lambda ps: "28 lockers" in ps[0].text, {"swap", "reorder"}),  # the side that is read first
        (lambda ps: len(ps) > 3, {"add_irrelevant", "split"}),
        (lambda ps: len(ps) < 3, {"add_irrelevant", "split", "join"}),
        (lambda ps: any("as noted" in p.text or "as " in p.text or "for the record" in p.text for p in ps),
         {"add_asides"}),
        (lambda ps: any("isn't" in p.text for p in ps), {"paraphrase"}),
    ],
)  # fmt: skip
def test_one_that_depends_on_the_form_flips_where_the_form_changes(is_conflict, flipping):
    outcomes, _, section = measured(is_conflict)
    flipped = {o.transformation for o in outcomes if o.is_flip}
    assert flipping & flipped and flipped <= flipping, flipped
    for name in flipped:
        (first, *_) = section["examples"][name]
        assert {first["before"], first["after"]} == {"conflict", "none"} and first["conflict"]["score"] == 0.9


def test_both_directions_are_counted_by_hand():
    """By the first text: rows 1 and 2 open with 28 lockers, swapped they do not; row 4 the other way round."""
    mirrored = row("4", (Passage("a", TWO[1].text), Passage("b", TWO[0].text)))
    _, figures, _ = measured(lambda ps: "28 lockers" in ps[0].text, [*ROWS, mirrored])
    swap = figures["swap", "all"]
    assert (swap["rows"], swap["conflicts"], swap["lost"], swap["gained"]) == (3, 2, 2, 1)
    assert swap["flip_rate"]["value"] == swap["lost_rate"]["value"] == swap["gained_rate"]["value"] == 1.0
    assert swap["flip_rate"]["low"] < 1.0
    assert figures["swap", "sets"]["rows"] == 2 and figures["swap", "pairs"]["lost"] == 1
    assert figures["swap", "self"]["rows"] == 0 and figures["swap", "self"]["flip_rate"]["value"] is None


def test_an_order_by_position_alone_does_not_hide_a_swap():
    """The ids move, so that reading in order of id reads the sides the other way round, for every pair."""
    swapped = transformed("swap", LEAVE)
    assert {p.id for p in swapped} == {p.id for p in LEAVE}
    before, after = ([p.text for p in sorted(ps, key=lambda p: p.id)] for ps in (LEAVE, swapped))
    assert after == before[::-1]
    assert next(p.metadata for p in swapped if "28" in p.text) == {"path": "leave.md"}
    for seed in range(10):
        moved = transformed("reorder", LEAVE, seed)
        assert {p.id for p in moved} == {p.id for p in LEAVE} and {p.text for p in moved} == {p.text for p in LEAVE}
        assert [p.text for p in sorted(moved, key=lambda p: p.id)] != before


def test_what_does_not_fit_is_left_out():
    assert (
        transformed("swap", LONE) is None and transformed("reorder", TWO) is None and transformed("join", LONE) is None
    )
    assert transformed("split", [Passage("a", "One sentence alone stands here.")]) is None
    assert transformed("paraphrase", [Passage("a", "Granite.")]) is None


def test_paraphrases_keep_what_is_said():
    (changed, same, dated) = transformed("paraphrase", LEAVE)
    assert "is not open" in changed.text and "28 lockers" in changed.text and "30 lockers" in same.text
    assert "2021" in dated.text and [p.id for p in (changed, same, dated)] == [p.id for p in LEAVE]
    assert "about" not in same.text and "4,2" in same.text.replace("4200", "4,2")  # nothing is rounded


def test_irrelevant_passages_share_no_word_and_leave_the_others_alone():
    found = transformed("add_irrelevant", LEAVE)
    added = [p for p in found if p not in LEAVE]
    assert [p for p in found if p in LEAVE] == list(LEAVE) and len(added) == consistency.ADDED
    about_moons = [Passage("m", "Tides follow the moon. Granite and copper; an oboe, a sonnet and sourdough yeast.")]
    for seed in range(5):
        chosen = {p.text.split()[0] for p in transformed("add_irrelevant", about_moons, seed)}
        assert "Swifts" in chosen and "Lichens" in chosen
    taken = [Passage("unrelated-1", "x y z.")]
    assert len({p.id for p in transformed("add_irrelevant", taken)}) == 1 + consistency.ADDED


def test_splitting_and_joining_lose_no_word_and_start_with_a_sentence_that_stands_alone():
    split = transformed("split", LEAVE)
    assert words(split) == words(LEAVE) and len({p.id for p in split}) == len(split) > len(LEAVE)
    sentences = {s.text for p in LEAVE for s in segment(p)}
    assert {s.text for p in split for s in segment(p)} == sentences
    assert not any(p.text.startswith("It is paid") for p in split)
    joined = transformed("join", LEAVE)
    assert words(joined) == words(LEAVE) and [p.id for p in joined] == ["p1", "p2"]
    assert {s.text for p in joined for s in segment(p)} == sentences
    assert transformed("split", [Passage("a", "# Fees\n\nEntry is free. Food costs 3 EUR.")]) is None


def test_joining_keeps_a_heading_off_another_passage():
    headed, bare = Passage("a", "# Fees\n\nEntry is free."), Passage("b", "Food costs 3 EUR.")
    assert transformed("join", [headed, bare]) is None
    (joined,) = transformed("join", [bare, headed])
    contexts = {s.text: s.context for s in segment(joined)}
    assert contexts["Food costs 3 EUR."] == "" and contexts["Entry is free."] == "Fees"


def test_one_seed_gives_the_same_passages():
    first, again, other = (measured(lambda ps: True, seed=seed)[0] for seed in (1, 1, 2))
    assert first == again and first != other


def test_a_row_that_cannot_be_checked_is_named():
    def refuse(passages):
        raise InputError("passage 'p1': too long")

    with pytest.raises(InputError, match=r"rows\.jsonl, line 1: passage 'p1': too long"):
        measured(refuse)


def test_the_table_shows_counts_and_rates():
    section = measured(lambda ps: "28 lockers" in ps[0].text)[-1]
    (table,) = consistency_report.tables(section)
    shown = next(r for r in table.rows if r[:2] == ["swap", "all"])
    assert shown[2:5] == ["2", "2 of 2", "0 of 0"] and shown[5]["value"] == 1.0 and shown[7]["value"] is None
