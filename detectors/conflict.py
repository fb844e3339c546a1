"""From scored pairs to conflicts: the evidence of NLI and of the values is summed into one calibrated score.

The sum is a logistic model over a few readable features (`FEATURES`); its weights are in
``models/calibration.json``, fitted by ``training/fit_calibration.py``.  Knows nothing about policies.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import values
from .evidence import Conflict, ConflictType, Finding, SentencePair
from .nli import CONTRADICTION, ENTAILMENT, Scores
from .words import NEGATION, WORD, content_words, is_negated, names, opposite_words

MIN_ALIGNED = 0.6  # share of the shorter sentence's content words, for aligned antonyms
ALIGNED_SCORE = 0.8  # the score of aligned antonyms where NLI gives less; set by hand, not fitted
CALIBRATION = Path(__file__).parent / "models" / "calibration.json"
FEATURES = (
    "nli_logit_mean", "nli_logit_min", "entailment_max", "similarity", "overlap", "containment",
    "value", "same_values", "negation", "antonym", "replaced_name", "names_differ", "numbers_differ",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """``score = sigmoid(bias + weights · features)``; ``threshold`` is the shipped working point."""

    weights: npt.NDArray[np.float64]
    bias: float
    threshold: float


@lru_cache(maxsize=8)
def load_calibration(path: Path = CALIBRATION) -> Calibration:
    stored = json.loads(path.read_text())
    weights = np.array([stored["weights"][name] for name in FEATURES])
    return Calibration(weights, float(stored["bias"]), float(stored["threshold"]))


@dataclass(frozen=True, slots=True)
class Difference:
    """What separates two aligned sentences: the words that one has in place of the other's."""

    replaced: tuple[tuple[str, str], ...]
    overlap: float
    containment: float


def difference(a: str, b: str) -> Difference:
    """Align two sentences word by word.

    >>> difference("Ada leads the Oslo team", "Bo leads the Oslo team").replaced
    (('Ada', 'Bo'),)
    """
    left, right = WORD.findall(a), WORD.findall(b)
    matcher = SequenceMatcher(None, [w.lower() for w in left], [w.lower() for w in right], autojunk=False)
    replaced = tuple(
        (" ".join(left[i:i2]), " ".join(right[j:j2]))
        for tag, i, i2, j, j2 in matcher.get_opcodes()
        if tag == "replace" and i2 - i <= 6 and j2 - j <= 6
    )
    one, two = content_words(a), content_words(b)
    shared = len(one & two)
    return Difference(replaced, shared / max(1, len(one | two)), shared / max(1, min(len(one), len(two))))


def aligned_antonyms(a: str, b: str) -> bool:
    """Whether opposite words stand in the same place of otherwise matching sentences.

    The small NLI model reads some of these as entailment ("enabled by default", "disabled by default").
    """
    diff = difference(a, b)
    opposed = any(opposite_words(x.lower().split(), y.lower().split()) for x, y in diff.replaced)
    return opposed and diff.containment >= MIN_ALIGNED and is_negated(a) == is_negated(b)


def features(pairs: Sequence[SentencePair], forward: Scores, backward: Scores) -> npt.NDArray[np.float64]:
    """Return (n_pairs, len(FEATURES)); unchanged when the two sides of a pair are exchanged."""
    rows = np.zeros((len(pairs), len(FEATURES)))
    for row, (pair, one, two) in enumerate(zip(pairs, forward, backward, strict=True)):
        a, b = pair.a.text, pair.b.text
        diff = difference(*sorted((a, b)))
        value = values.disagreement(a, b)
        logits = [_logit(float(s[CONTRADICTION])) for s in (one, two)]
        a_words, b_words = content_words(a), content_words(b)
        a_numbers, b_numbers = _numbers(a), _numbers(b)
        rows[row] = (
            sum(logits) / 2,
            min(logits),
            max(one[ENTAILMENT], two[ENTAILMENT]),
            pair.similarity,
            diff.overlap,
            diff.containment,
            value.strength if value else 0.0,
            value is None and values.same_values(a, b),
            is_negated(a) != is_negated(b),
            opposite_words(a_words - b_words, b_words - a_words) is not None,
            any(_is_name(x) and _is_name(y) for x, y in diff.replaced) * diff.containment,
            bool((names(a) - names(b)) and (names(b) - names(a))),
            bool((a_numbers - b_numbers) and (b_numbers - a_numbers)),
        )
    return rows


def calibrated(rows: npt.NDArray[np.float64], calibration: Calibration) -> npt.NDArray[np.float64]:
    """Return (n_pairs,) probabilities that the pair is a conflict."""
    sums: npt.NDArray[np.float64] = calibration.bias + rows @ calibration.weights
    return 1 / (1 + np.exp(-sums))


def describe(pair: SentencePair, score: float, nli_fired: bool) -> Conflict:
    """Type the conflict, name the detectors that fired and say in plain words what clashes."""
    a, b = pair.a.text, pair.b.text
    value = values.disagreement(a, b)
    finding = value or _type_of(a, b)
    fired = (("nli",) if nli_fired else ()) + (("values",) if value else ())
    return Conflict(finding.type, score, pair.a.span, pair.b.span, finding.explanation, fired or ("alignment",))


def _type_of(a: str, b: str) -> Finding:
    diff = difference(a, b)
    opposite = opposite_words(content_words(a) - content_words(b), content_words(b) - content_words(a))
    if opposite:
        return Finding(ConflictType.ANTONYM, 1.0, f'opposite words: "{opposite[0]}" against "{opposite[1]}"')
    if is_negated(a) != is_negated(b):
        word = (NEGATION.search(a) or NEGATION.search(b)).group()  # type: ignore[union-attr]
        return Finding(ConflictType.NEGATION, 1.0, f'one side denies what the other states ("{word}")')
    for x, y in diff.replaced:
        if _is_name(x) and _is_name(y):
            return Finding(ConflictType.ENTITY, 1.0, f'different names in the same place: "{x}" against "{y}"')
    clash = f': "{diff.replaced[0][0]}" against "{diff.replaced[0][1]}"' if diff.replaced else ""
    return Finding(ConflictType.STATEMENT, 1.0, "the two statements cannot both be true" + clash)


def _is_name(words: str) -> bool:
    return any(w[0].isupper() for w in words.split())


def _numbers(text: str) -> frozenset[str]:
    return frozenset(w for w in WORD.findall(text) if w[0].isdigit())


def _logit(p: float) -> float:
    p = min(max(p, 1e-4), 1 - 1e-4)
    return float(np.log(p / (1 - p)))
