"""Findings: ids that survive what does not matter, severities, places, the preferred side and what to do."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detectors.evidence import Benign, Conflict, ConflictType, Passage, Span, WhyNot
from guard.audit.findings import Severity, findings, fingerprint, look_alikes, severity
from guard.audit.passages import Document
from guard.audit.readers import read

OLD, NEW = "The trial lasts 14 days.", "The trial lasts 30 days."
WORDS = st.lists(st.text(st.characters(categories=("L", "N", "P")), min_size=1), min_size=1, max_size=8)
SPACE = st.sampled_from([" ", "\n", "  \t", "\u00a0", "\n    ", " \u200b"])


def span(passage, quote):
    start = passage.text.index(quote)
    return Span(passage.id, start, start + len(quote), quote)


def conflict(a, b, type=ConflictType.VALUE, score=0.95, quotes=(OLD, NEW), given=None):
    return Conflict(type, score, span(a, quotes[0]), span(b, quotes[1]), "clash", ("nli",), given)


def of_files(folder, *, a=OLD, b=NEW, around="", **metadata):
    """Write two documents, and return the one finding between them."""
    folder.mkdir(exist_ok=True)
    head = "".join(f"{key}: {value}\n" for key, value in metadata.items())
    (folder / "a.md").write_text(f"# Trial\n\n{around}{a}\n")
    (folder / "b.md").write_text((f"---\n{head}---\n" if head else "") + f"{around}# Trial\n\nFirst. {b}\n")
    documents = [read(folder / name) for name in ("a.md", "b.md")]
    passages = [p for d in documents for p in d.passages]
    one, two = (next(p for p in passages if q in p.text) for q in (a, b))
    (found,) = findings([conflict(one, two, quotes=(a, b))], documents, passages)
    return found


@given(WORDS, WORDS, st.data())
def test_an_id_depends_on_neither_side_nor_whitespace_nor_composition(a, b, data):
    spaced = [w if i == 0 else data.draw(SPACE) + w for i, w in enumerate(a)]
    messy = unicodedata.normalize("NFD", "".join(spaced)) + data.draw(SPACE)
    assert fingerprint(" ".join(b), messy) == fingerprint(" ".join(a), " ".join(b))


@given(WORDS, WORDS, st.data())
def test_an_id_changes_with_any_quoted_word(a, b, data):
    at = data.draw(st.integers(0, len(a) - 1))
    word = data.draw(st.text(st.characters(categories=("L", "N")), min_size=1))
    changed = [*a[:at], word, *a[at + 1 :]]
    composed = [unicodedata.normalize("NFC", " ".join(w)) for w in (a, changed, b)]
    assume(sorted(composed[::2]) != sorted(composed[1:]))
    assert fingerprint(" ".join(a), " ".join(b)) != fingerprint(" ".join(changed), " ".join(b))


def test_an_id_does_not_confuse_which_words_stand_on_which_side():
    assert (
        len({fingerprint("a b", "c"), fingerprint("a", "b c"), fingerprint("a", "b", "c"), fingerprint("a", "b")}) == 4
    )


def test_an_id_survives_unrelated_edits_moved_lines_other_folders_types_and_scores(tmp_path):
    first = of_files(tmp_path / "one")
    later = of_files(
        tmp_path / "elsewhere", around="Something else was added.\n\nAnd this too.\n\n", b=NEW.replace(" ", "\n", 1)
    )
    assert later.id == first.id and later.a.line != first.a.line and later.a.path != first.a.path
    assert of_files(tmp_path / "one", b="The trial lasts 31 days.").id != first.id


@pytest.mark.parametrize(
    ("type", "score", "expected"),
    [
        (ConflictType.VALUE, 0.9, Severity.ERROR),
        (ConflictType.VALUE, 0.899, Severity.WARNING),
        (ConflictType.DATE, 0.7, Severity.WARNING),
        (ConflictType.ENTITY, 0.69, Severity.NOTE),
        (ConflictType.STATEMENT, 0.99, Severity.WARNING),
        (ConflictType.CONDITIONAL, 0.8, Severity.NOTE),
        (ConflictType.ANSWER, 0.1, Severity.NOTE),
    ],
)
def test_severity_goes_by_score_and_one_step_lower_for_types_that_take_judgement(type, score, expected):
    assert severity(type, score) is expected


def test_a_quote_says_path_lines_and_heading(tmp_path):
    found = of_files(tmp_path, b="The trial\nlasts 30 days.")
    assert (found.b.path, found.b.line, found.b.end_line, found.b.heading) == (f"{tmp_path}/b.md", 3, 4, "Trial")
    assert found.b.place == f"{tmp_path}/b.md:3" and found.quotes == (found.a, found.b)


def test_a_format_without_lines_has_pages_or_nothing():
    p, q = Passage("x.pdf#1", OLD, {"path": "x.pdf", "page": 3}), Passage("y.docx#1", NEW, {"path": "y.docx"})
    documents = [Document("x.pdf", (p,)), Document("y.docx", (q,))]
    (found,) = findings([conflict(p, q)], documents, [p, q])
    assert (found.a.place, found.b.place) == ("x.pdf page 3", "y.docx")
    assert found.a.line is found.a.end_line is None


@pytest.mark.parametrize(
    ("metadata", "side", "reason"),
    [
        ({"supersedes": ["a#1"]}, "b", "it is declared to supersede the other"),
        ({"authority": 0.9}, "b", "it has the higher declared authority: 0.9 against 0.5"),
        ({"authority": 0.2}, "a", "it has the higher declared authority: 0.5 against 0.2"),
        ({"date": "2024-05-01"}, "b", "it has the later date: 2024-05-01 against 2023-01-01"),
    ],
)
def test_the_preferred_side_is_named_with_the_reason_and_the_other_is_to_be_corrected(metadata, side, reason):
    p, q = Passage("a#1", OLD, {"date": "2023-01-01", "line": 4}), Passage("b#1", NEW, {"line": 7, **metadata})
    documents = [Document("a", (p,)), Document("b", (q,))]
    (found,) = findings([conflict(p, q)], documents, [p, q])
    assert (found.preferred.side, found.preferred.reason) == (side, reason)
    wrong, right = ("a:4", "b:7") if side == "b" else ("b:7", "a:4")
    assert found.action == f"Correct {wrong} to agree with {right}."
    assert [q.place for q in found.sides] == [wrong, right]


def test_without_a_declaration_the_action_asks_and_within_one_document_names_it():
    p, q = Passage("a#1", f"{OLD} {NEW}"), Passage("a#2", NEW)
    third = Passage("c#1", "The offer of May is the only one.")
    documents = [Document("a", (p, q)), Document("c", (third,))]
    inside, across = findings([conflict(p, p), conflict(q, p, quotes=(NEW, OLD))], documents, [p, q, third])
    assert inside.preferred is None and "two statements in a is right" in inside.action and across.paths == ("a",)
    clash = replace(conflict(p, q, ConflictType.CONDITIONAL), given=span(third, third.text))
    (found,) = findings([clash], documents, [p, q, third])
    assert found.action.startswith("Read the three statements") and found.given.path == "c"
    assert found.id != fingerprint(OLD, NEW)


def test_findings_come_with_the_highest_score_first_and_look_alikes_with_their_places():
    p, q = Passage("a#1", f"{OLD} {NEW}"), Passage("b#1", NEW)
    documents = [Document("a", (p,)), Document("b", (q,))]
    found = findings([conflict(p, q, score=0.6), conflict(p, p, score=0.8)], documents, [p, q])
    assert [f.score for f in found] == [0.8, 0.6]
    (pair,) = look_alikes([Benign(WhyNot.SCOPE, 0.2, span(p, OLD), span(q, NEW))], documents, [p, q])
    assert (pair.why_not, pair.a.path, pair.b.path) == ("scope", "a", "b")
