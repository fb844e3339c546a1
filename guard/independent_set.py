"""The heaviest set of nodes of which no two are joined: the largest story without a contradiction.

The graph step of ReliabilityRAG (arXiv 2509.23519).  Knows nothing about passages or trust.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

EXACT_LIMIT = 25  # nodes of one connected component that are still solved exactly

Graph = Mapping[int, Set[int]]


def max_weight_independent_set(graph: Graph, weights: Mapping[int, int]) -> set[int]:
    """Return the nodes of a maximum-weight independent set.

    ``graph`` maps each node to its neighbours (symmetric, no loops, all of them keys); ``weights`` are
    positive integers.  Each connected component is solved on its own: exactly, by branch and bound, up to
    `EXACT_LIMIT` nodes; above that greedily, then improved by swapping one node for better ones until no
    such swap helps.  Either way the set is maximal, and deterministic where all sums of weights differ.

    >>> max_weight_independent_set({0: {1}, 1: {0, 2}, 2: {1}}, {0: 2, 1: 3, 2: 2})
    {0, 2}
    """
    chosen: set[int] = set()
    for component in _components(graph):
        chosen |= _solve({v: graph[v] & component for v in component}, weights)
    return chosen


def _components(graph: Graph) -> list[set[int]]:
    found: list[set[int]] = []
    left = set(graph)
    while left:
        component: set[int] = set()
        stack = [min(left)]
        while stack:
            node = stack.pop()
            if node not in component:
                component.add(node)
                stack.extend(graph[node] - component)
        found.append(component)
        left -= component
    return found


def _solve(graph: Graph, weights: Mapping[int, int]) -> set[int]:
    if len(graph) <= EXACT_LIMIT:
        return _exact(graph, weights)
    return _improved(_greedy(graph, weights), graph, weights)


def _exact(graph: Graph, weights: Mapping[int, int]) -> set[int]:
    """Branch on the node with most neighbours: take it or leave it.  Bound: the weight that is left."""
    best: set[int] = set()
    best_weight = 0

    def visit(left: set[int], taken: set[int], weight: int) -> None:
        nonlocal best, best_weight
        if weight + sum(weights[v] for v in left) <= best_weight:
            return
        node = max(left, key=lambda v: (len(graph[v] & left), weights[v], -v), default=None)
        if node is None or not graph[node] & left:
            best, best_weight = taken | left, weight + sum(weights[v] for v in left)
            return
        visit(left - graph[node] - {node}, taken | {node}, weight + weights[node])
        visit(left - {node}, taken, weight)

    visit(set(graph), set(), 0)
    return best


def _greedy(graph: Graph, weights: Mapping[int, int]) -> set[int]:
    """Take the node that costs its neighbours least, again and again."""
    left, taken = set(graph), set[int]()
    while left:
        node = min(left, key=lambda v: (sum(weights[u] for u in graph[v] & left) - weights[v], -weights[v], v))
        taken.add(node)
        left -= graph[node] | {node}
    return taken


def _improved(chosen: set[int], graph: Graph, weights: Mapping[int, int]) -> set[int]:
    """Swap one node for the best set that only it keeps out, while that adds weight (so it ends)."""
    chosen, better = set(chosen), True
    while better:
        better = False
        for node in sorted(chosen, key=lambda v: weights[v]):
            freed = {v for v in graph[node] if graph[v] & chosen == {node}}
            part = {v: graph[v] & freed for v in freed}
            swap = _exact(part, weights) if len(part) <= EXACT_LIMIT else _greedy(part, weights)
            if sum(weights[v] for v in swap) > weights[node]:
                chosen, better = (chosen - {node}) | swap, True
                break
    return chosen
