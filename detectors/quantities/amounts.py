"""Reads numbers with their scale and unit: "1,490.50 EUR", "2½ hours", "5 million users", "−3 °C", "3 × 10^8".

What can be read in two ways ("EUR 1.490", "5 mw") is left out rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..words import STOP_WORDS, WORD, stem
from .quantity import ABOUT, ABOUT_AFTER, NEGATED, YEAR, Quantity, Unit, bound_of, change_of, ends_with, period_of
from .units import CURRENCIES, FOLDED, GLYPHS, MONTHS, NUMBER_WORDS, SCALES, SYMBOLS, WORDS, spelled_number

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
DECADE = re.compile(r"\b(?:the|his|her|their|my|mid|early|late)[\s-]$", re.I)


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


def noun_phrase(text: str, end: int) -> str:
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


def read_halves(text: str) -> Iterator[Quantity]:
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


def read_amounts(text: str) -> Iterator[Quantity]:
    for match in AMOUNT.finditer(text):
        found = _amount(match, text)
        if found:
            yield found


def _amount(match: re.Match[str], text: str) -> Quantity | None:
    """Return the amount that starts at a number, with its scale and unit, or None where it is no quantity."""
    value, start, end = _value(match), match.start(), match.end()
    if value is None or SPLIT_AFTER.match(text, end) or ends_with(SPLIT_BEFORE, text, end):
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
    known = known_unit(unit) if unit else None
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
        return bool(YEAR.fullmatch(match.group()) or ends_with(DECADE, text, match.start()))
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


def known_unit(unit: re.Match[str]) -> Unit | None:
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
        kind += period_of(text, start, end)
    bound, role = bound_of(text, start, end), change_of(text, start, end)
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
    written = match.group()
    noun = noun_phrase(text, end)
    plural = re.match(r"\s(?:people|[a-z]+s)\b", text[end:])
    if YEAR.fullmatch(written) and (ends_with(YEAR_BEFORE, text, start) or not plural):
        return None
    if written.lower() == "one" and not (noun and ends_with(ONLY, text, start)):
        return None
    named = ends_with(NAME_BEFORE, text, start)
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
