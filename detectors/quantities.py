"""Reads the quantities of a sentence: amounts with units, money, shares, dates, times, versions, rhythms, scores.

Each reader claims the characters it understood, the surest first, so that the digits of a date, an address or a part
number are read once and never as a count.  What is ambiguous ("EUR 1.490", "03/04/2024", "5 mw") is left out rather
than guessed.  Units and number words come from `detectors.units`.  Knows nothing about comparing two sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from .units import (
    CURRENCIES,
    DAY_S,
    FOLDED,
    FRACTIONS,
    GLYPHS,
    MONTHS,
    NUMBER_WORDS,
    ORDINALS,
    SCALES,
    SPELLED,
    SYMBOLS,
    WEEKDAYS,
    WORDS,
    YEAR_S,
    spelled_number,
)  # fmt: skip
from .words import STOP_WORDS, WORD, stem

Span = tuple[int, int]
Unit = tuple[str, float]  # kind, factor to the kind's canonical unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in its kind's canonical unit; ``low == high`` unless the text gives a range.

    ``kind`` may end in what a rate is per: "mass per day".  Dates are the number yyyymmdd with 00 for what is not
    said, times minutes after midnight, versions and scores have their own encoding.  ``half_step`` is half of the last
    digit written: 3.1 mi may be anything from 3.05 to 3.15.  ``noun`` is what is counted: stems, in order.
    ``bound`` is "" for a plain value; "min" and "max" for a limit that a rule sets, which is itself the attribute;
    "least", "most", "over" and "under" for a figure described by a bound, the last two exclusive; "as of" for the
    day on which a figure was taken.  ``role`` is "start" or "end" of a span, "from" or "to" for one end of it, and
    "by" for a change.  ``approximate`` values are hedged in words ("about", "±"); ``unit`` is the one written, None for
    a count.  ``text`` is ``sentence[start:end]``.
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
    role: str = ""
    unit: Unit | None = None


Reader = Callable[[str], Iterator[Quantity]]

# ---------------------------------------------------------------- what is no quantity

LINK = re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.\S+|\b[\w.+\-]+@\S+\.\w+|(?<![\w./\-])[\w.\-]*/[\w.\-/]*\.\w{1,5}\b")
ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?:[/:]\d+)?\b"  # 10.0.0.1:8080
    r"|\bCVE-\d{4}-\d+\b|\bISBN(?:-1[03])?:?\s?[\d\-Xx ]{9,17}|\bISSN:?\s?\d{4}-\d{3}[\dXx]"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b"
    r"|(?<![\w.])\+\d[\d\s()\-/]{5,}\d|\(\d{2,4}\)\s?\d{3}[\d\s\-]{3,}|\b\d{3}[-.]\d{3}[-.]\d{4}\b"  # telephone
    r"|\b24/7\b|\b\d+:\d(?!\d)|\b1:\d+(?=\s(?:scale|ratio))"
    r"|\b\d{1,4}\s[A-Z]\w+\s(?:Street|St|Avenue|Ave|Road|Rd|Lane|Drive|Boulevard|Square)\b|\b\d{5}\s(?=[A-Z][a-z])"
    r"|\b\d{7,}\b(?!\s?[a-z%€$£])"
)
LABELS = """section sections sec chapter chapters article articles art page pages pp figure fig table step steps rule
    rules clause clauses appendix annex exhibit schedule rfc iso iec din no nos nr number level tier paragraph para § §§
    room suite building gate platform route highway interstate flight line lines phase type grade class floor stage item
    id ticket order form lot batch serial patch build issue request pr question part title volume vol episode season
    group cohort arm category port ports law act resolution regulation directive case docket bill amendment protocol
    model mark unit zone district ward box locker rack slot bay channel option scenario experiment sample note footnote
    exercise lesson module account invoice reference ref code error status http""".split()
_LABELLED = (
    rf"(?<!\w)(?i:{'|'.join(LABELS)})\.?:?\s?(?:(?i:no\.?|number)\s|#\s?)?"
    r"\d[\w.\-/()]*(?:(?:,\s|\s?[-–]\s?|\s(?:and|or|to)\s)\d[\w.\-/]*)*"
    r"(?!\s?(?:%|percent|days?\b|hours?\b|minutes?\b|weeks?\b|months?\b|years?\b|euros?\b|dollars?\b))"
)
_PART_NUMBER = (
    r"#\d+|\b[A-Z][A-Za-z]*-\d[\w\-]*|\b\d+-[A-Z]+\d[\w\-]*|\b[A-Za-z]+\d+[\w\-]*|\b\d+[A-Z]-?\d\w*"
    r"|\b\d+[A-Z]{2,}\d+\b|\b[2-6]G\b|\b(?<![.,])\d+(?:-\d+){2,}\b|\b\d{3}-\d{3}\b|(?<![\w.,])0\d{2,}\b"
    r"|^\s*\d+[.)]\s"  # the number of a list item
    r"|\b\d+(?:\.\d+)?\s?[x×]\s?(?!10[\^⁰¹²³⁴⁵⁶⁷⁸⁹⁻])\d[\d.x× ]*(?:\s?[a-z]{1,2}\b)?"  # 10 x 20 cm
    r"|\b(?:1[0-9]|20)\d\d\s?[-–/]\s?\d{2,4}\b|\b\d+(?:\s?[-–]\s?\d+)?\s?B\.?C\.?(?:E\b)?"  # 2018–19, 300 BC
)
LABELLED, PART_NUMBER = re.compile(_LABELLED), re.compile(_PART_NUMBER)
IDENTIFIER = re.compile(f"{LINK.pattern}|{ADDRESS.pattern}|{_LABELLED}|{_PART_NUMBER}")

# ---------------------------------------------------------------- bounds, hedges, roles

MODAL = re.compile(r"\b(?:must|shall|should|may|(?:have|has|need) to|allowed|required)\b")
PAST_TENSE = re.compile(
    r"\b(?:had|was|were|did|sold|grossed|(?:has|have) (?:been|\w+ed|sold|made|won|seen|grown))\b", re.I
)
_HEDGED = (
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|some|circa|ca\.|c\.|an estimated|estimated|~|≈)"
)
ABOUT = re.compile(rf"(?:(?<!\w){_HEDGED}|\bclose to|\bin the region of|\bthe order of)\s?(?:the\s)?$", re.I)
ABOUT_AFTER = re.compile(r"-?\s?(?:ish\b|or so\b|or thereabouts\b)", re.I)
_BOUNDS = {
    "max": r"at most|up to|(?:no|not) (?:more|longer|later|higher|greater|larger) than|(?:not|never) exceed(?:ing)?"
           r"|maximum(?: of)?|max\.?|within|capped at|limited to|(?:a )?limit of|≤|<=|as (?:many|much) as",
    "min": r"at least|(?:no|not) (?:fewer|less|earlier|lower|shorter) than|minimum(?: of)?|min\.|starting (?:at|from)"
           r"|≥|>=",
    "under": r"(?:less|fewer|lower|smaller|younger|shorter|earlier|cheaper) than(?: of)?|under|below|before|prior to"
             r"|ahead of|(?<![<>=])<",
    "over": r"(?:more|higher|greater|older|longer|larger|later) than(?: of)?|over|above|exceed(?:s|ed|ing)?"
            r"|in excess of|upwards? of|beyond|surpass(?:es|ed|ing)?|(?<![<>=])>",
}  # fmt: skip
BOUNDS = {name: re.compile(rf"(?:(?<!\w)(?:{words}))\s?(?:the\s)?$", re.I) for name, words in _BOUNDS.items()}
LIMIT_NOUN = re.compile(r"\b(?P<max>maximum|max|upper|latest)?(?P<min>minimum|min|lower|earliest)?\s(?:\w+\s){0,3}"
                        r"(?:is|are|of|was|:|at|=)\s?$", re.I)  # fmt: skip
BOUND_AFTER = {
    "min": re.compile(r"\+|\s?(?:or|and) (?:more|older|over|later|newer|above|greater|higher|longer|up)\b|\sminimum\b"
                      r"|\sor more\b", re.I),
    "max": re.compile(r"\s?(?:or|and) (?:less|fewer|under|younger|below|lower|earlier|shorter)\b|\smaximum\b"
                      r"|\sat (?:the )?(?:most|latest)\b", re.I),
}  # fmt: skip
DATE_BOUNDS = {
    "as of": re.compile(r"\b(?:as of|as at|(?:accessed|retrieved|updated|dated)(?: on)?:?)\s(?:the\s)?$", re.I),
    "under": re.compile(r"\b(?:before|earlier than|prior to|ahead of)\s(?:the\s)?$", re.I),
    "over": re.compile(r"\b(?:after|later than|following|past)\s(?:the\s)?$", re.I),
    "by": re.compile(r"\bby\s(?:the\s)?(?:end of\s)?$", re.I),
    "max": re.compile(r"\b(?:no later than|not later than)\s(?:the\s)?$", re.I),
    "min": re.compile(r"\b(?:no earlier than|not before|at the earliest)\s(?:the\s)?$", re.I),
}
DATE_ROLES = {
    "from": re.compile(r"\b(?:from|since|starting|beginning|effective|commencing)\s(?:on\s|in\s|as of\s)?(?:the\s)?$",
                       re.I),
    "to": re.compile(r"\b(?:until|till|through|up to|ending|expires?)\s(?:on\s|in\s)?(?:the\s)?$", re.I),
}  # fmt: skip
DEADLINE = re.compile(
    r"\b(?:must|shall|should|will|has to|have to|due|deadline|submit|pay|payable|file|expires?)\b", re.I
)
CHANGE = re.compile(
    r"\b(?:rose|rise[sn]?|rising|raised?|raises|fell|falls?|fallen|grew|grows?|grown|increas\w+|decreas\w+|reduc\w+"
    r"|lower(?:s|ed)|drop\w*|declin\w+|cut|cuts|climb\w+|jump\w*|surg\w+|slip\w+|gain\w*|went|goes|chang\w+|shrank"
    r"|shorten\w*|expand\w*|improv\w+|up|down|slow\w+|moved|narrow\w+|widen\w+|extend\w+)\s(?:[^\s,;]+\s){0,5}?$", re.I
)  # fmt: skip
DELTA_AFTER = re.compile(
    r"\s?(?:\w+\s)?(?:increase|decrease|rise|growth|drop|decline|reduction|hike|cut|more|less|fewer|higher|lower"
    r"|faster|slower|cheaper|larger|smaller|better|worse|longer|shorter|discount|up|down)\b(?!\sthan\s\d)", re.I
)  # fmt: skip
NEGATED = re.compile(
    r"\b(?:not|n['’]t|never|rather than|instead of|isn['’]t|formerly|previously)\s(?:just\s|only\s)?$", re.I
)

PERIODS = {"day": "day", "daily": "day", "week": "week", "weekly": "week", "month": "month", "monthly": "month",
           "quarter": "quarter", "quarterly": "quarter", "year": "year", "yearly": "year", "annum": "year",
           "annual": "year", "annually": "year", "hour": "hour", "hourly": "hour", "minute": "minute",
           "second": "second", "night": "night", "mo": "month", "yr": "year", "hr": "hour", "h": "hour", "d": "day",
           "min": "minute", "sec": "second", "s": "second"}  # fmt: skip
RATE = re.compile(
    r"(?:\s(?!twice|once|times|per\b)[a-z\-]+){0,2}?"
    rf"(?:(?:\s?/\s?|\sper\s)(?P<per>[A-Za-z]+)|\s?\(?(?:an?|each|every)\s(?P<each>{'|'.join(PERIODS)})\b"
    r"|\s(?:once\s|a\s)?(?P<adverb>daily|weekly|monthly|quarterly|yearly|annually|hourly)\b)"
    r"(?:(?:\s?/\s?|\sper\s)(?P<also>[A-Za-z]+))?",
    re.I,
)
PERIOD_BEFORE = re.compile(r"\b(hourly|daily|weekly|monthly|quarterly|yearly|annual)\s(?:\w+\s){0,4}$", re.I)


def _bound(text: str, start: int, end: int) -> str:
    """Return the bound that stands before or after ``text[start:end]``; a description in the past sets no rule."""
    before, after = text[max(0, start - 40) : start], text[end : end + 24]
    found = next((name for name, pattern in BOUNDS.items() if pattern.search(before)), "")
    found = found or next((name for name, pattern in BOUND_AFTER.items() if pattern.match(after)), "")
    if not found and (limit := LIMIT_NOUN.search(before)):
        found = "max" if limit["max"] else "min" if limit["min"] else ""
    if found in ("min", "max") and PAST_TENSE.search(text):
        return "least" if found == "min" else "most"
    if found in ("over", "under") and MODAL.search(text):
        return "min" if found == "over" else "max"
    return found


def _change(text: str, start: int, end: int) -> str:
    """Return "by", "from" or "to" where the amount is (an end of) a change: "rose by 5%", "cut from 10 to 8"."""
    before = text[max(0, start - 60) : start]
    word = re.search(r"\b(by|from|(?<!up )to)\s(?:\w+\s){0,2}$", before, re.I)
    if not before.lower().endswith("up to ") and CHANGE.search(before[: word.start()] if word else before):
        return word[1].lower() if word else "by"
    return "by" if DELTA_AFTER.match(text[end : end + 24]) else ""


def _period(text: str, start: int, end: int) -> str:
    """Return what a rate is per, " per month", or nothing: 8% a month and 8% a year are different attributes."""
    match = RATE.match(text[end : end + 60])
    if match:
        words = [match["per"] or match["each"] or match["adverb"], match["also"]]
        return "".join(f" per {PERIODS.get(w.lower(), stem(w.lower()))}" for w in words if w)
    before = PERIOD_BEFORE.search(text[max(0, start - 40) : start])
    return f" per {PERIODS[before[1].lower()]}" if before else ""


# ---------------------------------------------------------------- dates and times

_MONTH = "(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
_CAPITAL_MONTH = "(?P<month>" + "|".join(m.capitalize() for m in sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_YEAR = r"(?:1[0-9]|20)\d\d"
YEAR = re.compile(_YEAR)
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
    re.compile(rf"\b(?P<year>{_YEAR})\s?[-–—/]\s?(?P<until>{_YEAR}|\d\d)\b(?![-–/\d])"),
    re.compile(rf"\b(?:between|from)\s(?P<year>{_YEAR})\s(?:and|to|until|till|through)\s(?P<until>{_YEAR})\b", re.I),
    re.compile(
        r"(?:\b(?:in|fiscal(?:\syear)?|fy|since|by|from|until|till|to|of|during|before|after|through"
        r"|(?:later|earlier)\sthan|circa|year|early|mid|late|spring|summer|autumn|fall|winter|end|born|died|founded"
        r"|(?<=\d{4}\s)(?:and|or)|established|opened|released)(?:\sin|\sof)?:?[\s-]|[,(:–]\s?|\bc\.\s?)"
        rf"(?P<year>{_YEAR})\b(?![-–/%’']?\w)(?!\s(?-i:[a-z]+s)\b(?<!\bis)(?<!\bwas)(?<!\bhas))(?![,.]\d)",
        re.I,
    ),
)
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
    bound, about = _date_bound(text, start), bool(ABOUT.search(text[max(0, start - 40) : start]))
    role = "" if bound else _date_role(text, start)
    return Quantity("date", value, until, 0, "", bound, about, start, end, text[start:end], role)


def _date_role(text: str, start: int) -> str:
    before = text[max(0, start - 40) : start]
    return next((role for role, pattern in DATE_ROLES.items() if pattern.search(before)), "")


def _date_bound(text: str, start: int) -> str:
    """Return the bound before a date or a rank; "by" sets a rule only in the words of a deadline."""
    before = text[max(0, start - 40) : start]
    bound = next((name for name, pattern in reversed(DATE_BOUNDS.items()) if pattern.search(before)), "")
    return ("max" if DEADLINE.search(text) else "most") if bound == "by" else bound


def _dates(text: str) -> Iterator[Quantity]:
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
        if not FISCAL.search(text[:start]):
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
        if unit and _unit(unit):
            return
    if month <= 12 and day <= 31:
        value = float(year * 10_000 + month * 100 + day)
        yield _date(value, value, text, start, match.end())


def _other_days(match: re.Match[str], year: int, text: str) -> Iterator[Quantity]:
    """Yield the other day of "17 and 25 February" or "April 5–7"."""
    before = re.search(r"(?<![\d.,:])(\d{1,2})(?:st|nd|rd|th)?\s?(?:and|or|to|-|–|,)\s?$", text[: match.start()])
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


def _times(text: str) -> Iterator[Quantity]:
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
    bound = "" if role else _date_bound(text, start).replace("as of", "")
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


def _weekdays(text: str) -> Iterator[Quantity]:
    for match in WEEKDAY.finditer(text):
        value = float(_WEEKDAY_STEMS[match["day"][:3].lower()])
        role = _date_role(text, match.start())
        yield Quantity("weekday", value, value, 0, "", "", False, *match.span(), match.group(), role)


# ---------------------------------------------------------------- versions, rhythms, shares, scores, ranks

VERSION = re.compile(
    r"\b(?:v|versions?\s|release\s)(?P<v>\d+(?:\.\d+){0,3})\b(?!\s?%)|(?<![\w.$€£])(?P<plain>\d+\.\d+\.\d+)\b(?!\.\d)"
    r"|\b(?P<product>(?!(?:In|At|On|By|To|Of|Is|About|Over|The|From|With|For|And)\b)[A-Z][A-Za-z]+)"
    r"\s(?P<number>\d{1,2}\.\d{1,2})"
    r"(?=\s(?:or|and|is|are|was|on|to|in|for|with|introduced|added)\b|[,;.)+]?(?:\s|$))",
)
_PERIOD = "minute|hour|day|week|month|quarter|year"
INTERVAL = re.compile(
    rf"\b(?:every|each)\s+(?:(?P<n>other|\d+|{NUMBER_WORDS})\s+)?(?P<unit>{_PERIOD})s?\b"
    r"|\b(?P<times>once|twice|(?:\d+|two|three|four|five|six) times)"
    rf"(?:\s(?:an?|per|every|each|in a)\s(?P<per>{_PERIOD})\b|\s(?P<daily>daily|weekly|monthly|yearly|annually))"
    r"|\b(?P<adverb>hourly|daily|weekly|monthly|quarterly|yearly|annually)"
    r"(?=\s*(?:[.,;:)]|$|\b(?:by|and|or|in|from|at|on)\b))",
    re.I,
)
MEASURED = re.compile(  # "$10 monthly", "8 hours each day": a rate, not a rhythm
    r"(?:\d|%|\b(?:euros?|dollars?|pounds?|times?|hours?|minutes?|days?|[mk]?g|ml|km|units?))\s*$", re.I
)
SECONDS = {"minute": 60.0, "hour": 3600.0, "day": DAY_S, "night": DAY_S, "week": 7 * DAY_S, "month": YEAR_S / 12,
           "quarter": YEAR_S / 4, "year": YEAR_S}  # fmt: skip
SHARE = re.compile(
    r"(?<![\w.])(?P<top>a|one|two|three|four|five|\d)[\s-](?P<part>half|third|quarter|fifth|sixth|eighth|tenth)s?"
    r"\s(?:of\b|(?=majority|quorum|vote))"
    r"|(?<!and a )\b(?P<half>half)(?=\sof\s(?:the|all|its|their|our|these|those)\b)"
    r"|\b(?P<one>one|two|three|four|[1-9])\s(?:in|out of)\s(?:every\s)?"
    r"(?P<of>two|three|four|five|six|seven|eight|nine|ten|\d{1,3})\b"
    r"(?!\s?(?:days?|weeks?|months?|years?|hours?|minutes?|%|percent))",
    re.I,
)
SCORE = re.compile(r"(?<![\w.,$€£%/–\-])(?P<a>\d{1,3})\s?[–\-]\s?(?P<b>\d{1,3})(?![\w.,%]*[\w%]|\s?[–\-]\s?\d)")
SCORE_NOUN = re.compile(
    r"\s(?:[a-z\-]+\s)?(?:record|win|victory|defeat|loss|draw|score|lead|vote|margin|start|decision|overtime|aggregate)\b"
)
SCORE_VERB = re.compile(
    r"\b(?:w[io]n|won|winning|lost|lose|losing|beat|defeat(?:ed|ing)?|drew|drawn|score|record)\b", re.I
)
RATING = re.compile(
    r"(?<![\w.,/])(?<!\d\s)(?P<a>\d+(?:\.\d+)?)(?:\s?/\s?|\sout of (?:a (?:possible|total)(?: of)? )?)"
    r"(?P<b>[5-9]|\d{2,})(?![\w/]|\.\d)"
)
_RANKS = "|".join(list(ORDINALS)[2:])  # "first" and "second" mostly count the clauses of a text
ORDINAL = re.compile(
    rf"(?<![\w.,-])(?:(?P<n>\d{{1,3}})(?:st|nd|rd|th)|(?P<word>(?:{_RANKS})|second(?=[\s-](?:\w+est|most)\b)))\b"
    r"(?![-\s](?:of|party|parties|person|hand)\b)",
    re.I,
)


def _plain(kind: str, value: float, match: re.Match[str], noun: str = "", bound: str = "") -> Quantity:
    return Quantity(kind, value, value, 0, noun, bound, False, *match.span(), match.group())


def _versions(text: str) -> Iterator[Quantity]:
    for match in VERSION.finditer(text):
        written = match["v"] or match["plain"] or match["number"]
        parts = [int(p) for p in written.split(".")]
        while len(parts) > 1 and parts[-1] == 0:  # 2.0 is 2
            parts.pop()
        value = sum(p * 1000.0 ** (3 - i) for i, p in enumerate(parts[:4]))
        start = match.start("number") if match["number"] else match.start()
        bound = _bound(text, start, match.end())
        noun = stem(match["product"].lower()) if match["product"] else ""
        yield Quantity("version", value, value, 0, noun, bound, False, start, match.end(), text[start : match.end()])


def _intervals(text: str) -> Iterator[Quantity]:
    """How often something happens, in seconds between two times: "every three years", "twice daily", "monthly"."""
    for match in INTERVAL.finditer(text):
        if not match["times"] and MEASURED.search(text[max(0, match.start() - 12) : match.start()]):
            continue
        unit = (match["unit"] or match["per"] or match["daily"] or match["adverb"]).lower()
        seconds = SECONDS[PERIODS.get(unit, unit)]
        if match["times"]:
            word = match["times"].lower().split()[0]
            seconds /= {"once": 1, "twice": 2}.get(word) or _small(word)
        elif match["n"]:
            seconds *= 2 if match["n"].lower() == "other" else _small(match["n"])
        yield _plain("interval", seconds, match)


def _small(word: str) -> float:
    return (float(word) if word[0].isdigit() else spelled_number(word)) or 1.0


def _shares(text: str) -> Iterator[Quantity]:
    """Yield "two-thirds of", "half of", "one in five" as approximate percentages."""
    for match in SHARE.finditer(text):
        if match["half"]:
            share = 0.5
        elif match["part"]:
            top = match["top"].lower()
            share = (1.0 if top == "a" else _small(top)) / FRACTIONS[match["part"].lower()]
        else:
            share = _small(match["one"].lower()) / _small(match["of"].lower())
        if 0 < share < 1:
            bound = _bound(text, *match.span())
            yield replace(_plain("percent", 100 * share, match, bound=bound), half_step=2.0, approximate=True)


def _scores(text: str) -> Iterator[Quantity]:
    """Yield "4–3" (one result, in either order of the sides) and "7.4/10" or "51 of 52"."""
    for match in SCORE.finditer(text):
        one, two = sorted((int(match["a"]), int(match["b"])))
        follows = text[match.end() : match.end() + 40]
        sport = SCORE_NOUN.match(follows) or SCORE_VERB.search(text[max(0, match.start() - 40) : match.start()])
        if int(match["a"]) < int(match["b"]) and not sport:
            continue
        yield replace(_plain("score", one, match), high=two)
    for match in RATING.finditer(text):
        yield _plain(f"rating of {match['b']}", float(match["a"]), match, bound=_bound(text, *match.span()))


def _ordinals(text: str) -> Iterator[Quantity]:
    for match in ORDINAL.finditer(text):
        after = text[match.end() : match.end() + 40]
        if (match["word"] and match["word"][0].isupper()) or re.match(r"[\s-][A-Z]", after):
            continue  # the Fourth Dynasty, the 68th Precinct are names
        noun = _noun_phrase(text, match.end())
        if noun:
            bound = _date_bound(text, match.start()) or _bound(text, *match.span())
            yield _plain("ordinal", float(match["n"] or ORDINALS[match["word"].lower()]), match, noun, bound)


# ---------------------------------------------------------------- amounts

_SIGNS = sorted((c for c in CURRENCIES if not c[0].islower() and " " not in c), key=len, reverse=True)
_SIGN = "|".join(map(re.escape, _SIGNS))
_CURRENCY_WORD = "|".join(re.escape(c) for c in sorted(CURRENCIES, key=len, reverse=True) if c[-1].isalpha())
_EXPONENT = r"(?:\^\s?[-−]?\d+|⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
AMOUNT = re.compile(
    rf"(?P<sign>(?<![A-Za-z])(?:{_SIGN})\s?)?(?P<minus>(?<![\w.)\]%°–-])[-−–](?=\d)|\bminus\s)?"
    rf"(?:(?P<power>(?<![\w.,])(?:\d+(?:\.\d+)?(?:e[+\-−]?\d{{1,3}}\b|\s?[x×·]\s?10{_EXPONENT})|10{_EXPONENT}))"
    r"|(?P<digits>(?<![\w.,])(?<![A-Za-z]-)\d+(?:[.,'’\u00a0\u202f]\d+)*|(?<![\w.])\.\d+)"
    r"(?P<fraction>\s?[½¼¾⅓⅔]|\s[1-9]/[2-9](?!\d))?"
    rf"|(?P<glyph>[½¼¾⅓⅔])|(?P<ratio>(?<![\w/.])1/[2348](?![\d/]))|\b(?P<words>{NUMBER_WORDS}))"
    r"(?P<half>\sand\sa\shalf)?",
    re.I,
)
HALF = re.compile(r"(?<!and a )\bhalf[\s-](?:an?[\s-])?(?=[a-z])", re.I)
ONE = re.compile(
    r"\b(?:within|for|last(?:s|ed)?|takes?|took|least|most|than|about|nearly|under|every)\s(?P<one>an?)(?=\s[a-z]+\b)",
    re.I,
)
SCALE = re.compile(
    r"[\s\u00a0-]?(?P<word>hundred|thousand|million|billion|trillion|dozen|mio|mln|mn|bn|tn)\b\.?"
    r"|(?P<letter>[kKmMbB])(?![\w/²³])", re.I
)  # fmt: skip
_UNIT_WORDS = "|".join(re.escape(w) for w in sorted(WORDS, key=len, reverse=True))
_UNIT_SYMBOLS = "|".join(re.escape(s) for s in sorted(SYMBOLS, key=len, reverse=True))
UNIT = re.compile(
    rf"(?:\s{{1,8}}|-)?(?:(?P<symbol>{_UNIT_SYMBOLS})|(?P<word>(?i:{_UNIT_WORDS}))|(?P<folded>[A-Za-z/]{{2,5}}))"
    r"(?![\w²³])"
)
MONEY_AFTER = re.compile(rf"\s?(?P<money>{_CURRENCY_WORD}|[€£$])s?(?!\w)")
ATTACHED = re.compile(r"[A-Za-z]")
MILLIONS = re.compile(r"\s(?:people|users|customers|viewers|copies|\w{4,}s)\b")
NAME_BEFORE = re.compile(r"(?:^|\s)(?P<name>[A-Z][A-Za-z]+)\s$")
OPENERS = frozenset(
    """about over nearly only some around almost approximately roughly more less fewer at in on by to of for from with
    within after before since until the a an all these those up exactly another both than under between its their
    his her our my and or but with as is are was were has have had""".split()
)
SIGNED = re.compile(r"\s?(?:(?:to|and|–|-)\s?[-−]?\d+(?:\.\d+)?\s?)?(?:%|percent|°|º|℃|degrees?\b)")
SPLIT_AFTER = re.compile(r",?\s\d{3}(?![\d.,]*\d)(?!\s?-)")  # "53 879 people": two numbers or one
SPLIT_BEFORE = re.compile(r"\d,?\s\d{3}$")
AMBIGUOUS_MONEY = re.compile(r"[1-9]\d{0,2}\.\d{3}")
SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
PENDING = "?"  # the lower end of a range, counted by the noun after the upper end
JOINED_AFTER = re.compile(r"\s?(?:-|–|—|\bto|\bor|\band)\s?(?:\d|" + NUMBER_WORDS + ")", re.I)
YEAR_BEFORE = re.compile(r"\b(?:the|in|of|since|by|year|his|her|its)\s$", re.I)
PART_OF = re.compile(r"\sof (?:the|these|those|its|their|our|his|her|them|which|whom)\b", re.I)
LISTED = re.compile(r"\s?[,/&]\s?\d")
ONLY = re.compile(r"\b(?:only|exactly|just|least|most|than|limited to|maximum of|minimum of)\s$", re.I)
NO_NOUN = STOP_WORDS | frozenset(
    """times time last next previous former percent per year years was were said says ago later here there am pm
    respectively least most about around approximately plus minus including excluding using via without
    before after between against within during under among""".split()
)
BEFORE_NOUN = frozenset("of the more other new different separate further additional".split())
COUNTED_END = re.compile(r"[^\w\s'’\-]|\s[-–—]\s")


def number(written: str) -> float | None:
    """Return the value of digits, or None where they cannot be read in one way.

    >>> [number(n) for n in ("1,490.50", "1.490,00", "3,5", "12,000", "1.5", "1'490", "10.0.0.1", "1,2,3")]
    [1490.5, 1490.0, 3.5, 12000.0, 1.5, 1490.0, None, None]
    """
    plain = re.sub(r"(?<=\d)['’\u00a0\u202f](?=\d{3})", "", written)
    if re.fullmatch(r"\d*\.?\d+|\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", plain):
        return float(plain.replace(",", ""))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d{1,2}|\d+,\d{1,2}|0,\d+|\d{1,3}(?:\.\d{3}){2,}", plain):
        return float(plain.replace(".", "").replace(",", "."))
    return None


def _half_step(written: str) -> float:
    """Half of the last digit written; 0 for words, which are exact or hedged in words."""
    decimals = re.search(r"(?:\.|,(?=\d{1,2}$))(\d+)$", written)
    return 0.5 * 10.0 ** -(len(decimals[1]) if decimals else 0) if written[-1:].isdigit() else 0.0


def _noun_phrase(text: str, end: int) -> str:
    """Return the stems of up to four words after an amount that say what is counted: "confirmed cases"."""
    after = text[end : end + 60]
    stop = COUNTED_END.search(after)
    found: list[str] = []
    for match in WORD.finditer(after[: stop.start()] if stop else after):
        word = match.group().lower()
        if not found and word in BEFORE_NOUN:
            continue
        ends = word in NO_NOUN or word[0].isdigit() or word in MONTHS or (found and word.endswith("ly"))
        if ends or len(found) == 4:
            break
        found.append(stem(word))
    return " ".join(found)


def _label(text: str, start: int) -> str:
    """Return the stems of the last two content words before a bare number: "average rating of" 6."""
    before = re.split(r"[;.!?,()]\s", text[max(0, start - 50) : start])[-1]
    words = [w.lower() for w in WORD.findall(before)]
    return " ".join(stem(w) for w in [w for w in words if w not in NO_NOUN and not w[0].isdigit()][-2:])


def _halves(text: str) -> Iterator[Quantity]:
    """Yield "half an hour", "half a day" and "within a week"."""
    for pattern, value in ((HALF, 0.5), (ONE, 1.0)):
        for match in pattern.finditer(text):
            start, end = match.span("one") if pattern is ONE else match.span()
            unit = UNIT.match(text, end)
            found = unit and unit["word"] and WORDS[unit["word"].lower()]
            if unit and found and (value < 1 or found[0] == "duration"):
                kind, factor = found
                half = _measured(kind, value * factor, 0.0, text, start, unit.end(), found)
                if half:
                    yield half


def _amounts(text: str) -> Iterator[Quantity]:
    for match in AMOUNT.finditer(text):
        found = _amount(match, text)
        if found:
            yield found


def _amount(match: re.Match[str], text: str) -> Quantity | None:
    """Return the amount that starts at a number, with its scale and unit, or None where it is no quantity."""
    value, start, end = _value(match), match.start(), match.end()
    if value is None or SPLIT_AFTER.match(text, end) or SPLIT_BEFORE.search(text[:end]):
        return None
    step, scaled = 0.0 if match["fraction"] or match["half"] else _half_step(match["digits"] or ""), 0.0
    if scale := _scale(match, text):
        factor = SCALES[(scale["word"] or scale["letter"]).lower()]
        value, end = value * factor, scale.end()
        step = scaled = (step or 0.5) * factor
    elif large := re.findall("thousand|[mbtr]+illion", (match["words"] or "").lower()):
        scaled = 0.5 * SCALES[large[-1]]
    if match["minus"] and (match["sign"] or SIGNED.match(text, end)):
        value = -value
    elif match["minus"]:
        start = match.end("minus")
    money = MONEY_AFTER.match(text, end)
    if match["sign"]:
        return _money(match["sign"].strip(), value, scaled, match, text, start, end)
    if money and not (money["money"] in "$£€" and text[money.end() : money.end() + 1].isdigit()):
        return _money(money["money"], value, scaled, match, text, start, money.end())
    unit = UNIT.match(text, end)
    known = _unit(unit) if unit else None
    if unit and known:
        return None if _is_letter_only(unit, match, text) else _in_unit(value, step, known, text, start, unit.end())
    listed = match["digits"] and re.fullmatch(r"\d+,\d{1,2}", match["digits"])  # "3,5" without a unit
    if listed or ATTACHED.match(text, end):  # 24h7, 12th
        return None
    return _count(value, scaled, match, text, start, end)


def _scale(match: re.Match[str], text: str) -> re.Match[str] | None:
    """Return the scale after a number: "million", the k of "10k", the m of "$5m" but not of "5 m"."""
    scale = SCALE.match(text, match.end())
    if scale is None or match["words"]:
        return None
    letter = scale["letter"]
    if not letter or match["sign"] or letter in "kKM" or (letter == "m" and MILLIONS.match(text, scale.end())):
        return scale
    return None


def _in_unit(value: float, step: float, unit: Unit, text: str, start: int, end: int) -> Quantity | None:
    kind, factor = unit
    if kind == "fahrenheit":
        return _measured("temperature", (value - 32) / 1.8, step / 1.8, text, start, end, unit)
    return _measured(kind, value * factor, step * factor, text, start, end, unit)


def _is_letter_only(unit: re.Match[str], match: re.Match[str], text: str) -> bool:
    """Whether a unit of one letter is something else: the 1960s, her 30s, "option 5 A new tab"."""
    if unit["symbol"] == "s":
        return bool(YEAR.fullmatch(match.group()) or DECADE.search(text[: match.start()]))
    apart = unit["symbol"] in ("A", "B", "J") and unit.group()[0] == " "
    return apart and bool(re.match(r"\s[a-z]", text[unit.end() :]))


def _value(match: re.Match[str]) -> float | None:
    """Return the number, or None where its digits can be read in several ways."""
    value: float | None
    if match["power"]:
        value = _power(match["power"])
    elif match["digits"]:
        value = number(match["digits"])
    elif match["words"]:
        value = spelled_number(match["words"])
    else:
        value = GLYPHS[match["glyph"]] if match["glyph"] else 1 / float(match["ratio"][2:])
    if value is None:
        return None
    part = (match["fraction"] or "").strip()
    fraction = GLYPHS[part] if part in GLYPHS else float(part[0]) / float(part[2]) if part else 0.0
    return value + fraction + (0.5 if match["half"] else 0.0)


def _power(written: str) -> float:
    """Return the value of "1.5e-3", "3 × 10^8" or "10⁶"."""
    plain = re.sub(r"[\s^]", "", written.translate(SUPERSCRIPT).lower().replace("−", "-"))
    if "e" in plain:
        return float(plain)
    mantissa, _, exponent = plain.replace("×", "x").replace("·", "x").rpartition("x")
    return float(f"{mantissa or 1}e{exponent.removeprefix('10')}")


def _unit(unit: re.Match[str]) -> Unit | None:
    if unit["symbol"]:
        return SYMBOLS[unit["symbol"]]
    if unit["word"]:
        return WORDS[unit["word"].lower()]
    return FOLDED.get(unit["folded"].lower())


def _measured(
    kind: str, value: float, step: float, text: str, start: int, end: int, unit: Unit | None, noun: str = ""
) -> Quantity | None:
    """Return an amount with what its surroundings say: bound, hedge, change, what it is per; None if denied."""
    before = text[max(0, start - 30) : start]
    if NEGATED.search(before):
        return None
    about = bool(ABOUT.search(before) or ABOUT_AFTER.match(text, end))
    if about:
        step = max(step, _hedge(value))
    if kind not in ("temperature", "speed", "data rate", "factor"):
        kind += _period(text, start, end)
    bound, role = _bound(text, start, end), _change(text, start, end)
    return Quantity(kind, value, value, step, noun, bound, about, start, end, text[start:end], role, unit)


def _hedge(value: float) -> float:
    """How far "about" reaches: a twentieth, or half of the last digit that is not 0, up to a quarter."""
    size = abs(value)
    if not size:
        return 0.0
    place = 1.0
    while size >= 10 * place and size % (10 * place) == 0:
        place *= 10
    return max(0.05 * size, min(0.25 * size, 0.5 * place))


def _money(
    sign: str, value: float, step: float, match: re.Match[str], text: str, start: int, end: int
) -> Quantity | None:
    code = CURRENCIES.get(sign) or CURRENCIES.get(sign.upper()) or CURRENCIES.get(sign.lower().removesuffix("s"))
    if code is None or AMBIGUOUS_MONEY.fullmatch(match["digits"] or ""):
        return None
    return _measured(f"money:{code}", value, step, text, start, end, ("money", 1.0))


def _count(value: float, step: float, match: re.Match[str], text: str, start: int, end: int) -> Quantity | None:
    """Return a counted thing, or a bare number after the word that names it."""
    before, written = text[:start], match.group()
    noun = _noun_phrase(text, end)
    plural = re.match(r"\s(?:people|[a-z]+s)\b", text[end:])
    if YEAR.fullmatch(written) and (YEAR_BEFORE.search(before) or not plural):
        return None
    if written.lower() == "one" and not (noun and ONLY.search(before)):
        return None
    named = NAME_BEFORE.search(before)
    if named and named["name"].lower() not in OPENERS:  # Windows 95, Fallout 76, the Boeing 747 fleet
        counts = noun and re.match(r"[\s-](?:of\s)?[a-z]", text[end:])
        if not counts or (named.start() > 0 and match["digits"]):
            return None
    if not noun:
        if JOINED_AFTER.match(text, end):
            noun = PENDING
        elif match["words"] or LISTED.match(text, end):
            return None
        else:
            noun = _label(text, start)
    return _measured("count of" if PART_OF.match(text, end) else "count", value, step, text, start, end, None, noun)


# ---------------------------------------------------------------- putting it together

JOINT = re.compile(r"\s?(?:-|–|—|to|through|or)\s?")
WITHIN = re.compile(r"\s?and\s?")
SCALE_WORD = re.compile(r"(?:hundred|thousand|million|billion|trillion|dozen|mio|mln|bn|mn|tn|(?<=\d)[kmb])\b", re.I)
DECADE = re.compile(r"\b(?:the|his|her|their|my|mid|early|late)[\s-]$", re.I)
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
READERS: tuple[Reader, ...] = (_times, _weekdays, _intervals, _shares, _scores, _halves, _ordinals)


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
    claims = _Claims([m.span() for pattern in named[:2] for m in pattern.finditer(plain)])
    found = list(claims.free(_dates(plain)))
    claims.add(m.span() for pattern in named[2:3] for m in pattern.finditer(plain))
    found += claims.free(_versions(plain))
    claims.add(m.span() for pattern in named[3:] for m in pattern.finditer(plain))
    found += claims.free(q for reader in READERS for q in reader(plain))
    joined = _joined(list(claims.free(_amounts(plain))), plain)
    found += [q for q in joined if q.noun != PENDING and not HALF_READ.search(plain[: q.start])]
    found = _spans(sorted(found, key=lambda q: q.start), plain)
    return tuple(replace(q, text=text[q.start : q.end]) for q in found)


class _Claims:
    """The characters that are already understood."""

    def __init__(self, taken: list[Span]) -> None:
        self._taken = taken

    def add(self, spans: Iterator[Span]) -> None:
        self._taken += [s for s in spans if self._is_free(*s)]

    def free(self, quantities: Iterator[Quantity]) -> Iterator[Quantity]:
        """Yield, and claim, the quantities on characters that nobody claimed before."""
        for q in quantities:
            if self._is_free(q.start, q.end):
                self._taken.append((q.start, q.end))
                yield q

    def _is_free(self, start: int, end: int) -> bool:
        return all(end <= s or start >= e for s, e in self._taken)


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
    if (ranged or (WITHIN.fullmatch(between) and BETWEEN.search(text[: a.start]))) and (alike or a.unit is None):
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
        joined = SPANNING.fullmatch(between) and ("and" not in between or BETWEEN.search(text[: a.start]))
        if alike and joined and a.role in ("", "from") and b.role in ("", "to"):
            found[i], found[i + 1] = replace(a, role="start", bound=""), replace(b, role="end", bound="")
    return found
