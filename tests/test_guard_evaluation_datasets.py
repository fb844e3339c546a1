"""Labelled rows: every schema is recognised, everything else names file, line and field."""

import gzip
import json
from collections import Counter

import pytest

from detectors.errors import InputError
from guard.evaluation.datasets import Kind, Scope, load, sample

SET = {
    "id": "s1", "question": "How long?", "source": "x", "label": "conflict", "type": "value",
    "passages": [{"id": "p", "text": "It lasts 3 days.", "answer": "3"},
                 {"id": "q", "text": "Intro. It lasts 5 days."}],
    "conflicts": [[1, 0]], "evidence": [{"pair": [1, 0], "sentences": ["It lasts 5 days.", "It lasts 3 days."]}],
}  # fmt: skip
CALM = {**SET, "id": "s2", "label": "consistent", "type": "overlap", "conflicts": [], "evidence": None}
SELF = {"id": "t", "text": "A is red. A is red. A is blue.", "contradiction": True, "source": "y",
        "sentences": ["A is red.", "A is red.", "A is blue."], "evidence": [0, 2]}  # fmt: skip
NLI = {"premise": "A man sleeps.", "hypothesis": "He is awake.", "label": "contradiction", "source": "z"}
PAIR = {"id": "v1", "a": "| Tank | 2 L |", "b": "The tank takes 3 litres.", "label": "conflict", "type": "value",
        "half": "tune", "context_a": "Mop > Data", "question": "How much?"}  # fmt: skip
SUITE_SET = {
    "id": "u1", "question": "When?", "label": "conflict", "kind": "self", "type": "date", "half": "held_out",
    "passages": [{"id": "p1", "text": "Due on 3 May. Later: due on 3 May. No, due on 4 May."},
                 {"id": "p2", "text": "Hm."}],
    "conflicts": [{"a": {"passage": "p1", "quote": "due on 3 May"}, "b": {"passage": "p1", "quote": "due on 4 May"},
                   "given": {"passage": "p2", "quote": "Hm."}}],
}  # fmt: skip


def write(path, *rows):
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    data = (text + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_a_passage_set_with_gold_pairs_and_spans(tmp_path):
    found, calm = load([write(tmp_path / "a.jsonl.gz", SET, CALM)])
    assert (found.kind, found.scope, found.source, found.type) == (Kind.SETS, Scope.BETWEEN, "x", "value")
    assert found.is_conflict and found.gold_pairs == {(0, 1)} and found.question == "How long?"
    ((one, two),) = found.gold_spans
    assert (one.passage_id, one.start, one.end) == ("q", 7, 23) and two.passage_id == "p"
    assert [dict(p.metadata) for p in found.passages] == [{}, {}]  # the answers are not shown to the guard
    assert not calm.is_conflict and not calm.gold_pairs and found.where.endswith("a.jsonl.gz, line 1")


def test_unknown_pairs_of_a_conflict_stay_unknown(tmp_path):
    found, _ = load([write(tmp_path / "a.jsonl", {**SET, "conflicts": None, "evidence": None}, CALM)])
    assert found.is_conflict and found.gold_pairs == frozenset() and found.gold_spans == ()


def test_a_self_contradiction_locates_its_sentences(tmp_path):
    quoted = {**SELF, "id": "t2", "evidence": ["A is red.", "A is blue."], "sentences": None}
    repeated = {**SELF, "id": "t4", "evidence": [0, 1]}
    calm = {**SELF, "id": "t3", "contradiction": False}
    first, second, third, last = load([write(tmp_path / "a.jsonl", SELF, quoted, repeated, calm)])
    assert (first.kind, first.scope, len(first.passages)) == (Kind.SELF, Scope.WITHIN, 1)
    for example in (first, second):
        assert [(s.start, s.end) for s in example.gold_spans[0]] == [(0, 9), (20, 30)]
    assert [s.start for s in third.gold_spans[0]] == [0, 10]  # the same words twice are two places
    assert not last.is_conflict and last.gold_spans == ()


def test_nli_rows_are_known_by_their_texts(tmp_path):
    again = {**NLI, "label": "neutral"}
    first, second, other = load([write(tmp_path / "a.jsonl", NLI, again), write(tmp_path / "b.jsonl", NLI)])
    assert len({first.id, second.id, other.id}) == 3 and first.label == "contradiction"
    assert load([write(tmp_path / "c.jsonl", {**NLI, "hypothesis": "x"}, NLI)])[1].id == first.id


def test_a_suite_pair_puts_its_context_above_as_headings(tmp_path):
    pair, _ = load([write(tmp_path / "pairs.jsonl", PAIR, {**PAIR, "id": "v2", "label": "consistent"})])
    assert (pair.kind, pair.source, pair.scope) == (Kind.PAIRS, "suite_pairs", Scope.BETWEEN)
    assert pair.passages[0].text == "# Mop\n\n## Data\n\n| Tank | 2 L |" and pair.passages[1].text == PAIR["b"]


def test_a_suite_set_counts_contradictions_within_a_passage_too(tmp_path):
    calm = {**SUITE_SET, "id": "u2", "label": "consistent", "conflicts": []}
    found, _ = load([write(tmp_path / "sets.jsonl", SUITE_SET, calm)])
    assert (found.kind, found.source, found.scope) == (Kind.SETS, "suite_sets", Scope.BOTH)
    assert found.gold_pairs == {(0, 0)} and [s.start for s in found.gold_spans[0]] == [21, 39]


def test_a_half_chooses_among_the_rows_that_have_one(tmp_path):
    other = {**PAIR, "id": "v2", "half": "held_out"}
    files = [write(tmp_path / "pairs.jsonl", PAIR, other), write(tmp_path / "sets.jsonl", SET, CALM)]
    assert [e.id for e in load(files, "held_out")] == ["v2", "s1", "s2"]
    assert [e.id for e in load(files, "tune")] == ["v1", "s1", "s2"]
    with pytest.raises(InputError, match='no row has the field "half"'):
        load(files[1:], "tune")
    with pytest.raises(InputError, match="unknown half 'both'; choose tune or held_out"):
        load(files, "both")


def test_a_sample_is_seeded_and_takes_so_many_of_each_source_and_label(tmp_path):
    rows = [{**SET, "id": f"c{n}", "source": s} for n in range(20) for s in "xy"]
    rows += [{**CALM, "id": f"k{n}"} for n in range(3)]
    examples = load([write(tmp_path / "a.jsonl", *rows)])
    first = sample(examples, 5, 1)
    assert Counter((e.source, e.label) for e in first) == {
        ("x", "conflict"): 5, ("y", "conflict"): 5, ("x", "consistent"): 3,
    }  # fmt: skip
    assert first == sample(examples, 5, 1) != sample(examples, 5, 2)
    assert sample(examples, None, 1) == examples
    assert [e for e in examples if e in first] == first  # in their old order


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"foo": 1}, "unknown row with the fields foo"),
        ({}, "unknown row"),
        ([1], "must be a JSON object, not list"),
        ("{", "not valid JSON"),
        ({**SET, "label": "maybe"}, '"label" must be conflict or consistent, not \'maybe\''),
        ({**NLI, "label": "yes"}, '"label" must be entailment or neutral or contradiction'),
        ({k: v for k, v in NLI.items() if k != "hypothesis"}, '"hypothesis" is missing; the row has label, premise'),
        ({k: v for k, v in NLI.items() if k != "source"}, '"source" is missing'),
        ({k: v for k, v in SET.items() if k != "id"}, '"id" is missing'),
        ({**SET, "id": ""}, '"id" must be a non-empty string'),
        ({**SET, "passages": []}, '"passages" is empty'),
        ({**SET, "passages": "text"}, '"passages" must be a list, not str'),
        ({**SET, "passages": [{"id": "p"}]}, r'"passages\[0\].text" is missing'),
        ({**SET, "passages": [{"id": "p", "text": "x"}] * 2}, "has the id 'p' twice"),
        ({**SET, "conflicts": [[0, 2]]}, r'"conflicts" must hold pairs of passage positions 0..1, not \[0, 2\]'),
        ({**SET, "conflicts": [[0]]}, '"conflicts" must hold pairs'),
        ({**CALM, "conflicts": [[0, 1]]}, '"conflicts" must be empty or null in a row labelled consistent'),
        ({**SET, "evidence": [{"pair": [0, 1], "sentences": ["No."]}]}, '"evidence" must hold objects'),
        ({**SET, "evidence": [{"pair": [0, 1], "sentences": ["No.", "It lasts 5 days."]}]},
         "\"evidence\" quotes what passage 'p' does not say: 'No.'"),
        ({**SELF, "contradiction": "yes"}, '"contradiction" must be true or false'),
        ({**SELF, "evidence": [0, 7]}, '"evidence" must be two sentences'),
        ({k: v for k, v in SELF.items() if k != "text"}, '"text" is missing'),
        ({k: v for k, v in PAIR.items() if k != "b"}, '"b" is missing'),
        ({**PAIR, "half": "third"}, '"half" must be tune or held_out'),
        ({**SUITE_SET, "conflicts": [{"a": {"passage": "p9", "quote": "Hm."}}]}, '"conflicts" must hold objects'),
        ({**SUITE_SET, "conflicts": [[0, 1]]}, '"conflicts" must hold objects with a and b'),
    ],
)  # fmt: skip
def test_bad_rows_name_file_line_and_field(tmp_path, row, message):
    file = write(tmp_path / "bad.jsonl", "", CALM, "", row)
    with pytest.raises(InputError, match=message) as caught:
        load([file])
    assert str(caught.value).startswith(f"{file}, line 4: ")


def test_an_id_given_twice_names_both_places(tmp_path):
    file = write(tmp_path / "a.jsonl", SET, CALM, {**CALM, "id": "s1"})
    with pytest.raises(InputError, match=r"line 3: \"id\" 's1' stands in .*line 1 too"):
        load([file])


def test_empty_files_one_class_and_unreadable_files(tmp_path):
    with pytest.raises(InputError, match="the file is empty"):
        load([write(tmp_path / "a.jsonl", "")])
    with pytest.raises(InputError, match=r"every row is labelled conflict: .* labelled consistent"):
        load([write(tmp_path / "b.jsonl", SET)])
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load([tmp_path / "none.jsonl"])
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load([tmp_path])
    (tmp_path / "c.jsonl.gz").write_bytes(b"plain text")
    with pytest.raises(InputError, match="cannot be read: Not a gzipped file"):
        load([tmp_path / "c.jsonl.gz"])
    (tmp_path / "d.jsonl").write_bytes(b'{"a": "caf\xe9"}')
    with pytest.raises(InputError, match="not UTF-8"):
        load([tmp_path / "d.jsonl"])
    assert len(load([write(tmp_path / "e.jsonl", NLI)])) == 1  # NLI figures need no second class
