"""Planted contradictions in a corpus: guards whose answers are known give the figures known beforehand."""

from itertools import combinations

import pytest

from detectors.errors import InputError
from detectors.evidence import Conflict, ConflictType, Passage, Unverified
from detectors.segment import segment
from guard.evaluation import corpus, corpus_report
from guard.evaluation.edits import EditKind
from guard.evaluation.inject import InjectionKind, inject_each
from guard.evaluation.table import Resampling
from guard.verdict import Action, Status, Verdict

PASSAGES = [
    Passage("leave.md#1", "# Leave\n\nFull-time employees receive 28 days of paid leave. The rule took effect on 1 "
            "July 2019. Requests are approved by the team lead. All Tier 2 suppliers must be audited every year.",
            {"path": "leave.md"}),
    Passage("hub.pdf#1", "The Corvane Hub was launched in 2019. The Corvane Hub reaches sensors up to 5 km away. It is "
            "sold in boxes of 12 units. Audit logging is enabled by default. The cloud isn't hosted in Dublin.",
            {"path": "hub.pdf", "page": 1}),
    Passage("hub.pdf#2", "The battery of the Corvane Hub lasts for 14 days. The case is watertight. The cable is 2 m "
            "long.", {"path": "hub.pdf", "page": 2}),
    Passage("people.txt#1", "Anna Berg was born in Leeds. Alice Brown wrote the report. Martin Holt was born in Derby. "
            "The office in Derby was opened on 3 May 2021. All of the rooms are heated with gas.",
            {"path": "people.txt"}),
]  # fmt: skip
RESAMPLING = Resampling(50, 0)


class FakeGuard:
    """Reports the pairs of sentences (and the third one, given) that ``clashes`` says clash."""

    threshold = 0.5

    def __init__(self, clashes, unverified=()):
        self.clashes, self.unverified, self.checked = clashes, unverified, []

    def check(self, passages, question=None):
        self.checked.append(passages)
        sentences = [s.span for p in sorted(passages, key=lambda p: p.id) for s in segment(p)]
        found = []
        for a, b in combinations(sentences, 2):
            given = self.clashes(a.text, b.text, sentences) if a.text != b.text else False
            if given is not False:
                found.append(Conflict(ConflictType.VALUE, 0.9, a, b, "", ("fake",), given))
        return Verdict(Status.CONFLICT, tuple(found), Action.REPORT, (), (), tuple(self.unverified))


def never(a, b, sentences):
    return False


def always(a, b, sentences):
    """Every third sentence with "is a" is offered as the bridge, so that conditional ones are named in full."""
    return next((s for s in sentences if " is a " in s.text and s.text not in (a, b)), None)


def oracle(planting):
    known = {frozenset((i.a.text, i.b.text)): i.given for i in planting.injections if i.contradicting}
    return lambda a, b, sentences: known.get(frozenset((a, b)), False)


@pytest.fixture(scope="module")
def planting():
    return inject_each(PASSAGES, 3, seed=5)


def measured(planting, clashes, **given):
    guard = FakeGuard(clashes, **given)
    answers, untouched = corpus.measure(guard, PASSAGES, planting, lambda what, total: lambda done: None)
    return guard, answers, untouched, corpus_report.section(planting, answers, untouched, RESAMPLING)


def shapes(section):
    return {s["shape"]: s for s in section["shapes"]}


def test_an_oracle_finds_all_and_nothing_else(planting):
    _, _, untouched, section = measured(planting, oracle(planting))
    for shape in shapes(section).values():
        assert shape["planted"] > 0 and shape["controls"] > 0, shape["shape"]
        assert shape["recall"]["value"] == 1.0 and shape["right_sentences"]["value"] == 1.0
        assert shape["false_alarm_rate"]["value"] == 0.0 and shape["recall"]["low"] < 1.0
    assert untouched.conflicts == () and section["untouched"]["alarms_per_1000"]["value"] == 0.0
    assert section["misses"] == [] and section["false_alarms"] == []


def test_one_that_never_reports_misses_all_and_raises_no_alarm(planting):
    section = measured(planting, never)[-1]
    for shape in shapes(section).values():
        assert (shape["recall"]["value"], shape["false_alarm_rate"]["value"]) == (0.0, 0.0)
        assert shape["right_sentences"]["value"] is None and shape["recall"]["high"] > 0
    assert section["misses"] and not section["false_alarms"]
    assert [m["edit"] for m in section["misses"][:3]] == list(dict.fromkeys(m["edit"] for m in section["misses"]))[:3]


def test_one_that_always_reports_finds_all_and_every_control(planting):
    guard, _, untouched, section = measured(planting, always)
    for shape in shapes(section).values():
        assert (shape["recall"]["value"], shape["false_alarm_rate"]["value"]) == (1.0, 1.0)
    bare = [passages for passages in guard.checked if all(p in PASSAGES for p in passages)]
    spans = {frozenset(pair) for some in bare for pair in combinations([s.span for p in some for s in segment(p)], 2)}
    assert len(untouched.passages) == len(PASSAGES) and section["untouched"]["alarms"] == len(spans) > 0
    assert section["untouched"]["pages"] == 4  # two documents without pages, one of two pages
    per_passage = section["untouched"]["alarms"] / len(PASSAGES)
    assert section["untouched"]["alarms_per_1000"]["value"] == pytest.approx(1000 * per_passage)
    assert section["untouched"]["alarms_per_page"]["value"] == pytest.approx(per_passage)


def test_what_the_original_raises_too_is_neither_found_nor_a_false_alarm(planting):
    def about_employees(a, b, sentences):
        return None if ("employees" in a) != ("employees" in b) else False

    _, answers, untouched, _ = measured(planting, about_employees)
    pairs = [a for a in answers if a.injection.kind is not InjectionKind.CONDITIONAL]
    own = [a for a in pairs if "employees" in a.injection.a.text]
    assert untouched.conflicts and {a.injection.contradicting for a in own} == {True, False}
    assert all(a.alarm is None for a in own if "employees" in a.injection.b.text)


def test_an_alarm_elsewhere_is_not_found_and_another_sentence_is_not_the_right_one(planting):
    texts = {i.b.text for i in planting.injections}

    def about_the_case(a, b, sentences):
        return None if "watertight" in a + b and texts & {a, b} else False

    _, answers, _, section = measured(planting, about_the_case)
    found = [a for a in answers if a.alarm and "watertight" not in a.injection.a.text]
    assert found and not any(a.right_sentences for a in found)
    assert shapes(section)["all"]["right_sentences"]["value"] < 0.5


def test_a_conditional_one_needs_its_bridge_named(planting):
    pairs = {frozenset((i.a.text, i.b.text)) for i in planting.injections}
    _, answers, _, _ = measured(planting, lambda a, b, sentences: None if frozenset((a, b)) in pairs else False)
    for answer in answers:
        assert answer.alarm and answer.right_sentences == (answer.injection.kind is not InjectionKind.CONDITIONAL)


def test_sets_are_small_and_hold_the_closest_passages():
    far = [Passage(f"x.md#{n}", f"Granite number {n} lies in the valley. Basalt covers it.") for n in range(20)]
    near = Passage("y.md#1", "A watertight cable with a battery lasts long.")
    injections = inject_each([PASSAGES[2]], 3, seed=5)
    guard = FakeGuard(never)
    corpus.measure(guard, [*far, near, *PASSAGES], injections, lambda what, total: lambda done: None)
    untouched, *planted = guard.checked
    assert untouched[0] == PASSAGES[2] and not any(p in far for p in untouched[:3])
    assert near in untouched and PASSAGES[1] in untouched and len(untouched) <= 1 + corpus.BESIDE
    for passages, injection in zip(planted, injections.injections, strict=True):
        assert tuple(passages) == (*injection.passages, *untouched[1:])


def test_places_are_counted_for_every_kind_and_none_is_said_to_be_none(planting):
    assert set(planting.places) == {(shape, edit) for shape in InjectionKind for edit in EditKind}
    counts = {cell: 0 for cell in planting.places}
    for injection in inject_each(PASSAGES, 10_000, seed=5).injections:
        counts[injection.kind, injection.edit_kind] += 1
    assert counts == planting.places
    for (shape, edit), count in planting.places.items():
        chosen = [i for i in planting.injections if (i.kind, i.edit_kind) == (shape, edit)]
        assert len(chosen) == min(3, count) and len({i.a for i in chosen}) == len(chosen)
    section = measured(planting, never)[-1]
    empty = [e["edit"] for e in section["edits"] if not any(e["places"].values())]
    assert empty and EditKind.NUMBER.value not in empty
    tables = {t.title: t for t in corpus_report.tables(section)}
    rows = [r for t in tables.values() if t.header[0] == "edit" and len(t.header) > 4 for r in t.rows]
    assert {r[0].replace(" ", "_") for r in rows if corpus_report.NO_PLACE in r} == set(empty)


def test_one_seed_gives_the_same_sets_and_another_one_others(planting):
    assert inject_each(PASSAGES, 3, seed=5) == planting
    assert inject_each(PASSAGES, 3, seed=6).injections != planting.injections
    told = []
    inject_each(PASSAGES, 1, 0, told.append)
    assert sum(told) == len(PASSAGES)
    with pytest.raises(InputError, match="share an id"):
        inject_each([PASSAGES[0], PASSAGES[0]], 1, seed=0)


def test_spans_slice_back_and_only_the_passage_concerned_is_there(planting):
    texts = {p.id: p.text for p in PASSAGES}
    for i in planting.injections:
        by_id = {p.id: p.text for p in i.passages}
        for span in filter(None, (i.a, i.b, i.given)):
            assert by_id[span.passage_id][span.start : span.end] == span.text
        assert set(by_id) & set(texts) == {i.a.passage_id}


def test_what_was_not_checked_is_said(planting):
    section = measured(planting, never, unverified=[Unverified("nli", "failed")])[-1]
    assert section["unverified_sets"] == len(planting.injections)
    facts = {"documents": 3, "passages": 4, "limit": 3, "nli_calls": 0, "seconds": 0.0, "unread": ["a.pdf: no text"]}
    remark = corpus_report.remark({**section, **facts})
    assert "were not checked in full" in remark and "Not read: a.pdf: no text." in remark


def test_shares_and_means_have_intervals_that_hold_them():
    share = RESAMPLING.share(3, 10)
    assert share["value"] == 0.3 and share["low"] < 0.3 < share["high"]
    mean = RESAMPLING.mean([0, 0, 1, 3], 1000)
    assert mean["value"] == 1000 and mean["low"] < 1000 < mean["high"]
    assert RESAMPLING.mean([]) == RESAMPLING.share(0, 0) == {"value": None, "low": None, "high": None}
    assert RESAMPLING.mean([0.0] * 10)["high"] == pytest.approx(1.959964**2 / (10 + 1.959964**2))
    assert RESAMPLING.share(3, 10) == share
