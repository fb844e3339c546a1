"""What a decoded answer carries: its tokens, how each was chosen, and why it ended.  Plain numbers, no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import nan


class Finish(StrEnum):
    """Why an answer ended."""

    EOS = "eos"
    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Step:
    """How one token was chosen.

    alpha: the weight of the contrast, gated by trust.  jsd, context_entropy, prior_entropy: in units of `log_base`.
    context_top, prior_top: the most probable token with and without the context.  flipped: whether the formula's most
    probable token is another one than the context's.  context_logprob, prior_logprob: log p and log r of the token, and
    prior_top_logprob: log r of prior_top, all in nats, at most 0; NaN where nobody measured them.  attribution: for
    each passage that was left out in a row of its own, log p of the token less its log-probability without the
    passage, in nats.
    """

    token_id: int
    alpha: float
    jsd: float
    context_entropy: float
    prior_entropy: float
    context_top: int
    prior_top: int
    flipped: bool
    context_logprob: float = nan
    prior_logprob: float = nan
    prior_top_logprob: float = nan
    attribution: tuple[float, ...] = ()


@dataclass(frozen=True)
class Event:
    """One request went on: by a token (`step`), by its end (`finish`), or by both.

    request: its place in the call, or its number in an engine.
    """

    request: int
    step: Step | None
    finish: Finish | None


@dataclass(frozen=True)
class Generation:
    """The answer to one request.

    token_ids: with the end token where it was reached, and the tokens of a stop string.  trace: one step a token.
    text: the decoded answer without special tokens, cut before a stop string; None where no tokenizer was given.
    """

    token_ids: list[int]
    trace: list[Step]
    finish: Finish
    text: str | None = None

    @property
    def prior_strength(self) -> float | None:
        """How sure the model was, without the context, of what it would have said: the mean of log r(prior_top).

        In nats a token, at most 0, where it was certain; None of an answer without tokens.  The length-normalised
        log-probability by which The Override Gap (arXiv 2604.23750) ranks conflicts, here of the token that the model
        would have said next at each place of this answer.  Decode with the prior prompt as both prompts to get that of
        the model's own answer: ``generate(model, prior_ids, prior_ids, formula="greedy", …)``.
        """
        return _mean([step.prior_top_logprob for step in self.trace])

    @property
    def context_reliance(self) -> float | None:
        """How much more probable the context made the answer: the mean of log p − log r of its tokens.

        In nats a token: 0 where the context changed nothing, below 0 where the answer was chosen against it; None of an
        answer without tokens.  The pointwise mutual information of token and context, which contrastive decoding
        weighs up (arXiv 2305.14739, section 2).
        """
        return _mean([step.context_logprob - step.prior_logprob for step in self.trace])

    @property
    def attribution(self) -> tuple[float, ...]:
        """What each left-out passage did to the answer as a whole, in nats: its tokens' numbers added up."""
        return tuple(map(sum, zip(*(step.attribution for step in self.trace), strict=True)))


def _mean(numbers: list[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None
