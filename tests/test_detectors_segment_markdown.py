"""Sentences slice back to their passage and lose no letter; windows cover the text and keep the limit."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.evidence import Passage, Sentence
from detectors.segment import segment, windows


def cut(text: str) -> list[Sentence]:
    return segment(Passage("p", text))


TEXTS = [
    ("", []),
    (" \n\t\n", []),
    ("The leave\nis 20 days. It is paid.", ["The leave\nis 20 days.", "It is paid."]),
    ("One\r\nline. Two.\r\n\r\nThree", ["One\r\nline.", "Two.", "Three"]),
    ("Dr. Smith paid 3.5 in the U.S. on Jan. 5.", ["Dr. Smith paid 3.5 in the U.S. on Jan. 5."]),
    ("See No. 5, e.g. https://a.b/c.html?x=1. Done.", ["See No. 5, e.g. https://a.b/c.html?x=1.", "Done."]),
    ("Version 2.1.3 works. Yes.", ["Version 2.1.3 works.", "Yes."]),
    ("😀 done. Fee 5 €.", ["😀 done.", "Fee 5 €."]),
    ("The leave is\n30. It is paid.", ["The leave is\n30.", "It is paid."]),
    ("30. it is the limit", ["30.", "it is the limit"]),
    ("A. Smith was hired", ["A. Smith was hired"]),
    ("```Leave is 30 days``` is code", ["```Leave is 30 days``` is code"]),
    ("> One\n>\n> Two\n> wraps", ["One", "Two\n> wraps"]),
]

KINDS = [
    ("## Leave ##\ntext", [("heading", "Leave", ""), ("prose", "text", "Leave")]),
    ("Leave\n=====\ntext", [("heading", "Leave", ""), ("prose", "text", "Leave")]),
    (
        "# A\n## B\n# C\nx",
        [("heading", "A", ""), ("heading", "B", "A"), ("heading", "C", ""), ("prose", "x", "C")],
    ),
    ("# A\n## B\nx", [("heading", "A", ""), ("heading", "B", "A"), ("prose", "x", "A › B")]),
    ("- one\n* two\n• three", [("item", "one", ""), ("item", "two", ""), ("item", "three", "")]),
    ("1. one\n2. two\n   wraps", [("item", "one", ""), ("item", "two\n   wraps", "")]),
    ("a) one\nb) two", [("item", "one", ""), ("item", "two", "")]),
    ("\t\t- deep", [("item", "deep", "")]),
    ("> # Head\n> - item", [("heading", "Head", ""), ("item", "item", "Head")]),
    (
        "# H\n|a|b|\n|-|-|\n|1|2|",
        [("heading", "H", ""), ("row", "|a|b|", "H"), ("row", "|1|2|", "H › |a|b|")],
    ),
    ("a | b\n--|--\n1 | 2", [("row", "a | b", ""), ("row", "1 | 2", "a | b")]),
    ("|a|b|\n\n|c|d|\n|3|4|", [("row", "|a|b|", ""), ("row", "|c|d|", ""), ("row", "|3|4|", "|c|d|")]),
    (
        "```py\nx = 1.0. y\n# no\n```\nend",
        [("code", "x = 1.0. y", ""), ("code", "# no", ""), ("prose", "end", "")],
    ),
    ("~~~\n```\na\n~~~\nend", [("code", "a", ""), ("prose", "end", "")]),
    ("---\ntitle: A\n---\nx", [("item", "title: A", ""), ("prose", "x", "")]),
    (
        "---\na: 1\ntags:\n- x\n---\nx",
        [("item", t, "") for t in ("a: 1", "tags:", "- x")] + [("prose", "x", "")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [s.text for s in cut(text)] == expected


@pytest.mark.parametrize(("text", "expected"), KINDS)
def test_kind_and_context(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(s.kind, s.text, s.context) for s in cut(text)] == expected


PARTS = [
    "# ",
    "## ",
    "- ",
    "* ",
    "• ",
    "1. ",
    "2. ",
    "30. ",
    "A. ",
    "b) ",
    "> ",
    "|",
    " | ",
    "|---|",
    "---",
    "===",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\t\t",
    " ",
    ". ",
    "? ",
    "Dr. ",
    "3.5",
    "http://a.b/c",
    "Leave",
    "ärger",
    "😀",
    "key: v",
    "`x`",
    "\u2028",
    '"',
    "(",
    "漢字。",
]
MARKDOWN = st.lists(st.sampled_from(PARTS), max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(MARKDOWN | st.text(max_size=200))
def test_offsets_slice_back_in_order(text: str) -> None:
    end = 0
    for sentence in cut(text):
        span = sentence.span
        assert end <= span.start < span.end
        assert span.text == text[span.start : span.end] == span.text.strip()
        end = span.end


@settings(max_examples=300, deadline=None)
@given(MARKDOWN)
def test_no_letter_or_digit_is_lost(text: str) -> None:
    markers = {i for m in re.finditer(r"(?m)\(?(?:\d{1,3}|[A-Za-z])[.)](?=[ \t])", text) for i in range(*m.span())}
    kept = {i for s in cut(text) for i in range(s.span.start, s.span.end)}
    lost = [text[i] for i in range(len(text)) if text[i].isalnum() and i not in kept and i not in markers]
    assert lost == []


def test_unclosed_fence_loses_nothing() -> None:
    assert [s.text for s in cut("a\n```\nb\nc")] == ["a", "b", "c"]


def test_time_is_about_linear() -> None:
    began = time.process_time()
    assert len(cut("# Leave\n\n- The leave is 20 days.\n\nIt is paid. Yes.\n\n" * 10_000)) == 40_000
    assert time.process_time() - began < 10


@pytest.mark.parametrize("part", ["“hello. ", "x (a. ", "x", "> ", "Dr. "])
def test_unclosed_marks_take_no_quadratic_time(part: str) -> None:
    text, began = part * (300_000 // len(part)), time.process_time()
    kept = sum(sum(c.isalnum() for c in s.text) for s in cut(text))
    assert kept == sum(c.isalnum() for c in text)
    assert time.process_time() - began < 10


def test_long_prose_is_cut_at_its_sentences_only() -> None:
    assert {s.text for s in cut("The leave is 20 days. " * 5000)} == {"The leave is 20 days."}


def words(text: str) -> int:
    return sum(-(-len(word) // 4) for word in text.split())


def wide(text: str) -> int:
    return sum(1 if c < "\u0250" else 3 for c in text)


def plus_one(text: str) -> int:
    return 1 + len(text)


@settings(max_examples=300, deadline=None)
@given(st.text("ab 漢\n", max_size=300), st.integers(3, 40), st.sampled_from([words, wide, plus_one]))
def test_windows_cover_keep_the_limit_and_advance(text: str, limit: int, n: Callable[[str], int]) -> None:
    found = windows(text, n, limit)
    assert found[0][0] == 0 and found[-1][1] == len(text)
    assert all(n(text[s:e]) <= limit for s, e in found)
    for (s, e), (s2, e2) in pairwise(found):
        assert s < s2 <= e < e2
    assert (len(found) == 1) == (n(text) <= limit)


def test_windows_overlap_and_cut_between_words() -> None:
    text = "one two three four five six seven eight nine ten"
    found = windows(text, lambda t: len(t.split()), 4)
    assert [text[s:e].split() for s, e in found][:2] == [
        ["one", "two", "three", "four"],
        ["four", "five", "six", "seven"],
    ]
    assert all(s2 < e for (_, e), (s2, _) in pairwise(found))


def test_one_long_word_is_cut_not_lost() -> None:
    text = "x" * 1000 + "漢" * 30
    found = windows(text, wide, 16)
    assert found[0][0] == 0 and found[-1][1] == len(text)
    assert max(wide(text[s:e]) for s, e in found) <= 16


def test_windows_of_nothing_and_of_a_bad_limit() -> None:
    assert windows("", words, 5) == [(0, 0)]
    with pytest.raises(ValueError, match="at least 1"):
        windows("a", words, 0)


def test_windows_time_is_about_linear() -> None:
    began = time.process_time()
    windows("word " * 200_000, words, 100)
    windows("x" * 200_000, words, 100)
    assert time.process_time() - began < 10
