"""From scored pairs to conflicts: each typed, with the detectors that fired and what clashes in plain words.

What scores like a conflict but has a benign shape is named as such.  Knows nothing about policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .comparison import Comparison
from .evidence import Benign, Conflict, ConflictType, Finding, ScoredPair, SentencePair, Span
from .words import NEGATION


def resolve(
    scored: Iterable[ScoredPair], threshold: float, by_type: Mapping[ConflictType, float] | None = None
) -> tuple[tuple[Conflict, ...], tuple[Benign, ...]]:
    """Return the conflicts, and the pairs that only a benign shape keeps below their threshold, best first.

    ``threshold`` is the least score of a conflict; ``by_type`` holds that of the types that have another.  Passages
    whose sentences clash are not reported a second time for answering the question differently, and a pair that a
    third passage makes incompatible is reported with that passage alone.
    """
    limits = by_type or {}
    least = min([threshold, *limits.values()])

    def limit(s: ScoredPair) -> float:
        return limits.get(describe(s).type, threshold) if limits else threshold

    worth = [s for s in scored if max(s.score, s.suspicion) >= least]
    over = [s for s in worth if s.score >= limit(s)]
    texts = {frozenset((s.pair.a.text, s.pair.b.text)) for s in over}
    given = {_spans(s.pair) for s in over if s.given is not None}
    over = [s for s in over if not _inherited(s.pair, texts) and (s.given is not None or _spans(s.pair) not in given)]
    clashing = {s.passage_ids for s in over if not _by_stance(s)}
    conflicts = [describe(s) for s in over if not _by_stance(s) or s.passage_ids not in clashing]
    benign = [
        Benign(s.why_not, s.score, s.pair.a.span, s.pair.b.span)
        for s in worth
        if s.why_not is not None and s.score < limit(s) <= s.suspicion
    ]
    return tuple(sorted(set(conflicts), key=_place)), tuple(sorted(benign, key=_place))


def _spans(pair: SentencePair) -> frozenset[Span]:
    return frozenset((pair.a.span, pair.b.span))


def _inherited(pair: SentencePair, texts: set[frozenset[str]]) -> bool:
    """Whether the clash is already reported for the sentence before, which a side was read after."""
    a, b = pair.a, pair.b
    return bool(
        (a.before and frozenset((a.before, b.text)) in texts) or (b.before and frozenset((a.text, b.before)) in texts)
    )


def _by_stance(scored: ScoredPair) -> bool:
    return scored.detectors[:1] == ("stance",)


def describe(scored: ScoredPair) -> Conflict:
    """Type the conflict and say in plain words what clashes."""
    pair = scored.pair
    if scored.given is not None:
        words = f"incompatible given what passage {scored.given.passage_id!r} says"
        finding = Finding(ConflictType.CONDITIONAL, 1.0, words)
    elif _by_stance(scored):
        finding = Finding(ConflictType.ANSWER, 1.0, "the passages answer the question differently: one yes, one no")
    else:
        finding = _finding(Comparison(pair))
        if finding.type is ConflictType.STATEMENT and scored.clash is not None:
            finding = scored.clash
    return Conflict(
        finding.type, scored.score, pair.a.span, pair.b.span, finding.explanation, scored.detectors, scored.given
    )


def _finding(c: Comparison) -> Finding:
    if c.value:
        return c.value
    if c.opposite:
        return Finding(ConflictType.ANTONYM, 1.0, f'opposite words: "{c.opposite[0]}" against "{c.opposite[1]}"')
    denial = NEGATION.search(c.a) or NEGATION.search(c.b)
    if c.negation_differs and denial:
        return Finding(ConflictType.NEGATION, 1.0, f'one side denies what the other states ("{denial.group()}")')
    if c.replaced_name:
        x, y = c.replaced_name
        return Finding(ConflictType.ENTITY, 1.0, f'different names in the same place: "{x}" against "{y}"')
    clash = f': "{c.replaced[0][0]}" against "{c.replaced[0][1]}"' if c.replaced else ""
    return Finding(ConflictType.STATEMENT, 1.0, "the two statements cannot both be true" + clash)


def _place(found: Conflict | Benign) -> tuple[float, str, int, str, int]:
    return (-found.score, found.a.passage_id, found.a.start, found.b.passage_id, found.b.start)
