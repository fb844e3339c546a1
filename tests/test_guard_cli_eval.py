"""``passageguard eval`` from the command line: output, exit codes, errors before anything slow."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detectors import encoder
from guard import GuardConfig
from guard.cli import app
from guard.cli import evaluate as command
from guard.verdict import Action, Status, Verdict

ROOT = Path(__file__).parent.parent
SETS = [
    {"id": f"{source}{n}", "question": "q", "source": source, "type": "t", "conflicts": None,
     "label": "conflict" if n % 2 else "consistent",
     "passages": [{"id": "a", "text": f"Text {n}."}, {"id": "b", "text": f"Score {score}."}]}
    for source in "xy" for n, score in enumerate((0.1, 0.9, 0.7, 0.3))
]  # fmt: skip
NLI = [{"premise": "p", "hypothesis": h, "label": h, "source": "z"} for h in ("neutral", "contradiction")]


class FakeScorer:
    """Believes every hypothesis neutral."""

    calls, revision = 0, "fake"

    def score(self, pairs):
        self.calls += len(pairs)
        return np.array([[0.1, 0.8, 0.1]] * len(pairs))


class FakeGuard:
    """Reads the score of a pair from the second passage."""

    shift = 0.0

    def __init__(self, threshold):
        self.threshold, self.scorer = 0.5 if threshold is None else threshold, FakeScorer()
        self.config = GuardConfig()

    def scores(self, passages, question=None):
        self.scorer.calls += 1
        return {("a", "b"): float(passages[1].text[6:-1]) + self.shift}

    def check(self, passages, question=None):
        return Verdict(Status.CLEAN, (), Action.REPORT, (), (), ())


@pytest.fixture
def sets(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "make_guard", lambda action, threshold, **settings: FakeGuard(threshold))
    return write(tmp_path / "sets.jsonl", SETS)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*args):
    return CliRunner().invoke(app, ["eval", *map(str, args)])


def error_of(*args):
    """Run in the way of the installed command, whose errors end in one line."""
    code = "from guard.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", code, "eval", *map(str, args)], capture_output=True, cwd=ROOT)
    assert ran.returncode == 2 and b"Traceback" not in ran.stderr and not ran.stdout
    return ran.stderr.decode()


def test_the_json_report_holds_figures_rows_and_facts_of_the_run(sets):
    ran = run(sets, "--format", "json", "--seed", "3", "--bootstrap", "50")
    assert ran.exit_code == 0
    report = json.loads(ran.stdout)
    assert set(report["kinds"]["sets"]["sources"]) == {"x", "y"} and len(report["rows"]) == 8
    figures = report["kinds"]["sets"]["sources"]["x"]["figures"]
    assert figures["auroc"]["value"] == 0.75 and figures["precision"]["value"] == 0.5
    assert figures["auroc"]["low"] <= 0.75 <= figures["auroc"]["high"]
    assert report["kinds"]["sets"]["nli_calls"] == 8
    facts = report["run"]
    assert (facts["seed"], facts["bootstrap"], facts["threshold"], facts["model_revision"]) == (3, 50, 0.5, "fake")
    assert facts["hardware"]["cpu_count"] >= 1 and facts["versions"]["numpy"] and facts["files"] == [str(sets)]
    again = json.loads(run(sets, "--format", "json", "--seed", "3", "--bootstrap", "50").stdout)
    assert again["kinds"]["sets"]["sources"] == report["kinds"]["sets"]["sources"] and again["rows"] == report["rows"]


def test_the_ending_of_the_output_chooses_its_format_and_the_terminal_shows_text(sets, tmp_path):
    for name, start in (("r.json", "{"), ("r.md", "PassageGuard"), ("r.txt", "PassageGuard")):
        ran = run(sets, "-o", tmp_path / name, "--bootstrap", "20")
        assert ran.exit_code == 0 and "passage sets: ranking" in ran.stdout
        assert (tmp_path / name).read_text().startswith(start)
    assert "| source |" in (tmp_path / "r.md").read_text()


def test_mixed_kinds_gzip_and_a_limit(sets, tmp_path):
    packed = tmp_path / "nli.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, NLI)).encode()))
    report = json.loads(run(sets, packed, "--limit", "1", "--format", "json", "--bootstrap", "10").stdout)
    assert len(report["rows"]) == 4 + 2
    assert report["kinds"]["nli"]["pooled"]["figures"]["accuracy"]["value"] == 0.5
    assert report["kinds"]["nli"]["nli_calls"] == 2


def test_flips_against_an_earlier_run_and_the_gate_on_them(sets, tmp_path, monkeypatch):
    old = tmp_path / "old.json"
    assert run(sets, "-o", old).exit_code == 0
    same = run(sets, "--compare", old, "--fail-on-nfr", "0", "--format", "json")
    assert same.exit_code == 0 and json.loads(same.stdout)["comparison"]["negative"] == []
    # Shifted by 0.45, the rows scored 0.3 turn right and the rows scored 0.1 turn wrong: two each of eight.
    monkeypatch.setattr(FakeGuard, "shift", 0.45)
    worse = run(sets, "--compare", old, "--fail-on-nfr", "0.2", "--format", "json")
    comparison = json.loads(worse.stdout)["comparison"]
    assert worse.exit_code == 1 and "0.2500 is above 0.2" in worse.stderr
    assert [f["id"] for f in comparison["negative"]] == ["x0", "y0"]
    assert [f["id"] for f in comparison["positive"]] == ["x3", "y3"]
    assert comparison["negative_flip_rate"]["value"] == 0.25
    assert run(sets, "--compare", old, "--fail-on-nfr", "0.25").exit_code == 0  # above, not at
    assert run(sets, "--compare", old).exit_code == 0


def test_baselines_and_plots(sets, tmp_path, monkeypatch):
    class Constant:
        def encode(self, texts):
            return np.ones((len(texts), 1))

    monkeypatch.setattr(encoder, "load", lambda *names: Constant())
    ran = run(sets, "--baselines", "--plots", tmp_path / "plots", "--format", "json", "--bootstrap", "10")
    report = json.loads(ran.stdout)
    methods = report["kinds"]["sets"]["baselines"]["methods"]
    assert set(methods) == {"all_pairs_nli", "word_overlap", "cosine"}
    assert methods["cosine"]["macro"]["auroc"]["value"] == 0.5  # all alike
    assert report["kinds"]["sets"]["baselines"]["nli_calls"] == 4  # both sources have the same texts
    assert report["rows"][0]["cosine"] == 1.0
    assert len(list((tmp_path / "plots").iterdir())) == 8


def test_a_threshold_moves_the_working_point(sets):
    report = json.loads(run(sets, "--threshold", "0.2", "--format", "json", "--bootstrap", "0").stdout)
    assert report["kinds"]["sets"]["pooled"]["figures"]["recall"]["value"] == 1.0
    assert report["run"]["threshold"] == 0.2


def test_planted_contradictions_alone_and_beside_rows(sets, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "leave.md").write_text("# Leave\n\nStaff receive 28 days of paid leave. The office is in Leeds.\n")
    (docs / "broken.docx").write_text("no zip")
    options = ["--inject", docs, "--format", "json", "--seed", "4"]
    report = json.loads(run(*options).stdout)
    section = report["corpus"]
    assert report["kinds"] == {} and report["rows"] == [] and report["run"]["files"] == []
    assert (section["documents"], section["sentences"], section["editable"], section["limit"]) == (1, 3, 2, 20)
    assert len(section["unread"]) == 1 and "broken.docx" in section["unread"][0]
    pair = next(s for s in section["shapes"] if s["shape"] == "pair")
    assert pair["planted"] > 0 and pair["recall"]["value"] == 0.0  # the fake guard reports nothing
    again = json.loads(run(*options).stdout)["corpus"]
    assert {**again, "seconds": 0} == {**section, "seconds": 0}
    both = json.loads(run(sets, *options, "--limit", "1").stdout)
    assert set(both["kinds"]) == {"sets"} and both["corpus"]["limit"] == 1
    text = run("--inject", docs).stdout
    for shown in ("planted sets by shape", "no place in", "missed contradictions", "28 days", "Not read:"):
        assert shown in text
    assert " rows" not in text.splitlines()[0]
    markdown = run("--inject", docs, "--format", "markdown").stdout
    assert "### your documents: contradictions by kind of edit" in markdown


def test_consistency_beside_the_other_figures(sets, tmp_path):
    report = json.loads(run(sets, "--consistency", "--format", "json", "--bootstrap", "20").stdout)
    figures = {t["transformation"]: t for t in report["consistency"]["transformations"]}
    assert len(report["rows"]) == 8 and figures["swap"]["rows"] == 8 and figures["reorder"]["rows"] == 0
    assert figures["swap"]["flip_rate"]["value"] == 0.0  # the fake guard reports nothing
    assert "consistency" not in json.loads(run(sets, "--format", "json").stdout)
    text = run(sets, "--consistency").stdout
    assert "what must not change a verdict" in text and "add irrelevant" in text
    nli = write(tmp_path / "nli.jsonl", NLI)
    assert "--consistency transforms passages" in error_of(nli, "--consistency")
    assert "--consistency: about labelled rows" in error_of("--inject", tmp_path, "--consistency")


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, ["--inject", "DOCS"], "no readable document found"),
        ({"a.pdf": "no pdf"}, ["--inject", "DOCS"], "a.pdf"),
        ({"a.txt": "What? Where? (Nothing"}, ["--inject", "DOCS"], "no contradiction can be planted in its"),
        ({}, ["--inject", "MISSING"], "no such file or directory"),
        ({}, [], "nothing to measure: give FILE"),
        ({"a.txt": "x"}, ["--inject", "DOCS", "--half", "tune", "--baselines"], "--half, --baselines: about labelled"),
    ],
)
def test_documents_that_allow_no_measurement_are_named(tmp_path, files, options, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    places = {"DOCS": tmp_path, "MISSING": tmp_path / "missing"}
    error = error_of(*[places.get(o, o) for o in options])
    assert message in error and error.startswith("passageguard: error: ") and error.count("\n") == 1


def test_help_teaches_with_examples():
    text = run("--help").stdout
    assert "passageguard eval sets.jsonl.gz --compare before.json" in text and '"premise"' in text
    assert "Exit codes" in text


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], [], "the file is empty"),
        ([{"foo": 1}], [], "line 1: unknown row with the fields foo"),
        ([{**SETS[0], "label": "maybe"}], [], '"label" must be conflict or consistent'),
        ([{k: v for k, v in SETS[0].items() if k != "label"}], [], '"label" is missing'),
        ([SETS[0]], [], "every row is labelled consistent"),
        (SETS, ["--half", "tune"], 'no row has the field "half"'),
        (SETS, ["--format", "xml"], "unknown format 'xml'; choose text, markdown, json"),
        (SETS, ["--fail-on-nfr", "0.1"], "--fail-on-nfr needs --compare"),
        (SETS, ["--compare", "OTHER"], "measured on other rows: 8 of these 8"),
        (SETS, ["--threshold", "7"], "threshold must lie in 0..1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, rows, options, message):
    file = write(tmp_path / "rows.jsonl", rows)
    other = tmp_path / "other.json"
    row = {"kind": "sets", "source": "w", "id": "1", "label": "conflict", "predicted": "conflict", "score": 1}
    other.write_text(json.dumps({"rows": [row]}))
    error = error_of(file, *[str(other) if o == "OTHER" else o for o in options])
    assert message in error and error.startswith("passageguard: error: ") and error.count("\n") == 1


def test_progress_stays_off_a_stderr_that_is_no_terminal(capsys):
    with command.progress() as start:
        start("work", 2)(1)
    assert capsys.readouterr().err == ""


@pytest.mark.model
def test_the_bundled_model_finds_what_is_planted(tmp_path):
    (tmp_path / "leave.md").write_text(
        "# Leave\n\nFull-time staff receive 28 days of paid leave. The office in Leeds was opened on 3 May 2021.\n\n"
        "# Travel\n\nAudit logging is enabled by default. The trip takes 40 minutes by bus from the port.\n"
    )
    out = tmp_path / "out.json"
    code = "from guard.cli import main; main()"
    args = [sys.executable, "-c", code, "eval", "--inject", str(tmp_path), "--limit", "3", "-o", str(out)]
    ran = subprocess.run(args, capture_output=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    section = json.loads(out.read_text())["corpus"]
    number = next(e for e in section["edits"] if e["edit"] == "number")
    assert number["planted"] >= 2 and number["alarm_rate"]["value"] == 1.0
    assert number["right_sentences"]["value"] == 1.0 and section["untouched"]["alarms"] == 0
    assert section["nli_calls"] > 0


@pytest.mark.model
def test_the_bundled_model_from_start_to_end(tmp_path):
    rows = [
        {"id": "1", "a": "The trial lasts 14 days.", "b": "The trial lasts 30 days.", "label": "conflict",
         "type": "value", "half": "tune"},
        {"id": "2", "a": "The gate is red.", "b": "Granite is a rock.", "label": "consistent", "type": "topic",
         "half": "tune"},
        {"id": "3", "text": "The trial lasts 14 days. Bring a pen. The trial lasts 30 days.", "contradiction": True,
         "source": "s", "evidence": ["The trial lasts 14 days.", "The trial lasts 30 days."]},
        {"id": "4", "text": "The gate is red. Granite is a rock.", "contradiction": False, "source": "s"},
    ]  # fmt: skip
    code = "from guard.cli import main; main()"
    file, out = write(tmp_path / "rows.jsonl", rows), tmp_path / "out.json"
    args = [sys.executable, "-c", code, "eval", str(file), "--baselines", "--bootstrap", "20", "-o", str(out)]
    ran = subprocess.run(args, capture_output=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(out.read_text())
    assert [(r["id"], r["predicted"]) for r in report["rows"]] == [
        ("1", "conflict"), ("2", "consistent"), ("3", "conflict"), ("4", "consistent"),
    ]  # fmt: skip
    assert report["rows"][2]["right_sentences"] is True
    assert report["kinds"]["self"]["baselines"]["nli_calls"] == 3 + 1
    assert report["run"]["model_revision"]
