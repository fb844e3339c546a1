"""Reads the quantities of a sentence: amounts with units, money, shares, dates, times, versions, rhythms, scores.

Each reader claims the characters it understood, the surest first, so that the digits of a date, an address or a part
number are read once and never as a count.  Knows nothing about comparing two sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from .amounts import PENDING, read_amounts, read_halves
from .dates import read_dates, read_times, read_weekdays
from .identifiers import ADDRESS, LABELLED, LINK, PART_NUMBER
from .quantity import Quantity, ends_with
from .ratios import read_intervals, read_ordinals, read_scores, read_shares, read_versions
from .units import MONTHS, ORDINALS, SCALES, SPELLED, WEEKDAYS

Span = tuple[int, int]
Reader = Callable[[str], Iterator[Quantity]]

JOINT = re.compile(r"\s?(?:-|–|—|to|through|or)\s?")
WITHIN = re.compile(r"\s?and\s?")
SCALE_WORD = re.compile(r"(?:hundred|thousand|million|billion|trillion|dozen|mio|mln|bn|mn|tn|(?<=\d)[kmb])\b", re.I)
TOLERANCE = re.compile(r"\s?(?:±|\+/-|\+-|plus or minus)\s?")
ADDED = re.compile(r"\s?(?:and\s|,\s)?")
HALF_READ = re.compile(r"\d\s?[-–/]$")
REPEATED = re.compile(r"(?<=[a-z]) \(\d[\d,.]*\)(?=\s[a-z%])")  # "ninety (90) days"
BETWEEN = re.compile(r"\bbetween\s(?:\w+\s)?$", re.I)
SPANNING = re.compile(r"\s?(?:-|–|—|to|and|until|till|through)\s?(?:the\s)?")
_READ = (*SPELLED, *ORDINALS, *MONTHS, *WEEKDAYS, *(w for w in SCALES if len(w) > 3))
WORTH_READING = re.compile(
    rf"[\d½¼¾⅓⅔]|\b(?:{'|'.join(_READ)}|noon|midday|midnight|once|twice|every|each|(?:hour|dai|week|month|quarter|year|annual)ly"
    r"|an?\s(?:second|minute|hour|day|night|week|fortnight|month|year|decade|third|quarter|fifth))s?\b",
    re.I,
)
DIGIT = re.compile(r"\d")
READERS: tuple[Reader, ...] = (
    read_times, read_weekdays, read_intervals, read_shares, read_scores, read_halves, read_ordinals,
)  # fmt: skip


@lru_cache(maxsize=50_000)
def extract(text: str) -> tuple[Quantity, ...]:
    """Return the quantities of a sentence, in order.

    >>> [(q.kind, q.low, q.noun) for q in extract("Staff get 25 days off and 1,200 points.")]
    [('duration', 2160000.0, ''), ('count', 1200.0, 'point')]
    """
    if not WORTH_READING.search(text):
        return ()
    # "ninety (90) days": the same length, so that every offset still holds
    plain = REPEATED.sub(lambda m: " " * len(m.group()), re.sub(r"\s", " ", text))
    named = (LINK, ADDRESS, LABELLED, PART_NUMBER) if DIGIT.search(plain) else ()
    claims = _Claims(len(plain), (m.span() for pattern in named[:2] for m in pattern.finditer(plain)))
    found = list(claims.free(read_dates(plain)))
    claims.add(m.span() for pattern in named[2:3] for m in pattern.finditer(plain))
    found += claims.free(read_versions(plain))
    claims.add(m.span() for pattern in named[3:] for m in pattern.finditer(plain))
    found += claims.free(q for reader in READERS for q in reader(plain))
    joined = _joined(list(claims.free(read_amounts(plain))), plain)
    found += [q for q in joined if q.noun != PENDING and not HALF_READ.search(plain[: q.start])]
    found = _spans(sorted(found, key=lambda q: q.start), plain)
    return tuple(replace(q, text=text[q.start : q.end]) for q in found)


class _Claims:
    """The characters that are already understood."""

    def __init__(self, length: int, taken: Iterable[Span]) -> None:
        self._taken = bytearray(length)
        for start, end in taken:
            self._take(start, end)

    def add(self, spans: Iterable[Span]) -> None:
        for start, end in spans:
            if self._is_free(start, end):
                self._take(start, end)

    def free(self, quantities: Iterable[Quantity]) -> Iterator[Quantity]:
        """Yield, and claim, the quantities on characters that nobody claimed before."""
        for q in quantities:
            if self._is_free(q.start, q.end):
                self._take(q.start, q.end)
                yield q

    def _is_free(self, start: int, end: int) -> bool:
        return not any(self._taken[start:end])

    def _take(self, start: int, end: int) -> None:
        self._taken[start:end] = b"\x01" * (end - start)


def _joined(amounts: list[Quantity], text: str) -> list[Quantity]:
    """Join "10 to 15 days", "10 ± 0.5 mm" and "2 hours 30 minutes" into one quantity each."""
    out: list[Quantity] = []
    for q in amounts:
        joined = _join(out[-1], q, text) if out else None
        if joined:
            out[-1] = joined
        else:
            out.append(q)
    return out


def _join(a: Quantity, b: Quantity, text: str) -> Quantity | None:
    """Return one quantity for two that follow each other, or None where they are two."""
    between, whole = text[a.end : b.start], text[a.start : b.end]
    if TOLERANCE.fullmatch(between):
        return _with_tolerance(a, b, whole)
    alike = a.kind.split(" per ")[0] == b.kind.split(" per ")[0]
    ranged = JOINT.fullmatch(between) and ("or" not in between or a.unit is None)
    if (ranged or (WITHIN.fullmatch(between) and ends_with(BETWEEN, text, a.start))) and (alike or a.unit is None):
        low = a.low if a.unit and a.unit[0] != "money" else _in_unit_of(a.low, b)
        if not a.role and low < b.low and a.low == a.high and b.low == b.high:
            hedged = a.approximate or b.approximate
            return replace(b, low=low, start=a.start, text=whole, bound=a.bound or b.bound, approximate=hedged)
        return None
    added = alike and a.unit and b.unit and a.kind.startswith("duration") and b.unit[1] < a.unit[1]
    if added and ADDED.fullmatch(between):
        total = a.low + b.low
        return replace(a, low=total, high=total, half_step=b.half_step, end=b.end, text=whole, kind=b.kind, unit=b.unit)
    return None


def _with_tolerance(a: Quantity, b: Quantity, whole: str) -> Quantity:
    """Return "10 ± 0.5 mm" or "10 mm ± 5%" as a range."""
    if b.kind.startswith("percent") and not a.kind.startswith("percent"):
        kind, unit, middle, spread = a.kind, a.unit, a.low, abs(a.low) * b.low / 100
    else:
        kind, unit, spread = b.kind, b.unit or a.unit, b.low
        middle = a.low * (b.unit[1] if a.unit is None and b.unit else 1.0)
    noun = a.noun if unit is None else ""
    return replace(
        a, kind=kind, low=middle - spread, high=middle + spread, approximate=True, end=b.end, text=whole, unit=unit,
        noun=noun,
    )  # fmt: skip


def _in_unit_of(value: float, q: Quantity) -> float:
    """Return a bare number in the unit and scale of the amount it is the lower end of: "5 to 10 million"."""
    if q.unit and q.unit[0] == "fahrenheit":
        return (value - 32) / 1.8
    value *= q.unit[1] if q.unit else 1.0
    scale = SCALE_WORD.search(q.text)
    scaled = value * SCALES[scale[0].lower()] if scale else value
    return scaled if scaled < q.low else value


def _spans(found: list[Quantity], text: str) -> list[Quantity]:
    """Name the ends of "9:00–17:00", "Monday to Friday" and "3 May to 5 June" start and end."""
    for i in range(len(found) - 1):
        a, b = found[i], found[i + 1]
        alike = a.kind.split()[0] == b.kind.split()[0] and a.kind.split()[0] in ("date", "time", "weekday")
        between = text[a.end : b.start]
        joined = SPANNING.fullmatch(between) and ("and" not in between or ends_with(BETWEEN, text, a.start))
        if alike and joined and a.role in ("", "from") and b.role in ("", "to"):
            found[i], found[i + 1] = replace(a, role="start", bound=""), replace(b, role="end", bound="")
    return found
