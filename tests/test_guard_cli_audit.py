"""``audit``, ``baseline`` and ``review`` end to end: a guard that knows one kind of sentence, and twice the model."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from detectors.evidence import Conflict, ConflictType, Span, Unverified
from guard import Guard, GuardConfig
from guard.audit import declared, reviews
from guard.audit.engine import AuditGuard
from guard.cli import review
from guard.cli.audit import read_all
from guard.evaluation import datasets
from guard.verdict import Action, Status, Verdict

ROOT = Path(__file__).parent.parent
SENTENCE = re.compile(r"The (\w+)\s+lasts\s+(\d+)\s+days\.")


class DaysGuard:
    """Finds sentences that give different days to one thing; scores one hundredth of the larger number of days."""

    is_cautious = False

    def __init__(self, config, n_passages, focus, **_):
        self.limit = config.max_pairs

    def check(self, passages, progress=None):
        seen = [(m, Span(p.id, *m.span(), m.group())) for p in passages for m in SENTENCE.finditer(p.text)]
        found = tuple(
            Conflict(ConflictType.VALUE, max(int(m[2]), int(n[2])) / 100, a, b, f"{m[2]} against {n[2]}", ("days",))
            for (m, a), (n, b) in combinations(seen, 2) if m[1] == n[1] and m[2] != n[2]
        )  # fmt: skip
        unverified = tuple(Unverified(p.id, "German") for p in passages if "Der Vertrag" in p.text)
        unverified += (Unverified("pairs", "not all scored"),) if self.limit == 1 else ()
        status = Status.CONFLICT if found else Status.UNVERIFIED if unverified else Status.CLEAN
        return Verdict(status, found, Action.REPORT, (), (), unverified)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two documents that disagree about the trial (an error) and the course (a note); run from beside them."""
    monkeypatch.setattr("guard.audit.engine.AuditGuard", DaysGuard)
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# Trial\n\nThe trial lasts 14 days.\n\nThe course lasts 5 days.\n")
    Path("docs/b.md").write_text("# Trial\n\nThe trial lasts 95 days.\n\nThe course lasts 8 days.\n")
    return tmp_path


def report(cli, *options):
    return json.loads(cli("audit", "docs", "--format", "json", *options).out)


def trial(document, days):
    Path("docs", document).write_text(f"The trial lasts {days} days.\n")


# Formats and exit codes


def test_the_ending_of_the_output_chooses_the_format_and_format_overrules_it(cli, folder):
    assert cli("audit", "docs", "-o", "r.sarif").out == ""
    assert json.loads(Path("r.sarif").read_text())["version"] == "2.1.0"
    cli("audit", "docs", "-o", "r.xml")
    assert ElementTree.parse("r.xml").getroot().get("failures") == "2"
    cli("audit", "docs", "-o", "r.html", "--format", "markdown")
    assert Path("r.html").read_text().startswith("# Contradictions")
    cli("audit", "docs", "-o", "r.log")
    assert Path("r.log").read_text() == cli("audit", "docs").out
    assert cli("audit", "docs", "--format", "github").out.startswith("::error file=docs/a.md,line=3,endLine=3,")


def test_an_unknown_format_or_level_is_refused_before_any_work(cli, folder):
    for wrong, known in ((("--format", "pdf"), "sarif, junit"), (("--fail-on", "fatal"), "never, any, error, warning")):
        ran = cli("audit", "docs", *wrong)
        assert ran.code == 2 and known in ran.err
    ran = cli("audit", "docs", "--exit-zero", "--fail-on", "error")
    assert ran.code == 2 and "contradictory settings" in ran.err


@pytest.mark.parametrize(
    ("level", "trial", "code"),
    [("any", 95, 1), ("never", 95, 0), ("error", 95, 1), ("error", 80, 0), ("warning", 80, 1), ("warning", 60, 0),
     ("note", 60, 1), ("note", 14, 1), ("any", 14, 1)],
)  # fmt: skip
def test_fail_on_takes_the_severity_from_which_findings_fail(cli, folder, level, trial, code):
    Path("docs/b.md").write_text(f"The trial lasts {trial} days.\n\nThe course lasts 8 days.\n")
    assert cli("audit", "docs", "--fail-on", level).code == code


def test_what_was_not_read_or_checked_fails_at_every_level_but_never(cli, folder):
    Path("docs/b.md").unlink()
    assert cli("audit", "docs", "--fail-on", "error").code == 0
    Path("docs/c.txt").write_text("Der Vertrag gilt nicht.")
    assert cli("audit", "docs", "--fail-on", "error").code == 1
    Path("docs/c.txt").write_bytes(b"\0\1")
    assert cli("audit", "docs", "--fail-on", "error").code == 1
    assert cli("audit", "docs", "--fail-on", "never").code == 0


# Baseline


def test_after_a_baseline_only_what_is_new_fails(cli, folder):
    ran = cli("baseline", "docs", "-o", "b.json")
    assert (ran.code, ran.out, ran.err) == (0, "", "b.json: 2 findings accepted, 2 of them new; 0 taken out\n")
    assert cli("audit", "docs", "--baseline", "b.json").code == 0
    assert cli("audit", "docs", "--baseline", "b.json").out.splitlines()[-1] == (
        "2 documents, 2 passages, 0 findings, 2 accepted"
    )
    Path("docs/c.md").write_text("The course lasts 6 days.\n")
    (found,) = report(cli, "--baseline", "b.json")["findings"]
    assert {found["a"]["path"], found["b"]["path"]} > {"docs/c.md"} and len(found["more"]) == 1
    cli("baseline", "docs", "-o", "b.json")
    assert cli("audit", "docs", "--baseline", "b.json").code == 0


def test_a_corrected_document_leaves_stale_entries_that_prune_takes_out(cli, folder):
    cli("baseline", "docs", "-o", "b.json")
    Path("docs/b.md").write_text("The course lasts 8 days.\n\nThe pause lasts 9 days.\n")
    Path("docs/c.md").write_text("The pause lasts 7 days.\n")
    assert report(cli, "--baseline", "b.json")["summary"]["stale"] == 1
    assert cli("audit", "docs", "--baseline", "b.json").out.endswith(", 1 accepted, 1 stale in the baseline\n")
    ran = cli("baseline", "docs", "-o", "b.json", "--prune")
    assert ran.err == "b.json: 1 finding accepted, 0 of them new; 1 taken out\n"
    after = report(cli, "--baseline", "b.json")["summary"]
    assert (after["stale"], after["accepted"], after["findings"]["new"]) == (0, 1, 1), "the pause did not join"


def test_prune_refuses_where_not_everything_was_checked_or_there_is_no_baseline(cli, folder):
    ran = cli("baseline", "docs", "-o", "b.json", "--prune")
    assert ran.code == 2 and "passageguard baseline writes one" in ran.err
    cli("baseline", "docs", "-o", "b.json")
    before = Path("b.json").read_text()
    ran = cli("baseline", "docs", "-o", "b.json", "--prune", "--max-pairs", "1")
    assert ran.code == 2 and "not everything was checked" in ran.err and Path("b.json").read_text() == before


# Suppressions


def test_a_comment_silences_a_finding_and_one_that_is_not_needed_is_told(cli, folder):
    Path("docs/a.md").write_text(
        "The trial lasts 14 days. <!-- passageguard: ignore[value] the old offer -->\n\n"
        "The course lasts 5 days. <!-- passageguard: ignore[date] wrong kind -->\n\n"
        "The end. <!-- passageguard: ignore -->\n"
    )
    found = report(cli)
    assert [f["a"]["line"] for f in found["findings"]] == [3]
    assert [f["state_reason"] for f in found["suppressed"]] == ["the old offer (docs/a.md:1)"]
    assert found["warnings"] == [
        "docs/a.md:5: suppression without a reason, so it suppresses nothing; say why behind it",
        "docs/a.md:3: suppression that no finding needs; remove it",
    ]


# Review


def test_a_dismissed_finding_is_quiet_and_the_reviews_calibrate_can_read_are_kept(cli, folder):
    cli("audit", "docs", "-o", "r.json")
    trial_id, course_id = (f["id"] for f in json.loads(Path("r.json").read_text())["findings"])
    ran = cli("review", "r.json", "--reviews", "v.jsonl", "--dismiss", trial_id)
    assert ran.code == 2 and "--reason" in ran.err and not Path("v.jsonl").exists()
    cli("review", "r.json", "--reviews", "v.jsonl", "--dismiss", trial_id, "--reason", "two trials")
    assert cli("review", "r.json", "--reviews", "v.jsonl", "--confirm", course_id).code == 0
    after = report(cli, "--reviews", "v.jsonl")
    assert [f["state_reason"].partition(":")[2] for f in after["dismissed"]] == [" two trials"]
    assert [f["id"] for f in after["findings"]] == [course_id] and "confirmed on" in after["findings"][0][
        "state_reason"
    ]
    assert {row.id: row.label for row in datasets.load([Path("v.jsonl")])} == {
        trial_id: "consistent", course_id: "conflict",
    }  # fmt: skip
    Path("docs/a.md").write_text("# Trial\n\nThe trial lasts 14 days.\n")
    assert cli("review", "--reviews", "v.jsonl", "--resolve", course_id).code == 0
    assert [json.loads(line)["verdict"] for line in Path("v.jsonl").read_text().splitlines()].count("resolved") == 1
    cli("baseline", "docs", "-o", "b.json", "--reviews", "v.jsonl")
    assert json.loads(Path("b.json").read_text())["findings"] == {}, "what is dismissed does not join"


def test_on_a_terminal_every_new_finding_is_asked_for_and_each_answer_is_saved(cli, folder, monkeypatch):
    cli("audit", "docs", "-o", "r.json")
    monkeypatch.setattr(review, "is_terminal", lambda: True)
    ran = cli("review", "r.json", "--reviews", "v.jsonl", stdin="x\nd\n\nnot the same\ns\n")
    assert ran.code == 0 and "The trial lasts 95 days." in ran.out and "2 of 2" in ran.out
    (said,) = reviews.load(Path("v.jsonl")).values()
    assert (said.verdict, said.reason) == ("dismissed", "not the same")
    ran = cli("review", "r.json", "--reviews", "v.jsonl", stdin="c\n\n")
    assert "1 of 1" in ran.out and "trial" not in ran.out
    assert {r.verdict for r in reviews.load(Path("v.jsonl")).values()} == {"dismissed", "confirmed"}
    assert cli("review", "r.json", "--reviews", "other.jsonl", stdin="c\n").code == 130


def test_review_says_what_it_needs(cli, folder):
    cli("audit", "docs", "-o", "r.json")
    assert "give a report and a terminal" in cli("review", "r.json").err
    assert "no finding 'x'" in cli("review", "r.json", "--confirm", "x").err
    Path("r.txt").write_text('{"findings": []}')
    assert "r.txt" not in cli("review", "none.json", "--confirm", "x").out
    for wrong, said in (
        ("r.txt", "not a report of version 1"),
        ("docs/a.md", "not a report in JSON"),
        ("no", "cannot be"),
    ):
        ran = cli("review", wrong, "--confirm", "x")
        assert ran.code == 2 and said in ran.err


# Since a revision, stdin, what is left out


def test_since_reports_what_touches_changed_files_and_nothing_of_what_is_unneeded(cli, folder):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@b", *arguments], check=True, capture_output=True
        )

    trial("a.md", 14), trial("b.md", "15 days. <!-- passageguard: ignore so -->"), trial("c.md", 16)
    git("init", "-q"), git("add", "."), git("commit", "-qm", "one")
    assert cli("audit", "docs", "--since", "HEAD").code == 0
    Path("docs/d.md").write_text("The trial lasts 16 days.\n")
    (found,) = report(cli, "--since", "HEAD")["findings"]
    assert {q["path"] for q in (found["a"], found["b"])} == {"docs/a.md", "docs/d.md"}
    assert report(cli, "--since", "HEAD")["warnings"] == [] and len(report(cli)["findings"][0]["more"]) == 1
    assert cli("audit", "docs", "--since", "nope").code == 2


def test_the_document_on_stdin_takes_the_place_of_the_file_that_has_its_name(cli, folder):
    edited = "# Trial\n\nThe trial lasts 14 days.\n\nThe course lasts 5 days.\n"
    ran = cli("audit", "docs", "-", "--stdin-filename", "docs/b.md", stdin=edited)
    assert ran.code == 0 and ran.out == "2 documents, 2 passages, 0 findings\n"
    ran = cli("audit", "-", "--format", "json", stdin="The trial lasts 1 days. The trial lasts 2 days.")
    assert [f["a"]["path"] for f in json.loads(ran.out)["findings"]] == ["stdin"]
    assert "unknown kind" in cli("audit", "-", "--stdin-filename", "a.exe", stdin="x").err
    assert "give - as a path" in cli("audit", "docs", "--stdin-filename", "a.md").err


def test_exclude_and_the_ignore_file_leave_documents_out(cli, folder):
    assert report(cli, "--exclude", "b.*")["summary"]["documents"] == 1
    Path(".passageguardignore").write_text("a.md\n")
    assert report(cli)["documents"] == [{"path": "docs/b.md", "passages": 1}]
    ran = cli("audit", "docs", "--exclude", "*.md")
    assert ran.code == 2 and "no readable document" in ran.err


# Settings


def test_the_settings_of_the_project_are_defaults_and_the_command_line_wins(cli, folder):
    Path("pyproject.toml").write_text(
        '[tool.passageguard]\nbaseline = "b.json"\nreviews = "v.jsonl"\nexclude = ["c.md"]\n'
        "[tool.passageguard.x]\ny = 1\n"
    )
    trial("c.md", 77)
    cli("audit", "docs", "-o", "r.json", "--baseline", "/dev/null")
    Path("v.jsonl").write_text("")
    assert cli("baseline", "docs").err.startswith("b.json: 2 findings accepted")
    assert cli("audit", "docs").out == "2 documents, 2 passages, 0 findings, 2 accepted\n"
    assert cli("audit", "docs", "--exclude", "d.md").code == 1
    Path("pyproject.toml").write_text("[tool.passageguard]\nmin_score = 1\n")
    ran = cli("audit", "docs")
    assert ran.code == 2 and "has no setting 'min_score'; choose from baseline" in ran.err
    assert cli("check", "-", stdin="[]").err.count("setting") == 0, "other commands do not read it"


# With the model


@pytest.mark.model
def test_a_dry_run_counts_what_a_run_compares_and_since_compares_less(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples" / "documents", "docs")
    ran = cli("audit", "docs", "--dry-run")
    assert ran.code == 0 and re.search(r"about [\d,]+ seconds? to score them at [\d,]+ pairs/s", ran.out)
    counts = re.match(r"20 documents, 62 passages, ([\d,]+) sentences, (\d+) pairs\n", ran.out)
    documents, _ = read_all([Path("docs")])
    passages, _ = declared.resolved(documents)
    whole = Guard().check(passages)
    assert [int(n.replace(",", "")) for n in counts.groups()] == [whole.stats["sentences"], whole.stats["pairs"]]
    focus = {p.id for p in passages if p.metadata["path"] == "docs/faq.html"}
    part = AuditGuard(GuardConfig(), 3, focus).check(passages)
    assert 0 < part.stats["pairs"] < whole.stats["pairs"] / 4
    touching = [c for c in whole.conflicts if {c.a.passage_id, c.b.passage_id} & focus]
    found = [c for c in part.conflicts if {c.a.passage_id, c.b.passage_id} & focus]
    assert len(touching) >= 3 and [(c.a, c.b, c.type) for c in found] == [(c.a, c.b, c.type) for c in touching]
    limited = AuditGuard(GuardConfig(max_pairs=2), 3, focus).check(passages)
    assert limited.stats["pairs"] == 2 and f"of {part.stats['pairs']} sentence pairs" in limited.unverified[-1].reason
    assert AuditGuard(GuardConfig(), 3, ()).check(passages).stats["pairs"] == 0


@pytest.mark.model
def test_the_examples_with_the_bundled_model_in_html(cli, tmp_path):
    ran = cli("audit", ROOT / "examples" / "documents", "-o", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert (ran.code, ran.out) == (1, "") and text.count("<article") >= 14
    assert "The outage affected <mark>12%</mark> of all connected hubs." in text
