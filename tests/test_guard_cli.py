"""The command line: exit codes, clean stdout, one-line errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from guard.audit.readers import read

ROOT = Path(__file__).parent.parent
PAIR = '["The trial lasts 14 days.", "The trial lasts 30 days."]'


def run(*args, stdin=""):
    code = "from guard.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], input=stdin.encode(), capture_output=True, cwd=ROOT
    )


def test_check_reads_stdin_and_prints_pure_json():
    ran = run("check", "-", "--format", "json", stdin=PAIR)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["conflicts"][0]["type"] == "value"


def test_check_exits_zero_when_clean():
    assert run("check", "-", stdin='["The gate is red.", "Granite is a rock."]').returncode == 0


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        (["check", "-"], "[]", "no passages"),
        (["check", "-"], '["one"]', "one passage"),
        (["check", "-"], '[{"id": "a", "text": 5}, "b"]', "must be a string"),
        (["check", "-"], '[{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]', "duplicate passage id"),
        (["check", "-"], "{", "not valid JSON"),
        (["check", "-"], "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "JSON"),
        (["check", "-", "--detectors", "telepathy"], PAIR, "unknown detector"),
        (["check", "-", "--model", "/no/such/model"], PAIR, "no model directory"),
        (["check", "-", "--threshold", "7"], PAIR, "threshold"),
        (["audit", "no-such-folder"], "", "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(args, stdin, message):
    ran = run(*args, stdin=stdin)
    assert ran.returncode == 2, ran.stderr
    assert message in ran.stderr.decode() and "Traceback" not in ran.stderr.decode()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pdf", b"%PDF-1.4 broken", "broken PDF"),
        ("a.txt", b"\x00\x01\x02", "binary file"),
        ("a.md", b"caf\xe9 is not UTF-8", "byte 3"),
        ("a.docx", b"PK broken", "docx"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    ran = run("audit", tmp_path)
    assert ran.returncode == 2 and message in ran.stderr.decode() and "Traceback" not in ran.stderr.decode()


def test_an_unreadable_file_does_not_stop_the_audit_of_the_rest(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x00\x01")
    (tmp_path / "b.md").write_text("The trial lasts 14 days.")
    (tmp_path / "c.html").write_text("<h1>Trial</h1><div>Note.<p>The trial lasts 30 days.</p></div>")
    ran = run("audit", tmp_path, "--format", "json")
    report = json.loads(ran.stdout)
    assert ran.returncode == 1 and len(report["findings"]) == 1 and "binary file" in report["errors"][0]


def test_html_keeps_nested_and_loose_text(tmp_path):
    path = tmp_path / "x.html"
    path.write_text("<div>Loose.<p>Para.</p></div><ul><li>Outer.<ul><li>Inner.</li></ul></li></ul>")
    text = " ".join(p.text for p in read(path).passages)
    assert all(word in text for word in ("Loose.", "Para.", "Outer.", "Inner."))


def test_doctor_finds_everything_in_place():
    ran = run("doctor")
    assert ran.returncode == 0 and b"found and loaded" in ran.stdout
