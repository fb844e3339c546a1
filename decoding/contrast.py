"""Formulas that set a next-token distribution with context against the one without, as pure tensor functions.

`adjust` measures how far the two distributions of each row differ, applies one formula of the registry `FORMULAS`
and gates it by trust.  Knows nothing of models, tokens or sampling.

Notation: c and q are next-token logits with and without the context, (rows, vocab), at temperature 1 and unfiltered;
p = softmax(c), r = softmax(q); H is the entropy.  Rows never influence each other, and all arithmetic is float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from .errors import DecodingError

EXCLUDED = -1e9
"""The logit of a token that cannot be chosen: finite, so that no arithmetic on it yields NaN."""

UNITS = {"e": 1.0, "2": 1 / math.log(2)}
"""Units of one nat in each `log_base`."""


@dataclass(frozen=True)
class Measures:
    """How the two distributions of each row differ.

    log_p, log_r: (rows, vocab), natural logarithms of p and r.  jsd: (rows,), their Jensen-Shannon divergence, in
    [0, ln 2] for `log_base` "e" and [0, 1] for "2".  context_entropy, prior_entropy: (rows,), H(p) and H(r), same unit.
    """

    log_p: Tensor
    log_r: Tensor
    jsd: Tensor
    context_entropy: Tensor
    prior_entropy: Tensor


@dataclass(frozen=True)
class Contrast:
    """One step of a formula: the logits to choose from, (rows, vocab), the gated α, (rows,), and what was measured."""

    adjusted: Tensor
    alpha: Tensor
    measures: Measures


def adjust(
    c: Tensor,
    q: Tensor,
    formula: str = "adacad",
    *,
    log_base: str = "e",
    trust: Sequence[float] | float = 1.0,
    options: Mapping[str, float] = MappingProxyType({}),
) -> Contrast:
    """Apply one formula to logits with context (`c`) and without (`q`), both (rows, vocab), of any float type.

    `trust`, in [0, 1], one number or one a row, says how much of the formula applies: c + trust·(formula − c).  For
    CAD and AdaCAD that is α·trust in place of α; at 0 every formula is plain decoding with context.  This is where
    the guard's verdict enters: 0 for passages that contradict each other, of which neither side is to be boosted.
    `options` are the formula's own, such as ``{"alpha": 0.5}`` for CAD.  NaN in a row gives NaN in that row.
    Raises DecodingError for an unknown formula or option, or a value out of range.

    >>> c, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    >>> adjust(c, q, "cad", trust=0.5).adjusted.softmax(-1)  # 0.5²/0.9 against 0.5²/0.1, each to the power ½
    tensor([[0.2500, 0.7500]])
    """
    check_formula(formula, log_base, options)
    c, q = as_float32(c), as_float32(q)
    gate = torch.tensor(trusts(trust, len(c)), device=c.device)
    measures = measure(c, q, log_base)
    adjusted, alpha = FORMULAS[formula](c, q, measures, **options)
    return Contrast(torch.lerp(c, adjusted, gate[:, None]), gate * alpha, measures)


def measure(c: Tensor, q: Tensor, log_base: str = "e") -> Measures:
    """Measure the divergence ½·KL(p‖m) + ½·KL(r‖m), m = (p + r)/2, and both entropies, row by row, in float32.

    >>> measure(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()).jsd
    tensor([0.1017])
    """
    log_p, log_r = c.log_softmax(-1), q.log_softmax(-1)
    log_m = torch.logaddexp(log_p, log_r) - math.log(2)
    p, r = log_p.exp(), log_r.exp()
    jsd = ((p * (log_p - log_m)).sum(-1) + (r * (log_r - log_m)).sum(-1)) / 2
    unit = UNITS[log_base]
    return Measures(
        log_p, log_r, jsd.clamp(0, math.log(2)) * unit, -(p * log_p).sum(-1) * unit, -(r * log_r).sum(-1) * unit
    )


def greedy(c: Tensor, q: Tensor, measures: Measures) -> tuple[Tensor, Tensor]:
    """Plain decoding with context: c, α = 0.  The baseline of every paper below.

    >>> _example("greedy")
    tensor([[0.5000, 0.5000]])
    """
    return c, torch.zeros_like(measures.jsd)


def cad(c: Tensor, q: Tensor, measures: Measures, *, alpha: float = 1.0) -> tuple[Tensor, Tensor]:
    """(1 + α)·c − α·q with a constant α ≥ 0.

    Context-aware decoding, arXiv 2305.14739, section 2; there α is 0.5 for summaries and 1 for knowledge conflicts.

    >>> _example("cad")  # 0.5²/0.9 against 0.5²/0.1
    tensor([[0.1000, 0.9000]])
    """
    return (1 + alpha) * c - alpha * q, torch.full_like(measures.jsd, alpha)


def adacad(c: Tensor, q: Tensor, measures: Measures, *, alpha_floor: float = 0.0) -> tuple[Tensor, Tensor]:
    """(1 + α)·c − α·q with α = max(JSD(p, r), floor), for each row.

    AdaCAD, arXiv 2409.07394, section 3; the paper takes logarithms to base 2, the authors' program natural ones.  Floor
    0 for question answering, 0.3 for summaries.

    >>> _example("adacad")  # α = 0.1017: the odds 9 of the prior, to the power α
    tensor([[0.4443, 0.5557]])
    >>> _example("adacad", alpha_floor=0.3)
    tensor([[0.3409, 0.6591]])
    """
    alpha = measures.jsd.clamp(min=alpha_floor)
    return c + alpha[:, None] * (c - q), alpha


def coiecd(
    c: Tensor, q: Tensor, measures: Measures, *, alpha: float = 1.0, ratio: float = 4.0
) -> tuple[Tensor, Tensor]:
    """log r + α·(log p − log r) for tokens inside the entropy constraint, log p + α·(log p − log r) for the others.

    COIECD, arXiv 2402.11893, in the authors' program (github.com/Stacy027/COIECD, decoding.py), whose defaults these
    are.  A token is inside where its information, normalised over the vocabulary by a softmax, is at least `ratio`
    times the least and at most the greatest over `ratio`.  Information is −log p less the prior's entropy, which
    the softmax cancels: inside is p ≤ max p / ratio without p < min p · ratio.  Where just one token is too probable to
    be inside, there is no lower bound.

    >>> _example("coiecd")  # both outside: 0.5²/0.9 against 0.5²/0.1
    tensor([[0.1000, 0.9000]])

    One token too probable, so that only the rarest, 0.01 < 0.01 · 4, is outside: p, p, p and p²/r = 0.01²/0.4.

    >>> c, q = torch.tensor([[0.7, 0.17, 0.12, 0.01]]).log(), torch.tensor([[0.2, 0.2, 0.2, 0.4]]).log()
    >>> adjust(c, q, "coiecd").adjusted.exp()
    tensor([[7.0000e-01, 1.7000e-01, 1.2000e-01, 2.5000e-04]])
    """
    log_p, difference = measures.log_p, measures.log_p - measures.log_r
    frequent = log_p > log_p.amax(-1, keepdim=True) - math.log(ratio)
    rare = log_p < log_p.amin(-1, keepdim=True) + math.log(ratio)
    inside = ~rare & (~frequent | (frequent.sum(-1, keepdim=True) == 1))
    adjusted = torch.where(inside, measures.log_r, log_p) + alpha * difference
    return adjusted, torch.full_like(measures.jsd, alpha)


def ck_plug(
    c: Tensor,
    q: Tensor,
    measures: Measures,
    *,
    alpha: float | None = None,
    epsilon: float = 0.0,
    head: int = 10,
) -> tuple[Tensor, Tensor]:
    """α·log r + (1 − α)·log(p/r) where the context makes the model less confident, else log p.

    CK-PLUG, arXiv 2503.15888, sections 3.1 to 3.3 and equation 11: a row is adjusted where H(r) − H(p) < ε·H(p); the
    choice is then among the `head` most probable tokens of r and those of greatest p/r (equation 9).  α in [0, 1] is
    the share of the *prior*, by default H(p)/(H(p) + H(r)) (equation 10).  ε is 0 in the text and −1 to −3 in the
    experiments; the paper names no size of the head, 10 is our choice.  In rows that are not adjusted α is reported as
    0.

    >>> _example("ck_plug")  # H(p) = 0.693, H(r) = 0.325, α = 0.681: r^0.681 · (0.5/r)^0.319
    tensor([[0.6887, 0.3113]])
    """
    log_ratio = measures.log_p - measures.log_r
    context_entropy, prior_entropy = measures.context_entropy, measures.prior_entropy
    share = context_entropy / (context_entropy + prior_entropy).clamp(min=torch.finfo(torch.float32).tiny)
    share = share if alpha is None else torch.full_like(share, alpha)
    mixed = share[:, None] * measures.log_r + (1 - share[:, None]) * log_ratio
    mixed = mixed.masked_fill(~(_among_top(measures.log_r, head) | _among_top(log_ratio, head)), EXCLUDED)
    conflict = prior_entropy - context_entropy < epsilon * context_entropy
    return torch.where(conflict[:, None], mixed, measures.log_p), torch.where(conflict, share, 0.0)


def cocoa(
    c: Tensor,
    q: Tensor,
    measures: Measures,
    *,
    order: float = 0.5,
    gamma: float = 1.0,
    peakedness: float = 5.0,
) -> tuple[Tensor, Tensor]:
    """λ·log p + (1 − λ)·log r with λ = σ(γ·(ΔH + D/(1 + D)) + z·M) in (0, 1): α = λ − 1, never above plain decoding.

    D is the Rényi divergence of r from p, of order a: log(Σ r^a·p^(1−a))/(a − 1); ΔH = H(r) − H(p); M the difference
    between the two greatest p; all natural logarithms.

    CoCoA, arXiv 2508.17670.  Certain, from accounts of the paper: the mixture of log p and log r, D with a = 0.5, ΔH,
    and M ("contextual peakedness").  Uncertain: how λ is made of them, as the paper's equation was not at hand.  The
    sigmoid of γ·(ΔH + D/(1 + D)) is the weight that the authors' program (github.com/infusion-zero-edit/CoCoA) computes
    with another divergence and without M; γ = 1 and the weight z = 5 of M are defaults of the program of arXiv
    2606.10298, whose authors implemented the paper's text.  The authors' own program then sets λ to 0.5 and adds the
    whole contrast log p/r, which makes its greedy choice CAD's with α = 0.5 but for a penalty on repetition; which of
    the two the published figures belong to is not known.

    >>> _example("cocoa")  # ΔH = −0.368, D = 0.223, M = 0, λ = 0.454: the odds 9 of the prior, to the power 1 − λ
    tensor([[0.7686, 0.2314]])
    """
    log_p, log_r = measures.log_p, measures.log_r
    gap = (log_p.exp() * log_p).sum(-1) - (log_r.exp() * log_r).sum(-1)
    divergence = (order * log_r + (1 - order) * log_p).logsumexp(-1).div(order - 1).clamp(min=0)
    top = log_p.topk(2, dim=-1).values.exp()
    mix = torch.sigmoid(gamma * (gap + divergence / (1 + divergence)) + peakedness * (top[:, 0] - top[:, 1]))
    return torch.lerp(log_r, log_p, mix[:, None]), mix - 1


Formula = Callable[..., tuple[Tensor, Tensor]]
"""(c, q, measures, **options) → (adjusted logits, (rows, vocab); α, (rows,))."""

FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {"greedy": greedy, "cad": cad, "adacad": adacad, "coiecd": coiecd, "ck_plug": ck_plug, "cocoa": cocoa}
)

_RANGES = {
    ("cad", "alpha"): (0.0, math.inf),
    ("adacad", "alpha_floor"): (0.0, math.inf),
    ("coiecd", "alpha"): (0.0, math.inf),
    ("coiecd", "ratio"): (1.0, math.inf),
    ("ck_plug", "alpha"): (0.0, 1.0),
    ("ck_plug", "epsilon"): (-math.inf, math.inf),
    ("ck_plug", "head"): (1, math.inf),
    ("cocoa", "order"): (0.0, 0.999),
    ("cocoa", "gamma"): (0.0, math.inf),
    ("cocoa", "peakedness"): (0.0, math.inf),
}


def check_formula(formula: str, log_base: str, options: Mapping[str, float]) -> None:
    """Raise DecodingError unless formula, base and options exist and their values are in range."""
    if formula not in FORMULAS:
        raise DecodingError(f"unknown formula {formula!r}; there are {', '.join(FORMULAS)}")
    if log_base not in UNITS:
        raise DecodingError(f"unknown log_base {log_base!r}; there are 'e' and '2'")
    for name, value in options.items():
        if (formula, name) not in _RANGES:
            known = ", ".join(option for owner, option in _RANGES if owner == formula) or "none"
            raise DecodingError(f"the formula {formula} has no option {name!r}; its options: {known}")
        low, high = _RANGES[formula, name]
        if not low <= value <= high or math.isinf(value):
            raise DecodingError(f"{name} is {value}; the formula {formula} takes a number from {low} to {high}")


def trusts(trust: Sequence[float] | float, rows: int) -> list[float]:
    """Return one trust for each row; raise DecodingError where one is not in [0, 1] or their number is wrong."""
    trusts = [float(trust)] * rows if isinstance(trust, int | float) else list(trust)
    if len(trusts) != rows:
        raise DecodingError(f"there are {len(trusts)} values of trust for {rows} rows; give one number, or one a row")
    if wrong := [value for value in trusts if not 0 <= value <= 1]:
        raise DecodingError(f"trust is {wrong[0]}; it must be between 0 and 1")
    return trusts


def as_float32(logits: Tensor) -> Tensor:
    """Return logits as float32 with −inf, which some models give to unused tokens, raised to `EXCLUDED`."""
    return logits.float().clamp(min=EXCLUDED)


def _example(formula: str, **options: float) -> Tensor:
    """Return the distribution that a formula makes of p = (0.5, 0.5) and r = (0.9, 0.1), for the docstrings above."""
    c, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    return adjust(c, q, formula, options=options).adjusted.softmax(-1)


def _among_top(scores: Tensor, count: int) -> Tensor:
    """Mark the `count` greatest of each row (rows, vocab), and whatever equals the least of them."""
    least = scores.topk(min(count, scores.shape[-1]), dim=-1).values[:, -1:]
    return scores >= least
