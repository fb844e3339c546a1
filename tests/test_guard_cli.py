"""The commands: exit codes, pure stdout, readable reports, what the help teaches."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from detectors import nli
from detectors.evidence import Conflict, ConflictType, Span
from guard.cli import doctor, options, render

ROOT = Path(__file__).parent.parent
PAIR = '["The trial lasts 14 days.", "The trial lasts 30 days."]'
CALM = '["The gate is red.", "Granite is a rock."]'
OLD, NEW = "The trial lasts 14 days.\n", "The trial lasts 30 days.\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Documents with one contradiction across files and one within; run from beside them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("---\ndate: 2023-01-01\n---\n# Trial\n\n" + OLD)
    (tmp_path / "docs" / "b.md").write_text("---\ndate: 2024-01-01\n---\n# Trial\n\nWelcome.\nGood to see you.\n" + NEW)
    (tmp_path / "docs" / "c.txt").write_text("The pump weighs 3 kg. Keep it dry, please. The pump weighs 9 kg.\n")
    return tmp_path


# check


def test_check_prints_the_clash_the_quotes_the_losses_and_the_action(cli):
    passages = [
        {"id": "old", "text": OLD.strip(), "date": "2023"},
        {"id": "new", "text": NEW.strip(), "date": "2024"},
        {"id": "de", "text": "Der Vertrag ist nicht gültig und wird mit dem Ende des Jahres aufgelöst."},
    ]
    ran = cli("check", "-", "--action", "drop", stdin=json.dumps(passages))
    assert ran.code == 1 and ran.err == ""
    assert ran.out.splitlines() == [
        ran.out.splitlines()[0],
        "    new",
        "      The trial lasts 30 days.",
        "                      ^^",
        "    old",
        "      The trial lasts 14 days.",
        "                      ^^",
        "",
        "old (dropped) gives way to new: the other passage has the later date [date]",
        "not checked: de: not English (looks like German); the model was trained on English",
        "conflict: 3 passages, 1 conflict, action drop",
    ]
    assert ran.out.startswith("  value ") and '"30 days" against "14 days"' in ran.out


def test_check_prints_pure_json(cli):
    ran = cli("check", "-", "--format", "json", stdin=PAIR)
    report = json.loads(ran.out)
    assert ran.code == 1 and report["version"] == 1 and report["conflicts"][0]["type"] == "value"
    assert [p["disposition"] for p in report["passages"]] == ["annotated", "annotated"]


@pytest.mark.parametrize(
    ("options", "stdin", "code"),
    [
        ([], CALM, 0),
        ([], PAIR, 1),
        (["--exit-zero"], PAIR, 0),
        (["--fail-on", "never"], PAIR, 0),
        (["--fail-on", "any"], PAIR, 1),
        (["--self"], '["The tank holds 5 litres. It is blue. The tank holds 7 litres."]', 1),
        (["--threshold", "1"], CALM, 0),
        (["--detectors", "values", "--threshold", "0.5"], PAIR, 1),
    ],
)
def test_check_exits_by_what_was_found(cli, options, stdin, code):
    assert cli("check", "-", *options, stdin=stdin).code == code


def test_check_reads_text_files_json_and_lines_with_a_question(cli, tmp_path):
    (tmp_path / "a.txt").write_text(OLD)
    (tmp_path / "b.md").write_text(NEW)
    ran = cli("check", tmp_path / "a.txt", tmp_path / "b.md", "--format", "json")
    assert [p["id"] for p in json.loads(ran.out)["passages"]] == [str(tmp_path / n) for n in ("a.txt", "b.md")]
    lines = (
        '{"page_content": "Yes, a pear would float, as it is less dense than water.", "id": "y"}\n"Granite is hard."'
    )
    ran = cli("check", "-", "--format", "json", stdin=lines)
    assert [p["id"] for p in json.loads(ran.out)["passages"]] == ["y", "2"]
    asked = {
        "question": "Would a pear float in water?",
        "passages": [
            "Yes, a pear would float in water, because it is less dense than water.",
            "A pear would not float in water. It is heavier than water and sinks at once.",
        ],
    }
    assert cli("check", "-", stdin=json.dumps(asked)).code == 1


def test_output_goes_to_a_file_and_nothing_to_stdout(cli, tmp_path):
    ran = cli("check", "-", "-o", tmp_path / "out.json", "--format", "json", stdin=PAIR)
    assert (ran.code, ran.out) == (1, "")
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["status"] == "conflict"


# audit


def test_audit_groups_findings_by_document_with_exact_lines_and_the_preferred_side(cli, folder):
    ran = cli("audit", "docs")
    assert ran.code == 1 and ran.err == ""
    lines = ran.out.splitlines()
    across = lines.index("docs/a.md ↔ docs/b.md")
    assert {*lines[across + 2 : across + 9]} == {
        "    docs/a.md:6  Trial",
        "      The trial lasts 14 days.",
        "    docs/b.md:8  Trial",
        "      The trial lasts 30 days.",
        "                      ^^",
        "    prefer docs/b.md: it has the later date: 2024-01-01 against 2023-01-01",
    }
    within = lines.index("docs/c.txt")
    assert lines[within + 2] == lines[within + 5] == "    docs/c.txt:1"
    assert lines[-1] == "3 documents, 3 passages, 2 findings"


def test_audit_as_json_says_where_and_which_side_to_prefer(cli, folder):
    report = json.loads(cli("audit", "docs", "--format", "json").out)
    assert report["documents"] == [{"path": f"docs/{n}", "passages": 1} for n in ("a.md", "b.md", "c.txt")]
    (across,) = [f for f in report["findings"] if f["a"]["path"] != f["b"]["path"]]
    assert {(across[s]["path"], across[s]["line"], across[s]["heading"]) for s in "ab"} == {
        ("docs/a.md", 6, "Trial"), ("docs/b.md", 8, "Trial"),
    }  # fmt: skip
    reason = "it has the later date: 2024-01-01 against 2023-01-01"
    assert across["preferred"] in [
        {"passage_id": "docs/b.md#1", "side": side, "rule": "date", "reason": reason} for side in "ab"
    ]
    assert across[across["preferred"]["side"]]["path"] == "docs/b.md"
    assert (report["status"], report["errors"], report["warnings"], report["unverified"]) == ("conflict", [], [], [])


def test_findings_come_with_the_highest_score_first(cli):
    report = json.loads(cli("audit", ROOT / "examples" / "documents", "--format", "json").out)
    scores = [f["score"] for f in report["findings"]]
    assert len(scores) > 5 and scores == sorted(scores, reverse=True)


def test_the_planted_quotes_are_reported_at_their_true_lines(cli):
    """Against the examples' own files: the reported line of a text file holds the quote."""
    report = json.loads(cli("audit", ROOT / "examples" / "documents", "--format", "json").out)
    seen = 0
    for side in (f[s] for f in report["findings"] for s in "ab"):
        if side["path"].endswith((".md", ".txt", ".html", ".jsonl", ".csv")):
            line = Path(side["path"]).read_text(encoding="utf-8").split("\n")[side["line"] - 1]
            cell = max(side["text"].strip("| ").split(" | "), key=len)
            assert cell in line
            seen += 1
    assert seen > 15


def test_a_document_supersedes_another_by_name_and_bad_metadata_is_a_warning(cli, folder):
    Path("docs/a.md").write_text("---\nsupersedes: ../docs/b.md\n---\n" + OLD)
    Path("docs/c.txt").write_text("---\ndate: last spring\nauthority: 9\n---\nWords.\n")
    ran = cli("audit", "docs")
    assert "prefer docs/a.md: it is declared to supersede the other" in ran.out
    (warning,) = [line for line in ran.out.splitlines() if line.startswith("warning: ")]
    assert "'docs/c.txt#1': metadata 'authority' is 9.0" in warning and "1 more in this file" in warning


def test_a_json_entry_supersedes_another_by_its_id(cli, tmp_path):
    entries = [{"id": "new", "text": NEW, "supersedes": ["old"]}, {"id": "old", "text": OLD}]
    (tmp_path / "a.json").write_text(json.dumps(entries))
    (finding,) = json.loads(cli("audit", tmp_path, "--format", "json").out)["findings"]
    assert finding["preferred"]["passage_id"].endswith("a.json#1") and finding["preferred"]["rule"] == "supersedes"


def test_an_unreadable_file_is_reported_and_the_rest_is_audited(cli, folder):
    Path("docs/d.txt").write_bytes(b"\x00\x01")
    Path("docs/e.md").write_text("")
    ran = cli("audit", "docs", "--format", "json")
    report = json.loads(ran.out)
    assert ran.code == 1 and len(report["findings"]) == 2
    assert [e.split(";")[0] for e in report["errors"]] == [
        "docs/d.txt: a binary file (NUL at byte 0)", "docs/e.md: empty: no text in it",
    ]  # fmt: skip
    text = cli("audit", "docs").out
    assert "not read: docs/e.md: empty: no text in it\n" in text and text.endswith("2 findings, 2 unread files\n")


def test_unreadable_files_alone_are_an_error(cli, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 broken")
    for path, message in ((tmp_path, "a broken PDF"), (tmp_path / "none", "no such file or directory")):
        ran = cli("audit", path)
        assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1
    (tmp_path / "empty").mkdir()
    assert "no readable document found" in cli("audit", tmp_path / "empty").err


@pytest.mark.parametrize(
    ("options", "code"), [([], 1), (["--exit-zero"], 0), (["--fail-on", "never"], 0), (["--min-score", "1"], 0)]
)
def test_audit_exits_by_what_was_found(cli, folder, options, code):
    assert cli("audit", "docs", *options).code == code


def test_progress_is_drawn_on_a_terminal_only_and_never_on_stdout(cli, folder):
    here, there = pty.openpty()
    with os.fdopen(there, "w") as terminal:
        ran = cli("audit", "docs", "--format", "json", stderr=terminal)
        terminal.flush()
        drawn = os.read(here, 100_000).decode(errors="ignore")  # may end inside a character
    os.close(here)
    assert "comparing sentences" in drawn
    assert json.loads(ran.out)["status"] == "conflict" and "\x1b" not in ran.out


# Rendering


def finding(a, b):
    return Conflict(ConflictType.VALUE, 0.9, Span("a", 0, len(a), a), Span("b", 0, len(b), b), "x", ())


def rendered(a, b, **settings):
    with open(os.devnull, "w") as nowhere:
        console = Console(file=nowhere, highlight=False, record=True, **settings)
        render.finding(console, finding(a, b), lambda span: span.passage_id)
        return console.export_text(styles="force_terminal" in settings)


def test_differing_words_have_carets_below_them_where_there_is_no_terminal():
    lines = rendered("It costs EUR 1,490 here.", "Today it costs EUR 1,690 here!").split("\n")
    quote, carets = lines[2], lines[3]
    assert [quote[i] for i, c in enumerate(carets) if c == "^"] == list("1,490")
    assert lines[6].count("^") == len("Today") + len("1,690")


def test_differing_words_are_bold_on_a_terminal_which_wraps_and_indents():
    shown = rendered("The trial lasts 14 days. " + "word " * 40, "The trial lasts 30 days.",
                     force_terminal=True, width=60, color_system="standard")  # fmt: skip
    assert "\x1b[1;4m14\x1b[0m" in shown and "^" not in shown
    assert sum(line.startswith("      word") for line in shown.split("\n")) >= 3


def test_an_enormous_quote_is_cut_around_its_difference():
    shown = rendered("same " * 5000 + "14 end", "same " * 5000 + "30 end")
    assert max(map(len, shown.split("\n"))) < 700
    wide = rendered("same " * 1000 + "14 end", "same " * 1000 + "30 end").split("\n")
    assert wide[3].strip() == "^^" and wide[2][wide[3].index("^") :].startswith("14 end")


def test_control_characters_cannot_steer_a_terminal(cli):
    stdin = json.dumps([{"id": "a\x1b[2J", "text": "The trial\x1b[31m lasts 14 days."}, "The trial lasts 30 days."])
    ran = cli("check", "-", stdin=stdin)
    assert ran.code == 1 and "\x1b" not in ran.out and "a\ufffd[2J" in ran.out


# doctor


def test_doctor_finds_everything_in_place(cli):
    ran = cli("doctor")
    assert ran.code == 0 and "found the planted conflict (value" in ran.out and ran.out.endswith("0 problems\n")
    report = json.loads(cli("doctor", "--format", "json").out)
    assert report["ok"] and report["problems"] == []
    assert report["model"]["path"] == str(nli.BUNDLED) and len(report["model"]["revision"]) == 16
    assert report["model"]["precision"] in ("float32", "bfloat16") and report["model"]["device"]
    assert Path(report["packages"]["guard"]) == ROOT / "guard" and report["versions"]["torch"]


def test_doctor_names_an_intruder_and_a_missing_package(cli, tmp_path, monkeypatch):
    (tmp_path / "server.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "server", raising=False)
    places = {**{name: ROOT / name for name in doctor.PACKAGES}, "decoding": None}
    assert doctor.origin("server") == tmp_path / "server.py"
    places["server"] = doctor.origin("server")
    missing, intruder = doctor.origin_problems(places)
    assert "'decoding' is not installed" in missing.what
    assert str(tmp_path / "server.py") in intruder.what and "rename" in intruder.advice
    ran = cli("doctor")
    assert ran.code == 1 and f"problem: package 'server' is shadowed by {tmp_path / 'server.py'}" in ran.out
    assert "what to do: " in ran.out and ran.out.endswith("1 problem\n")


def test_doctor_finds_broken_weights_and_a_model_that_answers_wrongly(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(nli, "BUNDLED", tmp_path)
    nli.load.cache_clear()
    ran = cli("doctor", "--format", "json")
    nli.load.cache_clear()
    (problem,) = json.loads(ran.out)["problems"]
    assert ran.code == 1 and "cannot load the NLI model" in problem["what"] and "again" in problem["advice"]
    monkeypatch.undo()
    monkeypatch.setattr(doctor, "OTHER", doctor.SAME)
    ran = cli("doctor")
    assert ran.code == 1 and "did not find its one conflict" in ran.out


# Help and start


@pytest.mark.parametrize("command", ["check", "audit", "doctor"])
def test_help_teaches_examples_exit_codes_and_the_json(cli, command):
    ran = cli(command, "--help")
    assert ran.code == 0 and f"passageguard {command}" in ran.out
    for taught in ("Examples:", "Exit codes: 0", "JSON output:", '"version": 1', "--format"):
        assert taught in ran.out


def test_help_without_a_command_and_the_version(cli):
    bare, asked = cli(), cli("--help")
    assert bare.code == 2 and asked.code == 0 and bare.out.strip() == asked.out.strip()
    assert all(command in asked.out for command in ("check", "audit", "doctor"))
    assert cli("--version").out.startswith("passageguard 0.")


def test_help_loads_no_model_library():
    code = (
        "import sys\nfrom guard.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'faiss', 'fastapi'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, cwd=ROOT, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.model
def test_the_command_itself_keeps_both_streams_clean():
    """One run in a process of its own: the libraries' bars and notes must not show."""
    ran = subprocess.run(
        [sys.executable, "-c", "from guard.cli import main; main()", "check", "-", "--format", "json"],
        input=PAIR.encode(), capture_output=True, cwd=ROOT,
    )  # fmt: skip
    assert ran.returncode == 1 and ran.stderr == b"" and json.loads(ran.stdout)["status"] == "conflict"


def test_a_locale_without_the_characters_still_gets_its_report(folder):
    ran = subprocess.run(
        [sys.executable, "-c", "from guard.cli import main; main()", "audit", "--help"],
        capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert ran.returncode == 0 and ran.stderr == b""


def test_json_is_escaped_where_the_stream_is_not_utf_8(tmp_path):
    with (tmp_path / "x").open("w", encoding="latin-1") as stream:
        options.write_json({"a": "Größe \U0001f600 ›"}, stream)
    assert json.loads((tmp_path / "x").read_bytes()) == {"a": "Größe \U0001f600 ›"}
