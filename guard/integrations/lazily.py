"""Names that need a package which may not be installed: resolved on first use, with an error that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from detectors.errors import ConfigError


def resolve(package: str, name: str, homes: Mapping[str, tuple[str, str, str]]) -> Any:
    """Return ``name`` from the module of ``package`` that is its home; for a package's ``__getattr__``.

    homes: for each name its module, the top-level package that this needs, and the distribution that brings it.
    Raises `ConfigError` where that is not installed.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module, needs, distribution = homes[name]
    if find_spec(needs) is None:
        raise ConfigError(
            f"{name} needs the package {distribution}, which is not installed; run: pip install {distribution}"
        )
    return getattr(import_module(f".{module}", package), name)
