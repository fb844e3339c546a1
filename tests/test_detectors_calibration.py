"""The calibrated sum against the formula written out by hand."""

import math

import numpy as np
import pytest

from detectors import calibration
from detectors.calibration import EVIDENCE, FEATURES, SHAPES, Calibration
from detectors.comparison import Comparison
from detectors.evidence import WhyNot

from .test_detectors_scope import pair


def plain(**weights):
    return Calibration(np.array([weights.get(name, 0.0) for name in FEATURES]), -1.0, 0.5, (2.0, 1.0), {})


def row(**values):
    return np.array([[values.get(name, 0.0) for name in FEATURES]])


def test_the_score_is_the_logistic_of_the_sum():
    (score,) = plain(value=3.0, scope=-2.0).scores(row(value=0.5, scope=1.0))
    assert score == pytest.approx(1 / (1 + math.exp(-(-1 + 1.5 - 2))))


def test_the_loudest_shape_is_named_and_left_out_of_the_suspicion():
    model = plain(value=3.0, scope=-2.0, reported=-0.5)
    (suspicion,), (why_not,) = model.suspicions(row(value=1.0, scope=1.0, reported=1.0))
    assert why_not is WhyNot.SCOPE and suspicion == pytest.approx(1 / (1 + math.exp(-(-1 + 3 - 0.5))))
    (suspicion,), (why_not,) = model.suspicions(row(value=1.0))
    assert why_not is None and suspicion == pytest.approx(model.scores(row(value=1.0))[0])


def test_the_stance_score_is_the_logistic_of_the_logit():
    assert plain().stance_score(0.72) == pytest.approx(1 / (1 + math.exp(-(1 + 2 * math.log(0.72 / 0.28)))))
    assert 0 < plain().stance_score(0.0) < plain().stance_score(1.0) < 1


def test_features_do_not_depend_on_the_order_of_the_sides():
    sides = ("The lease runs for 3 years from May.", "The lease does not run for 5 years, Ada says.")
    scores = np.array([[0.1, 0.2, 0.7]], dtype=np.float32), np.array([[0.3, 0.3, 0.4]], dtype=np.float32)
    there = calibration.features([Comparison(pair(*sides))], *scores)
    back = calibration.features([Comparison(pair(*sides[::-1]))], *scores[::-1])
    assert np.allclose(there, back)
    mean = (math.log(0.7 / 0.3) + math.log(0.4 / 0.6)) / 2
    assert there[0, EVIDENCE.index("nli_logit_mean")] == pytest.approx(mean, abs=1e-6)


def test_the_shipped_weights_speak_in_the_direction_that_they_are_named_for():
    shipped = calibration.load()
    assert 0 < shipped.threshold < 1 and shipped.weights[EVIDENCE.index("nli_logit_mean")] > 0
    assert all(shipped.weights[len(EVIDENCE) + i] <= 0 for i in range(len(SHAPES)))
