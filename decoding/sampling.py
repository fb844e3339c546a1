"""From adjusted logits to the next token: plausibility mask, penalties, temperature, top-k, top-p, choice.

Pure functions of (rows, vocab) float32 logits; each is the identity at its default.  Knows nothing of models or of
where the logits come from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from .contrast import EXCLUDED


def plausible(scores: Tensor, log_p: Tensor, min_plausibility: float) -> Tensor:
    """Exclude tokens less probable with the context than `min_plausibility` times the most probable one.

    Contrastive decoding, arXiv 2210.15097, adaptive plausibility constraint: p ≥ β·max p.  log_p: (rows, vocab), the
    log-probabilities with the context.  β is in [0, 1]; 0 is off.
    """
    if min_plausibility == 0:
        return scores
    floor = log_p.amax(-1, keepdim=True) + math.log(min_plausibility)
    return scores.masked_fill(log_p < floor, EXCLUDED)


def penalised(scores: Tensor, generated: Sequence[Sequence[int]], presence: float, frequency: float) -> Tensor:
    """Lower the tokens that a row has generated: by `presence` once, and by `frequency` for each time.

    Prompt tokens are not counted: repeating the context is what an answer from it does.  0 and 0 are off.
    """
    if presence == 0 and frequency == 0:
        return scores
    scores = scores.clone()
    for row, token_ids in enumerate(generated):
        for token_id, count in Counter(token_ids).items():
            scores[row, token_id] -= presence + frequency * count
    return scores


def top_k(scores: Tensor, count: int) -> Tensor:
    """Keep the `count` greatest of each row, and whatever equals the least of them; 0 is off."""
    if count == 0 or count >= scores.shape[-1]:
        return scores
    least = scores.topk(count, dim=-1).values[:, -1:]
    return scores.masked_fill(scores < least, EXCLUDED)


def top_p(scores: Tensor, mass: float) -> Tensor:
    """Keep the fewest most probable tokens that together reach `mass`, in (0, 1]; 1 is off and excludes nothing."""
    if mass == 1:
        return scores
    ordered, order = scores.double().softmax(-1).sort(dim=-1, descending=True)
    reached = ordered.cumsum(-1) - ordered >= mass
    return scores.masked_fill(torch.zeros_like(reached).scatter(-1, order, reached), EXCLUDED)


def choose(scores: Tensor, temperature: float, k: int, p: float, draws: Sequence[float]) -> Tensor:
    """Return one token id for each row, (rows,): the greatest at temperature 0, else sampled after top-k and top-p.

    draws: one number in [0, 1) for each row, read off the cumulative distribution; so a row's token depends on
    its own draw alone, whatever the batch or the device.
    """
    if temperature == 0:
        return scores.argmax(-1)
    kept = top_p(top_k(scores / temperature, k), p)
    cumulative = kept.double().softmax(-1).cumsum(-1)
    points = torch.tensor(draws, dtype=torch.float64, device=scores.device)[:, None] * cumulative[:, -1:]
    last = scores.shape[-1] - 1  # where rounding, or NaN in the row, puts the point beyond every token
    return torch.searchsorted(cumulative, points, right=True)[:, 0].clamp(max=last)
