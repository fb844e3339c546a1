"""Edits of one sentence by rule: `contradict` makes it clash with itself, `restate` keeps what it says.

The kinds follow *Contradiction Detection in RAG Systems* (arXiv 2504.00180), where a language model writes the
contradictions; here closed rules do, so that every edit is known, offline and the same for the same seed.  A rule
that is not sure refuses.  Knows nothing about passages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from random import Random

from detectors.quantities import extract
from detectors.quantities.identifiers import IDENTIFIER

from . import antonyms, conversions, dates, negation, quantifiers, quantities, restatements, roles
from .changes import Changes, Rule, changed
from .names import Names, entity_swaps
from .statements import is_hedged, leans, usable


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
QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|‘[^’]*’|(?<![\w])'[^']*'(?!\w)")
_CONTRADICTING: Mapping[EditKind, Rule] = {
    EditKind.NUMBER: quantities.numbers,
    EditKind.DATE: dates.dates,
    EditKind.UNIT: quantities.units,
    EditKind.NEGATION: negation.negations,
    EditKind.ANTONYM: antonyms.antonyms,
    EditKind.ROLE_SWAP: roles.role_swaps,
    EditKind.EXCEPTION: quantifiers.exceptions,
    EditKind.QUANTIFIER: quantifiers.quantifiers,
}
_CONTROLS: Mapping[EditKind, Rule] = {
    EditKind.CONVERSION: conversions.conversions,
    EditKind.NUMBER_FORMAT: conversions.number_formats,
    EditKind.DATE_FORMAT: dates.date_formats,
    EditKind.CONTRACTION: restatements.contractions,
    EditKind.VOICE: roles.voices,
    EditKind.SYNONYM: restatements.synonyms,
    EditKind.REORDER: restatements.reorderings,
    EditKind.ADDITION: restatements.additions,
    EditKind.OMISSION: restatements.omissions,
    EditKind.DOUBLE_NEGATION: antonyms.double_negations,
    EditKind.ROUNDING: conversions.roundings,
}


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


def contradict(sentence: str, rng: Random, kind: EditKind | None = None, names: Names | None = None) -> Edit | None:
    """Return an edit that makes the sentence incompatible with itself, or None where no rule is sure.

    ``kind`` asks for one of `CONTRADICTING`; without it the kinds are tried in random order.  ``names`` are the
    names that an entity swap may put in (`names.Names.of`); without them there is no entity swap.

    >>> contradict("The trial ended on 3 May 2021.", Random(1), EditKind.NEGATION).after
    'The trial did not end on 3 May 2021.'
    """
    if kind is not None and kind not in CONTRADICTING:
        raise ValueError(f"{kind.value} does not contradict; ask for one of {', '.join(CONTRADICTING)}")
    if not usable(sentence) or is_hedged(sentence):
        return None
    swaps: Rule = partial(entity_swaps, names=names or Names())
    rules = {**_CONTRADICTING, EditKind.ENTITY_SWAP: swaps}
    if leans(sentence):
        rules = {each: rules[each] for each in ABOUT_QUANTIFIERS}
    return _first(sentence, rng, rules, kind)


def restate(sentence: str, rng: Random, kind: EditKind | None = None) -> Edit | None:
    """Return an edit that the sentence itself implies, or None where no rule is sure; ``kind`` as above.

    >>> restate("The route is 5 km long and flat.", Random(0), EditKind.CONVERSION).new
    '3.1 miles'
    """
    if kind is not None and kind not in CONTROLS:
        raise ValueError(f"{kind.value} is no control; ask for one of {', '.join(CONTROLS)}")
    return _first(sentence, rng, _CONTROLS, kind) if usable(sentence) else None


def _first(sentence: str, rng: Random, rules: Mapping[EditKind, Rule], kind: EditKind | None) -> Edit | None:
    for each in rng.sample(list(rules), len(rules)) if kind is None else {kind} & rules.keys():
        choices = list(rules[each](sentence, rng))
        for changes in rng.sample(choices, len(choices)):
            edit = _edit(each, sentence, changes)
            if edit and not (edit.contradicts and _is_protected(sentence, changes)):
                return edit
    return None


def _edit(kind: EditKind, before: str, changes: Changes) -> Edit | None:
    """The edit that makes the changes, or None where nothing but space is another."""
    after = changed(before, changes)
    longer = len(after) - len(before)
    if after[:1].islower() and before[:1].isupper():
        after = after[:1].upper() + after[1:]
    if after.split() == before.split():
        return None
    start, end = min(c[0] for c in changes), max(c[1] for c in changes)
    if after[:start] != before[:start]:  # the new first letter
        start = 0
    old, new = (start, end), (start, end + longer)
    return Edit(kind, before, after, before[slice(*old)], after[slice(*new)], old, new)


def _is_protected(text: str, changes: Changes) -> bool:
    """Whether a change touches an identifier, a quotation or a title in quotes; a date is no identifier."""
    dated = [(q.start, q.end) for q in extract(text)]
    found = [m.span() for pattern in (IDENTIFIER, QUOTED) for m in pattern.finditer(text)]
    spans = [(a, b) for a, b in found if not any(start <= a and b <= end for start, end in dated)]
    return any((start < b and a < end) or a < start == end < b for start, end, _ in changes for a, b in spans)
