"""What a language model knows without any passage: one greedy answer and a few sampled ones, compared.

After *Distinguishing Ignorance from Error in LLM Hallucinations*, arXiv 2410.22071, which counts how many of a
greedy and a few sampled answers are right.  Here nobody knows the right answer, so it is counted how many samples agree
with the greedy one: a model may be consistently wrong, and is then said to know.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from .answer_gate import Knowledge
from .answer_model import LanguageModel

SAMPLES = 5
TEMPERATURE = 0.5
LEAST_KNOWN, LEAST_UNSURE = 1.0, 0.5
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True, slots=True)
class ClosedBook:
    """What was answered without passages.

    text: the greedy answer.  samples: the sampled ones.  agreement: the share of them that says the same, in [0, 1].
    prior_strength: the mean natural log-probability of a token of the greedy answer, at most 0 (*The Override Gap*,
    arXiv 2604.23750).
    """

    text: str
    samples: tuple[str, ...]
    agreement: float
    prior_strength: float

    @property
    def knowledge(self) -> Knowledge:
        return classify(self.agreement)


def closed_book(
    model: LanguageModel, question: str, instructions: str = "", *, samples: int = SAMPLES, max_new_tokens: int = 64,
    seed: int = 0,
) -> ClosedBook:  # fmt: skip
    """Ask without passages, ``samples`` times beside the greedy answer (at least 1).  Raises `ModelError`."""
    prompt = model.prior(question, instructions)
    [greedy] = model.decode([(prompt, prompt)], formula="greedy", max_new_tokens=max_new_tokens)
    drawn = model.decode(
        [(prompt, prompt)] * samples, formula="greedy", max_new_tokens=max_new_tokens, temperature=TEMPERATURE,
        seed=[seed + n for n in range(samples)],
    )  # fmt: skip
    text, others = model.text(greedy), tuple(model.text(answer) for answer in drawn)
    return ClosedBook(text, others, agreement(text, others), greedy.prior_strength or 0.0)


def agreement(text: str, samples: Sequence[str]) -> float:
    """Return the share of the samples that say the same as the greedy answer, in [0, 1].

    >>> agreement("Oslo", ["oslo.", "The Oslo", "Bergen", "Oslo"])
    0.75
    """
    return sum(normal(sample) == normal(text) for sample in samples) / len(samples)


def classify(share: float) -> Knowledge:
    """Return "knows" where all samples agree with the greedy answer, "unsure" from half of them on, else "ignorant".

    >>> [classify(share).value for share in (1.0, 0.8, 0.4)]
    ['knows', 'unsure', 'ignorant']
    """
    if share >= LEAST_KNOWN:
        return Knowledge.KNOWS
    return Knowledge.UNSURE if share >= LEAST_UNSURE else Knowledge.IGNORANT


def normal(text: str) -> str:
    """Return an answer without case, punctuation, articles and spare space: what exact match compares.

    >>> normal(" The  Beatles!")
    'beatles'
    """
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", kept).split())
