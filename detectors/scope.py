"""Why two statements that look contradictory may not be: they are about different things, or say the same.

A contradiction needs one shared slot with exclusive values.  Where a second slot differs too (another year, another
product, full-time against part-time), the values belong to different subjects.  Each shape here is a hint, whose
weight `detectors.calibration` learns; none decides alone.  The list started from the benign shapes that
caura-ai/caura (pull request 166) had to tell apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import values
from .comparison import Comparison
from .entries import about, other_entries
from .evidence import WhyNot
from .quantities import extract
from .quantities.units import MONTHS, SPELLED
from .siblings import are_siblings
from .words import STOP_WORDS, content_words, names

CONTRASTS = tuple(
    tuple(pair.split("/"))
    for pair in """full/part full-time/part-time gross/net adult/child adults/children domestic/international
    monthly/annual annual/sick annual/parental paid/unpaid new/existing summer/winter weekday/weekend
    weekdays/weekends standard/premium basic/premium free/paid online/in-person men/women consumer/business
    employees/contractors internal/external minimum/maximum planned/completed planned/delivered
    inpatient/outpatient""".split()
)
LIST_VERB = r"\b(?:supports?|offers?|speaks?|sells?|includes?|contains?)\s+(?:\w+\s+){0,2}"
NAMED_SCOPE = re.compile(
    r"\b(?:[Ii]n|[Ff]or|[Aa]t|[Ww]ithin|[Ii]nside|[Oo]n)\s+(?:(?:the|all|its|our|\w+s in)\s+)*([A-Z][\w\-]+)"
)
CLAUSE = re.compile(r"[.;!?]\s")
EARLY = 30  # characters before which a scope belongs to the subject
MONTH_OR_DAY = frozenset(MONTHS) | frozenset(
    "monday tuesday wednesday thursday friday saturday sunday q1 q2 q3 q4".split()
)
PRODUCT = re.compile(r"\b[A-Z]{1,5}-?\d+\w*\b")
CASE = re.compile(r"\W*(?:if|when|whenever|unless|for|on)\b([^,\d]{3,80}?)(?:,|\bthen\b)", re.I)
IDENTIFIER = re.compile(
    r"`+(?P<code>[^`]+)`+|https?://[^\s<>)\]]+|(?<![\w\-])--[a-z][\w\-]+|\b\w+(?:_\w+)+\b|\b[\w\-]+(?:/[\w.\-]+)+"
    r"|\b[a-z]+[A-Z]\w*|\b\w+(?=\(\))|\"(?P<quoted>[\w.\-]+)\"|\b[a-z][\w\-]*\.[a-z]{1,4}\b"
)
CONSTANT = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|(?<![\w\-])--[a-z][\w\-]+|https?://[^\s<>)\]]+")
LITERAL = re.compile(r"(?:true|false|null|none|nil|on|off|yes|no|enabled|disabled|v?[\d.,]+\s?[\w%]{0,4})", re.I)
NUMBERED = re.compile(
    r"\b(version|release|ticket|tier|phase|section|article|model|level|class|type|grade|floor|rack|v)\s*(\d[\w.]*)",
    re.I,
)
REGION = re.compile(r"\b(?:north|south|east|west)(?:ern)?\b|\bcentral\b|\bEurope\b|\bAsia\b|\bAfrica\b")
EXCEPTION = re.compile(r"\b(?:except(?: for)?|apart from|other than|with the exception of|unless)\s+(.*)", re.I)
CAPITALISED = re.compile(r"\b[A-Z][\w\-]*")
YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_ONE_SIDED = {
    WhyNot.HYPOTHETICAL: (
        r"^\W*(?:if|suppose|assuming|in case of|in the event|had \w+)\b|\bwere to\b|\bwould (?:have|no longer)\b"
    ),
    WhyNot.REPORTED: (
        r"^.{0,60}?\b(?:claim|allege|argue|suspect|complain|contend|accuse|insist)(?:s|d|ed)?\b|^.{0,60}?\bden(?:y|ies|ied)\b"
        r"|^.{0,60}?\brumou?r(?:s|ed)?\b|\ballegedly\b|\breportedly\b"
    ),
    WhyNot.OPINION: (
        r"^.{0,30}?\b(?:I|we) (?:\w+ )?(?:believe|think|prefer|love|hate|like)\b"
        r"|\b(?:in my opinion|honestly|personally|imo|imho|tbh|in my view|for my money)\b"
    ),
    WhyNot.TEMPORAL: (
        r"\b(?:is|are|was|were) (?:planned|scheduled|due|intended|expected) (?:for|to)\b|\bplans? to\b|\bused to\b"
        r"|^.{0,20}?\bdraft\b|\bwas to be\b|\buntil (?:1[5-9]|20)\d\d\b"
    ),
}
PARTIAL = re.compile(
    r"\bin total\b|\baltogether\b|\boverall\b|\bworldwide\b|\bin all\b|\bas a whole\b|\btaken together\b|\bof which\b",
    re.I,
)
ONE_SIDED = {shape: re.compile(pattern, re.I) for shape, pattern in _ONE_SIDED.items()}


def shapes(c: Comparison) -> frozenset[WhyNot]:
    """Return every benign shape that the pair may have; symmetric in the two sides."""
    return frozenset(_shapes(c))


def _shapes(c: Comparison) -> Iterator[WhyNot]:
    a, b = c.a, c.b
    if c.pair.a.kind == c.pair.b.kind == "row" and c.pair.a.passage_id == c.pair.b.passage_id:
        yield WhyNot.TABLE_ROWS
    if c.same_values and (_only_values_differ(c) or _converted(c)):
        yield WhyNot.RESTATEMENT
    if _contrast(a, b) or _years_scope(a, b) or _named_scopes_differ(c) or _cases_differ(a, b):
        yield WhyNot.SCOPE
    if _products_differ(a, b) or _numbered_subjects_differ(a, b) or _identifiers_differ(c) or _headings_say_so(c):
        yield WhyNot.DIFFERENT_SUBJECTS
    if _topics_differ(c) or other_entries(c.pair.a, c.pair.b):
        yield WhyNot.OTHER_TOPIC
    if are_siblings(c):
        yield WhyNot.SIBLINGS
    if _only_names_shared(a, b):
        yield WhyNot.NAME_ONLY
    for shape, pattern in ONE_SIDED.items():
        if bool(pattern.search(a)) != bool(pattern.search(b)):
            yield shape
    if extract(a) and extract(b) and bool(PARTIAL.search(a)) != bool(PARTIAL.search(b)):
        yield WhyNot.PARTIAL
    if any(bool(REGION.search(x)) != bool(REGION.search(y)) for x, y in c.replaced):
        yield WhyNot.REFINEMENT
    if _names_exception(a, b) or _names_exception(b, a):
        yield WhyNot.EXCEPTION
    if _lists_another(c):
        yield WhyNot.LIST_VALUED


def _only_values_differ(c: Comparison) -> bool:
    """Whether the sentences say the same in the same words once their quantities are left out."""
    if c.negation_differs or c.opposite:
        return False
    return content_words(values.without_quantities(c.a)) == content_words(values.without_quantities(c.b))


def _converted(c: Comparison) -> bool:
    """Whether one amount stands in two units, and its other form in neither side: "5 km", "3.1 miles"."""
    one, two = ([q for q in extract(t) if q.unit] for t in (c.a, c.b))
    return (
        not c.negation_differs
        and any(x.unit != y.unit and values.same_kind(x, y) and values.compatible(x, y) for x in one for y in two)
        and not {(q.kind, q.unit) for q in one} & {(q.kind, q.unit) for q in two}
    )


def _lists_another(c: Comparison) -> bool:
    """Whether the same list verb has another member after it: "supports French", "supports German"."""
    if c.value is not None or c.negation_differs or c.opposite is not None:
        return False
    return any(
        re.search(LIST_VERB + re.escape(x), c.a, re.I) and re.search(LIST_VERB + re.escape(y), c.b, re.I)
        for x, y in c.replaced
    )


def _contrast(a: str, b: str) -> bool:
    left, right = (set(re.findall(r"[a-z]+(?:-[a-z]+)?", t.lower())) for t in (a, b))
    one, two = left - right, right - left
    return any((x in one and y in two) or (y in one and x in two) for x, y in CONTRASTS)


def _years_scope(a: str, b: str) -> bool:
    """Whether different years scope otherwise different values: "In 2023 … 3,100" against "In 2024 … 3,900"."""
    left, right = set(YEAR.findall(a)), set(YEAR.findall(b))
    if not left or not right or left & right:
        return False
    one, two = ([q for q in extract(t) if q.kind != "date"] for t in (a, b))
    alike = [(x, y) for x in one for y in two if values.same_kind(x, y)]
    return bool(alike) and not any(values.compatible(x, y) for x, y in alike)


def _named_scopes_differ(c: Comparison) -> bool:
    """Whether the statements are about two places or groups: "Employees in Germany", "In the Netherlands, …".

    The name stands early, where it limits the subject.  Where nothing else differs it may be the clash itself.
    """
    one, two = _named_scope(c.a), _named_scope(c.b)
    if not one - names(c.b) or not two - names(c.a):
        return False
    return c.value is not None or content_words(c.a) - one != content_words(c.b) - two


def _cases_differ(a: str, b: str) -> bool:
    """Whether each sentence opens with a case of its own: "If false, never shows …", "If always, always shows …"."""
    one, two = (content_words(m[1]) if (m := CASE.match(t)) else frozenset() for t in (a, b))
    return bool(one - two and two - one)


def _named_scope(text: str) -> frozenset[str]:
    found = (m[1].lower() for part in CLAUSE.split(text) for m in NAMED_SCOPE.finditer(part) if m.start() <= EARLY)
    return frozenset(found) - MONTH_OR_DAY


def _products_differ(a: str, b: str) -> bool:
    one, two = set(PRODUCT.findall(a)), set(PRODUCT.findall(b))
    return bool(one and two and not one & two)


def _identifiers_differ(c: Comparison) -> bool:
    """Whether each side names an identifier of its own: `npm-stop`, `npm-test`; CMAKE_NETRC, CMAKE_TLS_VERIFY.

    Of identifiers that may be values (`git`, `hg`) only the first counts, which is what the sentence is about.
    """
    a, b = c.pair.a.text, c.pair.b.text
    one, two = frozenset(CONSTANT.findall(a)), frozenset(CONSTANT.findall(b))
    first, second = _first_identifier(a), _first_identifier(b)
    return bool(one - two and two - one) or bool(first and second and first != second)


def _headings_say_so(c: Comparison) -> bool:
    """Whether each side says under its own heading what that is about: "ASGI needs …" and "WSGI needs …"."""
    one, two = c.pair.a.headings, c.pair.b.headings
    return any(
        about(x) & one - two and about(y) & two - one and not about(x) & about(y) for x, y in c.replaced
    )  # fmt: skip


def _first_identifier(text: str) -> str:
    found = (m["code"] or m["quoted"] or m.group() for m in IDENTIFIER.finditer(text))
    return next((name.strip().lower() for name in found if not LITERAL.fullmatch(name.strip())), "")


def _numbered_subjects_differ(a: str, b: str) -> bool:
    """Whether both sentences begin with a numbered thing of one kind and the numbers differ."""
    heads = [{(k.lower(), n) for k, n in NUMBERED.findall(t[:40])} for t in (a, b)]
    kinds = [{k for k, _ in some} for some in heads]
    return bool(kinds[0] & kinds[1]) and not heads[0] & heads[1]


def _topics_differ(c: Comparison) -> bool:
    """Whether the sentences go on about different things, or name two of one family ("Tiraqui Chico", "… Grande").

    Two names that share nothing may be the clash itself ("Ada won", "Bo won"), so one side must leave its own unsaid.
    """
    a, b = c.pair.a, c.pair.b
    if not a.subject or not b.subject or a.subject <= b.subject or b.subject <= a.subject:
        return False
    if a.names_subject and b.names_subject:
        return bool(a.subject & b.subject)
    told = names(c.a) & b.subject or names(c.b) & a.subject
    return not told or bool(a.subject & b.subject)


def _names_exception(rule: str, other: str) -> bool:
    """Whether the rule's exception is what the other sentence is about."""
    match = EXCEPTION.search(rule)
    named = content_words(match[1]) if match and not EXCEPTION.search(other) else frozenset()
    return bool(named) and len(named & content_words(other)) >= 0.5 * len(named)


def _only_names_shared(a: str, b: str) -> bool:
    """Whether both sentences say much, and have a name and nothing else in common."""
    one, two = ({w.lower() for w in CAPITALISED.findall(t)} - STOP_WORDS for t in (a, b))
    left, right = (frozenset(w for w in content_words(t) if w not in one | two) for t in (a, b))
    return min(len(left), len(right)) >= 2 and not left & right and bool((one & two) - SPELLED.keys())
