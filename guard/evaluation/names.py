"""Names of a corpus, guessed by shape and context, and the swap of one for another of its kind.

A name is swapped only in a slot that one name fills alone ("capital of X", "written by X").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from detectors.words import NEGATION

from .changes import Changes
from .english import either
from .lexicon import CONTINENTS, COUNTRIES, FIRST_NAMES, STATES

_CAPS = r"[A-Z][a-z][\w\-]*(?:['’][A-Z]\w+)?"
_SUFFIX = either(
    "University College Institute Company Corporation Corp Inc Ltd GmbH AG LLC Bank Records Studios Pictures Press "
    "Motors Airlines Industries Systems Group"
)
PERSON = re.compile(rf"\b({'|'.join(sorted(FIRST_NAMES))})((?:\s[A-Z]\.)?\s{_CAPS})\b(?!\s[A-Z])")
ORGANISATION = re.compile(rf"\b({_CAPS}(?:\s{_CAPS}){{0,2}}\s{_SUFFIX})\b(?!\s(?:of|[A-Z]))")
PLACE = re.compile(
    rf"\b(?:born|died|city|town|village|located|situated|headquartered|based|buried|capital)\s(?:in|of|near)\s"
    rf"({_CAPS}(?:\s{_CAPS})?)(?=[.,;)]|\s(?:in|on|and|to|is|was)\b)"
)
REGIONS = COUNTRIES | STATES | CONTINENTS
NOT_PERSONS = frozenset(
    """Street Avenue Road Park University College Hospital Island Islands Airport School Church County City River Lake
    Bay Prize Award Awards Cup Stadium Bridge Castle Palace Museum Theatre Theater Station Square Hall House Company
    Records Day Dynasty Texas York Act Party""".split()
)
NOT_PLACES = frozenset(
    "January February March April May June July August September October November December I God The".split()
)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a corpus; each tuple is sorted."""

    persons: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Names:
        """Collect from texts.

        >>> Names.of(["Alice Brown was born in Leeds."])
        Names(persons=('Alice Brown',), organisations=(), places=('Leeds',))
        """
        persons: set[str] = set()
        organisations: set[str] = set()
        places: set[str] = set()
        for text in texts:
            persons |= {m.group() for m in PERSON.finditer(text) if m[2].split()[-1] not in NOT_PERSONS}
            organisations |= {m[1] for m in ORGANISATION.finditer(text)}
            places |= {m[1] for m in PLACE.finditer(text)}
            places |= {w for w in re.findall(_CAPS, text) if w in REGIONS}
        others = persons | organisations | NOT_PLACES
        places = {p for p in places - others if FIRST_NAMES.isdisjoint(p.split())}
        return cls(*(tuple(sorted(found)) for found in (persons, organisations, places)))

    def like(self, name: str, guess: str = "") -> tuple[str, ...]:
        """Names of the same kind: a country for a country, a state for a state, a person for a person. A name
        that was not collected is what ``guess`` says ("person", "place"), if anything."""
        if name in self.places or (guess == "place" and name not in NOT_PLACES):
            closed = next((names for names in (COUNTRIES, STATES, CONTINENTS) if name in names), None)
            if closed is not None:
                return tuple(n for n in self.places if n in closed)
            return tuple(n for n in self.places if n not in REGIONS)
        if name in self.persons or (guess == "person" and " " in name and name not in self.organisations):
            return self.persons
        return self.organisations if name in self.organisations else ()


CAPITALS = r"[A-Z][\w&’'\-]*(?:\s(?:[A-Z]\.\s)?[A-Z][\w&’'\-]*){0,3}"
_AFTER_NAME = (
    r"(?=\.$|;|,\s(?:a|an|the|who|which|where|and [a-z]\w+ed)\s"
    r"|\s(?:in|on|as|to|from|by|during|after|at|for|with|until)\b)"
)
_PLACED = either(
    "born died located situated headquartered based held buried signed founded established raised filmed premiered "
    "built educated executed crowned debuted opened"
)
_BY_PERSON = either(
    "written directed composed designed invented discovered painted sung performed played portrayed coached narrated "
    "hosted voiced edited killed chaired headed sculpted choreographed succeeded"
)
_BY_ORGANISATION = either(
    "owned manufactured acquired published operated developed produced founded created managed built recorded won led "
    "defeated appointed established supplied distributed"
)
_DOES_ALONE = either(
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


def entity_swaps(text: str, rng: Random, names: Names) -> Iterator[Changes]:
    if NEGATION.search(text) or SHARED_SLOT.search(text):
        return
    for pattern, guess in NAME_SLOTS:
        for match in pattern.finditer(text):
            name = match["name"]
            pool = [n for n in names.like(name, guess) if not any(w in text for w in n.split() if len(w) > 2)]
            if pool and text.count(name) == 1 and not any(text.count(part) > 1 for part in name.split()):
                yield [(match.start("name"), match.end("name"), rng.choice(pool))]
