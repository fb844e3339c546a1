"""Changes of a text: which places become which words.

Rules read a sentence and propose changes; who asked chooses among them.  Knows nothing about English.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

Change = tuple[int, int, str]  # text[start:end] becomes the string
Changes = Sequence[Change]  # made at once; none overlaps another
Rule = Callable[[str, Random], Iterator[Changes]]  # every choice that the rule is sure of


def changed(text: str, changes: Changes) -> str:
    """Make all changes.

    >>> changed("Acme owns Globex.", [(0, 4, "Globex"), (10, 16, "Acme")])
    'Globex owns Acme.'
    """
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text
