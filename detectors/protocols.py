"""The extension surface: what a detector is given and what it gives back.

A detector of another package is a class with a ``find`` method, offered in the entry-point group
``passageguard.detectors`` and switched on by its name in `GuardConfig.detectors`::

    class Shouting:
        def find(self, material):
            for pair in material.pairs:
                if pair.a.text.isupper() != pair.b.text.isupper():
                    yield ScoredPair(pair, 0.9, ("shouting",))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .calibration import Calibration
from .evidence import Passage, ScoredPair, Sentence, SentencePair, Unverified
from .nli import Scorer


@dataclass(frozen=True, slots=True)
class Material:
    """What a detector may read.  ``nli`` is None where that detector is switched off.

    ``score`` runs the pair scorer (NLI and values) over further pairs, within the same deadline.
    """

    passages: Sequence[Passage]
    question: str | None
    sentences: Sequence[Sentence]
    pairs: Sequence[SentencePair]
    nli: Scorer | None
    calibration: Calibration
    score: Callable[[Sequence[SentencePair]], Iterable[ScoredPair | Unverified]]


class Detector(Protocol):
    """Finds conflicts that the pair scorer does not see.

    Yields pairs with a calibrated score, 0..1 (below the threshold too), and `Unverified` for what it did not
    look at.  An exception is reported as unverified under the detector's name.
    """

    def find(self, material: Material) -> Iterable[ScoredPair | Unverified]: ...
