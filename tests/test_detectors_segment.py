"""Segmentation: exact offsets, nothing lost, blocks kept apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.evidence import Passage
from detectors.language import unsupported_script_or_language
from detectors.segment import segment, windows

TABLE = [
    ("Dr. Lee paid 3.50 EUR. He left at 5 p.m. on Monday.", ["Dr. Lee paid 3.50 EUR.", "He left at 5 p.m. on Monday."]),
    ("# Fees\n\nEntry is\nfree. Food is not.", ["Fees", "Entry is\nfree.", "Food is not."]),
    ("- first item\n- second item", ["first item", "second item"]),
    ("1. Wash.\n2. Dry.", ["Wash.", "Dry."]),
    ("| a | b |\n|---|---|\n| 1 | 2 |", ["| a | b |", "| 1 | 2 |"]),
    ("```\nx = 1\ny = 2\n```\nDone.", ["x = 1", "y = 2", "Done."]),
    ("> quoted text here", ["quoted text here"]),
    ("Title\n=====\nBody here.", ["Title", "Body here."]),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_blocks_and_sentences(text, expected):
    assert [s.text for s in segment(Passage("p", text))] == expected


def test_context_is_the_heading_path_and_the_header_row():
    found = segment(Passage("p", "# A\n## B\nText here.\n\n| x | y |\n|--|--|\n| 1 | 2 |"))
    assert found[2].context == "A › B"
    assert found[4].context == "A › B › | x | y |"


@given(st.text(alphabet="aB1.!? \n\r\t#-*|>`é💧", max_size=120))
def test_offsets_slice_back_and_no_letter_is_lost(text):
    found = segment(Passage("p", text))
    ends = 0
    for sentence in found:
        span = sentence.span
        assert text[span.start : span.end] == span.text and span.start >= ends
        ends = span.end
    covered = {i for s in found for i in range(s.span.start, s.span.end)}
    markers = {i for m in re.finditer(r"^[ \t>]*\w[.)]\s", text, re.M) for i in range(*m.span())}  # "a. …" is an item
    lost = [c for i, c in enumerate(text) if c.isalpha() and i not in covered | markers]
    assert not lost or "```" in text


@given(st.text(alphabet="ab c\n", max_size=300), st.integers(1, 20))
def test_windows_cover_every_word_within_the_limit(text, limit):
    found = windows(text, len, limit)
    covered = {i for s, e in found for i in range(s, e)}
    assert all(i in covered for i, c in enumerate(text) if not c.isspace())
    if len(found) > 1:
        assert all(len(text[s:e].replace(" ", "").replace("\n", "")) <= limit for s, e in found)


def test_german_is_unsupported_and_short_or_english_text_is_not():
    assert unsupported_script_or_language("Der Vertrag ist nicht gültig und wird mit dem Jahr aufgelöst.")
    assert unsupported_script_or_language("契約は無効であり、年末に解除される予定です。")
    assert unsupported_script_or_language("The contract is not valid and ends with the year.") is None
    assert unsupported_script_or_language("Brandt GmbH") is None
