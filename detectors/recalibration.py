"""A user's own calibration: one line over the logit of the shipped score, and the thresholds that go with it.

    logit(new score) = bias + slope * logit(shipped score)

With bias 0, ``1 / slope`` is a temperature (Guo et al., arXiv 1706.04599); with both it is Platt scaling (Platt, 1999).
The slope is positive, so a recalibration changes no ranking.  It is fitted by ``passageguard calibrate`` and stored
as JSON (`VERSION` 1):

    {"version": 1,
     "model_revision": "…",          the NLI model that it was fitted with; null for none
     "calibration_revision": "…",    the shipped calibration that it was fitted over
     "slope": 0.8, "bias": -0.4,     slope within 0.05..20, bias within -20..20
     "threshold": 0.7,               least new score of a conflict, 0..1
     "thresholds": {"value": 0.6},   that of single conflict types, where it is another one
     "fit": {…}}                     how it was fitted and what was measured: for readers, not used

Knows nothing about how the line is fitted.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from .calibration import SHIPPED
from .errors import ConfigError
from .evidence import ConflictType, ScoredPair

VERSION = 1
MIN_SLOPE, MAX_SLOPE, MAX_BIAS = 0.05, 20.0, 20.0  # so that no power overflows
FIELDS = ("version", "model_revision", "calibration_revision", "slope", "bias", "threshold", "thresholds", "fit")


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The line and the thresholds; see the module.  Without a slope and a bias of its own it changes no score.

    ``threshold`` is the least new score of a conflict, 0..1; ``by_type`` holds that of the types that have another.
    """

    threshold: float
    by_type: Mapping[ConflictType, float] = field(default_factory=dict)
    slope: float = 1.0
    bias: float = 0.0
    model_revision: str | None = None
    calibration_revision: str = ""
    fit: Mapping[str, Any] = field(default_factory=dict)

    def score(self, p: float) -> float:
        """Return the new score of a shipped one, both 0..1; 0 and 1 stay what they are."""
        return _on_line(p, self.slope, math.exp(self.bias))

    def shipped_score(self, p: float) -> float:
        """Return the shipped score of a new one: the inverse of `score`."""
        return _on_line(p, 1 / self.slope, math.exp(-self.bias / self.slope))

    def applied(self, scored: Iterable[ScoredPair]) -> list[ScoredPair]:
        """Return the pairs with their new scores and suspicions."""
        if (self.slope, self.bias) == (1.0, 0.0):
            return list(scored)
        return [replace(s, score=self.score(s.score), suspicion=self.score(s.suspicion)) for s in scored]

    @property
    def least_threshold(self) -> float:
        """The least new score that a conflict of any type may have."""
        return min([self.threshold, *self.by_type.values()])

    def require_fitted_for(self, model_revision: str | None) -> None:
        """Raise `ConfigError` naming both revisions where scores come from another model or shipped calibration."""
        again = "run passageguard calibrate again, with the model in use"
        if self.model_revision != model_revision:
            fitted, used = (revision or "none" for revision in (self.model_revision, model_revision))
            raise ConfigError(f"the calibration was fitted for NLI model {fitted}, but the model is {used}; {again}")
        if self.calibration_revision != shipped_revision():
            raise ConfigError(
                f"the calibration was fitted over shipped calibration {self.calibration_revision}, but this is "
                f"{shipped_revision()}; {again}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the module's docstring."""
        return {
            "version": VERSION, "model_revision": self.model_revision,
            "calibration_revision": self.calibration_revision, "slope": self.slope, "bias": self.bias,
            "threshold": self.threshold, "thresholds": {t.value: p for t, p in self.by_type.items()},
            "fit": dict(self.fit),
        }  # fmt: skip


def load(path: Path) -> Recalibration:
    """Read a file of `Recalibration.to_dict`.  Raises `ConfigError` naming file and field."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"calibration {path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, or no JSON
        raise ConfigError(f"calibration {path}: not valid JSON ({error}); use passageguard calibrate") from error
    try:
        return from_dict(stored)
    except ConfigError as error:
        raise ConfigError(f"calibration {path}: {error}") from error


def from_dict(stored: Any) -> Recalibration:
    """Return what `Recalibration.to_dict` describes.  Raises `ConfigError` naming the field."""
    if not isinstance(stored, dict):
        raise ConfigError(f"must be a JSON object, not {type(stored).__name__}")
    version = stored.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ConfigError(f'"version" must be {VERSION}, not {version!r:.60}; use passageguard calibrate')
    for name in FIELDS:
        if name not in stored:
            raise ConfigError(f'"{name}" is missing')
    for name in stored:
        if name not in FIELDS:
            raise ConfigError(f'unknown field "{name}"; known are {", ".join(FIELDS)}')
    return Recalibration(
        _number(stored["threshold"], "threshold", 0.0, 1.0),
        _thresholds(_object(stored["thresholds"], "thresholds")),
        _number(stored["slope"], "slope", MIN_SLOPE, MAX_SLOPE),
        _number(stored["bias"], "bias", -MAX_BIAS, MAX_BIAS),
        None if stored["model_revision"] is None else _text(stored["model_revision"], "model_revision"),
        _text(stored["calibration_revision"], "calibration_revision"),
        _object(stored["fit"], "fit"),
    )


@cache
def shipped_revision() -> str:
    """Identify the shipped calibration: a hash of its file."""
    return hashlib.sha256(SHIPPED.read_bytes()).hexdigest()[:16]


def _on_line(p: float, slope: float, factor: float) -> float:
    """Raise the odds of ``p`` to ``slope`` and multiply them; exact for slope 1 and factor 1."""
    p = min(max(p, 0.0), 1.0)  # another package's detector may have rounded
    yes, no = factor * p**slope, (1 - p) ** slope
    return float(yes / (yes + no))


def _thresholds(stored: Mapping[str, Any]) -> dict[ConflictType, float]:
    for name in stored:
        if name not in set(ConflictType):
            raise ConfigError(f'"thresholds": unknown conflict type {name!r}; choose from {", ".join(ConflictType)}')
    return {ConflictType(name): _number(p, f"thresholds.{name}", 0.0, 1.0) for name, p in stored.items()}


def _number(value: Any, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ConfigError(f'"{name}" must be a number within {low:g}..{high:g}, not {value!r:.60}')
    return float(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f'"{name}" must be a non-empty string, not {value!r:.60}')
    return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f'"{name}" must be an object, not {value!r:.60}')
    return value
