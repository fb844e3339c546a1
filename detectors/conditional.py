"""Conditional conflicts: two passages that are incompatible only given a third.

The third says that one thing is another ("Brandt GmbH is a Tier 2 supplier").  Read the class name in a first
sentence as the member's name, and compare that with what a second sentence says of the member.  (The framework
of *Contradiction Detection in RAG Systems*, arXiv 2504.00180, names the kind; the substitution is ours.)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .evidence import ScoredPair, Sentence, SentencePair, Span, Unverified
from .protocols import Material
from .words import STOP_WORDS

BRIDGE = re.compile(
    r"^(?P<member>[A-Z][\w&.\-]*(?:\s+[A-Z0-9][\w&.\-]*){0,4})\s+"
    r"(?:is|are|was|counts as|is classified as|is registered as|is treated as)\s+(?:an?|the|one of the)\s+"
    r"(?P<kind>[\w\-]+(?:\s+[\w\-]+){0,3}?)(?=[.,;]|\s+(?:and|which|that|since|of|in|for|under)\b|$)"
)
QUANTIFIER = r"(?:\b(?:all|every|each|any|an?|the)\s+)?"
NO_MEMBERS = STOP_WORDS | {"here"}  # "There are a few exceptions." says what "there" is of nothing
MAX_PAIRS = 200
SENTENCES_PER_PAIR = 20  # in a large collection, one pair for so many sentences may be scored
MAX_RULES = 50  # a class of which more sentences speak bridges everything, as one common noun does
TOKEN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class BridgedPair:
    """``pair`` with ``rewritten`` in place of side a's text, given the sentence ``given``."""

    pair: SentencePair
    rewritten: str
    given: Span


class Conditional:
    """The detector; see the module."""

    def find(self, material: Material) -> Iterator[ScoredPair | Unverified]:
        most = max(MAX_PAIRS, len(material.sentences) // SENTENCES_PER_PAIR)
        bridged: list[BridgedPair] = []
        left: set[Unverified] = set()
        for one in bridged_pairs(material.sentences):
            if isinstance(one, Unverified):
                left.add(one)
            elif len(bridged) < most:
                bridged.append(one)
            else:
                left.add(Unverified("conditional", f"only {most} pairs that depend on a third passage scored"))
                break
        yield from sorted(left, key=lambda unverified: unverified.reason)
        read = {rewritten(b): b for b in bridged}
        for found in material.score(list(read)):
            if isinstance(found, Unverified):
                yield found
            else:
                b = read[found.pair]
                yield replace(found, pair=b.pair, given=b.given, detectors=("conditional", *found.detectors))


def bridged_pairs(sentences: Sequence[Sentence]) -> Iterator[BridgedPair | Unverified]:
    """Yield the pairs that a third sentence of another passage makes comparable, and what is left out as too much."""
    stated = [s for s in sentences if s.kind in ("prose", "item")]
    holders: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in stated:
        for token in set(_tokens(sentence.text)):
            holders[token].append(sentence)
    for bridge in stated:
        match = BRIDGE.match(bridge.text)
        if match is None or match["member"].lower() in NO_MEMBERS:
            continue
        if min(len(match["kind"].split()), len(_tokens(match["kind"]))) > 1:  # one noun bridges everything
            yield from _across(bridge, match["member"], match["kind"], holders)


def _across(
    bridge: Sentence, member: str, kind: str, holders: Mapping[str, Sequence[Sentence]]
) -> Iterator[BridgedPair | Unverified]:
    of_kind = re.compile(QUANTIFIER + r"\b" + re.escape(kind) + r"(?:e?s)?\b", re.IGNORECASE)
    named = re.compile(rf"(?<!\w){re.escape(member)}(?!\w)")
    facts = [s for s in _holding(_tokens(member), holders) if named.search(s.text) and not of_kind.search(s.text)]
    if not facts:
        return
    *exact, _ = _tokens(kind)  # the last may stand in the plural
    rules = [s for s in _holding(exact, holders) if of_kind.search(s.text) and not named.search(s.text)]
    if len(rules) > MAX_RULES:
        yield Unverified("conditional", f"more than {MAX_RULES} sentences speak of {kind!r}: not read for its members")
        return
    for rule in rules:
        for fact in facts:
            if len({rule.passage_id, fact.passage_id, bridge.passage_id}) == 3:
                yield BridgedPair(SentencePair(rule, fact, 0.0), of_kind.sub(member, rule.text, count=1), bridge.span)


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(text.lower())


def _holding(tokens: Sequence[str], holders: Mapping[str, Sequence[Sentence]]) -> Sequence[Sentence]:
    """Return the sentences that hold the rarest of the tokens."""
    return min((holders.get(token, ()) for token in tokens), key=len)


def rewritten(bridged: BridgedPair) -> SentencePair:
    """Return the pair as the detectors should read it; its span texts no longer slice the passages."""
    side = bridged.pair.a
    return replace(bridged.pair, a=replace(side, span=replace(side.span, text=bridged.rewritten)))
