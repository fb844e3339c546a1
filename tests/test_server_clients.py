"""Real clients against ``passageguard serve``, each in its own environment; ``tests/clients/proxy.py`` runs all.

The server runs as a process with the bundled model and the small language model, in front of upstreams that listen.  A
client's script asserts what it sees, and fails by its exit code.
"""

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
PATIENCE_S = 300  # a busy machine takes its time to import torch
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
    upstream = upstreams.start()
    ports = {"PASSAGEGUARD_PORT": str(free_port()), "CHROMA_PORT": str(free_port())}
    url = f"http://127.0.0.1:{upstream.server_port}"
    config = tmp_path_factory.mktemp("served") / "server.toml"
    config.write_text(CONFIG.format(upstream=url, chroma=ports["CHROMA_PORT"]))
    log = config.with_name("log")
    with log.open("w") as stderr:
        start = [sys.executable, "-c", START, str(config), ports["PASSAGEGUARD_PORT"]]
        process = subprocess.Popen(start, cwd=ROOT, stderr=stderr)
    server = f"http://127.0.0.1:{ports['PASSAGEGUARD_PORT']}"
    try:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None and not is_ready(server):
            time.sleep(0.5)
        assert is_ready(server), log.read_text()
        yield {"SERVER": server, "UPSTREAM": url, **ports}
    finally:
        process.terminate()
        process.wait(30)
        upstream.shutdown()


def is_ready(server):
    try:
        return httpx.get(f"{server}/readyz", trust_env=False, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("name", proxy.CLIENTS)
def test_a_real_client(name, request):
    folder = os.environ.get(proxy.FOLDER)
    command = proxy.command(name, Path(folder)) if folder else None
    if command is None:
        pytest.skip(f"{name} is not installed; run tests/clients/proxy.py --only {name}")
    if name in proxy.JAVASCRIPT:  # Node looks for packages beside the script
        shutil.copy(proxy.script(name), command[-1])
    served = request.getfixturevalue("served")
    environment = {"PATH": f"{Path(command[0]).parent}:{os.environ['PATH']}", "HOME": os.environ["HOME"], **served}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-6000:]}"
