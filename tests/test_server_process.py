"""``passageguard serve`` as a process with the bundled model: what the README shows, real clients, and its end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.model

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
import guard.cli
from server.command import serve
guard.cli.app.command("serve")(serve)
guard.cli.main()
"""
PAIR = [{"id": "terms", "text": "Refunds take 14 days."}, {"id": "faq", "text": "Refunds take 30 days."}]


class Model(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that answers with the number of notes that it was given."""

    protocol_version = "HTTP/1.1"
    slow_s = 0.0

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        time.sleep(self.slow_s)
        said = f"{len(re.findall('PassageGuard [0-9a-f]{10}:', asked))} notes"
        kind = "application/json"
        if json.loads(asked).get("stream"):
            kind = "text/event-stream"
            pieces = [{"role": "assistant", "content": ""}, *({"content": c} for c in said), {}]
            body = "".join(f"data: {json.dumps(self._reply('delta', p, '.chunk'))}\n\n" for p in pieces)
            body += "data: [DONE]\n\n"
        else:
            body = json.dumps(self._reply("message", {"role": "assistant", "content": said}, ""))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _reply(self, name, content, suffix):
        choice = {"index": 0, name: content, "finish_reason": None if content else "stop"}
        return {
            "id": "c", "object": f"chat.completion{suffix}", "created": 1, "model": "any", "choices": [choice],
        }  # fmt: skip

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment in which ``passageguard`` is this checkout's, on a free port, before a model that listens."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "passageguard").write_text(PROGRAM)
    (folder / "passageguard").chmod(0o755)
    model = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = f"{folder}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    upstream = f"http://127.0.0.1:{model.server_port}"
    settings = {"PORT": str(port), "UPSTREAM": upstream, "LOCAL_MODEL": "examples/small_lm"}
    yield {**os.environ, "PATH": path, **{f"PASSAGEGUARD_{name}": value for name, value in settings.items()}}
    model.shutdown()


@pytest.fixture(scope="module")
def server(environment):
    """A running server; yields (process, client)."""
    process = subprocess.Popen(["passageguard", "serve"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{environment['PASSAGEGUARD_PORT']}"
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield process, client
    process.kill()
    process.wait()


def block(name):
    (found,) = re.findall(rf"<!-- run: {name} -->\n```\w+\n(.*?)```", README, re.S)
    return found


def test_the_server_checks_with_the_bundled_model(server):
    _, client = server
    found = client.post("/v1/passageguard/check", json={"passages": PAIR}).json()
    (conflict,) = found["conflicts"]
    assert conflict["type"] == "value" and {conflict["a"]["passage_id"], conflict["b"]["passage_id"]} == {
        "terms",
        "faq",
    }
    calm = client.post("/v1/passageguard/check", json={"passages": [PAIR[0], "Granite is a rock."]})
    assert calm.headers["x-passageguard-verdict"] == "clean"


def test_the_block_of_the_readme_for_the_own_api(server, environment):
    lines = block("serve").replace("8780", environment["PASSAGEGUARD_PORT"]).splitlines()
    assert lines[0] == "passageguard serve &"
    ran = subprocess.run(["bash", "-c", "\n".join(lines[1:])], env=environment, capture_output=True, text=True)
    printed = set(ran.stdout.split("\n")) - {""}
    assert {line.strip() for line in printed} == {"x-passageguard-verdict: annotated", "x-passageguard-conflicts: 1"}
    assert all(line.strip() in README for line in printed)


@pytest.mark.clients
def test_the_block_of_the_readme_for_the_gateway(server, environment, monkeypatch, capsys):
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    exec(block("gateway").replace("8780", environment["PASSAGEGUARD_PORT"]), {})
    assert capsys.readouterr().out == "annotated 3 notes\n3 notes"


@pytest.mark.clients
def test_the_block_of_the_page_for_the_local_model(server, environment, capsys):
    pytest.importorskip("openai")
    page = (ROOT / "docs" / "proxy.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- run: local -->\n```python\n(.*?)```", page, re.S)
    (printed,) = re.findall(r"<!-- printed: local -->\n```text\n(.*?)```", page, re.S)
    exec(code.replace("8780", environment["PASSAGEGUARD_PORT"]), {})
    assert capsys.readouterr().out == printed


@pytest.mark.clients
def test_the_openai_client_streams_and_is_told_of_a_block(server):
    openai = pytest.importorskip("openai")
    _, http = server
    client = openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="sk-test", max_retries=2)
    asked = {"model": "any", "messages": [{"role": "user", "content": "How long?"}]}
    options = {"include_verdict": True}
    chunks = list(
        client.chat.completions.create(**asked, stream=True, extra_body={"documents": PAIR, "passageguard": options})
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "3 notes"
    assert [c.model_extra["passageguard"]["verdict"] for c in chunks if "passageguard" in c.model_extra] == [
        "annotated"
    ]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            **asked, extra_body={"documents": PAIR, "passageguard": {"on_conflict": "block"}}
        )
    assert caught.value.code == "context_conflict" and caught.value.param == "documents"
    assert caught.value.response.headers["x-passageguard-verdict"] == "blocked"


def test_sigterm_lets_a_request_finish_and_the_log_is_json(server, monkeypatch):
    process, client = server
    monkeypatch.setattr(Model, "slow_s", 0.7)
    answers = []
    asked = {"messages": [{"role": "user", "content": "canary7xq"}], "documents": PAIR}
    request = threading.Thread(target=lambda: answers.append(client.post("/v1/chat/completions", json=asked)))
    request.start()
    time.sleep(0.4)
    process.send_signal(signal.SIGTERM)
    request.join(10)
    assert process.wait(10) in (0, -signal.SIGTERM)
    assert answers[0].status_code == 200 and "3 notes" in answers[0].text
    lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert any(line["event"] == "request" and line.get("verdict") == "annotated" for line in lines)
    assert "canary7xq" not in str(lines) and "Refunds" not in str(lines)


def test_a_model_that_cannot_be_loaded_ends_the_server_with_one_line(environment, tmp_path):
    ran = subprocess.run(
        ["passageguard", "serve", "--model", str(tmp_path / "none"), "--port", "0"], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    last = ran.stderr.splitlines()[-1]
    assert ran.returncode == 2 and last.startswith("passageguard: error: ") and "none" in last
    assert "Traceback" not in ran.stderr


def test_a_port_that_is_taken_ends_the_server_with_one_line(environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = subprocess.run(
            ["passageguard", "serve", "--port", str(port)], cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
    (line,) = ran.stderr.splitlines()
    assert ran.returncode == 2 and line.startswith("passageguard: error: ") and f"127.0.0.1:{port}" in line


@pytest.mark.parametrize(("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_how_threads_wait_is_settled_before_torch_is_loaded(environment, given, policy):
    code = """
import os, sys
from guard.cli import main
from server import command

class Listener:
    def run(self):
        print(os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)

command.listener = lambda app, config: Listener()
sys.argv = ["passageguard", "serve", "--port", "0"]
main()
"""
    clean = {k: v for k, v in environment.items() if k != "OMP_WAIT_POLICY"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**clean, **given}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == [policy, "False"]


def test_a_warning_of_a_library_is_a_line_of_the_log(environment):
    code = "import warnings; from server.command import _log_to_stderr as log; log(); warnings.warn('old name')"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    (line,) = map(json.loads, ran.stderr.splitlines())
    assert line["level"] == "warning" and "old name" in line["event"]
