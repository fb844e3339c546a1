"""What a decoded answer carries: its tokens, how each was chosen, and why it ended.  Plain numbers, no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    prior_top_logprob: log r of prior_top, all in nats, at most 0.  attribution: for each passage that was left out
    in a row of its own, log p of the token less its log-probability without the passage, in nats.
    """

    token_id: int
    alpha: float
    jsd: float
    context_entropy: float
    prior_entropy: float
    context_top: int
    prior_top: int
    flipped: bool
    context_logprob: float
    prior_logprob: float
    prior_top_logprob: float
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
