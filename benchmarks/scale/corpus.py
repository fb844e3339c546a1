"""A corpus of any size with planted contradictions: what does an audit find, and what does it cost, as a set grows?

Documents of eight sentences about things that do not exist: each is about one thing, in facts that `facts.txt` words
in two ways.  Some things have a second document, which says other facts of it and one of the first document's again:
edited by `guard.evaluation.edits` so that it contradicts (the plants), or only worded otherwise (the controls).

Documents come in blocks of `BLOCK` with the same plants and controls in each, and a block does not depend on how many
there are.  So the same plants can be looked for among 100 documents and among 10,000, and nothing differs but what
stands around them.  A fact is stated of one thing alone and, but for plants and controls, once; nothing else
contradicts by construction.  Knows nothing about detectors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from random import Random

from guard.evaluation import edits
from guard.evaluation.edits import EditKind
from guard.evaluation.lexicon import FIRST_NAMES
from guard.evaluation.names import Names

BLOCK = 100  # documents
SENTENCES = 8
CONTROLS = 9  # of each block; a third of them worded otherwise without an edit
RESTATED = [k for k in edits.CONTROLS if k not in (EditKind.CONTRACTION, EditKind.OMISSION)]  # no fact allows these
NAMED = 0.6  # share of sentences that name what they are about
FIRST_WORDS = 2400  # of names of things
WORDED_OTHERWISE = "reworded"
FACTS = Path(__file__).with_name("facts.txt")
TITLES = ("questions and answers", "notes", "a visit", "news", "background", "what to know", "summary", "a report")

LISTS = {
    name: tuple(entries.split("/"))
    for name, entries in {
        "account": "savings/current/student/deposit/family/youth/business/gold/travel/notice",
        "animal": "heron/otter/lynx/badger/kestrel/curlew/marten/beaver/osprey/plover/dormouse/adder/polecat/bittern/"
        "stoat/raven/swift/egret/newt/hare/dipper/merlin/shrike/stork/vole/wolverine/puffin/gannet/moth/swan",
        "art": "enamel/porcelain/tapestry/sculpture/photography/ivory/glass/furniture/armour/manuscript/coin/textile/"
        "drawing/mask/clock/jewellery/puppet/mosaic/icon/lace",
        "asset": "archive/boiler/footbridge/playground/data centre/sports hall/drainage/lighting/fleet/canteen/roof/"
        "cycle lane/cold store/training centre/heating/warehouse/website/greenhouse/lift/quay",
        "beer": "porter/stout/pale ale/lager/wheat beer/pilsner/bitter/cider/barley wine/amber ale/saison/mead",
        "cause": "literacy/first aid/tree planting/river cleaning/chess/orchestra/food bank/swimming/apprentice/"
        "music/hospice/robotics/rescue dog/allotment/heritage/sign language",
        "club": "chess/rowing/fencing/drama/astronomy/judo/choir/debating/robotics/archery/pottery/sailing/climbing/"
        "gardening/photography/table tennis",
        "colour": "crimson/turquoise/amber/violet/ivory/scarlet/emerald/indigo/copper/lilac/ochre/silver/maroon/teal",
        "country": "Norway/Portugal/Chile/Kenya/Vietnam/Iceland/Peru/Morocco/Finland/Austria/Ghana/Nepal/Uruguay/"
        "Estonia/Jordan/Croatia/Mexico/Thailand/Zambia/Denmark",
        "day": "3 January/12 February/20 March/7 April/25 August/9 June/14 July/2 August/30 September/17 October/"
        "6 November/11 December/28 January/15 April/22 June/4 October",
        "delivery": "email/courier/registered post/bank message/text message/ordinary post",
        "device": "spectrometer/telescope/centrifuge/seismograph/microscope/cyclotron/barometer/interferometer/"
        "refractometer/calorimeter/oscilloscope/densitometer/plotter/theodolite/hydrophone",
        "energy": "gas/electricity/district heat/drinking water/steam/biogas/cooling water",
        "file": "spreadsheet/archive/audio/calendar/vector/raster/subtitle/geometry/ledger/contact/template/log",
        "fish": "perch/char/grayling/zander/vendace/roach/tench/bream/pike/sturgeon/burbot/minnow",
        "illness": "asthma/migraine/gout/eczema/anaemia/arthritis/hay fever/insomnia/bronchitis/psoriasis/sciatica",
        "insurance": "liability/flood/travel/fire/household/storm/legal/cargo/glass/machinery/dental/livestock/cyber",
        "language": "Basque/Welsh/Latin/Frisian/Finnish/Catalan/Breton/Maltese/Gaelic/Estonian/Sorbian/Faroese",
        "livestock": "goats/sheep/calves/geese/ponies/hens/alpacas/pigs/ducks/donkeys",
        "machine": "tractor/excavator/baler/harvester/snowplough/forklift/crane/tram/steamroller/moped/dredger/seeder",
        "metal": "brass/steel/zinc/aluminium/bronze/copper/titanium/cast iron/pewter/nickel",
        "mineral": "feldspar/zeolite/gypsum/fluorite/magnesite/talc/barite/dolomite/kaolin/olivine/quartz/graphite",
        "month": "January/February/March/April/June/July/August/September/October/November/December",
        "paper": "passport/voucher/form/certificate/letter/badge/receipt/permit/contract/brochure/diary/folder",
        "part": "hinge/pump/valve/gasket/bearing/sensor/spindle/clutch/nozzle/relay/fuse/gearbox/belt/thermostat/seal",
        "peril": "flood/hail/earthquake/war/frost/vermin/landslide/volcano/lightning/mould/riot",
        "prize": "Golden Acorn/Silver Compass/Amber Lantern/Northern Star/Blue Ribbon Medal/Harvest Cup/Iron Bell/"
        "Crystal Plough/Lighthouse Award/Quill Medal/Cedar Trophy/Anchor Prize/Falcon Cup/Oak Leaf Award",
        "register": "visitor book/safety sheet/guest list/attendance roll/key register/confidentiality form/logbook",
        "science": "glacier/optics/soil/vaccine/polymer/sleep/tide/insect/genome/corrosion/dialect/plasma/migration",
        "standard": "Corvid 7/Lattice 12/Meridian 5/Pallas 9/Tern 4/Ibex 21/Quarry 8/Solent 16/Garnet 33/Umber 2",
        "stone": "granite/sandstone/slate/basalt/limestone/flint/tufa/marble/brick",
        "subject": "botany/law/geology/medicine/music/chemistry/trade/forestry/philology/agriculture/navigation",
        "tree": "oak/beech/larch/spruce/ash/hornbeam/yew/alder/birch/lime/poplar/maple",
        "vegetable": "leeks/barley/hops/potatoes/rapeseed/pumpkins/spelt/beans/asparagus/carrots/flax/lentils",
        "view": "staircase/courtyard/harbour/garden/cellar/lake/car park/attic/castle/river",
        "ward": "maternity/cardiology/stroke/paediatric/burns/dialysis/eye/orthopaedic/dental/trauma/oncology/skin",
        "weekday": "Monday/Tuesday/Wednesday/Thursday/Friday/Saturday/Sunday",
    }.items()
}
# Syllables of invented names; the endings keep things, places, companies and families apart.
OPENINGS = """Al Bar Bel Bor Bran Bren Cal Car Cor Cran Dal Dar Dun El Fal Fen Gar Glen Gor Hal Har Hol Il Jor Kel Kil
Kor Lam Lor Lun Mal Mar Mer Mor Nar Nor Ol Or Os Pel Per Pol Quen Ral Ros Ruth Sal Sel Sten Tal Tar Tor Ul Ur Val Var
Vel Wen Wil Yar Zel""".split()
MIDDLES = "a e i o an en in on ar er ir or".split()
ENDINGS = {
    "thing": "beck bury combe croft den ditch fell gate ham hurst keld ley mere moss ness shaw thorpe wick".split(),
    "place": "ston ford by minster borough haven".split(),
    "company": "tex co dyne mont via plex".split(),
    "family": "berg dahl ski sen ova mann eau ides".split(),
}
COMPANY_KINDS = ("Group", "Industries", "Systems", "Company")
PERIODS = {
    "organisation": ((1950, 2019), (1990, 2024)), "product": ((2010, 2019), (2010, 2024)),
    "offer": ((2010, 2019), (2010, 2024)), "place": ((1950, 2019), (1950, 2024)),
    "person": ((1905, 1945), (1905, 1945)),
}  # fmt: skip
VALUE, EITHER = re.compile(r"\{([^}]+)\}"), re.compile(r"\(([^()]*\|[^()]*)\)")
ABBREVIATED = re.compile(r"\b(?:m|[kcm]m|m?g|kg|ft|oz|min|[KMG]B|[ap]\.m|km/h|May)\.$")  # may end no sentence
RANGE = re.compile(r"(,?)(\d+)(\.\d+)?-(\d+)(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be said of a thing, in two wordings; see `facts.txt`."""

    id: str
    wordings: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Topic:
    """What documents are about: the noun, the last words of a name (none for persons), the facts."""

    name: str
    class_: str
    noun: str
    kinds: tuple[str, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of a document: ``corpus.text(path)[start:end] == text`` states the fact of the thing."""

    path: str
    start: int
    end: int
    text: str
    thing: str
    fact: str


@dataclass(frozen=True, slots=True)
class Plant:
    """Two statements of different documents about the same fact.

    ``kind`` is the edit of ``b``, or `WORDED_OTHERWISE`; ``before`` is what was edited: the words of ``a``, or where
    ``is_reworded`` the other wording of the fact.
    """

    kind: str
    contradicts: bool
    is_reworded: bool
    a: Statement
    b: Statement
    before: str

    @property
    def is_named(self) -> bool:
        """Whether both sentences name the thing; else the first leaves that to the heading."""
        return self.a.thing in self.a.text


@dataclass(frozen=True, slots=True)
class Document:
    path: str
    text: str
    thing: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents and what is planted in them."""

    documents: tuple[Document, ...]
    plants: tuple[Plant, ...]

    def write(self, folder: Path) -> None:
        """Write each document as a file below ``folder``."""
        for document in self.documents:
            path = folder / document.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document.text, encoding="utf-8")


def corpus(n: int, seed: int = 0, first: int = 0) -> Corpus:
    """Return ``n`` documents, a multiple of `BLOCK`, from block ``first`` on.

    ``corpus(100, seed, first=3)`` are the documents 300 to 399 of every larger corpus of that seed.
    """
    if n < BLOCK or n % BLOCK:
        raise ValueError(f"n is {n}; give a multiple of {BLOCK}")
    blocks = [_Writer(block, seed).block() for block in range(first, first + n // BLOCK)]
    return Corpus(
        tuple(document for documents, _ in blocks for document in documents),
        tuple(plant for _, plants in blocks for plant in plants),
    )


@cache
def topics() -> tuple[Topic, ...]:
    """Read `facts.txt`."""
    shared: dict[str, list[Fact]] = {}
    found: list[tuple[str, list[Fact]]] = []
    for line in FACTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            facts = shared.setdefault(line[2:], [])
        elif line.startswith("== "):
            found.append((line[3:], facts := []))
        elif line and not line.startswith("#"):
            one, _, two = line.partition(" || ")
            facts.append(Fact(one, (one, two)))
    read = []
    for head, facts in found:
        name, class_, noun, kinds = re.split(r", |: | \| ", head, maxsplit=3)
        named = () if kinds == "-" else tuple(kinds.split(", "))
        read.append(Topic(name, class_, noun, named, (*shared[class_], *facts)))
    return tuple(read)


@cache
def invented(kind: str) -> tuple[str, ...]:
    """Return the names of a kind (thing, place, company, family, person) in an order of chance."""
    if kind == "person":
        firsts, families = sorted(FIRST_NAMES), invented("family")
        return tuple(f"{firsts[i * 7 % len(firsts)]} {family}" for i, family in enumerate(families[:1500]))
    names = [f"{a}{b}{c}" for a, b, c in product(OPENINGS, MIDDLES, ENDINGS[kind])]
    Random(kind).shuffle(names)
    if kind == "company":
        return tuple(f"{name} {COMPANY_KINDS[i % len(COMPANY_KINDS)]}" for i, name in enumerate(names[:800]))
    return tuple(names[:800] if kind == "place" else names)


@cache
def _names() -> Names:
    return Names(*(tuple(sorted(invented(kind))) for kind in ("person", "company", "place")))


@dataclass
class _Thing:
    """What a document is about, with the values of the facts stated so far."""

    topic: Topic
    name: str
    rng: Random
    taken: set[str]

    def values(self, fact: Fact) -> dict[str, str]:
        """Choose values for a fact; none is chosen twice for one thing."""
        return {slot: self._value(slot) for slot in dict.fromkeys(VALUE.findall("".join(fact.wordings)))}

    def wording(self, template: str, values: dict[str, str], named: bool) -> str:
        """Put values and the name into a wording."""
        text = EITHER.sub(lambda m: self.rng.choice(m[1].split("|")), template)
        text = VALUE.sub(lambda m: values[m[1]], text)
        text = text.replace("@", self.name)
        text = text[0].upper() + text[1:]
        return text if named else _unnamed(text, self)

    def _value(self, slot: str) -> str:
        choices = [self._once(slot) for _ in range(40)]
        chosen = next((c for c in choices if c not in self.taken), choices[-1])
        self.taken.add(chosen)
        return chosen

    def _once(self, slot: str) -> str:
        kind, _, rest = slot.partition(" ")
        years, days = PERIODS[self.topic.class_]
        if kind == "year":
            return str(self.rng.randint(*years))
        if kind == "date":
            low, high = map(int, rest.split("-")) if rest else days
            return f"{self.rng.randint(2, 28)} {self.rng.choice(LISTS['month'])} {self.rng.randint(low, high)}"
        if match := RANGE.fullmatch(kind):
            return _number(self.rng, match)
        low = kind.lower()
        chosen = self.rng.choice(LISTS[low] if low in LISTS else invented(low))
        return chosen if kind == low else chosen.capitalize()


def _number(rng: Random, match: re.Match[str]) -> str:
    comma, low, decimals, high = match[1], int(match[2]), match[3], int(match[4])
    if decimals:
        return f"{rng.randint(low * 10, high * 10 + 9) / 10:.1f}"
    value = rng.randint(low, high)
    return f"{round(value, -2):,}" if comma else str(value)


class _Writer:
    """Writes one block."""

    def __init__(self, block: int, seed: int) -> None:
        self.rng = Random(f"{seed}/{block}")
        self.number, self.things = block * BLOCK, block * BLOCK
        self.documents: list[Document] = []
        self.plants: list[Plant] = []

    def block(self) -> tuple[list[Document], list[Plant]]:
        for kind, is_reworded in product(edits.CONTRADICTING, (False, True)):
            self._pair(kind, is_reworded)
        for i in range(CONTROLS):
            self._pair(None if i % 3 == 0 else self.rng.choice(RESTATED), is_reworded=i % 3 != 1)
        while len(self.documents) < BLOCK:
            thing = self._thing()
            self._document(thing, [self._stated(thing, fact) for fact in self._facts(thing)[:SENTENCES]])
        return self.documents, self.plants

    def _pair(self, kind: EditKind | None, is_reworded: bool) -> None:
        """Write two documents about one thing; of topics and facts the first that allow the edit."""
        while True:
            thing = self._thing(fresh=False)
            for fact in (facts := self._facts(thing)):
                values = thing.values(fact)
                said = thing.wording(fact.wordings[0], values, named=True)
                before = thing.wording(fact.wordings[1], values, named=True) if is_reworded else said
                after = _after(before, kind, thing.name, self.rng)
                if after:
                    break
            else:
                continue
            self.things += 1
            rest = [other for other in facts if other is not fact]
            shown = said if self.rng.random() < NAMED else _unnamed(said, thing)
            one = [(fact.id, shown), *(self._stated(thing, f) for f in rest[: SENTENCES - 1])]
            two = [(fact.id, after), *(self._stated(thing, f) for f in rest[SENTENCES - 1 : 2 * SENTENCES - 2])]
            a, b = self._document(thing, one), self._document(thing, two, self.rng.choice(TITLES))
            contradicts = kind in edits.CONTRADICTING
            self.plants.append(Plant(kind or WORDED_OTHERWISE, contradicts, is_reworded, a, b, before))
            return

    def _thing(self, fresh: bool = True) -> _Thing:
        topic = self.rng.choice(topics())
        name = _name(self.things, topic)
        self.things += fresh
        return _Thing(topic, name, self.rng, set())

    def _facts(self, thing: _Thing) -> list[Fact]:
        return self.rng.sample(thing.topic.facts, len(thing.topic.facts))

    def _stated(self, thing: _Thing, fact: Fact) -> tuple[str, str]:
        template = self.rng.choice(fact.wordings)
        return fact.id, thing.wording(template, thing.values(fact), named=self.rng.random() < NAMED)

    def _document(self, thing: _Thing, sentences: Sequence[tuple[str, str]], title: str = "") -> Statement:
        """Add the document and return its first sentence as it stands in it."""
        path = f"{thing.topic.name}/{self.number:06d}.md"
        self.number += 1
        order = self.rng.sample(range(len(sentences)), len(sentences))
        text = f"# {thing.name}{title and ': ' + title}\n"
        statements = {}
        for at, i in enumerate(order):
            fact, sentence = sentences[i]
            text += "\n" if at % 4 == 0 else " "
            statements[i] = Statement(path, len(text), len(text) + len(sentence), sentence, thing.name, fact)
            text += sentence + ("\n" if at % 4 == 3 else "")
        self.documents.append(Document(path, text.rstrip() + "\n", thing.name, tuple(statements[i] for i in order)))
        return statements[0]


def _unnamed(sentence: str, thing: _Thing) -> str:
    text = sentence.replace(thing.name, f"the {thing.topic.noun}")
    return text[0].upper() + text[1:]


def _after(before: str, kind: EditKind | None, name: str, rng: Random) -> str:
    """Return the sentence edited, still about the thing; empty where no rule is sure."""
    if kind is None:
        return before
    contradicts = kind in edits.CONTRADICTING
    edit = edits.contradict(before, rng, kind, _names()) if contradicts else edits.restate(before, rng, kind)
    return edit.after if edit and name in edit.after and not ABBREVIATED.search(edit.after) else ""


def _name(number: int, topic: Topic) -> str:
    """Return the name of a thing, which no other number has; of every `FIRST_WORDS` things two begin alike."""
    names, turn = invented("thing"), number // FIRST_WORDS
    first = names[number % FIRST_WORDS]
    if topic.class_ == "person":
        firsts = sorted(FIRST_NAMES)
        return f"{firsts[(number % FIRST_WORDS + 7 * turn) % len(firsts)]} {first}"
    second = f" {names[FIRST_WORDS + (number % FIRST_WORDS + 977 * turn) % FIRST_WORDS]}" if turn else ""
    return f"{first}{second} {topic.kinds[number % len(topic.kinds)]}"
