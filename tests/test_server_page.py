"""The page: what it may load, what it counts, and (with a browser) that it shows a verdict."""

import re
import shutil
import subprocess

import pytest
from serving import ANSWER, ASKED, CHAT, DOCUMENTS, FIXTURES, NEW, OLD, answering, eventually

from server import page

serve, upstream, shared_upstream, logged = FIXTURES

CHROMIUM = shutil.which("chromium")


def test_the_page_is_one_file_that_asks_nobody_else(serve):
    response = serve(upstream=None).get("/")
    text = response.text
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/html")
    assert re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", text) == ["data:,"]
    assert not re.search(r"https?://|@import|url\(|innerHTML|\bon\w+=|style=", text)
    assert re.findall(r'(?:fetch|ask)\("([^"]+)"', text) == [
        "/v1/passageguard/check",
        "/readyz",
        "/v1/passageguard/stats",
    ]


def test_the_policy_allows_the_files_own_script_and_style_alone(serve):
    response = serve(upstream=None).get("/")
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", response.text, re.S)
        assert policy[f"{tag}-src"] == page._hash([inside]) and "unsafe" not in policy[f"{tag}-src"]
    assert policy["connect-src"] == "'self'" and response.headers["x-content-type-options"] == "nosniff"


def test_a_retriever_at_the_root_keeps_its_root(serve, upstream):
    upstream.script = answering(b"{}", headers=("X-Elastic-Product: Elasticsearch",))
    client = serve(upstream=None, retriever=f"elasticsearch={upstream.url.removesuffix('/v1')}")
    assert client.get("/").headers["x-elastic-product"] == "Elasticsearch"
    assert "<title>PassageGuard" in client.get("/passageguard").text


def test_the_page_needs_no_key_and_its_counts_do(serve):
    client = serve(upstream=None, key="s3cret")
    assert client.get("/").status_code == client.get("/passageguard").status_code == 200
    assert client.get("/v1/passageguard/stats").status_code == 401
    assert client.get("/v1/passageguard/stats", headers={"X-Passageguard-Key": "s3cret"}).status_code == 200


def test_the_counts_hold_no_text(serve, upstream):
    upstream.script, client = answering(ANSWER), serve()
    canary = [{"id": "canary7xq", "text": f"canary7xq {OLD}"}, {"text": NEW}]
    client.post(CHAT, json={"messages": [{"role": "user", "content": "canary7xq"}], "documents": canary})
    client.post(CHAT, json={"messages": ASKED, "documents": DOCUMENTS[1:]})
    client.get("/v1/canary7xq?canary7xq=1", headers={"X-Request-Id": "canary7xq"})
    eventually(lambda: len(client.get("/v1/passageguard/stats").json()["recent"]) == 3)
    response = client.get("/v1/passageguard/stats")
    got = response.json()
    assert "canary" not in response.text and response.headers["cache-control"] == "no-store"
    assert got["verdicts"] == {"annotated": 1, "clean": 1} and got["conflicts"] == {"value": 1}
    newest, middle, oldest = got["recent"]
    assert newest["route"] == "pass_through" and newest["verdict"] is None
    assert (middle["verdict"], middle["passages"]) == ("clean", 2)
    facts = {k: oldest[k] for k in ("route", "status", "verdict", "conflicts", "passages")}
    assert facts == {"route": "chat", "status": 200, "verdict": "annotated", "conflicts": 1, "passages": 2}


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
@pytest.mark.parametrize("action", ["annotate", "drop"])
def test_a_browser_shows_the_verdict(serve, tmp_path, action):
    client = serve(upstream=None, on_conflict=action)
    ran = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
         "--virtual-time-budget=4000", "--enable-logging=stderr", "--dump-dom", f"{client.base_url}/#try"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "Content Security Policy" not in ran.stderr and "Uncaught" not in ran.stderr
    shown = ran.stdout.partition("<script>")[0]
    assert re.findall(r"<mark>(.*?)<sup", shown) == ["28 days", "25 days"]
    assert f"1 conflict; action: {action}" in shown and ("taken out" in shown) == (action == "drop")
    assert "<td" in shown and ">check</td>" in shown
