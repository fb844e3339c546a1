"""Another number or unit in a sentence.

`detectors.values` reads the quantities and judges every edit: a contradiction must be incompatible by its reading.
Knows nothing about the words around, but for the few that make a number a name, a score, an ordinal or a bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from detectors.quantities import Quantity, extract
from detectors.quantities.quantity import ABOUT
from detectors.quantities.units import SPELLED
from detectors.values import compatible

from . import english as en
from .changes import Change, Changes, changed
from .verbs import PAST

WRITTEN = re.compile(
    r"(?P<sign>[$€£¥]\s?|(?i:USD|EUR|GBP|CHF)\s)?(?P<low>\d[\d,]*(?:\.\d+)?|[A-Za-z]+)"
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
# Kinds that are edited elsewhere or not at all.
NOT_NUMBERS = ("date", "version", "interval", "time", "weekday", "ordinal", "score", "rating")
MEASURES = ("duration", "length", "mass", "volume")
FACTORS = (0.4, 0.5, 0.6, 0.7, 1.4, 1.5, 1.6, 1.8, 2.2)
TENS = (20, 30, 40, 50, 60, 70, 80, 90)


def numbers(text: str, rng: Random) -> Iterator[Changes]:
    """28 days -> 45 days."""
    for q in extract(text):
        match = WRITTEN.fullmatch(q.text)
        new = _another(q, match, rng) if match and is_steady(text, q, match) else None
        if match is None or new is None:
            continue
        change = _in_its_bound(text, q, match, *new)
        if change and clashes(text, q, change):
            yield [change]


def is_steady(text: str, q: Quantity, match: re.Match[str]) -> bool:
    """Whether the quantity is a value of its own: no name, ordinal, score, fraction, formula or part of a list."""
    before, after = text[: q.start], text[q.end :]
    after_number = text[q.start + match.end("high" if match["high"] else "low") :]
    kind, word = q.kind.partition(" per ")[0], match["low"].lower()
    if kind.split()[0] in NOT_NUMBERS or (match["join"] or "").strip() == "and":
        return False
    if word.isalpha() and word not in SPELLED:
        return False
    if _is_name_or_one(match["low"], before) or _is_part_before(before) or _is_part_after(after, after_number):
        return False
    if _is_scoped(before, match["low"]) or _is_converted_beside(text, q):
        return False
    if kind.startswith("count"):
        return _counts(match["low"], bool(match["rest"].strip()), after_number)
    if kind == "duration" and re.match(r"\s?-?second\b", after_number):
        return False
    return not (kind in MEASURES and re.search(r"\b[A-Z]\w*$", q.text))


def _is_name_or_one(written: str, before: str) -> bool:
    return written.lower() in ("one", "zero", "0", "1") or (written[0].isupper() and bool(before.strip()))


def _is_part_before(before: str) -> bool:
    """Whether the words before make the number an ordinal, a score, a subscript …"""
    return before.endswith("\n") or UNSTEADY_BEFORE.search(ABOUT.sub("", BOUND.sub("", before))) is not None


def _is_part_after(after: str, after_number: str) -> bool:
    """Whether what follows makes the number a range, a time, a fraction, a list …"""
    if UNSTEADY_AFTER.match(after_number) and not re.match(r"-[a-z]+\b", after_number):
        return True
    return after[:1].isalnum() or re.match(r"\s*\(|\s+and\s+[\d$€£]", after) is not None


def _is_scoped(before: str, written: str) -> bool:
    """Whether the words before deny the number, or make it a case ("when two …") or a known one ("the two")."""
    if re.search(r"\b(?:not|never|no|without|cannot)\b|n['’]t\b|case of $", before):
        return True
    case = re.search(r"\b(?:when|whenever|if)\b[^,;]*$", before)  # what holds for two may not hold for six
    return case is not None or (written.isalpha() and re.search(r"\bthe\s+$", before) is not None)


def _is_converted_beside(text: str, q: Quantity) -> bool:
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
    if match["high"]:
        return _another_range(match, rng)
    low = match["low"]
    value = value_of(low)
    if value <= 0:
        return None
    if low.isalpha() or (value <= 12 and value.is_integer() and "." not in low):
        return _another_small(low, value, rng)
    factor = rng.choice(FACTORS)
    if q.kind == "percent" and value * factor >= 100:
        factor = rng.choice([f for f in FACTORS if f < 1])
    return _like(low, value * factor), factor


def _another_range(match: re.Match[str], rng: Random) -> tuple[str, float] | None:
    small, large = value_of(match["low"]), value_of(match["high"])
    if not 0 < small < large:
        return None
    factor = rng.choice((large / small * 1.3, small / large * 0.7))
    low, high = _like(match["low"], small * factor), _like(match["high"], large * factor)
    return (match["join"].join((low, high)), factor) if low != high else None


def _another_small(low: str, value: float, rng: Random) -> tuple[str, float] | None:
    """Another number up to twenty, or another of the tens, in words where the other is."""
    gap = max(1 if value <= 3 else 2, 0.25 * value)
    choices = TENS if value > 20 else range(2, min(20, max(6, int(value * 2))) + 1)
    near = [n for n in choices if abs(n - value) >= gap]
    if not near:
        return None
    n = rng.choice(near)
    if not low.isalpha():
        return str(n), n / value
    word = spelled(n)
    return word.capitalize() if low[0].isupper() else word, n / value


def value_of(written: str) -> float:
    """Read "4,200" or "twelve"."""
    low = written.lower()
    return float(SPELLED[low]) if low in SPELLED else float(low.replace(",", ""))


def spelled(n: float) -> str:
    return next(word for word, value in SPELLED.items() if value == n)


def _like(written: str, value: float) -> str:
    """Write a value as the other number is written: decimals, thousands commas, round or not."""
    decimals = len(written.partition(".")[2])
    digits = written.replace(",", "")
    if decimals == 0 and len(digits) > 1:
        zeros = len(digits) - len(digits.rstrip("0"))
        step = 5 if zeros and len(digits) == 2 else 10 ** min(zeros, len(digits) - 2)
        value = max(step, round(value / step) * step)
    return f"{value:,.{decimals}f}" if "," in written else f"{value:.{decimals}f}"


def _in_its_bound(text: str, q: Quantity, match: re.Match[str], new: str, factor: float) -> Change | None:
    """The change of number; a bound that the new value would still satisfy goes, or both stay in a rule."""
    start, end = q.start + match.start("low"), q.start + match.end("high" if match["high"] else "low")
    bound = BOUND.search(text[: q.start])
    if not bound or RULE.search(text) or re.findall(r"\w+", text.lower())[0] in PAST:  # a command
        return start, end, new
    if not bound["soft"] or match["high"] or re.search(r"\bcan\b", text):  # "more than 5 can" leaves 3 open
        return None
    lower_bound = re.match(r"at least|no fewer|no less|more|over", bound["soft"], re.I)
    if bool(lower_bound) == (factor > 1):  # beyond the bound is where the clash is
        return None
    return bound.start(), end, (match["sign"] or "") + new


def clashes(text: str, q: Quantity, change: Change) -> bool:
    """Whether the changed text gives another value, by the value detector's own reading."""
    reach = (min(change[0], q.start), change[1] + len(change[2]) + 12)
    others = [o for o in extract(changed(text, [change])) if o.kind == q.kind and reach[0] <= o.start <= reach[1]]
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
MANY_YEARS = 40 * 31_557_600  # seconds


def units(text: str, rng: Random) -> Iterator[Changes]:
    """The same number of another unit: 30 days -> 30 weeks."""
    for q in extract(text):
        match, written = re.fullmatch(r".*?[\d\w][\s-]?([A-Za-z]+)", q.text, re.S), WRITTEN.fullmatch(q.text)
        if not match or not written or not is_steady(text, q, written):
            continue
        if q.bound or re.search(r"illion|thousand", q.text):
            continue
        new = _another_unit(q, match[1].lower(), rng)
        change = (q.start + match.start(1), q.end, new)
        beside = re.match(r"[\s-]+(?:hours?|days?|weeks?|months?|years?)\b", text[q.end :])  # a three-day week
        if new and not beside and clashes(text, q, change):
            yield [change]


def _another_unit(q: Quantity, unit: str, rng: Random) -> str:
    """Another unit in the same number, singular or plural; "" for none."""
    single = unit if unit in NEIGHBOURS else unit.removesuffix("s")
    if single not in NEIGHBOURS or (single in ("year", "month") and abs(q.high) > MANY_YEARS):
        return ""
    other = rng.choice(NEIGHBOURS[single])
    plural = unit != single and len(other) > 2 and other[-1] not in "sB" and other != "feet"
    return other + "s" * plural
