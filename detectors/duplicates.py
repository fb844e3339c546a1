"""Near-duplicate passages: a copy is no second witness.

Passages whose word shingles largely agree form a cluster, unless they contradict each other: a copy with one
altered value is the finding, not a duplicate.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from .evidence import Conflict, Passage
from .words import WORD

SHINGLE = 3
MIN_JACCARD = 0.8
COMMON = 50  # a shingle in more passages than this is boilerplate


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Return the runs of three words; the whole text when it is shorter."""
    words = WORD.findall(text.lower())
    return frozenset(tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))


def near_duplicates(passages: Sequence[Passage], conflicts: Iterable[Conflict]) -> tuple[tuple[str, ...], ...]:
    """Return clusters of two or more passage ids, sorted; passages in conflict are never joined directly."""
    opposed = {frozenset((c.a.passage_id, c.b.passage_id)) for c in conflicts}
    sets = {p.id: frozenset(map(hash, shingles(p.text))) for p in passages}
    root = {passage_id: passage_id for passage_id in sets}

    def find(passage_id: str) -> str:
        while root[passage_id] != passage_id:
            passage_id = root[passage_id]
        return passage_id

    for a, b in _similar(sets):
        if frozenset((a, b)) not in opposed:
            root[find(b)] = find(a)
    clusters: dict[str, list[str]] = defaultdict(list)
    for passage_id in sorted(sets):
        clusters[find(passage_id)].append(passage_id)
    return tuple(tuple(ids) for ids in clusters.values() if len(ids) > 1)


def _similar(sets: Mapping[str, frozenset[int]]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of passages of whose shingles `MIN_JACCARD` are shared and not common, each once.

    Two that share that many share one of the few rarest of each (prefix filtering: Chaudhuri, Ganti, Kaushik, *A
    primitive operator for similarity joins in data cleaning*, 2006), so only those are looked up.
    """
    held = Counter(chain.from_iterable(sets.values()))
    holders: dict[int, list[str]] = defaultdict(list)
    for b in sorted(sets):
        rare = sorted((s for s in sets[b] if held[s] <= COMMON), key=lambda s: (held[s], s))
        first = rare[: len(rare) + 1 - math.ceil(MIN_JACCARD * len(sets[b]))]
        for a in sorted(set(chain.from_iterable(holders[s] for s in first if s in holders))):
            shared = sum(held[s] <= COMMON for s in sets[a] & sets[b])
            if shared / len(sets[a] | sets[b]) >= MIN_JACCARD:
                yield a, b
        for shingle in first:
            holders[shingle].append(b)
