"""Changes of the input that must not change the verdict, and whether it stays.

Unit tests of a detector in the manner of CheckList's invariance tests (arXiv 2005.04118): a transformation makes other
passages that say the same, the guard is asked before and after, and a verdict that changes is a flip, whatever the
label.  The guard reads passages in order of id, so swapping and reordering give the texts other ids too; without that
they could not fail.  A transformation that does not fit a row (one passage has no sides) leaves it out.
Knows nothing about labels, files or output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random

from detectors.errors import InputError, PassageGuardError
from detectors.evidence import Conflict, Passage, Sentence
from detectors.segment import segment
from detectors.words import content_words

from .changes import Change, changed
from .datasets import SetExample
from .edits import EditKind, restate
from .evaluate import Checker, StartProgress
from .inject import ANAPHOR
from .statements import leans

Passages = Sequence[Passage]
Transformation = Callable[[Passages, Random], Passages | None]
ADDED = 3  # irrelevant passages
PARAPHRASES = (
    EditKind.CONVERSION, EditKind.NUMBER_FORMAT, EditKind.DATE_FORMAT, EditKind.CONTRACTION, EditKind.VOICE,
    EditKind.SYNONYM, EditKind.REORDER, EditKind.DOUBLE_NEGATION,
)  # without those that say less than before: a rounded value may no longer clash  # fmt: skip
IRRELEVANT = (
    "Granite forms where magma cools slowly deep below the surface. Its crystals can be seen with the naked eye.",
    "The oboe gives the pitch by which the orchestra tunes. A double reed makes its sound.",
    "Swifts sleep on the wing and seldom touch the ground. They nest under old roofs.",
    "Sourdough rises through wild yeast. A cool kitchen makes the crumb denser and the taste milder.",
    "Tides follow the moon. Narrow bays raise the water far above the level of the open coast.",
    "Lichens grow on bare rock. They are a fungus and an alga that live as one.",
    "The sonnet came from Sicily. Its last lines often turn the thought around.",
    "Copper roofs turn green in the rain. The layer shields the metal beneath it.",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the guard said of one row before and after one transformation: the conflict of the highest score, or None.

    ``passages`` are those after it.
    """

    example: SetExample
    transformation: str
    passages: tuple[Passage, ...]
    before: Conflict | None
    after: Conflict | None

    @property
    def is_flip(self) -> bool:
        return (self.before is None) != (self.after is None)


def measure(guard: Checker, examples: Sequence[SetExample], seed: int, start: StartProgress) -> list[Outcome]:
    """Ask the guard about every row and every transformation that fits it.

    Each row and transformation has a stream of chance of its own.  Raises `InputError` naming file and line of
    passages that cannot be checked.
    """
    advance = start("consistency: rows", len(examples))
    outcomes = []
    for example in examples:
        before = _worst(guard, example, example.passages)
        for name, transform in TRANSFORMATIONS.items():
            passages = transform(example.passages, Random(f"{seed}/{name}/{example.source}/{example.id}"))
            if passages is not None:
                after = _worst(guard, example, passages)
                outcomes.append(Outcome(example, name, tuple(passages), before, after))
        advance(1)
    return outcomes


def _worst(guard: Checker, example: SetExample, passages: Passages) -> Conflict | None:
    try:
        conflicts = guard.check(passages, example.question).conflicts
    except PassageGuardError as error:
        raise InputError(f"{example.where}: {error}") from error
    return max(conflicts, key=lambda c: c.score, default=None)


def swap(passages: Passages, rng: Random) -> Passages | None:
    """Give the texts each other's ids, so that in every pair the one that was read first is read second."""
    slots = sorted(passages, key=lambda p: p.id)
    return _renamed(slots[::-1], slots) if len(slots) > 1 else None


def reorder(passages: Passages, rng: Random) -> Passages | None:
    """Shuffle the texts over ids and positions; two passages are left to `swap`."""
    if len(passages) < 3:
        return None
    shuffled = list(passages)
    while shuffled == list(passages):
        rng.shuffle(shuffled)
    return _renamed(shuffled, passages)


def paraphrase(passages: Passages, rng: Random) -> Passages | None:
    """Say every sentence otherwise that a rule can say otherwise."""
    return _restated(passages, rng, PARAPHRASES)


def add_asides(passages: Passages, rng: Random) -> Passages | None:
    """Add a clause that says nothing more ("as noted above") to every sentence that takes one."""
    return _restated(passages, rng, (EditKind.ADDITION,))


def add_irrelevant(passages: Passages, rng: Random) -> Passages | None:
    """Insert the `ADDED` of the `IRRELEVANT` passages that share fewest words with the row, at random places."""
    words = frozenset().union(*(content_words(p.text) for p in passages))
    texts = sorted(rng.sample(IRRELEVANT, len(IRRELEVANT)), key=lambda text: len(words & content_words(text)))
    found = list(passages)
    for text in texts[:ADDED]:
        found.insert(rng.randrange(len(found) + 1), Passage(_fresh("unrelated", found), text))
    return found


def split(passages: Passages, rng: Random) -> Passages | None:
    """Cut every passage of plain prose in two, near its middle, before a sentence that stands on its own."""
    found: list[Passage] = []
    for passage in passages:
        at = _cut(passage)
        parts = [passage.text[:at].rstrip(), passage.text[at:]] if at else [passage.text]
        for text in parts:
            found.append(replace(passage, id=_fresh(passage.id, [*passages, *found]) if at else passage.id, text=text))
    return found if len(found) > len(passages) else None


def join(passages: Passages, rng: Random) -> Passages | None:
    """Make one passage of each two neighbours, where no heading of the first would come to stand above the second."""
    found: list[Passage] = []
    waiting = list(passages)
    while waiting:
        passage = waiting.pop(0)
        if waiting and _joinable(passage, waiting[0]):
            passage = replace(passage, text=f"{passage.text}\n\n{waiting.pop(0).text}")
        found.append(passage)
    return found if len(found) < len(passages) else None


TRANSFORMATIONS: Mapping[str, Transformation] = {
    "swap": swap,
    "reorder": reorder,
    "paraphrase": paraphrase,
    "add_asides": add_asides,
    "add_irrelevant": add_irrelevant,
    "split": split,
    "join": join,
}


def _renamed(passages: Passages, slots: Passages) -> list[Passage]:
    """Put each passage into the slot at its place: under that id."""
    return [replace(passage, id=slot.id) for passage, slot in zip(passages, slots, strict=True)]


def _restated(passages: Passages, rng: Random, kinds: Sequence[EditKind]) -> Passages | None:
    found = [replace(p, text=changed(p.text, _restatements(p, rng, kinds))) for p in passages]
    return found if found != list(passages) else None


def _restatements(passage: Passage, rng: Random, kinds: Sequence[EditKind]) -> list[Change]:
    found = []
    for sentence in segment(passage):
        tries = (restate(sentence.text, rng, kind) for kind in rng.sample(kinds, len(kinds)))
        edit = next(filter(None, tries), None) if sentence.kind in ("prose", "item") else None
        if edit:
            found.append((sentence.span.start, sentence.span.end, edit.after))
    return found


def _cut(passage: Passage) -> int | None:
    """Return where to cut, or None."""
    sentences = segment(passage)
    if any(s.kind != "prose" for s in sentences):
        return None
    starts = [s.span.start for s in sentences[1:] if _stands_alone(s)]
    return min(starts, key=lambda at: abs(at - len(passage.text) / 2), default=None)


def _stands_alone(sentence: Sentence) -> bool:
    return sentence.text[0].isupper() and not ANAPHOR.match(sentence.text) and not leans(sentence.text)


def _joinable(one: Passage, two: Passage) -> bool:
    plain = all(s.kind in ("prose", "item") for p in (one, two) for s in segment(p))
    return plain or two.text.startswith("# ")


def _fresh(base: str, taken: Passages) -> str:
    ids = {p.id for p in taken}
    return next(name for n in count(1) if (name := f"{base}-{n}") not in ids)
