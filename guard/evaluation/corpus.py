"""What would be found in *this* corpus: planted contradictions and restatements, each in a small set of its passages.

`inject.inject_each` plants; around each planted sentence stand the passage that it is about and those that share most
rare words with it, as a retriever would return them.  The same sets without anything planted are checked too: what is
reported there may be an alarm or a contradiction that the corpus really holds, and is never counted as found.
Knows nothing about files or output.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from detectors.evidence import Conflict, Passage, Span
from detectors.words import content_words

from .evaluate import Checker, StartProgress, covers, names_sentences
from .inject import Injection, InjectionKind, Planting

BESIDE = 4  # passages of a set beside that of the original sentence
RAREST = 20  # words of a passage by which its neighbours are found

Texts = frozenset[str]  # of both sides of a conflict


@dataclass(frozen=True, slots=True)
class Answer:
    """What the guard said of one injection.

    ``alarm`` is the conflict reported at the planted sentence: the right one if it is among them, else the one of the
    highest score.  ``right_sentences`` is whether it names both sentences, and the bridge of a conditional one.
    """

    injection: Injection
    alarm: Conflict | None
    right_sentences: bool
    unverified: bool


@dataclass(frozen=True, slots=True)
class Untouched:
    """What the guard said of the sets with nothing planted: their passages and conflicts, each once."""

    passages: tuple[Passage, ...]
    conflicts: tuple[Conflict, ...]


def measure(
    guard: Checker, passages: Sequence[Passage], planting: Planting, start: StartProgress
) -> tuple[list[Answer], Untouched]:
    """Check every injection among its neighbours, and the neighbours without it."""
    near = _Neighbours(passages)
    advance = start("planted sets", len(planting.injections))
    answers = []
    before: dict[str, tuple[Conflict, ...]] = {}
    seen: dict[str, Passage] = {}
    for injection in planting.injections:
        home = injection.a.passage_id
        if home not in before:
            base = near.around(home)
            before[home] = guard.check(base).conflicts
            seen.update((p.id, p) for p in base)
        verdict = guard.check([*injection.passages, *near.around(home)[1:]])
        alarm = _alarm(verdict.conflicts, injection, {_texts(c.a, c.b) for c in before[home]})
        right = alarm is not None and _is_right(alarm, injection)
        answers.append(Answer(injection, alarm, right, bool(verdict.unverified)))
        advance(1)
    conflicts = {(c.a, c.b): c for some in before.values() for c in some}
    return answers, Untouched(tuple(seen.values()), tuple(sorted(conflicts.values(), key=lambda c: -c.score)))


class _Neighbours:
    """Finds the passages that share most with one: words weigh by how rare they are."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = {p.id: p for p in passages}
        self.places: dict[str, list[str]] = defaultdict(list)  # the passages of each word
        for passage in passages:
            for word in content_words(passage.text):
                self.places[word].append(passage.id)

    def around(self, home: str) -> list[Passage]:
        """Return the passage, then its `BESIDE` closest ones; equal ones in order of id."""
        shared: dict[str, float] = defaultdict(float)
        words = [w for w in content_words(self.passages[home].text) if len(self.places[w]) > 1]
        for word in sorted(words, key=lambda w: (len(self.places[w]), w))[:RAREST]:
            for name in self.places[word]:
                shared[name] += math.log(len(self.passages) / len(self.places[word]))
        shared.pop(home, None)
        closest = sorted(shared, key=lambda name: (-shared[name], name))
        return [self.passages[name] for name in (home, *closest[:BESIDE])]


def _alarm(conflicts: Sequence[Conflict], injection: Injection, known: set[Texts]) -> Conflict | None:
    """Return the alarm at the planted sentence, without those that its original raises as well."""
    planted = injection.b
    found = []
    for conflict in conflicts:
        sides = (conflict.a, conflict.b)
        others = [other for side, other in (sides, sides[::-1]) if covers(side, planted)]
        if others and not any(_texts(injection.a, other) in known for other in others):
            found.append(conflict)
    return max(found, key=lambda c: (_is_right(c, injection), c.score), default=None)


def _is_right(conflict: Conflict, injection: Injection) -> bool:
    """Whether it names both sentences (or a copy of the original) and, where two clash only given it, the bridge."""
    named = names_sentences(conflict, [(injection.a, injection.b)])
    named = named or _texts(conflict.a, conflict.b) == _texts(injection.a, injection.b)
    if injection.kind is not InjectionKind.CONDITIONAL or injection.given is None:
        return named
    return named and conflict.given is not None and covers(conflict.given, injection.given)


def _texts(one: Span, two: Span) -> Texts:
    return frozenset((one.text, two.text))
