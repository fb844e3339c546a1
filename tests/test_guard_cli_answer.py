"""``passageguard answer`` and ``compare-decoding`` on the small model of the examples."""

import json
import re
from pathlib import Path

import pytest

from decoding import FORMULAS

ROOT = Path(__file__).parent.parent
SMALL = ROOT / "examples" / "small_lm"
QUESTIONS = ROOT / "benchmarks" / "compare_decoding" / "questions.jsonl"
ROWS = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]


@pytest.fixture
def ask(cli, tmp_path):
    """Return a function that writes a row of the questions as a file of passages and asks the small model."""

    def run(row_id, *args):
        [row] = [r for r in ROWS if r["id"] == row_id]
        file = tmp_path / "passages.json"
        file.write_text(json.dumps({"question": row["question"], "passages": row["passages"]}))
        return cli("answer", file, "--model", SMALL, *args)

    return run


def test_the_answer_comes_first_then_where_it_is_from(ask):
    ran = ask("0-agreeing")
    assert (ran.code, ran.err) == (0, "")
    answer, source, known, summary = ran.out.splitlines()
    assert answer == ROWS[0]["answers"][0] and source.startswith("from context (trust 1)")
    assert known.startswith(f"without passages: {answer!r}, knows (100% of 5") and summary.startswith("mean α 0.0")


def test_an_open_conflict_ends_in_one_line_that_names_it_and_exit_code_1(ask):
    ran = ask("0-poisoned", "--no-memory")
    assert ran.code == 1
    assert ran.out.startswith("No answer: ") and "'register'" in ran.out.splitlines()[0]
    assert ran.out.rstrip().endswith("action drop")


def test_json_and_output(ask, tmp_path):
    ran = ask("0-conflicting", "--format", "json", "--samples", "0", "-o", tmp_path / "answer.json")
    found = json.loads((tmp_path / "answer.json").read_text())
    assert ran.out == "" and found["gate"]["source"] == "context" and found["knowledge"] is None


def test_the_trace_is_a_page_or_json(ask, tmp_path):
    assert ask("0-conflicting", "--trace", tmp_path / "t.html").code == 0
    assert ask("0-conflicting", "--trace", tmp_path / "t.json", "--format", "json").code == 0
    told = json.loads((tmp_path / "t.json").read_text())
    page = (tmp_path / "t.html").read_text()
    assert page.count('role="listitem"') == len(told["trace"])
    assert "".join(step["text"] for step in told["trace"]).replace("</s>", "").strip() == told["text"]
    assert all(0 <= step["alpha"] <= 0.6932 for step in told["trace"])
    assert told["question"] in page


def test_explain_says_what_each_passage_did(ask, tmp_path):
    plain, ran = ask("0-poisoned", "--action", "report"), ask("0-poisoned", "--action", "report", "--explain")
    lines = ran.out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("what each passage did"))
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == [p["id"] for p in ROWS[5]["passages"]]
    assert lines[:start] + lines[start + 4 :] == plain.out.splitlines()
    told = json.loads(ask("0-poisoned", "--action", "report", "--explain", "--format", "json").out)
    for line, one in zip(lines[start + 1 : start + 4], told["attribution"], strict=True):
        assert line.split()[1] == f"{one['nats']:+.2f}" and one["passage"] == line.split()[0]
    ask("0-poisoned", "--action", "report", "--explain", "--trace", tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert page.count("data-nats=") == len(told["tokens"]) and "What each passage did" in page


def test_the_help_names_every_formula(cli):
    help = " ".join(cli("answer", "--help").out.replace("│", " ").split())
    *others, last = FORMULAS
    assert f"{', '.join(others)} or {last}." in help


def test_folders_are_read_and_no_file_at_all_is_closed_book(cli, tmp_path):
    [row] = [r for r in ROWS if r["id"] == "0-conflicting"]
    for passage in row["passages"]:
        (tmp_path / f"{passage['id']}.txt").write_text(passage["text"])
    (tmp_path / "picture.png").write_bytes(b"\0")
    ran = cli("answer", tmp_path, "--model", SMALL, "--question", row["question"], "--format", "json")
    assert [p["text"] for p in json.loads(ran.out)["verdict"]["passages"]] == [p["text"] for p in row["passages"]]
    ran = cli("answer", "--model", SMALL, "--question", row["question"])
    assert ran.code == 0 and ROWS[0]["answers"][0] in ran.out and "from memory" in ran.out


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--question", "q"], "no language model: give --model"),
        (["--model", SMALL], "no question"),
        (["--model", "./none", "--question", "q"], "no model directory at './none'"),
        (["--model", SMALL, "--question", "q", "--trace", "t.txt"], "must end in .html or .json"),
        (["--model", SMALL, "--question", "q", "--trace", "none/t.html"], "no directory 'none'"),
        (["--model", SMALL, "--question", "q", "--formula", "none"], "unknown formula 'none'"),
        (["--model", SMALL, "--question", "q", "--action", "none"], "unknown action 'none'"),
        (["--model", SMALL, "--question", "q", "--max-tokens", "600"], "limit of 512 positions"),
        (["empty", "--model", SMALL, "--question", "q"], "empty: no passages in it"),
    ],
)
def test_errors_are_one_line_with_advice(cli, tmp_path, monkeypatch, args, named):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    ran = cli("answer", *args)
    assert ran.code == 2 and ran.out == "" and named in ran.err and ran.err.count("\n") == 1


def test_a_trace_of_no_answer_is_an_error_that_names_the_conflict(ask, tmp_path):
    ran = ask("0-poisoned", "--no-memory", "--trace", tmp_path / "t.html")
    assert ran.code == 2 and "No answer" in ran.err and not (tmp_path / "t.html").exists()


def test_compare_decoding_reports_every_method_and_writes_plots(cli, tmp_path):
    ran = cli(
        "compare-decoding", QUESTIONS, "--model", SMALL, "--limit", "4", "--bootstrap", "50",
        "-o", tmp_path / "r.md", "--plots", tmp_path / "plots",
    )  # fmt: skip
    assert ran.code == 0 and ran.err == f"4 plots in {tmp_path / 'plots'}\n"
    text = (tmp_path / "r.md").read_text()
    first = text.split("###")[1]
    names = re.findall(r"^\| (\S.*?) \|", first, re.M)
    assert names[2:] == [m for m in ("greedy", "cad 0.5", "cad 1.0", *names[5:-1], "gated adacad")]
    assert {"adacad", "coiecd", "ck_plug"} <= set(names) and "self-contradicting" in first
    assert "Exact match in %" in ran.out


def test_compare_decoding_takes_some_methods_and_refuses_others(cli, tmp_path):
    ran = cli(
        "compare-decoding",
        QUESTIONS,
        "--model",
        SMALL,
        "--limit",
        "2",
        "--methods",
        "adacad,greedy",
        "--format",
        "json",
    )
    assert list(json.loads(ran.out)["exact_match"]) == ["adacad", "greedy"]
    for args, named in (
        ([QUESTIONS], "no language model"),
        ([QUESTIONS, "--model", SMALL, "--methods", "none"], "unknown method 'none'"),
        ([QUESTIONS, "--model", SMALL, "--format", "none"], "unknown format"),
        ([QUESTIONS, "--model", SMALL, "-o", tmp_path / "none" / "r.md"], "create it first"),
        ([tmp_path / "none.jsonl", "--model", SMALL], "cannot be read"),
    ):
        ran = cli("compare-decoding", *args)
        assert ran.code == 2 and named in ran.err and ran.out == ""


def test_the_mechanism_shows_on_the_small_model(cli):
    """Boosted where context and memory part, untouched where not; the gate keeps planted and broken contexts out."""
    ran = cli(
        "compare-decoding", QUESTIONS, "--model", SMALL, "--limit", "30", "--bootstrap", "0", "--format", "json",
        "--methods", "greedy,adacad,gated adacad",
    )  # fmt: skip
    report = json.loads(ran.out)
    match = {name: {group: f["value"] for group, f in by.items()} for name, by in report["exact_match"].items()}
    assert match["adacad"]["conflicting"] > match["greedy"]["conflicting"] + 0.1
    assert match["adacad"]["no conflict"] >= match["greedy"]["no conflict"] - 0.03  # 0.014 on all 120 questions
    assert match["gated adacad"]["broken"] > max(match["greedy"]["broken"], match["adacad"]["broken"]) + 0.05
    assert report["alpha"]["adacad"]["conflicting"]["mean"] > 5 * report["alpha"]["adacad"]["agreeing"]["mean"]
