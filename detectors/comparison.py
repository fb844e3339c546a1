"""Two sentences side by side: what the rules see in them, each thing computed once and only when asked for.

Every property but `replaced` is unchanged when the two sides are exchanged.  Knows nothing about models.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cached_property

from . import values
from .evidence import Finding, Sentence, SentencePair
from .words import STOP_WORDS, WORD, content_words, is_negated, opposite_words

MARKUP = re.compile(r"[*_`|]{1,3}|^\s*(?:[-+•]|\d+[.)])\s+")
MAX_REPLACED = 6  # words; a longer run is another statement, not another value in one slot


def plain(text: str) -> str:
    """Return the text without markup, on one line.

    >>> plain("| **Retention** | 30 days |")
    'Retention 30 days'
    """
    return " ".join(MARKUP.sub(" ", text).split())


def readable(sentence: Sentence) -> str:
    """Return the text as a model should read it: plain, after what it needs to be understood.

    That is the header for a table row, and the sentence before for one that opens with a pronoun.
    """
    text = plain(sentence.text)
    if sentence.kind == "row" and sentence.context:
        return f"{plain(sentence.context)}: {text}"
    return f"{plain(sentence.before)} {text}" if sentence.before else text


class Comparison:
    """What the rules see in one pair of sentences; ``a`` and ``b`` are the plain texts."""

    def __init__(self, pair: SentencePair) -> None:
        self.pair = pair
        self.a, self.b = plain(pair.a.text), plain(pair.b.text)

    @cached_property
    def value(self) -> Finding | None:
        """The values that exclude each other, if any do."""
        return values.disagreement(self.a, self.b)

    @cached_property
    def same_values(self) -> bool:
        """Whether both give values and none disagrees."""
        return self.value is None and values.same_values(self.a, self.b)

    @cached_property
    def replaced(self) -> tuple[tuple[str, str], ...]:
        """The words that side b has in place of side a's, at most `MAX_REPLACED` each.

        >>> from .evidence import Span
        >>> one, two = (Sentence(Span(t, 0, len(t), t)) for t in ("Ada leads the Oslo team", "Bo leads the Oslo team"))
        >>> Comparison(SentencePair(one, two)).replaced
        (('Ada', 'Bo'),)
        """
        swapped = self.b < self.a  # the alignment is not symmetric, so align in one order
        left, right = (WORD.findall(text) for text in sorted((self.a, self.b)))
        matcher = SequenceMatcher(None, [w.lower() for w in left], [w.lower() for w in right], autojunk=False)
        runs = (
            (" ".join(left[i:i2]), " ".join(right[j:j2]))
            for tag, i, i2, j, j2 in matcher.get_opcodes()
            if tag == "replace" and i2 - i <= MAX_REPLACED and j2 - j <= MAX_REPLACED
        )
        return tuple((y, x) if swapped else (x, y) for x, y in runs)

    @cached_property
    def shared_words(self) -> int:
        """How many content words both sides hold."""
        return len(content_words(self.a) & content_words(self.b))

    @cached_property
    def containment(self) -> float:
        """Shared content words as a share of the shorter side's, 0..1."""
        return self.shared_words / max(1, min(len(content_words(self.a)), len(content_words(self.b))))

    @cached_property
    def negation_differs(self) -> bool:
        """Whether one side alone is negated."""
        return is_negated(self.a) != is_negated(self.b)

    @cached_property
    def opposite(self) -> tuple[str, str] | None:
        """A pair of antonyms, one from each side, or None."""
        one, two = _words(self.a), _words(self.b)
        return opposite_words(one - two, two - one)

    @cached_property
    def aligned_opposite(self) -> bool:
        """Whether antonyms stand in the same place of otherwise matching sentences."""
        if self.opposite is None or self.negation_differs:
            return False
        return any(opposite_words(x.lower().split(), y.lower().split()) for x, y in self.replaced)

    @cached_property
    def replaced_name(self) -> tuple[str, str] | None:
        """Two names in the same place, or None."""
        return next(((x, y) for x, y in self.replaced if _is_name(x) and _is_name(y)), None)


def _words(text: str) -> frozenset[str]:
    return frozenset(w.lower() for w in WORD.findall(text))


def _is_name(words: str) -> bool:
    return any(w[0].isupper() and w.lower() not in STOP_WORDS for w in words.split())
