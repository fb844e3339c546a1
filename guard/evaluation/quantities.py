"""Edits of the quantities in a sentence: another value, unit or date, or the same one written differently.

`detectors.values` reads the quantities and judges every edit: a contradiction must be incompatible by its reading,
a restatement compatible.  Knows nothing about the words around, but for the few that make a number a name, a score,
an ordinal or a bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from detectors.values import ABOUT, MONTHS, SPELLED, Quantity, compatible, extract
from detectors.words import NEGATION

from . import english as en
from .english import Change

WRITTEN = re.compile(
    r"(?P<sign>[$€£¥]\s?|(?:USD|EUR|GBP|CHF)\s)?(?P<low>\d[\d,]*(?:\.\d+)?|[A-Za-z]+)"
    r"(?:(?P<join>\s?(?:-|–|to|and)\s?)(?P<high>\d[\d,]*(?:\.\d+)?))?(?P<rest>.*)",
    re.S,
)
BOUND = re.compile(
    r"(?P<soft>\b(?:at least|at most|up to|no more than|not more than|no fewer than|no less than|more than|less than"
    r"|fewer than|over|under)\s+)$|\b(?:within|below|above|from|minimum(?: of)?|maximum(?: of)?)\s+$",
    re.I,
)
RULE = re.compile(
    r"\b(?:must|shall|should|required?|requires|allowed|entitled|permitted|limited|need to|has to|have to)\b"
)
# Words beside a number that make it a part of something: an ordinal, a score, a fraction, a time, "the last two".
_BEFORE = en.either(
    "these those both other all last first next every each another or any only than nor no top past one point half per "
    "years? months? hours minutes feet degrees pounds times by versus vs minus plus divided equals? between final "
    "remaining"
)
UNSTEADY_BEFORE = re.compile(rf"(?:\b{_BEFORE}|[A-Z]\w+|[\d:.,/+×x–-])\s*$")
UNSTEADY_AFTER = re.compile(
    r"\s*(?:[-–/:×+(]|or\b|and a half|a\.?m\b|p\.?m\b|o'clock|times?\b|point|thirds?\b|quarters?\b|hundred|thousand"
    r"|[-\s]?(?:st|nd|rd|th)\b|percent of (?:a|the) |hours? a day|days? a week)"
)
COMPOUND_NOUNS = frozenset(
    """acre bed bedroom body book day door episode floor foot game gun hole hour inch judge lane man match meter metre
    mile member minute month page part person point pound room seat second state step storey story ton volume week woman
    year""".split()
)
NOT_NOUNS = (
    en.PREPOSITIONS | en.SUBORDINATORS | en.AUXILIARIES | en.UNSURE | en.DETERMINERS | en.PRONOUNS
) | frozenset("more less other others separate million billion main further additional s per".split())


def numbers(text: str, rng: Random) -> Iterator[en.Changes]:
    for q in extract(text):
        match = WRITTEN.fullmatch(q.text)
        if not match or not _steady(text, q, match):
            continue
        new = _another(q, match, rng)
        if new is None:
            continue
        change = _in_its_bound(text, q, match, new, rng)
        if change and _clashes(text, q, change):
            yield [change]


def _steady(text: str, q: Quantity, match: re.Match[str]) -> bool:
    """Whether the quantity is a value of its own: no name, ordinal, score, fraction, formula or part of a list."""
    before, written = text[: q.start], match["low"]
    after_number = text[q.start + match.end("high" if match["high"] else "low") :]
    if before.endswith("\n") or before.endswith("case of "):  # a subscript; a value that scopes
        return False
    if q.kind in ("date", "version", "interval") or (match["join"] or "").strip() == "and":
        return False
    if written.lower() in ("one", "zero", "0", "1") or (written[0].isupper() and before.strip()):
        return False
    if UNSTEADY_BEFORE.search(ABOUT.sub("", BOUND.sub("", before))) or (text[q.end : q.end + 1].isalnum()):
        return False
    if UNSTEADY_AFTER.match(after_number) and not re.match(r"-[a-z]+\b", after_number):
        return False
    if re.match(r"\s*\(|\s+and\s+[\d$€£]", text[q.end :]):
        return False
    if _converted_beside(text, q) or re.search(r"\b(?:not|never|no|without|cannot)\b|n['’]t\b", before):
        return False
    if re.search(r"\b(?:when|whenever|if)\b[^,;]*$", before):  # what holds for two may not hold for six
        return False
    if re.search(r"\bthe\s+$", before) and written.isalpha():  # "the two": already known which
        return False
    if q.kind == "count":
        return _counts(written, bool(match["rest"].strip()), after_number)
    if q.kind == "duration" and re.match(r"\s?-?second\b", after_number):
        return False
    return not (q.kind in ("duration", "length", "mass", "volume") and re.search(r"\b[A-Z]\w*$", q.text))


def _converted_beside(text: str, q: Quantity) -> bool:
    """Whether the quantity stands in parentheses and says a value before them again: "5 km (3 miles)"."""
    opened = text.rfind("(", 0, q.start)
    return opened > text.rfind(")", 0, q.start) and bool(re.search(r"\d|illion", text[max(0, opened - 25) : opened]))


def _counts(written: str, scaled: bool, after: str) -> bool:
    """Whether a bare number counts something: "12 members", "two large rooms", "a five-member board", "4,200 of"."""
    if re.fullmatch(r"1\d{3}|20\d\d", written):
        return False
    if compound := re.match(r"-([a-z]+)\b", after):
        return compound[1] in COMPOUND_NOUNS
    nouns = re.match(r"\s+([a-z]{3,})(?:\s+([a-z]+))?(?:\s+([a-z]+))?", after)
    if nouns and nouns[1] not in NOT_NOUNS | SPELLED.keys():
        return any(n and en.is_plural(n) for n in nouns.groups())
    return scaled or "," in written


def _another(q: Quantity, match: re.Match[str], rng: Random) -> tuple[str, float] | None:
    """Another number of the same look, and by how much it is larger: ("45", 1.5)."""
    low = match["low"]
    if match["high"]:
        small, large = (float(match[g].replace(",", "")) for g in ("low", "high"))
        if not 0 < small < large:
            return None
        factor = rng.choice((large / small * 1.3, small / large * 0.7))
        ends = [_like(match[g], v * factor) for g, v in (("low", small), ("high", large))]
        return (match["join"].join(ends), factor) if ends[0] != ends[1] else None
    spelled = low.lower() in SPELLED
    value = float(SPELLED[low.lower()]) if spelled else float(low.replace(",", ""))
    if value <= 0:
        return None
    if spelled or (value <= 12 and value.is_integer() and "." not in low):
        gap = 1 if value <= 3 else 2
        near = [n for n in range(2, max(6, int(value * 2)) + 1) if abs(n - value) >= max(gap, 0.25 * value) and n <= 20]
        if value > 20:
            near = [n for n in (20, 30, 40, 50, 60, 70, 80, 90) if abs(n - value) >= 0.25 * value]
        if not near:
            return None
        n = rng.choice(near)
        word = next(w for w, v in SPELLED.items() if v == n)
        return (word.capitalize() if low[0].isupper() else word) if spelled else str(n), n / value
    factor = rng.choice((0.4, 0.5, 0.6, 0.7, 1.4, 1.5, 1.6, 1.8, 2.2))
    if q.kind == "percent" and value * factor >= 100:
        factor = rng.choice((0.4, 0.5, 0.6, 0.7))
    return _like(low, value * factor), factor


def _like(written: str, value: float) -> str:
    """Write a value as the other number is written: decimals, thousands commas, round or not."""
    decimals = len(written.partition(".")[2])
    digits = written.replace(",", "")
    if decimals == 0 and len(digits) > 1:
        zeros = len(digits) - len(digits.rstrip("0"))
        step = 5 if zeros and len(digits) == 2 else 10 ** min(zeros, len(digits) - 2)
        value = max(step, round(value / step) * step)
    return f"{value:,.{decimals}f}" if "," in written else f"{value:.{decimals}f}"


def _in_its_bound(text: str, q: Quantity, match: re.Match[str], new: tuple[str, float], rng: Random) -> Change | None:
    """The change of number; a bound that the new value would still satisfy goes, or both stay in a rule."""
    start, end = q.start + match.start("low"), q.start + match.end("high" if match["high"] else "low")
    bound = BOUND.search(text[: q.start])
    if not bound or RULE.search(text) or re.findall(r"\w+", text.lower())[0] in en.PAST:  # a command
        return start, end, new[0]
    if not bound["soft"] or match["high"] or re.search(r"\bcan\b", text):  # "more than 5 can" leaves 3 open
        return None
    lower_bound = re.match(r"at least|no fewer|no less|more|over", bound["soft"], re.I)
    if bool(lower_bound) == (new[1] > 1):  # beyond the bound is where the clash is
        return None
    return bound.start(), end, (match["sign"] or "") + new[0]


def _clashes(text: str, q: Quantity, change: Change) -> bool:
    """Whether the changed text gives another value, by the value detector's own reading."""
    after = text[: change[0]] + change[2] + text[change[1] :]
    reach = (min(change[0], q.start), change[1] + len(change[2]) + 12)
    others = [o for o in extract(after) if o.kind == q.kind and reach[0] <= o.start <= reach[1]]
    return bool(others) and not compatible(q, others[0])


NEIGHBOURS = {
    "second": ("minute", "hour"), "minute": ("hour", "second"), "hour": ("day", "minute"), "day": ("week", "hour"),
    "week": ("month", "day"), "month": ("year", "week"), "year": ("month",), "mm": ("cm",), "cm": ("mm", "m"),
    "km": ("m",), "kilometre": ("metre",), "kilometer": ("meter",), "metre": ("kilometre",), "meter": ("kilometer",),
    "mile": ("yard",), "yard": ("mile",), "mg": ("g",), "g": ("mg", "kg"), "kg": ("g",), "gram": ("kilogram",),
    "kilogram": ("gram",), "pound": ("ounce",), "lb": ("oz",), "ounce": ("pound",), "ml": ("l",), "ms": ("min",),
    "kb": ("MB",), "mb": ("KB", "GB"), "gb": ("MB", "TB"), "tb": ("GB",), "kib": ("MiB",), "mib": ("GiB", "KiB"),
    "gib": ("MiB", "TiB"), "megabyte": ("gigabyte",), "gigabyte": ("megabyte",), "kilobyte": ("megabyte",),
    "terabyte": ("gigabyte",), "kw": ("MW",), "mw": ("kW",), "litre": ("gallon",), "liter": ("gallon",),
    "feet": ("metres",), "ft": ("m",), "ton": ("kg",), "tonne": ("kg",),
}  # fmt: skip


def units(text: str, rng: Random) -> Iterator[en.Changes]:
    """The same number of another unit: 30 days -> 30 weeks."""
    for q in extract(text):
        match = re.fullmatch(r"(.*?[\d\w])([\s-]?)([A-Za-z]+)", q.text, re.S)
        written = WRITTEN.fullmatch(q.text)
        if (
            not match
            or not written
            or not _steady(text, q, written)
            or q.bound
            or re.search(r"illion|thousand", q.text)
        ):
            continue
        unit = match[3].lower()
        single = unit if unit in NEIGHBOURS else unit.removesuffix("s")
        if single not in NEIGHBOURS or (single in ("year", "month") and abs(q.high) > 40 * 31557600):
            continue
        other = rng.choice(NEIGHBOURS[single])
        plural = unit != single and len(other) > 2 and other[-1] not in "sB" and other != "feet"
        if re.match(r"[\s-]+(?:hours?|days?|weeks?|months?|years?)\b", text[q.end :]):  # a three-day week
            continue
        change = (q.start + match.start(3), q.end, other + ("s" if plural else ""))
        if _clashes(text, q, change):
            yield [change]


ONCE = """born died founded established opened released published completed built launched signed premiered
acquired merged elected appointed announced introduced ratified abolished discovered invented graduated married
retired resigned began started ended closed created formed inaugurated adopted enacted passed incorporated
arrested executed assassinated killed crowned ordained baptized baptised buried demolished destroyed constructed
dissolved disbanded unveiled commissioned consecrated dedicated renamed granted ceded annexed conquered captured
surrendered declared proclaimed independent independence aired debuted issued expires expire expired effective
effect due deadline takes ends begins starts opens closes approved happened occurred terminated concluded finished
erected chartered sank repealed legalized""".split()
EVENT = frozenset(ONCE)
CLAUSE = re.compile(
    r"[;:()—]|,(?!\s*\d{4})|\b(?:and|but|which|who|when|while|where|whose|after|before|until|although|as)\b"
)


def dates(text: str, rng: Random) -> Iterator[en.Changes]:
    """Another day, month or year of something that happens once; never the year that scopes a figure."""
    if NEGATION.search(text):
        return
    quantities = extract(text)
    dates = [q for q in quantities if q.kind == "date"]
    if any(q.kind != "date" for q in quantities):
        return
    for q in dates:
        change = _other_date(q, dates, rng)
        if change and _happens_once(text, q) and _clashes(text, q, change):
            yield [change]


def _happens_once(text: str, q: Quantity) -> bool:
    before = text[: q.start]
    if re.search(
        r"\b(?:before|after|until|since|early|late|mid|from|between|around|about|of|and|the|circa|to)[\s-]*$", before
    ):
        return False
    if re.match(
        r"\s*(?:[-–/]|(?:and|or|to|until)\s+\S*\s*\d|,\s*\d{4}|(?:\w+\s)?(?:BC|BCE|AD|CE)\b|[A-Za-z]*\d)|s\b|'s|’s",
        text[q.end :],
    ):
        return False
    if re.match(r"\s+[A-Z]", text[q.end :]):
        return False
    cuts = [0, *(m.end() for m in CLAUSE.finditer(before))]
    here = before[cuts[-1] :]
    stop = CLAUSE.search(text, q.end)
    after = text[q.end : stop.start() if stop else len(text)]
    if not after.strip(" .") and len(here.split()) <= 2 and stop and stop.group() == ",":  # fronted: "In 1985, …"
        following = CLAUSE.search(text, stop.end())
        after = text[stop.end() : following.start() if following else len(text)]
    return any(w in EVENT for w in re.findall(r"[a-z]+", f"{here} {after}"))


def _other_date(q: Quantity, dates: Sequence[Quantity], rng: Random) -> Change | None:
    value = int(q.low)
    year, month, day = value // 10_000, value // 100 % 100, value % 100
    parts = [p for p, known in (("year", year), ("month", month), ("day", day)) if known]
    part = rng.choice(parts)
    if part == "year":
        years = {int(d.low) // 10_000 for d in dates}
        others = [d for d in years if d != year and d]
        near = [
            y
            for y in range(year - 14, year + 15)
            if abs(y - year) >= 2 and y not in years and (y <= 2026 or year > 2024)
        ]
        near = [y for y in near if all((y < o) == (year < o) for o in others)]
        return _replace_in(q, str(year), str(rng.choice(near))) if near else None
    if len(dates) > 1:
        return None
    if part == "day":
        days = [d for d in range(2, 28) if abs(d - day) >= 2]
        return _other_day(q, day, rng.choice(days))
    name = next((m for m in MONTHS if re.search(rf"\b{m}\b", q.text, re.I) and MONTHS[m] == month), None)
    if name is None:
        return None
    short = len(name) == 3 and name != "may"
    others_of = [
        m for m in MONTHS
        if MONTHS[m] != month and m != "sept" and (len(m) == 3) == short | (m == "may") and (m[:3] != "feb" or day < 29)
    ]  # fmt: skip
    written = re.search(rf"\b{name}\b", q.text, re.I)
    new = rng.choice([m for m in others_of if day < 31 or MONTHS[m] in (1, 3, 5, 7, 8, 10, 12)]).capitalize()
    return (q.start + written.start(), q.start + written.end(), new) if written else None


def _other_day(q: Quantity, day: int, new: int) -> Change | None:
    match = re.search(rf"(?<!\d)0?{day}(st|nd|rd|th)?(?!\d)", q.text)
    if not match or re.search(r"\d{4}-", q.text):
        match = re.search(rf"(?<=-){day:02d}$", q.text)
        return (q.start + match.start(), q.start + match.end(), f"{new:02d}") if match else None
    return q.start + match.start(), q.start + match.end(), str(new) + (_ordinal(new) if match[1] else "")


def _ordinal(n: int) -> str:
    return "th" if 10 < n % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def _replace_in(q: Quantity, old: str, new: str) -> Change | None:
    at = q.text.rfind(old)
    return (q.start + at, q.start + at + len(old), new) if at >= 0 else None


# --- the same value, written differently --------------------------------------------------------------------------

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
    + en.either(
        "from to in of on at by for after before per long wide tall high deep thick away apart and later ago north "
        "south east west above below with without when if under over as"
    )
    + r"\b)"
)


def conversions(text: str, rng: Random) -> Iterator[en.Changes]:
    for q in extract(text):
        written = WRITTEN.fullmatch(q.text)
        match = re.fullmatch(r"([\d,.]+|[A-Za-z]+)\s([A-Za-z]+)", q.text)
        if not match or not written or not _steady(text, q, written) or not STANDS_ALONE.match(text[q.end :]):
            continue
        if re.search(r"\b(?:the|an?|its|his|her|their|this)\s+$", text[: q.start]):
            continue
        unit, value = match[2], _value(match[1])
        single = unit.lower() if unit.lower() in CONVERSIONS else unit.lower().removesuffix("s")
        if single == "m" and unit != "m":
            continue
        for one, more, factor, whole in CONVERSIONS.get(single, ()):
            new = _converted(q, value * factor, one, more, whole)
            if new and (factor < 1000 or value <= 20):
                yield [(q.start, q.end, new)]


def _value(written: str) -> float:
    low = written.lower()
    return float(SPELLED[low]) if low in SPELLED else float(low.replace(",", ""))


def _converted(q: Quantity, value: float, one: str, more: str, whole: bool) -> str | None:
    """The shortest rounding of the value that the detector takes for the same."""
    if whole and (
        abs(value - round(value)) > 1e-6 or value < 2 or (value > MANY and one not in ("MB", "GB", "ml", "W", "kg"))
    ):
        return None
    for digits in (2, 3, 4):
        rounded = round(value) if whole else float(f"{value:.{digits}g}")
        new = f"{rounded:,.{0 if rounded == int(rounded) else 1}f} {one if rounded == 1 else more}"
        found = extract(f"It is {new}.")
        if (
            found
            and found[0].kind == q.kind
            and abs(found[0].low - q.low) <= max(found[0].half_step, q.half_step, 1e-6 * q.low)
        ):
            return new
    return None


def number_formats(text: str, rng: Random) -> Iterator[en.Changes]:
    """Word or digits, % or percent, millions or zeros."""
    for q in extract(text):
        match = WRITTEN.fullmatch(q.text)
        if q.kind == "percent" and q.text.endswith("%"):
            yield [(q.end - 1, q.end, " percent")]
            continue
        if not match or match["high"] or not _steady(text, q, match):
            continue
        new, rest = _rewritten(match["low"], match["rest"], bool(match["sign"]), q.start == 0)
        change = (q.start + match.start("low"), q.end if rest else q.start + match.end("low"), new)
        if new and _agrees(text, q, change):
            yield [change]


def _rewritten(low: str, rest: str, money: bool, begins: bool) -> tuple[str, bool]:
    """The number written otherwise, and whether the scale word went into it; "" for none."""
    scale = re.fullmatch(r"\s(million|billion|thousand)(?=\s|$).*", rest)
    if scale and low[0].isdigit() and scale[1] != "billion" and rest.strip() == scale[1]:
        times = {"million": 1_000_000, "thousand": 1_000}[scale[1]]
        return f"{round(_value(low) * times):,}", True
    if scale or (begins and low[0].isalpha()):
        return "", False
    if low.lower() in SPELLED and 2 <= SPELLED[low.lower()] <= 20:
        return str(SPELLED[low.lower()]), False
    value = _value(low) if low[0].isdigit() else 0.0
    if low.isdigit() and 2 <= value <= 12 and not money and not re.match(r"\s?(?:[A-Z]|[a-z]{1,2}\b|%|°)", rest):
        word = next(w for w, n in SPELLED.items() if n == value)
        return (word.capitalize() if begins else word), False
    if "," in low and value >= 1e6 and value % 1e5 == 0:
        return f"{value / 1e6:g} million", False
    return (
        (f"{value / 1e3:g} thousand", False)
        if "," in low and value % 1e3 == 0 and 2e3 <= value < 1e6 and not money
        else ("", False)
    )


def _agrees(text: str, q: Quantity, change: Change) -> bool:
    after = text[: change[0]] + change[2] + text[change[1] :]
    return any(
        o.kind == q.kind and compatible(q, o) and abs(o.start - q.start) <= len(change[2]) + 7 for o in extract(after)
    )


FULL_MONTHS = {n: m.capitalize() for m, n in MONTHS.items() if len(m) > 3 and m != "sept"} | {5: "May"}


def date_formats(text: str, rng: Random) -> Iterator[en.Changes]:
    """3 May 2021, May 3, 2021 and 2021-05-03."""
    for q in extract(text):
        value = int(q.low)
        year, month, day = value // 10_000, value // 100 % 100, value % 100
        if (
            q.kind != "date"
            or not (month and day)
            or not 1 <= month <= 12
            or re.search(r"\bthe\s+$|[-–]\s*$", text[: q.start])
        ):
            continue
        if re.match(r"\s*(?:[-–/]|(?:and|to|or)\s+\d)", text[q.end :]):
            continue
        name = FULL_MONTHS[month]
        forms = [f"{day} {name} {year}", f"{name} {day}, {year}"] if year else [f"{day} {name}", f"{name} {day}"]
        written_day_first = q.text[0].isdigit() and not q.text[:4].isdigit()
        if year and re.search(r"\bon\s+$|\bby\s+$|\buntil\s+$", text[: q.start]):
            forms.append(f"{year}-{month:02d}-{day:02d}")
        for at, form in enumerate(forms):
            if form.replace(",", "") != q.text.replace(",", "") and (at == 2 or (at == 0) != written_day_first):
                yield [(q.start, q.end, form)]


def roundings(text: str, rng: Random) -> Iterator[en.Changes]:
    """4,187 -> about 4,200."""
    for q in extract(text):
        match = WRITTEN.fullmatch(q.text)
        if (
            not match
            or q.kind in ("date", "version", "interval")
            or match["high"]
            or q.bound
            or q.approximate
            or not _steady(text, q, match)
        ):
            continue
        if not match["low"][0].isdigit() or re.search(
            r"\b(?:the|an?|its|his|her|their|this|exactly|precisely)\s+$", text[: q.start]
        ):
            continue
        value = _value(match["low"])
        digits = match["low"].replace(",", "").replace(".", "")
        rounded = float(f"{value:.2g}")
        if len(digits.rstrip("0")) < 3 or not 0 < abs(rounded - value) <= 0.04 * value or re.match(r"-", text[q.end :]):
            continue
        new = f"{rounded:,.{0 if rounded >= 10 else 1}f}"
        yield [
            (
                q.start,
                q.start + match.end("low"),
                f"about {match['sign'] or ''}{new if ',' in match['low'] or rounded < 1e4 else f'{rounded:,.0f}'}",
            )
        ]
