"""Properties of shapes: no answer makes them fail, and nothing of an answer is lost but what was dropped."""

import copy
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.evidence import Conflict, ConflictType, Span
from guard import Action, Policy, Status, Verdict
from server import annotation, routes
from server.checks import decided
from server.shapes import PathShape

SHAPES = {name: endpoints[0].shape for name, endpoints in routes.PRESETS.items()}
NAMES = [
    "hits", "result", "points", "ids", "documents", "metadatas", "records", "content", "data", "text", "results",
    "index", "_source", "payload", "score", "metadata", "passageguard", "query", "responses",
]  # fmt: skip
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=25,
)
TEXT = {
    "elasticsearch": lambda t: {"_source": {"text": t}}, "qdrant": lambda t: {"payload": {"text": t}},
    "dify": lambda t: {"content": t, "metadata": {}}, "vector_store": lambda t: {"content": [{"text": t}]},
}  # fmt: skip
WRAPPED = {
    "elasticsearch": lambda hits: {"hits": {"hits": hits}}, "qdrant": lambda hits: {"result": hits},
    "dify": lambda hits: {"records": hits}, "vector_store": lambda hits: {"data": hits},
}  # fmt: skip


def judged(passages, action):
    """Return a verdict in which every passage contradicts the one before it."""
    found = [
        Conflict(ConflictType.VALUE, 0.9, Span(p.id, 0, 1, p.text[:1]), Span(q.id, 0, 1, q.text[:1]), "", ())
        for p, q in pairwise(passages)
    ]
    status = Status.CONFLICT if found else Status.CLEAN
    return decided(Verdict(status, tuple(found), Action.REPORT, (), (), ()), passages, Policy(action))


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=60, deadline=None)
@given(asked=TREES, answer=TREES, action=st.sampled_from([Action.ANNOTATE, Action.RERANK, Action.DROP]))
def test_no_answer_makes_a_shape_fail_or_change_what_it_was_given(name, asked, answer, action):
    shape, before = SHAPES[name], copy.deepcopy(answer)
    for hits in shape.hits(asked, answer):
        if hits.passages:
            verdict = judged(hits.passages, action)
            shape.rewritten(answer, hits, verdict, annotation.repair(verdict, "0" * 10))
    assert answer == before


@pytest.mark.parametrize("name", TEXT)
@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.none() | st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9), max_size=6),
    action=st.sampled_from([Action.ANNOTATE, Action.RERANK, Action.DROP]),
)
def test_what_is_returned_is_what_was_given_but_for_notes_and_what_was_dropped(name, texts, action):
    shape = SHAPES[name]
    assert isinstance(shape, PathShape)
    given_hits = [{"own": i, "score": 0.5, **(TEXT[name](t) if t else {})} for i, t in enumerate(texts)]
    lists = shape.hits(None, WRAPPED[name](given_hits))
    if not given_hits or not lists[0].passages:
        return
    (hits,) = lists
    action = Action.RERANK if shape.keeps_all and action is Action.DROP else action
    verdict = judged(hits.passages, action)
    answer, _ = shape.rewritten(WRAPPED[name](given_hits), hits, verdict, annotation.repair(verdict, "0" * 10))
    returned = next(iter(_lists(answer)))
    gone = {hits.homes[p.id] for p in verdict.removed}
    assert sorted(hit["own"] for hit in returned) == [i for i in range(len(texts)) if i not in gone]
    kept = [hits.homes[p.id] for p in verdict.passages]
    assert [hit["own"] for hit in returned if texts[hit["own"]]] == kept
    for hit in returned:
        text = texts[hit["own"]]
        assert text is None or json.dumps(text)[1:-1] in json.dumps(hit)


def _lists(tree):
    for value in tree.values():
        if isinstance(value, list):
            yield value
        else:
            yield from _lists(value)
