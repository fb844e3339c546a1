"""Which sentences may be edited: plain English statements that stand on their own.

Knows nothing about the edits.
"""

from __future__ import annotations

import re

from detectors.language import ENGLISH, unsupported_script_or_language

from .english import tokens

MIN_WORDS, MAX_WORDS = 4, 45
CODE = re.compile(r"[{}<>=`|\\_@~^*#\[\]]|://|\(\)|\w\.\w+\(|\.\.\.|…")
ENDING = re.compile(r"[.!][\"”’')]*$")
HEDGE = re.compile(
    r"\b(?:may|might|could|would|perhaps|possibly|probably|likely|unlikely|seems?|seemed|appears? to|appeared to"
    r"|allegedly|reportedly|supposedly|[Ii]f|whether|rumou?red|so-called)\b"
)
OPENING = re.compile(
    r"(?:for (?:example|instance)|suppose|imagine|let|assume|consider|e\.g|i\.e|see also|note|unlike|instead|rather"
    r"|so|or|and|but|nor|not|never|only|one|another|some|many|several|few|various|certain|other|numerous"
    r"|like|than|as|how|what|why|who|when|where|which|that is)\b",
    re.I,
)


def usable(sentence: str) -> bool:
    """Whether this is a plain English statement: no question, code, fragment, list or other language."""
    words = [t.low for t in tokens(sentence) if t.is_word]
    if not MIN_WORDS <= len(words) <= MAX_WORDS or not _is_whole(sentence):
        return False
    if CODE.search(sentence) or not _is_balanced(sentence) or sentence.count(":") > 1:
        return False
    return not ENGLISH.isdisjoint(words) and unsupported_script_or_language(sentence) is None


def is_hedged(sentence: str) -> bool:
    """Whether it says only that something may be so: its opposite may be so too."""
    return HEDGE.search(sentence) is not None


def leans(sentence: str) -> bool:
    """Whether it opens as an example, a fragment or about some only: another rule than of quantifiers may miss it."""
    return OPENING.match(sentence) is not None


def _is_whole(sentence: str) -> bool:
    begins = sentence[0].isupper() or sentence[0].isdigit() or sentence[0] in '"“'
    return begins and ENDING.search(sentence) is not None and "?" not in sentence


def _is_balanced(sentence: str) -> bool:
    return sentence.count('"') % 2 == 0 and sentence.count("(") == sentence.count(")")
