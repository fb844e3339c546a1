"""The corpus of benchmarks/scale: what it says stands where it says, and contradicts where it says and nowhere else."""

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from detectors.evidence import Passage
from detectors.segment import segment
from detectors.words import is_negated

FILE = Path(__file__).parents[1] / "benchmarks" / "scale" / "corpus.py"
KINDS = "number date unit negation antonym role_swap entity_swap exception quantifier".split()
MONTHS = set(
    "January February March April May June July August September October November December".split()
)  # fmt: skip


@pytest.fixture(scope="module")
def scale():
    spec = importlib.util.spec_from_file_location("benchmarks_scale_corpus", FILE)
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def made(scale):
    return scale.corpus(300, seed=4)


def test_every_statement_is_a_sentence_that_slices_back(made):
    for document in made.documents:
        assert len(document.statements) == 8
        assert all(document.text[s.start : s.end] == s.text and s.path == document.path for s in document.statements)
        prose = [s.text for s in segment(Passage(document.path, document.text)) if s.kind == "prose"]
        assert prose == [s.text for s in document.statements]


def test_plants_stand_in_two_documents_about_one_thing(made):
    by_path = {document.path: document for document in made.documents}
    assert len(by_path) == len(made.documents) == 300
    for plant in made.plants:
        assert plant.a in by_path[plant.a.path].statements and plant.b in by_path[plant.b.path].statements
        assert plant.a.path != plant.b.path and plant.a.thing == plant.b.thing and plant.a.fact == plant.b.fact
        assert plant.b.thing in plant.b.text and (plant.a.thing in plant.a.text) == plant.is_named


def test_each_block_has_two_plants_of_each_kind_and_nine_controls(made):
    for block in range(3):
        inside = [p for p in made.plants if int(p.a.path[-9:-3]) // 100 == block]
        assert Counter(p.kind for p in inside if p.contradicts) == dict.fromkeys(KINDS, 2)
        assert sum(not p.contradicts for p in inside) == 9
        assert {p.is_reworded for p in inside if p.contradicts} == {True, False}


def parts(text):
    """Return numbers, words of lower case, and words with a capital behind the first."""
    words = re.findall(r"[\w'.,/%-]*[\w%]", text)
    numbers = [w for w in words if w[0].isdigit()]
    return numbers, [w.lower() for w in words if not w[0].isdigit()], {w for w in words[1:] if w[0].isupper()}


def changed(plant):
    """Return the words that an edit took away, and those that it put in."""
    before, after = (Counter(re.findall(r"[\w,.]*\w", text.lower())) for text in (plant.before, plant.b.text))
    return set(before - after), set(after - before)


def is_of_its_kind(plant):
    old, new = changed(plant)
    before, after = parts(plant.before), parts(plant.b.text)
    months = {m.lower() for m in MONTHS}
    match plant.kind:
        case "number":
            return before[0] != after[0] or before[1] != after[1]
        case "date":
            return bool(old and new) and all(w.isdigit() or w in months for w in old | new)
        case "unit":
            return before[0] == after[0] and len(old) == len(new) == 1
        case "negation":
            return is_negated(plant.before) != is_negated(plant.b.text)
        case "antonym":
            return bool(old and new) and before[0] == after[0]
        case "role_swap":
            return sorted(before[1]) == sorted(after[1]) and plant.before != plant.b.text
        case "entity_swap":
            return bool(new) and before[0] == after[0] and all(w.capitalize() in plant.b.text for w in new)
        case "exception" | "quantifier":
            reach = "all every each no only must need may not except including have has to few never always"
            return bool(set(reach.split()) & (old | new))
    return False


def test_plants_are_of_their_kind(made):
    assert [(p.kind, p.before, p.b.text) for p in made.plants if p.contradicts and not is_of_its_kind(p)] == []


def test_a_plant_in_the_same_words_edits_what_the_first_document_says(made):
    for plant in made.plants:
        if plant.contradicts and not plant.is_reworded and plant.is_named:
            assert plant.before == plant.a.text
        if plant.kind == "reworded":
            assert plant.b.text == plant.before and not plant.contradicts


def test_nothing_else_is_said_twice_and_no_document_speaks_of_another_thing(made):
    said = Counter((s.thing, s.fact) for d in made.documents for s in d.statements)
    assert {key for key, times in said.items() if times > 1} == {(p.a.thing, p.a.fact) for p in made.plants}
    assert max(said.values()) == 2
    things = {d.thing for d in made.documents}
    pairs = {p.a.thing for p in made.plants}
    assert Counter(d.thing for d in made.documents) == {thing: 1 + (thing in pairs) for thing in things}
    for document in made.documents:
        others = {thing for thing in things if thing in document.text} - {document.thing}
        assert all(other in document.thing for other in others)


def test_the_names_of_ten_thousand_things_differ(scale):
    topics = scale.topics()
    assert len({scale._name(i, topics[i % len(topics)]) for i in range(10_000)}) == 10_000


def test_the_same_seed_makes_the_same_and_a_block_does_not_depend_on_the_others(scale, made):
    assert scale.corpus(100, seed=4, first=2).documents == made.documents[200:]
    assert scale.corpus(100, seed=4).plants == made.plants[: len(made.plants) // 3]
    assert scale.corpus(100, seed=5).documents != made.documents[:100]


def test_a_size_that_is_no_number_of_blocks_is_refused(scale):
    with pytest.raises(ValueError, match="150"):
        scale.corpus(150)


def test_documents_are_written_as_files(scale, made, tmp_path):
    made.write(tmp_path)
    files = {p.relative_to(tmp_path).as_posix(): p.read_text(encoding="utf-8") for p in tmp_path.rglob("*.md")}
    assert files == {d.path: d.text for d in made.documents}


def test_facts_are_worded_twice_with_the_same_values(scale):
    for topic in scale.topics():
        assert len({f.id for f in topic.facts}) == len(topic.facts) >= 15
        for fact in topic.facts:
            one, two = (set(scale.VALUE.findall(wording)) for wording in fact.wordings)
            assert one == two and all("@" in wording for wording in fact.wordings), fact.id
