"""Parallel statements, steps and cases of one document, which its author wrote side by side and means both.

"Add them to the team." and "Remove them from the team." are two steps; "the output file is deleted" and "the byproduct
file is deleted" are said of two things; "if it matches" and "if it does not match" are two cases.  An author who
repeats a sentence of the same document with another word in one place means another thing.  Without knowing that both
stand in one document nothing here applies: two sources that differ in one word may well contradict each other.
"""

from __future__ import annotations

import re

from .comparison import Comparison
from .entries import FINITE, LEANING, VERB, identifiers
from .evidence import Sentence
from .quantities.units import SPELLED
from .words import STOP_WORDS, content_words, stem

PARALLEL = 0.6  # share of the shorter side's content words, from which two sentences are one form filled in twice
LEADING = r"\W*(?:(?:please|then|next|finally|first|also|now)\b,?\s+)*"
INSTRUCTION = re.compile(
    LEADING + r"(?:(?:do not|don['’]t|never|always)\s+(?P<forbidden>[a-z]+)\b"
    r"|(?P<verb>[A-Za-z]+)(?:\s+(?:up|down|out|off|in|on|back|over))?\s+"
    r"(?:the|an?|any|all|your|this|these|those|that|them|it|each|every|some|both|only|one|if|whether|`)(?!\w))",
    re.I,
)
NO_VERB = frozenset(
    """about above according across after against along although among around because before behind below beneath
    beside besides between beyond by despite during except following given including inside like near once outside past
    per regarding since than though throughout toward towards unless unlike until using via whereas whether within
    without yet still even just instead rather perhaps maybe usually often sometimes always never again""".split()
)
CASE = re.compile(
    LEADING + r"((?:if|when|whenever|unless|otherwise|for)\b[^,]{0,120}?"
    r"(?:,\s+(?:and|or)\b[^,]{2,120}?)*)(?:,|\bthen\b)",
    re.I,
)
TERM = re.compile(r"\W*?(`+[^`]+`+|--?[a-z][\w\-]+)(?=[\s:,])")
OF_DOCUMENT = re.compile(
    r".{0,24}?\bthis (?:guide|document|documentation|page|section|chapter|article|tutorial|file|manual|reference"
    r"|policy|topic)\b",
    re.I,
)
WITH_OBJECT = re.compile(  # a plural noun looks like a verb, but is not followed by an object
    rf"(?:{VERB.pattern})(?=\s+(?:the|an?|any|all|its|their|your|this|these|it|them|by|to|as|if|when|no|[A-Z0-9`\"]))"
)
AGENT = re.compile(
    r"\b(?:teams?|managers?|departments?|committees?|offices?|officers?|staff|employees?|supervisors?|directors?|heads?"
    r"|leads?|boards?|owners?|units?|groups?|courts?|agency|ministry|council|partners?|doctors?|nurses?|editors?)\b",
    re.I,
)
ELSEWHERE = re.compile(  # leans on the sentence before, or on nothing
    r"\W*(?:it|they|these|those|that|such|if|when|otherwise|note|also|only|the (?:following|same|current))\b", re.I
)
RELEASE = re.compile(r"v?\d+(?:\.\w+)+|(?:19|20)\d\d-\d\d-\d\d")
CHANGES = content_words("release releases changelog changes news history version versions")
GENERIC = frozenset("most all some many several few every each both other another same different only".split())


def are_siblings(c: Comparison) -> bool:
    """Whether the sentences are parallel parts of one document, or each speaks of its own document; symmetric."""
    a, b = c.pair.a, c.pair.b
    if not a.document or not b.document:
        return False
    if _releases_differ(a, b):
        return True
    if a.document != b.document:
        return bool(OF_DOCUMENT.match(c.a) or OF_DOCUMENT.match(c.b)) or _headings_fill(c)
    if a.kind == b.kind == "row":
        return _first_cell(a.text) != _first_cell(b.text)
    if _terms_differ(a.text, b.text) or _cases_differ(c.a, c.b):
        return True
    if _describes(c.a) and _describes(c.b):
        return True
    one, two = instruction(c.a), instruction(c.b)
    if one and two:
        return one != two
    return _is_parallel(c) and _subjects_differ(c)


def instruction(text: str) -> str:
    """Return the verb of a sentence that has no subject: what to do, or what something does; else nothing.

    >>> [instruction(t) for t in ("Do not add them.", "Returns the size.", "Unlike the team, it grows.")]
    ['add', 'return', '']
    """
    match = INSTRUCTION.match(text)
    verb = (match["forbidden"] or match["verb"]).lower() if match else ""
    return "" if verb in STOP_WORDS | NO_VERB else stem(verb)


def _first_cell(row: str) -> str:
    return row.strip().strip("|").partition("|")[0].strip().lower()


def _is_parallel(c: Comparison) -> bool:
    return bool(c.replaced) and c.containment >= PARALLEL


def _releases_differ(a: Sentence, b: Sentence) -> bool:
    """Whether each is a note on a release of its own, in a list of changes."""
    one, two = _told(a), _told(b)
    first, second = ({w for w in words if RELEASE.fullmatch(w)} for words in (one, two))
    return bool(first and second and not first & second and one & CHANGES and two & CHANGES)


def _describes(text: str) -> bool:
    """Whether the sentence says something of the entry that it stands under: "Default: 5.", "Returns the size."."""
    match = INSTRUCTION.match(text)
    if match and instruction(text):
        return bool(match["verb"]) and match["verb"].endswith("s")
    return bool(LEANING.match(text)) and not ELSEWHERE.match(text)


def _terms_differ(a: str, b: str) -> bool:
    """Whether each opens with a term of its own, as in a list of options: "`64` Query the …", "`32` Query the …"."""
    one, two = TERM.match(a), TERM.match(b)
    return one is not None and two is not None and one[1] != two[1]


def _cases_differ(a: str, b: str) -> bool:
    """Whether each sentence opens with a case, and the cases are not the same: "If it matches, …", "Otherwise, …"."""
    one, two = CASE.match(a), CASE.match(b)
    return one is not None and two is not None and one[1].lower().split() != two[1].lower().split()


def _subjects_differ(c: Comparison) -> bool:
    """Whether one thing stands for another before the verb: "the library file will …"; who does it may be the clash."""
    one, two = _before_verb(c.a), _before_verb(c.b)
    return not (AGENT.search(one) or AGENT.search(two)) and any(
        _is_thing(x) and _is_thing(y) and x in one and y in two for x, y in c.replaced
    )


def _before_verb(text: str) -> str:
    """Return what stands before the first verb that has a content word before it; all where there is no such verb."""
    starts = sorted([*(m.start() for m in FINITE.finditer(text)), *(m.start() for m in WITH_OBJECT.finditer(text))])
    return next((text[:at] for at in starts if content_words(text[:at])), text)


def _is_thing(words: str) -> bool:
    """Whether the words are a common noun or an identifier: no name or number, which may be a value, no quantifier."""
    is_name = any(w[0].isupper() and not w.isupper() for w in words.split())
    said = {w for w in content_words(words) - GENERIC - SPELLED.keys() if not w[0].isdigit()}
    return bool(said) and (not is_name or bool(identifiers(words)))


def _headings_fill(c: Comparison) -> bool:
    """Whether parallel sentences of two documents each hold in one place what their own headings are about."""
    if not _is_parallel(c):
        return False
    one, two = _told(c.pair.a), _told(c.pair.b)
    return any(
        _fits(x, one) and _fits(y, two) and not _fits(x, two) and not _fits(y, one) for x, y in c.replaced
    )  # fmt: skip


def _told(sentence: Sentence) -> frozenset[str]:
    """Return the words of the headings and of the document's path, identifiers taken apart."""
    words = " ".join([*sentence.headings, sentence.document.rpartition(".")[0].replace("/", " ")])
    return content_words(re.sub(r"[^\w.\-]+|_", " ", words))


def _fits(words: str, told: frozenset[str]) -> bool:
    return any(w == t or (min(len(w), len(t)) >= 4 and (w in t or t in w)) for w in content_words(words) for t in told)
