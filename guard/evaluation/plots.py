"""Plots of a report, as PNG and SVG: precision against recall, reliability, scores by label, AUROC by source.

Made from the JSON object of `report` alone.  Needs matplotlib, the optional extra ``plots``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.errors import ConfigError

from . import metrics
from .datasets import Kind
from .metrics import Bools, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE_IN = (8.0, 4.8)
DPI = 150
FORMATS = ("png", "svg")
OUTSIDE: Mapping[str, Any] = {"fontsize": "small", "loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
LABELS = (("consistent", "tab:blue"), ("conflict", "tab:red"))

Row = Mapping[str, Any]


def require_matplotlib() -> None:
    """Raise `ConfigError` saying how to install matplotlib where it is missing."""
    if find_spec("matplotlib") is None:
        raise ConfigError("plots need matplotlib: run pip install 'passageguard[plots]'")


def draw(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the plots of every kind of sets into ``folder``, made if need be; return the files."""
    require_matplotlib()
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context({"svg.hashsalt": "passageguard", "axes.grid": True, "grid.alpha": 0.3}):
        for name, figure in figures(report):
            for ending in FORMATS:
                path = folder / f"{name}.{ending}"
                # Without a date the same report gives the same file.
                figure.savefig(path, dpi=DPI, metadata={"Date": None} if ending == "svg" else None)
                written.append(path)
    return written


def figures(report: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Yield (name, figure), four for each kind of sets."""
    threshold = report["run"]["threshold"]
    for kind, section in report["kinds"].items():
        if kind == Kind.NLI:
            continue
        rows = [r for r in report["rows"] if r["kind"] == kind]
        yield f"{kind}_precision_recall", _figure(lambda axes, r=rows: _precision_recall(axes, r, threshold))
        yield f"{kind}_reliability", _figure(lambda axes, r=rows: _reliability(axes, r))
        yield f"{kind}_scores", _figure(lambda axes, r=rows: _histograms(axes, r, threshold))
        bars = (1 + len(section["sources"])) * (2 + len(section.get("baselines", {}).get("methods", {})))
        height = max(SIZE_IN[1], 1.2 + 0.16 * bars)
        yield f"{kind}_auroc", _figure(lambda axes, s=section: _auroc_bars(axes, s), height)


def _figure(paint: Any, height: float = SIZE_IN[1]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE_IN[0], height), layout="constrained")
    paint(figure.add_subplot())
    return figure


def _arrays(rows: Sequence[Row]) -> tuple[Floats, Bools]:
    return np.array([r["score"] for r in rows], float), np.array([r["label"] == "conflict" for r in rows])


def _precision_recall(axes: Axes, rows: Sequence[Row], threshold: float) -> None:
    """One curve a source and one of all rows, with the shipped threshold marked."""
    names = sorted({r["source"] for r in rows})
    chosen = [(name, [r for r in rows if r["source"] == name]) for name in names]
    for name, some in [*chosen, ("all rows", list(rows))] if len(names) > 1 else chosen:
        curve = metrics.curve(*_arrays(some))
        if not curve.positives[0]:
            continue
        recall, precision = curve.true[0] / curve.positives[0], curve.true[0] / (curve.true[0] + curve.false[0])
        style = {"color": "black", "lw": 2.0} if name == "all rows" else {"lw": 1.2}
        (line,) = axes.plot(recall, precision, drawstyle="steps-pre", label=name, **style)
        place = int((curve.thresholds >= threshold).sum())
        if place:
            axes.plot(recall[place - 1], precision[place - 1], "o", color=line.get_color(), ms=5)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
    axes.set_title(f"Precision and recall (dot: threshold {threshold:.3f})")
    axes.legend(**OUTSIDE)


def _reliability(axes: Axes, rows: Sequence[Row]) -> None:
    """Share of conflicts against the mean score of equal-mass bins."""
    bins = metrics.reliability(*_arrays(rows))
    axes.plot([0, 1], [0, 1], "--", color="grey", lw=1, label="calibrated")
    label = f"{metrics.BINS} equal-mass bins"
    axes.plot([b[0] for b in bins], [b[1] for b in bins], "o-", color="tab:red", label=label)
    axes.set(xlabel="mean score", ylabel="share of conflicts", xlim=(0, 1), ylim=(-0.01, 1.01))
    axes.set_title("Reliability")
    axes.legend(fontsize="small", loc="upper left")


def _histograms(axes: Axes, rows: Sequence[Row], threshold: float) -> None:
    scores, labels = _arrays(rows)
    for (name, colour), own in zip(LABELS, (~labels, labels), strict=True):
        axes.hist(
            scores[own], bins=[n / 30 for n in range(31)], alpha=0.55, color=colour, label=f"{name} ({own.sum()})"
        )
    axes.axvline(threshold, color="black", lw=1, ls=":", label=f"threshold {threshold:.3f}")
    axes.set(xlabel="score", ylabel="rows", xlim=(0, 1), title="Scores by label")
    axes.legend(fontsize="small")


def _auroc_bars(axes: Axes, section: Mapping[str, Any]) -> None:
    """A bar with its interval for each source and score; the line is chance."""
    own = {name: group["figures"] for name, group in section["sources"].items()}
    methods = {"PassageGuard": {**own, "macro": section["macro"]["figures"]}}
    methods.update(section.get("baselines", {}).get("methods", {}))
    names = [*own, "macro"] if len(own) > 1 else list(own)
    height = 0.8 / len(methods)
    for n, (method, by_source) in enumerate(methods.items()):
        known = [(i, by_source[s]["auroc"]) for i, s in enumerate(names) if by_source[s]["auroc"]["value"] is not None]
        values = np.array([f["value"] for _, f in known])
        low = np.array([f["value"] if f["low"] is None else f["low"] for _, f in known])
        high = np.array([f["value"] if f["high"] is None else f["high"] for _, f in known])
        places = [i + (n - (len(methods) - 1) / 2) * height for i, _ in known]
        errors = np.abs([values - low, high - values])
        axes.barh(places, values, height * 0.9, xerr=errors, capsize=2, label=method.replace("_", " "))
    axes.axvline(0.5, color="black", lw=1, ls=":")
    axes.set_yticks(range(len(names)), ["mean of sources" if s == "macro" else s for s in names])
    axes.invert_yaxis()
    axes.set(xlabel="AUROC (95% interval)", xlim=(0, 1), title="AUROC by source")
    if len(methods) > 1:
        axes.legend(**OUTSIDE)
