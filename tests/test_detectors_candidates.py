"""What is no candidate: sentences that state nothing, and the least similar of many in one passage."""

import numpy as np
import pytest

from detectors.candidates import NO_STATEMENT, candidate_pairs
from detectors.evidence import Sentence, Span


@pytest.mark.parametrize(
    "text",
    [
        "Given a project with no workspaces, e.g.:",
        "See [the other page][] for more information.",
        "<https://example.org/a>",
        "[`:not(<selector>)`](https://example.org/not)",
    ],
)
def test_announcements_and_links_state_nothing(text):
    assert NO_STATEMENT.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    ["The ratio is 3:1 at most.", "Seeds are sown in May.", "[Docs](https://example.org) are built every night."],
)
def test_statements_are_kept(text):
    assert not NO_STATEMENT.fullmatch(text)


def test_a_sentence_meets_the_most_similar_of_each_passage():
    texts = [("a", "The gate opens at seven."), ("a", "The gate opens at eight.")] + [
        ("b", f"The gate opens at {n}.") for n in ("ten", "nine", "seven sharp")
    ]
    angles = np.array([0.0, 0.5, 0.1, 0.2, 0.45])
    sentences = [Sentence(Span(passage, i, i + len(text), text)) for i, (passage, text) in enumerate(texts)]
    pairs = candidate_pairs(sentences, np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    between = {(p.a.span.start, p.b.span.start) for p in pairs if p.a.passage_id != p.b.passage_id}
    # 2, 3 and 4 meet their closest of a, 0 and 1 their closest of b: 2 and 4.  No other pair is anyone's closest.
    assert between == {(0, 2), (0, 3), (1, 4)}


def test_a_sentence_whose_copy_stands_in_the_other_passage_meets_no_third():
    texts = [("a", "The gate opens at seven."), ("b", "The gate opens at seven."), ("b", "The gate opens at eight.")]
    angles = np.array([0.0, 0.0, 0.3])
    sentences = [Sentence(Span(passage, i, i + len(text), text)) for i, (passage, text) in enumerate(texts)]
    pairs = candidate_pairs(sentences, np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    # 2 has no closer sentence in a than 0, so they meet; the copies are equal and do not.
    assert {(p.a.span.start, p.b.span.start) for p in pairs} == {(0, 2), (1, 2)}


def test_a_sentence_meets_two_of_its_own_passage():
    texts = [f"The gate opens at {n}." for n in ("one", "two", "three", "four", "five")]
    angles = np.array([0.0, 0.1, 0.21, 0.33, 0.46])  # each step is larger than the one before
    sentences = [Sentence(Span("a", i, i + len(text), text)) for i, text in enumerate(texts)]
    pairs = candidate_pairs(sentences, np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    by_hand = {(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)}  # only 0 and 4 have their second two steps away
    assert {(p.a.span.start, p.b.span.start) for p in pairs} == by_hand
