"""What a sentence leaves to the headings above it: "Default: 5." says nothing without the option that it is about.

Reference pages, manuals and lists are written in such sentences: without a subject, without a verb, or opening with
"this", "it", "the value".  Their subject is the entry that they stand under, so two of them from different entries
state nothing about one thing.  What a sentence needs is read off closed classes of words, without a parser.
Knows nothing about pairs beyond `other_entries`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .evidence import Passage, Sentence
from .words import content_words

CODE = r"`[^`]+`|(?<![\w\-])--?[a-z][\w\-]+|\b[A-Za-z_]\w*(?:[._:/]+[A-Za-z_]\w*)+|\b[a-z]+[A-Z]\w*|\b[A-Za-z]\w*(?=\()"
IDENTIFIER = re.compile(rf"{CODE}|\b[A-Z]+\d+\b|\b\w+(?:_\w+)+\b")
FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|do|does|did|can|could|will|would|shall|should|may|might|must|cannot"
    r"|(?:is|are|was|were|do|does|did|wo|ca|should|must)n['’]t)\b",
    re.I,
)
VERB = re.compile(
    r"\b(?:began|became|came|cost|fell|gave|get|go|went|grew|held|kept|knew|left|lost|made|meet|met|need|paid|pay|put|ran"
    r"|receive|rose|said|saw|sold|sent|set|spent|stood|take|took|told|won|wrote|[a-z]{2,}ed|[a-z]{2,}[b-rt-z]s)\b"
)
OPENING_VERB = re.compile(
    r"\W*(?:[A-Z][a-z]+(?:s|ed)|Sent|Run|Given|Made|Kept|Shown)\s+(?:the|an?|all|any|to|by|from|when|whenever|if|in|with|just|this)\b"
)
LEANING = re.compile(
    r"\W*(?:this|it|they|these|those|that|such|by default|default|if|when|note|also|only|otherwise|set|use"
    r"|the (?:default|value|command|option|setting|function|method|class|argument|parameter|property|attribute"
    r"|following|same|current)s?)\b",
    re.I,
)
GENERAL = content_words(
    "description overview introduction example usage synopsis detail note notes configuration config option options"
    " parameter argument return returns value attribute method handler field property properties reference faq"
    " miscellaneous see summary background general important setting available behavior behaviour default"
)


def headings_of(passage: Passage) -> tuple[str, ...]:
    """Return the headings that the passage stands under in its document, outermost first: ``metadata["heading"]``."""
    heading, title = (passage.metadata.get(key) for key in ("heading", "title"))
    path = heading.split(" › ") if isinstance(heading, str) else []
    return tuple(h for h in (title if isinstance(title, str) else "", *path) if h)


def document_of(passage: Passage) -> str:
    """Return the name of the document that the passage is a part of, ``metadata["path"]``, or nothing."""
    path = passage.metadata.get("path")
    return path if isinstance(path, str) else ""


def entry_of(text: str, headings: Sequence[str]) -> frozenset[str]:
    """Return what the nearest heading that names something is about, for a sentence that needs it, else nothing.

    >>> sorted(entry_of("Default: 5.", ["Settings", "`broker_pool_limit`"]))
    ['broker_pool_limit']
    >>> sorted(entry_of("Carries over to March.", ["Annual leave", "Notes"]))
    ['annual', 'leave']
    >>> entry_of("Unused leave may be carried over.", ["Annual leave"])
    frozenset()
    """
    if not leans_on_heading(text):
        return frozenset()
    return next((found for heading in reversed(headings) if (found := about(heading) - GENERAL)), frozenset())


def about(heading: str) -> frozenset[str]:
    """Return the identifiers of a heading, else its content words; lower-cased."""
    return identifiers(heading) or content_words(heading)


def identifiers(text: str) -> frozenset[str]:
    """Return the lower-cased names of options, functions and files in a heading or sentence."""
    return frozenset(m.group().strip("`").lower() for m in IDENTIFIER.finditer(text))


def leans_on_heading(text: str) -> bool:
    """Whether no subject of its own stands before the verb, as far as closed classes of words tell."""
    if LEANING.match(text):
        return True
    if any(content_words(text[: verb.start()]) for verb in FINITE.finditer(text)):
        return False
    return bool(OPENING_VERB.match(text)) or not any(content_words(text[: v.start()]) for v in VERB.finditer(text))


def other_entries(a: Sentence, b: Sentence) -> bool:
    """Whether one side stands under an entry that the other neither stands under nor mentions; symmetric."""
    if a.headings == b.headings:
        return False
    return _is_elsewhere(a, b) or _is_elsewhere(b, a)


def _is_elsewhere(one: Sentence, other: Sentence) -> bool:
    said = content_words(other.text) | identifiers(other.text) | other.headings
    if other.entry and one.entry and identifiers(" ".join(one.entry | other.entry)):
        return not (one.entry <= said or other.entry <= content_words(one.text) | identifiers(one.text) | one.headings)
    return bool(one.entry) and not one.entry & said
