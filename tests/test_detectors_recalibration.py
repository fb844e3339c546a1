"""The line against its formula written out by hand, its properties, and the file that holds it."""

import json
import math
import os
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import recalibration
from detectors.evidence import ConflictType, ScoredPair
from detectors.recalibration import MAX_BIAS, MAX_SLOPE, MIN_SLOPE, Recalibration
from guard import ConfigError

from .test_detectors_scope import pair

probabilities = st.floats(0, 1)
lines = st.builds(
    lambda s, b: Recalibration(0.5, slope=s, bias=b), st.floats(MIN_SLOPE, MAX_SLOPE), st.floats(-MAX_BIAS, MAX_BIAS)
)
STORED = Recalibration(
    0.7, {ConflictType.VALUE: 0.6, ConflictType.ANSWER: 0.91}, 0.83, -0.4, "model-1", recalibration.shipped_revision(),
    {"rows": {"conflict": 12}},
)  # fmt: skip


@pytest.mark.parametrize("p", [0.001, 0.2, 0.5, 0.93])
def test_the_new_logit_is_the_line_over_the_old_one(p):
    new = STORED.score(p)
    assert math.log(new / (1 - new)) == pytest.approx(-0.4 + 0.83 * math.log(p / (1 - p)))


@given(lines, st.lists(probabilities, min_size=2))
def test_a_line_changes_no_ranking_and_stays_within_0_and_1(line, scores):
    new = [line.score(p) for p in sorted(scores)]
    assert all(0 <= p <= 1 for p in new)
    assert all(one <= two + 1e-12 for one, two in pairwise(new))
    assert (line.score(0.0), line.score(1.0)) == (0.0, 1.0)


@given(probabilities, probabilities)
def test_the_identity_changes_nothing(score, suspicion):
    found = ScoredPair(pair("One.", "Two."), score, suspicion=suspicion)
    assert Recalibration(0.5).applied([found]) == [found]
    assert Recalibration(0.5).score(score) == Recalibration(0.5).shipped_score(score) == score


@given(st.floats(0.3, 3), st.floats(-3, 3), st.floats(0.01, 0.99))
def test_the_shipped_score_undoes_the_new_one(slope, bias, p):
    line = Recalibration(0.5, slope=slope, bias=bias)
    assert line.shipped_score(line.score(p)) == pytest.approx(p, abs=1e-6)


def test_score_and_suspicion_of_a_pair_both_move_and_nothing_else_does():
    found = ScoredPair(pair("One.", "Two."), 0.3, ("nli",), None, 0.8)
    (new,) = STORED.applied([found])
    assert new == replace(found, score=STORED.score(0.3), suspicion=STORED.score(0.8)) != found


def test_what_is_saved_is_what_is_loaded(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(STORED.to_dict()))
    assert recalibration.load(path) == STORED


def test_another_model_or_shipped_calibration_is_refused_by_name():
    STORED.require_fitted_for("model-1")
    with pytest.raises(ConfigError, match=r"fitted for NLI model model-1, but the model is model-2"):
        STORED.require_fitted_for("model-2")
    with pytest.raises(ConfigError, match=r"model-1, but the model is none"):
        STORED.require_fitted_for(None)
    with pytest.raises(ConfigError, match="shipped calibration old, but this is " + recalibration.shipped_revision()):
        replace(STORED, calibration_revision="old").require_fitted_for("model-1")


WRONG = {
    "version missing": ({"version": None}, '"version" must be 1, not None'),
    "unknown version": ({"version": 2}, '"version" must be 1, not 2'),
    "version a bool": ({"version": True}, '"version" must be 1, not True'),
    "slope 0": ({"slope": 0}, '"slope" must be a number within 0.05..20, not 0'),
    "slope negative": ({"slope": -1}, '"slope" must be'),
    "slope a word": ({"slope": "1"}, "\"slope\" must be a number within 0.05..20, not '1'"),
    "slope a bool": ({"slope": True}, '"slope" must be a number'),
    "bias NaN": ({"bias": math.nan}, '"bias" must be a number within -20..20, not nan'),
    "threshold": ({"threshold": 1.5}, '"threshold" must be a number within 0..1, not 1.5'),
    "threshold null": ({"threshold": None}, '"threshold" must be a number within 0..1, not None'),
    "thresholds a list": ({"thresholds": [0.5]}, '"thresholds" must be an object, not [0.5]'),
    "type": ({"thresholds": {"mood": 0.5}}, "\"thresholds\": unknown conflict type 'mood'; choose from value, date"),
    "threshold of a type": ({"thresholds": {"date": "x"}}, '"thresholds.date" must be a number within 0..1'),
    "model": ({"model_revision": 5}, '"model_revision" must be a non-empty string, not 5'),
    "fit": ({"fit": None}, '"fit" must be an object, not None'),
    "unknown field": ({"treshold": 0.5}, 'unknown field "treshold"; known are version, model_revision'),
}


@pytest.mark.parametrize(("fields", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_does_not_fit_is_refused_by_field(tmp_path, fields, message):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({**STORED.to_dict(), **fields}))
    with pytest.raises(ConfigError) as error:
        recalibration.load(path)
    assert str(error.value).startswith(f"calibration {path}: {message}")


@pytest.mark.parametrize("name", recalibration.FIELDS[1:])
def test_a_missing_field_is_named(name):
    with pytest.raises(ConfigError, match=f'"{name}" is missing'):
        recalibration.from_dict({k: v for k, v in STORED.to_dict().items() if k != name})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"), (b"", "not valid JSON"), (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"), (b"[" * 100_000, "not valid JSON"), (b"[]", "must be a JSON object, not list"),
        (b"{}", '"version" must be 1, not None'), (b'{"weights": {}}', '"version" must be 1'),
    ],
)  # fmt: skip
def test_a_corrupt_file_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "c.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        recalibration.load(path)
    assert str(error.value).startswith(f"calibration {path}: {message}") and os.linesep not in str(error.value)
