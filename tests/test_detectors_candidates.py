"""What is no candidate: sentences that state nothing, and the least similar of many in one passage."""

import numpy as np
import pytest

from detectors import candidates
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


def clustered(n, seed):
    """Return unit vectors in clusters, as sentences of one form lie."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n // 20, 64))[rng.integers(n // 20, size=n)] + 0.6 * rng.normal(size=(n, 64))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("hnsw_from", "least"), [(10_000, 1.0), (0, 0.97)])
def test_the_index_of_any_size_finds_what_brute_force_finds(monkeypatch, hnsw_from, least):
    monkeypatch.setattr(candidates, "HNSW_FROM", hnsw_from)
    vectors = clustered(3_000, seed=1)
    similarities, indices = candidates.neighbours(vectors, 9)
    expected = np.sort(vectors @ vectors.T, axis=1)[:, ::-1][:, :9]
    found = [set(row) for row in indices.tolist()]
    brute = [set(row) for row in np.argsort(-(vectors @ vectors.T), axis=1)[:, :9].tolist()]
    assert sum(len(a & b) for a, b in zip(found, brute, strict=True)) / (9 * len(vectors)) >= least
    assert np.all(np.diff(similarities, axis=1) <= 1e-6)
    assert np.abs(similarities - expected).mean() < 0.01


def crowd(n):
    """Return n passages in one form of sentence, each on a thing of its own but for the last, and their vectors."""
    names = ["alpha", *(f"name{i}" for i in range(n - 2)), "alpha"]
    texts = [f"The depot {name} opens at {i % 12 + 1} on weekdays." for i, name in enumerate(names)]
    sentences = [
        Sentence(Span(f"p{i:04}", 0, len(text), text), headings=frozenset({names[i]})) for i, text in enumerate(texts)
    ]
    angles = np.linspace(0, 0.8, n)  # the two on the first thing are the farthest apart
    return sentences, np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


def test_look_alikes_do_not_crowd_out_the_same_subject(monkeypatch):
    monkeypatch.setattr(candidates, "MANY", 100)
    sentences, vectors = crowd(400)
    pairs = {(p.a.passage_id, p.b.passage_id) for p in candidate_pairs(sentences, vectors)}
    assert ("p0000", "p0399") in pairs
    monkeypatch.setattr(candidates, "_of_one_subject", lambda *_: set())
    assert ("p0000", "p0399") not in {(p.a.passage_id, p.b.passage_id) for p in candidate_pairs(sentences, vectors)}


def test_look_alikes_get_few_in_a_large_collection_however_large(monkeypatch):
    monkeypatch.setattr(candidates, "MANY", 100)
    small, large, larger = (len(candidate_pairs(*crowd(n))) / n for n in (100, 400, 1600))
    assert small > 2 * large and 0.4 < larger < 1.1 * large
    monkeypatch.setattr(candidates, "_fewer", lambda k, n: k)
    assert len(candidate_pairs(*crowd(1600))) / 1600 > 1.1 * larger


@pytest.mark.parametrize(
    ("holders", "chosen"),
    [
        (
            {"kettle": (1, 2), "alpha": (3,), "depot": (1, 4, 5)},
            ["alpha", "kettle"],
        ),  # three passages; a fourth would be one too many
        ({"depot": range(10), "weekdays": range(5, 16)}, ["depot"]),  # one is taken that leads to more
        ({"weekdays": range(13)}, []),
    ],
)
def test_the_rarest_words_lead_to_enough_passages(monkeypatch, holders, chosen):
    monkeypatch.setattr(candidates, "ENOUGH_PASSAGES", 3)
    passages = {word: {f"p{n}" for n in numbers} for word, numbers in holders.items()}
    assert candidates._rarest(frozenset(holders), passages) == chosen


def test_in_a_large_collection_a_word_of_a_heading_joins_what_a_sentence_leaves_out(monkeypatch):
    monkeypatch.setattr(candidates, "MANY", 100)
    sentences, vectors = crowd(400)
    text = "The depot opens at 9 on weekdays."
    sentences[-1] = Sentence(Span("p0399", 0, len(text), text), headings=frozenset({"alpha"}))
    assert ("p0000", "p0399") in {(p.a.passage_id, p.b.passage_id) for p in candidate_pairs(sentences, vectors)}
