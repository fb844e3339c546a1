"""Conditional conflicts: two passages that are incompatible only given a third.

The third says that one thing is another ("Brandt GmbH is a Tier 2 supplier").  Read the class name in a first
sentence as the member's name, and compare that with what a second sentence says of the member.  (The framework
of *Contradiction Detection in RAG Systems*, arXiv 2504.00180, names the kind; the substitution is ours.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from .evidence import ScoredPair, Sentence, SentencePair, Span, Unverified
from .protocols import Material

BRIDGE = re.compile(
    r"^(?P<member>[A-Z][\w&.\-]*(?:\s+[A-Z0-9][\w&.\-]*){0,4})\s+"
    r"(?:is|are|was|counts as|is classified as|is registered as|is treated as)\s+(?:an?|the|one of the)\s+"
    r"(?P<kind>[\w\-]+(?:\s+[\w\-]+){0,3}?)(?=[.,;]|\s+(?:and|which|that|since|of|in|for|under)\b|$)"
)
QUANTIFIER = r"(?:\b(?:all|every|each|any|an?|the)\s+)?"
MAX_PAIRS = 200


@dataclass(frozen=True, slots=True)
class BridgedPair:
    """``pair`` with ``rewritten`` in place of side a's text, given the sentence ``given``."""

    pair: SentencePair
    rewritten: str
    given: Span


class Conditional:
    """The detector; see the module."""

    def find(self, material: Material) -> Iterator[ScoredPair | Unverified]:
        bridged = list(islice(bridged_pairs(material.sentences), MAX_PAIRS + 1))
        if len(bridged) > MAX_PAIRS:
            yield Unverified("conditional", f"only {MAX_PAIRS} pairs that depend on a third passage scored")
            bridged.pop()
        read = {rewritten(b): b for b in bridged}
        for found in material.score(list(read)):
            if isinstance(found, Unverified):
                yield found
            else:
                b = read[found.pair]
                yield replace(found, pair=b.pair, given=b.given, detectors=("conditional", *found.detectors))


def bridged_pairs(sentences: Sequence[Sentence]) -> Iterator[BridgedPair]:
    """Yield the pairs that a third sentence of another passage makes comparable."""
    stated = [s for s in sentences if s.kind in ("prose", "item")]
    for bridge in stated:
        match = BRIDGE.match(bridge.text)
        if match and len(match["kind"].split()) > 1:  # one common noun bridges everything
            yield from _across(bridge, match["member"], match["kind"], stated)


def _across(bridge: Sentence, member: str, kind: str, stated: Sequence[Sentence]) -> Iterator[BridgedPair]:
    of_kind = re.compile(QUANTIFIER + r"\b" + re.escape(kind) + r"(?:e?s)?\b", re.IGNORECASE)
    rules = [s for s in stated if s is not bridge and of_kind.search(s.text) and member not in s.text]
    facts = [s for s in stated if s is not bridge and member in s.text and not of_kind.search(s.text)]
    for rule in rules:
        for fact in facts:
            if len({rule.passage_id, fact.passage_id, bridge.passage_id}) == 3:
                yield BridgedPair(SentencePair(rule, fact, 0.0), of_kind.sub(member, rule.text, count=1), bridge.span)


def rewritten(bridged: BridgedPair) -> SentencePair:
    """Return the pair as the detectors should read it; its span texts no longer slice the passages."""
    side = bridged.pair.a
    return replace(bridged.pair, a=replace(side, span=replace(side.span, text=bridged.rewritten)))
