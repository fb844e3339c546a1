"""Real clients against ``passageguard serve``, each in its own environment; ``tests/clients/proxy.py`` runs all.

The server runs as a process with the bundled model and the small language model, in front of upstreams that listen.  A
client's script asserts what it sees, and fails by its exit code.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from clients import proxy, upstreams

pytestmark = pytest.mark.clients

ROOT = Path(__file__).parent.parent
START = """
import pathlib, sys
from server.command import run
from server.config import load
run(load({"port": int(sys.argv[2])}, {}, pathlib.Path(sys.argv[1])))
"""
PATIENCE_S = 900  # a busy machine takes its time to import torch, and schemathesis asks thousands of times
CONFIG = """
upstream = "{upstream}/v1"
local_model = "examples/small_lm"
deadline_s = 60.0

[[routes]]
preset = "elasticsearch"
upstream = "{upstream}"
mount = "/elastic"

[[routes]]
preset = "qdrant"
upstream = "{upstream}"
mount = "/qdrant"

[[routes]]
preset = "chroma"
upstream = "http://127.0.0.1:{chroma}"
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The environment for a script: where the server, its upstream and Chroma are."""
    upstream, chroma = upstreams.start(), str(free_port())
    url = f"http://127.0.0.1:{upstream.server_port}"
    with started(CONFIG.format(upstream=url, chroma=chroma), tmp_path_factory.mktemp("served")) as server:
        yield {"SERVER": server, "UPSTREAM": url, "CHROMA_PORT": chroma}
    upstream.shutdown()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The environment for a script: where a server with nothing but the local model is."""
    with started('local_model = "examples/small_lm"\n', tmp_path_factory.mktemp("alone")) as server:
        yield {"ALONE": server}


@contextlib.contextmanager
def started(config, folder):
    """Run the server; yield its address once its models are loaded."""
    file, log, port = folder / "server.toml", folder / "log", free_port()
    file.write_text(config)
    with log.open("w") as stderr:
        process = subprocess.Popen([sys.executable, "-c", START, str(file), str(port)], cwd=ROOT, stderr=stderr)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None and not is_ready(f"http://127.0.0.1:{port}"):
            time.sleep(0.5)
        assert is_ready(f"http://127.0.0.1:{port}"), log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def is_ready(server):
    try:
        return httpx.get(f"{server}/readyz", trust_env=False, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("name", proxy.CLIENTS)
def test_a_real_client(name, request, tmp_path):
    folder = os.environ.get(proxy.FOLDER)
    command = proxy.command(name, Path(folder)) if folder else None
    if command is None:
        pytest.skip(f"{name} is not installed; run tests/clients/proxy.py --only {name}")
    if name in proxy.JAVASCRIPT:  # Node looks for packages beside the script
        shutil.copy(proxy.script(name), command[-1])
    fixtures = ["served", "alone"] if name == "schemathesis" else ["served"]
    places = {k: v for fixture in fixtures for k, v in request.getfixturevalue(fixture).items()}
    environment = {"PATH": f"{Path(command[0]).parent}:{os.environ['PATH']}", "HOME": os.environ["HOME"], **places}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )  # some write where they are
    assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-6000:]}"
