"""Stance: what each passage answers to a yes/no question.  Passages that answer differently conflict.

The NLI model was trained to read a yes/no question as a hypothesis: a passage that answers yes entails it, one
that answers no contradicts it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .evidence import Conflict, ConflictType, Passage, Sentence, Span
from .nli import CONTRADICTION, ENTAILMENT, NLIModel

YES_NO = re.compile(
    r"^\W*(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|may|might|must|has|have|had)\b"
    r"[^?]*\?\s*$",
    re.IGNORECASE,
)


def is_yes_no(question: str | None) -> bool:
    """Whether the question asks for yes or no.

    >>> is_yes_no("Does the cover include theft?"), is_yes_no("When does it end?"), is_yes_no("Is it A or B?")
    (True, False, False)
    """
    return bool(question and YES_NO.match(question) and not re.search(r"\bor\b", question))


def stances(passages: Sequence[Passage], question: str, nli: NLIModel) -> list[tuple[float, float]]:
    """Return for each passage (probability of yes, probability of no)."""
    scores = nli.score([(p.text, question) for p in passages])
    return [(float(s[ENTAILMENT]), float(s[CONTRADICTION])) for s in scores]


def stance_scores(passages: Sequence[Passage], question: str | None, nli: NLIModel) -> dict[tuple[str, str], float]:
    """Return for each pair of passage ids how likely they answer the question differently, 0..1.

    The product of both stances: 0.9 yes against 0.8 no gives 0.72.
    """
    if question is None or not is_yes_no(question):
        return {}
    found = stances(passages, question, nli)
    return {
        (passages[i].id, passages[j].id): max(found[i][0] * found[j][1], found[i][1] * found[j][0])
        for i in range(len(passages))
        for j in range(i + 1, len(passages))
    }


def answer_conflict(
    a: Passage, b: Passage, score: float, question: str, sentences: Sequence[Sentence], nli: NLIModel
) -> Conflict:
    """Build the conflict, quoting from each passage the sentence that takes the clearest stance."""
    return Conflict(
        ConflictType.ANSWER, score, _clearest(a, question, sentences, nli), _clearest(b, question, sentences, nli),
        "the passages answer the question differently: one yes, one no", ("stance",),
    )  # fmt: skip


def _clearest(passage: Passage, question: str, sentences: Sequence[Sentence], nli: NLIModel) -> Span:
    own = [s.span for s in sentences if s.passage_id == passage.id and s.kind != "heading"]
    if not own:
        return Span(passage.id, 0, len(passage.text), passage.text)
    scores = nli.score([(s.text, question) for s in own])
    return own[int((scores[:, ENTAILMENT] + scores[:, CONTRADICTION]).argmax())]
