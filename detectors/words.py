"""Words of a sentence as the detectors compare them: lower-cased content words, names, negation.

Only English knowledge lives here; it is small and closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:[.'’\-][^\W_]+)*")
NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|nor|neither|none|nobody|nothing|without|unable|prohibited|forbidden)\b|n['’]t\b",
    re.IGNORECASE,
)
STOP_WORDS = frozenset(
    """a an and any are as at be been being but by can could did do does each either every for from had has have
    he her his how i if in into is it its may might more most must of on only or other our out over own per she
    should since so some such than that the their them then there these they this those through to under up upon
    us was we were what when where which while who whom whose will with would you your also both all not no never
    cannot nor neither none n't don't doesn't isn't aren't wasn't weren't""".split()
)
ANTONYMS = frozenset(
    frozenset(pair.split("/"))
    for pair in """mandatory/optional required/optional enabled/disabled allowed/forbidden allowed/prohibited
    permitted/prohibited permitted/forbidden included/excluded internal/external public/private open/closed
    true/false valid/invalid active/inactive increase/decrease increased/decreased rise/fall rose/fell
    higher/lower more/less before/after always/never all/none first/last minimum/maximum encrypted/unencrypted
    free/paid refundable/non-refundable stable/unstable safe/unsafe legal/illegal supported/unsupported
    available/unavailable synchronous/asynchronous north/south east/west early/late hot/cold manual/automatic
    automatically/manually accept/reject accepted/rejected approved/rejected approve/reject success/failure
    present/absent temporary/permanent daily/weekly weekly/monthly daily/monthly monthly/yearly monthly/quarterly
    quarterly/yearly read-only/writable voluntary/compulsory voluntary/mandatory on/off won/lost alive/dead
    on-site/remote 
    without/need without/needs without/require without/requires with/without acquired/sold
    increases/decreases raised/lowered gained/lost""".split()
)


@lru_cache(maxsize=50_000)
def content_words(text: str) -> frozenset[str]:
    """Return the stemmed words that carry content.

    >>> sorted(content_words("The refunds are not paid in cash."))
    ['cash', 'paid', 'refund']
    """
    return frozenset(stem(w) for w in WORD.findall(text.lower()) if w not in STOP_WORDS)


def stem(word: str) -> str:
    """Cut plural and verb endings: enough to match "refunds" with "refund"."""
    for ending, least in (("'s", 2), ("ies", 4), ("ing", 5), ("ed", 4), ("es", 5), ("s", 4)):
        if word.endswith(ending) and len(word) - len(ending) >= least - 1 and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


@lru_cache(maxsize=50_000)
def names(text: str) -> frozenset[str]:
    """Return capitalised words that do not merely begin the sentence, lower-cased."""
    found = list(WORD.finditer(text))
    return frozenset(
        m.group().lower() for i, m in enumerate(found)
        if m.group()[0].isupper() and (i > 0 or m.group().isupper()) and m.group().lower() not in STOP_WORDS
    )  # fmt: skip


def is_negated(text: str) -> bool:
    """Whether the sentence holds an odd number of negation words."""
    return len(NEGATION.findall(text)) % 2 == 1


def opposite_words(a: Iterable[str], b: Iterable[str]) -> tuple[str, str] | None:
    """Return a pair of antonyms, one from each side, or None."""
    right = sorted(b)
    return next(((x, y) for x in sorted(a) for y in right if frozenset((x, y)) in ANTONYMS), None)
