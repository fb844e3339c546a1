"""A table of a report, before it becomes text or Markdown, and the figure of a share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .metrics import Figure, drawn_share, interval, resamples, share

Cell = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A title, column names, and rows of text and of figures ``{value, low, high}``."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Resampling:
    """``count`` resamples, drawn from ``seed``: what the 95% interval of a share depends on, beside its counts."""

    count: int
    seed: int

    def share(self, hits: int, total: int) -> dict[str, Any]:
        """Return ``{value, low, high}`` of ``hits / total``; all None where ``total`` is 0."""
        rng = np.random.default_rng([self.seed, hits, total])
        return asdict(share(drawn_share(hits, total, self.count, rng), total))

    def mean(self, values: Sequence[float], factor: float = 1.0) -> dict[str, Any]:
        """Return ``{value, low, high}`` of the mean times ``factor``; where all values are 0, as for a share of 0."""
        if not values:
            return asdict(Figure(None))
        weights = resamples(np.zeros(len(values)), self.count, np.random.default_rng([self.seed, len(values)]))
        means = weights @ np.asarray(values, float) / len(values)
        figure = interval(means) if any(values) else share(means, len(values))
        return {name: None if value is None else value * factor for name, value in asdict(figure).items()}
