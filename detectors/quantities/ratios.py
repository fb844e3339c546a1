"""Reads what is written in a form of its own: versions, rhythms, shares, scores, ratings and ranks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ..words import stem
from .amounts import noun_phrase
from .dates import date_bound_of
from .quantity import PERIODS, Quantity, bound_of
from .units import DAY_S, FRACTIONS, NUMBER_WORDS, ORDINALS, YEAR_S, spelled_number

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


def read_versions(text: str) -> Iterator[Quantity]:
    for match in VERSION.finditer(text):
        written = match["v"] or match["plain"] or match["number"]
        parts = [int(p) for p in written.split(".")]
        while len(parts) > 1 and parts[-1] == 0:  # 2.0 is 2
            parts.pop()
        value = sum(p * 1000.0 ** (3 - i) for i, p in enumerate(parts[:4]))
        start = match.start("number") if match["number"] else match.start()
        bound = bound_of(text, start, match.end())
        noun = stem(match["product"].lower()) if match["product"] else ""
        yield Quantity("version", value, value, 0, noun, bound, False, start, match.end(), text[start : match.end()])


def read_intervals(text: str) -> Iterator[Quantity]:
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


def read_shares(text: str) -> Iterator[Quantity]:
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
            bound = bound_of(text, *match.span())
            yield replace(_plain("percent", 100 * share, match, bound=bound), half_step=2.0, approximate=True)


def read_scores(text: str) -> Iterator[Quantity]:
    """Yield "4–3" (one result, in either order of the sides) and "7.4/10" or "51 of 52"."""
    for match in SCORE.finditer(text):
        one, two = sorted((int(match["a"]), int(match["b"])))
        follows = text[match.end() : match.end() + 40]
        sport = SCORE_NOUN.match(follows) or SCORE_VERB.search(text[max(0, match.start() - 40) : match.start()])
        if int(match["a"]) < int(match["b"]) and not sport:
            continue
        yield replace(_plain("score", one, match), high=two)
    for match in RATING.finditer(text):
        yield _plain(f"rating of {match['b']}", float(match["a"]), match, bound=bound_of(text, *match.span()))


def read_ordinals(text: str) -> Iterator[Quantity]:
    for match in ORDINAL.finditer(text):
        after = text[match.end() : match.end() + 40]
        if (match["word"] and match["word"][0].isupper()) or re.match(r"[\s-][A-Z]", after):
            continue  # the Fourth Dynasty, the 68th Precinct are names
        noun = noun_phrase(text, match.end())
        if noun:
            bound = date_bound_of(text, match.start()) or bound_of(text, *match.span())
            yield _plain("ordinal", float(match["n"] or ORDINALS[match["word"].lower()]), match, noun, bound)
