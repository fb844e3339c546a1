"""Why two statements that look contradictory are not: they are about different things, or say the same.

A contradiction needs one shared slot with exclusive values.  Where a second slot differs too (another year, another
product, full-time against part-time), the values belong to different subjects.  These shapes are named after the
benign ones that caura-ai/caura (pull request 166) had to tell apart.
"""

from __future__ import annotations

import re

from . import values
from .comparison import Comparison
from .evidence import WhyNot
from .words import content_words

CONTRASTS = tuple(
    frozenset(pair.split("/"))
    for pair in """full/part full-time/part-time gross/net adult/child adults/children domestic/international
    monthly/annual annual/sick annual/parental paid/unpaid new/existing summer/winter weekday/weekend
    weekdays/weekends standard/premium basic/premium free/paid online/in-person men/women
    employees/contractors internal/external minimum/maximum planned/completed planned/delivered""".split()
)
LIST_VERB = re.compile(r"\b(?:supports?|includes?|offers?|contains?|speaks?|sells?|provides?|features?)\b", re.I)
NAMED_SCOPE = re.compile(r"\b(?:[Ii]n|[Ff]or|[Aa]t|[Ww]ithin)\s+(?:(?:the|all|its|our|\w+s in)\s+)*([A-Z][\w\-]+)")
MONTH_OR_DAY = frozenset(values.MONTHS) | frozenset(
    "monday tuesday wednesday thursday friday saturday sunday q1 q2 q3 q4".split()
)
PRODUCT = re.compile(r"\b[A-Z]{1,5}-?\d+\w*\b")
NUMBERED = re.compile(
    r"\b(version|ticket|tier|phase|section|article|model|level|class|type|grade|v)\s*(\d[\w.]*)", re.I
)
HYPOTHETICAL = re.compile(r"^\s*if\b|\b(?:were to|would have|would no longer|would be|suppose|assuming)\b", re.I)
REPORTED = re.compile(r"\b(?:claim|allege|believe|argue|suspect|complain)(?:s|d|ed)?\b|\baccording to\b", re.I)
PLANNED = re.compile(r"\b(?:planned|scheduled|expected|intended|due) (?:for|to)\b|\bplans? to\b", re.I)
REGION = re.compile(r"\b(?:(?:north|south|east|west)(?:ern)?|central|europe|asia|africa|region|area)\b", re.I)
EXCEPTION = re.compile(r"\b(?:except(?: for)?|apart from|other than|with the exception of)\s+(.*)", re.I)
_ONE_SIDED = (
    (WhyNot.HYPOTHETICAL, HYPOTHETICAL), (WhyNot.REPORTED, REPORTED), (WhyNot.TEMPORAL, PLANNED)
)  # fmt: skip
YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")


def why_not(c: Comparison) -> WhyNot | None:
    """Return the benign shape of a pair, or None when nothing speaks against a conflict."""
    a, b = c.a, c.b
    if c.pair.a.kind == c.pair.b.kind == "row" and c.pair.a.passage_id == c.pair.b.passage_id:
        return WhyNot.TABLE_ROWS
    if c.same_values and _only_values_differ(c.replaced):
        return WhyNot.SAME_VALUES
    if _contrast(a, b):
        return WhyNot.SCOPE
    if PRODUCT.findall(a) and PRODUCT.findall(b) and not set(PRODUCT.findall(a)) & set(PRODUCT.findall(b)):
        return WhyNot.DIFFERENT_SUBJECTS
    if _numbered_subjects_differ(a, b):
        return WhyNot.DIFFERENT_SUBJECTS
    for shape, pattern in _ONE_SIDED:
        if bool(pattern.search(a)) != bool(pattern.search(b)):
            return shape
    if any(bool(REGION.search(x)) != bool(REGION.search(y)) for x, y in c.replaced):
        return WhyNot.REFINEMENT
    if _names_exception(a, b) or _names_exception(b, a):
        return WhyNot.EXCEPTION
    if _only_names_shared(a, b):
        return WhyNot.DIFFERENT_SUBJECTS
    if _years_scope(a, b):
        return WhyNot.SCOPE
    numbers_differ = c.value is not None or bool(values.extract(a) and values.extract(b))
    if numbers_differ and _named_scope(a) != _named_scope(b):
        return WhyNot.SCOPE
    if LIST_VERB.search(a) and LIST_VERB.search(b) and c.value is None and any(x and y for x, y in c.replaced):
        return WhyNot.LIST_VALUED
    return None


def _only_values_differ(replaced: tuple[tuple[str, str], ...]) -> bool:
    return all(any(c.isdigit() for c in x + y) or not content_words(x) or not content_words(y) for x, y in replaced)


def _contrast(a: str, b: str) -> bool:
    left, right = (set(re.findall(r"[a-z]+(?:-[a-z]+)?", t.lower())) for t in (a, b))
    one, two = left - right, right - left
    return any((x in one and y in two) or (y in one and x in two) for x, y in map(tuple, CONTRASTS))


def _years_scope(a: str, b: str) -> bool:
    """Whether different years scope otherwise different values: "In 2023 … 3,100" against "In 2024 … 3,900"."""
    left, right = set(YEAR.findall(a)), set(YEAR.findall(b))
    others = [[q for q in values.extract(t) if q.kind != "date"] for t in (a, b)]
    return bool(left and right and not left & right and others[0] and others[1])


def _named_scope(text: str) -> frozenset[str]:
    return frozenset(n.lower() for n in NAMED_SCOPE.findall(text)) - MONTH_OR_DAY


def _numbered_subjects_differ(a: str, b: str) -> bool:
    """Whether both sentences begin with a numbered thing of one kind and the numbers differ."""
    heads = [{(k.lower(), n) for k, n in NUMBERED.findall(t[:40])} for t in (a, b)]
    kinds = [{k for k, _ in some} for some in heads]
    return bool(kinds[0] & kinds[1]) and not heads[0] & heads[1]


def _names_exception(rule: str, other: str) -> bool:
    """Whether the rule's exception is what the other sentence is about."""
    match = EXCEPTION.search(rule)
    named = content_words(match[1]) if match else frozenset()
    return bool(named) and len(named & content_words(other)) >= 0.5 * len(named)


def _only_names_shared(a: str, b: str) -> bool:
    """Whether both sentences say much, and have nothing but capitalised words in common."""
    capital = {w.lower() for t in (a, b) for w in re.findall(r"\b[A-Z][\w\-]*", t)}
    left, right = (frozenset(w for w in content_words(t) if w not in capital) for t in (a, b))
    return min(len(left), len(right)) >= 2 and not left & right
