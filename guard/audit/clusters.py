"""One claim that many places contradict is one finding with many places.

The claim with the most contradictions takes all of them, then the next of what is left: a greedy cover of the graph of
claims by stars.  n places against m need at most min(n, m) findings then, not n times m.  Claims are the same where
their words are; those said otherwise are claims of their own.  A finding keeps the id of its strongest pair, and
knows the others, so lists of ids (baseline, review) go on to speak of pairs.
Pure.  Knows nothing about documents and formats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

from detectors.evidence import ConflictType

from .findings import Finding, Preference, State, normalised
from .wording import counted

Claim = tuple[str, ConflictType, State, str]
"""The words, what is disputed, and the state with its reason: only what was dealt with alike is joined."""


def joined(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings with those about one claim joined, the highest score first.

    Those that hold only given a third statement stay alone.
    """
    found = sorted(findings, key=lambda f: (-f.score, f.id, f.a.passage_id, f.b.passage_id))
    stars = list(_stars(found))
    inside = {n for _, star in stars for n in star}
    alone = [f for n, f in enumerate(found) if n not in inside]
    return tuple(sorted([*alone, *(_one([found[n] for n in s], c) for c, s in stars)], key=lambda f: (-f.score, f.id)))


def _stars(found: Sequence[Finding]) -> Iterator[tuple[Claim, list[int]]]:
    """Yield the claims with the numbers of at least two findings each; no finding is in two of them."""
    around: dict[Claim, list[int]] = defaultdict(list)
    for n, finding in enumerate(found):
        if finding.given is None:
            for claim in {_claim(finding, finding.a.text), _claim(finding, finding.b.text)}:
                around[claim].append(n)
    taken: set[int] = set()
    heap = [(-len(numbers), numbers[0], claim) for claim, numbers in around.items()]
    heapify(heap)
    while heap:
        size, _, claim = heappop(heap)
        left = [n for n in around[claim] if n not in taken]
        if len(left) > 1 and len(left) < -size:
            heappush(heap, (-len(left), left[0], claim))
        elif len(left) > 1:
            taken.update(left)
            yield claim, left


def _claim(finding: Finding, text: str) -> Claim:
    return normalised(text).casefold(), finding.type, finding.state, finding.state_reason


def _one(members: Sequence[Finding], claim: Claim) -> Finding:
    """Return one finding for several about a claim, the strongest first."""
    members = [m if _claim(m, m.a.text) == claim else _turned(m) for m in members]
    first, more = members[0], tuple(pair for m in members[1:] for pair in m.pairs)
    sides = {m.preferred.side if m.preferred else None for m in members}
    star = replace(first, more=more, preferred=first.preferred if len(sides) == 1 else None)
    return replace(star, action=_action(star))


def _turned(finding: Finding) -> Finding:
    """Return the finding with its sides changed."""
    better = finding.preferred
    turned = better and Preference("b" if better.side == "a" else "a", better.rule, better.reason)
    return replace(finding, a=finding.b, b=finding.a, preferred=turned)


def _action(star: Finding) -> str:
    others = counted(len(star.against) + 1, "other place")
    if star.preferred and star.preferred.side == "a":
        return f"Correct {others} to agree with {star.a.place}."
    if star.preferred:
        return f"Correct {star.a.place}: the preferred side is in {others}."
    return f"Find out which is right, {star.a.place} or {others}, and correct what is wrong."
