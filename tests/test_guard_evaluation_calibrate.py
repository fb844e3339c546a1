"""The fit against scikit-learn, the thresholds against brute force, the folds against what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from detectors.evidence import ConflictType, Passage, ScoredPair, Unverified
from detectors.recalibration import MIN_SLOPE
from guard import ConfigError, InputError
from guard.evaluation import calibrate as fitting
from guard.evaluation.calibrate import TYPES, Evidence, Goal, Row, choose, fit, fit_line, folds, groups, lower_bound
from guard.evaluation.datasets import Kind, NLIExample, Scope, SetExample

from .test_detectors_conflict import NEGATION, VALUE


def example(n, label="conflict", texts=None, question=None, scope=Scope.BETWEEN):
    passages = tuple(Passage(str(i), t) for i, t in enumerate(texts or (f"One {n}.", f"Two {n}.")))
    return SetExample(str(n), "s", Kind.PAIRS, scope, label, "", passages, f"rows, line {n}", question)


def drawn(n=400, slope=0.6, bias=-0.7, seed=1):
    """Return scores and labels for which the true line is known."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.02, 0.98, n)
    new = 1 / (1 + np.exp(-(bias + slope * np.log(scores / (1 - scores)))))
    return scores, rng.uniform(size=n) < new


def evidence_of(scores, labels, type_=ConflictType.STATEMENT):
    columns = np.zeros((len(scores), len(TYPES)))
    columns[:, TYPES.index(type_)] = scores
    return Evidence(columns, np.asarray(labels, bool))


def softened(labels):
    """Platt's targets."""
    return np.where(labels, (labels.sum() + 1) / (labels.sum() + 2), 1 / ((~labels).sum() + 2))


@pytest.mark.parametrize("seed", range(5))
def test_platt_scaling_is_the_logistic_regression_of_the_softened_labels(seed):
    scores, labels = drawn(seed=seed)
    x = np.log(scores / (1 - scores))
    weights = np.concatenate([softened(labels), 1 - softened(labels)])  # a soft label is both labels, weighted
    twice = np.concatenate([x, x])[:, None], np.repeat([1, 0], len(x)), weights
    model = LogisticRegression(C=1e9, tol=1e-10, max_iter=10_000).fit(*twice)
    assert fit_line(scores, labels, True) == pytest.approx((model.coef_[0, 0], model.intercept_[0]), abs=2e-4)


def test_platt_scaling_finds_the_line_that_the_labels_were_drawn_from():
    assert fit_line(*drawn(20_000), True) == pytest.approx((0.6, -0.7), abs=0.06)


@pytest.mark.parametrize("seed", range(3))
def test_a_temperature_is_the_least_loss_of_one_parameter(seed):
    scores, labels = drawn(bias=0.0, seed=seed)
    x, targets = np.log(scores / (1 - scores)), softened(labels)
    best = minimize_scalar(lambda s: (np.logaddexp(0, s * x) - targets * s * x).sum(), bounds=(0, 10), method="bounded")
    assert fit_line(scores, labels, False) == (pytest.approx(best.x, abs=1e-3), 0.0)


def test_classes_that_separate_have_a_finite_line_and_reversed_ones_a_flat_one():
    labels = np.array([False] * 20 + [True] * 20)
    slope, bias = fit_line(np.linspace(0.1, 0.9, 40), labels, True)
    assert 1 < slope < 20 and math.isfinite(bias)
    assert fit_line(np.linspace(0.9, 0.1, 40), labels, True)[0] == MIN_SLOPE


def test_the_lower_bound_solves_the_equation_of_wilsons_interval():
    hits, total, z = np.array([7.0, 30.0, 0.0, 12.0]), np.array([9.0, 33.0, 4.0, 12.0]), norm.ppf(0.8)
    low = lower_bound(hits, total, z)
    share = hits / total
    assert share - low == pytest.approx(z * np.sqrt(low * (1 - low) / total))
    assert lower_bound(hits, total, 0.0) == pytest.approx(share)


tables = st.lists(st.tuples(st.sampled_from([i / 8 for i in range(9)]), st.booleans()), min_size=1).filter(
    lambda rows: any(s > 0 for s, _ in rows)
)


@given(tables, st.sampled_from([0.5, 0.6, 0.75, 0.9]), st.sampled_from([0.5, 0.8, 0.95]))
def test_a_threshold_is_the_least_of_all_that_reach_the_precision(rows, precision, confidence):
    scores, labels = np.array([s for s, _ in rows]), np.array([y for _, y in rows], bool)
    chosen = choose(scores, labels, Goal(precision, confidence))
    low = {}
    for threshold in {s for s in scores if s > 0}:
        fired = scores >= threshold
        n, p, z = fired.sum(), labels[fired].mean(), norm.ppf(confidence)
        # The root of (p - low)^2 = z^2 low (1 - low) / n below p.
        a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
        low[threshold] = (-b - math.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a)
    reaching = [t for t, bound in low.items() if bound >= precision - 1e-9]
    assert chosen.reached == bool(reaching)
    assert chosen.low == pytest.approx(low[chosen.threshold], abs=1e-6)
    if reaching:
        assert chosen.threshold == min(reaching)
    else:
        assert chosen.low == pytest.approx(max(low.values()), abs=1e-6)
    fired = scores >= chosen.threshold
    assert (chosen.true, chosen.alarms, chosen.conflicts) == (labels[fired].sum(), fired.sum(), labels.sum())


@given(st.floats(0.05, 0.99), st.floats(0.5, 0.99))
def test_the_least_number_of_alarms_is_that_at_which_all_right_is_enough(precision, confidence):
    goal = Goal(precision, confidence)
    n = goal.least_alarms
    assert lower_bound(np.array([float(n)]), np.array([float(n)]), goal.z)[0] >= precision - 1e-6
    if n > 1:
        assert lower_bound(np.array([n - 1.0]), np.array([n - 1.0]), goal.z)[0] < precision


@pytest.mark.parametrize("wrong", [{"precision": 0}, {"precision": 1}, {"confidence": 0.4}, {"confidence": 1}])
def test_a_goal_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Goal(**wrong)


def two_types():
    """Values are right from 0.3 on, statements only from 0.8 on."""
    value, statement = TYPES.index(ConflictType.VALUE), TYPES.index(ConflictType.STATEMENT)
    scores, labels = np.zeros((400, len(TYPES))), np.zeros(400, bool)
    grid = np.linspace(0.01, 0.99, 200)
    scores[:200, value], labels[:200] = grid, grid >= 0.3
    scores[200:, statement], labels[200:] = grid, grid >= 0.8
    return Evidence(scores, labels)


def test_each_type_has_the_threshold_that_its_own_rows_need():
    found = two_types()
    fitted = fit(found, Goal(0.9, 0.8), True)
    line = fitted.recalibration
    assert set(line.by_type) == {ConflictType.VALUE, ConflictType.STATEMENT}
    for type_, true_from in ((ConflictType.VALUE, 0.3), (ConflictType.STATEMENT, 0.8)):
        threshold = line.shipped_score(line.by_type[type_])
        assert true_from - 0.06 < threshold < true_from  # a few wrong ones below are allowed
        assert fitted.types[type_].true == fitted.types[type_].conflicts
    assert line.by_type[ConflictType.VALUE] < line.threshold < line.by_type[ConflictType.STATEMENT]


def test_a_type_with_too_few_conflicts_has_no_threshold_of_its_own():
    found = two_types()
    value = TYPES.index(ConflictType.VALUE)
    few = np.flatnonzero(found.labels & (found.scores[:, value] > 0))[6:]
    keep = ~np.isin(np.arange(400), few)
    fitted = fit(found.of(keep), Goal(0.9, 0.8), True)
    assert fitted.conflicts[ConflictType.VALUE] == 6 < Goal(0.9, 0.8).least_alarms
    assert set(fitted.recalibration.by_type) == set(fitted.types) == {ConflictType.STATEMENT}


def test_a_type_that_never_reaches_the_precision_is_held_to_its_best_and_not_below_the_overall_threshold():
    found = two_types()
    rng = np.random.default_rng(0)
    entity = TYPES.index(ConflictType.ENTITY)
    noise = np.zeros((60, len(TYPES)))
    noise[:, entity] = rng.uniform(0.1, 0.9, 60)
    mixed = Evidence(np.vstack([found.scores, noise]), np.concatenate([found.labels, rng.uniform(size=60) < 0.5]))
    fitted = fit(mixed, Goal(0.9, 0.8), True)
    assert not fitted.types[ConflictType.ENTITY].reached
    best = max(fitted.types[ConflictType.ENTITY].threshold, fitted.overall.threshold)
    assert fitted.recalibration.by_type[ConflictType.ENTITY] == best


def test_in_the_precision_of_a_type_a_conflict_counts_only_where_that_type_scores_highest():
    value, negation = TYPES.index(ConflictType.VALUE), TYPES.index(ConflictType.NEGATION)
    scores = np.zeros((3, len(TYPES)))
    scores[:, value], scores[:, negation] = (0.9, 0.9, 0), (0.4, 0.4, 0.2)
    found = Evidence(scores, np.array([True, False, True]))
    assert found.counted(value).tolist() == [True, True, False]
    assert found.counted(negation).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("conflicts", "goal", "message"),
    [
        (10, Goal(0.9, 0.99), r"on 10 conflicts: that takes 49; label more rows"),
        (40, Goal(0.9, 0.8), r"the best is 0\.\d\d, at threshold 0\.\d{3}, where \d+ of \d+ alarms are right and "),
    ],
)
def test_a_precision_out_of_reach_is_an_error_that_names_the_best(conflicts, goal, message):
    rng = np.random.default_rng(3)
    labels = np.arange(2 * conflicts) % 2 == 0
    found = evidence_of(np.clip(rng.uniform(0.1, 0.8, len(labels)) + 0.05 * labels, 0, 1), labels)
    with pytest.raises(InputError, match="no threshold reaches precision 0.9 with .*" + message) as error:
        fitting.require(fit(found, goal, False).overall, goal)
    best = float(str(error.value).split("lower --precision to ")[1].split(",")[0]) if conflicts == 40 else None
    if best:
        fitting.require(fit(found, Goal(best, 0.8), False).overall, goal)  # what is advised can be reached


links = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=3), min_size=10, max_size=40)


@given(links, st.integers(0, 3))
@settings(deadline=None)
def test_rows_with_a_text_in_common_are_in_one_group_and_one_fold(texts, seed):
    rows = [example(n, texts=[f"Text {t}." for t in some]) for n, some in enumerate(texts)]
    group = groups(rows)
    fold = folds(group, np.arange(len(rows)) % 2 == 0, seed)
    linked = np.array([[bool(set(a) & set(b)) for b in texts] for a in texts])
    reach = np.linalg.matrix_power(linked.astype(float), len(rows)) > 0  # the oracle: paths of any length
    assert (reach == (group[:, None] == group[None, :])).all()
    assert (fold[:, None] == fold[None, :])[reach].all()
    assert set(fold) <= set(range(fitting.FOLDS))


def test_a_question_and_other_spacing_link_rows_and_labels_are_spread_over_folds():
    rows = [
        example(1, texts=["A."], question="Why?"),
        example(2, texts=["B."], question="why? "),
        example(3, texts=["a. "]),
        example(4, texts=["D."]),
    ]
    group = groups(rows)
    assert group[0] == group[1] == group[2] != group[3]
    labels = np.arange(100) < 50
    fold = folds(np.arange(100), labels, 0)
    assert np.bincount(fold).tolist() == [20] * 5 and np.bincount(fold[labels]).tolist() == [10] * 5


def test_cross_fitting_never_judges_a_row_by_a_fit_that_saw_its_group(monkeypatch):
    scores, labels = drawn(60)
    found = evidence_of(scores, labels)
    rows = [example(n, texts=[f"Text {n // 3}."]) for n in range(60)]
    seen = []
    monkeypatch.setattr(fitting, "fit", lambda some, goal, bias: seen.append(set(some.top)) or fit(some, goal, bias))
    crossed = fitting.cross_fit(found, rows, Goal(0.6, 0.5), True, 0)
    assert crossed.by_group and len(seen) == fitting.FOLDS
    for n in range(0, 60, 3):
        trio = set(scores[n : n + 3])
        assert all(trio <= some or not trio & some for some in seen) and any(not trio & some for some in seen)


def test_rows_that_all_share_a_question_are_folded_one_by_one_and_the_result_says_so():
    scores, labels = drawn(60)
    rows = [example(n, question="Which?") for n in range(60)]
    assert not fitting.cross_fit(evidence_of(scores, labels), rows, Goal(0.6, 0.5), True, 0).by_group


def test_on_rows_of_a_known_line_the_cross_fitted_error_falls_and_precision_is_near_the_goal():
    scores, labels = drawn(2000, slope=2.0, bias=-2.0)
    rows = [Row(example(n, "conflict" if y else "consistent"), {ConflictType.DATE: s})
            for n, (s, y) in enumerate(zip(scores, labels, strict=True))]  # fmt: skip
    result = fitting.calibrate(rows, Goal(0.9, 0.8), 0.5, 0)
    assert result.before["ece"].value > 0.15 > 0.05 > result.after["ece"].value
    assert 0.87 < result.after["precision"].value < 0.95
    assert result.before["precision"].value == pytest.approx(labels[scores >= 0.5].mean())
    assert result.before["recall"].value == pytest.approx((scores >= 0.5)[labels].mean())


def test_the_figures_after_are_not_those_of_the_rows_fitted_on():
    goal = Goal(0.6, 0.5)
    fitted, crossed = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores, labels = rng.uniform(0.01, 0.99, 80), rng.uniform(size=80) < 0.5  # nothing to learn
        found = evidence_of(scores, labels)
        chosen = fit(found, goal, True).overall
        fitted.append(chosen.true / chosen.alarms)
        alarms = fitting.cross_fit(found, [example(n) for n in range(80)], goal, True, seed).alarms
        crossed.append(labels[alarms].mean())
    assert np.mean(fitted) > 0.58 and abs(np.mean(crossed) - 0.5) < 0.05


class Scripted:
    def __init__(self, scored, unverified=()):
        self.answer = tuple(scored), tuple(unverified)

    def scored(self, passages, question=None):
        return self.answer


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        (Scope.BETWEEN, {ConflictType.VALUE: 0.7, ConflictType.NEGATION: 0.2}),
        (Scope.WITHIN, {ConflictType.VALUE: 0.9}),
        (Scope.BOTH, {ConflictType.VALUE: 0.9, ConflictType.NEGATION: 0.2}),
    ],
)  # fmt: skip
def test_a_row_holds_the_highest_score_of_each_type_in_the_scope_of_its_label(scope, wanted):
    from .test_detectors_scope import pair

    within = pair("The trial lasts 14 days.", "The trial lasts 30 days.", ids=("a", "a"))
    scored = [ScoredPair(VALUE, 0.7), ScoredPair(VALUE, 0.3), ScoredPair(NEGATION, 0.2), ScoredPair(within, 0.9)]
    (row,), left_out = fitting.observe(Scripted(scored), [example(1, scope=scope)], lambda n: None)
    assert row.scores == wanted and not left_out


def test_a_row_that_was_not_checked_in_full_is_left_out_and_named():
    guard = Scripted([ScoredPair(VALUE, 0.7)], [Unverified("nli", "failed")])
    assert fitting.observe(guard, [example(3)], lambda n: None) == ([], ["rows, line 3: nli: failed"])


def test_a_premise_and_a_hypothesis_are_two_passages():
    for label, is_conflict in (("contradiction", True), ("neutral", False), ("entailment", False)):
        row = fitting.as_set(NLIExample("1", "s", "It rains.", "It is dry.", label))
        assert row.is_conflict is is_conflict and [p.text for p in row.passages] == ["It rains.", "It is dry."]


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (
            [0.5] * 20,
            [True] * 20,
            "at least 10 conflicts and 10 consistent rows .* these are 20 and 0: label more rows",
        ),
        ([0.5] * 20, [True] * 9 + [False] * 11, "these are 9 and 11"),
        ([0.0] * 5 + [0.5] * 20, [True] * 12 + [False] * 13, "these are 7 and 13"),
        ([0.1] * 15 + [0.9] * 15, [True] * 15 + [False] * 15, "no higher than those labelled consistent"),
        ([], [], "these are 0 and 0"),
    ],
)
def test_rows_that_allow_no_fit_are_refused(scores, labels, message):
    rows = [Row(example(n, "conflict" if y else "consistent"), {ConflictType.VALUE: s} if s else {})
            for n, (s, y) in enumerate(zip(scores, labels, strict=True))]  # fmt: skip
    with pytest.raises(InputError, match=message):
        fitting.evidence(rows)
