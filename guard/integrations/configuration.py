"""A guard as plain JSON types and back, for frameworks that save their pipelines as text.

What is written is the configuration.  Models are written as their names, never as weights.  Knows nothing about
any framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, TypeAdapter, ValidationError

from detectors.errors import ConfigError
from guard.config import GuardConfig
from guard.pipeline import Guard

_CONFIG = TypeAdapter(GuardConfig)


def written(guard: Guard) -> dict[str, Any]:
    """Return the guard's configuration in plain JSON types.

    Raises `ConfigError` for a guard with an injected encoder or scorer, which no text can hold.
    """
    if guard._given_encoder is not None or guard._given_scorer is not None:
        raise ConfigError(
            "a guard with an encoder or scorer of its own cannot be written as text; name the models in GuardConfig"
        )
    plain: dict[str, Any] = _CONFIG.dump_python(guard.config, mode="json")
    return plain


def read(document: Mapping[str, Any]) -> Guard:
    """Return the guard of `written`; settings that are missing have their defaults.

    Raises `ConfigError` for a setting that is unknown or has a wrong value.
    """
    try:
        config = _CONFIG.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"guard configuration: {where}: {first['msg']}, not {first['input']!r}") from error
    _require_known(document, _CONFIG.dump_python(config, mode="json"), "")
    return Guard(config)


def _require_known(given: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"guard configuration: unknown setting {where + name!r}; known: {', '.join(known)}")
        if isinstance(value, Mapping):
            _require_known(value, known[name], f"{where}{name}.")


def _guard(value: object) -> object:
    return read(value) if isinstance(value, Mapping) else value


WrittenGuard = Annotated[Guard, BeforeValidator(_guard), PlainSerializer(written)]
"""The type of a pydantic field that holds a guard and is written as its configuration."""
