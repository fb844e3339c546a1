"""docs/proxy.md: its settings are taken, its commands parse, its answers are real, and nothing is left out."""

import contextlib
import json
import re
import shlex
import tomllib
from dataclasses import fields
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from serving import FIXTURES, answering

from guard import Guard
from server import routes
from server.config import ServerConfig, load
from server.metrics import Counter, Histogram, Metrics

serve, upstream, shared_upstream, logged = FIXTURES

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "proxy.md").read_text(encoding="utf-8")


def blocks(language, name=None):
    marked = rf"<!-- {name} -->\n" if name else ""
    return re.findall(rf"{marked}```{language}\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_settings_of_the_page_are_taken(text, tmp_path):
    file = tmp_path / "server.toml"
    file.write_text(text, encoding="utf-8")
    config = load({}, {}, file)
    assert config.upstream or config.local_model or config.retrievers()


def test_the_commands_of_the_page_parse(cli, monkeypatch):
    entries = EntryPoints([EntryPoint("serve", "server.command:serve", "passageguard.commands")])
    monkeypatch.setattr("guard.cli.entry_points", entries.select)
    served = []
    monkeypatch.setattr("server.command.run", served.append)
    commands = [line for text in blocks("bash") for line in text.splitlines() if line.startswith("passageguard ")]
    for command in commands:
        assert cli(*shlex.split(command)[1:]).code == 0
    assert len(served) == len(commands) == 4


@pytest.mark.model
def test_the_answers_of_the_page_are_real(serve, upstream):
    (route,), (given,), (returned,) = blocks("toml", "route"), blocks("json", "given"), blocks("json", "returned")
    table = tomllib.loads(route)["routes"][0] | {"upstream": upstream.url.removesuffix("/v1")}
    upstream.script = answering(given.encode())
    client = serve(Guard(), upstream=None, routes=(table,), deadline_s=30.0)
    got = client.post("/indexes/hr/search", json={"q": "How many days?"}, timeout=60)
    assert json.loads(re.sub(r"PassageGuard [0-9a-f]{10}", "PassageGuard 0123456789", got.text)) == json.loads(returned)
    assert got.headers["x-passageguard-verdict"] == "annotated"


def test_litellms_configuration_is_yaml_and_its_file_python():
    yaml = pytest.importorskip("yaml")
    ((guardrail,),) = (yaml.safe_load(text)["guardrails"] for text in blocks("yaml"))
    assert guardrail["litellm_params"]["mode"] == "pre_call"
    for text in blocks("python"):
        compile(text, "page", "exec")


def test_every_setting_metric_and_preset_is_on_the_page():
    parts = [m for m in vars(Metrics()).values() if isinstance(m, (Counter, Histogram))]
    names = [*(f.name for f in fields(ServerConfig)), *(m.name for m in parts), *routes.PRESETS, *routes.FIELDS]
    assert [n for n in names if not re.search(rf"[`\s{{]{n}[`\s*]", PAGE)] == []


def test_the_defaults_on_the_page_are_the_defaults():
    table = PAGE.partition("| setting | default |")[2]
    checked = 0
    for names, values in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", table, re.M):
        for name, value in zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=False):
            with contextlib.suppress(ValueError):
                assert float(value) == getattr(ServerConfig(), name), name
                checked += 1
    assert checked >= 12


def test_the_container_files_name_what_is_there():
    yaml = pytest.importorskip("yaml")
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert all((ROOT / name).exists() and f"!{name}" in ignored for name in copied)
    assert {"guard", "detectors", "decoding", "server"} <= set(copied)
    entry = json.loads(next(line for line in lines if line.startswith("ENTRYPOINT")).removeprefix("ENTRYPOINT "))
    assert entry[:2] == ["passageguard", "serve"]
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["passageguard"]
    variables = {name.removeprefix("PASSAGEGUARD_").lower() for name in service["environment"]}
    assert variables <= {f.name for f in fields(ServerConfig)}
