"""Near-duplicate passages: a copy is no second witness.

Passages whose word shingles largely agree form a cluster, unless they contradict each other: a copy with one
altered value is the finding, not a duplicate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

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
    sets = {p.id: shingles(p.text) for p in passages}
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for passage_id in sorted(sets):
        for shingle in sets[passage_id]:
            holders[shingle].append(passage_id)
    shared = Counter(
        (a, b) for ids in holders.values() if len(ids) <= COMMON for i, a in enumerate(ids) for b in ids[i + 1 :]
    )
    root = {passage_id: passage_id for passage_id in sets}

    def find(passage_id: str) -> str:
        while root[passage_id] != passage_id:
            passage_id = root[passage_id]
        return passage_id

    for (a, b), count in sorted(shared.items()):
        similar = count / len(sets[a] | sets[b]) >= MIN_JACCARD
        if similar and frozenset((a, b)) not in opposed:
            root[find(b)] = find(a)
    clusters: dict[str, list[str]] = defaultdict(list)
    for passage_id in sorted(sets):
        clusters[find(passage_id)].append(passage_id)
    return tuple(tuple(ids) for ids in clusters.values() if len(ids) > 1)
