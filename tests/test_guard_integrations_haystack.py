"""The Haystack component, alone and in pipelines; values that differ are conflicts."""

import asyncio
import copy
import json
import os
import pickle

import pytest

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
pytest.importorskip("haystack", reason="needs haystack-ai")

from haystack import Document, Pipeline, component
from haystack.components.builders import PromptBuilder
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from integrating import guard_for

from guard import Action, ConfigError, Guard, GuardConfig, InputError, Policy, Verdict
from guard.integrations.haystack import KEY, ContextBlockedError, PassageGuardChecker

try:  # up to Haystack 2 asynchronous pipelines are a class of their own
    from haystack import AsyncPipeline
except ImportError:
    AsyncPipeline = Pipeline

pytestmark = pytest.mark.clients

QUESTION = "How many days of annual leave?"


def checker(action=Action.ANNOTATE, **settings):
    return PassageGuardChecker(guard_for(action), **settings)


def leave(days, id, **meta):
    return Document(id=id, content=f"Employees receive {days} days of annual leave.", meta=meta)


PORTAL = Document(id="portal", content="Leave is booked in the staff portal.", meta={"page": 3}, score=0.25)


def checked(documents, action=Action.ANNOTATE):
    return checker(action).run(documents, QUESTION)["documents"]


def ids(documents):
    return [d.id for d in documents]


def test_documents_are_annotated_in_one_small_key_and_everything_else_is_kept():
    given = [leave(25, "old", date="2024-01-01", tags=["hr"]), leave(30, "new"), PORTAL]
    before = copy.deepcopy(given)
    out = checked(given)
    assert given == before and not any(KEY in d.meta for d in given)
    assert [(d.id, d.content, d.score) for d in out] == [(d.id, d.content, d.score) for d in given]
    assert [{k: v for k, v in d.meta.items() if k != KEY} for d in out] == [d.meta for d in given]
    assert [d.meta[KEY]["conflicts"] for d in out] == [["new"], ["old"], []]
    assert [d.meta[KEY]["disposition"] for d in out] == ["annotated", "annotated", "kept"]
    assert {d.meta[KEY]["verdict"] for d in out} == {"conflict"}
    assert all(len(json.dumps(d.meta[KEY])) < 200 for d in out)
    assert checked(out) == out


def test_context_notice_and_verdict_are_outputs_too():
    out = checker().run([leave(25, "old"), leave(30, "new"), PORTAL], QUESTION)
    verdict = Verdict.from_dict(json.loads(json.dumps(out["verdict"])))
    assert verdict.status == "conflict" and out["notice"] == verdict.notice
    opening = f"{verdict.notice}\n\nPassage 'old': Employees receive 25 days of annual leave.\n[This passage"
    assert out["context"].startswith(opening)
    assert out["context"].endswith("Passage 'portal': Leave is booked in the staff portal.")
    assert checker().run([]) == {"documents": [], "context": "", "notice": "", "verdict": {}}


def test_the_policy_decides_what_comes_back():
    given = [leave(25, "old", date="2024-01-01"), PORTAL, leave(30, "new", date="2025-01-01")]
    assert ids(checked(given, Action.REPORT)) == ["old", "portal", "new"]
    assert ids(checked(given, Action.RERANK)) == ["portal", "new", "old"]
    assert ids(checked(given, Action.DROP)) == ["portal", "new"]
    told = []
    with pytest.raises(ContextBlockedError):
        checker(Action.BLOCK, on_verdict=told.append).run(given)
    assert [v.status.value for v in told] == ["conflict"]


def test_awaited_equals_the_other():
    given = [leave(25, "old"), leave(30, "new"), PORTAL]
    assert asyncio.run(checker().run_async(given, QUESTION)) == checker().run(given, QUESTION)


# ---------------------------------------------------------------- bad input


def test_repeated_ids_stay_and_are_told_apart_in_the_key():
    out = checker(Action.RERANK).run([leave(25, "x"), leave(30, "x"), leave(25, "x", part=2)])
    assert ids(out["documents"]) == ["x"] * 3
    assert {d.meta[KEY]["id"] for d in out["documents"]} == {"x", "x#2", "x#3"}
    assert [d.meta[KEY]["id"] for d in out["documents"]][-1] == "x#2" and "Passage 'x_2-" in out["context"]


def test_documents_without_ids_text_or_plain_metadata():
    thing = object()
    without = Document(content="Text.", meta={"thing": thing, "raw": b"\xff"})
    out = checked([Document(id="none"), Document(id="nothing", content=""), without])
    assert [d.meta[KEY]["verdict"] for d in out] == ["unverified"] * 3
    assert out[0].content is None and out[2].id == without.id and out[2].meta["thing"] is thing


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (["text"], r"documents\[0\] must be a Document, not str"),
        ("text", "documents must be a list of Document, not str"),
        (None, "documents must be a list of Document, not NoneType"),
    ],
)
def test_what_cannot_be_checked_is_named(documents, message):
    with pytest.raises(InputError, match=message):
        checker().run(documents)
    with pytest.raises(InputError, match=message):
        asyncio.run(checker().run_async(documents))


# ---------------------------------------------------------------- pipelines


@component
class Listed:
    def __init__(self, documents):
        self.documents = documents

    @component.output_types(documents=list[Document])
    def run(self, query: str):
        return {"documents": self.documents}


TEMPLATE = "{{ context }}\n\nQuestion: {{ query }}"


def pipeline(retriever, kind=Pipeline, made=None):
    whole = kind()
    whole.add_component("retriever", retriever)
    whole.add_component("guard", made or checker())
    whole.add_component("prompt", PromptBuilder(TEMPLATE, required_variables=["context", "query"]))
    whole.connect("retriever.documents", "guard.documents")
    whole.connect("guard.context", "prompt.context")
    return whole


INPUTS = {"retriever": {"query": QUESTION}, "guard": {"query": QUESTION}, "prompt": {"query": QUESTION}}


def ran(whole):
    return whole.run(INPUTS, include_outputs_from={"guard"})


def awaited(whole):
    return asyncio.run(whole.run_async(INPUTS, include_outputs_from={"guard"}))


def test_a_pipelines_prompt_has_the_notes():
    given = [leave(25, "old"), leave(30, "new"), PORTAL]
    first = ran(pipeline(Listed(given)))
    assert first["prompt"]["prompt"].count("This passage conflicts with") == 2
    assert ids(first["guard"]["documents"]) == ["old", "new", "portal"]
    assert awaited(pipeline(Listed(given), AsyncPipeline)) == first


def test_a_blocked_context_ends_the_pipeline():
    given = [leave(25, "old"), leave(30, "new")]
    for run, kind in ((ran, Pipeline), (awaited, AsyncPipeline)):
        with pytest.raises(Exception, match="All passages were withheld") as caught:
            run(pipeline(Listed(given), kind, checker(Action.BLOCK)))
        assert isinstance(caught.value.__cause__ or caught.value, ContextBlockedError)


def test_a_document_store_and_a_k_of_nothing():
    store = InMemoryDocumentStore()
    store.write_documents([leave(25, "old"), leave(30, "new"), PORTAL])
    whole = pipeline(InMemoryBM25Retriever(store))
    for k in (2, 1, 0):
        inputs = {**INPUTS, "retriever": {"query": QUESTION, "top_k": k}}
        found = whole.run(inputs, include_outputs_from={"guard", "retriever"})
        assert ids(found["guard"]["documents"]) == ids(found["retriever"]["documents"])
    assert not any(KEY in d.meta for d in store.filter_documents())


# ---------------------------------------------------------------- copies, threads, text


def test_it_is_written_as_plain_types_and_read_again(monkeypatch):
    monkeypatch.setenv("HAYSTACK_DESERIALIZATION_ALLOWLIST", "guard.*,json.*")
    config = GuardConfig(detectors=("values",), policy=Policy(Action.DROP))
    made = PassageGuardChecker(Guard(config), on_verdict=json.dumps)
    plain = made.to_dict()
    assert json.loads(json.dumps(plain)) == plain and plain["type"].endswith("haystack.checker.PassageGuardChecker")
    before = copy.deepcopy(plain)
    again = PassageGuardChecker.from_dict(plain)
    assert plain == before and again.to_dict() == plain
    assert again._guarded.guard.config == config and again._guarded.on_verdict is json.dumps
    for wrong in ({"treshold": 1}, {"threshold": 7}):
        with pytest.raises(ConfigError, match="threshold"):
            PassageGuardChecker.from_dict({**plain, "init_parameters": {"guard": wrong}})
    with pytest.raises(ConfigError, match="cannot be written"):
        checker().to_dict()


def test_a_pipeline_is_saved_and_loaded(monkeypatch):
    monkeypatch.setenv("HAYSTACK_DESERIALIZATION_ALLOWLIST", "guard.*")
    config = GuardConfig(detectors=("values",), policy=Policy(Action.DROP))
    store = InMemoryDocumentStore()
    saved = pipeline(InMemoryBM25Retriever(store), made=PassageGuardChecker(Guard(config))).dumps()
    again = Pipeline.loads(saved)
    assert again.get_component("guard")._guarded.guard.config == config
    assert again.to_dict()["components"] == Pipeline.loads(again.dumps()).to_dict()["components"]


def test_it_pickles_as_its_configuration_and_deep_copies_share_the_guard():
    made = checker(Action.DROP)
    made.warm_up()
    given = [leave(25, "old"), leave(30, "new")]
    again = pickle.loads(pickle.dumps(made._guarded))
    assert set(vars(again.guard)) == set(vars(guard_for()))
    assert copy.deepcopy(made)._guarded.guard is made._guarded.guard
    assert ids(pickle.loads(pickle.dumps(made)).run(given)["documents"]) == ["old"]
