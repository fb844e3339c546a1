"""The verdict: what `Guard.check` returns, and its JSON form.

Knows nothing about how conflicts were found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from detectors.errors import InputError
from detectors.evidence import Benign, Conflict, Span, Unverified

VERSION = 1  # of the JSON form


class Status(StrEnum):
    CLEAN = "clean"
    CONFLICT = "conflict"
    UNVERIFIED = "unverified"


class Action(StrEnum):
    """From mildest to strictest."""

    REPORT = "report"
    ANNOTATE = "annotate"
    RERANK = "rerank"
    DROP = "drop"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Loss:
    """Why one passage gave way: the rule that decided, and the span that it lost to."""

    passage_id: str
    winner_id: str
    rule: str
    reason: str
    lost_to: Span


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy decided.  ``losses`` has one entry for each passage outside the kept set."""

    action: Action
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairedPassage:
    """A passage of the repaired context.

    ``disposition`` is ``kept``, ``annotated``, ``demoted`` or ``dropped``; ``note`` is the annotation
    (ids and kinds only, never passage text); ``rank_before`` is its position as retrieved, from 0.
    """

    id: str
    text: str
    metadata: Mapping[str, Any]
    disposition: str
    rank_before: int
    note: str = ""
    loss: Loss | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    ``passages`` is the repaired context in the order in which it should be used; ``removed`` holds the
    passages that a drop or block took out, with their reasons, so that nothing is lost.  ``benign``
    lists what looks contradictory and is not, each with its ``why_not``.  ``clusters`` lists
    groups of near-duplicate passages (each group counts as one witness).
    """

    status: Status
    conflicts: tuple[Conflict, ...]
    action: Action
    passages: tuple[RepairedPassage, ...]
    removed: tuple[RepairedPassage, ...]
    unverified: tuple[Unverified, ...]
    benign: tuple[Benign, ...] = ()
    clusters: tuple[tuple[str, ...], ...] = ()
    notice: str = ""
    stats: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; `guard/verdict.schema.json` is its JSON Schema."""
        return {"version": VERSION, **_plain(self)}

    @classmethod
    def from_dict(cls, document: Any) -> Verdict:
        """Return the verdict of `to_dict`'s JSON.  Raises `InputError` naming the field that does not fit."""
        if not isinstance(document, Mapping):
            raise InputError(f"a verdict must be a JSON object, not {type(document).__name__}")
        if document.get("version") != VERSION:
            raise InputError(f"verdict version {document.get('version')!r} is not known; this is version {VERSION}")
        verdict: Verdict = _built(cls, document, "verdict")
        return verdict


def _built(kind: Any, value: Any, where: str) -> Any:
    """Build a value of the annotated type from plain JSON; the reverse of `_plain`."""
    if get_origin(kind) is UnionType:
        kind = next(k for k in get_args(kind) if k is not NoneType)
        return None if value is None else _built(kind, value, where)
    if get_origin(kind) is tuple:
        return tuple(_built(get_args(kind)[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if is_dataclass(kind):
        made: Any = kind
        hints = _hints(made)
        missing = [name for name in hints if name not in value]
        if missing:
            raise InputError(f"{where}: {missing[0]!r} is missing")
        return made(**{name: _built(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(value)
        except ValueError as error:
            raise InputError(f"{where}: {value!r} is none of {', '.join(kind)}") from error
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields by name."""
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)
