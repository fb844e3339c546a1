"""The comparison of formulas: figures against hand counts with a scripted model, rows that are refused, the report."""

import io
import json

import numpy as np
import pytest

from decoding import Finish, Generation, PromptPair, Step
from detectors.errors import InputError
from guard import Action, Guard, GuardConfig, Policy, answer_report
from guard.answer_comparison import Method, Question, compare, is_right, methods, read_questions
from guard.evaluation.plots import require_matplotlib

PLAIN = [Method("greedy", "greedy"), Method("cad 1.0", "cad", {"alpha": 1.0}), Method("adacad", "adacad")]
GATED = Method("gated adacad", "adacad", gated=True)


class Scripted:
    """Answers from a table {(formula, question, read from passages?): text}; without an entry "memory"."""

    name = "scripted"

    def __init__(self, table, unsure=()):
        self.table, self.unsure, self.asked, self.trusts = table, unsure, [], []

    def prior(self, question, instructions=""):
        return [question]

    def prompts(self, question, passages, instructions=""):
        return PromptPair("", "", [question, *passages], [question])

    def decode(self, prompts, *, formula, temperature=0.0, trust=1.0, **settings):
        self.trusts += trust if isinstance(trust, list) else []
        made = []
        for number, (context, _) in enumerate(prompts):
            question, read = context[0], len(context) > 1
            text = self.table.get((formula, question, read), "memory")
            if temperature and question in self.unsure:
                text = f"guess {number}"
            alpha = {"greedy": 0.0, "cad": 1.0, "adacad": 0.32}[formula] if read else 0.0
            strength = -0.1 if question == "q0" else -2.0
            step = Step(1, alpha, alpha, 0.0, 0.0, 1, 1, flipped=alpha > 0.5, prior_top_logprob=strength)
            trace = [step] * 2
            made.append(Generation([1, 1], trace, Finish.EOS, text))
        return made

    def text(self, made):
        return made.text


def question(number, context, answer, passages=("A passage.",), prior=""):
    from guard import Passage

    given = tuple(Passage(str(n), text) for n, text in enumerate(passages))
    return Question(f"{number}-{context}", f"q{number}", (answer,), context, given, prior)


def made(questions, table, chosen=PLAIN, **kwargs):
    guard = Guard(GuardConfig(policy=Policy(Action.DROP)))
    return compare(Scripted(table, **kwargs), guard, questions, chosen=chosen, resamples=200)


def test_exact_match_by_context_and_against_greedy_are_the_counts():
    rows = [question(n, "agreeing", "memory") for n in range(4)]
    rows += [question(n, "conflicting", "told") for n in range(4)]
    table = {("adacad", f"q{n}", True): "Told." for n in range(3)} | {("greedy", "q0", True): "told"}
    report = made(rows, table)
    found = {m: {g: f["value"] for g, f in by.items()} for m, by in report["exact_match"].items()}
    assert found["greedy"] == {"agreeing": 3 / 4, "conflicting": 1 / 4, "overall": 4 / 8, "all": 4 / 8}
    assert found["adacad"] == {"agreeing": 1 / 4, "conflicting": 3 / 4, "overall": 4 / 8, "all": 4 / 8}
    above = report["differences"]["adacad"]
    assert {other: {g: f["value"] for g, f in by.items()} for other, by in above.items()} == {
        other: {g: found["adacad"][g] - found[other][g] for g in found["adacad"]} for other in ("greedy", "cad 1.0")
    }
    assert above["greedy"]["conflicting"]["value"] == 2 / 4 and list(report["differences"]) == ["adacad"]
    assert report["alpha"]["cad 1.0"]["agreeing"] == {"mean": 1.0, "flipped": 1.0, "histogram": [0] * 19 + [8]}
    assert report["alpha"]["adacad"]["conflicting"]["histogram"][6] == 8


def test_the_interval_draws_questions_with_all_their_contexts():
    """Twenty questions asked twice with the same outcome are twenty, not forty: the interval is theirs."""
    rows = [question(n, c, "memory") for n in range(20) for c in ("agreeing", "irrelevant")]
    table = {("greedy", f"q{n}", True): "wrong" for n in range(10)}
    report = made(rows, table, [PLAIN[0]])
    both = report["exact_match"]["greedy"]["overall"]
    spread = (both["high"] - both["low"]) / 2
    assert both["value"] == 0.5
    assert np.isclose(spread, 1.96 * np.sqrt(0.25 / 20), rtol=0.2)  # 0.22; forty independent rows give 0.15


def test_priors_are_measured_unless_given():
    rows = [question(n, "agreeing", "memory") for n in range(3)] + [question(3, "agreeing", "memory", prior="strong")]
    report = made(rows, {})
    assert [row["prior"] for row in report["rows"]] == ["strong", "weak", "weak", "strong"]
    counts = {s: by["exact_match"]["greedy"]["agreeing"]["n"] for s, by in report["by_prior"].items()}
    assert counts == {"strong": 2, "weak": 2}


def test_differences_are_paired_and_within_a_prior_of_its_questions_alone():
    """Two methods that are right on the same questions differ by nothing, however much each varies."""
    rows = [question(n, "conflicting", "told", prior="strong" if n < 10 else "weak") for n in range(20)]
    told = (
        [("adacad", n) for n in range(10)] + [("cad", n) for n in range(0, 20, 2)] + [("greedy", n) for n in range(10)]
    )
    report = made(rows, {(formula, f"q{n}", True): "told" for formula, n in told})
    equal = report["differences"]["adacad"]["greedy"]["conflicting"]
    assert (equal["value"], equal["low"]) == (0, None)  # no resample differs, so that there is no interval
    assert report["exact_match"]["adacad"]["conflicting"]["high"] > 0.6
    differing = report["differences"]["adacad"]["cad 1.0"]["conflicting"]
    # by hand: of 20 differences 5 are +1 and 5 are -1
    assert differing["value"] == 0
    assert np.isclose((differing["high"] - differing["low"]) / 2, 1.96 * np.sqrt(0.5 / 20), rtol=0.25)
    by_prior = {s: some["differences"]["adacad"]["cad 1.0"] for s, some in report["by_prior"].items()}
    assert {s: by["conflicting"]["value"] for s, by in by_prior.items()} == {"strong": 0.5, "weak": -0.5}


def test_the_gate_reads_agreeing_passages_and_answers_a_broken_context_from_memory_or_not_at_all():
    broken = ("The trial lasts 14 days. The trial lasts 30 days.",)
    rows = [
        question(0, "self_contradicting", "memory", broken), question(1, "self_contradicting", "memory", broken),
        question(2, "conflicting", "told"), question(3, "absent", "memory", ()),
    ]  # fmt: skip
    table = {("adacad", f"q{n}", True): "told" for n in range(4)}
    report = made(rows, table, [PLAIN[2], GATED], unsure=("q1",))
    assert [row["said"]["gated adacad"] for row in report["rows"]] == ["memory", None, "told", "memory"]
    assert [row["said"]["adacad"] for row in report["rows"]] == ["told", "told", "told", "memory"]
    of = "self_contradicting"
    assert report["exact_match"]["gated adacad"][of]["value"] == 0.5 == report["abstained"]["gated adacad"][of]["value"]
    assert report["wrong"]["gated adacad"][of]["value"] == 0 and report["wrong"]["adacad"][of]["value"] == 1


def test_every_formula_takes_part():
    from decoding import FORMULAS

    assert {m.formula for m in methods()} == set(FORMULAS) and sum(m.gated for m in methods()) == 1
    assert {m.options.get("alpha") for m in methods() if m.formula == "cad"} == {0.5, 1.0}
    assert len({m.name for m in methods()}) == len(methods())


@pytest.mark.parametrize(
    ("said", "right"), [("  The 14 Days. ", True), ("14 days", True), ("14", False), ("", False), ("14days", False)]
)
def test_exact_match_forgives_case_punctuation_and_articles_alone(said, right):
    assert is_right(said, ["14 days", "a fortnight"]) is right


GOOD = {"question": "q", "answers": ["a"], "context": "agreeing", "passages": ["p"]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"question": " "}, '"question"'),
        ({"answers": []}, '"answers"'),
        ({"answers": "a"}, '"answers"'),
        ({"context": "odd"}, "'odd'"),
        ({"passages": []}, '"passages"'),
        ({"context": "absent"}, '"passages"'),
        ({"passages": [{"id": "x"}]}, "passage 1"),
        ({"passages": [{"text": "p", "metadata": 3}]}, '"metadata"'),
        ({"prior": "none"}, "'none'"),
    ],
)
def test_a_bad_row_is_refused_by_file_line_and_field(tmp_path, change, named):
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps(GOOD) + "\n\n" + json.dumps(GOOD | change))
    with pytest.raises(InputError, match=r"q\.jsonl, line 3.*" + named.replace('"', ".")):
        read_questions(file)


def test_files_that_hold_no_questions_are_refused(tmp_path):
    file = tmp_path / "q.jsonl"
    twice = f"{json.dumps(GOOD | {'id': 'x'})}\n" * 2
    for content, named in (("", "empty"), ("{", "line 1"), ("[]", "object"), (twice, "twice")):
        file.write_text(content)
        with pytest.raises(InputError, match=named):
            read_questions(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")


def test_the_report_says_the_same_in_every_format(tmp_path):
    rows = [question(n, c, "memory") for n in range(4) for c in ("agreeing", "irrelevant")]
    report = made(rows, {("greedy", "q0", True): "wrong"})
    texts = {}
    for format in ("text", "markdown", "json"):
        stream = io.StringIO()
        answer_report.write(report, format, stream)
        texts[format] = stream.getvalue()
    assert json.loads(texts["json"])["exact_match"]["greedy"]["overall"]["value"] == 0.75
    assert all("75.0 [" in texts[format] for format in ("text", "markdown"))
    assert all("adacad, points of exact match above" in texts[format] for format in ("text", "markdown"))
    assert (
        "| greedy | 75.0 [" in texts["markdown"]
        and "| greedy | +25.0 [" in texts["markdown"]
        and "nan" not in texts["text"].lower()
    )


def test_the_plots_are_written_and_the_same_each_time(tmp_path):
    require_matplotlib()
    rows = [question(n, c, "memory") for n in range(4) for c in ("agreeing", "conflicting")]
    report = made(rows, {})
    first, second = (answer_report.draw(report, tmp_path / name) for name in ("a", "b"))
    assert [p.name for p in first] == ["exact_match.png", "exact_match.svg", "alpha.png", "alpha.svg"]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
