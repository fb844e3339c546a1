"""From conflicts to a decision: what happens, and which passages give way to which.  Pure.

The rules, in order:

1. The action is the strictest that any conflict's type asks for.  Only conflicts that ask for it make
   passages lose: a conflict that should be annotated drops nothing because another one drops.
2. A passage that contradicts itself loses ("self-contradiction") and is no witness against others.
3. Declared trust (`guard.trust`: supersedes, authority, date) between two conflicting passages wins over any
   number of witnesses: a passage waits until every passage that beats it has been kept or has lost.
4. Where nothing is declared, the largest mutually consistent set is kept: one vote for each passage, and
   near-duplicates are one passage, speaking through its most trusted member.
5. Equal counts: the set with the earliest-ranked passage in which they differ.

So every passage that loses contradicts one that is kept (or itself), and only rule 5 looks at the order.
Knows nothing about how the context is repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from detectors.errors import ConfigError, InputError
from detectors.evidence import Conflict, ConflictType, Passage, Span

from .independent_set import max_weight_independent_set
from .trust import RULES, Trust, TrustRules, decisive_rule, declared_rule, ordering, sort_key
from .verdict import Action, Decision, Loss

SELF_CONTRADICTION = "self-contradiction"

_STRICTNESS = {action: level for level, action in enumerate(Action)}
_REASONS = {
    "supersedes": "the other passage is declared to supersede this one",
    "authority": "the other passage has the higher declared authority",
    "date": "the other passage has the later date",
    "witnesses": "more than one independent passage of the kept set contradicts this one",
    "rank": "nothing declared separates them; the other passage is in the set that was settled first",
    SELF_CONTRADICTION: "the passage contradicts itself",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do about conflicts.  ``by_type`` overrides ``action``; a drop leaves ``min_passages``.

    >>> Policy(Action.DROP, by_type={ConflictType.DATE: Action.REPORT}).action_for(ConflictType.DATE).value
    'report'
    """

    action: Action = Action.ANNOTATE
    by_type: Mapping[ConflictType, Action] = field(default_factory=dict)
    min_passages: int = 1
    trust: TrustRules = field(default_factory=TrustRules)

    def __post_init__(self) -> None:
        for type_, action in ((None, self.action), *self.by_type.items()):
            if type_ is not None and not isinstance(type_, ConflictType):
                raise ConfigError(f"by_type: {type_!r} is no ConflictType; use one of {_names(ConflictType)}")
            if not isinstance(action, Action):
                raise ConfigError(f"{action!r} is no Action; use one of {_names(Action)}")
        floor = self.min_passages
        if not isinstance(floor, int) or isinstance(floor, bool) or floor < 0:
            raise ConfigError(f"min_passages is {floor!r}; give a whole number, 0 or more")
        if not isinstance(self.trust, TrustRules):
            raise ConfigError(f"trust is {self.trust!r}; give a TrustRules")
        object.__setattr__(self, "by_type", dict(self.by_type))

    def action_for(self, type_: ConflictType) -> Action:
        """Return the action for one type of conflict."""
        return self.by_type.get(type_, self.action)


def decide(
    conflicts: Sequence[Conflict],
    passages: Sequence[Passage],
    clusters: Sequence[Sequence[str]],
    policy: Policy,
) -> Decision:
    """Return the action and, most trusted first, the passages that lose (self-contradictions last).

    ``clusters`` are disjoint groups of near-duplicate ids.  Without conflicts, or where all their types are
    only reported, the action is REPORT and nothing loses.  Raises InputError for an unknown id.

    >>> a, b = Passage("a", "20 days.", {"date": "2021"}), Passage("b", "25 days.", {"date": "2024"})
    >>> clash = Conflict(ConflictType.VALUE, 0.9, Span("a", 0, 2, "20"), Span("b", 0, 2, "25"), "", ())
    >>> losses = decide([clash], [a, b], [], Policy()).losses
    >>> [(loss.passage_id, loss.winner_id, loss.rule) for loss in losses]
    [('a', 'b', 'date')]
    """
    trust = ordering(passages, policy.trust)
    _check_ids(conflicts, clusters, trust)
    action = max((policy.action_for(c.type) for c in conflicts), key=_STRICTNESS.__getitem__, default=Action.REPORT)
    if action is Action.REPORT:
        return Decision(action)
    acting = sorted((c for c in conflicts if policy.action_for(c.type) is action), key=_strongest_first)
    broken = {c.a.passage_id: c for c in reversed(acting) if c.is_self_contradiction}
    pairs = [c for c in acting if not {c.a.passage_id, c.b.passage_id} & broken.keys()]
    nodes = _nodes(trust, clusters, pairs, broken.keys())
    losses = _lost_pairs(nodes, pairs, trust)
    losses.sort(key=lambda loss: sort_key(trust[loss.passage_id]))
    own = [_loss(i, i, SELF_CONTRADICTION, broken[i].b) for i in sorted(broken, key=lambda i: sort_key(trust[i]))]
    return Decision(action, (*losses, *own))


def _lost_pairs(nodes: Sequence[tuple[str, ...]], pairs: Sequence[Conflict], trust: Mapping[str, Trust]) -> list[Loss]:
    home = {passage_id: n for n, members in enumerate(nodes) for passage_id in members}
    graph: dict[int, set[int]] = {n: set() for n in range(len(nodes))}
    for conflict in pairs:
        a, b = home[conflict.a.passage_id], home[conflict.b.passage_id]
        graph[a].add(b)
        graph[b].add(a)
    speakers = [trust[members[0]] for members in nodes]
    kept = _settle(speakers, graph)
    losses: list[Loss] = []
    for node in sorted(graph.keys() - kept):
        winner, rule = _winner(node, graph[node] & kept, speakers)
        for passage_id in nodes[node]:
            span = _lost_to(passage_id, nodes[node], nodes[winner], pairs)
            losses.append(_loss(passage_id, span.passage_id, rule, span))
    return losses


def _settle(speakers: Sequence[Trust], graph: Mapping[int, set[int]]) -> set[int]:
    """Return the kept nodes.  Each round settles the nodes that no open, conflicting node beats."""
    size = len(speakers)
    by_rank = sorted(graph, key=lambda n: speakers[n].rank)
    weights = {n: (1 << size) + (1 << (size - 1 - place)) for place, n in enumerate(by_rank)}
    left, kept = set(graph), set[int]()
    while left:
        beaten = {n for n in left if any(declared_rule(speakers[m], speakers[n]) for m in graph[n] & left)}
        ready = left - beaten
        kept |= max_weight_independent_set({n: graph[n] & ready for n in ready}, weights)
        left = {n for n in beaten if not graph[n] & kept}
    return kept


def _winner(node: int, opponents: set[int], speakers: Sequence[Trust]) -> tuple[int, str]:
    """Return the kept opponent with the strongest claim, and the rule by which it wins."""
    loser = speakers[node]
    claims = {n: decisive_rule(replace(speakers[n], witnesses=len(opponents)), loser) for n in opponents}
    winner = min(claims, key=lambda n: (RULES.index(claims[n]), sort_key(speakers[n])))
    return winner, claims[winner]


def _nodes(
    trust: Mapping[str, Trust],
    clusters: Sequence[Sequence[str]],
    pairs: Sequence[Conflict],
    out: Iterable[str],
) -> list[tuple[str, ...]]:
    """Return groups that count once, most trusted member first.

    Members of a cluster that contradict each other (a copy with one number changed) are set apart: they stay
    together only where they conflict with the same members.
    """
    cluster_of = {i: n for n, cluster in enumerate(clusters) for i in cluster}
    rivals: dict[str, set[str]] = {i: set() for i in trust}
    for c in pairs:
        a, b = c.a.passage_id, c.b.passage_id
        if a in cluster_of and cluster_of[a] == cluster_of.get(b):
            rivals[a].add(b)
            rivals[b].add(a)
    groups: dict[tuple[object, frozenset[str]], list[str]] = {}
    for i in sorted(trust.keys() - set(out), key=lambda i: sort_key(trust[i])):
        groups.setdefault((cluster_of.get(i, i), frozenset(rivals[i])), []).append(i)
    return [tuple(members) for members in groups.values()]


def _lost_to(passage_id: str, losers: Sequence[str], winners: Sequence[str], pairs: Sequence[Conflict]) -> Span:
    """Return the winners' span of the strongest conflict, of the passage itself if it has one."""
    for own in ((passage_id,), losers):
        for c in pairs:
            for mine, other in ((c.a, c.b), (c.b, c.a)):
                if mine.passage_id in own and other.passage_id in winners:
                    return other
    raise AssertionError("a passage loses only to one that its group conflicts with")


def _loss(passage_id: str, winner_id: str, rule: str, span: Span) -> Loss:
    return Loss(passage_id, winner_id, rule, _REASONS[rule], span)


def _strongest_first(c: Conflict) -> tuple[float, list[tuple[str, int, int]], str]:
    ends = sorted((s.passage_id, s.start, s.end) for s in (c.a, c.b))
    return (-c.score, ends, c.type.value)


def _check_ids(conflicts: Sequence[Conflict], clusters: Sequence[Sequence[str]], known: Mapping[str, Trust]) -> None:
    clustered = [i for cluster in clusters for i in set(cluster)]
    for i in (*clustered, *(span.passage_id for c in conflicts for span in (c.a, c.b))):
        if i not in known:
            raise InputError(f"passage {i!r} is named by a conflict or cluster but is not among the passages")
    if len(clustered) != len(set(clustered)):
        raise InputError("a passage is in two clusters of near-duplicates; merge clusters that overlap")


def _names(enum: type[Action] | type[ConflictType]) -> str:
    return ", ".join(sorted(member.value for member in enum))
