"""``passageguard audit --ray``: the bytes of one process, whichever worker dies and whenever the run is killed.

``python tests/clients/distributed.py`` installs Ray and runs this.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from faked_audit import Numbers, Words, documents

from guard import GuardConfig
from guard.audit import distributed
from guard.audit.distributed import Workers

ROOT = Path(__file__).parent.parent
RAY = Path(".passageguard_cache", "ray")
needs_ray = pytest.mark.skipif(
    not find_spec("ray"), reason="no Ray; tests/clients/distributed.py installs it and runs this"
)
PROGRAM = """
import os, time
from pathlib import Path
from faked_audit import Numbers, Words
from guard.audit import distributed
from guard.cli import main

def score(pairs, config):
    time.sleep(0.1)
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{len(pairs)}\\n")
    return Numbers().score([tuple(pair) for pair in pairs])

distributed.PIECE, distributed.PIECES_AT_ONCE, distributed.score = 16, 64, score
distributed.embed = lambda texts, config: Words().encode(texts)
main()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Documents in ./docs, and a path on which workers find the fakes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    documents(Path("docs"), 30)
    return tmp_path


@pytest.fixture
def fakes(folder, monkeypatch):
    """The fakes in place of both models, here and on workers, which take few pairs at a time."""
    monkeypatch.setattr("guard.audit.engine.steady_model", lambda config: Numbers())
    monkeypatch.setattr("detectors.encoder.load", lambda *_: Words())
    monkeypatch.setattr(distributed, "PIECE", 16)
    monkeypatch.setattr(distributed, "PIECES_AT_ONCE", 64)
    monkeypatch.setattr(distributed, "embed", lambda texts, config: Words().encode(texts))


def no_model(*_):
    pytest.fail("a model was loaded here")


@pytest.mark.clients
@needs_ray
def test_the_report_has_the_bytes_of_one_process(cli, folder, monkeypatch):
    examples = ROOT / "examples" / "documents"
    alone = cli("audit", examples, "--no-cache", "--format", "json")
    monkeypatch.setattr("guard.audit.cache.steady_model", no_model)
    monkeypatch.setattr("detectors.encoder.load", no_model)
    spread = cli("audit", examples, "--ray", "local", "--format", "json")
    assert spread.out == alone.out and spread.code == alone.code == 1
    assert len(json.loads(spread.out)["findings"]) > 5
    kept = cli("audit", examples, "--format", "json")
    assert kept == alone, "what workers computed is in the cache of this machine"


@pytest.mark.clients
@needs_ray
def test_a_worker_that_dies_is_replaced(cli, fakes, folder, monkeypatch):
    alone, died = cli("audit", "docs", "--no-cache"), folder / "died"

    def score(pairs, config):
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Numbers().score([tuple(pair) for pair in pairs])

    monkeypatch.setattr(distributed, "score", score)
    spread = cli("audit", "docs", "--ray", "local", "--cache-dir", RAY.parent)
    assert died.exists() and (spread.out, spread.code) == (alone.out, 1) and "value 0.9" in spread.out
    assert not RAY.exists() and RAY.parent.exists(), "Parquet files are not needed any more"


@pytest.mark.parametrize(
    ("failure", "message"), [("dies", "worker died"), ("raises", "no model here")], ids=["dies", "raises"]
)
@pytest.mark.clients
@needs_ray
def test_a_worker_that_always_fails_ends_the_audit(cli, fakes, monkeypatch, failure, message):
    def score(pairs, config):
        if failure == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("no model here")

    monkeypatch.setattr(distributed, "score", score)
    ran = cli("audit", "docs", "--ray", "local")
    assert (ran.code, ran.out) == (2, "") and message in ran.err.splitlines()[-1] and "Traceback" not in ran.err


@pytest.mark.clients
@needs_ray
def test_a_run_that_was_killed_goes_on_with_what_is_left(cli, fakes, monkeypatch):
    model = Numbers()
    monkeypatch.setattr("guard.audit.engine.steady_model", lambda config: model)
    monkeypatch.setattr("guard.audit.cache.steady_model", lambda config: model)
    cli("audit", "docs", "-o", "alone.json")
    command = [sys.executable, "-c", PROGRAM, "audit", "docs", "--ray", "local", "-o", "spread.json"]
    environment = {k: v for k, v in os.environ.items() if k != "PASSAGEGUARD_CACHE_DIR"}
    process, end = subprocess.Popen(command, env={**environment, "LOG": "first.log"}), time.monotonic() + 300
    while len(scores()) < 4 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    broken, *whole = scores().items()
    broken[0].write_bytes(b"PAR1 and no more")
    kept = sum(rows for _, rows in whole)
    subprocess.run(command, env={**environment, "LOG": "second.log"}, check=False, timeout=300)
    assert Path("spread.json").read_bytes() == Path("alone.json").read_bytes()
    scored = sum(map(int, Path("second.log").read_text().split()))
    assert 0 < scored <= model.calls - kept < model.calls, "workers of the first run may have gone on for a moment"


def scores():
    """Return how many scores each whole Parquet file holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = {}
    for file in RAY.glob("*/*.parquet"):
        with contextlib.suppress(pa.ArrowInvalid, OSError):
            rows = pq.read_table(file)["row"]
            found |= {file: len(rows)} if len(rows[0]) == 3 else {}
    return found


@pytest.mark.clients
@needs_ray
def test_two_runs_do_not_share_their_files(cli, fakes):
    with Workers("local", RAY.parent, GuardConfig()):
        ran = cli("audit", "docs", "--ray", "local", "--cache-dir", RAY.parent)
    assert ran.code == 2 and "another audit" in ran.err


@pytest.mark.clients
@needs_ray
@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:1"])
def test_an_address_without_a_cluster_is_an_error_at_once(cli, folder, address):
    ran = cli("audit", "docs", "--ray", address)
    assert (ran.code, ran.out) == (2, "") and f"--ray {address}: no Ray cluster there" in ran.err


def test_without_ray_the_error_names_the_extra(cli, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = cli("audit", "docs", "--ray", "local")
    assert (ran.code, ran.out) == (2, "") and "pip install 'passageguard[ray]'" in ran.err


@pytest.mark.parametrize("other", ["--no-cache", "--dry-run"])
def test_what_does_not_go_with_ray_is_refused(cli, folder, other):
    ran = cli("audit", "docs", "--ray", "local", other)
    assert ran.code == 2 and f"contradictory settings: --ray and {other}" in ran.err
