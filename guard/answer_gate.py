"""How much the passages are trusted, from the guard's verdict: trust the context, trust the memory, or trust neither.

Pure AdaCAD follows poisoned passages faithfully, since a lie that contradicts what the model knows is the
greatest of differences.  So the verdict decides first.  Knows nothing about models or decoding.

| the verdict on the passages                                | what the model knows | answer from | trust |
|------------------------------------------------------------|----------------------|-------------|-------|
| no passages                                                | whatever             | memory      | 0     |
| clean                                                      | whatever             | context     | 1     |
| unverified: something was not checked                      | whatever             | context     | 0     |
| conflicts, all settled: declared trust decided, or the     | whatever             | context     | 1     |
| passage that contradicts itself is gone                    |                      |             |       |
| conflicts that the policy only reports                     | whatever             | context     | 0     |
| conflicts that are open                                    | knows                | memory      | 0     |
| conflicts that are open                                    | anything else        | neither     | 0     |
| conflicts that the policy blocks                           | whatever             | neither     | 0     |

A conflict is open where both sides are left in the repaired context, where nothing is left, or where a side was dropped
for no better reason than its rank or the number of passages against it: passages can be planted in any number.
Trust 0 in the context means that the passages are read, but not boosted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .verdict import Action, Status, Verdict

UNDECLARED = frozenset({"witnesses", "rank"})


class Knowledge(StrEnum):
    """What closed-book samples tell of the model: see `guard.answer_knowledge`."""

    KNOWS = "knows"
    UNSURE = "unsure"
    IGNORANT = "ignorant"


class Source(StrEnum):
    """Where an answer comes from."""

    CONTEXT = "context"
    MEMORY = "memory"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Gate:
    """Where to answer from, the trust that multiplies α, in [0, 1], and why, in plain words."""

    source: Source
    trust: float
    reason: str


def gate(verdict: Verdict | None, knowledge: Knowledge | None) -> Gate:
    """Return the row of the table above; ``verdict`` is None without passages, ``knowledge`` where nobody asked.

    >>> gate(None, None)
    Gate(source=<Source.MEMORY: 'memory'>, trust=0.0, reason='there are no passages')
    """
    if verdict is None:
        return Gate(Source.MEMORY, 0.0, "there are no passages")
    if verdict.status is Status.CLEAN:
        return Gate(Source.CONTEXT, 1.0, "the passages agree")
    if verdict.status is Status.UNVERIFIED:
        return Gate(Source.CONTEXT, 0.0, "not everything could be checked, so the passages are read, but not boosted")
    match verdict.action:
        case Action.REPORT:
            return Gate(Source.CONTEXT, 0.0, "the policy only reports the conflict, so no side is boosted")
        case Action.BLOCK:
            return Gate(Source.NEITHER, 0.0, "the policy blocks passages that contradict each other")
    if not is_open(verdict):
        return Gate(Source.CONTEXT, 1.0, "the conflict is settled by what the passages declare, and the rest agrees")
    if knowledge is Knowledge.KNOWS:
        return Gate(Source.MEMORY, 0.0, "nothing settles the conflict, and the model knows an answer by itself")
    known = "was not asked what it knows" if knowledge is None else f"is {knowledge.value} without the passages"
    return Gate(Source.NEITHER, 0.0, f"nothing settles the conflict, and the model {known}")


def needs_knowledge(verdict: Verdict | None) -> bool:
    """Say whether `gate` depends on what the model knows."""
    return gate(verdict, Knowledge.KNOWS) != gate(verdict, None)


def is_open(verdict: Verdict) -> bool:
    """Say whether a conflict is left that neither declared trust nor the loss of a broken passage has settled."""
    left = {passage.id for passage in verdict.passages}
    both_left = any(c.a.passage_id in left and c.b.passage_id in left for c in verdict.conflicts)
    return both_left or not left or any(p.loss and p.loss.rule in UNDECLARED for p in verdict.removed)
