"""``passageguard audit`` with its cache: the same bytes as without, whatever stopped, broke or ran beside it."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from faked_audit import Numbers, Words, documents

from detectors import sources
from detectors.errors import ModelError
from guard import GuardConfig
from guard.audit.cache import Spaces

ROOT = Path(__file__).parent.parent
CACHE = Path(".passageguard_cache")
DATABASE = CACHE / "store" / "entries.sqlite3"
N = 60  # documents


@pytest.fixture
def model():
    return Numbers()


@pytest.fixture
def folder(cli, tmp_path, monkeypatch, model):
    """Documents in ./docs, the fakes in place of both models, and the cache where it is by default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PASSAGEGUARD_CACHE_DIR")
    monkeypatch.setattr("guard.audit.cache.steady_model", lambda config: model)
    monkeypatch.setattr("guard.audit.engine.steady_model", lambda config: model)
    monkeypatch.setattr("detectors.encoder.load", lambda *_: Words())
    monkeypatch.setattr("detectors.scoring.CHUNK", 16)
    documents(Path("docs"), N)
    return tmp_path


def program(*arguments, delay_s=0.0):
    """Start the faked command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "faked_audit.py"), str(delay_s), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def no_model(*_):
    pytest.fail("a model was loaded")


# What is computed


def test_a_second_run_prints_the_same_and_loads_no_model(cli, folder, model, monkeypatch):
    without = cli("audit", "docs", "--no-cache")
    assert not CACHE.exists() and without.out.count("value 0.9") > 10 and without.code == 1
    asked = model.calls
    assert cli("audit", "docs") == without and model.calls == 2 * asked > 200
    monkeypatch.setattr("guard.audit.cache.steady_model", no_model)
    monkeypatch.setattr("detectors.encoder.load", no_model)
    assert cli("audit", "docs") == without
    for options in (("--format", "json"), ("--min-score", "0.5"), ("--fail-on", "never")):
        assert cli("audit", "docs", *options).err == "", "other settings, the same scores"
    assert re.search(r"(\d+) pairs, \1 of them in the cache\n$", cli("audit", "docs", "--dry-run").out)
    assert cli("baseline", "docs", "-o", "b.json").code == 0
    assert (CACHE / ".gitignore").exists()


def test_of_a_changed_file_only_its_own_pairs_are_scored(cli, folder, model):
    cli("audit", "docs")
    whole = model.calls
    documents(Path("docs"), N, changed={31})
    changed = re.findall(r"The .*\.", Path("docs/d031.md").read_text())[0]
    model.seen.clear()
    ran = cli("audit", "docs")
    assert model.seen and all(changed in pair for pair in model.seen) and len(model.seen) < whole / 20
    assert "90 days" in ran.out and ran == cli("audit", "docs", "--no-cache")
    documents(Path("docs"), N)
    model.seen.clear()
    assert "90 days" not in cli("audit", "docs").out and model.seen == [], "what came back is still known"


def test_another_model_uses_nothing_of_the_first(cli, folder, model):
    for name, middle in (("one", b"a"), ("two", b"b")):
        Path(name, "1_Normalize").mkdir(parents=True)
        Path(name, "config.json").write_text("{}")
        Path(name, "model.safetensors").write_bytes(bytes(200_000) + middle + bytes(200_000))
    cli("audit", "docs", "--model", "one")
    whole = model.calls
    cli("audit", "docs", "--model", "two")
    assert model.calls == 2 * whole > 0, "one byte in the middle makes another model"
    Path("one").rename("moved")
    cli("audit", "docs", "--model", "moved")
    assert model.calls == 2 * whole, "the same model in another place"
    Path("moved/1_Normalize/config.json").write_text("{}")
    cli("audit", "docs", "--model", "moved")
    assert model.calls == 3 * whole
    assert sources.content_hash("no-such/model") is None


def test_a_model_that_is_not_there_is_an_error_and_not_an_unverified_report(cli, folder, monkeypatch):
    def missing(config):
        raise ModelError("no model directory at './none'")

    monkeypatch.setattr("guard.audit.cache.steady_model", missing)
    for name in ("./none", None):  # found out before anything is compared, and while pairs are scored
        ran = cli("audit", "docs", *(["--model", name] if name else []))
        assert (ran.code, ran.out) == (2, "") and "no model directory" in ran.err


@pytest.mark.parametrize("change", ["torch 0", "another processor", "cuda:0", "another code"])
def test_scores_and_vectors_are_kept_apart_by_what_they_depend_on(folder, monkeypatch, change):
    def spaces(**settings):
        found = Spaces.of(GuardConfig(**settings))
        return found.scores, found.vectors

    before = spaces()
    assert before == spaces() and before[0] != before[1]
    if change == "torch 0":
        monkeypatch.setattr("guard.audit.cache.versions", lambda: ("0",))
    if change == "another processor":
        monkeypatch.setattr("guard.audit.cache.machine", lambda: ("another",))
    if change == "another code":
        monkeypatch.setattr("guard.audit.cache.code", lambda *files: "another")
    after = spaces(device="cuda:0") if change == "cuda:0" else spaces()
    assert before[0] != after[0] and before[1] != after[1]


def test_a_failed_check_is_not_taken_for_an_answer_the_next_time(cli, folder, model, monkeypatch):
    def fail(pairs, on_batch=None):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(model, "score", fail)
        assert "failed on" in cli("audit", "docs").out
    assert cli("audit", "docs") == cli("audit", "docs", "--no-cache")


# Time


def test_max_time_says_what_was_not_checked_and_the_next_run_goes_on(cli, folder, model, monkeypatch):
    whole = cli("audit", "docs", "--no-cache")
    model.seen.clear()
    with monkeypatch.context() as patch:  # a clock on which a score takes a second, and nothing else time
        patch.setattr("guard.pipeline.time", SimpleNamespace(monotonic=lambda: len(model.seen)))
        ran = cli("audit", "docs", "--max-time", "1m")
    assert ran.code == 1 and re.search(r"deadline reached: \d+ of \d+ sentence pairs not scored", ran.out)
    first = len(model.seen)
    assert cli("audit", "docs", "--max-time", "30m") == whole
    assert 0 < first < len(model.seen) and len(model.seen) == len(set(model.seen)), "no pair was scored twice"
    Path("pyproject.toml").write_text('[tool.passageguard]\nmax-time = "15m"\ncache-dir = "kept"\n')
    assert cli("audit", "docs") == whole and Path("kept/store").is_dir()
    for wrong in ("0", "soon", "-3", "1d"):
        assert cli("audit", "docs", f"--max-time={wrong}").code == 2


# What breaks


@pytest.mark.parametrize("damage", ["truncated", "garbage", "version"])
def test_a_damaged_cache_is_a_warning_and_changes_no_byte_of_the_report(cli, folder, damage):
    whole = cli("audit", "docs")
    if damage == "truncated":
        os.truncate(DATABASE, DATABASE.stat().st_size // 2)
    elif damage == "garbage":
        DATABASE.write_bytes(random.Random(0).randbytes(50_000))
    else:
        with sqlite3.connect(DATABASE) as db:
            db.execute("PRAGMA user_version = 7")
    ran = cli("audit", "docs")
    assert (ran.code, ran.out) == (whole.code, whole.out)
    assert re.fullmatch(r"passageguard: warning: \S+: the cache is damaged .* begun anew\n", ran.err)
    assert cli("audit", "docs") == whole


def test_a_cache_that_cannot_be_written_changes_no_byte_of_the_report(cli, folder):
    whole = cli("audit", "docs", "--no-cache")
    Path("file").write_text("")
    ran = cli("audit", "docs", "--cache-dir", "file/cache")
    assert (ran.code, ran.out) == (whole.code, whole.out) and ran.err.count("warning") == 1


def test_runs_at_once_print_the_same_and_leave_the_cache_whole(cli, folder):
    whole = cli("audit", "docs", "--no-cache").out.encode()
    running = [program("audit", "docs", delay_s=0.01) for _ in range(3)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert out == whole and b"warning" not in err
    with sqlite3.connect(DATABASE) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    out, err = program("audit", "docs").communicate(timeout=120)
    assert (out, err) == (whole, b"0 False\n"), "nothing is scored, and torch is not even loaded"


def test_runs_killed_at_random_moments_resume_to_the_same_bytes(cli, folder):
    cli("audit", "docs", "--no-cache", "-o", "whole.json")
    command, dice, rows = ("audit", "docs", "-o", "report.json"), random.Random(1), [0]
    while len(rows) < 5:
        process = program(*command, delay_s=0.05)
        end = time.monotonic() + 60
        while count() == rows[-1] and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)  # until it has begun to write
        time.sleep(dice.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was killed before its end"
        rows.append(count())
    assert rows == sorted(set(rows)), "each run got further than the one before"
    out, err = program(*command).communicate(timeout=120)
    assert Path("report.json").read_bytes() == Path("whole.json").read_bytes()
    assert 0 < int(err.split()[0]) < json.loads(Path("report.json").read_text())["summary"]["documents"] * 20
    assert (out, b"warning" in err) == (b"", False)


def count():
    """How many scores are committed."""
    if not DATABASE.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM scores").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0
