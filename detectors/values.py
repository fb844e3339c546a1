"""The value detector: quantities that disagree about a shared attribute of two sentences.

Reads money, percentages, lengths, masses, durations, data sizes, temperatures, versions, dates and counted
things; converts units and knows rounding, ranges and bounds.  Precision before recall: two values are compared
only when the sentences around them otherwise say the same.  Knows nothing about models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .evidence import ConflictType, Finding
from .words import WORD, content_words, names, stem

# unit -> (kind, factor to the kind's canonical unit: metre, kilogram, second, byte, litre)
_BY_KIND: dict[str, dict[str, float]] = {
    "length": {"mm": 1e-3, "cm": 1e-2, "m": 1, "meter": 1, "metre": 1, "km": 1e3, "kilometer": 1e3, "kilometre": 1e3,
               "mi": 1609.344, "mile": 1609.344, "ft": 0.3048, "feet": 0.3048, "foot": 0.3048, "inch": 0.0254,
               "inches": 0.0254, "yard": 0.9144},
    "mass": {"mg": 1e-6, "g": 1e-3, "gram": 1e-3, "kg": 1, "kilogram": 1, "lb": 0.45359237, "lbs": 0.45359237,
             "pound": 0.45359237, "ounce": 0.028349523, "oz": 0.028349523, "tonne": 1e3, "ton": 1e3},
    "duration": {"ms": 1e-3, "millisecond": 1e-3, "second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600,
                 "h": 3600, "hr": 3600, "day": 86400, "week": 604800, "month": 2629800, "year": 31557600},
    "data": {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4,
             "kilobyte": 1e3, "megabyte": 1e6, "gigabyte": 1e9, "terabyte": 1e12, "byte": 1},
    "volume": {"ml": 1e-3, "cl": 1e-2, "l": 1, "liter": 1, "litre": 1, "gallon": 3.785411784},
    "power": {"w": 1, "watt": 1, "kw": 1e3, "mw": 1e6}, "voltage": {"v": 1, "volt": 1},
    "speed": {"km/h": 1 / 3.6, "kph": 1 / 3.6, "mph": 0.44704, "m/s": 1},
}  # fmt: skip
UNITS = {unit: (kind, factor) for kind, units in _BY_KIND.items() for unit, factor in units.items()}
CURRENCIES = {"$": "usd", "usd": "usd", "dollar": "usd", "€": "eur", "eur": "eur", "euro": "eur", "£": "gbp",
              "gbp": "gbp", "chf": "chf", "¥": "jpy", "yen": "jpy"}  # fmt: skip
SCALES = {"hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9,
          "dozen": 12}  # fmt: skip
SPELLED = {w: i for i, w in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty".split())} | {
    "half": 0.5, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90}  # fmt: skip
MONTHS = {m: i for i, m in enumerate(
    "january february march april may june july august september october november december".split(), 1)}  # fmt: skip
MONTHS |= {m[:3]: i for m, i in MONTHS.items()} | {"sept": 9}

_MONTH = "(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<mon>\d{2})-(?P<day>\d{2})\b"),
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}(?:,?\s+(?P<year>\d{{4}}))?\b", re.I),
    re.compile(rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<year>\d{{4}})\b)?", re.I),
    re.compile(rf"\b{_MONTH},?\s+(?P<year>\d{{4}})\b", re.I),
    re.compile(
        r"\b(?:in|fiscal|fy|since|by|from|until|of|during|before|after|,)\s+(?P<year>1[5-9]\d\d|20\d\d)\b(?![-%\w])",
        re.I,
    ),
)
VERSION = re.compile(r"\b(?:v|version\s+)(\d+(?:\.\d+){0,3})\b|\b(\d+\.\d+\.\d+)\b", re.I)
IDENTIFIER = re.compile(
    r"\b(?:section|chapter|article|page|figure|table|step|rule|clause|appendix|annex|rfc|iso|no\.|number|level|tier|"
    r"paragraph|§|room|line|phase|type|grade|class|floor|stage|item|id|ticket|order|form)\s*#?\d[\w.\-/]*"
    r"|#\d+|\b[A-Z]+-\d[\w\-]*|\b\d+(?:-\d+){2,}\b|\b[A-Za-z]+\d+\w*|\b\d+[A-Z]-?\d\w*|\bport:?\s\d+|\b\d+[A-Z]{2,}\d*\b|^\s*\d+[.)]\s",
    re.I,
)
PERIODS = {"day": "day", "daily": "day", "week": "week", "weekly": "week", "month": "month", "monthly": "month",
           "quarter": "quarter", "quarterly": "quarter", "year": "year", "yearly": "year", "annum": "year",
           "annually": "year", "hour": "hour", "hourly": "hour", "minute": "minute", "night": "night", "km": "km",
           "mile": "mile", "user": "user", "seat": "user", "head": "head", "person": "head"}  # fmt: skip
RATE = re.compile(rf"\W{{0,2}}(?:(?:per|an?|each|every|/)\W?)?({'|'.join(PERIODS)})\b", re.I)
RATED = ("money", "percent", "count", "data", "volume")
REPEATED = re.compile(r"(?<=\w) \((?:\d[\d,.]*)\)")  # "ninety (90) days"
INTERVAL = re.compile(
    r"\b(?:every|each|once (?:an?|per|every))\s+(?:(?P<n>\w+)\s+)?(?P<unit>hour|day|week|month|quarter|year)s?\b"
    r"|\b(?P<adverb>hourly|daily|weekly|monthly|quarterly|yearly|annually)"
    r"(?=\s*(?:[.,;:)]|$|\b(?:by|and|or|in|from|at|on)\b))",
    re.I,
)
MEASURED = re.compile(  # "$10 monthly", "8 hours each day": a rate, not a rhythm
    r"(?:\d|%|\b(?:euros?|dollars?|pounds?|times?|hours?|minutes?|days?|[mk]?g|ml|km|units?))\s*$", re.I
)
ADVERBS = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter",
           "yearly": "year", "annually": "year"}  # fmt: skip
BASIS_POINTS = re.compile(r"\b(\d+(?:\.\d+)?) basis points?\b", re.I)
YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
MIN_STRENGTH = 0.2  # below it the sentences share too little for the values to be of one attribute
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_WORD = "|".join(sorted((w for w in SPELLED if w != "half"), key=len, reverse=True))
_SPELLED = (
    rf"half(?=\s+an?\s+(?:day|hour|year|minute|mile|litre|liter|kilometre|pound)\b)|(?:(?:{_WORD}|a)\s+hundred(?:\s+and)?\s+)?"
    rf"(?:{_WORD})(?:-(?:one|two|three|four|five|six|seven|eight|nine)\b)?(?!-?fold)|(?:{_WORD}|a)\s+hundred"
)
AMOUNT = re.compile(
    rf"(?P<sign>[$€£¥]|\b(?:USD|EUR|GBP|CHF)\s)?\s?(?P<low>\b(?:{_NUMBER})|\b(?:{_SPELLED})\b)"
    rf"(?:\s?(?:-|–|to|and)\s?(?P<high>{_NUMBER}))?"
    rf"(?:\s?(?P<scale>hundred|thousand|million|billion|bn|mn|dozen|k\b|m(?=\b(?!\w))))?"
    rf"[\s-]{{0,9}}(?:an?\s(?=(?:day|hour|year|minute|mile|litre|liter|kilometre|pound)\b))?"
    rf"(?P<unit>%|percent|per cent|km/h|m/s|°\s?[CF]|[A-Za-z]+)?",
    re.I,
)
MAX_BOUND = re.compile(
    r"\b(?:at most|up to|no more than|not more than|maximum(?: of)?|within|(?:less|fewer|lower) than|under|below)\s+$",
    re.I,
)
DATE_BOUNDS = {
    "as of": re.compile(r"\b(?:as of|as at)\s+(?:the\s+)?$", re.I),
    "max": re.compile(r"\b(?:before|earlier than|prior to|ahead of)\s+(?:the\s+)?$", re.I),
    "min": re.compile(r"\b(?:after|later than|following)\s+(?:the\s+)?$", re.I),
}
MIN_BOUND = re.compile(
    r"\b(?:at least|minimum(?: of)?|more than|higher than|greater than|over|no fewer than|no less than|above|from)\s+$",
    re.I,
)
ABOUT = re.compile(r"\b(?:about|around|approximately|roughly|nearly|almost|some|circa|ca\.|c\.)\s+$|~\s?$", re.I)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in its kind's canonical unit; ``low == high`` unless the text gives a range.

    ``half_step`` is half of the last digit written: 3.1 mi may be anything from 3.05 to 3.15.  ``noun`` is what
    is counted or measured.  ``text[start:end]`` of the sentence is the quantity.
    """

    kind: str
    low: float
    high: float
    half_step: float
    noun: str
    bound: str
    approximate: bool
    start: int
    end: int
    text: str


@lru_cache(maxsize=20_000)
def extract(text: str) -> tuple[Quantity, ...]:
    """Return the quantities of a sentence, in order.

    >>> [(q.kind, q.low, q.noun) for q in extract("Staff get 25 days of leave and $1,200.")]
    [('duration', 2160000.0, 'leave'), ('money:usd', 1200.0, '')]
    """
    text = REPEATED.sub(lambda m: " " * len(m.group()), text)
    taken = [m.span() for m in IDENTIFIER.finditer(text)]
    found: list[Quantity] = []
    for quantity in (*_dates(text), *_versions(text), *_basis_points(text), *_intervals(text), *_amounts(text)):
        is_date = quantity.kind == "date" or quantity.kind == "version"
        if is_date:
            taken = [t for t in taken if not (quantity.start <= t[0] and t[1] <= quantity.end)]
        if all(quantity.end <= s or quantity.start >= e for s, e in taken):
            found.append(quantity)
            taken.append((quantity.start, quantity.end))
    return tuple(sorted(found, key=lambda q: q.start))


def _dates(text: str) -> Iterator[Quantity]:
    for pattern in DATES:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            year = int(parts.get("year") or 0)
            month = int(parts["mon"]) if parts.get("mon") else MONTHS.get((parts.get("month") or "").lower(), 0)
            day = int(parts.get("day") or 0)
            start = match.start() if month else match.start("year")
            value, found = float(year * 10_000 + month * 100 + day), text[start : match.end()]
            bound = _date_bound(text[:start])
            yield Quantity("date", value, value, 0, "", bound, False, start, match.end(), found)


def _date_bound(before: str) -> str:
    """Return "max" for before a date, "min" for after it, "as of" for the day on which a figure was taken."""
    return next((name for name, pattern in DATE_BOUNDS.items() if pattern.search(before)), "")


def _versions(text: str) -> Iterator[Quantity]:
    for match in VERSION.finditer(text):
        parts = [int(p) for p in (match[1] or match[2]).split(".")]
        value = sum(p * 1000.0 ** (3 - i) for i, p in enumerate(parts))
        yield Quantity("version", value, value, 0, "", "", False, match.start(), match.end(), match.group())


def _basis_points(text: str) -> Iterator[Quantity]:
    for match in BASIS_POINTS.finditer(text):
        share = float(match[1]) / 100
        yield Quantity(
            "percent" + _period(text[match.end() :]), share, share, 0, "", "", False, *match.span(), match.group()
        )


def _intervals(text: str) -> Iterator[Quantity]:
    """How often something happens, in seconds between two times: "every three years", "monthly"."""
    for match in INTERVAL.finditer(text):
        times = match["n"] or "1"
        if not (times[0].isdigit() or times.lower() in SPELLED) or MEASURED.search(text[: match.start()]):
            continue
        unit = ADVERBS[match["adverb"].lower()] if match["adverb"] else match["unit"].lower()
        seconds = 3 * UNITS["month"][1] if unit == "quarter" else UNITS[unit][1]
        value = _number(times) * seconds
        yield Quantity("interval", value, value, 0, "", "", False, *match.span(), match.group())


def _period(after: str) -> str:
    """Return what a rate is per, " per month", or nothing: 8% a month and 8% a year are different attributes."""
    match = RATE.match(after)
    return f" per {PERIODS[match[1].lower()]}" if match else ""


def _amounts(text: str) -> Iterator[Quantity]:
    for match in AMOUNT.finditer(text):
        written, unit = match["low"], (match["unit"] or "").lower()
        scale = SCALES.get((match["scale"] or "").lower(), 1.0)
        low = _number(written) * scale
        high = _number(match["high"]) * scale if match["high"] else low
        if high < low:  # a score such as 19-0
            continue
        kind, factor, consumed = _kind_of((match["sign"] or "").strip().lower(), unit)
        bare = kind == "count" and unit in ("", "of", "and", "or", "in", "to", "the", "a", "is", "by")
        name_before = re.search(r"(?<![.!?]\s)(?<!^)\b[A-Z][a-z]+\s$", text[: match.start("low")])
        phone = re.search(r"\+\d[\d\s]*$", text[: match.start("low")])
        if unit == "s" and YEAR.fullmatch(written):  # the 1960s
            continue
        if bare and (name_before or phone):  # Windows 95, Boeing 747
            continue
        if bare and (not written[0].isdigit() or YEAR.fullmatch(written)):
            continue
        end = (
            match.end()
            if consumed
            else match.end("scale")
            if match["scale"]
            else match.end("high" if match["high"] else "low")
        )
        if kind == "temperature" and "f" in unit:
            low, high = (low - 32) / 1.8, (high - 32) / 1.8
        before = re.sub(r"[$€£¥]\s?$|\b(?:USD|EUR|GBP|CHF)\s$", "", text[: match.start("low")], flags=re.I)
        bound = "max" if MAX_BOUND.search(before) else "min" if MIN_BOUND.search(before) else ""
        half = _half_step(written) * scale * factor
        if ABOUT.search(before):
            half = max(half, 0.05 * abs(high) * factor)
        if kind.partition(":")[0] in RATED:
            kind += _period(text[end:])
        noun = stem(unit) if kind.startswith("count") else _noun(text[end:])
        start = match.start("sign") if match["sign"] else match.start("low")
        approximate = bool(ABOUT.search(before)) or bool(match["scale"])
        yield Quantity(kind, low * factor, high * factor, half, noun, bound, approximate, start, end, text[start:end])


def _kind_of(sign: str, unit: str) -> tuple[str, float, bool]:
    """Return (kind, factor, whether the unit word belongs to the quantity)."""
    if sign in CURRENCIES:
        return "money:" + CURRENCIES[sign], 1.0, False
    single = unit if unit in UNITS or unit in CURRENCIES else unit.removesuffix("s")
    if single in CURRENCIES:
        return "money:" + CURRENCIES[single], 1.0, True
    if unit in ("%", "percent", "per cent"):
        return "percent", 1.0, True
    if unit.startswith("°"):
        return "temperature", 1.0, True
    if single in UNITS:
        return *UNITS[single], True
    if unit == "s":
        return "duration", 1.0, True
    return "count", 1.0, False


def _number(written: str) -> float:
    """Return the value of digits or of words up to the hundreds.

    >>> _number("1,200"), _number("twenty-five"), _number("one hundred and twenty")
    (1200.0, 25.0, 120.0)
    """
    if written[0].isdigit():
        return float(written.replace(",", ""))
    total = 0.0
    for word in re.findall(r"[a-z]+", written.lower()):
        if word == "hundred":
            total = max(total, 1.0) * 100
        elif word in SPELLED:
            total += SPELLED[word]
    return total


def _half_step(written: str) -> float:
    """Half of the last written digit, at most a twenty-fifth of a whole number: 3.1 -> 0.05, 25 -> 0.5, 2 -> 0.08."""
    decimals = len(written.partition(".")[2])
    if written[0].isdigit() and not decimals:
        return min(0.5, 0.04 * float(written.replace(",", "")))  # 5 km is 3.1 mi, and 90 minutes are not 2 hours
    return 0.5 * 10.0**-decimals if decimals else 0.0


def _noun(after: str) -> str:
    match = re.match(r"\s*(?:of\s+)?((?:[A-Za-z\-]+\s+){0,1}[A-Za-z\-]+)", after)
    words = sorted(content_words(match[1])) if match else []
    return " ".join(words[:1]) if words else ""


def same_kind(a: Quantity, b: Quantity) -> bool:
    """Whether both measure the same; two rates must be per the same, and one may leave unsaid what it is per."""
    (kind, _, per), (other, _, other_per) = a.kind.partition(" per "), b.kind.partition(" per ")
    return kind == other and (per == other_per or not per or not other_per)


def compatible(a: Quantity, b: Quantity) -> bool:
    """Whether both can be true: equal within what was written, overlapping ranges, or a bound that holds."""
    if a.kind == "date":
        return _dates_agree(a, b)
    if a.bound and b.bound and a.bound != b.bound:
        return True
    if bool(a.bound) != bool(b.bound):
        limit, plain = (a, b) if a.bound else (b, a)
        return plain.low <= limit.high * 1.001 if limit.bound == "max" else plain.high >= limit.low * 0.999
    if a.low == a.high == b.low == b.high:
        return True
    converted = a.text.split()[-1:] != b.text.split()[-1:] and a.kind.split()[0] not in ("count", "version", "percent")
    slack = max(a.half_step, b.half_step) if converted or a.approximate or b.approximate else 0.0
    if converted and a.kind == "data":
        slack = max(slack, 0.08 * max(abs(a.high), abs(b.high)))
    return a.low - slack <= b.high + 1e-9 and b.low - slack <= a.high + 1e-9


def _dates_agree(a: Quantity, b: Quantity) -> bool:
    """Whether two dates may be of one event, compared in the parts (year, month, day) that both give."""
    if "as of" in (a.bound, b.bound):
        return True
    parts = [((int(a.low) // d) % m, (int(b.low) // d) % m) for d, m in ((10_000, 10_000), (100, 100), (1, 100))]
    known = [(x, y) for x, y in parts if x and y]
    one, two = [x for x, _ in known], [y for _, y in known]
    if one == two or (a.bound and b.bound):
        return True
    if a.bound or b.bound:
        limit, plain, rule = (one, two, a.bound) if a.bound else (two, one, b.bound)
        return plain < limit if rule == "max" else plain > limit
    return False


def same_values(a: str, b: str) -> bool:
    """Whether every quantity of the sentence with fewer has a compatible counterpart in the other."""
    one, two = sorted((extract(a), extract(b)), key=len)
    return bool(one) and all(any(same_kind(x, y) and compatible(x, y) for y in two) for x in one)


def disagreement(a: str, b: str) -> Finding | None:
    """Return a finding when both sentences give one attribute exclusive values.

    >>> disagreement("The trial lasts 14 days.", "The trial lasts 30 days.").explanation
    '"14 days" against "30 days"'
    """
    one, two = extract(a), extract(b)
    if not one or not two:
        return None
    left = [x for x in one if not any(same_kind(x, y) and compatible(x, y) for y in two)]
    right = [y for y in two if not any(same_kind(x, y) and compatible(x, y) for x in one)]
    clashing = [
        (x, y) for x in left for y in right
        if same_kind(x, y) and (not x.kind.startswith("count") or x.noun == y.noun)
    ]  # fmt: skip
    if not clashing or _scopes_differ(a, b, one, two, clashing):
        return None
    subject = _subject_overlap(a, one, b, two)
    best = max(clashing, key=lambda pair: (_near(a, pair[0], b, pair[1]), -pair[0].start, -pair[1].start))
    strength = subject * (0.6 + 0.4 * _near(a, best[0], b, best[1]))
    if strength < MIN_STRENGTH:
        return None
    kind = ConflictType.DATE if best[0].kind == "date" else ConflictType.VALUE
    return Finding(kind, min(1.0, strength), f'"{best[0].text.strip()}" against "{best[1].text.strip()}"')


def without_quantities(text: str) -> str:
    """Return the text with a space in place of each quantity."""
    for q in reversed(extract(text)):
        text = text[: q.start] + " " + text[q.end :]
    return text


def _subject_overlap(a: str, one: tuple[Quantity, ...], b: str, two: tuple[Quantity, ...]) -> float:
    """Share of the shorter side's content words, quantities removed, that the other side has too."""
    left, right = content_words(without_quantities(a)), content_words(without_quantities(b))
    if not left or not right:
        return 0.0
    shared = len(left & right)
    return shared / min(len(left), len(right)) * min(1.0, 0.5 + shared / max(len(left), len(right)))


def _near(a: str, x: Quantity, b: str, y: Quantity) -> float:
    """Overlap, 0..1, of the content words beside both quantities."""
    left, right = _beside(a, x), _beside(b, y)
    return len(left & right) / max(1, min(len(left), len(right)))


def _beside(text: str, q: Quantity) -> frozenset[str]:
    before = " ".join(WORD.findall(text[: q.start])[-4:])
    after = " ".join(WORD.findall(text[q.end :])[:4])
    return content_words(f"{before} {after}")


def _scopes_differ(
    a: str, b: str, one: tuple[Quantity, ...], two: tuple[Quantity, ...], clashing: list[tuple[Quantity, Quantity]]
) -> bool:
    """Whether another qualifier tells the values apart: a different year, or a different name on each side."""
    if any(x.kind != "date" for x, _ in clashing):
        years = [{int(q.low) // 10_000 for q in side if q.kind == "date"} - {0} for side in (one, two)]
        if years[0] and years[1] and not years[0] & years[1]:
            return True
    left, right = names(without_quantities(a)), names(without_quantities(b))
    return bool(left - right and right - left)
