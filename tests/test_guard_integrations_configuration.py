"""A guard's configuration as plain JSON types, and back."""

import json

import pytest

from detectors.verifier import VerifierConfig
from guard import Action, ConfigError, ConflictType, Guard, GuardConfig, Policy, TrustRules
from guard.integrations.configuration import read, written
from guard.integrations.guarded import Guarded

TRUST = TrustRules(authority={"handbook": 0.9}, prefer_newer=False)
FULL = GuardConfig(
    model="some/model", encoder="some/encoder", detectors=("nli", "values"), threshold=0.9, max_pairs=7, deadline_s=1.5,
    policy=Policy(Action.DROP, by_type={ConflictType.DATE: Action.REPORT}, min_passages=3, trust=TRUST),
    verifier=VerifierConfig("http://localhost:8000/v1", "judge", band=(0.4, 0.9)),
)  # fmt: skip


@pytest.mark.parametrize("config", [GuardConfig(), FULL])
def test_a_configuration_comes_back_through_json(config):
    plain = written(Guard(config))
    assert read(json.loads(json.dumps(plain))).config == config


def test_what_is_left_out_has_its_default():
    assert read({}).config == GuardConfig()
    assert read({"policy": {"action": "block"}}).config == GuardConfig(policy=Policy(Action.BLOCK))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"treshold": 0.5}, "unknown setting 'treshold'; known: model"),
        ({"policy": {"actoin": "drop"}}, r"unknown setting 'policy\.actoin'"),
        ({"policy": {"action": "explode"}}, r"policy\.action: .*'explode'"),
        ({"max_pairs": "many"}, "max_pairs: .*'many'"),
        ({"threshold": 7}, r"threshold must lie in 0\.\.1"),
    ],
)
def test_wrong_settings_are_named(document, message):
    with pytest.raises(ConfigError, match=message):
        read(document)


def test_models_of_ones_own_cannot_be_written():
    class Scorer:
        pass

    for guard in (Guard(scorer=Scorer()), Guard(encoder=Scorer())):
        with pytest.raises(ConfigError, match="cannot be written as text"):
            written(guard)


def test_components_of_pydantic_dump_and_validate():
    made = Guarded(guard=Guard(FULL), on_verdict=print)
    again = Guarded.model_validate_json(made.model_dump_json())
    assert again.guard.config == FULL and again.on_verdict is None
