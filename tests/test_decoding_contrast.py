"""Formulas against scalar float64 references: plain loops over probabilities, one row at a time."""

import doctest
import math
import random
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding import FORMULAS, DecodingError, adjust, contrast

LN2 = math.log(2)


def softmax(logits):
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    return [w / sum(weights) for w in weights]


def entropy(p):
    return -sum(x * math.log(x) for x in p if x > 0)


def jsd(p, r):
    total = 0.0
    for x, y in zip(p, r, strict=True):
        m = (x + y) / 2
        total += (x * math.log(x / m) if x > 0 else 0.0) + (y * math.log(y / m) if y > 0 else 0.0)
    return total / 2


def mixed_by_alpha(alpha, p, r):
    return [x ** (1 + alpha) / y**alpha for x, y in zip(p, r, strict=True)]


def coiecd(p, r, alpha=1.0, ratio=4.0):
    """Token by token, from the information 1/p normalised over the vocabulary."""
    share = [1 / x / sum(1 / y for y in p) for x in p]
    low, high = ratio * min(share), max(share) / ratio
    alone = sum(s < low for s in share) == 1
    weights = []
    for x, y, s in zip(p, r, share, strict=True):
        base = y if s <= high and (s >= low or alone) else x
        weights.append(base * (x / y) ** alpha)
    return weights


def ck_plug(p, r, head=10, epsilon=0.0):
    h_p, h_r = entropy(p), entropy(r)
    if not h_r - h_p < epsilon * h_p:
        return p
    ratios = [x / y for x, y in zip(p, r, strict=True)]
    heads = {i for scores in (r, ratios) for i in sorted(range(len(p)), key=lambda i: -scores[i])[:head]}
    alpha = h_p / (h_p + h_r)
    return [r[i] ** alpha * ratios[i] ** (1 - alpha) if i in heads else 0.0 for i in range(len(p))]


def cocoa(p, r, order=0.5, gamma=1.0, peakedness=5.0):
    divergence = math.log(sum(y**order * x ** (1 - order) for x, y in zip(p, r, strict=True))) / (order - 1)
    first, second = sorted(p, reverse=True)[:2]
    score = gamma * (entropy(r) - entropy(p) + divergence / (1 + divergence)) + peakedness * (first - second)
    share = 1 / (1 + math.exp(-score))
    return [x**share * y ** (1 - share) for x, y in zip(p, r, strict=True)]


REFERENCES = {
    "greedy": (lambda p, r: p, {}),
    "cad": (lambda p, r: mixed_by_alpha(0.5, p, r), {"alpha": 0.5}),
    "adacad": (lambda p, r: mixed_by_alpha(max(jsd(p, r), 0.3), p, r), {"alpha_floor": 0.3}),
    "coiecd": (coiecd, {}),
    "ck_plug": (lambda p, r: ck_plug(p, r, head=5), {"head": 5}),
    "cocoa": (lambda p, r: cocoa(p, r, 0.7, 2.0, 1.0), {"order": 0.7, "gamma": 2.0, "peakedness": 1.0}),
}


def logits(rows, vocab, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, vocab, generator=generator) * spread for _ in range(2))


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("spread", [0.5, 1.5, 4.0])
def test_every_formula_gives_the_distribution_of_its_scalar_reference(formula, spread):
    reference, options = REFERENCES[formula]
    c, q = logits(40, 23, spread, seed=3)
    made = adjust(c, q, formula, options=options)
    assert made.adjusted.dtype == torch.float32
    for row in range(len(c)):
        p, r = (softmax(x[row].tolist()) for x in (c, q))
        weights = reference(p, r)
        expected = torch.tensor([w / sum(weights) for w in weights])
        torch.testing.assert_close(made.adjusted[row].softmax(-1), expected, atol=2e-5, rtol=0)
        assert made.measures.jsd[row].item() == pytest.approx(jsd(p, r), abs=1e-6)
        assert made.measures.context_entropy[row].item() == pytest.approx(entropy(p), abs=1e-5)
        assert made.measures.prior_entropy[row].item() == pytest.approx(entropy(r), abs=1e-5)


def test_the_references_take_every_branch():
    """COIECD has tokens inside and outside and rows with one frequent token; CK-PLUG has rows of either kind."""
    c, q = logits(40, 23, 1.5, seed=3)
    rows = [tuple(softmax(x[row].tolist()) for x in (c, q)) for row in range(40)]
    kinds = {entropy(r) < entropy(p) for p, r in rows}
    assert kinds == {True, False}
    frequent = {sum(x > max(p) / 4 for x in p) == 1 for p, _ in rows}
    assert frequent == {True, False}


def test_the_worked_numbers_of_the_docstrings():
    result = doctest.testmod(contrast)
    assert result.attempted >= 10 and result.failed == 0


def test_alpha_belongs_to_each_row_and_is_never_averaged():
    far = torch.tensor([[40.0, 0.0], [0.0, 40.0]])
    c, q = torch.stack([far[0], far[0]]), torch.stack([far[1], far[0]])
    assert adjust(c, q).alpha.tolist() == pytest.approx([LN2, 0.0], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 10.0]))
def test_cocoa_mixes_and_never_exceeds_plain_decoding(seed, spread):
    """Each log-probability lies between those of the two rows, and α says how far from the context's."""
    c, q = logits(4, 9, spread, seed)
    made = adjust(c, q, "cocoa")
    assert ((made.alpha >= -1) & (made.alpha <= 0)).all()
    log_p, log_r = made.measures.log_p, made.measures.log_r
    assert (made.adjusted >= log_p.minimum(log_r) - 1e-4).all()
    assert (made.adjusted <= log_p.maximum(log_r) + 1e-4).all()
    by_alpha = (1 + made.alpha[:, None]) * log_p - made.alpha[:, None] * log_r
    torch.testing.assert_close(made.adjusted, by_alpha, atol=1e-4, rtol=1e-4)
    assert adjust(c, c, "cocoa").adjusted.argmax(-1).tolist() == c.argmax(-1).tolist()


def test_divergence_in_base_two_is_at_most_one():
    c, q = torch.tensor([[40.0, 0.0]]), torch.tensor([[0.0, 40.0]])
    assert adjust(c, q, log_base="2").alpha.item() == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-3, 0.1, 1.0, 10.0, 300.0]), st.integers(1, 5), st.integers(2, 40))
def test_divergence_lies_between_0_and_ln_2_and_is_symmetric(seed, spread, rows, vocab):
    c, q = logits(rows, vocab, spread, seed)
    one, other = adjust(c, q).measures.jsd, adjust(q, c).measures.jsd
    assert ((one >= 0) & (one <= torch.tensor(LN2))).all()
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_divergence_is_not_below_0_where_rounding_would_make_it_so():
    c, _ = logits(100, 500, 5.0, seed=1)
    p, log_p = c.softmax(-1), c.log_softmax(-1)
    assert (p * (log_p - (torch.logaddexp(log_p, log_p) - math.log(2)))).sum(-1).min() < 0
    assert adjust(c, c).measures.jsd.min() == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(FORMULAS)))
def test_a_row_does_not_depend_on_the_others(seed, formula):
    c, q = logits(6, 17, 2.0, seed)
    order = random.Random(seed).sample(range(6), 6)
    together, shuffled = adjust(c, q, formula), adjust(c[order], q[order], formula)
    torch.testing.assert_close(together.adjusted[order], shuffled.adjusted)
    torch.testing.assert_close(adjust(c[2:3], q[2:3], formula).adjusted, together.adjusted[2:3])


@pytest.mark.parametrize(("half", "spread"), [(torch.bfloat16, 0.5), (torch.float16, 5.0)])
def test_half_precision_logits_are_measured_in_float32(half, spread):
    """Near-equal distributions: computed in half precision the divergence is negative or NaN, here it is right."""
    c, q = logits(200, 500, spread, seed=1)
    c = c.to(half)
    q = (c.float() + 0.004 * q).to(half)
    measured = adjust(c, q).measures.jsd
    expected = [jsd(softmax(a), softmax(b)) for a, b in zip(c.tolist(), q.tolist(), strict=True)]
    torch.testing.assert_close(measured, torch.tensor(expected), atol=1e-6, rtol=0)
    p, r = c.softmax(-1), q.softmax(-1)
    m = (p + r) / 2
    naive = ((p * (p / m).log()).sum(-1) + (r * (r / m).log()).sum(-1)) / 2
    assert (naive < 0).any() or naive.isnan().any()


def test_trust_multiplies_alpha_and_0_is_plain_decoding_with_context():
    c, q = logits(3, 11, 2.0, seed=5)
    made = adjust(c, q, "cad", trust=[0.0, 0.25, 1.0])
    assert made.alpha.tolist() == [0.0, 0.25, 1.0]
    torch.testing.assert_close(made.adjusted[0], c[0])
    torch.testing.assert_close(made.adjusted[1], 1.25 * c[1] - 0.25 * q[1])
    torch.testing.assert_close(made.adjusted[2], 2 * c[2] - q[2])
    for formula in FORMULAS:
        torch.testing.assert_close(adjust(c, q, formula, trust=0.0).adjusted, c)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_token_that_the_model_rules_out_in_both_rows_stays_out(formula):
    c, q = logits(4, 9, 1.0, seed=2)
    c[:, 3] = q[:, 3] = -math.inf
    made = adjust(c, q, formula)
    assert made.adjusted.isfinite().all() and made.measures.jsd.isfinite().all()
    assert (made.adjusted.softmax(-1)[:, 3] == 0).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_logit_that_is_no_number_shows_in_its_row_alone(bad):
    c, q = logits(2, 9, 1.0, seed=2)
    c[1, 4] = bad
    assert adjust(c, q).measures.jsd.isnan().tolist() == [False, True]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"formula": "dola"}, "unknown formula 'dola'; there are greedy, cad, adacad, coiecd, ck_plug, cocoa"),
        ({"formula": "cocoa", "options": {"order": 1.0}}, "order is 1.0; the formula cocoa takes a number from 0.0"),
        ({"log_base": "10"}, "unknown log_base '10'"),
        ({"options": {"alpha": 1.0}}, "the formula adacad has no option 'alpha'; its options: alpha_floor"),
        ({"options": {"alpha_floor": -0.1}}, "alpha_floor is -0.1; the formula adacad takes a number from 0.0"),
        ({"options": {"alpha_floor": math.nan}}, "alpha_floor is nan"),
        ({"formula": "ck_plug", "options": {"alpha": 1.5}}, "alpha is 1.5; the formula ck_plug takes a number from 0"),
        ({"trust": 1.01}, "trust is 1.01; it must be between 0 and 1"),
        ({"trust": [1.0]}, "1 values of trust for 2 rows"),
    ],
)
def test_what_cannot_be_applied_is_one_clear_error(arguments, says):
    c, q = logits(2, 5, 1.0, seed=0)
    with pytest.raises(DecodingError, match=says.replace("(", r"\(")):
        adjust(c, q, **arguments)


def test_importing_the_package_loads_no_model_library():
    code = "import decoding, sys; decoding.DecodingError; print({'torch', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
