"""The server's settings: one frozen object, from flags, environment and a TOML or YAML file, in this order.

Every setting has the same name in all three: the flag ``--read-timeout-s``, the variable
``PASSAGEGUARD_READ_TIMEOUT_S``, the key ``read_timeout_s``.  Knows nothing about what the settings do.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

import yaml

from detectors.errors import ConfigError
from detectors.evidence import ConflictType
from guard import Action, GuardConfig, Policy, VerifierConfig

from . import routes
from .extractors import EXTRACTORS
from .routes import Route

PREFIX = "PASSAGEGUARD_"
ELSEWHERE = frozenset({"cache_dir"})  # variables of other commands
CHOICES = {"documents": ("native", "rendered", "stripped"), "on_error": ("open", "closed")}
POSITIVE = (
    "local_slots", "local_max_tokens",
    "max_body_bytes", "max_context_chars", "max_requests", "check_threads", "max_pairs", "deadline_s", "body_timeout_s",
    "connect_timeout_s", "read_timeout_s", "shutdown_timeout_s", "breaker_failures", "breaker_cooldown_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of ``passageguard serve``, validated when built.  Raises `ConfigError` naming the setting.

    host, port: where to listen; port 0 takes a free one.
    upstream: what stands before ``/chat/completions``, such as ``http://localhost:8000/v1``; ``/v1`` is added to a bare
        host.  None serves the own API alone.
    local_model: a causal language model of this process, a path or hub name, served as ``local/`` and the last part of
        it, or ``NAME=PATH``; local_slots: answers that it writes at once; local_max_tokens: the most tokens of one
        where a request does not say.
    documents: what the upstream gets of a ``documents`` field: ``native`` (the field), ``rendered`` (text in the last
        user message) or ``stripped`` (nothing).
    extractors: where passages are looked for (`server.extractors`).
    passage_regex: a pattern of one's own with a group ``text``, and ``id`` if there is one, for ``regex``.
    on_conflict, by_type: the policy; allow_on_conflict: the actions that a request may ask for instead.
    on_error: ``open`` forwards what could not be checked (verdict ``skipped``), ``closed`` answers 503.
    key: what clients send as ``X-Passageguard-Key``; None asks for none.
    routes: retrievers to stand in front of, as tables (`server.routes`); only in the file.
    retriever: one more, in short: ``PRESET=ADDRESS``, for all paths that are not the gateway's.
    deadline_s: seconds of a check until scoring stops and the rest is unverified; with its wait for a thread it is
        given up after twice as long, and at once where the wait alone would be longer.
    read_timeout_s: seconds that the upstream may be silent; connect_timeout_s: until it accepts a connection.
    breaker_failures: requests in a row without an answer after which an upstream is left alone for
        breaker_cooldown_s seconds; then one is let through at a time, until one is answered.
    verify_url, verify_model: an OpenAI-compatible endpoint that gives a second opinion (`detectors.verifier`);
        verify_key_env: the variable that holds its key; verify_max_calls: requests of one check.  It has the time that
        deadline_s leaves.
    max_requests: requests handled at once; one more gets 503.  check_threads: checks that run at once.
    """

    host: str = "127.0.0.1"
    port: int = 8780
    upstream: str | None = None
    local_model: str | None = None
    local_slots: int = 8
    local_max_tokens: int = 512
    documents: str = "native"
    extractors: tuple[str, ...] = tuple(EXTRACTORS)
    passage_regex: str | None = None
    on_conflict: str = "annotate"
    by_type: Mapping[str, str] = field(default_factory=dict)
    allow_on_conflict: tuple[str, ...] = tuple(Action)
    on_error: str = "open"
    key: str | None = field(default=None, repr=False)
    routes: tuple[Mapping[str, Any], ...] = ()
    retriever: str | None = None
    max_body_bytes: int = 16 * 2**20
    max_context_chars: int = 1_000_000
    max_requests: int = 100
    check_threads: int = 2
    deadline_s: float = 5.0
    body_timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 600.0
    shutdown_timeout_s: float = 30.0
    breaker_failures: int = 5
    breaker_cooldown_s: float = 10.0
    model: str | None = None
    calibration: str | None = None
    threshold: float | None = None
    max_pairs: int = 5_000
    verify_url: str | None = None
    verify_model: str | None = None
    verify_key_env: str | None = None
    verify_max_calls: int = 20

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            _require_type(name, getattr(self, name), kind)
        for name, choices in CHOICES.items():
            _require_one_of(name, getattr(self, name), choices)
        for name in POSITIVE:
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port must lie in 0..65535, not {self.port}")
        _require_one_of("on_conflict", self.on_conflict, tuple(Action))
        for name, allowed in (("allow_on_conflict", tuple(Action)), ("extractors", tuple(EXTRACTORS))):
            for value in getattr(self, name):
                _require_one_of(name, value, allowed)
        for kind, action in self.by_type.items():
            _require_one_of("by_type", kind, tuple(ConflictType))
            _require_one_of(f"by_type.{kind}", action, tuple(Action))
        if self.key is not None and not re.fullmatch(r"[!-~]+", self.key):
            raise ConfigError("key must be printable ASCII without spaces, and not empty")
        _require_regex(self.passage_regex)
        _require_upstream("upstream", self.upstream)
        _require_local(self.local_model)
        self.retrievers()
        self.guard_config()

    def retrievers(self) -> tuple[Route, ...]:
        """The routes, one a mount.  Raises `ConfigError` naming the key."""
        tables = {f"routes[{i}]": table for i, table in enumerate(self.routes)}
        if self.retriever is not None:
            preset, _, address = self.retriever.partition("=")
            tables["retriever"] = {"preset": preset, "upstream": address}
        merged: dict[str, Route] = {}
        for name, table in tables.items():
            route = _route(name, table)
            earlier = merged.get(route.mount, route)
            if earlier.upstream != route.upstream:
                raise ConfigError(f"{name}.mount is {route.mount or '/'!r}, which another upstream has; choose another")
            both = (*earlier.endpoints, *route.endpoints)
            merged[route.mount] = replace(earlier, endpoints=tuple(dict.fromkeys(both)))
        return tuple(merged.values())

    @property
    def policy(self) -> Policy:
        """The policy where a request asks for no other."""
        return Policy(Action(self.on_conflict), {ConflictType(t): Action(a) for t, a in self.by_type.items()})

    @property
    def has_root_route(self) -> bool:
        """Whether a retriever takes ``/``, where the page would be."""
        return any(not route.mount for route in self.retrievers())

    def guard_config(self) -> GuardConfig:
        """Return the settings of the one Guard.  Raises `ConfigError`."""
        return GuardConfig(
            model=self.model, calibration=self.calibration, threshold=self.threshold, max_pairs=self.max_pairs,
            deadline_s=self.deadline_s, max_passage_chars=self.max_context_chars, policy=self.policy,
            verifier=self._verifier(),
        )  # fmt: skip

    def _verifier(self) -> VerifierConfig | None:
        if self.verify_url is None and self.verify_model is None and self.verify_key_env is None:
            return None
        if self.verify_url is None or self.verify_model is None:
            raise ConfigError("verify_url and verify_model belong together; give both")
        return VerifierConfig(
            self.verify_url, self.verify_model, self.verify_key_env, self.verify_max_calls, self.deadline_s
        )


def _route(name: str, table: object) -> Route:
    try:
        route = routes.parse(table)
    except ConfigError as error:
        raise ConfigError(f"{name}{error}") from error
    _require_upstream(f"{name}.upstream", route.upstream)
    return route


_KINDS: dict[str, Any] = get_type_hints(ServerConfig)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> ServerConfig:
    """Return the settings: flags before environment before file.  Raises `ConfigError` naming the setting.

    >>> load({"port": 9000}, {"PASSAGEGUARD_ON_ERROR": "closed"}).on_error
    'closed'
    """
    from_file = _read(file) if file else {}
    for name in from_file:
        _require_known(str(name), f"{_place(file, name)}: {name}", list(_KINDS))
    variables = {k[len(PREFIX) :].lower(): v for k, v in environment.items() if k.startswith(PREFIX)}
    variables = {name: text for name, text in variables.items() if name not in ELSEWHERE}
    for name in variables:
        _require_known(name, f"environment variable {PREFIX}{name.upper()}", [k for k in _KINDS if k != "routes"])
    from_environment = {name: _parsed(name, text) for name, text in variables.items()}
    given: dict[str, Any] = {**from_file, **from_environment, **flags}
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    try:
        return ServerConfig(**settings)
    except ConfigError as error:
        name = re.split(r"\W", str(error), maxsplit=1)[0]
        if name in from_file and name not in from_environment and name not in flags:
            raise ConfigError(f"{_place(file, name)}: {error}") from error
        raise


def _read(file: Path) -> dict[str, Any]:
    """Return what a TOML file holds, or a YAML file (``.yaml``, ``.yml``).  Raises `ConfigError`."""
    is_yaml = file.suffix in (".yaml", ".yml")
    try:
        text = file.read_text(encoding="utf-8")
        found = yaml.safe_load(text) if is_yaml else tomllib.loads(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read as {'YAML' if is_yaml else 'TOML'}: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: must hold settings such as port: 8780")
    return found


def _place(file: Path | None, name: object) -> str:
    """Return the file and the line on which a setting begins, as ``server.toml:3``."""
    if file is None:
        return ""
    begins = re.compile(rf"""\s*\[*["']?{re.escape(str(name))}\b""")
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    return next((f"{file}:{number}" for number, line in lines if begins.match(line)), str(file))


def _parsed(name: str, text: str) -> Any:
    """Return the value that a variable's text stands for; lists are comma-separated, tables are ``a=b,c=d``."""
    kind = _KINDS[name]
    kinds = get_args(kind) if type(None) in get_args(kind) else (kind,)
    try:
        if kinds[0] in (int, float):
            return kinds[0](text)
    except ValueError as error:
        raise ConfigError(f"{PREFIX}{name.upper()} must be a number, not {text!r}") from error
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if name == "by_type":
        return dict(_assignment(part) for part in parts)
    return tuple(parts) if name in ("extractors", "allow_on_conflict") else text


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"by_type: {text!r} is not TYPE=ACTION, such as date=report")
    return name.strip(), value.strip()


def _require_known(name: str, where: str, known: list[str]) -> None:
    if name not in known:
        close = get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)}"
        raise ConfigError(f"{where}: no such setting; {hint}")


def _require_type(name: str, value: Any, kind: Any) -> None:
    """A whole number is also a number, a bool is none."""
    kinds = tuple(getattr(k, "__origin__", k) for k in (get_args(kind) if type(None) in get_args(kind) else (kind,)))
    accepted = (*kinds, int) if float in kinds else kinds
    if not isinstance(value, accepted) or isinstance(value, bool):
        wanted = " or ".join("none" if k is type(None) else k.__name__.lower() for k in kinds)
        shown = "" if name == "key" else f", not {value!r}"
        raise ConfigError(f"{name} must be {wanted}{shown}")
    texts = [*value, *value.values()] if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
    if name != "routes" and not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"{name} must hold text only, not {value!r}")


def _require_one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; choose from {', '.join(choices) or 'nothing'}")


def _require_regex(pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ConfigError(f"passage_regex is not a regular expression: {error}") from error
    if "text" not in groups:
        raise ConfigError("passage_regex needs a group (?P<text>…) for a passage's text")


def _require_local(source: str | None) -> None:
    name, has_name, path = (source or "model").rpartition("=")
    if not path.strip("/ ") or (has_name and not re.fullmatch(r"[\w.:-]+", name)):
        raise ConfigError(f"local_model is {source!r}; give a path or hub name, or NAME=PATH")


def _require_upstream(name: str, url: str | None) -> None:
    """Raise `ConfigError`, which does not repeat the address: it may hold a key."""
    if url is None:
        return
    wanted = f"{name} must be an address such as http://localhost:8000/v1"
    try:
        parts = urlsplit(url if re.fullmatch(r"[!-~]+", url) else "")
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ConfigError(wanted) from error
    if not usable:
        raise ConfigError(wanted)
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{name} must hold no user, key or query; clients send their own Authorization")
