"""Settings: precedence, names of what is wrong, and the command that takes them."""

import sys
import tomllib
from dataclasses import fields
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from guard import Action, ConfigError, ConflictType
from server.config import ServerConfig, load

ROOT = Path(__file__).parent.parent


def test_flags_win_over_environment_over_file_over_defaults(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text('port = 1\nhost = "h1"\non_error = "closed"\nextractors = ["tools"]\n[by_type]\ndate = "report"\n')
    environment = {"PASSAGEGUARD_PORT": "2", "PASSAGEGUARD_HOST": "h2", "PASSAGEGUARD_DEADLINE_S": "1", "HOME": "/"}
    config = load({"port": 3}, environment, file)
    assert (config.port, config.host, config.on_error, config.deadline_s) == (3, "h2", "closed", 1.0)
    assert config.extractors == ("tools",) and config.max_requests == ServerConfig().max_requests
    assert config.policy.action_for(ConflictType.DATE) is Action.REPORT


def test_the_environment_takes_lists_tables_and_texts():
    config = load({}, {
        "PASSAGEGUARD_EXTRACTORS": "tools, documents", "PASSAGEGUARD_BY_TYPE": "date=report,value=block",
        "PASSAGEGUARD_KEY": "secret", "PASSAGEGUARD_THRESHOLD": "0.8", "PASSAGEGUARD_ALLOW_ON_CONFLICT": "",
    })  # fmt: skip
    assert config.extractors == ("tools", "documents") and config.by_type == {"date": "report", "value": "block"}
    assert config.threshold == 0.8 and config.key == "secret" and config.allow_on_conflict == ()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"port": "x"}, "port must be int"),
        ({"port": 70000}, "port"),
        ({"port": True}, "port"),
        ({"upstream": "localhost:8000"}, "upstream"),
        ({"upstream": "http://user:pass@host/v1"}, "upstream"),
        ({"upstream": "http://host/v1?key=1"}, "upstream"),
        ({"upstream": "ftp://host"}, "upstream"),
        ({"upstream": "http://[::1/v1"}, "upstream"),
        ({"documents": "maybe"}, "documents is 'maybe'; choose from native, rendered, stripped"),
        ({"on_error": "ignore"}, "on_error"),
        ({"on_conflict": "explode"}, "on_conflict"),
        ({"by_type": {"colour": "drop"}}, "by_type"),
        ({"by_type": {"date": "explode"}}, "by_type.date"),
        ({"by_type": {"date": 3}}, "by_type"),
        ({"allow_on_conflict": ("explode",)}, "allow_on_conflict"),
        ({"extractors": ("magic",)}, "extractors is 'magic'"),
        ({"extractors": "tools"}, "extractors must be tuple"),
        ({"passage_regex": "("}, "passage_regex"),
        ({"passage_regex": "(x)"}, r"\(\?P<text>"),
        ({"deadline_s": 0}, "deadline_s must be positive"),
        ({"read_timeout_s": float("inf")}, "read_timeout_s"),
        ({"max_body_bytes": 1.5}, "max_body_bytes"),
        ({"threshold": 3.0}, "threshold"),
        ({"verify_url": "http://h/v1"}, "verify_url and verify_model belong together"),
        ({"verify_model": "m"}, "verify_url and verify_model belong together"),
        ({"verify_url": "h", "verify_model": "m"}, "verifier: base_url"),
        ({"verify_url": "http://h", "verify_model": "m", "verify_max_calls": 0}, "verifier: max_calls"),
        ({"breaker_failures": 0}, "breaker_failures must be positive"),
        ({"retriever": "qdrant"}, "retriever.upstream must be an address"),
        ({"key": ""}, "key"),
        ({"key": "with space"}, "key"),
    ],
)
def test_what_is_wrong_is_named(settings, words):
    with pytest.raises(ConfigError, match=words):
        ServerConfig(**settings)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PASSAGEGUARD_ONERROR": "closed"}, "PASSAGEGUARD_ONERROR: no such setting; did you mean on_error"),
        ({"PASSAGEGUARD_PORT": "many"}, "PASSAGEGUARD_PORT must be a number"),
        ({"PASSAGEGUARD_BY_TYPE": "date"}, "by_type"),
    ],
)
def test_a_wrong_variable_is_named(environment, words):
    with pytest.raises(ConfigError, match=words):
        load({}, environment)


def test_a_wrong_file_is_named(tmp_path):
    file = tmp_path / "server.toml"
    for text, words in (("upstraem = 1", "did you mean upstream"), ("= 1", "cannot be read as TOML"), (None, "cannot")):
        file.unlink() if text is None else file.write_text(text)
        with pytest.raises(ConfigError, match=words) as caught:
            load({}, {}, file)
        assert str(file) in str(caught.value)


def test_a_file_may_be_yaml(tmp_path):
    file = tmp_path / "server.yaml"
    file.write_text(
        "port: 1\nextractors: [tools]\nby_type:\n  date: report\nroutes:\n"
        "  - preset: qdrant\n    upstream: http://localhost:6333\n    mount: /vectors\n"
    )
    config = load({}, {}, file)
    assert config.port == 1 and config.extractors == ("tools",) and config.by_type == {"date": "report"}
    assert [route.mount for route in config.retrievers()] == ["/vectors"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("s.toml", 'host = "h"\n\nport = 99999\n', "s.toml:3: port must lie in"),
        ("s.toml", 'host = "h"\nprot = 1\n', "s.toml:2: prot: no such setting; did you mean port"),
        ("s.toml", 'host = "h"\n[[routes]]\npreset = "x"\nupstream = "http://h"\n', r"s.toml:2: routes\[0\].preset"),
        ("s.yaml", "host: h\nby_type:\n  date: explode\n", "s.yaml:2: by_type.date is 'explode'"),
        ("s.yml", "host: h\n'deadline_s': 0\n", "s.yml:2: deadline_s must be positive"),
        ("s.yaml", "a: [1", "cannot be read as YAML.*line 1"),
        ("s.yaml", "!!python/object/apply:os.system [true]", "cannot be read as YAML"),
        ("s.yaml", "- port", "must hold settings"),
        ("s.yaml", "", "must hold settings"),
        ("s.yaml", "5: 1", "no such setting"),
    ],
)
def test_a_wrong_line_of_a_file_is_named(tmp_path, name, text, words):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s)^{tmp_path}/.*{words}"):
        load({}, {}, file)


def test_a_file_is_not_blamed_for_what_a_flag_says(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text("port = 1\n")
    with pytest.raises(ConfigError, match=r"^port must lie"):
        load({"port": 99999}, {}, file)


def test_the_key_is_never_shown():
    assert "s3cret" not in repr(ServerConfig(key="s3cret"))
    for key in ("s3cret with space", 5):
        with pytest.raises(ConfigError) as caught:
            ServerConfig(key=key)
        assert "s3cret" not in str(caught.value)


# the command


@pytest.fixture
def serving(cli, monkeypatch):
    """Run ``passageguard`` with the commands that pyproject.toml offers; return the settings it would serve."""
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["passageguard.commands"]
    entries = EntryPoints(EntryPoint(name, value, "passageguard.commands") for name, value in offered.items())
    monkeypatch.setattr("guard.cli.entry_points", entries.select)
    seen = []
    monkeypatch.setattr("server.command.run", seen.append)
    return lambda *args: (cli(*args), seen)


def test_serve_takes_flags(serving):
    ran, (config,) = serving(
        "serve", "--upstream", "http://h/v1", "--on-conflict", "drop", "--extractors", "tools", "--extractors", "regex",
        "--passage-regex", "<p>(?P<text>.*?)</p>", "--port", "0",
    )  # fmt: skip
    assert ran.code == 0 and config.upstream == "http://h/v1" and config.on_conflict == "drop"
    assert config.extractors == ("tools", "regex") and config.port == 0


def test_serve_takes_a_verifier(serving):
    ran, (config,) = serving(
        "serve", "--verify-url", "http://h", "--verify-model", "m", "--verify-key-env", "SOME_KEY", "--deadline-s", "2"
    )
    verifier = config.guard_config().verifier
    assert ran.code == 0 and (verifier.model, verifier.api_key_env, verifier.deadline_s) == ("m", "SOME_KEY", 2.0)
    assert verifier.endpoint == "http://h/v1/chat/completions" and ServerConfig().guard_config().verifier is None


def test_serve_names_what_is_wrong_on_one_line(serving, monkeypatch):
    monkeypatch.setenv("PASSAGEGUARD_DOCUMENTS", "maybe")
    ran, seen = serving("serve")
    assert ran.code == 2 and seen == [] and ran.err.count("\n") == 1
    assert "documents is 'maybe'" in ran.err


def test_a_command_that_cannot_be_loaded_leaves_the_others_alone(serving, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "server.command", None)  # as with another package called server in the way
    ran, seen = serving("serve", "--port", "0")
    assert ran.code == 2 and seen == [] and "serve cannot be loaded" in ran.err and "doctor" in ran.err
    assert cli("check", "-", stdin='["The gate is red.", "Granite is a rock."]').code == 0


def test_the_help_teaches_every_setting(serving):
    ran, _ = serving("serve", "--help")
    text = ran.out.replace("-", "_").lower()
    missing = [f.name for f in fields(ServerConfig) if f.name not in text]
    assert ran.code == 0 and missing == []
    assert "[by_type]" in text and "curl" in text and "passageguard serve __upstream" in text
