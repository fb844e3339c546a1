"""Reads dates, spans of years, quarters, times of day and weekdays.

What can be read in two ways ("03/04/2024") is left out rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .amounts import UNIT, known_unit
from .quantity import ABOUT, DATE_BOUNDS, DATE_ROLES, DEADLINE, YEAR_DIGITS, Quantity, ends_with
from .units import MONTHS, ORDINALS, SPELLED, WEEKDAYS

_MONTH = "(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
_CAPITAL_MONTH = "(?P<month>" + "|".join(m.capitalize() for m in sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<mon>\d{2})-(?P<day>\d{2})(?!\d|-)"),
    re.compile(r"\b(?P<day>\d{1,2})\.(?P<mon>\d{1,2})\.(?P<year>(?:19|20)\d{2})\b"),
    re.compile(r"\b(?P<us>\d{1,2}/\d{1,2})/(?P<year>(?:19|20)\d{2})\b"),
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?:,?\s(?P<year>\d{{4}}))?\b", re.I),
    re.compile(rf"\b{_MONTH}\s(?:the\s)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s(?P<year>\d{{4}})\b)?", re.I),
    re.compile(rf"\b{_MONTH},?\s(?:of\s)?(?P<year>\d{{4}})\b", re.I),
    re.compile(r"\b(?P<year>\d{4})[\s-]?Q(?P<quarter>[1-4])\b"),
    re.compile(r"\bQ(?P<quarter>[1-4])(?:(?:\s(?:of\s)?|/)(?P<year>\d{4}))?\b"),
    re.compile(r"\b(?P<rank>first|second|third|fourth) quarter(?:\s(?:of\s)?(?P<year>\d{4}))?\b", re.I),
    re.compile(
        r"\b(?:in|by|since|until|till|from|during|through|before|after|early|mid|late|that|last|next|this|following"
        rf"|to|of|and)[\s-]{_CAPITAL_MONTH}(?!\s?\d)"
    ),
    re.compile(r"\bFY\s?(?P<year>20\d\d)\b"),
    re.compile(r"\bA\.?D\.?\s(?P<year>\d{1,4})\b"),
    re.compile(r"\b(?P<year>\d{1,4})\s(?:A\.?D\b\.?|CE\b)"),
    re.compile(r"\b(?:is|was|remains)(?:\s\w+ly)? an?\s(?P<year>(?:1[5-9]|20)\d\d)(?=\s[A-Za-z])"),
    re.compile(r"\b(?P<decade>1[5-9]\d0|20\d0)s\b"),
    re.compile(rf"\b(?P<year>{YEAR_DIGITS})\s?[-–—/]\s?(?P<until>{YEAR_DIGITS}|\d\d)\b(?![-–/\d])"),
    re.compile(
        rf"\b(?:between|from)\s(?P<year>{YEAR_DIGITS})\s(?:and|to|until|till|through)\s(?P<until>{YEAR_DIGITS})\b", re.I
    ),
    re.compile(
        r"(?:\b(?:in|fiscal(?:\syear)?|fy|since|by|from|until|till|to|of|during|before|after|through"
        r"|(?:later|earlier)\sthan|circa|year|early|mid|late|spring|summer|autumn|fall|winter|end|born|died|founded"
        r"|(?<=\d{4}\s)(?:and|or)|established|opened|released)(?:\sin|\sof)?:?[\s-]|[,(:–]\s?|\bc\.\s?)"
        rf"(?P<year>{YEAR_DIGITS})\b(?![-–/%’']?\w)(?!\s(?-i:[a-z]+s)\b(?<!\bis)(?<!\bwas)(?<!\bhas))(?![,.]\d)",
        re.I,
    ),
)
DAY_BEFORE = re.compile(r"(?<![\d.,:])(\d{1,2})(?:st|nd|rd|th)?\s?(?:and|or|to|-|–|,)\s?$")
FISCAL = re.compile(r"\b(?:fiscal(?:\syear)?|fy)\s?$", re.I)
_HOURS = {w: int(v) for w, v in SPELLED.items() if 1 <= v <= 12}
_HOUR_WORD = "|".join(sorted(_HOURS, key=len, reverse=True))
_HALF_DAY = r"(?P<half>[ap]\.?\s?m\b\.?)"
TIMES = (
    re.compile(
        r"(?<![\d:.,$€£])(?:(?P<from>\d{1,2})\s?(?:-|–|to)\s?)?(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))?"
        rf"\s?{_HALF_DAY}", re.I),
    re.compile(r"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::[0-5]\d)?(?![\d:])"),
    re.compile(rf"\b(?P<past>half|quarter|twenty|ten|five) (?P<side>past|to) (?P<word>{_HOUR_WORD}|\d{{1,2}})\b", re.I),
    re.compile(rf"\b(?P<word>{_HOUR_WORD}|\d{{1,2}}) o['’]clock\b", re.I),
    re.compile(r"\b(?P<name>noon|midday|midnight)\b", re.I),
)  # fmt: skip
PAST = {"half": 30, "quarter": 15, "twenty": 20, "ten": 10, "five": 5}
WEEKDAY = re.compile(
    r"(?<!Black )(?<!Cyber )(?<!Good )(?<!Ash )(?<!Easter )(?<!Super )"
    r"\b(?P<day>Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b"
    r"(?!\s(?:Times|Night|Mail|Telegraph|Express|Herald|Mirror|School))"
)
_WEEKDAY_STEMS = {d[:3]: i for d, i in WEEKDAYS.items()}


def _date(value: float, until: float, text: str, start: int, end: int) -> Quantity:
    bound, about = date_bound_of(text, start), bool(ABOUT.search(text[max(0, start - 40) : start]))
    role = "" if bound else _date_role(text, start)
    return Quantity("date", value, until, 0, "", bound, about, start, end, text[start:end], role)


def _date_role(text: str, start: int) -> str:
    before = text[max(0, start - 40) : start]
    return next((role for role, pattern in DATE_ROLES.items() if pattern.search(before)), "")


def date_bound_of(text: str, start: int) -> str:
    """Return the bound before a date or a rank; "by" sets a rule only in the words of a deadline."""
    before = text[max(0, start - 40) : start]
    bound = next((name for name, pattern in reversed(DATE_BOUNDS.items()) if pattern.search(before)), "")
    return ("max" if DEADLINE.search(text) else "most") if bound == "by" else bound


def read_dates(text: str) -> Iterator[Quantity]:
    for pattern in DATES:
        for match in pattern.finditer(text):
            yield from _dates_of(match, text)


def _dates_of(match: re.Match[str], text: str) -> Iterator[Quantity]:
    """Yield the date of a match, both ends of a span of years, or the days of a short list."""
    parts = {k: v for k, v in match.groupdict().items() if v}
    year, start = int(parts.get("year", 0)), match.start()
    if "until" in parts:
        yield from _years(match, year, parts["until"], text)
    elif "decade" in parts:
        first = int(parts["decade"])
        yield _date(first * 1e4, (first + (9 if first % 100 else 99)) * 1e4, text, start, match.end())
    elif "quarter" in parts or "rank" in parts:
        last = 3 * (int(parts["quarter"]) if "quarter" in parts else ORDINALS[parts["rank"].lower()])
        if not ends_with(FISCAL, text, start):
            yield _date(year * 1e4 + (last - 2) * 100, year * 1e4 + last * 100, text, start, match.end())
    else:
        yield from _calendar_days(match, parts, year, text)


def _calendar_days(match: re.Match[str], parts: dict[str, str], year: int, text: str) -> Iterator[Quantity]:
    month, day, start = int(parts.get("mon", 0)), int(parts.get("day", 0)), match.start()
    if "month" in parts:
        month = MONTHS[parts["month"].lower()]
        start = start if day or year else match.start("month")
        yield from _other_days(match, year, text) if day else ()
    elif "us" in parts:
        one, two = map(int, parts["us"].split("/"))
        month, day = (one, two) if two > 12 else (two, one) if one > 12 else (0, 0)
    elif not month:
        start, unit = match.start("year"), UNIT.match(text, match.end())
        if unit and known_unit(unit):
            return
    if month <= 12 and day <= 31:
        value = float(year * 10_000 + month * 100 + day)
        yield _date(value, value, text, start, match.end())


def _other_days(match: re.Match[str], year: int, text: str) -> Iterator[Quantity]:
    """Yield the other day of "17 and 25 February" or "April 5–7"."""
    before = ends_with(DAY_BEFORE, text, match.start())
    after = re.compile(r"\s?(?:and|or|to|-|–)\s?(\d{1,2})(?![\d:.%])").match(text, match.end("day"))
    other = before if match.start("day") < match.start("month") else after
    if other and 1 <= int(other[1]) <= 31:
        value = float(year * 10_000 + MONTHS[match["month"].lower()] * 100 + int(other[1]))
        yield Quantity("date", value, value, 0, "", "", False, *other.span(1), other[1])


def _years(match: re.Match[str], year: int, until: str, text: str) -> Iterator[Quantity]:
    """Yield the ends of "1998–2003" or "between 1998 and 2003"; a season such as "2018–19" is one event, no value."""
    last = int(until) if len(until) == 4 else year // 100 * 100 + int(until)
    if last > year and not (len(until) == 2 and last == year + 1):
        for name, value, role in (("year", year, "start"), ("until", last, "end")):
            start, end = match.span(name)
            written = text[start:end]
            yield Quantity("date", value * 1e4, value * 1e4, 0, "", "", False, start, end, written, role)


def read_times(text: str) -> Iterator[Quantity]:
    for pattern in TIMES:
        for match in pattern.finditer(text):
            parts = {k: v for k, v in match.groupdict().items() if v}
            minutes, sure = _minutes(parts)
            if not 0 <= minutes <= 24 * 60:
                continue
            start = match.start("hour") if "hour" in parts else match.start()
            yield _time(minutes, sure, text, start, match.end(), "end" if "from" in parts else "")
            if "from" in parts and 1 <= int(parts["from"]) <= 12:
                yield _time(60.0 * int(parts["from"]), False, text, *match.span("from"), "start")


def _time(minutes: float, sure: bool, text: str, start: int, end: int, role: str) -> Quantity:
    bound = "" if role else date_bound_of(text, start).replace("as of", "")
    role = role or ("" if bound else _date_role(text, start))
    about = bool(ABOUT.search(text[max(0, start - 40) : start]))
    kind = "time" if sure else "time 12h"
    return Quantity(kind, minutes, minutes, 0, "", bound, about, start, end, text[start:end], role)


def _minutes(parts: dict[str, str]) -> tuple[float, bool]:
    """Return minutes after midnight, and whether the half of the day is sure; -1 for no time of day."""
    if "name" in parts:
        return (0.0 if parts["name"].lower() == "midnight" else 720.0), True
    if "word" in parts:
        word = parts["word"].lower()
        hour = _HOURS.get(word) or int(word)
        shift = PAST[parts["past"].lower()] if "past" in parts else 0
        return hour * 60.0 + (-shift if parts.get("side", "").lower() == "to" else shift), False
    hour, minute = int(parts["hour"]), int(parts.get("minute", 0))
    if "half" not in parts:
        return hour * 60.0 + minute, hour > 12 or parts["hour"].startswith("0")
    if not 1 <= hour <= 12:
        return -1.0, False
    return (hour % 12 + (12 if parts["half"][0] in "pP" else 0)) * 60.0 + minute, True


def read_weekdays(text: str) -> Iterator[Quantity]:
    for match in WEEKDAY.finditer(text):
        value = float(_WEEKDAY_STEMS[match["day"][:3].lower()])
        role = _date_role(text, match.start())
        yield Quantity("weekday", value, value, 0, "", "", False, *match.span(), match.group(), role)
