"""The configuration of a Guard: one frozen object, validated when it is built."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import NoneType

from detectors import registry
from detectors.errors import ConfigError
from detectors.verifier import VerifierConfig

from .policy import Policy

DETECTORS = (*registry.PAIR_SCORERS, *registry.BUNDLED)


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """Settings of `Guard`.

    model: NLI model, a path or hub name; None is the bundled one.
    encoder: sentence-transformers model for candidates, a path or hub name; None is the bundled one.
    policy: what to do about conflicts.
    detectors: the bundled `DETECTORS`, or names that other packages offer (`detectors.registry`); ``nli`` and
        ``values`` see every candidate pair.
    threshold: least calibrated score of a conflict of any type, 0..1; None is that of the calibration.
    calibration: file of ``passageguard calibrate``, fitted on your own labelled rows; None is the shipped one.
    max_pairs: most sentence pairs to score; the least similar beyond it are reported as unverified.
    deadline_s: seconds after which what is left is reported as unverified; None is no limit.
    max_passage_chars: a longer passage is refused.
    device: ``cpu``, ``cuda``, …; None chooses.
    verifier: an endpoint that is asked about the pairs that matter (`detectors.verifier`); None sends nothing anywhere.
    """

    model: str | None = None
    encoder: str | None = None
    policy: Policy = field(default_factory=Policy)
    detectors: tuple[str, ...] = DETECTORS
    threshold: float | None = None
    calibration: str | None = None
    max_pairs: int = 20_000
    deadline_s: float | None = None
    max_passage_chars: int = 5_000_000
    device: str | None = None
    verifier: VerifierConfig | None = None

    def __post_init__(self) -> None:
        self._require_types()
        known = registry.names()
        for name in self.detectors:
            if name not in known:
                raise ConfigError(f"unknown detector {name!r}; choose from {', '.join(known)}")
        if not self.detectors:
            raise ConfigError("detectors is empty: nothing would be checked")
        if {"stance", "conditional"} & set(self.detectors) and "nli" not in self.detectors:
            raise ConfigError("contradictory settings: stance and conditional need the nli detector")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigError(f"threshold must lie in 0..1, not {self.threshold}")
        if self.max_pairs < 1:
            raise ConfigError(f"max_pairs must be at least 1, not {self.max_pairs}")
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise ConfigError(f"deadline_s must be positive, not {self.deadline_s}")
        if self.max_passage_chars < 1:
            raise ConfigError(f"max_passage_chars must be at least 1, not {self.max_passage_chars}")

    def _require_types(self) -> None:
        """Name the first field of another type than its annotation; a whole number is also a number, a bool none."""
        for field_ in fields(self):
            kinds, value = _TYPES[field_.name], getattr(self, field_.name)
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                wanted = " or ".join("None" if k is NoneType else k.__name__ for k in kinds)
                raise ConfigError(f"{field_.name} must be {wanted}, not {value!r}")


_TYPES: dict[str, tuple[type, ...]] = {
    "model": (str, NoneType), "encoder": (str, NoneType), "policy": (Policy,), "detectors": (tuple,),
    "threshold": (int, float, NoneType), "calibration": (str, NoneType), "max_pairs": (int,),
    "deadline_s": (int, float, NoneType), "max_passage_chars": (int,), "device": (str, NoneType),
    "verifier": (VerifierConfig, NoneType),
}  # fmt: skip
