"""Contradictions with known places, planted in consistent passages: what would be found in *this* corpus?

The three kinds are those of *Contradiction Detection in RAG Systems* (arXiv 2504.00180): one passage says both, two
passages disagree, or two passages disagree only given a third.  Half of the injections are controls: the same shape
around a sentence that was restated, so that they must not be reported.  Knows nothing about detectors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from random import Random

from detectors.errors import InputError
from detectors.evidence import Passage, Sentence, Span
from detectors.segment import segment
from detectors.words import NEGATION

from . import edits
from . import english as en
from .edits import Edit, EditKind
from .names import Names
from .statements import usable


class InjectionKind(StrEnum):
    SELF = "self"
    PAIR = "pair"
    CONDITIONAL = "conditional"


@dataclass(frozen=True, slots=True)
class Injection:
    """A corpus with one thing planted.

    ``passages`` are the given ones, one of them longer (self) or one or two more (pair, conditional).  Spans ``a`` (the
    original) and ``b`` (the planted sentence) slice back from them, and so does ``given``, the bridge of a conditional
    one: ``span.text == passage.text[span.start:span.end]``.  ``contradicting`` is False for a control.
    """

    kind: InjectionKind
    edit: Edit
    contradicting: bool
    passages: tuple[Passage, ...]
    a: Span
    b: Span
    given: Span | None = None

    @property
    def edit_kind(self) -> EditKind:
        return self.edit.kind


@dataclass(frozen=True, slots=True)
class Planting:
    """Injections of every shape and edit kind that a corpus has a place for.

    ``sentences`` counts those of the corpus, ``editable`` the plain statements among them, ``places`` those that allow
    an edit in a shape, 0 for none; every shape and edit kind has an entry.
    """

    injections: tuple[Injection, ...]
    sentences: int
    editable: int
    places: Mapping[tuple[InjectionKind, EditKind], int]


@dataclass(frozen=True, slots=True)
class _Corpus:
    passages: tuple[Passage, ...]
    sentences: tuple[tuple[Sentence, ...], ...]  # of each passage
    names: Names

    def fresh_id(self, base: str) -> str:
        taken = {p.id for p in self.passages}
        return next(name for n in range(1, len(taken) + 2) if (name := f"{base}-{n}") not in taken)


ANAPHOR = re.compile(
    r"(?:He|She|It|They|This|That|These|Those|His|Her|Its|Their|Such|Both|Here|There|The (?:former|latter))\b"
)
MAX_TRIES = 60  # sentences tried for one edit kind
Place = tuple[int, int]  # passage, sentence


def inject(
    passages: Sequence[Passage],
    n: int,
    seed: int,
    kinds: Collection[InjectionKind] = tuple(InjectionKind),
    control_share: float = 0.5,
) -> list[Injection]:
    """Return up to ``n`` injections, each into the given passages alone; fewer where no rule finds a place.

    The kinds take turns.  The same arguments give the same injections.  Raises `InputError` for a negative ``n``, for
    no kinds, or for passages that share an id.
    """
    if n < 0 or not kinds:
        raise InputError(f"inject: n is {n} and kinds are {list(kinds)}; give n >= 0 and at least one kind")
    _require_ids(passages)
    rng = Random(seed)
    sentences = tuple(tuple(segment(p)) for p in passages)
    corpus = _Corpus(tuple(passages), sentences, Names.of(p.text for p in passages))
    places = [(i, j) for i, found in enumerate(sentences) for j, s in enumerate(found) if _editable(s)]
    order = [kind for kind in InjectionKind if kind in kinds]
    planter = _Planter(corpus, places, rng)
    found = []
    for turn in range(n):
        injection = planter.plant(order[turn % len(order)], contradicting=rng.random() >= control_share)
        found += [injection] if injection else []
    return found


def inject_each(
    passages: Sequence[Passage], most: int, seed: int, advance: Callable[[int], None] = lambda done: None
) -> Planting:
    """Return up to ``most`` injections of each shape and edit kind, each into the passage that it is about alone.

    Every sentence is tried with every edit, so that the places are known; ``advance`` is told about passages.  The same
    arguments give the same injections.  Raises `InputError` for passages that share an id.
    """
    _require_ids(passages)
    names = Names.of(p.text for p in passages)
    places: dict[tuple[InjectionKind, EditKind], list[tuple[_Corpus, int]]] = {
        (kind, edit_kind): [] for kind in InjectionKind for edit_kind in EditKind
    }
    sentences = editable = 0
    for passage in passages:
        alone = _Corpus((passage,), (tuple(segment(passage)),), names)
        tried = [j for j, s in enumerate(alone.sentences[0]) if _editable(s)]
        for cell, found in places.items():
            found += [(alone, j) for j in tried if _planted(alone, j, *cell, seed)]
        sentences += len(alone.sentences[0])
        editable += len(tried)
        advance(1)
    injections = []
    for cell, found in places.items():
        chosen = Random("/".join((str(seed), *cell))).sample(found, min(most, len(found)))
        injections += [_planted(alone, j, *cell, seed) for alone, j in chosen]
    counts = {cell: len(found) for cell, found in places.items()}
    return Planting(tuple(i for i in injections if i), sentences, editable, counts)


def _planted(alone: _Corpus, j: int, kind: InjectionKind, edit_kind: EditKind, seed: int) -> Injection | None:
    """Edit the sentence ``j`` of the only passage; its own stream of chance gives the same edit each time."""
    return MAKERS[kind](alone, (0, j), edit_kind, Random(f"{seed}/{kind}/{edit_kind}/{alone.passages[0].id}/{j}"))


def _require_ids(passages: Sequence[Passage]) -> None:
    if len({p.id for p in passages}) < len(passages):
        raise InputError("inject: two passages share an id; give every passage an id of its own")


class _Planter:
    """Chooses places and edit kinds: each place once for each kind of injection, rare edit kinds first."""

    def __init__(self, corpus: _Corpus, places: Sequence[Place], rng: Random) -> None:
        self.corpus, self.places, self.rng = corpus, places, rng
        self.used: set[tuple[InjectionKind, Place]] = set()
        self.tried: Counter[EditKind] = Counter()

    @cached_property
    def bridgeable(self) -> list[Place]:
        """The few places that a bridge can be built for."""
        return [place for place in self.places if _implied(self.corpus, place, Random(0))]

    def plant(self, kind: InjectionKind, contradicting: bool) -> Injection | None:
        edit_kinds = list(edits.CONTRADICTING if contradicting else edits.CONTROLS)
        self.rng.shuffle(edit_kinds)
        for edit_kind in sorted(edit_kinds, key=lambda k: self.tried[k]):
            self.tried[edit_kind] += 1
            places = self.bridgeable if kind is InjectionKind.CONDITIONAL else self.places
            for place in self.rng.sample(places, min(len(places), MAX_TRIES)):
                if (kind, place) in self.used:
                    continue
                injection = MAKERS[kind](self.corpus, place, edit_kind, self.rng)
                if injection:
                    self.used.add((kind, place))
                    return injection
        return None


def _editable(sentence: Sentence) -> bool:
    return sentence.kind in ("prose", "item") and usable(sentence.text)


def _edited(text: str, kind: EditKind, rng: Random, names: Names) -> Edit | None:
    return edits.contradict(text, rng, kind, names) if kind in edits.CONTRADICTING else edits.restate(text, rng, kind)


def _self(corpus: _Corpus, at: Place, kind: EditKind, rng: Random) -> Injection | None:
    """Add the edited sentence behind another sentence of its passage, not beside its original if that can be."""
    passage, sentences = corpus.passages[at[0]], corpus.sentences[at[0]]
    original = sentences[at[1]]
    if original.kind != "prose" or ANAPHOR.match(original.text):
        return None
    behind = [
        j for j, s in enumerate(sentences) if s.kind == "prose" and s.text[-1:] in ".!" and j not in (at[1] - 1, at[1])
    ]
    edit = _edited(original.text, kind, rng, corpus.names) if behind else None
    if edit is None:
        return None
    where = sentences[rng.choice(behind)].span.end
    text = f"{passage.text[:where]} {edit.after}{passage.text[where:]}"
    shift = len(edit.after) + 1 if where <= original.span.start else 0
    a = _span(passage.id, text, original.span.start + shift, len(original.text))
    b = _span(passage.id, text, where + 1, len(edit.after))
    planted = Passage(passage.id, text, passage.metadata)
    if not {(a.start, a.end), (b.start, b.end)} <= {(s.span.start, s.span.end) for s in segment(planted)}:
        return None
    passages = tuple(planted if p is passage else p for p in corpus.passages)
    return Injection(InjectionKind.SELF, edit, edit.contradicts, passages, a, b)


def _pair(corpus: _Corpus, at: Place, kind: EditKind, rng: Random) -> Injection | None:
    """Add a passage of the edited sentence and its untouched neighbours; a pronoun keeps the sentence before it."""
    sentences = corpus.sentences[at[0]]
    original = sentences[at[1]]
    around = range(max(0, at[1] - 1), min(len(sentences), at[1] + 2))
    kept = [j for j in around if j == at[1] or (sentences[j].kind == original.kind and sentences[j].text[-1:] in ".!")]
    if len(kept) < 2 or (ANAPHOR.match(original.text) and kept[0] == at[1]):
        return None
    edit = _edited(original.text, kind, rng, corpus.names)
    if edit is None:
        return None
    separator = "\n- " if original.kind == "item" else " "
    parts = [edit.after if j == at[1] else sentences[j].text for j in kept]
    text = separator.lstrip("\n") * (original.kind == "item") + separator.join(parts)
    start = text.index(separator.join(parts)) + len(separator.join([*parts[: kept.index(at[1])], ""]))
    planted = Passage(corpus.fresh_id(f"{original.passage_id}-copy"), text)
    b = _span(planted.id, text, start, len(edit.after))
    passages = _inserted(corpus.passages, [planted], rng)
    return Injection(InjectionKind.PAIR, edit, edit.contradicts, passages, original.span, b)


# --- conditional -------------------------------------------------------------------------------------------------

CLASSES = ("category B entry", "group A entry", "class 1 entry", "section C entry", "series D entry")
PERSON_CLASSES = ("pilot group member", "registered assessor", "category B member", "programme alumnus")
MEMBERS = ("Halden", "Brixley", "Tarn Works", "Ossory", "Velmont", "Kirrin Group", "Ardale", "Pelham Row")
RULE = re.compile(
    r"(?P<all>All|Every|Each)\s(?P<kind>(?!of\b)(?:[A-Za-z0-9][\w\-]*\s){1,4}?)"
    r"(?P<verb>must|shall|can|will|are required to|have to|is required to|has to)\s(?!not\b|be\s(?:the|different)\b)"
)
SINGULAR_VERB = {"are required to": "is required to", "have to": "has to"}
NOT_FOR_ALL = re.compile(
    r"\b(?:but|while|whereas|although|though|because|the (?:most|least|only|first|last|\w+est))\b|;"
)
ABOUT_ALL = re.compile(r"\b(?:their|they|them|themselves|each|both|except|unless|only|equally|same|no|not)\b")


def _conditional(corpus: _Corpus, at: Place, kind: EditKind, rng: Random) -> Injection | None:
    """Add a bridge "X is a Y", and a fact about X against a rule for all Y, or a rule for Y against a fact about X.

    The edit's ``before`` is what the original says of X given the bridge; its ``after`` is planted.
    """
    original = corpus.sentences[at[0]][at[1]]
    implied = _implied(corpus, at, rng)
    edit = _edited(implied[0], kind, rng, Names()) if implied else None
    if implied is None or edit is None or (implied[2] and implied[2] not in edit.after):
        return None
    planted = Passage(corpus.fresh_id(f"{original.passage_id}-note"), edit.after)
    bridging = Passage(corpus.fresh_id(f"{original.passage_id}-register"), implied[1])
    b = _span(planted.id, planted.text, 0, len(planted.text))
    given = _span(bridging.id, bridging.text, 0, len(bridging.text))
    passages = _inserted(corpus.passages, [planted, bridging], rng)
    return Injection(InjectionKind.CONDITIONAL, edit, edit.contradicts, passages, original.span, b, given)


def _implied(corpus: _Corpus, at: Place, rng: Random) -> tuple[str, str, str] | None:
    text = corpus.sentences[at[0]][at[1]].text
    return _instance(text, rng) or _generalised(text, corpus.names, rng)


def _instance(text: str, rng: Random) -> tuple[str, str, str] | None:
    """A rule applied: (what it says of a member, the bridge, the member's name), or None for no rule.

    "All suppliers must be audited." -> "Brixley must be audited.", "Brixley is a supplier."
    """
    match = RULE.match(text)
    if match is None or ABOUT_ALL.search(text[match.end() :]):
        return None
    words = match["kind"].split()
    if match["all"] == "All":
        if not en.is_plural(words[-1]) or words[0] in ("of", "the", "these", "those", "our", "its"):
            return None
        words[-1] = _singular(words[-1])
    member = rng.choice([m for m in MEMBERS if m not in text])
    verb = SINGULAR_VERB.get(match["verb"], match["verb"])
    bridge = f"{member} is {en.article_for(words[0])} {' '.join(words)}."
    return f"{member} {verb} {text[match.end() :]}", bridge, member


def _generalised(text: str, names: Names, rng: Random) -> tuple[str, str, str] | None:
    """A fact made a rule: (what holds for every member of a class, the bridge, the class), or None for no fact.

    "Brixley delivers within 30 days." -> "Every group A entry delivers within 30 days.", "Brixley is a group A entry."
    """
    verb, toks = en.main_verb(text), en.tokens(text)
    if len(toks) > 30 or NOT_FOR_ALL.search(text) or NEGATION.search(text) or toks[0].text in ("A", "An"):
        return None
    if verb is None or verb.first != 0 or verb.form == "base" or toks[verb.at].low in ("are", "were", "have"):
        return None
    name = text[: toks[verb.at - 1].end]
    subject = toks[1 if toks[0].text == "The" else 0 : verb.at]
    named = (
        len(subject) > 1 and all(t.is_capital or t.text.isdigit() for t in subject) and not subject[0].text.isdigit()
    )
    if not (named or name in names.organisations) or toks[verb.at + 1].low in ("the", "one", "also", "born"):
        return None
    if re.search(rf"\b(?:his|her|its|their|he|she|it|they|{re.escape(name.split()[-1])})\b", text[len(name) :], re.I):
        return None
    of_class = rng.choice(PERSON_CLASSES if name in names.persons else CLASSES)
    bridge = f"{name} is {en.article_for(of_class)} {of_class}."
    return f"Every {of_class}{text[len(name) :]}", bridge, of_class


def _singular(word: str) -> str:
    irregular = {"people": "person", "men": "man", "women": "woman", "children": "child", "staff": "staff member",
                 "police": "police officer"}  # fmt: skip
    if word in irregular:
        return irregular[word]
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "ches", "shes", "xes")) else word[:-1]


MAKERS: Mapping[InjectionKind, Callable[[_Corpus, Place, EditKind, Random], Injection | None]] = {
    InjectionKind.SELF: _self, InjectionKind.PAIR: _pair, InjectionKind.CONDITIONAL: _conditional,
}  # fmt: skip


# --- small tools -------------------------------------------------------------------------------------------------


def _span(passage_id: str, text: str, start: int, length: int) -> Span:
    return Span(passage_id, start, start + length, text[start : start + length])


def _inserted(passages: Sequence[Passage], new: Sequence[Passage], rng: Random) -> tuple[Passage, ...]:
    """Put each new passage at a random place among the given ones, whose order stays."""
    found = list(passages)
    for passage in new:
        found.insert(rng.randrange(len(found) + 1), passage)
    return tuple(found)
