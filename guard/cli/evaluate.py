"""``passageguard eval``: figures on labelled rows, with intervals, baselines and flips against an earlier run."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from detectors.errors import ConfigError

from .options import make_guard
from .trials import Trial, consistency_of, set_examples

if TYPE_CHECKING:
    from guard import Guard
    from guard.evaluation.compare import Flips
    from guard.evaluation.datasets import Example, SetExample
    from guard.evaluation.evaluate import StartProgress

FORMATS = ("text", "markdown", "json")
ENDINGS = {".json": "json", ".md": "markdown"}
LIBRARIES = ("passageguard", "numpy", "torch", "transformers", "sentence-transformers")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the figures depend on, beside model and data."""

    seed: int
    resamples: int
    baselines: bool


def evaluate(
    files: list[Path] | None = typer.Argument(
        None, help="Labelled rows: .jsonl or .jsonl.gz; kinds may be mixed (see above)."
    ),
    inject: Path | None = typer.Option(
        None, help="Documents, as for audit: plant contradictions in them and say what is found; needs no FILE."
    ),
    half: str | None = typer.Option(None, help="Of rows with a half, those of this one: tune or held_out."),
    limit: int | None = typer.Option(
        None, min=1, help="Most rows of each source and label, and planted sets of each shape and edit (20): a sample."
    ),
    seed: int = typer.Option(0, min=0, help="Seed of the sample and of the resampling."),
    bootstrap: int = typer.Option(1000, min=0, help="Resamples for the 95% intervals; 0 for none."),
    baselines: bool = typer.Option(
        False, "--baselines", help="Also all-pairs NLI (slow: see --limit), word overlap and cosine."
    ),
    format: str | None = typer.Option(None, help="text, markdown or json. Default: by the ending of -o, else text."),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Write the report there; the terminal then shows the text."
    ),
    consistency: bool = typer.Option(
        False, "--consistency", help="Also: does the verdict stay with sides swapped, texts restated, split, joined …"
    ),
    plots: Path | None = typer.Option(None, help="Folder for the plots (PNG, SVG); needs passageguard\\[plots]."),
    compare: Path | None = typer.Option(None, help="JSON report of an earlier run on the same rows: list the flips."),
    fail_on_nfr: float | None = typer.Option(
        None, "--fail-on-nfr", min=0, max=1, help="Exit 1 when more than this share of rows flipped to wrong."
    ),
    model: str | None = typer.Option(None, help="NLI model: a path or hub name. Default: the bundled one."),
    detectors: str | None = typer.Option(None, help="Comma-separated: nli, values, stance, conditional."),
    threshold: float | None = typer.Option(None, help="Least calibrated score of a conflict, 0..1."),
    calibration: str | None = typer.Option(
        None, help="File of passageguard calibrate; its overall threshold counts for all types."
    ),
) -> None:
    """Measure how well contradictions are found, on labelled rows and in your own documents.

    Each row is one JSON object; what it is shows by its fields:

    \b
      {"id", "question", "passages": [{"id", "text"}], "conflicts": [[0, 2]],
       "label": "conflict" or "consistent", "type", "source"}
      {"id", "text", "contradiction": true or false, "source"}
      {"premise", "hypothesis",
       "label": "entailment", "neutral" or "contradiction", "source"}
      the rows of benchmarks/suite/pairs.jsonl and sets.jsonl

    Examples:

    \b
      passageguard eval benchmarks/suite/*.jsonl --half tune
      passageguard eval sets.jsonl.gz --limit 50 --baselines --plots plots/
      passageguard eval sets.jsonl.gz -o before.json
      passageguard eval sets.jsonl.gz --compare before.json --fail-on-nfr 0.01
      passageguard eval sets.jsonl.gz --consistency
      passageguard eval --inject docs/

    Exit codes: 0 measured, 1 more negative flips than --fail-on-nfr allows, 2 error.
    """
    from guard.evaluation import datasets, report
    from guard.evaluation.table import Resampling

    chosen = _format(format, output)
    if fail_on_nfr is not None and compare is None:
        raise ConfigError("--fail-on-nfr needs --compare OLD.json: flips are counted against an earlier run")
    if plots is not None:
        from guard.evaluation.plots import require_matplotlib

        require_matplotlib()
    if not files:
        about_rows = {"--half": half, "--baselines": baselines, "--plots": plots, "--compare": compare,
                      "--consistency": consistency}  # fmt: skip
        _require_no_rows_needed(inject, [name for name, value in about_rows.items() if value])
    examples = datasets.sample(datasets.load(files, half), limit, seed) if files else []
    rows = set_examples(examples) if consistency else []
    with progress() as start:
        trial = Trial.of(inject, limit, seed, start) if inject else None
    old = _earlier(compare, examples) if compare else None
    guard = make_guard("report", model=model, detectors=detectors, threshold=threshold, calibration=calibration)
    settings = Settings(seed, bootstrap, baselines)
    with progress() as start:
        result = measured(guard, examples, settings, start)
        if trial:
            result["corpus"] = trial.run(guard, Resampling(bootstrap, seed), start)
        if consistency:
            result["consistency"] = consistency_of(guard, rows, Resampling(bootstrap, seed), start)
    result["run"].update(files=[str(f) for f in files or ()], half=half, limit=limit)
    flips = _compared(result, old, settings) if old is not None else None
    if output:
        with output.open("w", encoding="utf-8") as stream:
            report.write(result, chosen, stream)
    report.write(result, "text" if output else chosen, sys.stdout)
    if plots is not None:
        from guard.evaluation.plots import draw

        typer.echo(f"{len(draw(result, plots))} plots in {plots}", err=True)
    if fail_on_nfr is not None and flips and flips.negative_rate > fail_on_nfr:
        typer.echo(f"negative flip rate {flips.negative_rate:.4f} is above {fail_on_nfr}", err=True)
        raise typer.Exit(1)


def _require_no_rows_needed(inject: Path | None, about_rows: list[str]) -> None:
    """Raise `ConfigError` where there is nothing to measure, or an option is about rows and there are none."""
    if inject is None:
        raise ConfigError("nothing to measure: give FILE… with labelled rows, or --inject DIR with documents")
    if about_rows:
        raise ConfigError(f"{', '.join(about_rows)}: about labelled rows, and no FILE is given; give one")


def measured(guard: Guard, examples: list[Example], settings: Settings, start: StartProgress) -> dict[str, Any]:
    """Run guard and baselines over the examples and return the report (see `guard.evaluation.report`)."""
    from guard.evaluation import evaluate, report
    from guard.evaluation.datasets import Kind, NLIExample, SetExample

    kinds: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for kind in (Kind.SETS, Kind.PAIRS, Kind.SELF):
        own = [e for e in examples if isinstance(e, SetExample) and e.kind is kind]
        if own:
            kinds[kind.value], some = _measured_sets(guard, own, settings, start)
            rows += some
    pairs = [e for e in examples if isinstance(e, NLIExample)]
    if pairs:
        begun, calls = time.monotonic(), guard.scorer.calls
        results = evaluate.classify(guard.scorer, pairs, start("NLI pairs", len(pairs)))
        seconds, calls = time.monotonic() - begun, guard.scorer.calls - calls
        figures = evaluate.nli_figures(results, settings.resamples, settings.seed)
        kinds[Kind.NLI.value] = report.nli_section(figures, calls, seconds)
        rows += report.nli_rows(results)
    return {"version": 1, "run": _run(guard, settings), "kinds": kinds, "rows": rows}


def _measured_sets(
    guard: Guard, examples: list[SetExample], settings: Settings, start: StartProgress
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from guard.evaluation import baselines, evaluate, report

    title = report.TITLES[examples[0].kind]
    begun, calls = time.monotonic(), guard.scorer.calls
    results = evaluate.measure(guard, examples, start(title, len(examples)))
    seconds, calls = time.monotonic() - begun, guard.scorer.calls - calls
    figures = evaluate.set_figures(results, guard.threshold, settings.resamples, settings.seed)
    section = report.set_section(figures, results, calls, seconds)
    if not settings.baselines:
        return section, report.set_rows(results, {})
    from detectors import encoder

    config = guard.config
    found = baselines.run(examples, guard.scorer, encoder.load(config.encoder, config.device), start)
    scored = {
        name: evaluate.ranking_figures(scores, examples, settings.resamples, settings.seed)
        for name, scores in found.scores.items()
    }
    section["baselines"] = report.baseline_section(scored, found)
    return section, report.set_rows(results, {name: s.tolist() for name, s in found.scores.items()})


def _earlier(path: Path, examples: list[Example]) -> list[dict[str, Any]]:
    """Read the earlier run's rows and make sure, before anything slow, that they are the same."""
    from guard.evaluation import compare

    rows: list[dict[str, Any]] = compare.read_report(path)["rows"]
    labels = {(e.kind.value, e.source, e.id): e.label for e in examples}
    compare.require_same_rows(rows, labels, str(path))
    return rows


def _compared(result: dict[str, Any], old: list[dict[str, Any]], settings: Settings) -> Flips:
    import numpy as np

    from guard.evaluation import compare, metrics, report

    flips = compare.compare(old, result["rows"])
    rng = np.random.default_rng(settings.seed)
    rates = {
        side: metrics.share(metrics.drawn_share(len(some), flips.rows, settings.resamples, rng), flips.rows)
        for side, some in (("negative", flips.negative), ("positive", flips.positive))
    }
    result["comparison"] = report.comparison_section(flips, rates, result["rows"])
    return flips


def _run(guard: Guard, settings: Settings) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "model": guard.config.model or "bundled",
        "model_revision": getattr(guard.scorer, "revision", None),
        "detectors": list(guard.config.detectors),
        "threshold": guard.threshold,
        "calibration": guard.config.calibration,
        "seed": settings.seed,
        "bootstrap": settings.resamples,
        "hardware": {"cpu_count": os.cpu_count(), "machine": platform.machine()},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _format(name: str | None, output: Path | None) -> str:
    chosen = name or (ENDINGS.get(output.suffix, "text") if output else "text")
    if chosen not in FORMATS:
        raise ConfigError(f"unknown format {chosen!r}; choose {', '.join(FORMATS)}")
    return chosen


@contextmanager
def progress() -> Iterator[StartProgress]:
    """Yield a function that starts a bar with rate and time left on a terminal's stderr, and elsewhere does nothing."""
    if not sys.stderr.isatty():
        yield lambda description, total: lambda done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.1f}/s" if task.speed else "")

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def start(description: str, total: int) -> Any:
            task = bar.add_task(description, total=total)
            return lambda done: bar.advance(task, done)

        yield start
