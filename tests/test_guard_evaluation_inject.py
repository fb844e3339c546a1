"""Edits and injections against hand-made sentences, and against the value detector as an independent oracle."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import values
from detectors.errors import InputError
from detectors.evidence import Passage
from detectors.segment import segment
from guard.evaluation.edits import CONTRADICTING, CONTROLS, EditKind, contradict, restate
from guard.evaluation.inject import InjectionKind, inject
from guard.evaluation.names import Names

K = EditKind
# (kind, sentence, every edit that is right); the first seeds must give nothing else.
EDITED = [
    (K.NEGATION, "The hall was rebuilt in stone.", {"The hall was not rebuilt in stone."}),
    (K.NEGATION, "She wrote the report in Ghent.", {"She did not write the report in Ghent."}),
    (K.NEGATION, "The firm provides a pension to its staff.", {"The firm does not provide a pension to its staff."}),
    (K.NEGATION, "Full-time employees receive a pension.", {"Full-time employees do not receive a pension."}),
    (K.NEGATION, "The bridge has been closed to lorries.", {"The bridge has not been closed to lorries."}),
    (K.NEGATION, "The village has a station and a school.", {"The village does not have a station and a school."}),
    (K.NEGATION, "The device can run on batteries.", {"The device cannot run on batteries."}),
    (K.NEGATION, "Visitors must sign the register.", {"Visitors must not sign the register."}),
    (K.NEGATION, "There is a lift in the north wing.", {"There is no lift in the north wing."}),
    (K.NEGATION, "The pump isn't covered by the warranty.", {"The pump is covered by the warranty."}),
    (K.NEGATION, "The council did not approve the plan.", {"The council approved the plan."}),
    (K.NEGATION, "The key doesn't open the vault door.", {"The key opens the vault door."}),
    (K.NEGATION, "Refunds cannot be paid in cash.", {"Refunds can be paid in cash."}),
    (K.NEGATION, "The shop never opened in the town.", {"The shop opened in the town."}),
    (K.NEGATION, "In May 2019, the firm moved to Lyon.", {"In May 2019, the firm did not move to Lyon."}),
    (K.ANTONYM, "Audit logging is enabled by default.", {"Audit logging is disabled by default."}),
    (K.ANTONYM, "The course is mandatory for all staff.", {"The course is optional for all staff."}),
    (K.ANTONYM, "The lake is an important source of water.", {"The lake is an unimportant source of water."}),
    (K.ANTONYM, "Rents increased by a tenth in that year.", {"Rents decreased by a tenth in that year."}),
    (K.ANTONYM, "The board rejects the offer of the bank.",
     {"The board accepts the offer of the bank.", "The board approves the offer of the bank."}),
    (K.ANTONYM, "The tower is the tallest building in town.", {"The tower is the shortest building in town."}),
    (K.ANTONYM, "The fortress lies north of the river.", {"The fortress lies south of the river."}),
    (K.ROLE_SWAP, "Acme acquired Globex in 2009.", {"Globex acquired Acme in 2009."}),
    (K.ROLE_SWAP, "The supplier reimburses the buyer.", {"The buyer reimburses the supplier."}),
    (K.ROLE_SWAP, "Anna Berg is older than Jonas Holt.", {"Jonas Holt is older than Anna Berg."}),
    (K.EXCEPTION, "All visitors must wear a badge on site.", {"No visitors have to wear a badge on site."}),
    (K.EXCEPTION, "Every supplier must be audited each year.", {"No supplier has to be audited each year."}),
    (K.EXCEPTION, "All teams report on Monday, except the night shift.",
     {"All teams report on Monday, including the night shift."}),
    (K.EXCEPTION, "The form is accepted only in English.", {"The form is accepted not only in English."}),
    (K.EXCEPTION, "Guests must not use the rear door.", {"Guests may use the rear door."}),
    (K.QUANTIFIER, "All rooms are heated with gas.",
     {"No rooms are heated with gas.", "Few rooms are heated with gas."}),
    (K.QUANTIFIER, "None of the doors are locked at night.",
     {"All of the doors are locked at night.", "Most of the doors are locked at night."}),
    (K.QUANTIFIER, "Some of the tests were run twice.", {"None of the tests were run twice."}),
    (K.QUANTIFIER, "The town has several parks and a pool.", {"The town has no parks and a pool."}),
    (K.QUANTIFIER, "Both Anna and Jonas were invited.", {"Neither Anna nor Jonas was invited."}),
    (K.UNIT, "The trial lasts for 30 days.", {"The trial lasts for 30 weeks.", "The trial lasts for 30 hours."}),
    (K.CONVERSION, "The route is 5 km long and flat.", {"The route is 3.1 miles long and flat."}),
    (K.CONVERSION, "The notice period is 14 days.", {"The notice period is 2 weeks."}),
    (K.NUMBER_FORMAT, "The house has three floors.", {"The house has 3 floors."}),
    (K.NUMBER_FORMAT, "The dam cost $1.2 million to build.", {"The dam cost $1,200,000 to build."}),
    (K.DATE_FORMAT, "The hall opened on 3 May 2021.",
     {"The hall opened on May 3, 2021.", "The hall opened on 2021-05-03."}),
    (K.CONTRACTION, "The key doesn't open the vault door.", {"The key does not open the vault door."}),
    (K.CONTRACTION, "They can't leave before the end.", {"They cannot leave before the end."}),
    (K.VOICE, "The tower was designed by Anna Berg.", {"Anna Berg designed the tower."}),
    (K.VOICE, "Acme acquired Globex in 2009.", {"Globex was acquired by Acme in 2009."}),
    (K.SYNONYM, "The plant is situated in the valley.", {"The plant is located in the valley."}),
    (K.REORDER, "If the lamp is red, the pump has failed.", {"The pump has failed if the lamp is red."}),
    (K.REORDER, "In 2021, the firm moved to Lyon.", {"The firm moved to Lyon in 2021."}),
    (K.OMISSION, "The dam (built by hand) is in the north.", {"The dam is in the north."}),
    (K.DOUBLE_NEGATION, "The trade is legal in the north.", {"The trade is not illegal in the north."}),
    (K.ROUNDING, "The hall holds 4,187 people at most.", {"The hall holds about 4,200 people at most."}),
]  # fmt: skip
REFUSED = [
    (K.NEGATION, "Has the council approved the plan?"),
    (K.NEGATION, "Some members are paid by the club."),
    (K.NEGATION, "Anyone with a permanent contract can lease a bicycle."),
    (K.NEGATION, "A cyclist was injured near the bridge."),
    (K.NEGATION, "It is believed that the wall was built in stone."),
    (K.NEGATION, "The plan might be approved by the council."),
    (K.NEGATION, "The man who was hurt left because of the noise."),
    (K.NEGATION, "The council did not approve any of the plans."),
    (K.NEGATION, "The rule does not only apply to visitors."),
    (K.NEGATION, "Wie der Vertrag ist auch die Anlage nicht gültig und endet im Jahr mit dem Ende der Frist."),
    (K.ANTONYM, "The project is open source and on a public site."),
    (K.ANTONYM, "The singer was raised in a village by the sea."),
    (K.ANTONYM, "The valve is not open at the end of the day."),
    (K.ANTONYM, "The drug can weaken the bones of the patients."),
    (K.ANTONYM, "The firm operates both public and private schools."),
    (K.ROLE_SWAP, "Anna Berg married Jonas Holt in the town."),
    (K.ROLE_SWAP, "Acme acquired all of the shares in the firm."),
    (K.EXCEPTION, "The two are closer to each other than either is to the third."),
    (K.EXCEPTION, "The child is only two years old and can walk."),
    (K.QUANTIFIER, "All in all, the plan was a success for the firm."),
    (K.QUANTIFIER, "All visitors must wear a badge on the site."),
    (K.QUANTIFIER, "Most went to the coast at the end of the war."),
    (K.NUMBER, "See section 4.2 of the manual for the wiring."),
    (K.NUMBER, "Order ORD-1234 was shipped to the customer."),
    (K.NUMBER, "The fleet flies the Boeing 747 to the islands."),
    (K.NUMBER, "The tool runs on Windows 95 and in the browser."),
    (K.NUMBER, "The score was 4-2 at the end of the game."),
    (K.NUMBER, "One of the members left at the end of the day."),
    (K.NUMBER, "The film is about the 1960s and the music of that time."),
    (K.NUMBER, "The last two members left at the end of the day."),
    (K.NUMBER, "The hall is 5 km (3 miles) from the sea, or the coast."),
    (K.DATE, "In 2010, the town had 5,000 people in it."),
    (K.DATE, "The bridge was closed before 2010 and was sold."),
    (K.DATE, "The Model 1985 is the best of the series."),
    (K.UNIT, "Staff on a three-day week get the same pay."),
    (K.CONVERSION, "The trial lasts for 30 days and is free."),
    (K.VOICE, "The tower was designed by Anna Berg and her brother."),
    (K.REORDER, "If a member leaves, he loses the deposit."),
    (K.OMISSION, "The dam (except the gate) is in the north."),
    (K.ROUNDING, "The hall holds 4,000 people at the end."),
]  # fmt: skip
PEOPLE = "Anna Berg was born in Leeds. Alice Brown wrote the report. Martin Holt was born in Derby."
NAMES = Names.of([PEOPLE])
VALUES = [
    "Full-time employees receive 28 days of leave.",
    "The tank holds 4,200 litres of oil in the north.",
    "The discount is 15% for all of the members.",
    "The film cost $5.8 million to make in the end.",
    "The club has 1,312 members in the region.",
    "Refunds are paid within 30 days and must be claimed.",
    "The hall seats at least 500 people on two floors.",
    "The trip takes 10-15 minutes by bus from the port.",
    "About 4,200 people work at the plant in the valley.",
    "The board has twelve members from the region.",
]
EVENTS = [
    "The hall opened on 3 May 2021.",
    "The act was signed on July 14, 1908 by the king.",
    "Acme was founded in 1985 by a group of brothers.",
    "The licence expires on 2026-03-31 for all of the users.",
    "The bridge was completed in June 1932 by the army.",
]
SENTENCES = [s for _, s, _ in EDITED] + [s for _, s in REFUSED] + VALUES + EVENTS


def edited(kind, sentence, seed):
    return (contradict if kind in CONTRADICTING else restate)(sentence, Random(seed), kind)


def all_edits(sentence, seeds=range(4)):
    for seed in seeds:
        for kind in CONTRADICTING:
            yield contradict(sentence, Random(seed), kind, NAMES)
        for kind in CONTROLS:
            yield restate(sentence, Random(seed), kind)


@pytest.mark.parametrize(("kind", "sentence", "expected"), EDITED)
def test_the_edit_is_the_expected_one(kind, sentence, expected):
    found = {edit.after for seed in range(8) if (edit := edited(kind, sentence, seed))}
    assert found and found <= expected


@pytest.mark.parametrize(("kind", "sentence"), REFUSED)
def test_an_unsure_rule_refuses(kind, sentence):
    assert [edit.after for seed in range(8) if (edit := edited(kind, sentence, seed))] == []


@pytest.mark.parametrize("sentence", VALUES)
def test_a_number_edit_is_a_disagreement_by_the_value_detector(sentence):
    found = [edit for seed in range(12) if (edit := contradict(sentence, Random(seed), K.NUMBER))]
    assert found
    for edit in found:
        assert clashing(edit), edit.after


@pytest.mark.parametrize("sentence", EVENTS)
def test_a_date_edit_is_a_disagreement_by_the_value_detector(sentence):
    found = [edit for seed in range(12) if (edit := contradict(sentence, Random(seed), K.DATE))]
    assert found
    for edit in found:
        assert clashing(edit), edit.after


@pytest.mark.parametrize("kind", [K.CONVERSION, K.NUMBER_FORMAT, K.DATE_FORMAT, K.ROUNDING])
def test_a_restated_value_is_the_same_by_the_value_detector(kind):
    found = [edit for s in SENTENCES for seed in range(4) if (edit := restate(s, Random(seed), kind))]
    assert len({edit.before for edit in found}) >= 2
    for edit in found:
        assert values.disagreement(edit.before, edit.after) is None, edit.after


def clashing(edit):
    before, after = (values.extract(t) for t in (edit.before, edit.after))
    pairs = [(a, b) for a in before for b in after if a.kind == b.kind and abs(a.start - b.start) <= 12]
    found = values.disagreement(edit.before, edit.after)
    return found is not None or any(not values.compatible(a, b) for a, b in pairs)


def test_a_bound_that_would_still_hold_is_left_or_broken():
    for seed in range(20):
        edit = contradict("The hall seats at least 500 people in the end.", Random(seed), K.NUMBER)
        if edit:
            assert "at least" not in edit.after and int(values.extract(edit.after)[0].low) < 500


def test_an_entity_is_swapped_for_one_of_the_same_kind_only():
    found = {contradict("Anna Berg was born in Leeds.", Random(seed), K.ENTITY_SWAP, NAMES).after for seed in range(20)}
    assert found == {
        "Alice Brown was born in Leeds.", "Martin Holt was born in Leeds.", "Anna Berg was born in Derby.",
    }  # fmt: skip
    assert contradict("Anna Berg was born in Leeds.", Random(0), K.ENTITY_SWAP) is None
    assert contradict("Anna Berg has offices in Leeds.", Random(0), K.ENTITY_SWAP, NAMES) is None


def test_kinds_that_contradict_and_controls_share_nothing():
    assert set(CONTRADICTING) | set(CONTROLS) == set(EditKind) and not set(CONTRADICTING) & set(CONTROLS)
    for sentence in SENTENCES:
        bad = {e.after for e in all_edits(sentence) if e and e.contradicts}
        good = {e.after for e in all_edits(sentence) if e and not e.contradicts}
        assert not bad & good, bad & good


def test_spans_slice_back_and_the_rest_is_untouched():
    found = [edit for sentence in SENTENCES for edit in all_edits(sentence) if edit]
    assert {edit.kind for edit in found} == set(EditKind)
    for edit in found:
        assert edit.before[slice(*edit.old_span)] == edit.old and edit.after[slice(*edit.new_span)] == edit.new
        assert edit.before[: edit.old_span[0]] == edit.after[: edit.new_span[0]]
        assert edit.before[edit.old_span[1] :] == edit.after[edit.new_span[1] :]
        assert edit.after != edit.before and "  " not in edit.after


def test_the_same_seed_gives_the_same_edit_and_seeds_differ():
    results = {contradict(VALUES[0], Random(seed)) for seed in range(30)}
    assert len(results) > 3
    assert all(contradict(s, Random(5)) == contradict(s, Random(5)) for s in SENTENCES)
    assert all(restate(s, Random(5)) == restate(s, Random(5)) for s in SENTENCES)


WORDS = (
    "the firm members All Some must not is are was were has may 28 days $5 million in on 1985, 3 May 2021 section 4.2 "
    'AB-1234 v2.1.0 Acme Globex acquired open increased only except (see) "quoted" north of who because If , . 5 km'
).split()


@given(st.lists(st.sampled_from(WORDS), min_size=3, max_size=14), st.integers(0, 3))
def test_any_text_gives_a_real_edit_or_none_and_identifiers_stay(words, seed):
    sentence = "The " + " ".join(words) + "."
    for edit in all_edits(sentence, [seed]):
        if edit is None:
            continue
        assert " ".join(edit.after.split()) != " ".join(sentence.split())
        assert edit.before == sentence and edit.after[slice(*edit.new_span)] == edit.new
        assert sentence[: edit.old_span[0]] + edit.new + sentence[edit.old_span[1] :] == edit.after
        if edit.contradicts:
            for identifier in ("AB-1234", "v2.1.0", "section 4.2"):
                assert sentence.count(identifier) == edit.after.count(identifier)


@given(st.text(max_size=80))
def test_no_text_breaks_the_edits(text):
    for edit in all_edits(text, [0]):
        assert edit is None or edit.after != text


# --- injections --------------------------------------------------------------------------------------------------

CORPUS = [
    Passage("leave", "# Leave\n\nFull-time employees receive 28 days of paid leave. The rule took effect on 1 July "
                     "2019. Requests are approved by the team lead. All Tier 2 suppliers must be audited every year."),
    Passage("hub", "The Corvane Hub was launched in 2019. The Corvane Hub reaches sensors up to 5 km away. It is sold "
                   "in boxes of 12 units. Audit logging is enabled by default. The cloud isn't hosted in Dublin.\n\n"
                   "- The battery lasts for 14 days.\n- The case is watertight.\n- The cable is 2 m long."),
    Passage("people", PEOPLE + " The office in Derby was opened on 3 May 2021. All of the rooms are heated with gas."),
]  # fmt: skip


@pytest.fixture(scope="module")
def injections():
    return inject(CORPUS, 40, seed=7)


def test_every_kind_is_injected_and_spans_slice_back(injections):
    seen = {(i.kind, i.contradicting) for i in injections}
    assert seen == {(kind, flag) for kind in InjectionKind for flag in (True, False)}
    for injection in injections:
        by_id = {p.id: p.text for p in injection.passages}
        assert len(by_id) == len(injection.passages)
        assert (injection.given is not None) == (injection.kind is InjectionKind.CONDITIONAL)
        for span in filter(None, (injection.a, injection.b, injection.given)):
            assert by_id[span.passage_id][span.start : span.end] == span.text
        assert injection.b.text == injection.edit.after
        assert injection.contradicting == injection.edit.contradicts


def test_the_planted_spans_are_sentences_and_the_rest_stays(injections):
    given_texts = {p.id: p.text for p in CORPUS}
    for injection in injections:
        found = {(s.passage_id, s.span.start, s.span.end) for p in injection.passages for s in segment(p)}
        for span in (injection.a, injection.b):
            assert (span.passage_id, span.start, span.end) in found, injection.b.text
        for passage in injection.passages:
            if passage.id in given_texts and passage.id != injection.b.passage_id:
                assert passage.text == given_texts[passage.id]
        extra = len(injection.passages) - len(CORPUS)
        assert extra == {InjectionKind.SELF: 0, InjectionKind.PAIR: 1, InjectionKind.CONDITIONAL: 2}[injection.kind]
        if injection.kind is InjectionKind.SELF:
            planted = next(p.text for p in injection.passages if p.id == injection.b.passage_id)
            without = planted[: injection.b.start - 1] + planted[injection.b.end :]
            assert without == given_texts[injection.b.passage_id]


def test_a_pair_keeps_one_or_two_neighbours_untouched(injections):
    sentences = {s.text for p in CORPUS for s in segment(p)}
    for injection in injections:
        if injection.kind is InjectionKind.PAIR:
            planted = next(p for p in injection.passages if p.id == injection.b.passage_id)
            others = [s.text for s in segment(planted) if s.span.start != injection.b.start]
            assert 1 <= len(others) <= 2 and set(others) <= sentences


def test_a_conditional_one_needs_its_bridge(injections):
    found = [i for i in injections if i.kind is InjectionKind.CONDITIONAL and i.a.text.startswith("All Tier 2")]
    assert found
    for injection in found:
        member, _, rest = injection.given.text.partition(" is a ")
        assert rest == "Tier 2 supplier." and injection.b.text.startswith(member) and member not in injection.a.text


def test_injections_depend_on_the_seed_alone(injections):
    assert inject(CORPUS, 40, seed=7) == injections
    assert inject(CORPUS, 40, seed=8) != injections


def test_shares_kinds_and_limits():
    only = inject(CORPUS, 9, seed=1, kinds=[InjectionKind.PAIR], control_share=0.0)
    assert only and all(i.kind is InjectionKind.PAIR and i.contradicting for i in only)
    assert not any(i.contradicting for i in inject(CORPUS, 9, seed=1, control_share=1.0))
    assert inject([], 5, seed=0) == [] and inject(CORPUS, 0, seed=0) == []


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match="n is -1"):
        inject(CORPUS, -1, seed=0)
    with pytest.raises(InputError, match="share an id"):
        inject([CORPUS[0], CORPUS[0]], 1, seed=0)
    with pytest.raises(ValueError, match="does not contradict"):
        contradict("The hall was rebuilt in stone.", Random(0), K.SYNONYM)
    with pytest.raises(ValueError, match="is no control"):
        restate("The hall was rebuilt in stone.", Random(0), K.NEGATION)
