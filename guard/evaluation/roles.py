"""Who does what to whom: two parties that change places (a contradiction), or the other voice (a restatement).

Only whole clauses between two noun phrases, of verbs and relations that do not hold both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from detectors.words import NEGATION

from . import english as en
from .changes import Changes
from .lexicon import ASYMMETRIC, RELATIONS, ROLES
from .verbs import BASE_OF_PARTICIPLE, BASE_OF_PAST, PARTICIPLE, PAST, THIRD

_ROLE = rf"[Tt]he\s+(?:\w+\s)?(?:{'|'.join(ROLES)})"
_NAME = r"(?:[Tt]he\s+)?[A-Z][\w&'’\-]*(?:\s+(?:of\s+(?:the\s+)?)?[A-Z][\w&\-]*){0,4}"
_PARTY = rf"(?:{_ROLE}|{_NAME})"
_OVER = "older|younger|larger|smaller|taller|shorter|bigger|longer|higher|faster|slower|heavier|richer|stronger|cheaper"
_ACTS = "|".join(sorted({form for base in ASYMMETRIC for form in (PAST[base], THIRD[base])}))
_DONE = "|".join(sorted({PARTICIPLE[base] for base in ASYMMETRIC} | {"led"}))
ROLE_SENTENCE = re.compile(
    rf"^(?:(?:In|On|By)\s[^,]{{1,30}},\s)?(?P<a>{_PARTY})\s(?:later\s|then\s)?(?:{_ACTS}"
    rf"|(?:is|was)\s(?:\w+\s)?(?:{_OVER})\sthan|(?:is|was)\s(?:{_DONE})\sby"
    rf"|(?:is|was)\s(?:an?\s|the\s)?(?:\w+\s)?(?:{'|'.join(RELATIONS)})\sof|(?:is|was)\s(?:located|situated)\sin)"
    rf"\s(?P<b>{_PARTY})(?=[.;]|,\s(?:and|which|who|but|a|an|the|with|where|in|on)\s"
    r"|\s(?:in|on|at|for|with|after|during|to|from|under|as|within|about|until|against|but|and\s(?:was|is|became|has|had))\b)"
)
_DONE_BY = en.either(
    "written directed composed designed founded invented discovered painted produced acquired defeated published built "
    "created developed established conquered led killed captured bought sponsored funded organized recorded sung"
)
PASSIVE = re.compile(
    rf"^(?P<a>{_NAME}|The [a-z]+(?: [a-z]+)?) (?:was|were) (?P<verb>{_DONE_BY}) by (?P<b>{_NAME})(?=\.$| in \d{{4}}\b)"
)
_DID = "|".join(PAST[base] for base in ASYMMETRIC)
ACTIVE = re.compile(rf"^(?P<a>{_PARTY}) (?P<verb>{_DID}) (?P<b>{_PARTY})(?=\.$| in \d{{4}}\.$| on [^,]+\.$)")
DEPENDENT = re.compile(r"\b(?:his|her|its|their|himself|herself|itself|themselves|and|or|who|which|that)\b")
_NO_AGENT = en.PRONOUNS | en.QUANTIFIED | en.PREPOSITIONS | {"this", "these", "that"}
_NO_PARTY = _NO_AGENT | en.SUBORDINATORS | {"those", "a", "an", "however"}


def role_swaps(text: str, rng: Random) -> Iterator[Changes]:
    """Acme acquired Globex -> Globex acquired Acme."""
    match = ROLE_SENTENCE.match(text)
    if not match or NEGATION.search(text) or not _exchangeable(match["a"], match["b"]):
        return
    first, second = match["b"], match["a"]
    if match.start("a") == 0:
        first, second = re.sub(r"^the ", "The ", first), re.sub(r"^The ", "the ", second)
    yield [(*match.span("a"), first), (*match.span("b"), second)]


def _exchangeable(a: str, b: str) -> bool:
    """Whether both are roles or both names, alike in number, and share no word."""
    first, *others = a.lower().split()
    if first in _NO_PARTY or a == b or re.search(r"['’]s?$", b) or not {*others}.isdisjoint(b.lower().split()[1:]):
        return False
    roles = [re.fullmatch(_ROLE, side) is not None for side in (a, b)]
    return roles[0] == roles[1] and en.is_plural(a.split()[-1]) == en.is_plural(b.split()[-1])


def voices(text: str, rng: Random) -> Iterator[Changes]:
    """Passive to active and back, between two whole noun phrases."""
    if DEPENDENT.search(text):
        return
    for match, verb_of in ((PASSIVE.match(text), _active_verb), (ACTIVE.match(text), _passive_verb)):
        if match and match["a"].split()[0].lower() not in _NO_AGENT:
            a = re.sub(r"^The ", "the ", match["a"])
            yield [(match.start("a"), match.end("b"), f"{match['b']} {verb_of(match)} {a}")]


def _active_verb(passive: re.Match[str]) -> str:
    return PAST[BASE_OF_PARTICIPLE[passive["verb"]]]


def _passive_verb(active: re.Match[str]) -> str:
    be = "were" if en.is_plural(active["b"].split()[-1]) else "was"
    return f"{be} {PARTICIPLE[BASE_OF_PAST[active['verb']]]} by"
