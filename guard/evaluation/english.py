"""English as the edits of sentences read it: tokens, classes of words, and the main verb.

Closed lists and shallow patterns, no tagger: `main_verb` answers only where the shape of the clause leaves no
doubt, and says None otherwise.  Knows nothing about edits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from detectors.quantities.units import SPELLED

from .verbs import BASE_OF_PAST, BASE_OF_THIRD, PAST

TOKEN = re.compile(r"[^\W_]+(?:[.'’\-/&]+[^\W_]+)*|\S")
BE = frozenset("is are was were am".split())
HAVE = frozenset("has have had".split())
MODALS = frozenset("will would can must should shall".split())
AUXILIARIES = BE | HAVE | MODALS
UNSURE = frozenset("may might could ought need dare did does do been being be".split())
DETERMINERS = frozenset("the a an this that these those".split())
POSSESSIVES = frozenset("its his her their our my your".split())
PRONOUNS = frozenset("i you he she it we they".split())
OBJECTS = frozenset("him them me us".split())
PREPOSITIONS = frozenset(
    "in on at by for from with within of to into under over during between among against about around across through "
    "throughout as near along above below after before since until upon onto toward towards via per like "
    "without".split()
)
SUBORDINATORS = frozenset(
    "who whom whose which that when if while because although though as since after before where whether what how why "
    "than unless until once to so but or nor and".split()
)
EXISTENTIAL = frozenset("some many several few various certain other another one most numerous".split())
QUANTIFIED = EXISTENTIAL | frozenset(
    "each every all both no none neither either any half only anyone anybody everyone everybody someone somebody "
    "nobody everything anything something nothing".split()
)
FREQUENCY = frozenset(
    "often sometimes occasionally frequently partly partially mostly mainly largely rarely typically usually "
    "generally".split()
)
NEGATIVE_POLARITY = frozenset(
    "any anyone anybody anything anywhere ever yet anymore either nor neither until but".split()
)
# Where a clause ends.
CLAUSE = re.compile(
    r"[;:()—]|,(?!\s*\d{4})|\b(?:and|but|which|who|when|while|where|whose|after|before|until|although|as)\b"
)
# Verb forms that are more often something else: nouns, participles of other verbs, fixed phrases.
_DOUBTFUL = frozenset("lay read set cost spread shot found felt mean like saw left".split())
_MOVES = frozenset("increase decrease rise fall grow shrink drop decline climb".split())
_FRONTED = PREPOSITIONS | {"however", "today", "additionally", "following", "despite", "also"}
_NOT_HEADS = frozenset("also not never then often still always".split())
_ENDS_VERB_SEARCH = frozenset("and but that which who because when while where".split())
# What can follow a verb, and hardly the noun that the verb form might be.
_COMPLEMENTS = (DETERMINERS | POSSESSIVES | PREPOSITIONS | OBJECTS | PRONOUNS | SPELLED.keys()) | frozenset(
    "that all over north south east west northeast northwest southeast southwest".split()
)


def either(words: str) -> str:
    """A pattern of one of the words.

    >>> either("led won")
    '(?:led|won)'
    """
    return f"(?:{'|'.join(words.split())})"


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a sign.  ``text == sentence[start:end]``; ``low`` is lower-cased."""

    text: str
    low: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        return self.text[0].isalnum()

    @property
    def is_capital(self) -> bool:
        return self.text[0].isupper()


@dataclass(frozen=True, slots=True)
class MainVerb:
    """The finite verb of the main clause: ``tokens[at]``, its subject ``tokens[first:at]``. ``form`` is ``aux``
    (be, have, a modal), ``past``, ``third`` or ``base``; ``base`` is the verb's base form."""

    first: int
    at: int
    form: str
    base: str


@lru_cache(maxsize=4096)
def tokens(sentence: str) -> tuple[Token, ...]:
    return tuple(Token(m.group(), m.group().lower(), *m.span()) for m in TOKEN.finditer(sentence))


def is_adverb(word: str) -> bool:
    return word.endswith("ly") and word not in ("only", "family", "supply", "apply", "early", "italy", "assembly")


def is_plural(word: str) -> bool:
    """Whether a noun looks plural."""
    low = word.lower()
    if low in ("people", "women", "men", "children", "staff", "police"):
        return True
    return len(low) > 3 and low.endswith("s") and not low.endswith(("ss", "us", "is"))


def article_for(word: str) -> str:
    """The indefinite article before a word."""
    said_as_consonant = word.startswith(("univers", "unique", "unit", "unif", "use", "one", "eu"))
    return "an" if word[:1].lower() in "aeiou" and not said_as_consonant else "a"


def is_definite(subject: Sequence[Token]) -> bool:
    """Whether denying the verb denies the sentence: no "some", "each" or "a man" as subject."""
    if not subject or subject[0].low in QUANTIFIED or (subject[0].low in ("this", "these") and len(subject) == 1):
        return False
    if {t.low for t in subject} & ((EXISTENTIAL - {"one", "other"}) | {"both", "all", "only", "also"}):
        return False
    return not subject[0].text[0].isdigit() and subject[0].low not in SPELLED.keys() | {"a", "an"}


def is_subordinate(before: str) -> bool:
    """Whether the words before a verb open a clause of their own, or hold a verb already."""
    words = re.findall(r"[a-z']+", before.lower())
    if before.count(",") > 1 or not (SUBORDINATORS - {"and", "as", "once", "to", "so", "or"}).isdisjoint(words):
        return True
    return any(w in AUXILIARIES or w in BASE_OF_PAST for w in words)


@lru_cache(maxsize=4096)
def main_verb(sentence: str) -> MainVerb | None:
    """Return the finite verb of the first main clause, or None when the clause is not plainly shaped.

    >>> found = main_verb("In 2019, the firm moved to Lyon.")
    >>> tokens("In 2019, the firm moved to Lyon.")[found.at].text
    'moved'
    """
    toks = tokens(sentence)
    first = _subject_start(toks)
    if first is None:
        return None
    for at in range(first, min(len(toks) - 1, first + 12)):
        low = toks[at].low
        if at > first and low in AUXILIARIES:
            return MainVerb(first, at, "aux", low) if _plain_subject(toks[first:at]) else None
        if at > first and (low in BASE_OF_PAST or low in BASE_OF_THIRD or low in PAST):
            found = _lexical(toks, first, at)
            if found or not _attributive(toks, at):
                return found
        if low in UNSURE or (low in SUBORDINATORS and low not in ("and", "as")) or not toks[at].is_word:
            return None
    return None


def _subject_start(toks: Sequence[Token]) -> int | None:
    """Skip one fronted phrase: "In 2019, …", "On May 3, 2019, …", "However, …"."""
    if not toks or not toks[0].is_word:
        return None
    if toks[0].low not in _FRONTED:
        return 0
    for at, tok in enumerate(toks[:12]):
        if tok.text == "," and at + 1 < len(toks) and not toks[at + 1].text.isdigit():
            return at + 1
        if at and (tok.low in AUXILIARIES | (SUBORDINATORS - PREPOSITIONS) or not (tok.is_word or tok.text == ",")):
            return None
    return None


def _plain_subject(subject: Sequence[Token]) -> bool:
    """Whether the words before a verb are one noun phrase: no second clause begins inside."""
    if any(t.low in SUBORDINATORS and t.low != "and" for t in subject):
        return False
    for before, tok in pairwise(subject):
        begins = tok.low in DETERMINERS | POSSESSIVES | PRONOUNS | OBJECTS
        if begins and before.low not in PREPOSITIONS | {"and", "all", "both", "half"}:
            return False
        if before.low in PRONOUNS and tok.low != "and" and not is_adverb(tok.low):
            return False
    return subject[-1].low not in DETERMINERS | POSSESSIVES | PREPOSITIONS | {"and"}


def _attributive(toks: Sequence[Token], at: int) -> bool:
    """Whether the verb form may be a noun or participle of the subject: "the method used in Rome is"."""
    return toks[at].low.endswith(("ed", "s")) or toks[at - 1].low in DETERMINERS | POSSESSIVES


def _lexical(toks: Sequence[Token], first: int, at: int) -> MainVerb | None:
    """The verb at ``at`` when subject, form and the words after it agree."""
    subject, low = toks[first:at], toks[at].low
    after = toks[at + 1] if at + 1 < len(toks) else None
    if after is None or low in _DOUBTFUL or toks[at].is_capital or not _plain_subject(subject):
        return None
    if (after.low == "to" and low == "used") or after.low in AUXILIARIES | UNSURE or after.text == "-":
        return None
    head = subject[-1].low
    if is_adverb(head) or head in _NOT_HEADS:
        return None
    alone = head in PRONOUNS and len(subject) == 1
    if not alone and _aux_follows(toks, at):
        return None
    complement = _complement(after)
    if low in BASE_OF_PAST:
        base = BASE_OF_PAST[low]
        by = after.low == "by" and base not in _MOVES  # "the method used by X is"
        return MainVerb(first, at, "past", base) if alone or (complement and not by) else None
    if low in BASE_OF_THIRD:
        return MainVerb(first, at, "third", BASE_OF_THIRD[low]) if complement and _is_singular(subject) else None
    return MainVerb(first, at, "base", low) if complement and _is_plural(subject) else None


def _is_singular(subject: Sequence[Token]) -> bool:
    head = subject[-1]
    if len(subject) == 1:
        return head.low in ("he", "she", "it") or head.is_capital
    return head.is_capital or not is_plural(head.low)


def _is_plural(subject: Sequence[Token]) -> bool:
    head = subject[-1].low
    if len(subject) == 1:
        return head in ("they", "we", "i", "you") or (head not in PRONOUNS and is_plural(head))
    return is_plural(head) and head not in BASE_OF_THIRD  # not "takes place"


def _aux_follows(toks: Sequence[Token], at: int) -> bool:
    for tok in toks[at + 1 : at + 12]:
        if tok.low in AUXILIARIES | UNSURE and not tok.is_capital:  # the month of May
            return True
        if not tok.is_word or tok.low in _ENDS_VERB_SEARCH:
            return False
    return False


def _complement(after: Token) -> bool:
    return after.low in _COMPLEMENTS or after.text[0].isdigit() or after.is_capital or is_adverb(after.low)
