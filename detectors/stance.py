"""Stance: what each passage answers to a yes/no question.  Passages that answer differently conflict.

The NLI model was trained to read a yes/no question as a hypothesis: a passage that answers yes entails it, one
that answers no contradicts it.  A passage that shares no word with the question answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from .comparison import readable
from .evidence import Passage, ScoredPair, Sentence, SentencePair, Span
from .nli import CONTRADICTION, ENTAILMENT, Scorer
from .protocols import Material
from .words import content_words

WINDOW = 3  # sentences
_VERB = r"(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|may|might|must|has|have|had)(?:n['’]t)?"
YES_NO = re.compile(rf"^\W*(?:[^,?]+,\s*)?{_VERB}\b[^?]*\?\s*$", re.IGNORECASE)


def is_yes_no(question: str | None) -> bool:
    """Whether the question asks for yes or no.

    >>> is_yes_no("Does the cover include theft?"), is_yes_no("If it rains, is the game cancelled?")
    (True, True)
    >>> is_yes_no("When does it end?"), is_yes_no("Is it A or B?")
    (False, False)
    """
    return bool(question and YES_NO.match(question) and not re.search(r"\bor\b", question))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a passage answers: probabilities of yes and of no, 0..1, and the sentences that say so most clearly."""

    yes: float
    no: float
    sentences: Sequence[Sentence]


def answers(passages: Sequence[Passage], question: str, sentences: Sequence[Sentence], nli: Scorer) -> list[Answer]:
    """Return the answer of each passage: the mean of what the whole says and what its clearest window says.

    ``sentences`` are those of all passages.  A long argument as a whole is often read as neutral.
    """
    parts = [_windows([s for s in sentences if s.passage_id == p.id and s.kind != "heading"]) for p in passages]
    texts = [[p.text, *(_text(p, window) for window in own)] for p, own in zip(passages, parts, strict=True)]
    scores = iter(nli.score([(text, question) for own in texts for text in own]))
    found = []
    for own in parts:
        whole, *said = [next(scores) for _ in range(len(own) + 1)]
        clearest = max(range(len(own)), key=lambda i: abs(said[i][ENTAILMENT] - said[i][CONTRADICTION]), default=None)
        part, window = (whole, []) if clearest is None else (said[clearest], own[clearest])
        yes, no = (float(whole[column] + part[column]) / 2 for column in (ENTAILMENT, CONTRADICTION))
        found.append(Answer(yes, no, window))
    return found


def _windows(sentences: Sequence[Sentence]) -> list[Sequence[Sentence]]:
    """Return windows of `WINDOW` sentences that cover them all, the last one full as well."""
    last = max(0, len(sentences) - WINDOW)
    return [sentences[i : i + WINDOW] for i in sorted({*range(0, last, WINDOW), last})] if sentences else []


def _text(passage: Passage, window: Sequence[Sentence]) -> str:
    return passage.text[window[0].span.start : window[-1].span.end]


class Stance:
    """The detector; see the module.  The product of both stances, 0.9 yes and 0.8 no say, is what is calibrated."""

    def find(self, material: Material) -> Iterator[ScoredPair]:
        question, nli = material.question, material.nli
        if nli is None or question is None or not is_yes_no(question):
            return
        known, asked = {s.passage_id for s in material.sentences}, content_words(question)
        passages = [p for p in material.passages if p.id in known and asked & content_words(p.text)]
        passages.sort(key=lambda p: p.id)
        found = zip(passages, answers(passages, question, material.sentences, nli), strict=True)
        for (a, said_a), (b, said_b) in combinations(found, 2):
            product = max(said_a.yes * said_b.no, said_a.no * said_b.yes)
            one, two = (_quoted(p, asked, said) for p, said in ((a, said_a), (b, said_b)))
            yield ScoredPair(SentencePair(one, two), material.calibration.stance_score(product), ("stance",))


def _quoted(passage: Passage, asked: frozenset[str], said: Answer) -> Sentence:
    """Return, of the sentences that answer most clearly, the one with most words of the question.

    One that opens with a pronoun counts with what it stands for, and rather than that.
    """
    if not said.sentences:
        return Sentence(Span(passage.id, 0, len(passage.text), passage.text))
    return max(said.sentences, key=lambda s: (len(asked & content_words(readable(s))), bool(s.before)))
