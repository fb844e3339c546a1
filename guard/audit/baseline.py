"""The baseline: findings that are known and accepted for now, in a file that is committed beside the documents.

JSON keyed by the ids of findings, sorted, with what they are about but no lines and no scores, so that it changes only
where a finding comes or goes.  An id may stand for several findings (a document and its copies): as many are accepted
as were counted.  Reasons may be written in by hand and are kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from detectors.errors import InputError

from . import records
from .findings import Finding, State
from .wording import printable

VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What is accepted under one id: how many pairs of these quotes, and in which documents.  Both are sorted."""

    count: int
    type: str
    quotes: tuple[str, ...]
    paths: tuple[str, ...]
    reason: str = ""


Baseline = Mapping[str, Entry]


def load(file: Path) -> Baseline:
    """Read a baseline.  Raises `InputError` naming file and entry."""
    try:
        document = records.load(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; passageguard baseline writes one") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not a baseline: {error}") from error
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise InputError(f"{file}: not a baseline of version {VERSION}; write it anew with passageguard baseline")
    found = document.get("findings")
    if not isinstance(found, dict):
        raise InputError(f'{file}: "findings" must be an object, not {type(found).__name__}')
    return {id: _entry(f"{file}: {id}", entry) for id, entry in found.items()}


def dump(baseline: Baseline) -> str:
    """Return the file's text."""
    entries = {id: asdict(baseline[id]) for id in sorted(baseline)}
    return json.dumps({"version": VERSION, "findings": entries}, indent=1, ensure_ascii=False) + "\n"


def of(findings: Iterable[Finding], old: Baseline) -> Baseline:
    """Return the baseline that accepts all of these, with the reasons of the old one."""
    made: dict[str, Entry] = {}
    for found in findings:
        for pair in found.pairs:
            reason = old[pair.id].reason if pair.id in old else ""
            quotes = tuple(sorted(printable(quote.text) for quote in (pair.a, pair.b)))
            known = made.get(pair.id, Entry(0, found.type.value, quotes, (), reason))
            paths = tuple(sorted({*known.paths, pair.a.path, pair.b.path}))
            made[pair.id] = replace(known, count=known.count + 1, paths=paths)
    return made


def pruned(old: Baseline, findings: Iterable[Finding], read: Collection[str]) -> Baseline:
    """Return the baseline without what is no longer found; nothing joins it.

    ``read`` are the paths of the documents that were audited.  An entry that speaks of another document that is still
    there is kept.
    """
    now = _counted(findings)
    kept: dict[str, Entry] = {}
    for id, entry in old.items():
        unseen = any(path not in read and Path(path).exists() for path in entry.paths)
        count = entry.count if unseen else min(entry.count, now[id])
        if count:
            kept[id] = replace(entry, count=count)
    return kept


def accepted(findings: Sequence[Finding], baseline: Baseline) -> list[Finding]:
    """Return the findings, which are not joined yet, those that are new and in the baseline as accepted.

    Of several with one id the first are.
    """
    left = Counter({id: entry.count for id, entry in baseline.items()})
    marked = []
    for found in findings:
        if found.state is State.NEW and left[found.id] > 0:
            left[found.id] -= 1
            found = replace(found, state=State.ACCEPTED, state_reason=baseline[found.id].reason)
        marked.append(found)
    return marked


def stale(findings: Iterable[Finding], baseline: Baseline) -> int:
    """Return how many accepted findings no longer occur."""
    now = _counted(findings)
    return sum(max(0, entry.count - now[id]) for id, entry in baseline.items())


def _counted(findings: Iterable[Finding]) -> Counter[str]:
    return Counter(pair.id for found in findings for pair in found.pairs)


def _entry(where: str, entry: Any) -> Entry:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be an object, not {type(entry).__name__}")
    given = {"reason": "", **entry}
    for name, kind in (("count", int), ("type", str), ("quotes", list), ("paths", list), ("reason", str)):
        if not isinstance(given.get(name), kind):
            raise InputError(f'{where}: "{name}" is missing or not {kind.__name__}; write it anew')
    quotes, paths = (tuple(map(str, given[name])) for name in ("quotes", "paths"))
    return Entry(given["count"], given["type"], quotes, paths, given["reason"])
