"""``audit`` and ``baseline`` from end to end, with a guard that knows one kind of sentence; one test with the model."""

import json
import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from detectors.evidence import Conflict, ConflictType, Span, Unverified
from guard.cli import options
from guard.verdict import Action, Status, Verdict

ROOT = Path(__file__).parent.parent
SENTENCE = re.compile(r"The (\w+)\s+lasts\s+(\d+)\s+days\.")


class DaysGuard:
    """Finds sentences that give different days to one thing; scores one hundredth of the larger number of days."""

    def __init__(self, **settings):
        self.limit = settings.get("max_pairs", 0)

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
    monkeypatch.setattr(options, "make_guard", lambda action, **settings: DaysGuard(**settings))
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# Trial\n\nThe trial lasts 14 days.\n\nThe course lasts 5 days.\n")
    Path("docs/b.md").write_text("# Trial\n\nThe trial lasts 95 days.\n\nThe course lasts 8 days.\n")
    return tmp_path


def report(cli, *options):
    return json.loads(cli("audit", "docs", "--format", "json", *options).out)


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


@pytest.mark.model
def test_the_examples_with_the_bundled_model_in_html(cli, tmp_path):
    ran = cli("audit", ROOT / "examples" / "documents", "-o", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert (ran.code, ran.out) == (1, "") and text.count("<article") >= 14
    assert "The outage affected <mark>12%</mark> of all connected hubs." in text
