"""docs/answering.md: every command and program prints what the page says, the table of the gate is that of the code."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from guard import answer_gate

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "answering.md").read_text(encoding="utf-8")
CONSOLES = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.S)
SCORE = re.compile(r"[a-z]+ 0\.\d\d ")  # begins the line of a finding
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def same(found, expected):
    """Whether texts agree but for decimals: those differ a little by processor, a finding's score by calibration."""
    lines = [[" ".join(line.split()) for line in text.strip().splitlines()] for text in (found, expected)]
    return len(lines[0]) == len(lines[1]) and all(map(alike, *lines))


def alike(found, expected):
    near = 0.1 if SCORE.match(expected) else 0.03
    return NUMBER.sub("#", found) == NUMBER.sub("#", expected) and all(
        a == b or ("." in b and abs(float(a) - float(b)) < near)
        for a, b in zip(NUMBER.findall(found), NUMBER.findall(expected), strict=True)
    )


@pytest.mark.parametrize(("command", "expected"), CONSOLES, ids=[c[:60] for c, _ in CONSOLES])
def test_the_command_prints_what_the_page_says(cli, monkeypatch, command, expected):
    monkeypatch.chdir(ROOT)
    program, *args = shlex.split(command)
    assert program == "passageguard"
    ran = cli(*args)
    assert ran.err == "" and same(ran.out, expected), ran.out


def test_the_program_prints_what_the_page_says(monkeypatch):
    monkeypatch.chdir(ROOT)
    [(program, expected)] = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", PAGE, re.S)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program, {})
    assert same(out.getvalue(), expected), out.getvalue()


def test_there_is_something_to_run():
    assert len(CONSOLES) >= 3


def test_the_table_of_the_gate_is_that_of_the_module():
    def rows(text):
        cells = ([c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|"))
        joined: list[list[str]] = []
        for row in cells:
            if set("".join(row)) == {"-"}:
                continue
            if row[1:] == [""] * (len(row) - 1):  # a cell that goes on in the line below
                joined[-1][0] += f" {row[0]}"
            else:
                joined.append(row)
        return joined

    table = PAGE.split("<!-- the gate -->")[1].split("\n\n")[0]
    assert rows(table) == rows(answer_gate.__doc__) != []
