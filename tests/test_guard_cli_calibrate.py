"""``passageguard calibrate`` from labelled rows to a file that Guard, check, audit and eval read.

The NLI model is a fake: how likely a contradiction is stands in the text, as "rank a" (0) to "rank z" (1).
"""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detectors import encoder, nli, recalibration
from detectors.evidence import ConflictType, Passage
from detectors.recalibration import Recalibration
from guard import ConfigError, Guard, GuardConfig

RANK = re.compile(r"rank (\w+)")


class FakeNLI:
    """Reads the probability of a contradiction from the text."""

    calls, revision = 0, "fake-1"

    def score(self, pairs, on_batch=None):
        self.calls += len(pairs)
        rows = np.zeros((len(pairs), 3), dtype=np.float32)
        for row, texts in zip(rows, pairs, strict=True):
            ranks = [m[1] for text in texts if (m := RANK.search(text))]
            row[2] = 0.001 + 0.998 * (ord(ranks[0][0]) - ord("a")) / 25 if ranks else 0.001
            row[1] = 1 - row[2]
        return rows


class Alike:
    def encode(self, texts):
        return np.ones((len(texts), 1), dtype=np.float32)


class BrokenNLI(FakeNLI):
    def score(self, pairs, on_batch=None):
        raise RuntimeError("out of memory")


@pytest.fixture
def models(monkeypatch):
    """Put the fakes in place of the bundled models."""
    fake = FakeNLI()
    monkeypatch.setattr(nli, "load", lambda *names: fake)
    monkeypatch.setattr(nli.NLIModel, "like", lambda model, **_: model)
    monkeypatch.setattr(encoder, "load", lambda *names: Alike())
    return fake


def rows(count=120, seed=0, conflict=lambda p, rng: rng.uniform() < p**3):
    """Return suite pairs whose chance of a conflict grows with their rank, without a type where ``n`` is even."""
    rng = np.random.default_rng(seed)
    out = []
    for n in range(count):
        rank = int(rng.integers(26))
        label = "conflict" if conflict(rank / 25, rng) else "consistent"
        row = {"id": str(n), "a": f"The harbour gate of site {word(n)} opens at dawn, rank {chr(97 + rank)}.",
               "b": f"The harbour gate of site {word(n)} opens at dawn or so.", "label": label}  # fmt: skip
        out.append({**row, "type": "timing"} if n % 2 else row)
    return out


def word(n):
    return "".join("bdfgklmnpr"[int(digit)] + "a" for digit in str(n))


def write(path, some):
    path.write_text("".join(json.dumps(row) + "\n" for row in some))
    return path


def guard(**settings):
    return Guard(GuardConfig(**settings), encoder=Alike(), scorer=FakeNLI())


def stored(path, **fields):
    line = Recalibration(0.5, model_revision="fake-1", calibration_revision=recalibration.shipped_revision())
    path.write_text(json.dumps(replace(line, **fields).to_dict()))
    return str(path)


PASSAGES = [Passage(str(n), f"The harbour gate opens at dawn, rank {letter}.") for n, letter in enumerate("cwz")]


def test_from_rows_to_a_file_that_moves_the_guards_scores_and_thresholds(cli, models, tmp_path):
    file, out = write(tmp_path / "rows.jsonl", rows()), tmp_path / "c.json"
    ran = cli("calibrate", file, "--precision", "0.6", "-o", out)
    assert ran.code == 0, ran.err
    assert "120 rows:" in ran.out and "model fake-1" in ran.out and f"calibration written to {out}" in ran.err
    line = recalibration.load(out)
    measured = line.fit
    assert measured["rows"]["conflict"] == sum(r["label"] == "conflict" for r in rows())
    assert measured["cross_fitted"]["ece"]["value"] < measured["before"]["ece"]["value"]
    assert line.model_revision == "fake-1" and measured["files"] == [str(file)]
    plain, own = guard(), guard(calibration=str(out))
    assert own.threshold == line.threshold != plain.threshold
    for (key, before), after in zip(plain.scores(PASSAGES).items(), own.scores(PASSAGES).values(), strict=True):
        assert after == line.score(before), key
    for conflict in own.check(PASSAGES).conflicts:
        assert conflict.score >= line.by_type.get(conflict.type, line.threshold)


def test_the_thresholds_are_met_by_the_rows_that_they_were_fitted_on(cli, models, tmp_path):
    """What the file does in the guard is what was counted in the fit: the precision asked for, or better."""
    some, out = rows(), tmp_path / "c.json"
    assert cli("calibrate", write(tmp_path / "r.jsonl", some), "--precision", "0.6", "-o", out).code == 0
    own = guard(calibration=str(out))
    fired = [bool(own.check([Passage("a", r["a"]), Passage("b", r["b"])]).conflicts) for r in some]
    labels = np.array([r["label"] == "conflict" for r in some])
    assert labels[fired].mean() >= 0.6


def test_the_report_shows_figures_thresholds_fallbacks_and_the_curve(cli, models, tmp_path):
    out = cli("calibrate", write(tmp_path / "r.jsonl", rows()), "--precision", "0.6").out
    for text in ("rows that the fit did not see", "calibration error", "before", "after", "precision at each recall",
                 "too few conflicts", "needs 5", "conditional"):  # fmt: skip
        assert text in out, text
    assert list(tmp_path.iterdir()) == [tmp_path / "r.jsonl"]  # without -o nothing is written


def test_nli_pairs_self_contradictions_and_sets_are_rows_too(cli, models, tmp_path):
    nli_rows = [
        {"premise": r["a"], "hypothesis": r["b"], "source": "n",
         "label": "contradiction" if r["label"] == "conflict" else "neutral"}
        for r in rows(80, 1)
    ]  # fmt: skip
    texts = [
        {"id": r["id"], "text": f"{r['a']} {r['b']}", "contradiction": r["label"] == "conflict", "source": "t"}
        for r in rows(40, 2)
    ]
    sets = [
        {"id": r["id"], "passages": [{"id": "x", "text": r["a"]}, {"id": "y", "text": r["b"]}], "label": r["label"],
         "conflicts": None, "source": "s"}
        for r in rows(40, 3)
    ]  # fmt: skip
    ran = cli("calibrate", write(tmp_path / "r.jsonl", [*nli_rows, *texts, *sets]), "--precision", "0.5")
    assert ran.code == 0 and "160 rows:" in ran.out


def test_plots_of_before_and_after(cli, models, tmp_path):
    pytest.importorskip("matplotlib")
    file = write(tmp_path / "r.jsonl", rows())
    ran = cli("calibrate", file, "--precision", "0.5", "--plots", tmp_path / "plots")
    assert ran.code == 0, ran.err
    names = {p.name for p in (tmp_path / "plots").iterdir()}
    assert len(names) == 16 and {"before_reliability.png", "after_precision_recall.svg"} <= names


def test_an_identity_file_changes_nothing(tmp_path):
    plain = guard(threshold=0.5)
    own = guard(calibration=stored(tmp_path / "c.json"))
    assert own.check(PASSAGES) == plain.check(PASSAGES) and own.scores(PASSAGES) == plain.scores(PASSAGES)


def test_a_line_keeps_the_order_of_the_scores(tmp_path):
    before = guard().scores(PASSAGES)
    after = guard(calibration=stored(tmp_path / "c.json", slope=0.4, bias=-1.5)).scores(PASSAGES)
    assert sorted(before, key=before.__getitem__) == sorted(after, key=after.__getitem__)
    for key, score in before.items():
        if 0 < score < 1:
            wanted = 1 / (1 + math.exp(-(-1.5 + 0.4 * math.log(score / (1 - score)))))
            assert after[key] == pytest.approx(wanted)


def test_the_threshold_of_one_type_changes_only_its_conflicts(tmp_path):
    passages = [
        Passage("a", "The trial of the suite lasts 14 days, rank z."),
        Passage("b", "The trial of the suite lasts 30 days."),
        Passage("c", "The permit is valid in the lab, rank z."),
        Passage("d", "The permit is not valid in the lab."),
    ]

    def by_type(**fields):
        conflicts = guard(calibration=stored(tmp_path / "c.json", **fields)).check(passages).conflicts
        return {t: {c for c in conflicts if c.type is t} for t in {c.type for c in conflicts}}

    plain = by_type()
    assert {ConflictType.VALUE, ConflictType.NEGATION} <= set(plain)
    strict = by_type(by_type={ConflictType.VALUE: 1.0})
    assert strict == {t: some for t, some in plain.items() if t is not ConflictType.VALUE}
    loose = by_type(threshold=1.0, by_type={ConflictType.VALUE: 0.5})
    assert loose == {ConflictType.VALUE: plain[ConflictType.VALUE]}


def test_a_threshold_that_is_asked_for_holds_for_every_type(tmp_path):
    path = stored(tmp_path / "c.json", by_type={t: 1.0 for t in ConflictType})
    assert not guard(calibration=path).check(PASSAGES).conflicts
    own = guard(calibration=path, threshold=0.5)
    assert own.threshold == 0.5 and own.check(PASSAGES) == guard(threshold=0.5).check(PASSAGES)


class Answers(FakeNLI):
    """What floats says yes, what sinks says no, neither with much force."""

    def score(self, pairs, on_batch=None):
        says = [("floats" in premise, "sinks" in premise) for premise, _ in pairs]
        return np.array([(0.6 * yes, 1 - 0.6 * (yes + no), 0.6 * no) for yes, no in says], dtype=np.float32)


def test_an_answer_that_only_the_new_score_reports_is_quoted_where_it_is_given(tmp_path):
    path = stored(tmp_path / "c.json", bias=2.0, threshold=0.8)
    own = Guard(GuardConfig(calibration=path, detectors=("nli", "stance")), encoder=Alike(), scorer=Answers())
    passages = [Passage("y", "Here is a pear. It floats."), Passage("n", "Look at the pear. It sinks.")]
    assert Guard(own.config, encoder=Alike(), scorer=Answers()).scores(passages)["y", "n"] < 0.8
    conflicts = own.check(passages, "Does a pear float?").conflicts
    (answer,) = [c for c in conflicts if c.type is ConflictType.ANSWER]
    assert {answer.a.text, answer.b.text} == {"It floats.", "It sinks."}


def test_another_model_is_refused_by_both_revisions(tmp_path):
    own = guard(calibration=stored(tmp_path / "c.json", model_revision="fake-0"))
    with pytest.raises(ConfigError, match="fitted for NLI model fake-0, but the model is fake-1"):
        own.check(PASSAGES)
    without = guard(calibration=stored(tmp_path / "c.json"), detectors=("values",))
    with pytest.raises(ConfigError, match="but the model is none"):
        without.scores(PASSAGES)
    fits = guard(calibration=stored(tmp_path / "c.json", model_revision=None), detectors=("values",))
    assert fits.threshold == 0.5


def test_check_audit_and_eval_take_the_file(cli, models, tmp_path):
    (tmp_path / "docs").mkdir()
    for n, p in enumerate(PASSAGES):
        (tmp_path / "docs" / f"{n}.txt").write_text(p.text)
    passages = json.dumps([{"id": p.id, "text": p.text} for p in PASSAGES])
    labelled = write(tmp_path / "r.jsonl", rows(20))
    silent = stored(tmp_path / "silent.json", threshold=1.0)
    assert cli("check", "-", stdin=passages).code == 1
    assert cli("check", "-", "--calibration", silent, stdin=passages).code == 0
    assert cli("audit", tmp_path / "docs", "--no-cache").code == 1
    assert cli("audit", tmp_path / "docs", "--no-cache", "--calibration", silent).code == 0
    ran = cli("eval", labelled, "--calibration", silent, "--format", "json", "--bootstrap", "0")
    facts = json.loads(ran.out)["run"]
    assert facts["threshold"] == 1.0 and facts["calibration"] == silent


def test_a_row_that_could_not_be_scored_is_left_out_and_all_of_them_is_an_error(cli, models, tmp_path, monkeypatch):
    german = {"id": "de", "label": "conflict", "a": "Der Vertrag ist nicht gültig und wird aufgelöst.",
              "b": "Die Frist beginnt mit dem Tag, an dem der Brief ankommt."}  # fmt: skip
    file = write(tmp_path / "r.jsonl", [*rows(), german])
    ran = cli("calibrate", file, "--precision", "0.5")
    assert ran.code == 0 and "1 of 121 rows left out, not checked in full; the first: " in ran.out
    monkeypatch.setattr(nli, "load", lambda *names: BrokenNLI())
    ran = cli("calibrate", file)
    assert ran.code == 2 and "no row could be checked in full; the first: " in ran.err and "out of memory" in ran.err


ONE_CLASS = [{**row, "label": "conflict"} for row in rows(40)]
WRONG = {
    "one class": (ONE_CLASS, [], "every row is labelled conflict"),
    "one class of NLI pairs": (
        [{"premise": f"A {n}.", "hypothesis": "B.", "label": "neutral", "source": "s"} for n in range(30)],
        [], "these are 0 and 0",
    ),
    "too few": (rows(12), [], "at least 10 conflicts and 10 consistent rows"),
    "reversed labels": (rows(200, conflict=lambda p, rng: p < 0.5), [], "check the labels, or try another model"),
    "precision out of reach": (rows(), ["--precision", "0.99"], "no threshold reaches precision 0.99 with 80%"),
    "precision 1": (rows(), ["--precision", "1"], "precision must lie between 0 and 1, not 1"),
    "confidence": (rows(), ["--confidence", "0.3"], "confidence must be at least 0.5 and below 1, not 0.3"),
    "no half": (rows(), ["--half", "tune"], 'no row has the field "half"'),
    "unknown detector": (rows(), ["--detectors", "telepathy"], "unknown detector 'telepathy'"),
    "output nowhere": (rows(), ["-o", "/no/such/dir/c.json"], "no directory '/no/such/dir'"),
    "empty": ([], [], "the file is empty"),
}  # fmt: skip


@pytest.mark.parametrize(("some", "options", "message"), WRONG.values(), ids=WRONG)
def test_bad_input_is_one_line_and_exit_code_2(cli, models, tmp_path, some, options, message):
    ran = cli("calibrate", write(tmp_path / "r.jsonl", some), *options)
    assert ran.code == 2 and message in ran.err and not ran.out
    assert ran.err.startswith("passageguard: error: ") and ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "r.jsonl"]


@pytest.mark.parametrize("command", [["check", "-"], ["audit", ".", "--no-cache"], ["eval", "r.jsonl"]])
def test_a_file_that_cannot_be_used_is_one_line_in_every_command(cli, models, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.jsonl", rows(20))
    stdin = json.dumps([p.text for p in PASSAGES])
    old = stored(tmp_path / "old.json", model_revision="fake-0")
    (tmp_path / "broken.json").write_text('{"version": 1, "slope": 1}')
    for path, message in ((old, "fake-0, but the model is fake-1"), ("none.json", "none.json: cannot be read"),
                          ("broken.json", 'broken.json: "model_revision" is missing')):  # fmt: skip
        ran = cli(*command, "--calibration", path, stdin=stdin)
        assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1 and not ran.out


def test_help_teaches_with_examples(cli):
    out = cli("calibrate", "--help").out
    assert "passageguard calibrate labelled.jsonl --precision" in out and "GuardConfig(calibration=" in out


@pytest.mark.model
def test_the_bundled_model_on_rows_of_the_suite(cli, tmp_path):
    suite, out = Path(__file__).parent.parent / "benchmarks" / "suite" / "pairs.jsonl", tmp_path / "c.json"
    options = ["--half", "tune", "--limit", "40", "--precision", "0.4", "--confidence", "0.5"]
    ran = cli("calibrate", suite, *options, "-o", out)
    assert ran.code == 0, ran.err
    line = recalibration.load(out)
    assert line.model_revision == nli.load().revision and line.fit["half"] == "tune"
    passages = [{"id": "a", "text": "The trial lasts 14 days."}, {"id": "b", "text": "The trial lasts 30 days."}]
    plain = json.loads(cli("check", "-", "--format", "json", stdin=json.dumps(passages)).out)["conflicts"][0]["score"]
    given = Guard(GuardConfig(calibration=str(out)))
    scores = given.scores([Passage(p["id"], p["text"]) for p in passages])
    assert scores["a", "b"] == pytest.approx(line.score(plain))
