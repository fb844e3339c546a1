"""From a question and passages to an answer: check, remediate, decide whom to trust, decode.  Read `answer` first.

The passages are checked against each other and repaired; what the model says without them is sampled; the gate
(`guard.answer_gate`) decides from both where to answer from and how much to boost; the answer is decoded, or withheld
with a sentence that names the conflict.  The module is not called `answer`, since importing it would then hide the
function `guard.answer`.  Knows nothing about formulas or tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from detectors.errors import ConfigError, InputError
from detectors.evidence import Conflict, Passage

from .answer_gate import Gate, Source, gate
from .answer_knowledge import SAMPLES, ClosedBook, closed_book
from .answer_model import LanguageModel
from .config import GuardConfig
from .pipeline import Guard
from .policy import Policy
from .remediate import safe_label
from .verdict import Action, RepairedPassage, Verdict

if TYPE_CHECKING:
    from decoding import Generation

MAX_NAMED = 5  # conflicts named in an abstention; the rest are counted


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """The trace in four numbers.

    mean_alpha: the mean weight of the contrast over the tokens.  flipped: the share of tokens, in [0, 1], for which the
    contrast changed the most probable token.  context_reliance: how much more probable the passages made the answer,
    in nats a token; below 0 where they speak against it.  prior_strength: see `ClosedBook`; None where nobody asked.
    """

    mean_alpha: float
    flipped: float
    context_reliance: float
    prior_strength: float | None


@dataclass(frozen=True, slots=True)
class Attribution:
    """What one passage did to the answer.

    passage: its id.  nats: how much more probable it made the answer, the sum of ``tokens``, one number a token, in
    nats; above 0 it spoke for the token, below 0 against it (see `decoding.attribution`).
    """

    passage: str
    nats: float
    tokens: tuple[float, ...]


@dataclass(frozen=True)
class Answer:
    """What `answer` returns.

    text: the answer, or None where it is withheld; ``abstention`` then says why and names the conflict.  verdict: None
    where there were no passages.  knowledge: None where nobody asked what the model knows.  generation, with the trace
    of each token, and summary: None where the answer is withheld.  tokens: the answer's tokens as text, the end token
    included.  attribution: one for each passage that was read, in their order; None where nobody asked, and empty where
    no passage was read.
    """

    question: str
    text: str | None
    abstention: str
    gate: Gate
    verdict: Verdict | None
    knowledge: ClosedBook | None
    summary: TraceSummary | None
    generation: Generation | None
    tokens: tuple[str, ...] = ()
    attribution: tuple[Attribution, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, without the trace."""
        known = self.knowledge
        return {
            "version": 1,
            "question": self.question,
            "text": self.text,
            "abstention": self.abstention,
            "gate": {"source": self.gate.source.value, "trust": self.gate.trust, "reason": self.gate.reason},
            "knowledge": None
            if known is None
            else {
                "state": known.knowledge.value,
                **asdict(known),
                "samples": list(known.samples),
            },
            "summary": None if self.summary is None else asdict(self.summary),
            "tokens": list(self.tokens),
            "attribution": None
            if self.attribution is None
            else [{**asdict(one), "tokens": list(one.tokens)} for one in self.attribution],
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
        }


def answer(
    question: str,
    passages: Sequence[Passage],
    model: LanguageModel | str,
    *,
    guard: Guard | None = None,
    formula: str = "adacad",
    samples: int = SAMPLES,
    memory: bool = True,
    explain: bool = False,
    instructions: str = "",
    max_new_tokens: int = 64,
    seed: int = 0,
    **settings: Any,
) -> Answer:
    """Answer from the passages as far as they can be trusted.

    model: a `LanguageModel`, or a path or name to load one by (once).  guard: by default one that drops the passages
    that lose.  samples: how many closed-book answers to draw beside the greedy one; 0 asks nothing, so that an open
    conflict is always an abstention.  memory: False never answers without passages.  explain: True measures
    what each passage that is read does to each token, by one more row a passage in the same forward passes.  settings:
    as for `decoding.generate`, such as ``options={"alpha": 0.5}`` or ``temperature=0.7``.  Raises `InputError`,
    `ConfigError` and `ModelError`.
    """
    if not isinstance(question, str) or not question.strip():
        raise InputError("the question is empty; give one")
    if samples < 0:
        raise ConfigError(f"samples is {samples}; give a whole number, 0 or more")
    loaded = _loaded(model) if isinstance(model, str) else model
    verdict = (guard or _default_guard()).check(passages, question) if passages else None
    known = None
    if samples:
        known = closed_book(loaded, question, instructions, samples=samples, max_new_tokens=max_new_tokens, seed=seed)
    decided = _without_memory(gate(verdict, None if known is None else known.knowledge), memory)
    if decided.source is Source.NEITHER:
        return Answer(question, None, _abstention(decided, verdict), decided, verdict, known, None, None)
    read = _read(decided, verdict)
    texts = [passage.text for passage in read]
    if explain:
        settings["without_ids"] = [loaded.without_each(question, texts, instructions)]
    [made] = loaded.decode(
        [_prompts(loaded, question, texts, instructions)], formula=formula, trust=decided.trust,
        max_new_tokens=max_new_tokens, seed=seed, **settings,
    )  # fmt: skip
    strength = None if known is None else known.prior_strength
    return Answer(
        question, loaded.text(made), "", decided, verdict, known, _summary(made, strength), made,
        tokens=tuple(loaded.pieces(made.token_ids)),
        attribution=_attribution([passage.id for passage in read], made) if explain else None,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _loaded(name: str) -> LanguageModel:
    return LanguageModel.load(name)


@lru_cache(maxsize=1)
def _default_guard() -> Guard:
    return Guard(GuardConfig(policy=Policy(Action.DROP)))


def _without_memory(decided: Gate, memory: bool) -> Gate:
    if memory or decided.source is not Source.MEMORY:
        return decided
    return replace(decided, source=Source.NEITHER, reason=f"{decided.reason}; answers from memory are switched off")


def _read(decided: Gate, verdict: Verdict | None) -> list[RepairedPassage]:
    """Return the passages that the answer is read from: those that were kept, or none to answer from memory."""
    if verdict is None or decided.source is Source.MEMORY:
        return []
    return [passage for passage in verdict.passages if passage.text.strip()]


def _prompts(
    model: LanguageModel, question: str, texts: Sequence[str], instructions: str
) -> tuple[list[int], list[int]]:
    """Return the prompts with and without the passages; the second twice where there are none."""
    if not texts:
        prior = model.prior(question, instructions)
        return prior, prior
    pair = model.prompts(question, texts, instructions)
    return pair.context_ids, pair.prior_ids


def _attribution(ids: Sequence[str], made: Generation) -> tuple[Attribution, ...]:
    numbers = [step.attribution for step in made.trace]
    by_passage = [tuple(of_token[place] for of_token in numbers) for place in range(len(ids))]
    return tuple(Attribution(name, sum(tokens), tokens) for name, tokens in zip(ids, by_passage, strict=True))


def _summary(made: Generation, strength: float | None) -> TraceSummary:
    tokens = len(made.trace)
    return TraceSummary(
        sum(step.alpha for step in made.trace) / tokens,
        sum(step.flipped for step in made.trace) / tokens,
        made.context_reliance or 0.0,
        strength,
    )


def _abstention(decided: Gate, verdict: Verdict | None) -> str:
    """Say that there is no answer, why, and between which passages the conflict is."""
    if verdict is None or not verdict.conflicts:
        return f"No answer: {decided.reason}."
    named = [_named(conflict) for conflict in verdict.conflicts[:MAX_NAMED]]
    more = len(verdict.conflicts) - len(named)
    rest = f"; and {more} more" if more > 0 else ""
    return f"No answer: {decided.reason}. Conflict: {'; '.join(named)}{rest}."


def _named(conflict: Conflict) -> str:
    a, b = safe_label(conflict.a.passage_id), safe_label(conflict.b.passage_id)
    who = f"{a} contradicts itself" if conflict.is_self_contradiction else f"{a} against {b}"
    return f"{who} ({conflict.explanation})"
