"""Another date of something that happens once, or the same date written differently.

Knows nothing about the other quantities, but that a date beside one says when it held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from detectors.quantities import Quantity, extract
from detectors.quantities.units import MONTHS
from detectors.words import NEGATION

from .changes import Change, Changes
from .english import CLAUSE
from .quantities import clashes

ONCE = frozenset(
    """born died founded established opened released published completed built launched signed premiered
acquired merged elected appointed announced introduced ratified abolished discovered invented graduated married
retired resigned began started ended closed created formed inaugurated adopted enacted passed incorporated
arrested executed assassinated killed crowned ordained baptized baptised buried demolished destroyed constructed
dissolved disbanded unveiled commissioned consecrated dedicated renamed granted ceded annexed conquered captured
surrendered declared proclaimed independent independence aired debuted issued expires expire expired effective
effect due deadline takes ends begins starts opens closes approved happened occurred terminated concluded finished
erected chartered sank repealed legalized""".split()
)
# Words before a date that make it a bound, a part or a name; words after it that make it a range or another era.
UNSTEADY_BEFORE = re.compile(
    r"\b(?:before|after|until|since|early|late|mid|from|between|around|about|of|and|the|circa|to)[\s-]*$"
)
UNSTEADY_AFTER = re.compile(
    r"\s*(?:[-–/]|(?:and|or|to|until)\s+\S*\s*\d|,\s*\d{4}|(?:\w+\s)?(?:BC|BCE|AD|CE)\b|[A-Za-z]*\d)|s\b|'s|’s|\s+[A-Z]"
)
BESIDE_DATE = re.compile(r"\bthe\s+$|[-–]\s*$")
RANGE_AFTER = re.compile(r"\s*(?:[-–/]|(?:and|to|or)\s+\d)")
LONG_MONTHS = (1, 3, 5, 7, 8, 10, 12)
FULL_MONTHS = {n: m.capitalize() for m, n in MONTHS.items() if len(m) > 3 and m != "sept"} | {5: "May"}
NOW = 2026  # no event is put later, but beside one that is


def dates(text: str, rng: Random) -> Iterator[Changes]:
    """Another day, month or year; never the year that scopes a figure."""
    found = extract(text)
    if NEGATION.search(text) or any(q.kind != "date" for q in found):
        return
    for q in found:
        change = _other_date(q, found, rng)
        if change and _happens_once(text, q) and clashes(text, q, change):
            yield [change]


def _happens_once(text: str, q: Quantity) -> bool:
    """Whether the clause of the date tells of an event."""
    before, after = text[: q.start], text[q.end :]
    if UNSTEADY_BEFORE.search(before) or UNSTEADY_AFTER.match(after):
        return False
    here = CLAUSE.split(before)[-1]
    end, sign = _clause_end(text, q.end)
    rest = text[q.end : end]
    if not rest.strip(" .") and len(here.split()) <= 2 and sign == ",":  # fronted: "In 1985, …"
        rest = text[end + 1 : _clause_end(text, end + 1)[0]]
    return not ONCE.isdisjoint(re.findall(r"[a-z]+", f"{here} {rest}"))


def _clause_end(text: str, at: int) -> tuple[int, str]:
    """Where the clause that goes on at a place ends, and the word or sign that ends it."""
    stop = CLAUSE.search(text, at)
    return (stop.start(), stop.group()) if stop else (len(text), "")


def _parts(q: Quantity) -> tuple[int, int, int]:
    """Year, month and day; 0 where the date does not say."""
    value = int(q.low)
    return value // 10_000, value // 100 % 100, value % 100


def _other_date(q: Quantity, all_dates: Sequence[Quantity], rng: Random) -> Change | None:
    year, month, day = _parts(q)
    part = rng.choice([p for p, known in (("year", year), ("month", month), ("day", day)) if known])
    if part == "year":
        return _other_year(q, year, {_parts(d)[0] for d in all_dates}, rng)
    if len(all_dates) > 1:
        return None
    if part == "day":
        return _other_day(q, day, rng.choice([d for d in range(2, 28) if abs(d - day) >= 2]))
    return _other_month(q, month, day, rng)


def _other_year(q: Quantity, year: int, years: set[int], rng: Random) -> Change | None:
    """A year near it, on the same side of the other years."""
    last = year + 14 if year > NOW - 2 else min(NOW, year + 14)
    near = [y for y in range(year - 14, last + 1) if abs(y - year) >= 2 and y not in years]
    near = [y for y in near if all((y < other) == (year < other) for other in years - {year, 0})]
    if not near:
        return None
    new, at = str(rng.choice(near)), q.text.rfind(str(year))
    return (q.start + at, q.start + at + len(str(year)), new) if at >= 0 else None


def _other_month(q: Quantity, month: int, day: int, rng: Random) -> Change | None:
    """Another month that has the day, abbreviated where this one is."""
    names = (re.search(rf"\b{m}\b", q.text, re.I) for m, number in MONTHS.items() if number == month)
    written = next(filter(None, names), None)
    if written is None:
        return None
    short = len(written.group()) == 3 and month != 5
    alike = {m: n for m, n in MONTHS.items() if n != month and m != "sept" and (n == 5 or (len(m) == 3) == short)}
    new = rng.choice([m for m, n in alike.items() if day <= (28 if n == 2 else 31 if n in LONG_MONTHS else 30)])
    return q.start + written.start(), q.start + written.end(), new.capitalize()


def _other_day(q: Quantity, day: int, new: int) -> Change | None:
    match = re.search(rf"(?<!\d)0?{day}(st|nd|rd|th)?(?!\d)", q.text)
    if not match or re.search(r"\d{4}-", q.text):
        match = re.search(rf"(?<=-){day:02d}$", q.text)
        return (q.start + match.start(), q.start + match.end(), f"{new:02d}") if match else None
    return q.start + match.start(), q.start + match.end(), str(new) + (_ordinal(new) if match[1] else "")


def _ordinal(n: int) -> str:
    return "th" if 10 < n % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def date_formats(text: str, rng: Random) -> Iterator[Changes]:
    """3 May 2021, May 3, 2021 and 2021-05-03."""
    for q in extract(text):
        if q.kind != "date" or BESIDE_DATE.search(text[: q.start]) or RANGE_AFTER.match(text[q.end :]):
            continue
        year, month, day = _parts(q)
        if not (day and 1 <= month <= 12):
            continue
        name = FULL_MONTHS[month]
        day_first = q.text[0].isdigit() and not q.text[:4].isdigit()
        forms = [f"{name} {day}, {year}" if day_first else f"{day} {name} {year}"]
        if not year:
            forms = [f"{name} {day}" if day_first else f"{day} {name}"]
        elif re.search(r"\b(?:on|by|until)\s+$", text[: q.start]):
            forms.append(f"{year}-{month:02d}-{day:02d}")
        yield from ([(q.start, q.end, form)] for form in forms if form.replace(",", "") != q.text.replace(",", ""))
