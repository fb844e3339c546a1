"""What is no candidate: sentences that state nothing, and the least similar of many in one passage."""

import numpy as np
import pytest

from detectors.candidates import IN_ONE_PASSAGE, NO_STATEMENT, candidate_pairs
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
    texts = [("a", "The gate opens at seven.")] + [
        (passage, f"The gate opens at seven {n}.") for passage in "bc" for n in ("one", "two", "three", "four", "five")
    ]
    sentences = [Sentence(Span(passage, i, i + len(text), text)) for i, (passage, text) in enumerate(texts)]
    angles = np.array([0.0, *(0.1 * n for _ in "bc" for n in range(1, 6))])
    pairs = candidate_pairs(sentences, np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    of_a = [p for p in pairs if p.a.passage_id == "a"]
    # Every sentence of b has no other partner in passage a, so all pairs are kept; those within b and c are not.
    assert len(of_a) == 10
    within = [(p.a.span.start, p.b.span.start) for p in pairs if p.a.passage_id == p.b.passage_id == "b"]
    least = {i: min(abs(i - j) for pair in within for j in pair if i in pair and j != i) for i in range(1, 6)}
    assert len(within) < 10 and set(least.values()) == {1} and IN_ONE_PASSAGE == 3
    assert (1, 5) not in within
