"""Reports: JSON, text and Markdown of one object, its plots, and the flips between two of them."""

import json
import re
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pytest

from detectors.errors import ConfigError, InputError
from detectors.evidence import Passage
from guard.evaluation import compare, evaluate, plots, report
from guard.evaluation.baselines import Baselines
from guard.evaluation.datasets import Kind, NLIExample, Scope, SetExample
from guard.evaluation.metrics import Figure


def result(n, source, label, score, **given):
    passages = (Passage("left", "x"), Passage("right", "y"))
    example = SetExample(f"r{n}", source, Kind.SETS, Scope.BETWEEN, label, "kind|of", passages, "f, line 1")
    return evaluate.SetResult(example, score, score >= 0.5, (0, 1) if score else None, **given)


RESULTS = [
    result(0, "[red]x", "conflict", 0.9, right_pair=True), result(1, "[red]x", "consistent", 0.6),
    result(2, "y", "conflict", 0.4), result(3, "y", "consistent", 0.0),
]  # fmt: skip
NLI = [evaluate.NLIResult(NLIExample("h", "z", "p", "h", "neutral"), "contradiction", 0.75)]


@pytest.fixture
def full():
    examples, scores = [r.example for r in RESULTS], np.array([0.5, 0.4, 0.3, 0.2])
    section = report.set_section(evaluate.set_figures(RESULTS, 0.5, 50, 0), RESULTS, 1234, 2.5)
    figures = evaluate.ranking_figures(scores, examples, 50, 0)
    section["baselines"] = report.baseline_section({"word_overlap": figures}, Baselines({}, 99_999))
    nli = report.nli_section(evaluate.nli_figures(NLI, 50, 0), 1, 0.1)
    rows = report.set_rows(RESULTS, {"word_overlap": scores.tolist()}) + report.nli_rows(NLI)
    run = {"versions": {"passageguard": "9.9"}, "model_revision": "abc", "date": "2030-01-02T03:04:05+00:00",
           "threshold": 0.5, "seed": 7, "bootstrap": 50, "limit": None}  # fmt: skip
    return {"version": 1, "run": run, "kinds": {"sets": section, "nli": nli}, "rows": rows}


def written(full, format):
    stream = StringIO()
    report.write(full, format, stream)
    return stream.getvalue()


def test_json_is_complete_with_one_row_a_line(full):
    text = written(full, "json")
    assert json.loads(text) == full
    (line,) = [line for line in text.splitlines() if '"r0"' in line]
    row = json.loads(line.rstrip(","))
    assert (row["predicted"], row["label"], row["score"], row["pair"]) == (
        "conflict",
        "conflict",
        0.9,
        ["left", "right"],
    )
    assert row["word_overlap"] == 0.5 and row["right_pair"] is True
    assert json.loads(text)["rows"][-1]["predicted"] == "contradiction"
    assert "NaN" not in text


def test_text_shows_every_source_the_mean_and_the_calls(full):
    text = written(full, "text")
    for shown in ("[red]x", "mean of sources", "all rows", "AUROC", "1,234 NLI calls for 4 rows", "99,999", "n/a",
                  "word overlap", "1 + 1", "PassageGuard 9.9", "seed 7", "NLI pairs"):  # fmt: skip
        assert shown in text
    assert max(map(len, text.splitlines())) <= report.WIDTH


def test_markdown_tables_are_rectangular(full):
    text = written(full, "markdown")
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == len(list(report.tables(full)))
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"kind\|of" in text and "### passage sets: ranking" in text
    assert re.search(r"\| \[red\]x \| 1 \+ 1 \| 1\.000 ", text)  # no interval: no spread


def test_figures_are_shown_with_their_intervals():
    cell = {"value": 0.5, "low": 0.25, "high": 0.75}
    assert report._markdown_cell(cell) == "0.500 (0.25–0.75)"
    assert report._text_cell({**cell, "digits": 0, "value": 41.7, "low": 3.2, "high": 99.6}).plain == "42\n3–100"
    assert report._markdown_cell({"value": None, "low": None, "high": None}) == "n/a"


def test_columns_that_no_source_has_are_left_out(full):
    titles = {t.title: t for t in report.tables(full)}
    named = titles["passage sets: what true alarms name"].header
    assert "right pair named" in named and "right sentences named" not in named


def rows(*answers):
    return [
        {"kind": "sets", "source": source, "id": str(n), "label": label, "predicted": predicted, "score": 0.5}
        for n, (source, label, predicted) in enumerate(answers)
    ]


OLD = rows(("x", "conflict", "conflict"), ("x", "conflict", "consistent"), ("y", "consistent", "consistent"),
           ("y", "consistent", "consistent"))  # fmt: skip
NEW = rows(("x", "conflict", "consistent"), ("x", "conflict", "conflict"), ("y", "consistent", "conflict"),
           ("y", "consistent", "consistent"))  # fmt: skip


def test_flips_by_hand():
    flips = compare.compare(OLD, NEW[::-1])  # the order of rows does not matter
    assert sorted(f.id for f in flips.negative) == ["0", "2"] and [f.id for f in flips.positive] == ["1"]
    assert (flips.negative_rate, flips.positive_rate) == (0.5, 0.25)
    by = compare.by_source(flips, NEW)
    assert by["sets", "x"].negative_rate == 0.5 and by["sets", "x"].positive_rate == 0.5
    assert by["sets", "y"].negative_rate == 0.5 and by["sets", "y"].positive == ()
    assert compare.compare(OLD, OLD).negative_rate == 0
    # Accuracy before and after differ by the difference of both rates.
    right = [sum(r["label"] == r["predicted"] for r in some) / 4 for some in (OLD, NEW)]
    assert right[1] - right[0] == flips.positive_rate - flips.negative_rate


def test_flips_are_listed_in_the_report(full):
    flips = compare.compare(OLD, NEW)
    rates = {"negative": Figure(0.5, 0.1, 0.9), "positive": Figure(0.25, 0.0, 0.5)}
    full["comparison"] = report.comparison_section(flips, rates, NEW)
    assert full["comparison"]["sources"][0] == {
        "kind": "sets", "source": "x", "rows": 2, "negative": 1, "positive": 1,
        "negative_flip_rate": 0.5, "positive_flip_rate": 0.5,
    }  # fmt: skip
    text = written(full, "markdown")
    assert "| sets/x | 0 | conflict | conflict | consistent | 0.500 | 0.500 |" in text
    assert "0.500 (0.10–0.90)" in text and "right before, wrong now" in text


def test_other_rows_or_other_labels_are_refused():
    labels = {compare.key_of(row): row["label"] for row in NEW}
    compare.require_same_rows(OLD, labels, "old.json")
    with pytest.raises(
        InputError, match=r"old.json: measured on other rows: 1 of these 4 .* 0 others \(first: sets/y/3\)"
    ):
        compare.require_same_rows(OLD[:3], labels, "old.json")
    with pytest.raises(InputError, match="it has 1 others"):
        compare.require_same_rows([*OLD, {**OLD[0], "id": "9"}], labels, "old.json")
    with pytest.raises(InputError, match=r"1 rows were labelled otherwise \(first: sets/x/0\)"):
        compare.require_same_rows([{**OLD[0], "label": "consistent"}, *OLD[1:]], labels, "old.json")


@pytest.mark.parametrize("content", ["[]", "{}", "text", '{"rows": [{"id": "x"}]}', '{"rows": [3]}'])
def test_other_files_are_no_report(tmp_path, content):
    path = tmp_path / "old.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"old.json: not a"):
        compare.read_report(path)


def test_a_missing_report_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: cannot be read: No such file"):
        compare.read_report(tmp_path / "none.json")


def test_plots_are_written_twice_alike(tmp_path, full):
    files = plots.draw(full, tmp_path / "new" / "folder")
    assert {f.name for f in files} == {
        f"sets_{name}.{ending}"
        for name in ("precision_recall", "reliability", "scores", "auroc") for ending in ("png", "svg")
    }  # fmt: skip
    for file in files:
        if file.suffix == ".png":
            assert file.read_bytes().startswith(b"\x89PNG")
        else:
            assert ElementTree.parse(file).getroot().tag.endswith("svg")
    first = {f: f.read_bytes() for f in files}
    plots.draw(full, tmp_path / "new" / "folder")
    assert all(f.read_bytes() == first[f] for f in files)


def test_plots_show_the_figures(full):
    drawn = dict(plots.figures(full))
    bars = drawn["sets_auroc"].axes[0]
    assert [t.get_text() for t in bars.get_yticklabels()] == ["[red]x", "y", "mean of sources"]
    widths = sorted(round(p.get_width(), 3) for p in bars.patches)
    expected = [g["figures"]["auroc"]["value"] for g in full["kinds"]["sets"]["sources"].values()]
    expected.append(full["kinds"]["sets"]["macro"]["figures"]["auroc"]["value"])
    overlap = full["kinds"]["sets"]["baselines"]["methods"]["word_overlap"]
    expected += [figures["auroc"]["value"] for figures in overlap.values()]
    assert widths == sorted(round(v, 3) for v in expected)
    bins = drawn["sets_reliability"].axes[0].lines[1]
    assert list(bins.get_xdata()) == [0.0, 0.4, 0.6, 0.9] and list(bins.get_ydata()) == [0, 1, 0, 1]


def test_missing_matplotlib_says_how_to_install_it(monkeypatch, tmp_path, full):
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'passageguard\[plots\]'"):
        plots.draw(full, tmp_path)
