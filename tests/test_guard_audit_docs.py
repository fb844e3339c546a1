"""docs/audit.md says what is so: its commands print what it shows, its settings exist, its workflow runs.

Scores may differ in the last digits between processors, and rates between runs, so such numbers are not compared.
"""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from detectors.evidence import ConflictType
from guard.audit import formats
from guard.audit.findings import Severity
from guard.audit.readers import SUFFIXES
from guard.audit.suppressions import COMMENTS
from guard.cli import settings

PAGE = (Path(__file__).parent.parent / "docs" / "audit.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\b[01]\.\d\d\b|\d+ seconds?|[\d,]+ pairs/s")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def steps():
    """Yield (command, what the page shows)."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown


@pytest.mark.model
@pytest.mark.skipif(not shutil.which("git"), reason="no git")
def test_a_day_of_work_goes_as_the_page_says(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(variable, "a@example.org")
    subprocess.run(["git", "init", "-q"], check=True)
    for command, shown in steps():
        program, *arguments = shlex.split(command)
        if program == "passageguard":
            ran = cli(*arguments)
            printed = ran.out + ran.err
        else:
            printed = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True).stdout
        assert VARIABLE.sub("#", printed).rstrip("\n") == VARIABLE.sub("#", shown).rstrip("\n"), command
    assert Path("report.html").read_text(encoding="utf-8").count("<article") == 1


def test_the_settings_the_page_shows_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (shown,) = blocks("toml")
    Path("pyproject.toml").write_text(shown)
    assert settings.defaults()["audit"].keys() == {"baseline_file", "reviews_file", "exclude", "min_score", "fail_on"}
    further = set(re.findall(r"`([a-z-]+)`", re.search(r"^Further: (.*)$", PAGE, re.M)[1]))
    assert further | set(tomllib.loads(shown)["tool"]["passageguard"]) == set(settings.OPTIONS["audit"])


def test_the_workflow_calls_the_command_with_options_that_it_has(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (shown,) = blocks("yaml")
    commands = re.findall(r"run: passageguard (.*)", shown)
    assert len(commands) == 2
    for command in commands:
        assert "docs: no such file" in cli(*shlex.split(command.replace("--since origin/main ", ""))).err


def test_every_format_type_severity_kind_of_file_and_comment_is_on_the_page():
    for name in (*formats.NAMES, *ConflictType, *Severity):
        assert f"`{name}`" in PAGE, name
    for suffix in (*SUFFIXES, *COMMENTS):
        name = suffix[1:].replace("markdown", "md").replace("htm", "html").replace("htmll", "html")
        assert re.search(rf"\b{name}\b", PAGE), name
