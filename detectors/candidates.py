"""Candidate pairs: only sentences that talk about the same thing are compared.

Two ways to qualify: near neighbours by embedding (FAISS) that also share a subject, and shared rare words, which
embeddings miss (names, numbers' nouns, codes).  Each sentence gets a bounded number of partners, so the number of
pairs grows with the number of sentences, not with its square.  Knows nothing about NLI.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from .comparison import readable
from .encoder import Vectors
from .evidence import Sentence, SentencePair
from .words import content_words

NEIGHBOURS = 8
MIN_SIMILARITY = 0.45
MIN_SHARED_WORDS = 2  # what two sentences about one thing share at least, unless one of them is very short
MIN_SHARED_SHARE = 0.25  # of the shorter sentence's content words
MIN_SHARED_WITHIN = 0.3  # the same inside one passage, where most sentences share a subject
CLOSEST_WITHIN = 2  # sentences of its own passage that one is compared with at least
MIN_RARE_SHARE = 0.34  # the same for rare words alone
RARE = 12  # a word in more sentences than this does not point at a subject
# Announces, points elsewhere, or is a link: nothing is stated.
NO_STATEMENT = re.compile(
    r".*:\W*|\W*(?:See|Refer to|Read more|Click)\b.*|\W*(?:\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])|<?https?://\S+)\W*", re.S
)
MANY = 1_000  # sentences from which look-alikes about other subjects crowd out those about the same one
FEW = 0.2  # from there on, the neighbours of a sentence as a share of k, and fewer the more sentences there are
FEW_PASSAGES = 12  # a word in more passages than this does not say what a passage is about
ENOUGH_PASSAGES = 8  # to meet by such words, the rarest first
HNSW_FROM = 50_000  # below this an exact search takes as long as building a graph
HNSW_SEARCH = 64  # entries looked at for a sentence; with the default, 16, 96% of the nearest eight were found


def neighbours(vectors: Vectors, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (similarities, indices), both (n, k), best first, each row without the sentence itself where it
    is found; -1 marks no neighbour."""
    import faiss

    n, dimension = vectors.shape
    index: Any
    if n >= HNSW_FROM:
        index = faiss.IndexHNSWFlat(dimension, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = max(HNSW_SEARCH, k)
    else:
        index = faiss.IndexFlatIP(dimension)
    index.add(np.ascontiguousarray(vectors))
    similarities, indices = index.search(np.ascontiguousarray(vectors), min(k, n))
    return similarities, indices


def candidate_pairs(
    sentences: Sequence[Sentence], vectors: Vectors, k: int = NEIGHBOURS, min_similarity: float = MIN_SIMILARITY
) -> list[SentencePair]:
    """Return pairs worth comparing, most similar first, ties by position.

    ``vectors``: (n_sentences, dimension), unit rows.  Headings, code, links and announcements
    ("as follows:") state nothing and are left out, as are pairs of equal text.
    """
    usable = [
        i for i, s in enumerate(sentences)
        if s.kind in ("prose", "item", "row") and not NO_STATEMENT.fullmatch(s.text)
    ]  # fmt: skip
    words = {i: content_words(readable(sentences[i])) for i in usable}
    usable = [i for i in usable if len(words[i]) >= 2]
    if len(usable) < 2:
        return []
    chosen = vectors[usable]
    found: set[tuple[int, int]] = set()
    if len(usable) > MANY:
        found |= _of_one_subject([sentences[i] for i in usable], [words[i] for i in usable], chosen, k, min_similarity)
        k = _fewer(k, len(usable))
    # Copies crowd out other neighbours, so look further than k and stop after k different texts.
    similarities, indices = neighbours(chosen, 3 * k)
    for row in range(len(usable)):
        texts: set[str] = {sentences[usable[row]].text}
        for similarity, column in zip(similarities[row], indices[row], strict=True):
            if column < 0 or similarity < min_similarity or len(texts) > k:
                break
            text = sentences[usable[column]].text
            if text != sentences[usable[row]].text:
                texts.add(text)
            one, two = usable[row], usable[column]
            least = MIN_SHARED_WITHIN if sentences[one].passage_id == sentences[two].passage_id else MIN_SHARED_SHARE
            if one != two and share_a_subject(words[one], words[two], least):
                found.add((min(row, int(column)), max(row, int(column))))
    found.update(_sharing_rare_words([words[i] for i in usable], k))
    pairs = [
        SentencePair(sentences[usable[i]], sentences[usable[j]], float(chosen[i] @ chosen[j])) for i, j in sorted(found)
    ]
    return _closest(sorted(pairs, key=lambda p: (-p.similarity, _position(p.a), _position(p.b))))


def _closest(pairs: Sequence[SentencePair]) -> list[SentencePair]:
    """Keep, of pairs sorted by similarity, those in which one side meets its most similar sentence of that passage.

    A sentence that agrees hides none that disagrees, since the latter's own most similar one is the same.  A copy is
    met too, but not kept.  Inside one passage, where a sentence has no counterpart, it may meet `CLOSEST_WITHIN`.
    """
    met: Counter[tuple[Sentence, str]] = Counter()
    kept = []
    for pair in pairs:
        sides = (pair.a, pair.b.passage_id), (pair.b, pair.a.passage_id)
        within = pair.a.passage_id == pair.b.passage_id
        if any(met[side] < (CLOSEST_WITHIN if within else 1) for side in sides):
            met.update(sides)
            if _normal(pair.a.text) != _normal(pair.b.text):
                kept.append(pair)
    return kept


def share_a_subject(a: frozenset[str], b: frozenset[str], least: float = MIN_SHARED_SHARE) -> bool:
    """Whether two sets of content words have enough in common, ``least`` of the shorter, to be about one thing."""
    shared, shorter = len(a & b), max(1, min(len(a), len(b)))
    return (shared >= MIN_SHARED_WORDS or 2 * shared >= shorter) and shared / shorter >= least


def _fewer(k: int, n: int) -> int:
    """Return how many neighbours by embedding to look at among ``n`` sentences: k up to `MANY`, then fewer.

    The larger a collection, the more of a sentence's nearest speak of something else in the same form, so that pairs
    would grow faster than sentences.

    >>> [_fewer(8, n) for n in (1_000, 1_050, 100_000)]
    [8, 2, 1]
    """
    return k if n <= MANY else max(1, round(k * FEW * MANY / n))


def _of_one_subject(
    sentences: Sequence[Sentence], words: Sequence[frozenset[str]], vectors: Vectors, k: int, min_similarity: float
) -> set[tuple[int, int]]:
    """Return for each sentence its k nearest of the same passage, and of those that share a word which few have.

    Of such words the rarest count, until they lead to `ENOUGH_PASSAGES`: what is rare in a small collection names no
    subject.  The words of headings count, so that "The clinic has 20 beds." under a name meets a sentence that says
    the name.  Where that word speaks for one subject, a similarity below the least is made up for by more words in
    common.
    """
    said = [w | s.headings for s, w in zip(sentences, words, strict=True)]
    passages: dict[str, set[str]] = defaultdict(set)
    holders: dict[str, list[int]] = defaultdict(list)
    inside: dict[str, list[int]] = defaultdict(list)
    for row, sentence in enumerate(sentences):
        inside[sentence.passage_id].append(row)
        for word in said[row]:
            passages[word].add(sentence.passage_id)
            holders[word].append(row)
    found: set[tuple[int, int]] = set()
    for row, sentence in enumerate(sentences):
        own = inside[sentence.passage_id]
        others = set().union(*(holders[word] for word in _rarest(said[row], passages))).difference(own)
        for mates, near, far in ((own, MIN_SHARED_WITHIN, 2.0), (sorted(others), MIN_SHARED_SHARE, MIN_RARE_SHARE)):
            similarities = vectors[mates] @ vectors[row]
            nearest = (mates[at] for at in np.argsort(-similarities, kind="stable") if mates[at] != row)
            related = (
                mate for mate in nearest
                if share_a_subject(
                    words[row], words[mate], near if vectors[mate] @ vectors[row] >= min_similarity else far
                )
            )  # fmt: skip
            found.update((min(row, mate), max(row, mate)) for mate in islice(related, k))
    return found


def _rarest(words: frozenset[str], passages: Mapping[str, set[str]]) -> list[str]:
    """Return the words that lead to few passages, the rarest first, until those are enough; one at least."""
    chosen: list[str] = []
    met: set[str] = set()
    for word in sorted((w for w in words if len(passages[w]) <= FEW_PASSAGES), key=lambda w: (len(passages[w]), w)):
        met = met | passages[word]
        if chosen and len(met) > ENOUGH_PASSAGES:
            break
        chosen.append(word)
    return chosen


def _sharing_rare_words(words: Sequence[frozenset[str]], k: int) -> set[tuple[int, int]]:
    holders: dict[str, list[int]] = defaultdict(list)
    for i, some in enumerate(words):
        for word in some:
            holders[word].append(i)
    shared: Counter[tuple[int, int]] = Counter()
    for places in holders.values():
        if len(places) <= RARE:
            shared.update((i, j) for at, i in enumerate(places) for j in places[at + 1 :])
    partners: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
    for (i, j), count in shared.items():
        share = count / min(len(words[i]), len(words[j]))
        if count >= MIN_SHARED_WORDS and share >= MIN_RARE_SHARE:
            partners[i].append((-share, i, j))
            partners[j].append((-share, i, j))
    return {(i, j) for some in partners.values() for _, i, j in sorted(some)[:k]}


def _normal(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .*_-•|")


def _position(sentence: Sentence) -> tuple[str, int]:
    return sentence.passage_id, sentence.span.start
