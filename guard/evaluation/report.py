"""The results as one plain JSON object, and that object as text or Markdown tables.

The object is all there is: tables and plots are made from it alone, so a stored report can be shown again.  Its
``rows`` hold every single answer, which is what `compare` reads.  Knows nothing about how anything was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from . import consistency_report, corpus_report
from .baselines import Baselines
from .compare import Flip, Flips, by_source
from .datasets import SET_LABELS, Kind
from .evaluate import PRECISION, RECALL, Figures, NLIResult, SetResult
from .metrics import Figure
from .table import Cell, Table

Report = dict[str, Any]
SHOWN_FLIPS = 20
_COUNTED = ("conflict + consistent", "rows")
WIDTH = 120  # of text that goes to a file
TITLES = {
    Kind.SETS: "passage sets", Kind.SELF: "self-contradictions", Kind.PAIRS: "suite pairs", Kind.NLI: "NLI pairs",
}  # fmt: skip
RANKING = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "recall_at_precision": f"recall at {PRECISION:.0%} precision",
    "recall_at_precision_balanced": f"recall at {PRECISION:.0%} precision, classes equal",
}
WORKING_POINT = {
    "precision_at_recall": "precision",
    "precision_at_recall_balanced": "precision, classes equal",
    "threshold_at_recall": "threshold",
}
ALARMS = {
    "precision": "precision",
    "precision_balanced": "precision, classes equal",
    "recall": "recall",
    "f1": "F1",
    "false_alarms_per_1000": "false alarms per 1,000 consistent",
}
NAMED = {
    "right_pair": "right pair named",
    "right_pair_of_3": "right pair named, 3 or more passages",
    "right_sentences": "right sentences named",
    "outside_alarms_per_1000": "alarms the label says nothing of, per 1,000 consistent",
}
CALIBRATION = {"ece": "ECE, equal mass", "ece_equal_width": "ECE, equal width", "brier": "Brier score"}
NLI = {
    "accuracy": "accuracy", "f1": "F1, mean of classes", "f1_entailment": "F1 entailment",
    "f1_neutral": "F1 neutral", "f1_contradiction": "F1 contradiction",
}  # fmt: skip
BASELINE = {
    **{name: RANKING[name] for name in ("auroc", "average_precision", "recall_at_precision_balanced")},
    "precision_at_recall_balanced": f"precision at recall {RECALL:.2f}, classes equal",
}


def set_section(figures: Figures, results: Sequence[SetResult], nli_calls: int, seconds: float) -> dict[str, Any]:
    """Return what the report says of one kind of sets."""
    return {
        **_figures(figures),
        "strata": [asdict(s) for s in figures.strata],
        "by_type": [asdict(t) for t in figures.by_type],
        "nli_calls": nli_calls,
        "nli_calls_per_row": round(nli_calls / len(results), 2),
        "unverified_rows": sum(r.unverified for r in results),
        "seconds": round(seconds, 1),
    }


def nli_section(figures: Figures, nli_calls: int, seconds: float) -> dict[str, Any]:
    return {**_figures(figures), "nli_calls": nli_calls, "seconds": round(seconds, 1)}


def baseline_section(scores: Mapping[str, Mapping[str, Mapping[str, Figure]]], found: Baselines) -> dict[str, Any]:
    """Return the baselines' figures by name and source."""
    methods = {
        name: {source: {n: asdict(f) for n, f in some.items()} for source, some in by.items()}
        for name, by in scores.items()
    }
    return {"methods": methods, "nli_calls": found.nli_calls}


def comparison_section(flips: Flips, rates: Mapping[str, Figure], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the flips, all of them, and their rates over all rows and by source; ``rates`` are those over all."""
    return {
        "rows": flips.rows,
        "negative_flip_rate": asdict(rates["negative"]),
        "positive_flip_rate": asdict(rates["positive"]),
        "sources": [
            {"kind": kind, "source": source, "rows": some.rows, "negative": len(some.negative),
             "positive": len(some.positive), "negative_flip_rate": round(some.negative_rate, 6),
             "positive_flip_rate": round(some.positive_rate, 6)}
            for (kind, source), some in by_source(flips, rows).items()
        ],
        "negative": [asdict(f) for f in flips.negative],
        "positive": [asdict(f) for f in flips.positive],
    }  # fmt: skip


def set_rows(results: Sequence[SetResult], baselines: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Return one object a row: what it is, what was said of it."""
    return [
        {
            "kind": r.example.kind.value, "source": r.example.source, "id": r.example.id, "type": r.example.type,
            "label": r.example.label, "predicted": "conflict" if r.alarm else "consistent",
            "found": r.found, "score": round(r.score, 6), "pair": [r.example.passages[i].id for i in r.best] if r.best else None,
            "right_pair": r.right_pair, "right_sentences": r.right_sentences, "outside_score": round(r.outside, 6),
            **{name: round(float(scores[n]), 6) for name, scores in baselines.items()},
        }
        for n, r in enumerate(results)
    ]  # fmt: skip


def nli_rows(results: Sequence[NLIResult]) -> list[dict[str, Any]]:
    """Like `set_rows`; the score is the probability of contradiction."""
    return [
        {
            "kind": r.example.kind.value, "source": r.example.source, "id": r.example.id, "type": "",
            "label": r.example.label, "predicted": r.predicted, "score": round(r.contradiction, 6),
        }
        for r in results
    ]  # fmt: skip


def write(report: Report, format: str, stream: IO[str]) -> None:
    """Write the report as ``text``, ``markdown`` or ``json``."""
    if format == "json":
        stream.write(as_json(report))
    elif format == "markdown":
        stream.write(as_markdown(report))
    else:
        width = None if stream.isatty() else WIDTH
        _print(report, Console(file=stream, width=width, highlight=False, soft_wrap=False))


def as_json(report: Report) -> str:
    """Return the object as JSON, indented, but each of the ``rows`` on one line."""
    head = json.dumps({k: v for k, v in report.items() if k != "rows"}, indent=2, ensure_ascii=False)
    rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in report["rows"])
    return f'{head[:-2]},\n  "rows": [\n{rows}\n  ]\n}}\n'


def as_markdown(report: Report) -> str:
    """Return the tables as Markdown; intervals stand in brackets behind the value."""
    parts = [_heading(report)]
    for table in tables(report):
        rows = [[_markdown_cell(cell) for cell in row] for row in table.rows]
        lines = [list(table.header), ["---"] * len(table.header), *rows]
        parts.append(f"### {table.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*parts, *_remarks(report)]) + "\n"


def tables(report: Report) -> Iterator[Table]:
    """Yield every table of the report."""
    for kind, section in report["kinds"].items():
        title = TITLES[Kind(kind)]
        if kind == Kind.NLI:
            yield _figure_table(f"{title}: the NLI model alone", section, NLI)
            continue
        yield _figure_table(f"{title}: ranking", section, RANKING)
        yield _figure_table(f"{title}: at recall {RECALL:.2f}", section, WORKING_POINT)
        yield _figure_table(f"{title}: alarms at {report['run']['threshold']:.3f}", section, ALARMS)
        yield _figure_table(f"{title}: what true alarms name", section, NAMED)
        yield _figure_table(f"{title}: calibration", section, CALIBRATION)
        yield _strata_table(f"{title}: by type of row", section["strata"])
        yield _types_table(f"{title}: alarms by type of conflict", section["by_type"])
        if "baselines" in section:
            yield _baseline_table(f"{title}: beside the baselines", section)
    if "corpus" in report:
        yield from corpus_report.tables(report["corpus"])
    if "consistency" in report:
        yield from consistency_report.tables(report["consistency"])
    if "comparison" in report:
        yield from _comparison_tables(report["comparison"])


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "sources": {name: asdict(group) for name, group in figures.sources.items()},
        "macro": asdict(figures.macro),
        "pooled": asdict(figures.pooled),
    }


def _groups(section: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the sources; of several also their mean and all rows together."""
    yield from section["sources"].items()
    if len(section["sources"]) > 1:
        yield "mean of sources", section["macro"]
        yield "all rows", section["pooled"]


def _figure_table(title: str, section: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    groups = list(_groups(section))
    used = {n: t for n, t in names.items() if any(g["figures"].get(n, {}).get("value") is not None for _, g in groups)}
    rows = [[name, _counts(g["rows"]), *(_cell(g["figures"], n) for n in used)] for name, g in groups]
    return Table(title, ["source", _COUNTED[names is NLI], *used.values()], rows)


def _cell(figures: Mapping[str, Any], name: str) -> Cell:
    return {**figures.get(name, {}), "digits": 0 if name.endswith("_per_1000") else 3}


def _strata_table(title: str, strata: Sequence[Mapping[str, Any]]) -> Table:
    rows: list[list[Cell]] = [
        [s["source"], s["type"] or "(none)", s["label"], str(s["rows"]), s["alarm_rate"], s["auroc"], s["against"]]
        for s in strata
    ]
    return Table(title, ["source", "type", "label", "rows", "alarm rate", "AUROC", "against"], rows)


def _types_table(title: str, types: Sequence[Mapping[str, Any]]) -> Table:
    rows: list[list[Cell]] = [
        [t["found"], f"{t['true']} + {t['false']}", t["precision"], t["precision_balanced"]] for t in types
    ]
    return Table(title, ["type found", "true + false alarms", "precision", "precision, classes equal"], rows)


def _baseline_table(title: str, section: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    own = {name: group["figures"] for name, group in [*section["sources"].items(), ("macro", section["macro"])]}
    for source in own:
        for method, figures in {"PassageGuard": own, **section["baselines"]["methods"]}.items():
            name = "mean of sources" if source == "macro" else source
            rows.append([name, method.replace("_", " "), *(figures[source].get(n, {}) for n in BASELINE)])
    return Table(title, ["source", "score", *BASELINE.values()], rows)


def _comparison_tables(comparison: Mapping[str, Any]) -> Iterator[Table]:
    rows: list[list[Cell]] = [
        [s["kind"], s["source"], str(s["rows"]), str(s["negative"]), _plain(s["negative_flip_rate"]),
         str(s["positive"]), _plain(s["positive_flip_rate"])]
        for s in comparison["sources"]
    ]  # fmt: skip
    counts = [str(len(comparison[side])) for side in ("negative", "positive")]
    rates = [comparison[f"{side}_flip_rate"] for side in ("negative", "positive")]
    rows.append(["all", "", str(comparison["rows"]), counts[0], rates[0], counts[1], rates[1]])
    yield Table("flips", ["kind", "source", "rows", "negative", "rate", "positive", "rate"], rows)
    for side, what in (("negative", "right before, wrong now"), ("positive", "wrong before, right now")):
        flips = comparison[side]
        if flips:
            more = f", the first {SHOWN_FLIPS} of {len(flips)}" if len(flips) > SHOWN_FLIPS else ""
            yield Table(
                f"{side} flips: {what}{more}",
                ["source", "id", "label", "before", "now", "score before", "score now"],
                [_flip_row(Flip(**f)) for f in flips[:SHOWN_FLIPS]],
            )


def _flip_row(flip: Flip) -> list[Cell]:
    scores = [_plain(flip.score_before), _plain(flip.score_now)]
    return [f"{flip.kind}/{flip.source}", flip.id, flip.label, flip.before, flip.now, *scores]


def _heading(report: Report) -> str:
    run = report["run"]
    limit = f", at most {run['limit']} of each source and label" if run["limit"] else ""
    rows = f"{len(report['rows'])} rows{limit}, " if report["rows"] else ""
    return (
        f"PassageGuard {run['versions']['passageguard']}, model {run['model_revision']}, {run['date']}: "
        f"{rows}seed {run['seed']}, "
        f"95% intervals of {run['bootstrap']} resamples (none where they show no spread)."
    )


def _remarks(report: Report) -> list[str]:
    remarks = []
    for kind, section in report["kinds"].items():
        rows = sum(1 for r in report["rows"] if r["kind"] == kind)
        text = f"{TITLES[Kind(kind)]}: {section['nli_calls']:,} NLI calls for {rows:,} rows"
        if "baselines" in section:
            text += f" (all-pairs NLI: {section['baselines']['nli_calls']:,})"
        if section.get("unverified_rows"):
            text += f"; {section['unverified_rows']:,} rows were not checked in full"
        remarks.append(text + f"; {section['seconds']:,.1f} s.")
    if "corpus" in report:
        remarks.append(corpus_report.remark(report["corpus"]))
    if "consistency" in report:
        remarks.append(consistency_report.remark(report["consistency"]))
    return remarks


def _counts(rows: Mapping[str, int]) -> str:
    if "sources" in rows:
        return f"{rows['sources']} sources"
    if set(rows) <= set(SET_LABELS):
        return " + ".join(str(rows.get(label, 0)) for label in SET_LABELS)
    return str(sum(rows.values()))


def _plain(value: float) -> str:
    return f"{value:.3f}"


def _range(cell: Mapping[str, Any]) -> str:
    digits = min(2, cell.get("digits", 3))
    return "" if cell.get("low") is None else f"{cell['low']:.{digits}f}–{cell['high']:.{digits}f}"


def _value(cell: Mapping[str, Any]) -> str:
    return "n/a" if cell.get("value") is None else f"{cell['value']:.{cell.get('digits', 3)}f}"


def _markdown_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell.replace("|", "\\|")
    return f"{_value(cell)} ({_range(cell)})" if _range(cell) else _value(cell)


def _text_cell(cell: Cell) -> Text:
    if isinstance(cell, str):
        return Text(cell)
    return Text.assemble(_value(cell), ("\n" + _range(cell), "dim")) if _range(cell) else Text(_value(cell))


def _print(report: Report, console: Console) -> None:
    """Print the tables; an interval stands below its value."""
    console.print(_heading(report), markup=False)
    for table in tables(report):
        shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for name in table.header:
            shown.add_column(Text(name), overflow="fold")
        for row in table.rows:
            shown.add_row(*(_text_cell(cell) for cell in row))
        console.print(shown)
    for remark in _remarks(report):
        console.print(remark, markup=False)
