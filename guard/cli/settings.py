"""``[tool.passageguard]`` in the current folder's ``pyproject.toml``: defaults for the options of the audit commands.

    [tool.passageguard]
    baseline = "passageguard-baseline.json"
    exclude = ["archive/"]
    min-score = 0.8

Each of ``audit``, ``baseline`` and ``review`` takes those that it has, so that a baseline is written with the settings
that the audit has; the name of the baseline is the file that ``baseline`` writes.  The command line wins.  Tables
below, such as ``[tool.passageguard.x]``, are not looked at.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from detectors.errors import ConfigError

FILE = Path("pyproject.toml")
COMMON = {
    name: name.replace("-", "_")
    for name in ("exclude", "min-score", "detectors", "model", "calibration", "max-pairs", "cache-dir")
}
OPTIONS: dict[str, dict[str, str]] = {
    "audit": {**COMMON, "baseline": "baseline_file", "reviews": "reviews_file", "max-time": "max_time",
              "format": "format", "fail-on": "fail_on"},
    "baseline": {**COMMON, "baseline": "output", "reviews": "reviews_file"},
    "review": {"reviews": "file"},
}  # fmt: skip
"""For each command, the settings and the names of its parameters."""


def defaults() -> dict[str, dict[str, Any]]:
    """Return the defaults of each command's parameters.  Raises `ConfigError` naming the file and the setting."""
    if not FILE.is_file():
        return {}
    try:
        table = tomllib.loads(FILE.read_text(encoding="utf-8")).get("tool", {}).get("passageguard", {})
    except (OSError, ValueError) as error:
        raise ConfigError(f"{FILE}: cannot be read: {error}") from error
    known = {name for names in OPTIONS.values() for name in names}
    table = {name: value for name, value in table.items() if not isinstance(value, dict)}
    for name in table:
        if name not in known:
            raise ConfigError(
                f"{FILE}: [tool.passageguard] has no setting {name!r}; choose from {', '.join(sorted(known))}"
            )
    return {command: {names[n]: v for n, v in table.items() if n in names} for command, names in OPTIONS.items()}
