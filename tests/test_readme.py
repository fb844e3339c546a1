"""What the README shows is what the commands print: every console block is run and compared.

Scores may differ in the last digits between processors, so numbers such as 0.97 are compared within 0.05.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.S)
LINKS = re.findall(r"\]\((?!https?://|#)([^)#]+)", README)
SCORE = re.compile(r"\b[01]\.\d\d\b")


def examples():
    """Yield (command, expected output); a command may go on over lines that end in a backslash."""
    for block in CONSOLE:
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            match = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n(.*)", part, re.S)
            yield match[1], match[2]


@pytest.mark.model
@pytest.mark.parametrize(("command", "expected"), examples())
def test_a_command_prints_what_the_readme_shows(command, expected):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert ran.returncode in (0, 1), ran.stderr
    shown, printed = (re.sub(r"[ \t]+$", "", text, flags=re.M).strip() for text in (expected, ran.stdout))
    assert SCORE.sub("#", printed) == SCORE.sub("#", shown)
    for a, b in zip(SCORE.findall(printed), SCORE.findall(shown), strict=True):
        assert abs(float(a) - float(b)) <= 0.05


def test_there_are_examples_and_every_link_leads_to_a_file():
    assert len(list(examples())) >= 2
    assert LINKS and all((ROOT / link).exists() for link in LINKS)


def test_the_readme_names_every_command_detector_action_and_look_alike():
    from guard import Action, WhyNot
    from guard.cli import app
    from guard.config import DETECTORS

    commands = [command.name for command in app.registered_commands]
    for name in (*(f"passageguard {c}" for c in commands), *DETECTORS, *Action, *WhyNot):
        assert f"`{name}" in README, name
