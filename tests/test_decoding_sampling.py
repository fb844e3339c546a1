"""What follows the formula: each step is the identity at its default, and does one thing otherwise."""

import math

import pytest
import torch

from decoding.sampling import choose, penalised, plausible, top_k, top_p


def kept(scores):
    return [[i for i, x in enumerate(row) if x > -1e8] for row in scores.tolist()]


def long_tail(vocab=50_000):
    """One sure token and a tail that float32 cannot add to it."""
    return torch.cat([torch.full((1, 1), 30.0), torch.linspace(1, 0, vocab - 1)[None]], dim=1)


def test_top_p_of_1_excludes_nothing_though_the_float32_sum_reaches_1_early():
    scores = long_tail()
    ordered = scores.softmax(-1).sort(descending=True).values
    early = ordered.cumsum(-1) - ordered >= 1.0
    assert early.any()  # a comparison with the float32 sum would exclude these
    assert torch.equal(top_p(scores, 1.0), scores)


def test_top_p_keeps_the_fewest_tokens_that_reach_the_mass():
    scores = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.05, 0.3, 0.5, 0.15], [0.97, 0.01, 0.01, 0.01]]).log()
    assert kept(top_p(scores, 0.7)) == [[0, 1], [1, 2], [0]]
    assert kept(top_p(scores, 0.81)) == [[0, 1, 2], [1, 2, 3], [0]]
    assert kept(top_p(scores, 1e-9)) == [[0], [2], [0]]


def test_top_k_keeps_the_greatest_and_0_is_off():
    scores = torch.tensor([[1.0, 4.0, 3.0, 2.0]])
    assert kept(top_k(scores, 2)) == [[1, 2]]
    assert torch.equal(top_k(scores, 0), scores) and torch.equal(top_k(scores, 9), scores)


def test_plausibility_compares_with_the_most_probable_token_of_the_context():
    log_p = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.4, 0.4]]).log()
    scores = torch.zeros(2, 3)
    assert kept(plausible(scores, log_p, 0.4)) == [[0, 1], [0, 1, 2]]
    assert torch.equal(plausible(scores, log_p, 0.0), scores)


def test_penalties_count_what_the_row_has_generated():
    scores = torch.zeros(2, 4)
    lowered = penalised(scores, [[1, 1, 3], []], presence=0.5, frequency=0.25)
    assert lowered.tolist() == [[0.0, -1.0, 0.0, -0.75], [0.0] * 4]
    assert scores.eq(0).all() and penalised(scores, [[1], []], 0, 0) is scores


def test_a_draw_reads_off_the_cumulative_distribution():
    p = [0.5, 0.0, 0.3, 0.2]
    scores = torch.tensor([p]).log().clamp(min=-1e9).expand(1000, 4)
    tokens = choose(scores, 1.0, 0, 1.0, [(i + 0.5) / 1000 for i in range(1000)])
    assert torch.bincount(tokens, minlength=4).tolist() == [500, 0, 300, 200]
    assert choose(scores[:2], 1.0, 0, 1.0, [0.0, math.nextafter(1, 0)]).tolist() == [0, 3]


def test_a_row_of_nan_yields_some_token_and_leaves_the_others_theirs():
    scores = torch.tensor([[math.nan] * 3, [0.0, 0.0, 0.0]])
    tokens = choose(scores, 1.0, 0, 1.0, [0.9, 0.5]).tolist()
    assert tokens[0] in range(3) and tokens[1] == 1


def test_temperature_comes_before_top_p():
    """At temperature 0.25 the first of 0.5/0.3/0.2 alone holds 0.86 of the mass, at 1 it does not."""
    scores = torch.tensor([[0.5, 0.3, 0.2]]).log()
    last = [math.nextafter(1, 0)]
    assert choose(scores, 0.25, 0, 0.8, last).item() == 0
    assert choose(scores, 1.0, 0, 0.8, last).item() == 1
    assert choose(scores, 1.0, 0, 1.0, last).item() == 2


@pytest.mark.parametrize("scores", [torch.tensor([[1.0, 3.0, 2.0]])])
def test_temperature_0_takes_the_greatest_whatever_the_draw(scores):
    assert choose(scores, 0.0, 0, 0.1, [0.99]).item() == 1
