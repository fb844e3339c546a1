"""Edits of one sentence by rule: `contradict` makes it clash with itself, `restate` keeps what it says.

The kinds follow *Contradiction Detection in RAG Systems* (arXiv 2504.00180), where a language model writes the
contradictions; here closed rules do, so that every edit is known, offline and the same for the same seed.  A rule
that is not sure refuses.  Knows nothing about passages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import chain
from random import Random

from detectors.language import ENGLISH, unsupported_script_or_language
from detectors.values import IDENTIFIER, SPELLED, extract
from detectors.words import NEGATION

from . import english as en
from . import quantities
from .english import Names, Token, main_verb, tokens


class EditKind(StrEnum):
    """The first nine contradict, the others are controls."""

    NUMBER = "number"
    DATE = "date"
    UNIT = "unit"
    NEGATION = "negation"
    ANTONYM = "antonym"
    ROLE_SWAP = "role_swap"
    ENTITY_SWAP = "entity_swap"
    EXCEPTION = "exception"
    QUANTIFIER = "quantifier"
    CONVERSION = "conversion"
    NUMBER_FORMAT = "number_format"
    DATE_FORMAT = "date_format"
    CONTRACTION = "contraction"
    VOICE = "voice"
    SYNONYM = "synonym"
    REORDER = "reorder"
    ADDITION = "addition"
    OMISSION = "omission"
    DOUBLE_NEGATION = "double_negation"
    ROUNDING = "rounding"


CONTRADICTING = tuple(EditKind)[:9]
CONTROLS = tuple(EditKind)[9:]
ABOUT_QUANTIFIERS = (EditKind.EXCEPTION, EditKind.QUANTIFIER)


@dataclass(frozen=True, slots=True)
class Edit:
    """One edited sentence.

    ``old == before[slice(*old_span)]`` was replaced by ``new == after[slice(*new_span)]``; outside of these the
    texts are equal.  A pure insertion or removal has an empty side.
    """

    kind: EditKind
    before: str
    after: str
    old: str
    new: str
    old_span: tuple[int, int]
    new_span: tuple[int, int]

    @property
    def contradicts(self) -> bool:
        return self.kind in CONTRADICTING


Rule = Callable[[str, Random], Iterator[en.Changes]]
MIN_WORDS, MAX_WORDS = 4, 45
CODE = re.compile(r"[{}<>=`|\\_@~^*#\[\]]|://|\(\)|\w\.\w+\(|\.\.\.|…")
ENDING = re.compile(r"[.!][\"”’')]*$")
QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|‘[^’]*’|(?<![\w])'[^']*'(?!\w)")
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
    toks = tokens(sentence)
    words = [t.low for t in toks if t.is_word]
    if not MIN_WORDS <= len(words) <= MAX_WORDS or not ENDING.search(sentence) or "?" in sentence:
        return False
    if CODE.search(sentence) or not (sentence[0].isupper() or sentence[0].isdigit() or sentence[0] in '"“'):
        return False
    if sentence.count('"') % 2 or sentence.count("(") != sentence.count(")") or sentence.count(":") > 1:
        return False
    return len(ENGLISH.intersection(words)) >= 1 and unsupported_script_or_language(sentence) is None


def contradict(sentence: str, rng: Random, kind: EditKind | None = None, names: Names | None = None) -> Edit | None:
    """Return an edit that makes the sentence incompatible with itself, or None where no rule is sure.

    ``kind`` asks for one of `CONTRADICTING`; without it the kinds are tried in random order.  ``names`` are the
    names that an entity swap may put in (`english.Names.of`); without them there is no entity swap.

    >>> contradict("The trial ended on 3 May 2021.", Random(1), EditKind.NEGATION).after
    'The trial did not end on 3 May 2021.'
    """
    if kind is not None and kind not in CONTRADICTING:
        raise ValueError(f"{kind.value} does not contradict; ask for one of {', '.join(CONTRADICTING)}")
    if not usable(sentence) or HEDGE.search(sentence):
        return None
    rules = _CONTRADICTING | {EditKind.ENTITY_SWAP: partial(_entity_swaps, names=names or Names())}
    if OPENING.match(sentence):
        rules = {k: rule for k, rule in rules.items() if k in ABOUT_QUANTIFIERS}
    return _first(sentence, rng, rules, kind)


def restate(sentence: str, rng: Random, kind: EditKind | None = None) -> Edit | None:
    """Return an edit that the sentence itself implies, or None where no rule is sure; ``kind`` as above.

    >>> restate("The route is 5 km long and flat.", Random(0), EditKind.CONVERSION).new
    '3.1 miles'
    """
    if kind is not None and kind not in CONTROLS:
        raise ValueError(f"{kind.value} is no control; ask for one of {', '.join(CONTROLS)}")
    return _first(sentence, rng, _CONTROLS, kind) if usable(sentence) else None


def _first(sentence: str, rng: Random, rules: dict[EditKind, Rule], kind: EditKind | None) -> Edit | None:
    for each in rng.sample(list(rules), len(rules)) if kind is None else [k for k in rules if k is kind]:
        choices = list(rules[each](sentence, rng))
        for changes in rng.sample(choices, len(choices)):
            edit = _apply(each, sentence, changes)
            if edit and (each in CONTROLS or not _protected(sentence, changes)):
                return edit
    return None


def _apply(kind: EditKind, before: str, changes: en.Changes) -> Edit | None:
    after, shift = before, 0
    for start, end, new in sorted(changes):
        after = after[: start + shift] + new + after[end + shift :]
        shift += len(new) - (end - start)
    if after[:1].islower() and before[:1].isupper():
        after = after[:1].upper() + after[1:]
    if " ".join(after.split()) == " ".join(before.split()):
        return None
    start, end = min(c[0] for c in changes), max(c[1] for c in changes)
    if after[:start] != before[:start]:  # the new first letter
        start = 0
    return Edit(kind, before, after, before[start:end], after[start : end + shift], (start, end), (start, end + shift))


def _protected(text: str, changes: en.Changes) -> bool:
    """Whether a change touches an identifier, a quotation or a title in quotes."""
    spans = [m.span() for pattern in (IDENTIFIER, QUOTED) for m in pattern.finditer(text)]
    dated = [(q.start, q.end) for q in extract(text)]
    spans = [s for s in spans if not any(s[0] >= d[0] and s[1] <= d[1] for d in dated)]
    return any((start < b and a < end) or a < start == end < b for start, end, _ in changes for a, b in spans)


# --- negation ----------------------------------------------------------------------------------------------------

SCOPE_SENSITIVE = frozenset(
    "because until unless only already too both either just even also still solely merely so instead rather "
    "hardly barely scarcely whatever whoever regardless despite nor neither yet lest".split()
)
# Words that do not stand right behind "not", or that "not" would deny instead of the verb.
POSITIVE_POLARITY = (en.EXISTENTIAL - {"one", "another", "other", "most"}) | frozenset(
    """mainly mostly largely partly primarily soon quite rather fairly approximately roughly about almost nearly
    originally eventually finally probably certainly perhaps now later then therefore thus sometimes often first
    initially once at much subsequently actually indeed followed""".split()
)
NEGATIVE_POLARITY = frozenset(
    "any anyone anybody anything anywhere ever yet anymore either nor neither until but".split()
)
SCOPED = NEGATIVE_POLARITY | {"because", "solely", "only", "even"}
IMPERSONAL = re.compile(
    r"(?:It|There)\s+(?:is|was|has been)\s+(?:\w+ly\s+)?"
    + en.either(
        "believed said thought possible claimed estimated reported known argued suggested important worth clear true "
        "certain hard easy difficult unclear noted assumed considered also"
    )
    + r"\b"
)
# "Not only", "not very", "not all": the negation is of that word.
LIMITED = frozenset(
    """only just necessarily merely simply even so all every everyone always until enough very particularly quite long
    as because solely too""".split()
)
CONTRACTED = {"can't": "can", "cannot": "can", "won't": "will", "shan't": "shall"}
NEGATED = re.compile(r"(?P<verb>\w+?)(?:n['’]t\b|\s+not\b)|\bcannot\b", re.I)


def _negations(text: str, rng: Random) -> Iterator[en.Changes]:
    if NEGATION.search(text):
        yield from _without_negation(text)
        return
    verb = main_verb(text)
    toks = tokens(text)
    if verb is None or IMPERSONAL.search(text):
        return
    if en.FREQUENCY & {t.low for t in toks[: verb.at + 3]}:
        return
    subject, rest = toks[verb.first : verb.at], [t.low for t in toks[verb.at + 1 :]]
    if not _definite(subject) or SCOPE_SENSITIVE & set(rest) or POSITIVE_POLARITY & set(rest[:3]):
        return
    at, following = toks[verb.at], toks[verb.at + 1]
    if verb.form != "aux":
        helper = {"past": "did", "third": "does", "base": "do"}[verb.form]
        yield [(at.start, at.end, f"{helper} not {verb.base}")]
    elif at.low in en.HAVE and not (en.is_participle(following.low) or en.is_adverb(following.low)):
        helper = {"has": "does", "have": "do", "had": "did"}[at.low]
        yield [(at.start, at.end, f"{helper} not have")]
    elif subject[0].low == "there":
        if following.low in ("a", "an"):
            yield [(following.start, following.end, "no")]
    elif at.low in en.HAVE | en.BE | en.MODALS and following.is_word and not following.low.endswith("n't"):
        yield [(at.end, at.end, " not")] if at.low != "can" else [(at.start, at.end, "cannot")]


def _definite(subject: Sequence[Token]) -> bool:
    """Whether denying the verb denies the sentence: no "some", "each" or "a man" as subject."""
    if not subject or subject[0].low in en.QUANTIFIED or (subject[0].low in ("this", "these") and len(subject) == 1):
        return False
    if {t.low for t in subject} & ((en.EXISTENTIAL - {"one", "other"}) | {"both", "all", "only", "also"}):
        return False
    return not subject[0].text[0].isdigit() and subject[0].low not in SPELLED.keys() | {"a", "an"}


def _without_negation(text: str) -> Iterator[en.Changes]:
    """Take away the one negation of the main verb phrase."""
    match = NEGATED.search(text) or re.search(r"\b(?P<never>never) ", text)
    if match is None or len(NEGATION.findall(text)) != 1 or _subordinate(text[: match.start()]):
        return
    toks = tokens(text)
    after = [t.low for t in toks if t.start >= match.end()]
    if SCOPED & set(after) or (after and after[0] in LIMITED):
        return
    word = match.group().lower().replace("’", "'")
    helper = (match.groupdict().get("verb") or "").lower()
    if word == "never ":
        yield [(*match.span(), "")]
    elif word in CONTRACTED:
        yield [(*match.span(), CONTRACTED[word])]
    elif helper in ("do", "does", "did"):
        yield from _without_do(text, match, helper, toks)
    elif helper in en.AUXILIARIES:
        yield [(*match.span(), match["verb"])]


def _without_do(text: str, match: re.Match[str], helper: str, toks: Sequence[Token]) -> Iterator[en.Changes]:
    base = next((t for t in toks if t.start >= match.end()), None)
    irregular = {"have": ("had", "has"), "do": ("did", "does")}
    if base is not None and base.low in en.PAST.keys() | irregular.keys():
        past, third = irregular.get(base.low) or (en.PAST[base.low], en.THIRD[base.low])
        yield [(match.start(), base.end, {"did": past, "does": third, "do": base.low}[helper])]


def _subordinate(before: str) -> bool:
    """Whether the words before a verb open a clause of their own, or hold a verb already."""
    words = re.findall(r"[a-z']+", before.lower())
    if "," in before.replace(",", "", 1) or set(words) & (en.SUBORDINATORS - {"and", "as", "once", "to", "so", "or"}):
        return True
    return any(w in en.AUXILIARIES or w in en.BASE_OF_PAST for w in words)


# --- antonyms ----------------------------------------------------------------------------------------------------

PREDICATES = en.opposites(en.PREDICATE_ANTONYMS)
VERBS = en.opposites(en.VERB_ANTONYMS)
SUPERLATIVES = en.opposites(en.SUPERLATIVES)
COMPARATIVES = en.opposites(en.COMPARATIVES)
PHRASES = en.opposites(en.PHRASE_ANTONYMS, "|")
PHRASE = re.compile(r"\b(?:" + "|".join(sorted(PHRASES, key=len, reverse=True)) + r")\b")
LINKS = en.BE | frozenset("become becomes became remain remains remained".split())
DEGREES = frozenset("very highly extremely completely fully entirely now generally usually relatively totally".split())
BASE_OF_PARTICIPLE = {p: b for b, p in en.PARTICIPLE.items()}
FORMS = {"past": en.PAST, "participle": en.PARTICIPLE, "third": en.THIRD, "base": {b: b for b in en.PAST}}
NO_INFINITIVE = frozenset("enable encourage permit prohibit".split())


def _antonyms(text: str, rng: Random) -> Iterator[en.Changes]:
    verb, toks = main_verb(text), tokens(text)
    if verb is None or NEGATION.search(text) or en.FREQUENCY & {t.low for t in toks}:
        return
    first = toks[verb.first].low
    if toks[verb.at].low == "can":  # what can be open can also be closed
        return
    if first in ("there", "symptoms") or first[0].isdigit() or re.match(r"A total\b", text):
        return
    if not _definite(toks[verb.first : verb.at]) and first not in ("a", "an", "this"):
        return
    used = {t.low for t in toks}
    found = (_predicates(text, toks, verb), _verbs(text, toks, verb), _degrees(toks, verb), _phrases(text, toks, verb))
    for changes in chain(*found):
        new = set(re.findall(r"\w+", changes[-1][2].lower())) - {"of", "in", "the", "a", "at", "for", "by"}
        if not used & new:  # "both public and private"
            yield changes


def _predicates(text: str, toks: Sequence[Token], verb: en.MainVerb) -> Iterator[en.Changes]:
    if toks[verb.at].low not in LINKS:
        return
    at = verb.at + 1
    article = toks[at] if toks[at].low in ("a", "an", "the") else None
    at += article is not None
    at += at < len(toks) and toks[at].low in DEGREES
    if at + 1 >= len(toks) or toks[at].low not in PREDICATES or toks[at].is_capital:
        return
    word, following = toks[at], toks[at + 1]
    blocked = en.BLOCKED_AFTER.get(word.low)
    if following.low in ("and", "or", "but", "to") and not (
        word.low in ("able", "willing", "unable", "unwilling", "easy", "difficult", "forbidden")
        and following.low == "to"
    ):
        return
    if (
        following.text in (",", "-", "–")
        or following.is_capital
        or (blocked and re.match(rf"\s*(?:{blocked})\b", text[word.end :]))
    ):
        return
    for new in PREDICATES[word.low]:
        changes: list[en.Change] = [(word.start, word.end, new)]
        if article and article.low != "the" and toks[at - 1] is article and en.article_for(new) != article.low:
            changes.insert(0, (article.start, article.end, en.article_for(new)))
        yield changes


def _verbs(text: str, toks: Sequence[Token], verb: en.MainVerb) -> Iterator[en.Changes]:
    at, form, base = verb.at, verb.form, verb.base
    if form == "aux":
        at += 1
        at += at < len(toks) and en.is_adverb(toks[at].low)
        at += at < len(toks) and toks[at].low == "been"
        if at + 1 >= len(toks):
            return
        form = "base" if verb.base in en.MODALS else "participle"
        base = toks[at].low if form == "base" else BASE_OF_PARTICIPLE.get(toks[at].low, "")
    needs = en.VERB_NEEDS.get(base, "")
    if needs and not re.match(rf"\s*(?:{needs})\b", text[toks[at].end :]):
        return
    if base in ("include", "exclude") and form == "base":  # "Notable members include the …": a list, not a rule
        return
    governs = {"to", "from"} & {t.low for t in toks[at : at + 8]}  # "encourages them to", but "discourages them from"
    for other in VERBS.get(base, ()):
        if not (governs and {base, other} & NO_INFINITIVE):
            yield [(toks[at].start, toks[at].end, FORMS[form][other])]


def _degrees(toks: Sequence[Token], verb: en.MainVerb) -> Iterator[en.Changes]:
    """Superlatives after "is the", comparatives before "than", in the main clause."""
    lows = [t.low for t in toks]
    linked = lows[verb.at] in LINKS
    for at in range(verb.at + 1, len(toks) - 1):
        low, previous, following = lows[at], lows[at - 1], toks[at + 1]
        if low in en.SUBORDINATORS - {"and", "to"} or toks[at].text in ",;:(":
            return
        if (
            linked
            and low in SUPERLATIVES
            and at - verb.at <= 4
            and (previous == "the" or previous.endswith(("'s", "’s")))
        ):
            fixed = (
                following.text[0].isdigit()
                or following.low
                in {
                    "known",
                    "of",
                    "recent",
                    "likely",
                    "and",
                    "half",
                    "two",
                    "few",
                    "or",
                    "common",
                    "important",
                    "three",
                    "step",
                    "time",
                    "interest",
                }
                | SPELLED.keys()
            )
            if not (
                fixed and low in ("best", "most", "first", "last", "worst", "least", "earliest", "latest")
            ) and following.low not in ("and", "or"):
                yield from ([(toks[at].start, toks[at].end, new)] for new in SUPERLATIVES[low])
        if low in COMPARATIVES and "than" in lows[at + 1 : at + 4] and not following.text[0].isdigit():
            after_than = toks[min(lows.index("than", at) + 1, len(toks) - 1)]
            if (
                lows[at + 1] == "than"
                and (after_than.text[0].isdigit() or after_than.low in SPELLED or after_than.text == "$")
                and low in ("more", "less")
            ):
                continue
            if previous not in ("no", "not", "any", "even", "once") and following.low != "often":
                fewer = low == "more" and en.is_plural(following.low)
                news = ("fewer",) if fewer else COMPARATIVES[low]
                yield from ([(toks[at].start, toks[at].end, new)] for new in news)


def _phrases(text: str, toks: Sequence[Token], verb: en.MainVerb) -> Iterator[en.Changes]:
    for match in PHRASE.finditer(text, toks[verb.at].end):
        between = text[toks[verb.at].end : match.start()]
        if (
            quantities.CLAUSE.search(between)
            or re.search(r"\b(?:and|or|that|than|in front|just)\b", between)
            or text[match.end() :].startswith("-")
        ):
            continue
        if not re.match(r"\s+(?:and|or)\b", text[match.end() :]):
            yield from ([(match.start(), match.end(), new)] for new in PHRASES[match.group()])


# --- roles -------------------------------------------------------------------------------------------------------

_ADJ = r"(?:\w+\s){0,1}"
_ROLE = rf"[Tt]he\s+{_ADJ}(?:{'|'.join(en.ROLES)})"
_NAME = r"(?:[Tt]he\s+)?[A-Z][\w&'’\-]*(?:\s+(?:of\s+(?:the\s+)?)?[A-Z][\w&\-]*){0,4}"
_PARTY = rf"(?:{_ROLE}|{_NAME})"
_OVER = "older|younger|larger|smaller|taller|shorter|bigger|longer|higher|faster|slower|heavier|richer|stronger|cheaper"
_ACTS = "|".join(sorted({f for b in en.ASYMMETRIC for f in (en.PAST.get(b, en.past(b)), en.third(b))}))
_DONE = "|".join(
    sorted({en.PARTICIPLE.get(b, en.past(b)) for b in en.ASYMMETRIC} - {"found", "led"} | {"founded", "led"})
)
ROLE_SENTENCE = re.compile(
    rf"^(?:(?:In|On|By)\s[^,]{{1,30}},\s)?(?P<a>{_PARTY})\s(?:later\s|then\s)?(?:{_ACTS}"
    rf"|(?:is|was)\s(?:\w+\s)?(?:{_OVER})\sthan|(?:is|was)\s(?:{_DONE})\sby"
    rf"|(?:is|was)\s(?:an?\s|the\s)?(?:\w+\s)?(?:{'|'.join(en.RELATIONS)})\sof|(?:is|was)\s(?:located|situated)\sin)"
    rf"\s(?P<b>{_PARTY})(?=[.;]|,\s(?:and|which|who|but|a|an|the|with|where|in|on)\s"
    r"|\s(?:in|on|at|for|with|after|during|to|from|under|as|within|about|until|against|but|and\s(?:was|is|became|has|had))\b)"
)


def _role_swaps(text: str, rng: Random) -> Iterator[en.Changes]:
    match = ROLE_SENTENCE.match(text)
    if not match or NEGATION.search(text):
        return
    a, b = match["a"], match["b"]
    if a.split()[0].lower() in en.PRONOUNS | en.QUANTIFIED | {"this", "that", "these", "those", "an", "a"} or {
        *a.lower().split()[1:]
    } & {*b.lower().split()[1:]}:
        return
    kinds = [re.fullmatch(_ROLE, side) is not None for side in (a, b)]
    if (
        kinds[0] != kinds[1]
        or en.is_plural(a.split()[-1]) != en.is_plural(b.split()[-1])
        or re.search(r"['’]s?$", a + b)
    ):
        return
    if a.split()[0].lower() in en.PREPOSITIONS | en.SUBORDINATORS | {"however"} or a == b:
        return
    first, second = b, a
    if a.startswith("The ") and match.start("a") == 0:
        second = "the " + a[4:]
    if b.startswith("the ") and match.start("a") == 0:
        first = "The " + b[4:]
    yield [(match.start("a"), match.end("a"), first), (match.start("b"), match.end("b"), second)]


# --- names -------------------------------------------------------------------------------------------------------

CAPITALS = r"[A-Z][\w&’'\-]*(?:\s(?:[A-Z]\.\s)?[A-Z][\w&’'\-]*){0,3}"
_AFTER_NAME = (
    r"(?=\.$|;|,\s(?:a|an|the|who|which|where|and [a-z]\w+ed)\s"
    r"|\s(?:in|on|as|to|from|by|during|after|at|for|with|until)\b)"
)
_PLACED = en.either(
    "born died located situated headquartered based held buried signed founded established raised filmed premiered "
    "built educated executed crowned debuted opened"
)
_BY_PERSON = en.either(
    "written directed composed designed invented discovered painted sung performed played portrayed coached narrated "
    "hosted voiced edited killed chaired headed sculpted choreographed succeeded"
)
_BY_ORGANISATION = en.either(
    "owned manufactured acquired published operated developed produced founded created managed built recorded won led "
    "defeated appointed established supplied distributed"
)
_DOES_ALONE = en.either(
    "wrote directed founded invented discovered won composed designed plays played portrays portrayed led leads "
    "created published opened acquired hosted hosts chairs chaired owns owned manufactures operates heads headed"
)
# (pattern, kind of name that stands there if the corpus does not tell): slots that one name fills alone.
NAME_SLOTS = (
    (re.compile(rf"\b(?:{_PLACED}\s(?:in|near)|capital of)\s(?P<name>{CAPITALS}){_AFTER_NAME}"), "place"),
    (re.compile(rf"\b{_BY_PERSON}\sby\s(?P<name>{CAPITALS}){_AFTER_NAME}"), "person"),
    (re.compile(rf"\b{_BY_ORGANISATION}\sby\s(?P<name>{CAPITALS}){_AFTER_NAME}"), ""),
    (
        re.compile(
            rf"^(?P<name>{CAPITALS})\s(?:(?:is|was|became)\sthe\s|(?:was|is)\s(?:elected|appointed|born|crowned)\b"
            rf"|{_DOES_ALONE}\s(?:the\b|[A-Z“\"]))"
        ),
        "",
    ),
)
# A slot that a second name could fill as well.
SHARED_SLOT = re.compile(
    r"\b(?:together with|along(?:side| with)|with|co-\w+|including|among others|jointly|also|such as)\b"
    r"|\b(?:is|was|became) (?:one of )?the (?:\w+ ){0,2}(?:of the|sons?|daughters?)\b"
)


def _entity_swaps(text: str, rng: Random, names: Names) -> Iterator[en.Changes]:
    if NEGATION.search(text) or SHARED_SLOT.search(text):
        return
    for pattern, guess in NAME_SLOTS:
        for match in pattern.finditer(text):
            name = match["name"]
            pool = [n for n in names.like(name, guess) if not any(w in text for w in n.split() if len(w) > 2)]
            if pool and text.count(name) == 1 and not any(text.count(part) > 1 for part in name.split()):
                yield [(match.start("name"), match.end("name"), rng.choice(pool))]


# --- exceptions and quantifiers ----------------------------------------------------------------------------------

DUTY = re.compile(
    r"\b(?:must|shall)\b(?!\s+(?:have|not|never|only|also|be able|still)\b)(?=\s[a-z])"
    r"|\b(?:is|are) required to\b|\b(?:has|have) to\b(?=\s[a-z])"
)
BAN = re.compile(
    r"\b(?:must|shall) not\b|\b(?:is|are) not (?:allowed|permitted) to\b|\b(?:is|are) (?:forbidden|prohibited) to\b"
)
EXCEPT = re.compile(r"(,?)\s(?:except for|except|excluding|with the exception of|apart from|other than)\s(?=[A-Za-z])")
GENERAL = re.compile(
    r"\b(?:(?<!than )(?:all|every|each|any(?! other)|everyone|everybody|everything|no|none|nobody|always))\b"
    r"(?P<between>(?:\s[\w'’\-]+){0,12})$",
    re.I,
)
ONLY_SOME = re.compile(
    r"Only (?!after|in|when|if|by|then|at|on|one|two|three|once|about)(?:the )?[a-z]+(?: [a-z]+){0,4}? "
    r"(?:can|may|must|are|is|has|have|will)\b"
)
ONLY = re.compile(r"(?<=\s)only (?=(?:in|on|to (?:the|an?|its|[A-Z])|for|by|when|from|within|under|between)\b)")


def _exceptions(text: str, rng: Random) -> Iterator[en.Changes]:
    exception = EXCEPT.search(text)
    negations = len(NEGATION.findall(text))
    if exception and _excepts(text, exception):
        yield [(exception.start(), exception.end(), f"{exception[1]} including ")]
    if not negations:
        yield from ([(m.start(), m.end(), "not only ")] for m in ONLY.finditer(text) if _restricts(text, m))
        if ONLY_SOME.match(text) and "but" not in text:
            yield [(0, 4, "Not only")]
    if exception or "only" in text:
        return
    toks = tokens(text)
    duty, ban = DUTY.search(text), BAN.search(text)
    sometimes = toks[0].low in en.EXISTENTIAL or en.FREQUENCY & {t.low for t in toks}
    if duty and not negations and not sometimes and not _subordinate_clause(text[: duty.start()]):
        yield from _released(text, duty)
    if ban and negations == 1 and not _subordinate_clause(text[: ban.start()]):
        after = {t.low for t in toks if t.start >= ban.end()}
        yield from [] if NEGATIVE_POLARITY & after else [[(ban.start(), ban.end(), "may")]]


def _excepts(text: str, exception: re.Match[str]) -> bool:
    """Whether something is taken from all: "all X except Y", not "each other than", "more than any other except"."""
    general = GENERAL.search(text[: exception.start()])
    if general is None or re.match(r"(?:in|on|at|by|when|if|that|to|for|as|where)\b", text[exception.end() :]):
        return False
    return "than" not in exception.group() or 1 <= len(general["between"].split()) <= 4


def _restricts(text: str, only: re.Match[str]) -> bool:
    """Whether "only" limits a place, person or means; not "as late as", not "it is only when"."""
    if re.search(r"\b(?:not|often|then|It is|It was) $", text[: only.start()]):
        return False
    return not re.match(r"in (?:\d|the \w+ century|a maximum)", text[only.end() :])


def _subordinate_clause(before: str) -> bool:
    toks = tokens(before)
    opening = (en.SUBORDINATORS - {"and", "or"}) | en.AUXILIARIES
    return not toks or "," in before or any(t.low in opening for t in toks)


def _released(text: str, duty: re.Match[str]) -> Iterator[en.Changes]:
    """The duty lifted: "All members must vote" -> "No members have to vote"."""
    word = duty.group()
    general = re.match(r"(All|Every|Each)\s(?!of\b)", text)
    if general:
        head = tokens(text[: duty.start()])[-1].low
        yield [(0, len(general[1]), "No"), (duty.start(), duty.end(), "have to" if en.is_plural(head) else "has to")]
    elif word in ("must", "shall"):
        yield [(duty.start(), duty.end(), "need not")]
    elif word.endswith("required to"):
        yield [(duty.start(), duty.end(), word.replace("required", "not required"))]
    else:
        yield [(duty.start(), duty.end(), "does not have to" if word == "has to" else "do not have to")]


LEADING = re.compile(
    r"(?P<q>(?:All|None|Some|Most|Many|Several|A few) of|All|Every|Each|No|Most|Many|Some|Several|Few"
    r"|Everyone|Everybody|Nobody|No one)\s"
)
COUNTER = {
    "All of": ("None of", "Few of"), "None of": ("All of", "Most of"), "Some of": ("None of",),
    "Most of": ("Few of", "None of"), "Many of": ("None of", "Few of"), "Several of": ("None of",),
    "A few of": ("None of",), "All": ("No", "Few"), "Every": ("No",), "Each": ("No",), "No": ("All",),
    "Most": ("Few", "No"), "Many": ("Few", "No"), "Some": ("No",), "Several": ("No",), "Few": ("Most",),
    "Everyone": ("No one",), "Everybody": ("Nobody",), "Nobody": ("Everybody",), "No one": ("Everyone",),
}  # fmt: skip
OBJECT = re.compile(
    r"\b(?P<verb>has|have|had|contains?|contained|includes?|included|offers?|offered|provides?|provided)\s"
    r"(?P<q>some|several|many|numerous|various)\s(?P<noun>[a-z]+)"
)
_ONE = r"[A-Z][\w ]*?|the [\w ]+?"
PAIR = re.compile(rf"^Both (?P<a>{_ONE}) and (?P<b>{_ONE}) (?P<verb>are|were|have|had|can|must|will)\b")


def _quantifiers(text: str, rng: Random) -> Iterator[en.Changes]:
    toks = tokens(text)
    match = LEADING.match(text)
    if match and _quantifies(text, match, toks):
        lifted = re.search(r"\b(?:must|shall|should|have to|has to)\b", text)  # "no one must" may also mean "need not"
        for new in () if lifted else COUNTER[match["q"]]:
            if new not in ("Few", "Few of") or _plural_verb(toks):
                yield [(0, match.end("q"), new)]
    if NEGATION.search(text):
        return
    yield from _no_objects(text, toks)
    yield from _neither(text)
    for always in re.finditer(r"(?<=[a-z] )always(?= [a-z]+)", text):
        if not _subordinate(text[: always.start()].rsplit(" ", 2)[0]):
            yield [(always.start(), always.end(), "never")]


def _no_objects(text: str, toks: Sequence[Token]) -> Iterator[en.Changes]:
    """ "The town has many parks" -> "The town has no parks"."""
    verb = main_verb(text)
    if verb is None or en.FREQUENCY & {t.low for t in toks}:
        return
    for found in OBJECT.finditer(text):
        if en.is_plural(found["noun"]) and toks[verb.at].start == found.start():
            yield [(found.start("q"), found.end("q"), "no")]


def _neither(text: str) -> Iterator[en.Changes]:
    pair = PAIR.match(text)
    if pair and len(text[: pair.start("verb")].split()) <= 9:
        verb = {"are": "is", "were": "was", "have": "has"}.get(pair["verb"], pair["verb"])
        nor = (pair.end("a") + 1, pair.end("a") + 4, "nor")
        yield [(0, 4, "Neither"), nor, (pair.start("verb"), pair.end("verb"), verb)]


# What follows a quantifier that quantifies nothing ("Some say"), or that says whose or which already.
NO_NOUN = re.compile(
    en.either(
        "purpose was is has are were had other others else one but more longer sooner such day time doubt matter that "
        "this the these those his her its their who wonder wait later historians scholars believe argue sources "
        "critics experts over years of"
    )
    + r"\b"
)


def _quantifies(text: str, match: re.Match[str], toks: Sequence[Token]) -> bool:
    """Whether the sentence begins with "all of the X", "no X" … as subject of a plain main clause."""
    quantifier, after = match["q"], text[match.end() :]
    if NO_NOUN.match(after) and not quantifier.endswith(" of"):
        return False
    if quantifier in ("No", "None of", "Nobody", "No one"):
        later = {t.low for t in toks if t.start > match.end()}
        if NEGATIVE_POLARITY & later or len(NEGATION.findall(text)) != 1 or "other" in later or "than" in later:
            return False
        return quantifier != "No" or _head_is_plural(text, match.end())
    if NEGATION.search(text) or re.search(r"\b(?:except|excluding|but not|each other|both|others?)\b|;", text):
        return False
    following = next(t.low for t in toks if t.start >= match.end())
    if following in SPELLED or following[0].isdigit() or following in en.BASE_OF_PAST.keys() | en.BASE_OF_THIRD.keys():
        return False
    return main_verb(text) is not None or _simple_clause(toks)


def _simple_clause(toks: Sequence[Token]) -> bool:
    """Whether an auxiliary comes before anything that could open another clause."""
    for tok in toks[1:10]:
        if tok.low in en.AUXILIARIES:
            return True
        if tok.low in en.SUBORDINATORS - {"and"} or not tok.is_word:
            return False
    return False


def _head_is_plural(text: str, at: int) -> bool:
    toks = [t for t in tokens(text) if t.start >= at]
    verb = next((i for i, t in enumerate(toks) if t.low in en.AUXILIARIES), None)
    return verb is not None and 0 < verb <= 3 and en.is_plural(toks[verb - 1].low)


def _plural_verb(toks: Sequence[Token]) -> bool:
    verb = next((t.low for t in toks if t.low in en.AUXILIARIES | {"do"}), "")
    return verb in ("are", "were", "have", "do")


# --- restatements ------------------------------------------------------------------------------------------------

EXPANDED = {"can't": "cannot", "won't": "will not", "shan't": "shall not", "ain't": ""}
CONTRACTION = re.compile(
    r"\b(?:\w+n['’]t|(?:they|we|you)['’]re|(?:they|we|you|I)['’]ve|(?:they|we|you|he|she|it|I)['’]ll|I['’]m"
    r"|(?:it|he|she|that|there)['’]s(?=\s(?:an?|the|not|in|very|no|on|at|also|important|possible)\s))",
    re.I,
)
SUFFIXES = {"re": " are", "ve": " have", "ll": " will", "m": " am", "s": " is"}
EXPANSION = re.compile(r"\b(is|are|was|were|has|have|had|does|do|did|should|would|could|must) not\b(?! only)")


def _contractions(text: str, rng: Random) -> Iterator[en.Changes]:
    for match in CONTRACTION.finditer(text):
        word = match.group().replace("’", "'")
        if word.lower().endswith("n't"):
            new = EXPANDED.get(word.lower(), word[:-3] + " not")
            new = new.capitalize() if word[0].isupper() else new
        else:
            stem, _, suffix = word.partition("'")
            new = stem + SUFFIXES[suffix.lower()]
        if new:
            yield [(match.start(), match.end(), new)]
    yield from ([(m.end(1), m.end(), "n't")] for m in EXPANSION.finditer(text))


_DONE_BY = en.either(
    "written directed composed designed founded invented discovered painted produced acquired defeated published built "
    "created developed established conquered led killed captured bought sponsored funded organized recorded sung"
)
PASSIVE = re.compile(
    rf"^(?P<a>{_NAME}|The [a-z]+(?: [a-z]+)?) (?:was|were) (?P<verb>{_DONE_BY}) by (?P<b>{_NAME})(?=\.$| in \d{{4}}\b)"
)
_DID = en.either(" ".join(en.PAST.get(b, en.past(b)) for b in en.ASYMMETRIC))
ACTIVE = re.compile(rf"^(?P<a>{_PARTY}) (?P<verb>{_DID}) (?P<b>{_PARTY})(?=\.$| in \d{{4}}\.$| on [^,]+\.$)")
DEPENDENT = re.compile(r"\b(?:his|her|its|their|himself|herself|itself|themselves|and|or|who|which|that)\b")


def _voices(text: str, rng: Random) -> Iterator[en.Changes]:
    """Passive to active and back, between two whole noun phrases."""
    passive, active = PASSIVE.match(text), ACTIVE.match(text)
    for match in (passive, active):
        if (
            match
            and not DEPENDENT.search(text)
            and not {match["a"].split()[0].lower()}
            & (en.PRONOUNS | en.QUANTIFIED | en.PREPOSITIONS | {"this", "these", "that"})
        ):
            a = "the " + match["a"][4:] if match["a"].startswith("The ") else match["a"]
            if match is passive:
                verb = en.PAST[BASE_OF_PARTICIPLE[match["verb"]]]
            else:
                base = "found" if match["verb"] == "founded" else en.BASE_OF_PAST.get(match["verb"])
                if base is None:
                    continue
                done = en.PARTICIPLE[base]
                verb = ("were " if en.is_plural(match["b"].split()[-1]) else "was ") + done + " by"
            yield [(match.start("a"), match.end("b"), f"{match['b']} {verb} {a}")]


_SYNONYMS = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, en.SYNONYMS), key=len, reverse=True)) + r")\b(?!-)")


def _synonyms(text: str, rng: Random) -> Iterator[en.Changes]:
    for match in _SYNONYMS.finditer(text):
        new = en.SYNONYMS[match.group()]
        before = re.search(r"\b(an?) $", text[: match.start()])
        if (before and en.article_for(new) != before[1]) or text[match.start() - 1 : match.start()] == "-":
            continue
        if match.group() in en.BEFORE_NUMBERS and not re.match(r"\s[$€£]?\d", text[match.end() :]):
            continue
        yield [(match.start(), match.end(), new)]


_MONTHS = "|".join(quantities.FULL_MONTHS.values())
FRONTED_CLAUSE = re.compile(
    r"^(?P<word>If|When|Because|Although|Though|Once|Unless|Until) (?P<a>[^,;:()]+), (?:then )?(?P<b>[^,;:()\"“”]+)\.$"
)
FRONTED_TIME = re.compile(
    r"^(?P<when>(?:In|On|By|Since|During) (?:(?:early|late|mid|about|around) )?(?:the )?"
    rf"(?:\d{{4}}|(?:{_MONTHS}) \d{{4}}|\d{{1,2}} (?:{_MONTHS}) \d{{4}}|(?:{_MONTHS}) \d{{1,2}}, \d{{4}})), "
    r"(?P<b>[^,;:()\"“”]+)\.$"
)


def _reorderings(text: str, rng: Random) -> Iterator[en.Changes]:
    clause, time = FRONTED_CLAUSE.match(text), FRONTED_TIME.match(text)
    if clause and len(clause["a"].split()) <= 16 and len(clause["b"].split()) <= 20:
        first = [clause[g].split()[0].lower() for g in ("a", "b")]
        anaphoric = re.search(
            r"\b(?:he|she|it|they|him|her|his|its|their|them|this|these|that|so|such|then|do|does)\b", clause["b"]
        )
        if not anaphoric or first[0] in en.PRONOUNS:
            yield [(0, len(text) - 1, f"{clause['b']} {clause['word'].lower()} {clause['a']}")]
    if (
        time
        and len(time["b"].split()) <= 16
        and not re.search(
            r"\b(?:that|which|who|when|after|before|because|and|but|while|where|until)\b|\d{4}", time["b"]
        )
    ):
        yield [(0, len(text) - 1, f"{time['b']} {time['when'][0].lower()}{time['when'][1:]}")]


ASIDES = (
    "as noted above", "as noted below", "as noted elsewhere", "as mentioned before", "as mentioned above",
    "for the record", "as described here", "as explained below", "as stated above", "as a reminder",
    "as is described in more detail elsewhere",
)  # fmt: skip


def _additions(text: str, rng: Random) -> Iterator[en.Changes]:
    """A clause that says nothing more."""
    if (
        text.endswith(".")
        and text[-2].isalnum()
        and not re.search(r"\b[A-Z]\.$|\b(?:Inc|Ltd|Jr|Sr|etc|Co)\.$|\bas (?:noted|mentioned)", text)
    ):
        yield [(len(text) - 1, len(text) - 1, ", " + rng.choice(ASIDES))]


ASIDE = re.compile(r" \((?![^)]*\b(?:not|except|only|if|unless|or|excluding|including)\b)[^()]*\)")
CONNECTIVE = re.compile(
    r"^(?:However|Additionally|Furthermore|Moreover|In addition|In fact|Therefore|As a result|Overall|For example"
    r"|For instance|Consequently|Thus), (?=[a-zA-Z])"
)


def _omissions(text: str, rng: Random) -> Iterator[en.Changes]:
    yield from ([(m.start(), m.end(), "")] for m in ASIDE.finditer(text))
    if match := CONNECTIVE.match(text):
        yield [(0, match.end(), "")]


COMPLEMENTS = en.opposites(en.COMPLEMENTS)


def _double_negations(text: str, rng: Random) -> Iterator[en.Changes]:
    """X is legal -> X is not illegal."""
    verb = main_verb(text)
    if verb is None or NEGATION.search(text) or OPENING.match(text):
        return
    toks = tokens(text)
    if toks[verb.at].low in en.BE and verb.at + 2 < len(toks) and _definite(toks[verb.first : verb.at]):
        word, following = toks[verb.at + 1], toks[verb.at + 2]
        blocked = en.BLOCKED_AFTER.get(word.low)
        sense = not (blocked and re.match(rf"\s*(?:{blocked})\b", text[word.end :]))
        if word.low in COMPLEMENTS and sense and (following.low in en.PREPOSITIONS or following.text == "."):
            yield from ([(word.start, word.end, f"not {new}")] for new in COMPLEMENTS[word.low])


_CONTRADICTING: dict[EditKind, Rule] = {
    EditKind.NUMBER: quantities.numbers,
    EditKind.DATE: quantities.dates,
    EditKind.UNIT: quantities.units,
    EditKind.NEGATION: _negations,
    EditKind.ANTONYM: _antonyms,
    EditKind.ROLE_SWAP: _role_swaps,
    EditKind.EXCEPTION: _exceptions,
    EditKind.QUANTIFIER: _quantifiers,
}
_CONTROLS: dict[EditKind, Rule] = {
    EditKind.CONVERSION: quantities.conversions,
    EditKind.NUMBER_FORMAT: quantities.number_formats,
    EditKind.DATE_FORMAT: quantities.date_formats,
    EditKind.CONTRACTION: _contractions,
    EditKind.VOICE: _voices,
    EditKind.SYNONYM: _synonyms,
    EditKind.REORDER: _reorderings,
    EditKind.ADDITION: _additions,
    EditKind.OMISSION: _omissions,
    EditKind.DOUBLE_NEGATION: _double_negations,
    EditKind.ROUNDING: quantities.roundings,
}
