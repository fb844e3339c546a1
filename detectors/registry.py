"""Detectors by name: the bundled ones, and those that other packages offer as entry points.

``nli`` and ``values`` are not here: they score pairs together (`detectors.scoring`).
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from .errors import ConfigError
from .protocols import Detector

GROUP = "passageguard.detectors"
PAIR_SCORERS = ("nli", "values")
BUNDLED = {"stance": "detectors.stance:Stance", "conditional": "detectors.conditional:Conditional"}


def names() -> tuple[str, ...]:
    """Return every name that may be used, the bundled ones first."""
    offered = sorted(entry.name for entry in entry_points(group=GROUP))
    return (*PAIR_SCORERS, *BUNDLED, *(name for name in offered if name not in (*PAIR_SCORERS, *BUNDLED)))


def load(name: str) -> Detector:
    """Return a new detector.  Raises `ConfigError` for a name that nobody offers or that cannot be imported."""
    if name in BUNDLED:
        module, _, attribute = BUNDLED[name].partition(":")
        found: Detector = getattr(import_module(module), attribute)()
        return found
    for entry in entry_points(group=GROUP, name=name):
        try:
            offered: Detector = entry.load()()
        except Exception as error:  # another package's code
            raise ConfigError(f"detector {name!r} ({entry.value}) cannot be loaded: {error}") from error
        return offered
    raise ConfigError(f"unknown detector {name!r}; choose from {', '.join(names())}")
