"""``passageguard calibrate``: a calibration of one's own from labelled rows, measured on rows that it did not see."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detectors.errors import InputError

from . import options
from .evaluate import progress

if TYPE_CHECKING:
    from rich.table import Table

    from detectors.evidence import ConflictType
    from guard.evaluation.calibrate import Result
    from guard.evaluation.metrics import Figure

RECALLS = tuple(n / 10 for n in range(1, 11))
FIGURES = {
    "ece": "calibration error", "brier": "Brier score", "precision": "precision", "recall": "recall",
    "false_alarm_rate": "false alarm rate",
}  # fmt: skip
EPILOG = "Exit codes: 0 fitted, 2 error (too few rows, a precision that no threshold reaches)."


def calibrate(
    files: Annotated[list[Path], typer.Argument(help="Labelled rows, as for eval: .jsonl or .jsonl.gz.")],
    precision: Annotated[float, typer.Option(help="Share of right alarms that a threshold must reach.")] = 0.9,
    confidence: Annotated[
        float, typer.Option(help="How sure that must be, 0.5 up to 1; 0.5 takes the share as it is counted.")
    ] = 0.8,
    half: Annotated[str | None, typer.Option(help="Of rows with a half, those of this one: tune or held_out.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most rows of each source and label: a seeded sample.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sample, folds and resampling.")] = 0,
    model: options.Model = None,
    detectors: options.Detectors = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the calibration there; without, nothing is.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            help="Folder for plots of before and after (PNG, SVG); needs passageguard\\[plots].",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
) -> None:
    """Fit scores and thresholds to your own labelled rows.

    \b
    Scores:      one line over the logit of the shipped score; with fewer than 30
                 rows of a label a temperature alone. No ranking changes.
    Thresholds:  one overall and one for each conflict type, the least at which
                 --precision is reached with --confidence. A type with too few
                 conflicts takes the overall one. Types are those that the guard
                 names: your rows need none.

    \b
    Figures are cross-fitted: each row is judged by a fit that saw neither it nor
    a row that shares its question or the text of a passage.
    Precision holds for rows mixed like yours: label consistent rows as often as
    you will meet them.

    \b
    Rows are those of passageguard eval, of which a small one is:
      {"id": "1", "a": "…", "b": "…", "label": "conflict"}

    \b
    Examples:
      passageguard calibrate labelled.jsonl
      passageguard calibrate labelled.jsonl --precision 0.95 -o calibration.json
      passageguard calibrate sets.jsonl.gz pairs.jsonl --plots plots/
      passageguard audit docs/ --calibration calibration.json

    \b
    In the library: GuardConfig(calibration="calibration.json"). The file is for
    the model that it was fitted with; with another one it is refused.
    """
    from guard.evaluation import calibrate as fitting
    from guard.evaluation import datasets

    options.require_output("text", output)
    goal = fitting.Goal(precision, confidence)
    if plots is not None:
        from guard.evaluation.plots import require_matplotlib

        require_matplotlib()
    examples = [fitting.as_set(e) for e in datasets.sample(datasets.load(files, half), limit, seed)]
    guard = options.make_guard("report", model=model, detectors=detectors)
    with progress() as start:
        rows, left_out = fitting.observe(guard, examples, start("scoring rows", len(examples)))
    if not rows:
        raise InputError(f"no row could be checked in full; the first: {left_out[0]}")
    result = fitting.calibrate(rows, goal, guard.threshold, seed)
    facts = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"), "files": [str(f) for f in files], "half": half,
        "limit": limit, "seed": seed, "detectors": list(guard.config.detectors), "left_out": len(left_out),
    }  # fmt: skip
    document = as_document(result, guard.model_revision, facts)
    show(result, guard.model_revision, left_out)
    if output:
        with options.report_to(output) as stream:
            options.write_json(document, stream)
        typer.echo(f"calibration written to {output}", err=True)
    if plots is not None:
        typer.echo(f"{draw(result, plots)} plots in {plots}", err=True)


def as_document(result: Result, model_revision: str | None, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the calibration file: what `detectors.recalibration` reads, with all that was measured."""
    from detectors.recalibration import shipped_revision

    labels = result.found.labels
    measured = {
        **facts,
        "rows": {"conflict": int(labels.sum()), "consistent": int((~labels).sum())},
        **asdict(result.goal),
        "folds_by_group": result.crossed.by_group,
        "before": {name: asdict(figure) for name, figure in result.before.items()},
        "cross_fitted": {name: asdict(figure) for name, figure in result.after.items()},
    }
    line = result.fitted.recalibration
    return replace(line, model_revision=model_revision, calibration_revision=shipped_revision(), fit=measured).to_dict()


def show(result: Result, model_revision: str | None, left_out: Sequence[str]) -> None:
    """Print what was fitted, figures, thresholds and the curve."""
    from guard.evaluation.calibrate import wants_bias

    from .render import console_for

    console = console_for(sys.stdout)
    labels, line = result.found.labels, result.fitted.recalibration
    console.print(
        f"{len(labels)} rows: {labels.sum()} conflicts, {(~labels).sum()} consistent; model {model_revision or 'none'}",
        markup=False,
    )
    if left_out:
        total = len(left_out) + len(labels)
        console.print(
            f"{len(left_out)} of {total} rows left out, not checked in full; the first: {left_out[0]}", markup=False
        )
    formula = f"logit(new) = {line.bias:+.4f} {line.slope:+.4f} * logit(shipped)"
    kind = "" if wants_bias(result.found) else f"  (temperature {1 / line.slope:.2f}: too few rows for a bias)"
    console.print(f"score: {formula}{kind}\n", markup=False)
    for table in (_figures_table(result), _thresholds_table(result), _curve_table(result)):
        console.print(table)
    if not result.crossed.by_group:
        console.print("Too few rows without a text in common: folds are by row, and the figures may flatter.")


def draw(result: Result, folder: Path) -> int:
    """Write the plots of eval for the shipped scores and for the cross-fitted ones; return how many."""
    from guard.evaluation import calibrate as fitting
    from guard.evaluation import evaluate, plots, report

    written = 0
    for name, scores, threshold in (
        ("before", result.found.top, result.shipped_threshold),
        ("after", result.crossed.scores, result.fitted.recalibration.threshold),
    ):
        judged = [
            evaluate.SetResult(row.example, float(s), bool(s >= threshold))
            for row, s in zip(result.rows, scores, strict=True)
        ]
        section = report.set_section(
            evaluate.set_figures(judged, threshold, fitting.RESAMPLES, result.seed), judged, 0, 0.0
        )
        rows = [{**row, "kind": name} for row in report.set_rows(judged, {})]
        written += len(plots.draw({"run": {"threshold": threshold}, "kinds": {name: section}, "rows": rows}, folder))
    return written


def _figures_table(result: Result) -> Table:
    table = _table("on rows that the fit did not see, with 95% intervals", "", "before", "after")
    for name, title in FIGURES.items():
        table.add_row(title, _cell(result.before[name]), _cell(result.after[name]))
    return table


def _thresholds_table(result: Result) -> Table:
    from guard.evaluation.calibrate import alarms_of_type

    goal, fitted = result.goal, result.fitted
    table = _table(
        f"least threshold with precision {goal.precision:g}, {goal.confidence:.0%} sure; alarms on rows not seen",
        "type", "conflicts", "threshold", "right alarms", "",
    )  # fmt: skip
    fired = result.crossed.alarms
    right = f"{(fired & result.found.labels).sum()} of {fired.sum()}"
    table.add_row("all", str(result.found.labels.sum()), f"{fitted.overall.threshold:.3f}", right, "")
    for type_, conflicts in fitted.conflicts.items():
        threshold = fitted.recalibration.by_type.get(type_, fitted.recalibration.threshold)
        true, alarms = alarms_of_type(result.found, result.crossed, type_)
        note = _note(result, type_)
        table.add_row(type_.value, str(conflicts), f"{threshold:.3f}", f"{true} of {alarms}", note)
    return table


def _note(result: Result, type_: ConflictType) -> str:
    from guard.evaluation.calibrate import LEAST_CONFLICTS

    chosen = result.fitted.types.get(type_)
    if chosen is None:
        least = max(LEAST_CONFLICTS, result.goal.least_alarms)
        return f"too few conflicts (needs {least}): the overall threshold"
    if chosen.reached:
        return ""
    return (
        f"out of reach: at best {chosen.low:.2f}, at {chosen.threshold:.3f}, "
        f"finding {chosen.true / chosen.conflicts:.0%} of them"
    )


def _curve_table(result: Result) -> Table:
    """The line changes no ranking, so this is the curve of the shipped scores, which saw no row."""
    from guard.evaluation import metrics

    title = "precision at each recall, one threshold for all types"
    table = _table(title, "recall", "threshold", "alarms", "precision")
    scored = result.found.top > 0
    curve = metrics.curve(result.found.top[scored], result.found.labels[scored])
    true, alarms = curve.true[0], curve.true[0] + curve.false[0]
    total = result.found.labels.sum()
    for recall in RECALLS:
        reached = true >= recall * total - 1e-9
        if not reached.any():
            table.add_row(f"{recall:.1f}", "", "", "", "not reached")
            break
        at = int(reached.argmax())
        threshold = result.fitted.recalibration.score(float(curve.thresholds[at]))
        figures = f"{true[at] / total:.3f}", f"{threshold:.3f}", str(int(alarms[at])), f"{true[at] / alarms[at]:.3f}"
        table.add_row(*figures)
    return table


def _table(title: str, *header: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in header:
        table.add_column(name)
    return table


def _cell(figure: Figure) -> str:
    if figure.value is None:
        return "n/a"
    between = "" if figure.low is None else f"  ({figure.low:.2f}–{figure.high:.2f})"
    return f"{figure.value:.3f}{between}"
