"""Bad input of every kind: one clear line and exit code 2 at the command line, an error of our own in the library."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from detectors import nli
from guard import ConfigError, Guard, GuardConfig, InputError, ModelError, Passage, Policy
from guard.audit.engine import AuditGuard
from guard.cli import options

A, B = {"id": "a", "text": "The trial lasts 14 days."}, {"id": "b", "text": "The trial lasts 30 days."}
PAIR = json.dumps([A, B])
LONG = "The trial lasts 14 days. " * 400_000  # 10 MB


def changed(**fields):
    """Return the pair as JSON, the second passage changed."""
    return json.dumps([A, {**B, **fields}])


CIRCLE = json.dumps([{**A, "supersedes": "b"}, {**B, "supersedes": ["a"]}])

# (arguments, stdin, what the message says)
TABLE = {
    "no passages": (["-"], "[]", "no passages: give at least one"),
    "no passages in an object": (["-"], '{"passages": []}', "no passages: give at least one"),
    "one passage": (["-"], '["one"]', "one passage: nothing to compare it with"),
    "duplicate ids": (["-"], changed(id="a"), "duplicate passage id 'a'"),
    "text a number": (["-"], changed(text=5), "stdin: passage 2 ('b'): \"text\" must be a string, not int"),
    "text missing": (["-"], '[{"id": "a"}, "x"]', "stdin: passage 1 ('a'): \"text\" is missing"),
    "passage a number": (["-"], '["x", 5]', "stdin: passage 2 must be an object or a string, not int"),
    "id a number": (["-"], changed(id=7), 'stdin: passage 2: "id" must be a string, not int'),
    "id empty": (["-"], changed(id=""), "id must be a non-empty string"),
    "metadata a list": (["-"], changed(metadata=[1]), '"metadata" must be an object, not list'),
    "passage of 10 MB": (["-"], changed(text=LONG), "passage 'b': 10,000,000 characters is over max_passage_chars"),
    "date": (["-"], changed(date="soon"), "passage 'b': metadata 'date' is 'soon'; give an ISO 8601 date"),
    "authority": (["-"], changed(authority="high"), "passage 'b': metadata 'authority' is 'high'; give a number"),
    "supersedes": (["-"], changed(supersedes=5), "passage 'b': metadata 'supersedes' is 5; give an id"),
    "circle of supersedes": (["-"], CIRCLE, "supersedes goes in a circle: 'a' -> 'b' -> 'a'"),
    "question a number": (["-"], f'{{"question": 5, "passages": {PAIR}}}', '"question" must be a string, not int'),
    "lone surrogate": (["-"], '["\\ud800 x", "y"]', "stdin: \\ud800 is a lone surrogate, half of a character"),
    "no JSON": (["-"], "{", "stdin: not valid JSON: "),
    "broken JSON": (["-"], '["a",\n"b"', "at line 2"),
    "broken JSON Lines": (["-"], '"a"\n"b\n', "stdin: line 2 is not valid JSON"),
    "deep JSON": (["-"], "[" * 100_000, "stdin: JSON nested too deeply"),
    "long integer": (["-"], f'[{{"text": "x", "n": {"9" * 5000}}}]', "stdin: an integer with too many digits"),
    "NaN in JSON": (["-"], '[{"text": "x", "n": NaN}]', "stdin: NaN is no JSON value"),
    "stdin empty": (["-"], "", "stdin: empty; give passages as JSON or JSON Lines"),
    "stdin closed": (["-"], None, "stdin is closed"),
    "binary": (["-"], b"\x00\x01\x02", "stdin: a binary file"),
    "no UTF-8": (["-"], b'["caf\xe9"]', "stdin: not valid UTF-8 at byte 5"),
    "UTF-16": (["-"], PAIR.encode("utf-16"), "stdin: UTF-16; convert to UTF-8"),
    "missing file": (["no-such-file.json"], "", "no-such-file.json: cannot be read: No such file or directory"),
    "a folder": (["/"], "", "/: cannot be read: Is a directory"),
    "a document": (["handbook.pdf"], "", "handbook.pdf: check reads passages (JSON or text); use passageguard audit"),
    "unknown detector": (["-", "--detectors", "telepathy"], PAIR, "unknown detector 'telepathy'; choose from nli"),
    "no detector": (["-", "--detectors", ","], PAIR, "detectors is empty"),
    "contradictory detectors": (["-", "--detectors", "stance"], PAIR, "stance and conditional need the nli detector"),
    "missing model": (["-", "--model", "/no/such/model"], PAIR, "no model directory at '/no/such/model'"),
    "threshold": (["-", "--threshold", "7"], PAIR, "threshold must lie in 0..1, not 7.0"),
    "threshold NaN": (["-", "--threshold", "nan"], PAIR, "threshold must lie in 0..1, not nan"),
    "threshold a word": (["-", "--threshold", "high"], PAIR, "Invalid value for '--threshold'"),
    "max pairs": (["-", "--max-pairs", "0"], PAIR, "max_pairs must be at least 1"),
    "deadline": (["-", "--deadline", "-1"], PAIR, "deadline_s must be positive"),
    "unknown action": (["-", "--action", "explode"], PAIR, "unknown action 'explode'; choose from report, annotate"),
    "unknown format": (["-", "--format", "yaml"], PAIR, "unknown format 'yaml'; choose from text, json"),
    "unknown fail-on": (["-", "--fail-on", "some"], PAIR, "unknown --fail-on 'some'; choose from never, any"),
    "contradictory exits": (["-", "--exit-zero", "--fail-on", "any"], PAIR, "--exit-zero and --fail-on any"),
    "output nowhere": (["-", "-o", "/no/such/dir/out.txt"], PAIR, "no directory '/no/such/dir'"),
    "output a directory": (["-", "-o", "/"], PAIR, "cannot write to '/': it is a directory"),
    "unknown option": (["-", "--colour"], PAIR, "No such option"),
    "no file": ([], "", "Missing argument"),
}


@pytest.mark.parametrize("name", TABLE)
def test_bad_input_is_one_clear_line_and_exit_code_2(cli, name):
    arguments, stdin, message = TABLE[name]
    ran = cli("check", *arguments, stdin=stdin)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("passageguard: error: ") and message in ran.err
    assert ran.err.count("\n") == 1 and "Traceback" not in ran.err


def test_an_unknown_command_is_one_line(cli):
    ran = cli("guess")
    assert ran.code == 2 and "No such command 'guess'" in ran.err and ran.err.count("\n") == 1


# The same through the library, where a caller can get it wrong.

GOOD = [Passage("a", A["text"]), Passage("b", B["text"])]


def other(*args):
    return [GOOD[0], Passage(*args)]


@pytest.mark.parametrize(
    ("passages", "question", "error", "message"),
    [
        ([], None, InputError, "no passages"),
        ("text", None, InputError, "must be a list of Passage"),
        ([{"id": "a"}], None, InputError, r"passages\[0\] must be a Passage, not dict"),
        (other("a", "x"), None, InputError, "duplicate passage id 'a'"),
        (other("b", 5), None, InputError, "passage 'b': text must be a string, not int"),
        (other("b", b"x"), None, InputError, "passage 'b': text must be a string, not bytes"),
        (other(7, "x"), None, InputError, r"passages\[1\]: id must be a non-empty string, not 7"),
        (other("", "x"), None, InputError, r"passages\[1\]: id must be a non-empty string"),
        (other("b", LONG), None, InputError, "passage 'b': 10,000,000 characters is over max_passage_chars"),
        (other("b", "x", {"date": "soon"}), None, InputError, "passage 'b': metadata 'date'"),
        (other("b", "x", {"authority": 7}), None, InputError, "passage 'b': metadata 'authority' is 7"),
        (other("b", "x", {"authority": math.nan}), None, InputError, "metadata 'authority' is nan"),
        (other("b", "x", {"supersedes": 5}), None, InputError, "passage 'b': metadata 'supersedes' is 5"),
        (other("b", "x", {"supersedes": "b"}), None, ConfigError, "supersedes goes in a circle"),
        (other("b", "x", None), None, InputError, "passage 'b': metadata must be a mapping, not NoneType"),
        (other("b", "a \ud800"), None, InputError, "passage 'b': text holds a lone surrogate at character 2"),
        (other("\ud800", "x"), None, InputError, r"passages\[1\]: id holds a lone surrogate"),
        (GOOD, "why \ud800?", InputError, "question holds a lone surrogate at character 4"),
        (GOOD, 5, InputError, "question must be a string, not int"),
    ],
)
def test_the_library_refuses_bad_passages(passages, question, error, message):
    with pytest.raises(error, match=message):
        Guard().check(passages, question)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": math.nan}, "threshold must lie in 0..1, not nan"),
        ({"threshold": 1.5}, "threshold must lie in 0..1"),
        ({"detectors": ("telepathy",)}, "unknown detector 'telepathy'"),
        ({"detectors": ()}, "detectors is empty"),
        ({"detectors": ("values", "stance")}, "stance and conditional need the nli detector"),
        ({"max_pairs": 0}, "max_pairs must be at least 1"),
        ({"deadline_s": 0}, "deadline_s must be positive"),
        ({"max_passage_chars": 0}, "max_passage_chars must be at least 1"),
        ({"threshold": "0.5"}, "threshold must be int or float or None, not '0.5'"),
        ({"threshold": True}, "threshold must be int or float or None, not True"),
        ({"deadline_s": math.nan}, "deadline_s must be positive, not nan"),
        ({"max_pairs": 1.5}, "max_pairs must be int, not 1.5"),
        ({"detectors": "nli"}, "detectors must be tuple, not 'nli'"),
        ({"policy": "drop"}, "policy must be Policy, not 'drop'"),
        ({"model": 5}, "model must be str or None, not 5"),
    ],
)
def test_the_library_refuses_bad_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        GuardConfig(**settings)


def test_the_library_refuses_a_config_that_is_none():
    with pytest.raises(ConfigError, match="config must be a GuardConfig, not dict"):
        Guard({"threshold": 0.5})


def test_the_library_refuses_an_action_that_is_none():
    with pytest.raises(ConfigError, match="'explode' is no Action"):
        Policy("explode")


# Models.


@pytest.fixture
def broken_model(tmp_path):
    """A copy of the bundled NLI model, to be broken."""
    shutil.copytree(nli.BUNDLED, tmp_path / "model")
    return tmp_path / "model"


def truncate(model):
    weights = next(model.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1_000_000])


def relabel(model):
    config = json.loads((model / "config.json").read_text())
    config["id2label"], config["label2id"] = {"0": "up", "1": "down", "2": "sideways"}, {}
    (model / "config.json").write_text(json.dumps(config))


def lose_config(model):
    (model / "config.json").unlink()


@pytest.mark.model
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (truncate, "must hold config.json, a tokenizer and intact weights"),
        (lose_config, "must hold config.json, a tokenizer and intact weights"),
        (relabel, "the model has no contradiction label (its labels: up, down, sideways)"),
    ],
)
def test_an_unusable_model_is_one_line(cli, broken_model, broken, message):
    broken(broken_model)
    ran = cli("check", "-", "--model", broken_model, stdin=PAIR)
    assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1 and ran.out == ""
    with pytest.raises(ModelError):
        Guard(GuardConfig(model=str(broken_model))).check(GOOD)


@pytest.mark.parametrize("name", ["", "no-such/model-of-ours"])
def test_a_model_that_is_nowhere_is_told_without_waiting(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"is empty|not in the local cache"):
        Guard(GuardConfig(model=name)).check(GOOD)


def test_a_device_that_is_none_is_named():
    with pytest.raises(ConfigError, match="device 'abacus' cannot be used here"):
        Guard(GuardConfig(device="abacus")).check(GOOD)


@pytest.mark.model
def test_a_passage_without_a_word_is_not_called_clean():
    verdict = Guard().check([GOOD[0], Passage("dots", " … --- \n\t")])
    assert verdict.status == "unverified"
    assert [(u.subject, u.reason) for u in verdict.unverified] == [("dots", "no words in it: nothing to compare")]


# Odd, but good enough to be checked.


@pytest.mark.model
def test_a_million_characters_without_a_space_do_not_hang(cli):
    started = time.perf_counter()
    ran = cli("check", "-", stdin=json.dumps([A, B, "x" * 1_000_000]))
    assert ran.code == 1 and "14 days" in ran.out
    assert time.perf_counter() - started < 60  # 0.4 s on two cores beside loading the models


@pytest.mark.model
def test_nul_characters_are_checked_and_not_printed(cli):
    ran = cli("check", "-", stdin='["The trial\\u0000 lasts 14 days.", "The trial lasts 30 days."]')
    assert ran.code == 1 and "\0" not in ran.out and "The trial\ufffd lasts 14 days." in ran.out


def test_ten_megabytes_in_a_file_reach_the_guard_in_passages(cli, tmp_path, monkeypatch):
    """A passage of 10 MB is refused; a file is cut first.  The Guard is a stand-in that only validates."""
    from guard.pipeline import validated

    seen = []

    class Stub(AuditGuard):
        def check(self, passages, question=None, progress=None):
            seen.append((validated(passages, question, self.config), question))
            return super().check(passages[:2], question, progress)

    monkeypatch.setattr("guard.audit.engine.AuditGuard", Stub)
    (tmp_path / "big.txt").write_text(LONG)
    ran = cli("audit", tmp_path / "big.txt")
    assert ran.code == 0, ran.err
    ((passages, question),) = seen
    assert question is None and sum(len(p.text.split()) for p in passages) == 400_000 * 5


# Streams and signals.

MAIN = "from guard.cli import main; main()"


def test_a_closed_pipe_ends_quietly():
    read_end, write_end = os.pipe()
    os.close(read_end)
    ran = subprocess.run(
        [sys.executable, "-c", MAIN, "audit", "--help"], stdout=write_end, stderr=subprocess.PIPE, timeout=60
    )
    os.close(write_end)
    assert ran.stderr == b"" and ran.returncode == 1


@pytest.mark.model
def test_a_closed_pipe_ends_a_report_quietly():
    read_end, write_end = os.pipe()
    os.close(read_end)
    ran = subprocess.run(
        [sys.executable, "-c", MAIN, "check", "-", "--format", "json"],
        input=PAIR.encode(), stdout=write_end, stderr=subprocess.PIPE, timeout=120,
    )  # fmt: skip
    os.close(write_end)
    assert ran.stderr == b"" and ran.returncode == 1


def test_ctrl_c_is_one_line_and_exit_code_130():
    code = "import sys; from guard.cli import main; print('ready', flush=True); main()"
    running = subprocess.Popen(
        [sys.executable, "-c", code, "check", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    running.stdout.readline()
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    running.wait(timeout=60)  # before its stdin is closed, which would end it, too
    _, err = running.communicate()
    assert (running.returncode, err) == (130, b"passageguard: interrupted\n")


def test_ctrl_c_during_a_check_is_the_same(cli, monkeypatch):
    def interrupted(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(options, "make_guard", interrupted)
    ran = cli("check", "-", stdin=PAIR)
    assert (ran.code, ran.out, ran.err) == (130, "", "passageguard: interrupted\n")
