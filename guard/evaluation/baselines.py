"""Plain scores of the same examples, to see what PassageGuard adds: all-pairs NLI, word overlap, cosine.

- ``all_pairs_nli``: the highest contradiction probability over all sentence pairs, one direction each.
- ``word_overlap``: Jaccard index of the content words of the two closest passages.
- ``cosine``: cosine of the embeddings of the two closest passages.

Sentence pairs are those of different passages, within one text for a self-contradiction (whose closest *sentences*
are taken instead of passages).  Similarity says nothing of contradiction; where it separates the classes all the same,
the data has a shortcut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from detectors.encoder import Encoder
from detectors.evidence import Sentence
from detectors.nli import CONTRADICTION
from detectors.segment import segment
from detectors.words import content_words

from .datasets import Scope, SetExample
from .evaluate import Scorer
from .metrics import Floats

BATCH = 2048  # sentence pairs; the scorer sorts them by length, so few and large batches are fast
NAMES = ("all_pairs_nli", "word_overlap", "cosine")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Baselines:
    """``scores``: by name, (examples,) each.  ``nli_calls``: the different sentence pairs that were scored."""

    scores: dict[str, Floats]
    nli_calls: int


def run(
    examples: Sequence[SetExample],
    scorer: Scorer,
    encoder: Encoder,
    start: Callable[[str, int], Callable[[int], None]] = lambda description, total: lambda n: None,
) -> Baselines:
    """Score every example with each baseline."""
    pairs = [sentence_pairs(example) for example in examples]
    nli = all_pairs(pairs, scorer, start("all-pairs NLI: sentence pairs", sum(map(len, pairs))))
    overlap = np.array([_highest(_overlaps(units(example))) for example in examples])
    scores = {"all_pairs_nli": nli, "word_overlap": overlap, "cosine": cosines(examples, encoder)}
    return Baselines(scores, len({pair for some in pairs for pair in some}))


def sentence_pairs(example: SetExample) -> list[Pair]:
    """Return the pairs that the label may speak of, in reading order."""
    sides = [[s for s in segment(p) if s.kind != "heading"] for p in example.passages]
    between = [(a.text, b.text) for one, two in combinations(sides, 2) for a in one for b in two]
    within = [pair for side in sides for pair in _text_pairs(side)]
    return {Scope.BETWEEN: between, Scope.WITHIN: within, Scope.BOTH: between + within}[example.scope]


def all_pairs(pairs: Sequence[Sequence[Pair]], scorer: Scorer, advance: Callable[[int], None]) -> Floats:
    """Return each example's highest contradiction probability, 0 without a pair; examples share batches."""
    best = np.zeros(len(pairs))
    for owners, batch in _batches(pairs):
        np.maximum.at(best, owners, scorer.score(batch)[:, CONTRADICTION].astype(float))
        advance(len(batch))
    return best


def units(example: SetExample) -> list[str]:
    """Return the texts whose similarity counts: the passages, or the sentences of a lone one."""
    if len(example.passages) > 1:
        return [p.text for p in example.passages]
    return [s.text for s in segment(example.passages[0]) if s.kind != "heading"]


def cosines(examples: Sequence[SetExample], encoder: Encoder) -> Floats:
    """Return the cosine of the two closest units of each example, all texts embedded at once; 0 for a single unit."""
    texts = [units(example) for example in examples]
    known = {text: n for n, text in enumerate(dict.fromkeys(t for some in texts for t in some))}
    if not known:
        return np.zeros(len(examples))
    vectors = encoder.encode(list(known))
    return np.array([
        _highest(float(vectors[known[a]] @ vectors[known[b]]) for a, b in combinations(some, 2)) for some in texts
    ])  # fmt: skip


def _overlaps(texts: Sequence[str]) -> Iterator[float]:
    words = [content_words(text) for text in texts]
    return (len(a & b) / max(1, len(a | b)) for a, b in combinations(words, 2))


def _highest(values: Iterator[float]) -> float:
    return max(values, default=0.0)


def _text_pairs(sentences: Sequence[Sentence]) -> list[Pair]:
    return [(a.text, b.text) for a, b in combinations(sentences, 2)]


def _batches(pairs: Sequence[Sequence[Pair]]) -> Iterator[tuple[list[int], list[Pair]]]:
    owners: list[int] = []
    batch: list[Pair] = []
    for owner, some in enumerate(pairs):
        for pair in some:
            owners.append(owner)
            batch.append(pair)
            if len(batch) == BATCH:
                yield owners, batch
                owners, batch = [], []
    if batch:
        yield owners, batch
