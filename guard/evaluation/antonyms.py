"""Opposites: a word of the main clause for its antonym (a contradiction), or for "not" its complement (a restatement).

An antonym counts only in the sense that it is the opposite of: `lexicon` says what must, and what may not follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from random import Random

from detectors.quantities.units import SPELLED
from detectors.words import NEGATION

from . import english as en
from .changes import Change, Changes
from .english import MainVerb, Token, main_verb, tokens
from .lexicon import (
    BLOCKED_AFTER,
    COMPARATIVES,
    COMPLEMENTS,
    PHRASE_ANTONYMS,
    PREDICATE_ANTONYMS,
    SUPERLATIVES,
    VERB_ANTONYMS,
    VERB_NEEDS,
)
from .statements import leans
from .verbs import BASE_OF_PARTICIPLE, PARTICIPLE, PAST, THIRD

FORMS: Mapping[str, Mapping[str, str]] = {
    "past": PAST, "participle": PARTICIPLE, "third": THIRD, "base": {base: base for base in PAST},
}  # fmt: skip
PHRASE = re.compile(r"\b(?:" + "|".join(sorted(PHRASE_ANTONYMS, key=len, reverse=True)) + r")\b")
LINKS = en.BE | frozenset("become becomes became remain remains remained".split())
DEGREES = frozenset("very highly extremely completely fully entirely now generally usually relatively totally".split())
BEFORE_TO = frozenset("able willing unable unwilling easy difficult forbidden".split())
NO_INFINITIVE = frozenset("enable encourage permit prohibit".split())
# Superlatives that are often something else ("the first two", "the most likely"), and what follows them then.
LOOSE_SUPERLATIVES = frozenset("best most first last worst least earliest latest".split())
AFTER_LOOSE = SPELLED.keys() | frozenset(
    "known of recent likely and half two few or common important three step time interest".split()
)
NO_DEGREE_AFTER = frozenset("no not any even once".split())
UNCOUNTED = frozenset("of in the a at for by".split())  # words that an antonym may repeat


def antonyms(text: str, rng: Random) -> Iterator[Changes]:
    verb, toks = main_verb(text), tokens(text)
    used = {t.low for t in toks}
    if verb is None or NEGATION.search(text) or not en.FREQUENCY.isdisjoint(used) or not _opposable(text, toks, verb):
        return
    found = (_predicates(text, toks, verb), _verbs(text, toks, verb), _degrees(toks, verb), _phrases(text, toks, verb))
    for changes in chain(*found):
        new = set(re.findall(r"\w+", changes[-1][2].lower())) - UNCOUNTED
        if used.isdisjoint(new):  # not "both public and private"
            yield changes


def _opposable(text: str, toks: Sequence[Token], verb: MainVerb) -> bool:
    """Whether the opposite of the predicate is incompatible with this subject."""
    first = toks[verb.first].low
    if toks[verb.at].low == "can":  # what can be open can also be closed
        return False
    if first in ("there", "symptoms") or first[0].isdigit() or re.match(r"A total\b", text):
        return False
    return first in ("a", "an", "this") or en.is_definite(toks[verb.first : verb.at])


def _predicates(text: str, toks: Sequence[Token], verb: MainVerb) -> Iterator[Changes]:
    """The course is mandatory -> the course is optional."""
    if toks[verb.at].low not in LINKS:
        return
    at = verb.at + 1
    article = toks[at] if toks[at].low in ("a", "an", "the") else None
    at += article is not None
    at += at < len(toks) and toks[at].low in DEGREES
    if at + 1 >= len(toks) or not _is_predicate(text, toks[at], toks[at + 1]):
        return
    word = toks[at]
    for new in PREDICATE_ANTONYMS[word.low]:
        changes: list[Change] = [(word.start, word.end, new)]
        if article and article.low != "the" and toks[at - 1] is article and en.article_for(new) != article.low:
            changes.insert(0, (article.start, article.end, en.article_for(new)))
        yield changes


def _is_predicate(text: str, word: Token, following: Token) -> bool:
    """Whether the word stands in the sense that has an antonym, and alone: no "open and free", "open source"."""
    if word.low not in PREDICATE_ANTONYMS or word.is_capital or following.is_capital or not _in_sense(text, word):
        return False
    if following.low == "to":
        return word.low in BEFORE_TO
    return following.low not in ("and", "or", "but", ",", "-", "–")


def _in_sense(text: str, word: Token) -> bool:
    blocked = BLOCKED_AFTER.get(word.low)
    return not blocked or re.match(rf"\s*(?:{blocked})\b", text[word.end :]) is None


def _verbs(text: str, toks: Sequence[Token], verb: MainVerb) -> Iterator[Changes]:
    """Rents increased by a tenth -> rents decreased by a tenth."""
    at, form, base = verb.at, verb.form, verb.base
    if form == "aux":
        at += 1
        at += at < len(toks) and en.is_adverb(toks[at].low)
        at += at < len(toks) and toks[at].low == "been"
        if at + 1 >= len(toks):
            return
        form = "base" if verb.base in en.MODALS else "participle"
        base = toks[at].low if form == "base" else BASE_OF_PARTICIPLE.get(toks[at].low, "")
    needs = VERB_NEEDS.get(base)
    if needs and not re.match(rf"\s*(?:{needs})\b", text[toks[at].end :]):
        return
    if base in ("include", "exclude") and form == "base":  # "Notable members include the …": a list, not a rule
        return
    governs = {"to", "from"} & {t.low for t in toks[at : at + 8]}  # "encourages them to", but "discourages them from"
    for other in VERB_ANTONYMS.get(base, ()):
        if not (governs and {base, other} & NO_INFINITIVE):
            yield [(toks[at].start, toks[at].end, FORMS[form][other])]


def _degrees(toks: Sequence[Token], verb: MainVerb) -> Iterator[Changes]:
    """Superlatives after "is the", comparatives before "than", in the main clause."""
    for at in range(verb.at + 1, len(toks) - 1):
        tok = toks[at]
        if tok.low in en.SUBORDINATORS - {"and", "to"} or tok.text in ",;:(":
            return
        if tok.low in SUPERLATIVES and _is_superlative(toks, verb.at, at):
            yield from ([(tok.start, tok.end, new)] for new in SUPERLATIVES[tok.low])
        if tok.low in COMPARATIVES and _is_comparative(toks, at):
            fewer = tok.low == "more" and en.is_plural(toks[at + 1].low)
            yield from ([(tok.start, tok.end, new)] for new in (("fewer",) if fewer else COMPARATIVES[tok.low]))


def _is_superlative(toks: Sequence[Token], verb: int, at: int) -> bool:
    """Whether "the largest" is said of the subject; not "the first two", "the best known"."""
    previous, following = toks[at - 1].low, toks[at + 1]
    if toks[verb].low not in LINKS or at - verb > 4 or not (previous == "the" or previous.endswith(("'s", "’s"))):
        return False
    if toks[at].low in LOOSE_SUPERLATIVES and (following.text[0].isdigit() or following.low in AFTER_LOOSE):
        return False
    return following.low not in ("and", "or")


def _is_comparative(toks: Sequence[Token], at: int) -> bool:
    """Whether a "than" belongs to the word, and compares with something else than a number."""
    lows = [t.low for t in toks]
    following = toks[at + 1]
    if "than" not in lows[at + 1 : at + 4] or following.text[0].isdigit() or following.low == "often":
        return False
    if following.low == "than" and lows[at] in ("more", "less"):
        compared = toks[min(lows.index("than", at) + 1, len(toks) - 1)]
        if compared.text[0].isdigit() or compared.low in SPELLED or compared.text == "$":
            return False
    return lows[at - 1] not in NO_DEGREE_AFTER


def _phrases(text: str, toks: Sequence[Token], verb: MainVerb) -> Iterator[Changes]:
    """The fort lies north of the river -> the fort lies south of the river, in the main clause."""
    after = toks[verb.at].end
    for match in PHRASE.finditer(text, after):
        between = text[after : match.start()]
        if en.CLAUSE.search(between) or re.search(r"\b(?:and|or|that|than|in front|just)\b", between):
            continue
        if not re.match(r"-|\s+(?:and|or)\b", text[match.end() :]):
            yield from ([(*match.span(), new)] for new in PHRASE_ANTONYMS[match.group()])


def double_negations(text: str, rng: Random) -> Iterator[Changes]:
    """X is legal -> X is not illegal."""
    verb, toks = main_verb(text), tokens(text)
    if verb is None or NEGATION.search(text) or leans(text):
        return
    if toks[verb.at].low in en.BE and verb.at + 2 < len(toks) and en.is_definite(toks[verb.first : verb.at]):
        word, following = toks[verb.at + 1], toks[verb.at + 2]
        alone = following.low in en.PREPOSITIONS or following.text == "."
        if word.low in COMPLEMENTS and alone and _in_sense(text, word):
            yield from ([(word.start, word.end, f"not {new}")] for new in COMPLEMENTS[word.low])
