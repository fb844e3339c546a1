"""The same quantity in another unit, written in another way, or rounded.

`detectors.values` judges every edit: a restatement must be compatible by its reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from detectors.quantities import Quantity, extract
from detectors.quantities.units import SPELLED
from detectors.values import compatible

from .changes import Change, Changes, changed
from .english import either
from .quantities import NOT_NUMBERS, WRITTEN, is_steady, spelled, value_of

# unit -> (other unit's name for one and for more, how many of them make one, only for whole results)
CONVERSIONS: dict[str, tuple[tuple[str, str, float, bool], ...]] = {
    "km": (("mile", "miles", 0.621371, False),), "kilometre": (("mile", "miles", 0.621371, False),),
    "kilometer": (("mile", "miles", 0.621371, False),), "mile": (("km", "km", 1.609344, False),),
    "mi": (("km", "km", 1.609344, False),), "metre": (("foot", "feet", 3.28084, False),),
    "meter": (("foot", "feet", 3.28084, False),), "m": (("foot", "feet", 3.28084, False),),
    "feet": (("metre", "metres", 0.3048, False),), "ft": (("m", "m", 0.3048, False),),
    "cm": (("inch", "inches", 0.393701, False),), "inches": (("cm", "cm", 2.54, False),),
    "kg": (("lb", "lb", 2.204623, False),), "lb": (("kg", "kg", 0.453592, False),),
    "lbs": (("kg", "kg", 0.453592, False),), "kilogram": (("pound", "pounds", 2.204623, False),),
    "tonne": (("kg", "kg", 1000, True),), "gb": (("MB", "MB", 1000, True),), "tb": (("GB", "GB", 1000, True),),
    "day": (("week", "weeks", 1 / 7, True), ("hour", "hours", 24, True)), "week": (("day", "days", 7, True),),
    "hour": (("day", "days", 1 / 24, True), ("minute", "minutes", 60, True)),
    "minute": (("hour", "hours", 1 / 60, True), ("second", "seconds", 60, True)),
    "month": (("year", "years", 1 / 12, True),),
    "litre": (("ml", "ml", 1000, True),), "kw": (("W", "W", 1000, True),),
}  # fmt: skip
MANY = 120  # more than this many of a smaller whole unit reads oddly: 5 years, not 43,800 hours
STANDS_ALONE = re.compile(
    r"\s*(?:[.,;)]|"
    + either(
        "from to in of on at by for after before per long wide tall high deep thick away apart and later ago north "
        "south east west above below with without when if under over as"
    )
    + r"\b)"
)
LARGE = ("MB", "GB", "ml", "W", "kg")  # units that are counted in thousands
OF_ONE = re.compile(r"\b(?:the|an?|its|his|her|their|this)\s+$")
EXACT = re.compile(r"\b(?:the|an?|its|his|her|their|this|exactly|precisely)\s+$")


def conversions(text: str, rng: Random) -> Iterator[Changes]:
    """5 km -> 3.1 miles."""
    for q in extract(text):
        written, match = WRITTEN.fullmatch(q.text), re.fullmatch(r"([\d,.]+|[A-Za-z]+)\s([A-Za-z]+)", q.text)
        if not match or not written or not is_steady(text, q, written) or not STANDS_ALONE.match(text[q.end :]):
            continue
        unit, value = match[2], value_of(match[1])
        single = unit.lower() if unit.lower() in CONVERSIONS else unit.lower().removesuffix("s")
        if OF_ONE.search(text[: q.start]) or (single == "m" and unit != "m"):
            continue
        for one, more, factor, whole in CONVERSIONS.get(single, ()):
            new = _converted(q, value * factor, one, more, whole)
            if new and (factor < 1000 or value <= 20):
                yield [(q.start, q.end, new)]


def _converted(q: Quantity, value: float, one: str, more: str, whole: bool) -> str | None:
    """The shortest rounding of the value that the detector takes for the same."""
    if whole and (abs(value - round(value)) > 1e-6 or value < 2 or (value > MANY and one not in LARGE)):
        return None
    for digits in (2, 3, 4):
        rounded = round(value) if whole else float(f"{value:.{digits}g}")
        new = f"{rounded:,.{0 if rounded == int(rounded) else 1}f} {one if rounded == 1 else more}"
        found = extract(f"It is {new}.")
        if found and found[0].kind == q.kind and _is_same(q, found[0]):
            return new
    return None


def _is_same(q: Quantity, other: Quantity) -> bool:
    return abs(other.low - q.low) <= max(other.half_step, q.half_step, 1e-6 * q.low)


def number_formats(text: str, rng: Random) -> Iterator[Changes]:
    """Word or digits, % or percent, millions or zeros."""
    for q in extract(text):
        match = WRITTEN.fullmatch(q.text)
        if q.kind == "percent" and q.text.endswith("%"):
            yield [(q.end - 1, q.end, " percent")]
            continue
        if not match or match["high"] or not is_steady(text, q, match):
            continue
        low, start = match["low"], q.start + match.start("low")
        scale = re.fullmatch(r"\s(million|billion|thousand)(?=\s|$).*", match["rest"])
        if scale:
            alone = low[0].isdigit() and match["rest"].strip() == scale[1]
            change = (start, q.end, _with_zeros(low, scale[1]) if alone else "")
        else:
            change = (start, start + len(low), _rewritten(low, match["rest"], bool(match["sign"]), q.start == 0))
        if change[2] and _agrees(text, q, change):
            yield [change]


def _with_zeros(low: str, scale: str) -> str:
    """Write "1.2 million" as "1,200,000"; "" for a billion."""
    times = {"million": 1_000_000, "thousand": 1_000}.get(scale)
    return f"{round(value_of(low) * times):,}" if times else ""


def _rewritten(low: str, rest: str, money: bool, begins: bool) -> str:
    """The number in digits for words, in words for digits, or with a scale word; "" for none."""
    if low.isalpha():
        return str(SPELLED[low.lower()]) if not begins and 2 <= SPELLED.get(low.lower(), 0) <= 20 else ""
    value = value_of(low)
    unit = re.match(r"\s?(?:[A-Z]|[a-z]{1,2}\b|%|°)", rest)
    if low.isdigit() and 2 <= value <= 12 and not money and not unit:
        return spelled(value).capitalize() if begins else spelled(value)
    if "," in low and value >= 1e6 and value % 1e5 == 0:
        return f"{value / 1e6:g} million"
    if "," in low and 2e3 <= value < 1e6 and value % 1e3 == 0 and not money:
        return f"{value / 1e3:g} thousand"
    return ""


def _agrees(text: str, q: Quantity, change: Change) -> bool:
    """Whether the changed text gives the same value at its place, by the value detector's own reading."""
    here = [o for o in extract(changed(text, [change])) if abs(o.start - q.start) <= len(change[2]) + 7]
    return any(o.kind == q.kind and compatible(q, o) for o in here)


def roundings(text: str, rng: Random) -> Iterator[Changes]:
    """4,187 -> about 4,200."""
    for q in extract(text):
        match = WRITTEN.fullmatch(q.text)
        if not match or match["high"] or not match["low"][0].isdigit():
            continue
        if q.kind in NOT_NUMBERS or q.bound or q.approximate or not is_steady(text, q, match):
            continue
        new = _rounded(match["low"])
        if new and not EXACT.search(text[: q.start]) and not text[q.end :].startswith("-"):
            yield [(q.start, q.start + match.end("low"), f"about {match['sign'] or ''}{new}")]


def _rounded(low: str) -> str:
    """Two digits of a number that has more, where little is lost; "" otherwise."""
    value = value_of(low)
    rounded = float(f"{value:.2g}")
    digits = low.replace(",", "").replace(".", "").rstrip("0")
    if len(digits) < 3 or not 0 < abs(rounded - value) <= 0.04 * value:
        return ""
    return f"{rounded:,.{0 if rounded >= 10 else 1}f}"
