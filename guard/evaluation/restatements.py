"""The same said otherwise: contractions, synonyms, another order, a clause that adds nothing or is left out.

Every edited sentence follows from its original.  Quantities, dates, voices and opposites are restated beside their
contradictions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from . import english as en
from .changes import Changes
from .dates import FULL_MONTHS
from .lexicon import BEFORE_NUMBERS, SYNONYMS

EXPANDED = {"can't": "cannot", "won't": "will not", "shan't": "shall not", "ain't": ""}
CONTRACTION = re.compile(
    r"\b(?:\w+n['’]t|(?:they|we|you)['’]re|(?:they|we|you|I)['’]ve|(?:they|we|you|he|she|it|I)['’]ll|I['’]m"
    r"|(?:it|he|she|that|there)['’]s(?=\s(?:an?|the|not|in|very|no|on|at|also|important|possible)\s))",
    re.I,
)
SUFFIXES = {"re": " are", "ve": " have", "ll": " will", "m": " am", "s": " is"}
EXPANSION = re.compile(r"\b(is|are|was|were|has|have|had|does|do|did|should|would|could|must) not\b(?! only)")
SYNONYM = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, SYNONYMS), key=len, reverse=True)) + r")\b(?!-)")
_MONTHS = "|".join(FULL_MONTHS.values())
FRONTED_CLAUSE = re.compile(
    r"^(?P<word>If|When|Because|Although|Though|Once|Unless|Until) (?P<a>[^,;:()]+), (?:then )?(?P<b>[^,;:()\"“”]+)\.$"
)
FRONTED_TIME = re.compile(
    r"^(?P<when>(?:In|On|By|Since|During) (?:(?:early|late|mid|about|around) )?(?:the )?"
    rf"(?:\d{{4}}|(?:{_MONTHS}) \d{{4}}|\d{{1,2}} (?:{_MONTHS}) \d{{4}}|(?:{_MONTHS}) \d{{1,2}}, \d{{4}})), "
    r"(?P<b>[^,;:()\"“”]+)\.$"
)
ANAPHOR = re.compile(r"\b(?:he|she|it|they|him|her|his|its|their|them|this|these|that|so|such|then|do|does)\b")
SECOND_CLAUSE = re.compile(r"\b(?:that|which|who|when|after|before|because|and|but|while|where|until)\b|\d{4}")
ASIDES = (
    "as noted above", "as noted below", "as noted elsewhere", "as mentioned before", "as mentioned above",
    "for the record", "as described here", "as explained below", "as stated above", "as a reminder",
    "as is described in more detail elsewhere",
)  # fmt: skip
NO_FULL_STOP = re.compile(r"\b(?:[A-Z]|Inc|Ltd|Jr|Sr|etc|Co)\.$")  # the end of an abbreviation
ASIDE = re.compile(r" \((?![^)]*\b(?:not|except|only|if|unless|or|excluding|including)\b)[^()]*\)")
CONNECTIVE = re.compile(
    r"^(?:However|Additionally|Furthermore|Moreover|In addition|In fact|Therefore|As a result|Overall|For example"
    r"|For instance|Consequently|Thus), (?=[a-zA-Z])"
)


def contractions(text: str, rng: Random) -> Iterator[Changes]:
    """Don't -> do not, and back."""
    for match in CONTRACTION.finditer(text):
        new = _expanded(match.group().replace("’", "'"))
        if new:
            yield [(*match.span(), new)]
    yield from ([(m.end(1), m.end(), "n't")] for m in EXPANSION.finditer(text))


def _expanded(word: str) -> str:
    stem, _, suffix = word.partition("'")
    if not word.lower().endswith("n't"):
        return stem + SUFFIXES[suffix.lower()]
    new = EXPANDED.get(word.lower(), word[:-3] + " not")
    return new.capitalize() if word[0].isupper() else new


def synonyms(text: str, rng: Random) -> Iterator[Changes]:
    for match in SYNONYM.finditer(text):
        old, before, after = match.group(), text[: match.start()], text[match.end() :]
        new = SYNONYMS[old]
        article = re.search(r"\b(an?) $", before)
        if (article and en.article_for(new) != article[1]) or before.endswith("-"):
            continue
        if old not in BEFORE_NUMBERS or re.match(r"\s[$€£]?\d", after):
            yield [(*match.span(), new)]


def reorderings(text: str, rng: Random) -> Iterator[Changes]:
    """If A, B -> B if A; in 2019, B -> B in 2019."""
    clause, time = FRONTED_CLAUSE.match(text), FRONTED_TIME.match(text)
    if clause and _movable(clause["a"].split(), clause["b"]):
        yield [(0, len(text) - 1, f"{clause['b']} {clause['word'].lower()} {clause['a']}")]
    if time and len(time["b"].split()) <= 16 and not SECOND_CLAUSE.search(time["b"]):
        yield [(0, len(text) - 1, f"{time['b']} {time['when'][0].lower()}{time['when'][1:]}")]


def _movable(fronted: Sequence[str], main: str) -> bool:
    """Whether both clauses are short, and the main one refers to no noun of the fronted one."""
    refers = ANAPHOR.search(main) and fronted[0].lower() not in en.PRONOUNS
    return len(fronted) <= 16 and len(main.split()) <= 20 and not refers


def additions(text: str, rng: Random) -> Iterator[Changes]:
    """A clause that says nothing more."""
    plain = text.endswith(".") and text[-2].isalnum() and not NO_FULL_STOP.search(text)
    if plain and not re.search(r"\bas (?:noted|mentioned)", text):
        yield [(len(text) - 1, len(text) - 1, ", " + rng.choice(ASIDES))]


def omissions(text: str, rng: Random) -> Iterator[Changes]:
    """Leave out what stands in parentheses, or a connective at the start."""
    yield from ([(*m.span(), "")] for m in ASIDE.finditer(text))
    if match := CONNECTIVE.match(text):
        yield [(0, match.end(), "")]
