"""A quantity, and what the words around it say of it: bound, hedge, end of a change, what it is per.

Knows nothing about how a value is written; that is for the readers (`amounts`, `dates`, `ratios`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..words import stem

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


REACH = 60  # characters before a quantity that are looked at


def ends_with(pattern: re.Pattern[str], text: str, end: int) -> re.Match[str] | None:
    """Search for a pattern that ends in ``$`` right before ``text[end]``."""
    return pattern.search(text, max(0, end - REACH), end)


def bound_of(text: str, start: int, end: int) -> str:
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


def change_of(text: str, start: int, end: int) -> str:
    """Return "by", "from" or "to" where the amount is (an end of) a change: "rose by 5%", "cut from 10 to 8"."""
    before = text[max(0, start - 60) : start]
    word = re.search(r"\b(by|from|(?<!up )to)\s(?:\w+\s){0,2}$", before, re.I)
    if not before.lower().endswith("up to ") and CHANGE.search(before[: word.start()] if word else before):
        return word[1].lower() if word else "by"
    return "by" if DELTA_AFTER.match(text[end : end + 24]) else ""


def period_of(text: str, start: int, end: int) -> str:
    """Return what a rate is per, " per month", or nothing: 8% a month and 8% a year are different attributes."""
    match = RATE.match(text[end : end + 60])
    if match:
        words = [match["per"] or match["each"] or match["adverb"], match["also"]]
        return "".join(f" per {PERIODS.get(w.lower(), stem(w.lower()))}" for w in words if w)
    before = PERIOD_BEFORE.search(text[max(0, start - 40) : start])
    return f" per {PERIODS[before[1].lower()]}" if before else ""


YEAR_DIGITS = r"(?:1[0-9]|20)\d\d"
YEAR = re.compile(YEAR_DIGITS)
