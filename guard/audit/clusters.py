"""One claim that many places contradict is one finding with many places.

The claim with the most contradictions takes all of them, then the next of what is left: a greedy cover of the graph of
claims by stars.  n places against m need at most min(n, m) findings then, not n times m.  Claims are the same where
their words are; those said otherwise are claims of their own.  A finding keeps the id of its strongest pair, and
knows the others, so lists of ids (baseline, review) go on to speak of pairs.
Pure.  Knows nothing about documents and formats.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

from detectors.evidence import ConflictType

from .findings import Finding, Preference, Quote, State, normalised
from .wording import counted

AGAINST = re.compile(r'("[^"]*") against ("[^"]*")')
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
    heap = [(-len(numbers), _places(found, numbers, claim), claim) for claim, numbers in around.items()]
    heapify(heap)
    while heap:
        size, _, claim = heappop(heap)
        left = [n for n in around[claim] if n not in taken]
        if len(left) > 1 and len(left) < -size:
            heappush(heap, (-len(left), _places(found, left, claim), claim))
        elif len(left) > 1:
            taken.update(left)
            yield claim, left


def _places(found: Sequence[Finding], numbers: Iterable[int], claim: Claim) -> int:
    """Return in how many places the claim stands; of two that are contradicted as often, the rarer is the centre."""
    sides = ((f, quote) for f in (found[n] for n in numbers) for quote in (f.a, f.b))
    return len({quote for f, quote in sides if _claim(f, quote.text) == claim})


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
    explanation = AGAINST.sub(r"\2 against \1", finding.explanation)
    return replace(finding, a=finding.b, b=finding.a, preferred=turned, explanation=explanation)


def _action(star: Finding) -> str:
    claim, others = _side(star.a, len(star.repeats)), _side(star.b, len(star.against))
    if star.preferred and star.preferred.side == "a":
        return f"Correct {others} to agree with {claim}."
    if star.preferred:
        return f"Correct {claim}; to be preferred: {others}."
    return f"Find out which is right, {claim} or {others}, and correct what is wrong."


def _side(quote: Quote, more: int) -> str:
    return f"{quote.place} and {counted(more, 'more place')}" if more else quote.place
