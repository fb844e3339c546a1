"""The value detector: quantities that disagree about a shared attribute of two sentences.

Precision before recall: two quantities are compared only when they measure the same, play the same part in their
sentences (the words beside them match best), and the sentences around them otherwise speak of the same thing: no
other year, name or qualifier stands in a second slot.  Reading the quantities is `detectors.quantities`' work.  Knows
nothing about models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from itertools import pairwise
from math import fsum

from .evidence import ConflictType, Finding
from .quantities import Quantity, extract
from .quantities.identifiers import LABELS
from .words import STOP_WORDS, WORD, names, stem

MIN_STRENGTH = 0.25  # below it the sentences share too little for the values to be of one attribute
LOWER, UPPER = frozenset(("min", "least", "over")), frozenset(("max", "most", "under"))
STRICT, RULES = frozenset(("over", "under")), frozenset(("min", "max"))
DATE_KINDS = frozenset(("date", "weekday"))
POINTS = frozenset(("date", "weekday", "time", "ordinal"))  # an equal one elsewhere always speaks against a clash
CONVERTED = 0.04  # share by which a value may move when it is rounded in another unit: 5 km is 3.1 mi
THREE_DIGITS = 0.005  # the same for one that is given to three digits: 304 hours are 18,200 minutes
ROUNDED = 0.02  # share by which a figure may move when its last digits are left out
BINARY = 0.1  # a TB of 1024 GB of 1024 MB
AGREEING_MARGIN = 0.5  # a value that agrees elsewhere counts as that one's, unless its part is this much less alike
ALIKE = 0.8  # share of common words from which two figures with one bound ("over 200", "over 2,000") can clash,
FAR = 1.25  # … if one is this much larger
FRAME = 3  # tokens on each side that show two quantities to stand in one place
FRAMED = 2.0  # the likeness of such two, above that of any others
REACH = 6  # content words on each side that say which part a quantity plays
TOKEN = re.compile(WORD.pattern + r"|[,;:()]")
CASE = re.compile(
    r"\b(?:with|after|aged?|under|over|above|below|beyond|if|when|weighing|exceeding|than)\s(?:\w+\s){0,2}$", re.I
)
LISTING = re.compile(r"\s?(?:[,/&]|,?\s?(?:and|or))\s?")
CLAUSE = frozenset((",", ";", "(", ")", "and", "but", "while", "whereas", "or"))
YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d(?!\d|,\d)")
ONE_SIDED = tuple(  # what makes a figure one of another thing when only one side says so
    re.compile(pattern, re.I)
    for pattern in (
        r"\b(?:total|overall|altogether|combined|worldwide|global(?:ly)?|in all|as a whole|sum|together|full year)\b",
        r"\balone\b|^\W*of (?:its|their|the|this|these)\b",
        r"\b(?:sample|example|for instance|e\.g\.)",
        r"\b(?:former(?:ly)?|previous(?:ly)?|repealed|superseded|no longer|used to)\b",
    )
)
NUMBERED = re.compile(
    rf"(?<!\w)(?P<label>{'|'.join(LABELS)}|days?|weeks?|months?|years?|cycle|round|run|visit|attempt|test|firing)\.?"
    r"\s?#?(?P<number>\d{1,3}(?:\.\d+)*)(?![\d,]*\d)",
    re.I,
)
SYNONYMS = {
    word: group.split("/")[0]
    for group in """employee/staff/worker/personnel cost/price/charge/fee last/take/run begin/start/open/launch/commence
    receive/get/entitl/given/grant/eligibl buy/purchase/acquir film/movie firm/company/business doctor/physician
    kid/child/children car/vehicle end/expire/finish/close/terminate weigh/weight height/tall/high wide/width
    long/length deep/depth use/usage need/require stor/hold/keep/retain limit/cap/maximum customer/client
    complete/finish build/construct/built pupil/student earn/gros/make/made sell/sold worldwide/global/globally/total
    fly/flight refund/reimburs
    pay/paid/payment term/period month/monthly year/annual/yearly/annually day/daily week/weekly holiday/leave/vacation
    die/death/died/dead born/birth marri/wed live/resid site/location temperature/temp notice/notify per/each
    password/passphrase reply/respond/response answer/response deliver/delivery/ship/arrive found/establish
    release/publish/issu""".split()
    for word in group.split("/")
}
DIMENSIONS = {
    form: group.split("/")[0]
    for group in "wide/width long/length high/tall/height deep/depth thick/thickness old/age heavy/weight".split()
    for form in group.split("/")
}


@dataclass(frozen=True, slots=True)
class _Slot:
    """A quantity and the words around it, nearer ones heavier: the part it plays in the sentence."""

    quantity: Quantity
    words: dict[str, float]
    dimension: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class _Profile:
    """What the comparison needs to know of one sentence, each thing computed once and only when asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.quantities = extract(text)
        self.kinds = frozenset(_base(q.kind) for q in self.quantities)

    @cached_property
    def bare(self) -> str:
        return without_quantities(self.text)

    @cached_property
    def unread(self) -> frozenset[str]:
        """The digits that belong to no quantity."""
        return _digits(self.bare)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The content words without quantities, in order, synonyms as one."""
        return _stems(self.bare)

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(self.stems)

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(_fold(n) for n in names(self.bare))

    @cached_property
    def years(self) -> frozenset[int]:
        """The years that the sentence mentions, in a date or as a qualifier ("the 2018 report")."""
        dated = {int(q.low) // 10_000 for q in self.quantities if q.kind == "date"} - {0}
        return frozenset(dated | {int(y) for y in YEAR.findall(self.bare)})

    @cached_property
    def numbered(self) -> dict[str, frozenset[str]]:
        """The numbered things that the sentence names: "day 6", "phase 2"."""
        found: dict[str, frozenset[str]] = {}
        for match in NUMBERED.finditer(self.text):
            label = stem(match["label"].lower())
            found[label] = found.get(label, frozenset()) | {match["number"]}
        return found

    @cached_property
    def lists(self) -> dict[int, int]:
        """The start of each quantity of a list ("1969, 1970 or 1972"), with that of the list's first."""
        first: dict[int, int] = {}
        for a, b in pairwise(self.quantities):
            if _base(a.kind) == _base(b.kind) and LISTING.fullmatch(self.text[a.end : b.start]):
                first[b.start] = first.setdefault(a.start, a.start)
        return first

    @cached_property
    def slots(self) -> tuple[_Slot, ...]:
        return tuple(_slot(self.text, q, self.quantities) for q in self.quantities)


@lru_cache(maxsize=20_000)
def _profile(text: str) -> _Profile:
    return _Profile(text)


def _fold(word: str) -> str:
    found = stem(word)
    return SYNONYMS.get(found) or SYNONYMS.get(word) or (found.removesuffix("e") if len(found) > 3 else found)


@lru_cache(maxsize=50_000)
def _stems(text: str) -> tuple[str, ...]:
    return tuple(_fold(w) for w in WORD.findall(text.lower()) if w not in STOP_WORDS)


def _base(kind: str) -> str:
    """Return the kind without what it is per, times of either clock as one."""
    return "time" if kind.startswith("time") else kind.partition(" per ")[0]


def _slot(text: str, q: Quantity, others: tuple[Quantity, ...]) -> _Slot:
    left = max((o.end for o in others if o.end <= q.start), default=0)
    right = min((o.start for o in others if o.start >= q.end), default=len(text))
    words: dict[str, float] = {}
    tokens = list(TOKEN.finditer(text.lower()))
    before = [t for t in tokens if t.end() <= q.start][::-1]
    after = [t for t in tokens if t.start() >= q.end]
    for side in (before, after):
        weight, distance, crossed = 1.0, 0, False
        for token in side:
            word = token.group()
            if word in CLAUSE:
                weight *= 0.3
            elif not crossed and not left <= token.start() < right:
                weight, crossed = weight * 0.5, True
            if word[0].isalpha() and word not in STOP_WORDS:
                folded = _fold(word)
                words[folded] = max(words.get(folded, 0.0), weight / (1 + 0.3 * distance))
                distance += 1
            if distance == REACH:
                break
    beside = [DIMENSIONS[t.group()] for t in (*after[:1], *before[:4]) if t.group() in DIMENSIONS]
    return _Slot(q, words, beside[0] if beside else "", _frame(before, others), _frame(after, others))


def _frame(side: list[re.Match[str]], others: tuple[Quantity, ...]) -> tuple[str, ...]:
    """Return the next tokens on one side, "#" for one of another quantity, "" for the end of the text."""
    found = tuple("#" if any(o.start <= t.start() < o.end for o in others) else t.group() for t in side[:FRAME])
    return found if len(found) == FRAME else (*found, "")


def without_quantities(text: str) -> str:
    """Return the text with a space in place of each quantity."""
    for q in reversed(extract(text)):
        text = text[: q.start] + " " + text[q.end :]
    return text


def same_kind(a: Quantity, b: Quantity) -> bool:
    """Whether both measure the same: one kind, one counted thing, one end of a span, per the same.

    A rate may leave unsaid what it is per.
    """
    if a.kind == b.kind or _base(a.kind) == _base(b.kind):
        per, other = a.kind.partition(" per ")[2], b.kind.partition(" per ")[2]
        return (per == other or not per or not other) and _same_noun(a, b) and _same_role(a, b)
    return False


def _same_noun(a: Quantity, b: Quantity) -> bool:
    """Whether the last words of what is counted match: "273 confirmed cases", "280 cases"."""
    if a.noun == b.noun:
        return True
    if not a.kind.startswith(("count", "ordinal")) or not a.noun or not b.noun:
        return a.kind.startswith(("duration", "version")) and (not a.noun or not b.noun)
    one, two = ([SYNONYMS.get(w, w) for w in q.noun.split()] for q in (a, b))
    return bool(set(one) & set(two)) and (one[0] == two[0] or one[-1] in two or two[-1] in one)


def _same_role(a: Quantity, b: Quantity) -> bool:
    if a.role == b.role:
        return True
    pair = {a.role, b.role}
    if _base(a.kind) in ("date", "time", "weekday"):
        return pair in ({"from", "start"}, {"to", "end"})
    return pair == {"", "to"}


def compatible(a: Quantity, b: Quantity) -> bool:
    """Whether both can be true: equal within what was written, overlapping ranges, or a bound that holds."""
    kind = _base(a.kind)
    if kind == "date":
        return _dates_agree(a, b)
    if kind == "version":
        return _versions_agree(a, b)
    if kind == "score":
        return (a.low, a.high) == (b.low, b.high)
    if kind == "time" and "time 12h" in (a.kind, b.kind):
        return bool(a.bound or b.bound) or a.low % 720 == b.low % 720
    slack = _slack(a, b)
    if a.low < a.high and b.low < b.high and not (a.approximate or b.approximate):
        return abs(a.low - b.low) <= slack and abs(a.high - b.high) <= slack
    return _bounded(a, b, (a.low - slack, a.high + slack), (b.low, b.high))


def _bounded(a: Quantity, b: Quantity, one: tuple[float, float], two: tuple[float, float]) -> bool:
    """Whether two intervals agree, each narrowed or opened by its bound."""
    if a.bound in RULES and a.bound == b.bound:  # two rules, each naming the limit
        return _overlap(one, two)
    if (a.bound in LOWER and b.bound in LOWER) or (a.bound in UPPER and b.bound in UPPER):
        return True
    one, two = _opened(a, one), _opened(b, two)
    if one[1] == two[0] or two[1] == one[0]:
        touching = [q for q in (a, b) if q.bound in STRICT and not _is_round(q.text)]
        return not touching or one == two
    return _overlap(one, two)


def _opened(q: Quantity, span: tuple[float, float]) -> tuple[float, float]:
    infinite = float("inf")
    return (span[0] if q.bound not in UPPER else -infinite, span[1] if q.bound not in LOWER else infinite)


def _overlap(one: tuple[float, float], two: tuple[float, float]) -> bool:
    return one[0] <= two[1] + 1e-9 * abs(two[1]) and two[0] <= one[1] + 1e-9 * abs(one[1])


def _is_round(text: str) -> bool:
    """Whether a figure may have been rounded before "more than" was put before it: 50, 1,000, 5 million."""
    digits = re.sub(r"\D", "", text)
    return not digits or digits.endswith("0") or bool(re.search(r"illion|thousand|bn|[km]\b", text, re.I))


def _slack(a: Quantity, b: Quantity) -> float:
    """How far two values of one kind may lie apart because of rounding, hedging or conversion."""
    size = max(abs(a.low), abs(a.high), abs(b.low), abs(b.high))
    if hedged := [q.half_step for q in (a, b) if q.approximate and not q.bound]:
        return max(hedged)
    kind = _base(a.kind)
    if kind == "interval":
        return CONVERTED * size
    if a.unit != b.unit and kind not in ("count", "percent", "money"):
        if kind == "data":
            return BINARY * size
        if kind == "temperature":
            return max(a.half_step, b.half_step)
        return max(THREE_DIGITS * size, min(max(a.half_step, b.half_step), CONVERTED * size))
    if a.half_step != b.half_step:
        scaled = kind.startswith(("money", "count"))  # of these only figures such as "5 million" have a half step
        return min(max(a.half_step, b.half_step), (CONVERTED if scaled else ROUNDED) * size)
    return _digits_left_out(a, b) if kind == "count" else 0.0


def _digits_left_out(a: Quantity, b: Quantity) -> float:
    """Half of the place to which the rounder of two counts is rounded: 1,500 employees may be 1,487."""
    places = sorted(_place(q.low) for q in (a, b))
    return min(0.5 * places[1], ROUNDED * max(a.low, b.low)) if places[1] >= 100 and places[0] < places[1] else 0.0


def _place(value: float) -> float:
    place = 1.0
    while value and value % (10 * place) == 0:
        place *= 10
    return place


def _versions_agree(a: Quantity, b: Quantity) -> bool:
    """Whether one version is a prefix of the other (3.1 and 3.1.2, 2 and 2.0), or a bound holds."""
    if a.bound or b.bound:
        return _bounded(a, b, (a.low, a.high), (b.low, b.high))
    one, two = (re.findall(r"\d+", q.text) for q in (a, b))
    return all(int(x) == int(y) for x, y in zip(one, two, strict=False))


def _dates_agree(a: Quantity, b: Quantity) -> bool:
    """Whether two dates may be of one event, compared in the parts (year, month, day) that both give."""
    if "as of" in (a.bound, b.bound):
        return True
    dated = a.low >= 10_000 and b.low >= 10_000
    if not dated and (_month(a) == 0 or _month(b) == 0):
        return True
    one, two = _days(a, dated), _days(b, dated)
    if not a.bound and not b.bound:
        return _overlap(one, two)
    if a.bound in RULES and a.bound == b.bound:
        return _overlap(one, two)
    if (a.bound in LOWER and b.bound in LOWER) or (a.bound in UPPER and b.bound in UPPER):
        return True
    return _before_or_after(a, one, two) and _before_or_after(b, two, one)


def _before_or_after(q: Quantity, limit: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether a date lies on the side that a bound leaves open; the day itself only if the bound includes it."""
    if q.bound in UPPER:
        return other[0] < limit[0] if q.bound == "under" else other[0] <= limit[1]
    if q.bound in LOWER:
        return other[1] > limit[1] if q.bound == "over" else other[1] >= limit[0]
    return True


def _month(q: Quantity) -> int:
    return int(q.low) // 100 % 100


def _days(q: Quantity, dated: bool) -> tuple[float, float]:
    """Return the first and the last day that a date may mean, as yyyymmdd, or mmdd without the years."""
    low, high = int(q.low), int(q.high)
    first = low + (100 if not low // 100 % 100 else 0)
    last = high + (1200 if not high // 100 % 100 else 0)
    first, last = first + (0 if first % 100 else 1), last + (0 if last % 100 else 31)
    return (first, last) if dated else (first % 10_000, last % 10_000)


def same_values(a: str, b: str) -> bool:
    """Whether every quantity of the sentence with fewer has a compatible counterpart in the other."""
    one, two = sorted((extract(a), extract(b)), key=len)
    return bool(one) and all(any(same_kind(x, y) and compatible(x, y) for y in two) for x in one)


def disagreement(a: str, b: str) -> Finding | None:
    """Return a finding when both sentences give one attribute exclusive values.

    >>> disagreement("The trial lasts 14 days.", "The trial lasts 30 days.").explanation
    '"14 days" against "30 days"'
    """
    one, two = _profile(a), _profile(b)
    if not one.kinds & two.kinds:
        return None
    subject = _subject(one, two)
    if subject < MIN_STRENGTH:
        return None
    clashes = _clashes(one, two)
    clashes = [c for c in clashes if c.likeness == FRAMED] or clashes
    if not clashes or _scopes_differ(one, two, clashes):
        return None
    best = max(clashes, key=lambda c: (c.likeness, -c.x.start - c.y.start, sorted((c.x.text, c.y.text))))
    strength = subject * (0.5 + 0.5 * min(1.0, best.likeness))
    if strength < MIN_STRENGTH:
        return None
    kind = ConflictType.DATE if best.x.kind in DATE_KINDS else ConflictType.VALUE
    return Finding(kind, min(1.0, strength), f'"{best.x.text.strip()}" against "{best.y.text.strip()}"')


@dataclass(frozen=True, slots=True)
class _Match:
    """Two quantities of one kind; ``likeness`` of the parts they play: 0..1, or `FRAMED` for the very same place."""

    x: Quantity
    y: Quantity
    likeness: float
    agrees: bool


def _clashes(one: _Profile, two: _Profile) -> list[_Match]:
    """Return the quantities that play one part in both sentences and exclude each other."""
    alike = len(one.words & two.words) >= ALIKE * len(one.words | two.words)
    kin = [
        (i, j, compatible(x, y) and not (alike and _far_bounds(x, y)))
        for i, x in enumerate(one.quantities)
        for j, y in enumerate(two.quantities)
        if same_kind(x, y)
    ]
    if all(agrees for _, _, agrees in kin):
        return []
    matches = [_match(one.slots[i], two.slots[j], agrees) for i, j, agrees in kin]
    table = [m for m in matches if m is not None]
    return [m for m in table if not m.agrees and _is_best(m, table) and not _agrees_elsewhere(m, table, one, two)]


def _match(x: _Slot, y: _Slot, agrees: bool) -> _Match | None:
    if x.dimension and y.dimension and x.dimension != y.dimension:
        return None
    return _Match(x.quantity, y.quantity, FRAMED if _framed(x, y) else _likeness(x, y), agrees)


def _far_bounds(x: Quantity, y: Quantity) -> bool:
    """Whether two figures are described by one bound and lie far apart: "more than 200", "more than 2,000"."""
    low, high = sorted((abs(x.low), abs(y.low)))
    described = x.bound == y.bound and x.bound in LOWER | UPPER
    return described and _base(x.kind) != "date" and high > FAR * low


def _is_best(clash: _Match, table: list[_Match]) -> bool:
    """Whether no other partner of either quantity plays a part more alike, or nearly so and agrees."""
    rivals = [m for m in table if (m.x is clash.x) != (m.y is clash.y)]
    margin = 0.0 if clash.likeness == FRAMED else 1.0 if _base(clash.x.kind) in POINTS else AGREEING_MARGIN
    return not any(
        m.likeness > clash.likeness + 1e-9 or (m.agrees and m.likeness >= clash.likeness - margin) for m in rivals
    )


def _agrees_elsewhere(clash: _Match, table: list[_Match], one: _Profile, two: _Profile) -> bool:
    """Whether a member of a list agrees ("in 2011 or 2012"), or the digits stand in the other text as no quantity."""
    left, right = one.lists.get(clash.x.start), two.lists.get(clash.y.start)
    for m in table:
        if m.agrees and m.y is clash.y and left is not None and one.lists.get(m.x.start) == left:
            return True
        if m.agrees and m.x is clash.x and right is not None and two.lists.get(m.y.start) == right:
            return True
    unread = _digits(clash.y.text) & one.unread or _digits(clash.x.text) & two.unread
    return bool(unread) and clash.likeness != FRAMED


def _digits(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\d+(?:[.,]\d+)*", text))


def _framed(x: _Slot, y: _Slot) -> bool:
    """Whether the same words stand right before and right after both quantities: one place in one sentence."""
    left, right = _run(x.before, y.before), _run(x.after, y.after)
    return left >= 1 and right >= 1 and left + right >= FRAME + 1


def _run(one: tuple[str, ...], two: tuple[str, ...]) -> int:
    """Return how many tokens match from the quantity outwards; a common end of the text counts as one."""
    alike = [x == y for x, y in zip(one, two, strict=False)]
    return alike.index(False) if False in alike else len(alike)


def _likeness(x: _Slot, y: _Slot) -> float:
    """Overlap, 0..1, of the words beside both quantities, by their nearness."""
    shared = fsum(min(x.words[w], y.words[w]) for w in x.words.keys() & y.words.keys())
    total = min(fsum(x.words.values()), fsum(y.words.values()))
    return min(1.0, shared / total) if total else 0.0


def _subject(one: _Profile, two: _Profile) -> float:
    """Share of the shorter side's content words, quantities removed, that the other side has too."""
    left, right = one.words, two.words
    if not left or not right:
        return 0.0
    shared = len(left & right)
    return shared / min(len(left), len(right)) * min(1.0, 0.5 + shared / max(len(left), len(right)))


def _scopes_differ(one: _Profile, two: _Profile, clashes: list[_Match]) -> bool:
    """Whether a second slot tells the values apart: another date, name, qualifier or part of a whole."""
    if any(c.x.kind not in DATE_KINDS for c in clashes):
        if one.years and two.years and not one.years & two.years:
            return True
        if _times_differ(one, two):
            return True
    if one.names - two.words and two.names - one.words:
        return True
    if _conditions_differ(one, two, clashes):
        return True
    if one.words != two.words and any(bool(p.search(one.text)) != bool(p.search(two.text)) for p in ONE_SIDED):
        return True
    if any(not numbers & two.numbered[label] for label, numbers in one.numbered.items() if label in two.numbered):
        return True
    return _qualifier_replaced(one, two)


def _conditions_differ(one: _Profile, two: _Profile, clashes: list[_Match]) -> bool:
    """Whether one clash only tells for which case the other holds: "with 5 years of service … 30 days of leave"."""
    cases = [c for c in clashes if CASE.search(one.text[: c.x.start]) and CASE.search(two.text[: c.y.start])]
    return any(c.x is not case.x and c.y is not case.y for case in cases for c in clashes)


def _times_differ(one: _Profile, two: _Profile) -> bool:
    """Whether both sides are dated, and differently: then other figures may differ too."""
    left, right = ([q for q in p.quantities if q.kind in DATE_KINDS] for p in (one, two))
    free = [(x, y) for x in left for y in right if x.kind == y.kind]
    return bool(free) and not any(_same_day(x, y) for x, y in free)


def _same_day(x: Quantity, y: Quantity) -> bool:
    if x.kind == "weekday":
        return x.low == y.low
    if (x.bound in STRICT) != (y.bound in STRICT):
        return False
    dated = x.low >= 10_000 and y.low >= 10_000
    return (not dated and 0 in (_month(x), _month(y))) or _overlap(_days(x, dated), _days(y, dated))


def _qualifier_replaced(one: _Profile, two: _Profile) -> bool:
    """Whether the sentences match but for one word or two: "the basic plan", "the premium plan"."""
    left, right = one.stems, two.stems
    if not (one.words - two.words and two.words - one.words):
        return False
    swapped = right < left
    if swapped:
        left, right = right, left
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    changed = [(i2 - i, j2 - j) for tag, i, i2, j, j2 in blocks if tag != "equal"]
    return len(changed) == 1 and 0 < max(changed[0]) <= 2 and min(changed[0]) > 0
