"""The comparison of formulas as text, Markdown or JSON, and as plots.  Made from `compare`'s report alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from .answer_comparison import ALPHA_BINS, CONTEXTS, GROUPS
from .evaluation.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = Mapping[str, Any]
WIDTH = 160
DPI = 150
FORMATS = ("png", "svg")


def write(report: Report, format: str, stream: IO[str]) -> None:
    """Write the report as ``text``, ``markdown`` or ``json``."""
    if format == "json":
        stream.write(as_json(report))
    elif format == "markdown":
        stream.write(as_markdown(report))
    else:
        console = Console(file=stream, width=None if stream.isatty() else WIDTH, highlight=False)
        for table in tables(report):
            drawn = RichTable(*table.header, title=table.title, title_justify="left", box=box.SIMPLE)
            for row in table.rows:
                drawn.add_row(*map(str, row))
            console.print(drawn)


def as_json(report: Report) -> str:
    """Return the object as JSON, indented, but each of the ``rows`` on one line."""
    head = json.dumps({k: v for k, v in report.items() if k != "rows"}, indent=2, ensure_ascii=False)
    rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in report["rows"])
    return f'{head[:-2]},\n  "rows": [\n{rows}\n  ]\n}}\n'


def as_markdown(report: Report) -> str:
    """Return the tables as Markdown."""
    parts = []
    for table in tables(report):
        lines = [list(table.header), ["---"] * len(table.header), *table.rows]
        drawn = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
        parts.append(f"### {table.title}\n\n{drawn}")
    return "\n\n".join(parts) + "\n"


def tables(report: Report) -> Iterator[Table]:
    """Yield the tables: exact match, differences, both by prior, wrong and withheld answers, α, what is known."""
    named = f"{report['questions']} questions, {report['model']}"
    yield _by_group(f"Exact match in %, with 95% intervals ({named})", report["exact_match"], _percent)
    yield from _differences("", report)
    for strength, some in report["by_prior"].items():
        yield _by_group(f"Exact match in %, {strength} priors", some["exact_match"], _percent)
        yield from _differences(f", {strength} priors", some)
    yield _by_group("Wrong answers in %", report["wrong"], _short)
    yield _by_group("Answers withheld in %", report["abstained"], _short)
    yield _by_group("Mean α of a token / tokens flipped in %", report["alpha"], _alpha)
    rows = [
        [strength, *(str(found[k]) for k in ("knows", "unsure", "ignorant")), f"{found['prior_strength']:.2f}"]
        for strength, found in report["closed_book"].items()
    ]
    header = ("prior", "knows", "unsure", "ignorant", "mean prior strength")
    yield Table("What the model knows without passages (questions)", header, rows)


def _differences(what: str, figures: Mapping[str, Any]) -> Iterator[Table]:
    """Yield a table for each method in question: by how many points it is above each of the others."""
    for name, others in figures["differences"].items():
        yield _by_group(f"{name}, points of exact match above{what}", others, _points)


def _by_group(title: str, figures: Mapping[str, Mapping[str, Any]], cell: Any) -> Table:
    """Return a row a method and a column for each group of contexts that occurs."""
    columns = [group for group in GROUPS if any(group in by_group for by_group in figures.values())]
    rows = [[name, *(cell(found.get(group)) for group in columns)] for name, found in figures.items()]
    return Table(title, ["method", *(column.replace("_", "-") for column in columns)], rows)


def _percent(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return ""
    return f"{100 * figure['value']:.1f}{_interval(figure, '.0f')}"


def _points(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return ""
    return f"{100 * figure['value']:+.1f}{_interval(figure, '+.1f')}"


def _interval(figure: Mapping[str, Any], digits: str) -> str:
    low, high = figure["low"], figure["high"]
    return "" if low is None else f" [{100 * low:{digits}}, {100 * high:{digits}}]"


def _short(figure: Mapping[str, Any] | None) -> str:
    return "" if figure is None or figure["value"] is None else f"{100 * figure['value']:.1f}"


def _alpha(figure: Mapping[str, Any] | None) -> str:
    return "" if figure is None else f"{figure['mean']:.3f} / {100 * figure['flipped']:.0f}"


def draw(report: Report, folder: Path) -> list[Path]:
    """Write the plots into ``folder``, made if need be; return the files.  Raises `ConfigError` without matplotlib."""
    from .evaluation.plots import require_matplotlib

    require_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context({"svg.hashsalt": "passageguard", "axes.grid": True, "grid.alpha": 0.3}):
        for name, paint in (("exact_match", _bars), ("alpha", _histograms)):
            figure = Figure(figsize=(10, 5), layout="constrained")
            paint(figure, report)
            for ending in FORMATS:
                path = folder / f"{name}.{ending}"
                # Without a date the same report gives the same file.
                figure.savefig(path, dpi=DPI, metadata={"Date": None} if ending == "svg" else None)
                written.append(path)
    return written


def _bars(figure: Figure, report: Report) -> None:
    """A group of bars for each kind of context, a bar with its interval for each method."""
    axes: Axes = figure.add_subplot()
    found = report["exact_match"]
    groups = [group for group in GROUPS if any(group in by_group for by_group in found.values())]
    width = 0.8 / len(found)
    for n, (name, by_group) in enumerate(found.items()):
        values = [by_group[group]["value"] for group in groups]
        low = [by_group[g]["value"] if by_group[g]["low"] is None else by_group[g]["low"] for g in groups]
        high = [by_group[g]["value"] if by_group[g]["high"] is None else by_group[g]["high"] for g in groups]
        errors = [
            [max(0.0, v - bound) for v, bound in zip(values, low, strict=True)],
            [max(0.0, bound - v) for v, bound in zip(values, high, strict=True)],
        ]
        places = [g + (n - (len(found) - 1) / 2) * width for g in range(len(groups))]
        axes.bar(places, values, width * 0.95, yerr=errors, capsize=1.5, label=name, error_kw={"lw": 0.8})
    axes.set_xticks(range(len(groups)), [group.replace("_", "-\n") for group in groups])
    axes.set(ylabel="exact match (95% interval)", ylim=(0, 1.02), title="Exact match by kind of context")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))


def _histograms(figure: Figure, report: Report) -> None:
    """AdaCAD's α, one panel a kind of context; with one kind alone, one panel."""
    found = report["alpha"].get("adacad") or next(iter(report["alpha"].values()))
    kinds: Sequence[str] = [context for context in CONTEXTS if context in found]
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    edges = [n / ALPHA_BINS for n in range(ALPHA_BINS)]
    for axes, kind in zip(panels, kinds, strict=True):
        counts = found[kind]["histogram"]
        axes.bar(edges, [c / sum(counts) for c in counts], 1 / ALPHA_BINS, align="edge", color="tab:orange")
        axes.set(xlabel="α", xlim=(0, 0.75), title=kind.replace("_", "-\n"))
    panels[0].set_ylabel("share of tokens")
    figure.suptitle("α = JSD of each token, AdaCAD")
