"""Stance: what each passage answers to a yes/no question.  Passages that answer differently conflict.

The NLI model was trained to read a yes/no question as a hypothesis: a passage that answers yes entails it, one
that answers no contradicts it.  A passage that shares no word with the question answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from .evidence import Passage, ScoredPair, Sentence, SentencePair, Span
from .nli import CONTRADICTION, ENTAILMENT, Scorer
from .protocols import Material
from .words import content_words

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


def stances(passages: Sequence[Passage], question: str, nli: Scorer) -> list[tuple[float, float]]:
    """Return for each passage (probability of yes, probability of no)."""
    scores = nli.score([(p.text, question) for p in passages])
    return [(float(s[ENTAILMENT]), float(s[CONTRADICTION])) for s in scores]


class Stance:
    """The detector; see the module.  The product of both stances, 0.9 yes and 0.8 no say, is what is calibrated."""

    def find(self, material: Material) -> Iterator[ScoredPair]:
        question, nli = material.question, material.nli
        if nli is None or question is None or not is_yes_no(question):
            return
        known, asked = {s.passage_id for s in material.sentences}, content_words(question)
        passages = [p for p in material.passages if p.id in known and asked & content_words(p.text)]
        passages.sort(key=lambda p: p.id)
        found = dict(zip((p.id for p in passages), stances(passages, question, nli), strict=True))
        for a, b in combinations(passages, 2):
            product = max(found[a.id][0] * found[b.id][1], found[a.id][1] * found[b.id][0])
            score = material.calibration.stance_score(product)
            reader = nli if score >= material.calibration.threshold else None  # only what is reported is quoted
            one, two = (_clearest(p, question, material.sentences, reader) for p in (a, b))
            yield ScoredPair(SentencePair(one, two), score, ("stance",))


def _clearest(passage: Passage, question: str, sentences: Sequence[Sentence], nli: Scorer | None) -> Sentence:
    """Return the sentence that takes the clearest stance; the first without ``nli``."""
    own = [s for s in sentences if s.passage_id == passage.id and s.kind != "heading"]
    if not own:
        return Sentence(Span(passage.id, 0, len(passage.text), passage.text))
    if nli is None:
        return own[0]
    scores = nli.score([(s.text, question) for s in own])
    return own[int((scores[:, ENTAILMENT] + scores[:, CONTRADICTION]).argmax())]
