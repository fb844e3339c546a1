"""Near-duplicates are those that a comparison of all pairs finds."""

import random
from itertools import combinations

import pytest

from detectors import duplicates
from detectors.duplicates import COMMON, MIN_JACCARD, near_duplicates, shingles
from detectors.evidence import Conflict, ConflictType, Passage, Span


def brute_force(passages):
    """Return the clusters by comparing every pair; what more than COMMON passages hold does not count as shared."""
    sets = {p.id: shingles(p.text) for p in passages}
    common = {s for s in frozenset().union(*sets.values()) if sum(s in own for own in sets.values()) > COMMON}
    cluster = {i: {i} for i in sets}
    for a, b in combinations(sorted(sets), 2):
        if len((sets[a] & sets[b]) - common) / len(sets[a] | sets[b]) >= MIN_JACCARD:
            joined = cluster[a] | cluster[b]
            cluster.update(dict.fromkeys(joined, joined))
    return {tuple(sorted(c)) for c in cluster.values() if len(c) > 1}


def copies(rng, n):
    """Return passages of which some are others with a few words changed, some behind a common opening."""
    words = [f"w{i}" for i in range(60)]
    texts = [" ".join(rng.choices(words, k=rng.randint(2, 60))) for _ in range(n // 2)]
    while len(texts) < n:
        changed = rng.choice(texts).split()
        for _ in range(rng.randint(0, 4)):
            changed[rng.randrange(len(changed))] = rng.choice(words)
        texts.append(" ".join(changed))
    return [
        Passage(f"p{i:03}", ("Read this notice first. " * rng.randint(0, 1)) + text) for i, text in enumerate(texts)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_clusters_are_those_of_all_pairs(seed):
    passages = copies(random.Random(seed), 150)
    expected = brute_force(passages)
    assert expected and set(near_duplicates(passages, [])) == expected


def test_common_runs_of_words_are_no_evidence(monkeypatch):
    monkeypatch.setattr(duplicates, "COMMON", 3)
    passages = [Passage(f"p{i}", "The same words in every one of these.") for i in range(5)]
    assert near_duplicates(passages, []) == ()
    assert near_duplicates(passages[:3], []) == (("p0", "p1", "p2"),)


def test_passages_in_conflict_are_not_joined():
    passages = [Passage(i, "The trial lasts for ten long days in May.") for i in "ab"]
    span = {i: Span(i, 0, 9, "The trial") for i in "ab"}
    clash = Conflict(ConflictType.VALUE, 0.9, span["a"], span["b"], "", ())
    assert near_duplicates(passages, []) == (("a", "b"),)
    assert near_duplicates(passages, [clash]) == ()
