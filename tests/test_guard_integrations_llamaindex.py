"""The LlamaIndex node postprocessor, alone and in query engines; values that differ are conflicts."""

import asyncio
import copy
import json
import pickle

import pytest

pytest.importorskip("llama_index.core", reason="needs llama-index-core")

from integrating import guard_for
from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms.mock import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, QueryBundle, TextNode

from guard import Action, ConfigError, Guard, GuardConfig, InputError, Policy, Verdict
from guard.integrations.llamaindex import KEY, ContextBlockedError, PassageGuardPostprocessor

pytestmark = pytest.mark.clients

QUESTION = "How many days of annual leave?"


def postprocessor(action=Action.ANNOTATE, **settings):
    return PassageGuardPostprocessor(guard=guard_for(action), **settings)


def scored(text, id, score=0.5, **metadata):
    return NodeWithScore(node=TextNode(text=text, id_=id, metadata=metadata), score=score)


def leave(days, id, **metadata):
    return scored(f"Employees receive {days} days of annual leave.", id, **metadata)


def portal():
    return scored("Leave is booked in the staff portal.", "portal", 0.25, page=3)


def ids(nodes):
    return [n.node_id for n in nodes]


def key(scored_node):
    return scored_node.metadata[KEY]


def test_nodes_are_annotated_in_one_small_key_and_everything_else_is_kept():
    given = [leave(25, "old", date="2024-01-01", tags=["hr"]), leave(30, "new"), portal()]
    before = copy.deepcopy(given)
    out = postprocessor().postprocess_nodes(given, query_str=QUESTION)
    assert given == before and not any(KEY in n.metadata for n in given)
    assert [(n.node_id, n.score, n.text) for n in out] == [(n.node_id, n.score, n.text) for n in given]
    assert [{k: v for k, v in n.metadata.items() if k != KEY} for n in out] == [n.metadata for n in given]
    assert [key(n)["conflicts"] for n in out] == [["new"], ["old"], []]
    assert [key(n)["disposition"] for n in out] == ["annotated", "annotated", "kept"]
    assert {key(n)["verdict"] for n in out} == {"conflict"}
    assert all(len(json.dumps(key(n))) < 200 for n in out)


def test_the_llm_reads_the_key_where_there_is_a_note_and_embedding_models_never():
    old, _, calm = postprocessor().postprocess_nodes([leave(25, "old"), leave(30, "new"), portal()])
    shown = old.get_content(metadata_mode=MetadataMode.LLM)
    assert "'id': 'old'" in shown and "This passage conflicts with 'new' (value)." in shown
    assert calm.get_content(metadata_mode=MetadataMode.LLM) == portal().get_content(metadata_mode=MetadataMode.LLM)
    for node in (old, calm):
        assert KEY not in node.get_content(metadata_mode=MetadataMode.EMBED)


def test_a_second_pass_says_the_same_and_an_old_note_goes():
    once = postprocessor().postprocess_nodes([leave(25, "old"), leave(30, "new"), portal()])
    assert postprocessor().postprocess_nodes(once) == once
    (alone,) = postprocessor().postprocess_nodes(once[:1])
    assert key(alone)["verdict"] == "clean" and KEY not in alone.get_content(metadata_mode=MetadataMode.LLM)


def test_the_policy_decides_what_comes_back():
    given = [leave(25, "old", date="2024-01-01"), portal(), leave(30, "new", date="2025-01-01")]
    assert ids(postprocessor(Action.REPORT).postprocess_nodes(given)) == ["old", "portal", "new"]
    assert ids(postprocessor(Action.RERANK).postprocess_nodes(given)) == ["portal", "new", "old"]
    assert ids(postprocessor(Action.DROP).postprocess_nodes(given)) == ["portal", "new"]
    told = []
    with pytest.raises(ContextBlockedError, match=r"'old' and 'new'|'new' and 'old'"):
        postprocessor(Action.BLOCK, on_verdict=told.append).postprocess_nodes(given)
    assert [type(v) for v in told] == [Verdict]


def test_awaited_equals_the_other_in_another_thread():
    given = [leave(25, "old"), leave(30, "new"), portal()]
    told = []
    made = postprocessor(on_verdict=told.append)
    awaited = asyncio.run(made.apostprocess_nodes(given, QueryBundle(QUESTION)))
    assert awaited == made.postprocess_nodes(given, QueryBundle(QUESTION)) and told[0] == told[1]


# ---------------------------------------------------------------- bad input


def test_repeated_ids_stay_and_are_told_apart_in_the_key():
    out = postprocessor().postprocess_nodes([leave(25, "x"), leave(30, "x"), portal()])
    assert ids(out) == ["x", "x", "portal"]
    assert [key(n)["id"] for n in out] == ["x", "x#2", "portal"]
    assert [key(n)["conflicts"] for n in out] == [["x#2"], ["x"], []]


def test_nodes_without_ids_text_or_plain_metadata():
    thing = object()
    odd = scored("Text.", "", thing=thing, raw=b"\xff")
    picture = NodeWithScore(node=ImageNode(image="AA==", id_="picture"))
    out = postprocessor().postprocess_nodes([scored("", "nothing"), odd, picture])
    assert [key(n)["verdict"] for n in out] == ["unverified"] * 3 and type(out[2].node) is ImageNode
    assert out[1].metadata["thing"] is thing and key(out[1])["id"].startswith("text-") and out[1].node_id == ""
    assert postprocessor().postprocess_nodes([]) == []


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (["text"], r"documents\[0\] must be a NodeWithScore, not str"),
        ([TextNode(text="bare")], r"documents\[0\] must be a NodeWithScore, not TextNode"),
        ("text", "documents must be a list of NodeWithScore, not str"),
    ],
)
def test_what_cannot_be_checked_is_named(nodes, message):
    with pytest.raises(InputError, match=message):
        postprocessor().postprocess_nodes(nodes)
    with pytest.raises(InputError, match=message):
        asyncio.run(postprocessor().apostprocess_nodes(nodes))


# ---------------------------------------------------------------- query engines


class Listed(BaseRetriever):
    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes

    def _retrieve(self, query_bundle):
        return self.nodes


def engine(retriever, action=Action.ANNOTATE):
    """Return an engine whose LLM repeats its prompt."""
    return RetrieverQueryEngine.from_args(retriever, llm=MockLLM(), node_postprocessors=[postprocessor(action)])


def test_a_query_engines_llm_reads_the_notes_and_its_sources_carry_the_verdict():
    made = engine(Listed([leave(25, "old"), leave(30, "new"), portal()]))
    for answer in (made.query(QUESTION), asyncio.run(made.aquery(QUESTION))):
        assert str(answer).count("This passage conflicts with") == 2
        assert [key(n)["conflicts"] for n in answer.source_nodes] == [["new"], ["old"], []]
    dropped = engine(Listed([leave(25, "old"), leave(30, "new"), portal()]), Action.DROP).query(QUESTION)
    assert "30 days" not in str(dropped) and "25 days" in str(dropped)


def test_a_calm_context_makes_the_same_prompt_as_without_the_guard():
    retriever = Listed([leave(25, "old"), portal()])
    plain = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    assert str(engine(retriever).query(QUESTION)) == str(plain.query(QUESTION))


def test_a_vector_index_and_a_k_of_nothing():
    nodes = [n.node for n in (leave(25, "old"), leave(30, "new"))]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=4))
    for k in (2, 1, 0):
        retriever = index.as_retriever(similarity_top_k=k)
        assert ids(engine(retriever).query(QUESTION).source_nodes) == ids(retriever.retrieve(QUESTION))
    assert not any(KEY in n.metadata for n in index.docstore.docs.values())


# ---------------------------------------------------------------- copies, threads, text


def test_it_is_written_as_text_and_read_again():
    config = GuardConfig(detectors=("values",), policy=Policy(Action.DROP))
    made = PassageGuardPostprocessor(guard=Guard(config), on_verdict=print)
    plain = made.to_dict()
    assert plain["class_name"] == "PassageGuardPostprocessor" and json.loads(made.to_json()) == plain
    for again in (
        PassageGuardPostprocessor.from_dict(plain), PassageGuardPostprocessor.from_json(made.to_json())
    ):  # fmt: skip
        assert again.guard.config == config
    with pytest.raises(ConfigError, match="unknown setting 'treshold'"):
        PassageGuardPostprocessor.from_dict({**plain, "guard": {"treshold": 1}})


class Unpicklable(BaseCallbackHandler):
    def __init__(self):
        super().__init__([], [])
        self.hold = (n for n in ())

    def on_event_start(self, *args, **kwargs):
        return ""

    def on_event_end(self, *args, **kwargs):
        return None

    def start_trace(self, trace_id=None):
        return None

    def end_trace(self, trace_id=None, trace_map=None):
        return None


def test_it_pickles_as_its_configuration_and_deep_copies_share_the_guard():
    made = postprocessor(Action.DROP, callback_manager=CallbackManager([Unpicklable()]))
    made.postprocess_nodes([leave(25, "old"), leave(30, "new")])
    again = pickle.loads(pickle.dumps(made))
    assert again.guard.config == made.guard.config and set(vars(again.guard)) == set(vars(guard_for()))
    assert ids(again.postprocess_nodes([leave(25, "old"), leave(30, "new")])) == ["old"]
    assert copy.copy(made).guard is made.guard
    plain = postprocessor()
    assert copy.deepcopy(plain).guard is plain.guard
