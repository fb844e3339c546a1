"""Which of two passages the owner trusts more, read from what the owner declared.

The order, strongest first:

1. ``supersedes``: metadata names the ids that a passage replaces; followed transitively.
2. ``authority``: metadata ``authority`` or else `TrustRules.authority` of metadata ``source``, 0..1.
   A passage that declares none has `NEUTRAL_AUTHORITY`.
3. ``date``: metadata ``effective_date`` or else ``date``; the newer wins.  Only two *dated* passages are
   compared: having no date is not the same as being old.
4. retrieval rank, which carries no truth, only to break a tie.

A passage that replaces another speaks with at least its authority and date; so 1 to 3 never form a circle.
Metadata is taken as the owner's word; `usable` takes out what says nothing to these rules, such as a date in words.
Knows nothing about conflicts or actions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from graphlib import CycleError, TopologicalSorter
from typing import Any

from detectors.errors import ConfigError, InputError
from detectors.evidence import Passage

NEUTRAL_AUTHORITY = 0.5
RULES = ("supersedes", "authority", "date", "witnesses", "rank")


@dataclass(frozen=True, slots=True)
class TrustRules:
    """What the owner trusts.  ``authority`` maps a source's name to 0..1; ``prefer_newer`` uses the dates.

    >>> TrustRules(authority={"handbook": 0.9, "wiki": 0.3}).prefer_newer
    True
    """

    authority: Mapping[str, float] = field(default_factory=dict)
    prefer_newer: bool = True

    def __post_init__(self) -> None:
        for source, value in self.authority.items():
            if not _is_share(value):
                raise ConfigError(f"authority of source {source!r} is {value!r}; give a number from 0 to 1")
        object.__setattr__(self, "authority", dict(self.authority))


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of one passage.  ``supersedes`` is the transitive closure, retrieved ids only.

    ``witnesses`` is how many independent passages stand on its side; `guard.policy` sets it.
    """

    id: str
    rank: int
    authority: float = NEUTRAL_AUTHORITY
    date: datetime | None = None
    supersedes: frozenset[str] = frozenset()
    witnesses: int = 1


def ordering(passages: Sequence[Passage], rules: TrustRules) -> dict[str, Trust]:
    """Return the trust of each passage by id, in the order of ``passages`` (which gives the ranks, from 0).

    Raises InputError for a repeated id or unusable metadata, ConfigError for a circle of ``supersedes``.

    >>> old, new = Passage("old", "20 days."), Passage("new", "25 days.", {"supersedes": "old"})
    >>> sorted(ordering([old, new], TrustRules())["new"].supersedes)
    ['old']
    """
    own: dict[str, Trust] = {}
    for rank, passage in enumerate(passages):
        if passage.id in own:
            raise InputError(f"passage id {passage.id!r} occurs twice; give each passage its own id")
        when = _date(passage) if rules.prefer_newer else None
        own[passage.id] = Trust(passage.id, rank, _authority(passage, rules), when)
    below = {p.id: {i for i in _superseded(p) if i in own} for p in passages}
    done: dict[str, Trust] = {}
    for passage_id in _bottom_up(below):
        done[passage_id] = _inherit(own[passage_id], [done[i] for i in below[passage_id]])
    return {passage_id: done[passage_id] for passage_id in own}


def usable(passage: Passage, rules: TrustRules) -> tuple[Passage, tuple[str, ...]]:
    """Return the passage without the metadata that `ordering` would refuse, and what is wrong with each piece of it.

    >>> usable(Passage("a", "20 days.", {"date": "spring", "page": 3}), TrustRules())[0].metadata
    {'page': 3}
    """
    if not isinstance(passage.metadata, Mapping):
        return passage, ()
    readers: dict[str, Callable[[Passage], object]] = {
        "supersedes": _superseded, "authority": lambda p: _authority(p, rules), "effective_date": _date, "date": _date
    }  # fmt: skip
    if not rules.prefer_newer:
        del readers["effective_date"], readers["date"]
    left, wrong = dict(passage.metadata), list[str]()
    for name, read in readers.items():
        try:
            read(replace(passage, metadata={name: passage.metadata.get(name)}))
        except InputError as error:
            wrong.append(str(error).removeprefix(f"passage {passage.id!r}: "))
            del left[name]
    return (replace(passage, metadata=left) if wrong else passage), tuple(wrong)


def declared_rule(a: Trust, b: Trust) -> str | None:
    """Return the declared rule by which ``a`` beats ``b``, or None where no declaration says so.

    >>> a, b = Trust("a", 1, authority=0.9), Trust("b", 0)
    >>> declared_rule(a, b), declared_rule(b, a)
    ('authority', None)
    """
    if b.id in a.supersedes:
        return "supersedes"
    if a.id in b.supersedes:
        return None
    if a.authority != b.authority:
        return "authority" if a.authority > b.authority else None
    if a.date is not None and b.date is not None and a.date > b.date:
        return "date"
    return None


def decisive_rule(winner: Trust, loser: Trust) -> str:
    """Return the first of `RULES` that favours ``winner``; "rank" where nothing better separates them.

    >>> decisive_rule(Trust("a", 3, witnesses=3), Trust("b", 0))
    'witnesses'
    """
    declared = declared_rule(winner, loser)
    if declared is not None:
        return declared
    return "witnesses" if winner.witnesses > loser.witnesses else "rank"


def sort_key(trust: Trust) -> tuple[float, float, int, int]:
    """Return a key that sorts the most trusted first and never against `declared_rule`; undated last.

    >>> [t.id for t in sorted([Trust("a", 0), Trust("b", 1, authority=0.8)], key=sort_key)]
    ['b', 'a']
    """
    when = math.inf if trust.date is None else -trust.date.timestamp()
    return (-trust.authority, when, -len(trust.supersedes), trust.rank)


def _inherit(trust: Trust, replaced: Sequence[Trust]) -> Trust:
    dates = [t.date for t in (trust, *replaced) if t.date is not None]
    return replace(
        trust,
        authority=max(t.authority for t in (trust, *replaced)),
        date=max(dates, default=None),
        supersedes=frozenset(t.id for t in replaced).union(*(t.supersedes for t in replaced)),
    )


def _bottom_up(below: Mapping[str, set[str]]) -> list[str]:
    try:
        return list(TopologicalSorter(below).static_order())
    except CycleError as error:
        ids = " -> ".join(repr(i) for i in reversed(error.args[1]))
        raise ConfigError(f"supersedes goes in a circle: {ids}; remove one of these declarations") from error


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _authority(passage: Passage, rules: TrustRules) -> float:
    value = passage.metadata.get("authority")
    if value is None:
        source = passage.metadata.get("source")
        return float(rules.authority.get(source, NEUTRAL_AUTHORITY)) if isinstance(source, str) else NEUTRAL_AUTHORITY
    if not _is_share(value):
        raise _bad(passage, "authority", value, "a number from 0 to 1")
    return float(value)


def _superseded(passage: Passage) -> tuple[str, ...]:
    value = passage.metadata.get("supersedes")
    if value is None:
        return ()
    ids = (value,) if isinstance(value, str) else value
    if not isinstance(ids, (list, tuple, set, frozenset)) or not all(isinstance(i, str) for i in ids):
        raise _bad(passage, "supersedes", value, "an id or a list of ids")
    return tuple(ids)


def _date(passage: Passage) -> datetime | None:
    for name in ("effective_date", "date"):
        value = passage.metadata.get(name)
        if value is not None:
            return _instant(passage, name, value)
    return None


def _instant(passage: Passage, name: str, value: Any) -> datetime:
    """Return an aware UTC time; a bare date is its midnight, ``2024-05`` the first of May, naive is UTC."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(_full_date(value.strip()))
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _bad(passage, name, value, "an ISO 8601 date such as 2024-05-31") from error
    raise _bad(passage, name, value, "an ISO 8601 date such as 2024-05-31")


def _full_date(text: str) -> str:
    match = re.fullmatch(r"([0-9]{4})(-[0-9]{2})?", text)
    return f"{match[1]}{match[2] or '-01'}-01" if match else text


def _bad(passage: Passage, name: str, value: Any, wanted: str) -> InputError:
    shown = repr(value)[:80]
    return InputError(f"passage {passage.id!r}: metadata {name!r} is {shown}; give {wanted}")
