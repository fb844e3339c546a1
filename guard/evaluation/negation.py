"""Negation of the main verb put in, or taken away.

Refuses where "not" would deny another word than the verb, or where the rest of the sentence depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from detectors.words import NEGATION

from . import english as en
from .changes import Changes
from .english import MainVerb, Token, main_verb, tokens
from .verbs import PAST, THIRD, is_participle

SCOPE_SENSITIVE = frozenset(
    "because until unless only already too both either just even also still solely merely so instead rather "
    "hardly barely scarcely whatever whoever regardless despite nor neither yet lest".split()
)
# Words that do not stand right behind "not", or that "not" would deny instead of the verb.
POSITIVE_POLARITY = (en.EXISTENTIAL - {"one", "another", "other", "most"}) | frozenset(
    """mainly mostly largely partly primarily soon quite rather fairly approximately roughly about almost nearly
    originally eventually finally probably certainly perhaps now later then therefore thus sometimes often first
    initially once at much subsequently actually indeed followed""".split()
)
SCOPED = en.NEGATIVE_POLARITY | {"because", "solely", "only", "even"}
IMPERSONAL = re.compile(
    r"(?:It|There)\s+(?:is|was|has been)\s+(?:\w+ly\s+)?"
    + en.either(
        "believed said thought possible claimed estimated reported known argued suggested important worth clear true "
        "certain hard easy difficult unclear noted assumed considered also"
    )
    + r"\b"
)
# "Not only", "not very", "not all": the negation is of that word.
LIMITED = frozenset(
    """only just necessarily merely simply even so all every everyone always until enough very particularly quite long
    as because solely too""".split()
)
CONTRACTED = {"can't": "can", "cannot": "can", "won't": "will", "shan't": "shall"}
NEGATED = re.compile(r"(?P<verb>\w+?)(?:n['’]t\b|\s+not\b)|\bcannot\b", re.I)
_PAST_AND_THIRD = {base: (PAST[base], THIRD[base]) for base in PAST} | {"have": ("had", "has"), "do": ("did", "does")}


def negations(text: str, rng: Random) -> Iterator[Changes]:
    """X moved -> X did not move, and back."""
    if NEGATION.search(text):
        yield from _without_negation(text)
        return
    verb, toks = main_verb(text), tokens(text)
    if verb is not None and not IMPERSONAL.search(text) and _deniable(toks, verb):
        yield from _denied(toks, verb)


def _deniable(toks: Sequence[Token], verb: MainVerb) -> bool:
    """Whether "not" at the verb would deny the sentence and nothing less."""
    if not en.FREQUENCY.isdisjoint(t.low for t in toks[: verb.at + 3]):
        return False
    rest = [t.low for t in toks[verb.at + 1 :]]
    steady = SCOPE_SENSITIVE.isdisjoint(rest) and POSITIVE_POLARITY.isdisjoint(rest[:3])
    return steady and en.is_definite(toks[verb.first : verb.at])


def _denied(toks: Sequence[Token], verb: MainVerb) -> Iterator[Changes]:
    at, following = toks[verb.at], toks[verb.at + 1]
    if verb.form != "aux":
        helper = {"past": "did", "third": "does", "base": "do"}[verb.form]
        yield [(at.start, at.end, f"{helper} not {verb.base}")]
    elif at.low in en.HAVE and not (is_participle(following.low) or en.is_adverb(following.low)):
        helper = {"has": "does", "have": "do", "had": "did"}[at.low]
        yield [(at.start, at.end, f"{helper} not have")]
    elif toks[verb.first].low == "there":
        if following.low in ("a", "an"):
            yield [(following.start, following.end, "no")]
    elif following.is_word and not following.low.endswith("n't"):
        yield [(at.end, at.end, " not")] if at.low != "can" else [(at.start, at.end, "cannot")]


def _without_negation(text: str) -> Iterator[Changes]:
    """Take away the one negation of the main verb phrase."""
    match = NEGATED.search(text) or re.search(r"\bnever ", text)
    if match is None or len(NEGATION.findall(text)) != 1 or en.is_subordinate(text[: match.start()]):
        return
    after = [t for t in tokens(text) if t.start >= match.end()]
    if not SCOPED.isdisjoint(t.low for t in after) or (after and after[0].low in LIMITED):
        return
    word = match.group().lower().replace("’", "'")
    helper = (match.groupdict().get("verb") or "").lower()
    if word == "never ":
        yield [(*match.span(), "")]
    elif word in CONTRACTED:
        yield [(*match.span(), CONTRACTED[word])]
    elif helper in en.AUXILIARIES:
        yield [(*match.span(), match["verb"])]
    elif helper in ("do", "does", "did") and after and after[0].low in _PAST_AND_THIRD:
        past, third = _PAST_AND_THIRD[after[0].low]
        yield [(match.start(), after[0].end, {"did": past, "does": third, "do": after[0].low}[helper])]
