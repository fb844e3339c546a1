"""How far a statement reaches: all, no, most, only, except, must.

Exceptions lift what a rule says of all ("except", "only", "must"); quantifiers count otherwise those it is said of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from detectors.quantities.units import SPELLED
from detectors.words import NEGATION

from . import english as en
from .changes import Changes
from .english import Token, main_verb, tokens
from .verbs import BASE_OF_PAST, BASE_OF_THIRD

DUTY = re.compile(
    r"\b(?:must|shall)\b(?!\s+(?:have|not|never|only|also|be able|still)\b)(?=\s[a-z])"
    r"|\b(?:is|are) required to\b|\b(?:has|have) to\b(?=\s[a-z])"
)
BAN = re.compile(
    r"\b(?:must|shall) not\b|\b(?:is|are) not (?:allowed|permitted) to\b|\b(?:is|are) (?:forbidden|prohibited) to\b"
)
EXCEPT = re.compile(r"(,?)\s(?:except for|except|excluding|with the exception of|apart from|other than)\s(?=[A-Za-z])")
GENERAL = re.compile(
    r"\b(?:(?<!than )(?:all|every|each|any(?! other)|everyone|everybody|everything|no|none|nobody|always))\b"
    r"(?P<between>(?:\s[\w'’\-]+){0,12})$",
    re.I,
)
ONLY_SOME = re.compile(
    r"Only (?!after|in|when|if|by|then|at|on|one|two|three|once|about)(?:the )?[a-z]+(?: [a-z]+){0,4}? "
    r"(?:can|may|must|are|is|has|have|will)\b"
)
ONLY = re.compile(r"(?<=\s)only (?=(?:in|on|to (?:the|an?|its|[A-Z])|for|by|when|from|within|under|between)\b)")


def exceptions(text: str, rng: Random) -> Iterator[Changes]:
    """All report, except X -> all report, including X; only in English -> not only in English; must -> need not."""
    exception = EXCEPT.search(text)
    negations = len(NEGATION.findall(text))
    if exception and _excepts(text, exception):
        yield [(*exception.span(), f"{exception[1]} including ")]
    if not negations:
        yield from ([(*m.span(), "not only ")] for m in ONLY.finditer(text) if _restricts(text, m))
        if ONLY_SOME.match(text) and "but" not in text:
            yield [(0, 4, "Not only")]
    if not exception and "only" not in text:
        yield from _lifted_duty(text, negations)
        yield from _lifted_ban(text, negations)


def _excepts(text: str, exception: re.Match[str]) -> bool:
    """Whether something is taken from all: "all X except Y", not "each other than", "more than any other except"."""
    general = GENERAL.search(text[: exception.start()])
    if general is None or re.match(r"(?:in|on|at|by|when|if|that|to|for|as|where)\b", text[exception.end() :]):
        return False
    return "than" not in exception.group() or 1 <= len(general["between"].split()) <= 4


def _restricts(text: str, only: re.Match[str]) -> bool:
    """Whether "only" limits a place, person or means; not "as late as", not "it is only when"."""
    if re.search(r"\b(?:not|often|then|It is|It was) $", text[: only.start()]):
        return False
    return not re.match(r"in (?:\d|the \w+ century|a maximum)", text[only.end() :])


def _lifted_duty(text: str, negations: int) -> Iterator[Changes]:
    """All members must vote -> no members have to vote."""
    toks, duty = tokens(text), DUTY.search(text)
    sometimes = toks[0].low in en.EXISTENTIAL or not en.FREQUENCY.isdisjoint(t.low for t in toks)
    if duty is None or negations or sometimes or _in_subclause(text[: duty.start()]):
        return
    word = duty.group()
    general = re.match(r"(All|Every|Each)\s(?!of\b)", text)
    if general:
        head = tokens(text[: duty.start()])[-1].low
        yield [(*general.span(1), "No"), (*duty.span(), "have to" if en.is_plural(head) else "has to")]
    elif word in ("must", "shall"):
        yield [(*duty.span(), "need not")]
    elif word.endswith("required to"):
        yield [(*duty.span(), word.replace("required", "not required"))]
    else:
        yield [(*duty.span(), "does not have to" if word == "has to" else "do not have to")]


def _lifted_ban(text: str, negations: int) -> Iterator[Changes]:
    """Guests must not smoke -> guests may smoke."""
    ban = BAN.search(text)
    if ban is None or negations != 1 or _in_subclause(text[: ban.start()]):
        return
    if en.NEGATIVE_POLARITY.isdisjoint(t.low for t in tokens(text) if t.start >= ban.end()):
        yield [(*ban.span(), "may")]


def _in_subclause(before: str) -> bool:
    opening = (en.SUBORDINATORS - {"and", "or"}) | en.AUXILIARIES
    return not before.strip() or "," in before or any(t.low in opening for t in tokens(before))


LEADING = re.compile(
    r"(?P<q>(?:All|None|Some|Most|Many|Several|A few) of|All|Every|Each|No|Most|Many|Some|Several|Few"
    r"|Everyone|Everybody|Nobody)\s"
)
COUNTER = {
    "All of": ("None of", "Few of"), "None of": ("All of", "Most of"), "Some of": ("None of",),
    "Most of": ("Few of", "None of"), "Many of": ("None of", "Few of"), "Several of": ("None of",),
    "A few of": ("None of",), "All": ("No", "Few"), "Every": ("No",), "Each": ("No",), "No": ("All",),
    "Most": ("Few", "No"), "Many": ("Few", "No"), "Some": ("No",), "Several": ("No",), "Few": ("Most",),
    "Everyone": ("No one",), "Everybody": ("Nobody",), "Nobody": ("Everybody",),
}  # fmt: skip
OBJECT = re.compile(
    r"\b(?P<verb>has|have|had|contains?|contained|includes?|included|offers?|offered|provides?|provided)\s"
    r"(?P<q>some|several|many|numerous|various)\s(?P<noun>[a-z]+)"
)
_ONE = r"[A-Z][\w ]*?|the [\w ]+?"
PAIR = re.compile(rf"^Both (?P<a>{_ONE}) and (?P<b>{_ONE}) (?P<verb>are|were|have|had|can|must|will)\b")
# What follows a quantifier that quantifies nothing ("Some say"), or that says whose or which already.
NO_NOUN = re.compile(
    en.either(
        "purpose was is has are were had other others else one but more longer sooner such day time doubt matter that "
        "this the these those his her its their who wonder wait later historians scholars believe argue sources "
        "critics experts over years of"
    )
    + r"\b"
)
UNSTEADY_NONE = en.NEGATIVE_POLARITY | {"other", "than"}
PARTED = re.compile(r"\b(?:except|excluding|but not|each other|both|others?)\b|;")
DUTY_WORD = re.compile(r"\b(?:must|shall|should|have to|has to)\b")  # "no one must" may also mean "need not"


def quantifiers(text: str, rng: Random) -> Iterator[Changes]:
    """All rooms are -> no rooms are; has several parks -> has no parks; both are -> neither is; always -> never."""
    toks = tokens(text)
    yield from _other_subjects(text, toks)
    if NEGATION.search(text):
        return
    yield from _no_objects(text, toks)
    yield from _neither(text)
    for always in re.finditer(r"(?<=[a-z] )always(?= [a-z]+)", text):
        if not en.is_subordinate(text[: always.start()].rsplit(" ", 2)[0]):
            yield [(*always.span(), "never")]


def _other_subjects(text: str, toks: Sequence[Token]) -> Iterator[Changes]:
    match = LEADING.match(text)
    if match is None or DUTY_WORD.search(text) or not _quantifies(text, match, toks):
        return
    for new in COUNTER[match["q"]]:
        if new not in ("Few", "Few of") or _plural_verb(toks):
            yield [(0, match.end("q"), new)]


def _no_objects(text: str, toks: Sequence[Token]) -> Iterator[Changes]:
    """The town has many parks -> the town has no parks."""
    verb = main_verb(text)
    if verb is None or not en.FREQUENCY.isdisjoint(t.low for t in toks):
        return
    for found in OBJECT.finditer(text):
        if en.is_plural(found["noun"]) and toks[verb.at].start == found.start():
            yield [(*found.span("q"), "no")]


def _neither(text: str) -> Iterator[Changes]:
    pair = PAIR.match(text)
    if pair and len(text[: pair.start("verb")].split()) <= 9:
        verb = {"are": "is", "were": "was", "have": "has"}.get(pair["verb"], pair["verb"])
        yield [(0, 4, "Neither"), (pair.end("a") + 1, pair.end("a") + 4, "nor"), (*pair.span("verb"), verb)]


def _quantifies(text: str, match: re.Match[str], toks: Sequence[Token]) -> bool:
    """Whether the sentence begins with "all of the X", "no X" … as subject of a plain main clause."""
    quantifier = match["q"]
    if NO_NOUN.match(text[match.end() :]) and not quantifier.endswith(" of"):
        return False
    if quantifier in ("No", "None of", "Nobody"):
        later = {t.low for t in toks if t.start > match.end()}
        steady = UNSTEADY_NONE.isdisjoint(later) and len(NEGATION.findall(text)) == 1
        return steady and (quantifier != "No" or _head_is_plural(text, match.end()))
    if NEGATION.search(text) or PARTED.search(text):
        return False
    first = next(t.low for t in toks if t.start >= match.end())
    if first in SPELLED or first[0].isdigit() or first in BASE_OF_PAST or first in BASE_OF_THIRD:
        return False
    return main_verb(text) is not None or _simple_clause(toks)


def _simple_clause(toks: Sequence[Token]) -> bool:
    """Whether an auxiliary comes before anything that could open another clause."""
    for tok in toks[1:10]:
        if tok.low in en.AUXILIARIES:
            return True
        if tok.low in en.SUBORDINATORS - {"and"} or not tok.is_word:
            return False
    return False


def _head_is_plural(text: str, at: int) -> bool:
    toks = [t for t in tokens(text) if t.start >= at]
    verb = next((i for i, t in enumerate(toks) if t.low in en.AUXILIARIES), None)
    return verb is not None and 0 < verb <= 3 and en.is_plural(toks[verb - 1].low)


def _plural_verb(toks: Sequence[Token]) -> bool:
    verb = next((t.low for t in toks if t.low in en.AUXILIARIES | {"do"}), "")
    return verb in ("are", "were", "have", "do")
