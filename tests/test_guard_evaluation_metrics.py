"""Figures against scikit-learn, hand-computed examples and plain loops; ties, one class and constant scores."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from guard.evaluation import metrics


@st.composite
def rankings(draw):
    """Scores with many ties, both classes, and three rows of integer weights that keep both classes."""
    n = draw(st.integers(2, 25))
    scores = draw(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5001, 0.9, 1.0]), min_size=n, max_size=n))
    labels = [True, False, *draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))]
    weights = [[1.0] * n]
    for _ in range(2):
        weights.append([1.0, 1.0, *map(float, draw(st.lists(st.integers(0, 3), min_size=n - 2, max_size=n - 2)))])
    return np.array(scores), np.array(labels), np.array(weights)


@settings(max_examples=60, deadline=None)
@given(rankings())
def test_ranking_figures_equal_scikit_learn_for_every_resample(ranking):
    scores, labels, weights = ranking
    curve = metrics.curve(scores, labels, weights)
    auroc, average = metrics.auroc(curve), metrics.average_precision(curve)
    for b, w in enumerate(weights):
        assert auroc[b] == pytest.approx(sk.roc_auc_score(labels, scores, sample_weight=w))
        assert average[b] == pytest.approx(sk.average_precision_score(labels, scores, sample_weight=w))


@settings(max_examples=60, deadline=None)
@given(rankings(), st.sampled_from([0.0, 0.25, 0.5, 0.95, 1.0, 1.1]))
def test_figures_at_a_threshold_equal_scikit_learn(ranking, threshold):
    scores, labels, weights = ranking
    found = metrics.at_threshold(metrics.curve(scores, labels, weights), threshold)
    alarms = scores >= threshold
    for b, w in enumerate(weights):
        options = {"sample_weight": w, "zero_division": np.nan}
        assert found["recall"][b] == pytest.approx(sk.recall_score(labels, alarms, **options))
        expected = sk.precision_score(labels, alarms, **options)
        assert found["precision"][b] == pytest.approx(expected, nan_ok=True)
        assert found["f1"][b] == pytest.approx(sk.f1_score(labels, alarms, sample_weight=w))
        assert found["false_alarm_rate"][b] == pytest.approx(w[alarms & ~labels].sum() / w[~labels].sum())
        # Classes weighed equally: scikit-learn with weights that sum to one in each class.
        even = np.where(labels, w / w[labels].sum(), w / w[~labels].sum())
        options["sample_weight"] = even
        expected = sk.precision_score(labels, alarms, **options)
        assert found["precision_balanced"][b] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(rankings(), st.sampled_from([0.4, 0.5, 0.95, 1.0]), st.booleans())
def test_working_points_equal_a_search_over_all_thresholds(ranking, least, balanced):
    scores, labels, weights = ranking
    curve = metrics.curve(scores, labels, weights)
    recalls = metrics.recall_at_precision(curve, least, balanced=balanced)
    precisions, thresholds = metrics.precision_at_recall(curve, least, balanced=balanced)
    for b, w in enumerate(weights):
        if balanced:
            w = np.where(labels, w / w[labels].sum(), w / w[~labels].sum())
        points = []
        for threshold in sorted(set(scores[w > 0]), reverse=True):
            hit, all_alarms = w[(scores >= threshold) & labels].sum(), w[scores >= threshold].sum()
            points.append((hit / w[labels].sum(), hit / all_alarms, threshold))
        assert recalls[b] == pytest.approx(max((r for r, p, _ in points if p >= least - 1e-9), default=0.0))
        _, precision, threshold = next(point for point in points if point[0] >= least - 1e-9)
        assert (precisions[b], thresholds[b]) == (pytest.approx(precision), threshold)


def test_a_hand_computed_ranking():
    scores, labels = np.array([0.9, 0.8, 0.8, 0.3, 0.1]), np.array([1, 1, 0, 0, 1], bool)
    curve = metrics.curve(scores, labels)
    assert metrics.auroc(curve)[0] == pytest.approx((2 + 1.5 + 0) / 6)
    assert metrics.average_precision(curve)[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert metrics.recall_at_precision(curve, 0.95)[0] == pytest.approx(1 / 3)
    precision, threshold = metrics.precision_at_recall(curve, 0.4)
    assert (precision[0], threshold[0]) == (pytest.approx(2 / 3), 0.8)
    assert metrics.precision_at_recall(curve, 0.4, balanced=True)[0][0] == pytest.approx((2 / 3) / (2 / 3 + 1 / 2))
    assert metrics.at_threshold(curve, 0.8)["f1"][0] == pytest.approx(2 * 2 / (3 + 3))


@pytest.mark.parametrize("only", [True, False])
def test_one_class_is_not_defined_and_no_crash(only):
    scores, labels = np.array([0.2, 0.9, 0.9]), np.full(3, only)
    curve = metrics.curve(scores, labels)
    undefined = [metrics.auroc(curve), metrics.average_precision(curve), metrics.recall_at_precision(curve, 0.95),
                 *metrics.precision_at_recall(curve, 0.4)]  # fmt: skip
    assert all(np.isnan(values).all() for values in undefined)
    found = metrics.at_threshold(curve, 0.5)
    assert np.isnan(found["precision"][0]) and np.isnan(found["f1"][0])
    assert found["recall"][0] == pytest.approx(2 / 3 if only else math.nan, nan_ok=True)
    assert found["false_alarm_rate"][0] == pytest.approx(math.nan if only else 2 / 3, nan_ok=True)
    assert metrics.interval(metrics.auroc(curve)) == metrics.Figure(None)


def test_no_rows_are_not_defined_and_no_crash():
    curve = metrics.curve(np.zeros(0), np.zeros(0, bool))
    assert np.isnan(metrics.auroc(curve)[0]) and np.isnan(metrics.precision_at_recall(curve, 0.4)[0][0])


def test_constant_scores_rank_nothing():
    scores, labels = np.full(10, 0.3), np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], bool)
    curve = metrics.curve(scores, labels)
    assert metrics.auroc(curve)[0] == 0.5 and metrics.average_precision(curve)[0] == pytest.approx(0.3)
    weights = np.ones((1, 10))
    for equal_mass in (True, False):  # calibrated as a whole, in whatever order the rows stand
        for order in (np.arange(10), np.arange(10)[::-1]):
            error = metrics.calibration_error(scores[order], labels[order], weights, equal_mass=equal_mass)
            assert error[0] == pytest.approx(0.0)


def test_calibration_error_by_hand():
    scores, labels = np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 1, 0, 1], bool)
    weights = np.array([[1.0, 1, 1, 1], [0, 2, 1, 1]])
    # Two bins of two rows each, and for the second resample (0.2, 0.2) and (0.6, 0.9).
    equal_mass = metrics.calibration_error(scores, labels, weights, bins=2)
    assert equal_mass == pytest.approx([(abs(0.3 - 1) + abs(1.5 - 1)) / 4, (abs(0.4 - 2) + abs(1.5 - 1)) / 4])
    # Of three bins of equal width 0.1 and 0.2 share the first, 0.6 has the second, 0.9 the third.
    equal_width = metrics.calibration_error(scores, labels, weights[:1], bins=3, equal_mass=False)
    assert equal_width[0] == pytest.approx((abs(0.3 - 1) + abs(0.6 - 0) + abs(0.9 - 1)) / 4)


def test_equal_mass_bins_without_ties_equal_a_split_of_the_sorted_rows():
    rng = np.random.default_rng(3)
    scores, labels = rng.random(300), rng.random(300) < 0.4
    order = np.argsort(scores)
    parts = np.array_split(order, 15)
    expected = sum(abs(scores[p].sum() - labels[p].sum()) for p in parts) / 300
    assert metrics.calibration_error(scores, labels, np.ones((1, 300)))[0] == pytest.approx(expected)
    bins = metrics.reliability(scores, labels)
    assert [n for _, _, n in bins] == [20] * 15
    assert sum(n * abs(score - share) for score, share, n in bins) / 300 == pytest.approx(expected)


def test_a_perfect_score_of_one_stays_in_the_last_bin():
    scores, labels = np.array([1.0, 1.0, 0.0]), np.array([True, True, False])
    assert metrics.calibration_error(scores, labels, np.ones((1, 3)), equal_mass=False)[0] == 0.0


def test_brier_equals_scikit_learn_with_weights():
    rng = np.random.default_rng(5)
    scores, labels, weights = rng.random(40), rng.random(40) < 0.5, rng.integers(0, 3, (4, 40)).astype(float)
    for row, value in zip(weights, metrics.brier(scores, labels, weights), strict=True):
        assert value == pytest.approx(sk.brier_score_loss(labels, scores, sample_weight=row))


def test_resamples_keep_each_stratum_and_follow_the_seed():
    strata = np.array(["a"] * 7 + ["b"] * 3)
    first = metrics.resamples(strata, 500, np.random.default_rng(1))
    assert first.shape == (501, 10) and (first[0] == 1).all()
    assert (first[:, :7].sum(1) == 7).all() and (first[:, 7:].sum(1) == 3).all()
    assert (first == metrics.resamples(strata, 500, np.random.default_rng(1))).all()
    # A row is drawn Binomial(7, 1/7) times: left out with chance (6/7)^7.
    assert (first[1:, :7] == 0).mean() == pytest.approx((6 / 7) ** 7, abs=0.02)


def test_pieces_of_a_bootstrap_are_joined(monkeypatch):
    strata = np.array([0] * 30 + [1] * 30)
    monkeypatch.setattr(metrics, "CELLS", 60 * 7)
    values = metrics.bootstrap(lambda w: {"sum": w[:, 0]}, strata, 50, np.random.default_rng(0))["sum"]
    assert len(values) == 51 and values[0] == 1 and set(values[1:]) - {1.0}
    assert len(metrics.bootstrap(lambda w: {"sum": w[:, 0]}, strata, 0, np.random.default_rng(0))["sum"]) == 1


def test_intervals_agree_with_a_slow_bootstrap():
    rng = np.random.default_rng(11)
    labels = np.array([True] * 60 + [False] * 90)
    scores = np.clip(rng.normal(0.45 + 0.2 * labels, 0.2), 0, 1)
    fast = metrics.bootstrap(
        lambda w: {"auroc": metrics.auroc(metrics.curve(scores, labels, w))}, labels, 2000, np.random.default_rng(0)
    )["auroc"]
    slow = []
    for _ in range(600):
        rows = np.concatenate([rng.integers(60, size=60), 60 + rng.integers(90, size=90)])
        slow.append(sk.roc_auc_score(labels[rows], scores[rows]))
    figure = metrics.interval(fast)
    assert figure.value == pytest.approx(sk.roc_auc_score(labels, scores))
    assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(slow, (0.025, 0.975))), abs=0.015)


def test_an_interval_ignores_undefined_resamples_and_says_nothing_without_spread():
    assert metrics.interval(np.array([0.5, 0.4, np.nan, 0.6])) == metrics.Figure(
        0.5, pytest.approx(0.405), pytest.approx(0.595)
    )
    assert metrics.interval(np.array([1.0, 1.0, 1.0])) == metrics.Figure(1.0)
    assert metrics.interval(np.array([0.7])) == metrics.Figure(0.7)


def test_a_centred_interval_surrounds_the_value_of_a_well_calibrated_score():
    rng = np.random.default_rng(2)
    scores = rng.random(3000)
    labels = rng.random(3000) < scores
    drawn = metrics.bootstrap(
        lambda w: {"ece": metrics.calibration_error(scores, labels, w)}, labels, 300, np.random.default_rng(0)
    )["ece"]
    assert drawn[1:].mean() > 1.1 * drawn[0]  # the noise of the draw, which the centred interval takes off
    plain, centred = metrics.interval(drawn), metrics.interval(drawn, centred=True)
    assert centred.low <= centred.value <= centred.high
    assert centred.high - centred.low == pytest.approx(plain.high - plain.low)
    assert (centred.low + centred.high) / 2 == pytest.approx(centred.value, abs=0.002)
    assert (plain.low + plain.high) / 2 > centred.value + 0.004


def test_a_share_without_spread_has_the_wilson_interval():
    rng = np.random.default_rng(0)
    none = metrics.share(metrics.drawn_share(0, 96, 200, rng), 96)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1.959964**2 / (96 + 1.959964**2))
    every = metrics.share(metrics.drawn_share(10, 10, 200, rng), 10)
    assert (every.value, every.high) == (1.0, 1.0) and every.low == pytest.approx(0.7225, abs=1e-4)
    half = metrics.share(metrics.drawn_share(50, 100, 5000, rng), 100)
    assert (half.low, half.high) == pytest.approx((0.40, 0.60), abs=0.011)
    assert metrics.share(metrics.drawn_share(0, 0, 200, rng), 0) == metrics.Figure(None)


def test_nli_figures_equal_scikit_learn():
    rng = np.random.default_rng(4)
    gold, predicted = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    matrix = metrics.confusion(gold, predicted, 3)
    assert (matrix == sk.confusion_matrix(gold, predicted)).all()
    drawn = metrics.resampled_confusion(matrix, 300, np.random.default_rng(0))
    assert (drawn.sum(2) == matrix.sum(1)).all()
    assert metrics.accuracy(drawn)[0] == pytest.approx(sk.accuracy_score(gold, predicted))
    assert metrics.class_f1(drawn)[0] == pytest.approx(sk.f1_score(gold, predicted, average=None))
    hits = matrix.diagonal() / matrix.sum(1)  # the spread of a stratified accuracy, in closed form
    expected = math.sqrt((matrix.sum(1) * hits * (1 - hits)).sum()) / 200
    assert metrics.accuracy(drawn)[1:].std() == pytest.approx(expected, rel=0.15)


def test_f1_of_a_class_that_no_row_has_is_not_defined():
    drawn = metrics.resampled_confusion(metrics.confusion([0, 2, 2], [0, 1, 2], 3), 5, np.random.default_rng(0))
    f1 = metrics.class_f1(drawn)
    assert np.isnan(f1[:, 1]).all() and f1[0, 0] == 1 and f1[0, 2] == pytest.approx(2 / 3)


def test_macro_is_the_mean_of_the_sources_in_which_the_figure_is_defined():
    values = [np.array([0.2, 0.1, 0.3]), np.array([0.6, np.nan, 0.5]), np.array([np.nan])]
    assert metrics.macro(values) == pytest.approx([0.4, 0.1, 0.4])
    assert np.isnan(metrics.macro([np.array([np.nan])])).all()


def test_a_recall_made_of_fractions_is_reached_in_spite_of_rounding():
    """Two of five conflicts are a recall of 0.4, whatever the sums of weights round to."""
    for scale in (0.1, 0.3, 1 / 3, 7.0):
        labels = np.array([True] * 5 + [False])
        scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.75])
        curve = metrics.curve(scores, labels, np.full((1, 6), scale))
        assert metrics.precision_at_recall(curve, 0.4)[1][0] == 0.8


def test_auroc_counts_pairs():
    scores, labels = np.array([3, 1, 2, 2, 5, 2]), np.array([1, 0, 1, 0, 0, 1], bool)
    wins = [(a > b) + (a == b) / 2 for a, b in product(scores[labels], scores[~labels])]
    assert metrics.auroc(metrics.curve(scores.astype(float), labels))[0] == pytest.approx(np.mean(wins))
