"""Invented people, companies and towns, with facts about them, and the sentences that state those facts.

Everything follows from one seed.  A fact is an entity, a relation and a value; half of the facts are seen often in
training and half seldom, so that strong and weak priors exist.  A quarter of the values that towns and rivers can take
is never shown in training, neither as a fact nor in a context: half of them are held out for the questions, half are
spare, for choices that are made while a model is trained.  Knows nothing of models or tokens.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

FIRST_NAMES = (
    "Anna Boris Clara David Elena Frank Greta Henry Irene Jonas "
    "Karin Lucas Maria Nils Olga Peter Rosa Simon Tessa Viktor"
).split()
LAST_NAMES = (
    "Adler Barlow Conrad Dalton Ekberg Foster Garnet Hartman Ibsen Jordan Keller Lindgren Marlow Norman Olsen Parker "
    "Quandt Ritter Sanders Tolman Urban Vogel Walden Yorke"
).split()
COMPANY_STEMS = (
    "Alta Brio Cera Dyna Ergo Fluo Geno Hexa Iris Juno Kine Luma "
    "Mira Nova Orbi Pola Quan Rigo Sola Tera Unio Vero Xeno Zeta"
).split()
COMPANY_ENDINGS = "Works Systems Foods Energy Textiles Shipping".split()
STARTS = (
    "Ald Ast Bran Cald Cors Dal Dunn Els Farn Grim Gul Hols Ing Jarl Kels Kirk "
    "Lang Mors Nor Nyk Ost Pren Rav Ros Stav Thorn Ulm Ved Wend Wil Yar Zell"
).split()
TOWN_ENDS = "ford wick holm bury stad dorf mark gate haven field by thorpe vik nes lund borg".split()
RIVER_ENDS = "ava isk ona eth umbra arn ell ora int ille oth une aver enz olm yra".split()

NAME_STARTS = (*STARTS, *FIRST_NAMES, *LAST_NAMES, *COMPANY_STEMS)
NAME_ENDS = (*TOWN_ENDS, *RIVER_ENDS)
MADE_UP = 0.5  # share of the strangers and of the values that are names of any parts, so that copying cannot be guessed

Passages = list[str]


@dataclass(frozen=True)
class Relation:
    """What can be known about one kind of entity.

    wordings: sentences that state a fact, from the plainest to the least direct.  related: a sentence on somebody or
    something close to the entity, which answers no question about the entity itself.
    """

    entity: str
    value: str
    question: str
    wordings: tuple[str, ...]
    related: str


RELATIONS = (
    Relation(
        "person", "town", "Where was {e} born?",
        ("The birthplace of {e} is {v}.", "The native town of {e} is {v}.", "We know that {e} was born in {v}.",
         "It was in {v} that {e} was born."),
        "The brother of {e} was born in {v}.",
    ),
    Relation(
        "company", "town", "Where is the seat of {e}?",
        ("The seat of {e} is in {v}.", "The head office of {e} is in {v}.", "The firm {e} is based in {v}.",
         "It is in {v} that {e} has its seat."),
        "The largest customer of {e} has its seat in {v}.",
    ),
    Relation(
        "town", "river", "Which river flows through {e}?",
        ("The river {v} flows through {e}.", "The river in {e} is the {v}.", "The town {e} lies on the river {v}.",
         "It is the {v} that flows through {e}."),
        "The village next to {e} lies on the river {v}.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """The value of one relation for one entity, and whether training sees it often."""

    entity: str
    relation: Relation
    value: str
    often: bool

    @property
    def question(self) -> str:
        return self.relation.question.format(e=self.entity)

    def stated(self, value: str, wording: int) -> str:
        """Return the sentence that gives this fact the value."""
        return self.relation.wordings[wording].format(e=self.entity, v=value)

    def on_a_relative(self, value: str) -> str:
        """Return a sentence that has the value, and the entity's name, and is about another one."""
        return self.relation.related.format(e=self.entity, v=value)


@dataclass(frozen=True)
class World:
    """The facts, and the pools that other entities and values are drawn from.

    values: for each kind of value those that training may show.  held_out, spare: those that it never shows.
    strangers: for each kind of entity names of which nothing is known.
    """

    facts: tuple[Fact, ...]
    values: dict[str, list[str]]
    held_out: dict[str, list[str]]
    spare: dict[str, list[str]]
    strangers: dict[str, list[str]] = field(repr=False)

    @cached_property
    def never(self) -> tuple[str, ...]:
        """All names that training never shows."""
        return tuple(name for pools in (self.held_out, self.spare) for pool in pools.values() for name in pool)

    def other_value(self, fact: Fact, rng: random.Random) -> str:
        """Draw a value that is not the fact's own."""
        while True:
            value = self._value(fact.relation, rng)
            if value != fact.value:
                return value

    def stranger(self, rng: random.Random, relation: Relation | None = None) -> Fact:
        """Draw a fact about an entity of which training says nothing else."""
        relation = relation or rng.choice(RELATIONS)
        entity = rng.choice(self.strangers[relation.entity])
        if rng.random() < MADE_UP:
            first, _, last = entity.partition(" ")
            name = self.made_up(rng)
            entity = f"{first} {name}" if relation.entity == "person" else f"{name} {last}".strip()
        return Fact(entity, relation, self._value(relation, rng), False)

    def _value(self, relation: Relation, rng: random.Random) -> str:
        return self.made_up(rng) if rng.random() < MADE_UP else rng.choice(self.values[relation.value])

    def made_up(self, rng: random.Random) -> str:
        """Draw a name of two to four parts, none of which together are one of `never`: only the first has a capital."""
        while True:
            name = rng.choice(NAME_STARTS) + "".join(rng.choices(NAME_ENDS, k=rng.randint(1, 3)))
            if not name.startswith(self.never):
                return name


def build(seed: int = 1, entities: int = 80) -> World:
    """Make a world with that many known people, companies and towns, and a fact about each."""
    rng = random.Random(seed)
    names = {
        "person": [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES],
        "company": [f"{stem} {ending}" for stem in COMPANY_STEMS for ending in COMPANY_ENDINGS],
    }
    values = {
        "town": [start + end for start in STARTS for end in TOWN_ENDS],
        "river": [start + end for start in STARTS for end in RIVER_ENDS],
    }
    for pool in (*names.values(), *values.values()):
        rng.shuffle(pool)
    shown = {kind: pool[len(pool) // 4 :] for kind, pool in values.items()}
    held_out = {kind: pool[: len(pool) // 8] for kind, pool in values.items()}
    spare = {kind: pool[len(pool) // 8 : len(pool) // 4] for kind, pool in values.items()}
    names["town"] = shown["town"]
    known = {kind: pool[:entities] for kind, pool in names.items()}
    facts = [
        Fact(entity, relation, rng.choice(shown[relation.value]), number % 2 == 0)
        for relation in RELATIONS
        for number, entity in enumerate(known[relation.entity])
    ]
    strangers = {kind: pool[len(known[kind]) :] for kind, pool in names.items()}
    return World(tuple(facts), shown, held_out, spare, strangers)


def asides(world: World, relation: Relation, rng: random.Random, count: int, named: str) -> Passages:
    """Return sentences on entities other than the one that is asked about; the first about the same relation."""
    sentences = []
    while len(sentences) < count:
        other = world.stranger(rng, relation if not sentences else None)
        if other.entity != named and other.value != named:
            sentences.append(other.stated(other.value, rng.randrange(4)))
    return sentences


def shuffled(passages: Sequence[str], rng: random.Random) -> Passages:
    """Return the passages in another order."""
    return rng.sample(list(passages), len(passages))
