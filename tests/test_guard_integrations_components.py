"""What holds of every component alike: bad input, copies, threads, an event loop, and who is told.

Each component stands among its framework's own parts, a source of documents before it, and is asked through these: a
compression retriever, a retriever, a chain, an agent, a query engine, a pipeline.  Values that differ are conflicts.
"""

import asyncio
import copy
import json
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
from integrating import guard_for
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import create_retriever_tool

from guard import Action, ConfigError
from guard.integrations import langchain
from guard.integrations.langchain import (
    KEY,
    ContextBlockedError,
    PassageGuardCompressor,
    PassageGuardRetriever,
    PassageGuardRunnable,
)

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
QUESTION = "How many days of annual leave?"


@dataclass(frozen=True)
class Item:
    """A document of no framework.  An id of None is none, or what the framework makes up."""

    id: str | None
    text: str
    metadata: dict = field(default_factory=dict)


def leave(days, id, **metadata):
    return Item(id, f"Employees receive {days} days of annual leave.", metadata)


PORTAL = Item("portal", "Leave is booked in the staff portal.", {"page": 3})
CLASH = [leave(25, "old", date="2024-01-01"), leave(30, "new", date="2025-01-01"), PORTAL]


@dataclass(frozen=True)
class Source:
    """What a retriever returns for a question: documents of its framework, at most ``k``; or how it fails."""

    found: dict[str, list[Any]]
    k: int | None = None
    error: Exception | None = None
    only_awaited: bool = False

    def fetch(self, question, *, awaited=False):
        if self.only_awaited and not awaited:
            raise NotImplementedError("no blocking client")
        if self.error:
            raise self.error
        return self.found[question][: self.k]


# ---------------------------------------------------------------- the components among their frameworks' parts


class Fetching(BaseRetriever):
    source: Source

    def _get_relevant_documents(self, query, *, run_manager):
        return self.source.fetch(query)

    async def _aget_relevant_documents(self, query, *, run_manager):
        return self.source.fetch(query, awaited=True)


class LangChain:
    """Base of LangChain's components: documents in its form, and a whole that is a runnable."""

    needs: tuple[str, ...] = ()

    def document(self, item):
        return Document(item.text, id=item.id, metadata=dict(item.metadata))

    def metadata(self, document):
        return document.metadata

    def name(self, document):
        return document.id

    def found(self, answer):
        return answer

    def ask(self, whole, question):
        return self.found(whole.invoke(question))

    async def aask(self, whole, question):
        return self.found(await whole.ainvoke(question))


class Compressor(LangChain):
    needs = ("langchain_classic",)

    def made(self, source, **settings):
        return PassageGuardCompressor(**settings)

    def whole(self, component, source):
        from langchain_classic.retrievers import ContextualCompressionRetriever

        return ContextualCompressionRetriever(base_compressor=component, base_retriever=Fetching(source=source))


class Retriever(LangChain):
    def made(self, source, **settings):
        return PassageGuardRetriever(retriever=Fetching(source=source), **settings)

    def whole(self, component, source):
        return component


class Runnable(LangChain):
    def made(self, source, **settings):
        return PassageGuardRunnable(**settings)

    def whole(self, component, source):
        return {"question": RunnablePassthrough(), "documents": Fetching(source=source)} | component

    def found(self, answer):
        return answer["documents"]


class Searching(BaseChatModel):
    """Searches for what it is asked, then is done."""

    @property
    def _llm_type(self):
        return "searching"

    def bind_tools(self, tools, **kwargs):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        call = {"name": "search", "args": {"query": messages[-1].text}, "id": "call-1", "type": "tool_call"}
        answer = AIMessage("", tool_calls=[call]) if messages[-1].type == "human" else AIMessage("done")
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Middleware(LangChain):
    needs = ("langchain",)

    def made(self, source, **settings):
        return langchain.PassageGuardMiddleware(**settings)

    def whole(self, component, source):
        from langchain.agents import create_agent

        tool = create_retriever_tool(
            Fetching(source=source), "search", "Searches.", response_format="content_and_artifact"
        )
        return create_agent(Searching(), tools=[tool], middleware=[component])

    def ask(self, whole, question):
        return self.found(whole.invoke({"messages": [("user", question)]}))

    async def aask(self, whole, question):
        return self.found(await whole.ainvoke({"messages": [("user", question)]}))

    def found(self, answer):
        [message] = [m for m in answer["messages"] if isinstance(m, ToolMessage)]
        if message.status == "error":
            raise ContextBlockedError(SimpleNamespace(notice=message.content))
        notes = [d.metadata[KEY]["note"] for d in message.artifact if "note" in d.metadata[KEY]]
        assert message.content.count("[This passage conflicts") == len(notes)
        return message.artifact


class Postprocessor:
    needs = ("llama_index",)

    def document(self, item):
        from llama_index.core.schema import NodeWithScore, TextNode

        return NodeWithScore(node=TextNode(text=item.text, id_=item.id or "", metadata=dict(item.metadata)), score=0.5)

    def metadata(self, document):
        return document.node.metadata

    def name(self, document):
        return document.node.metadata[KEY]["id"]

    def made(self, source, **settings):
        from guard.integrations.llamaindex import PassageGuardPostprocessor

        return PassageGuardPostprocessor(**settings)

    def whole(self, component, source):
        from llama_index.core.base.base_retriever import BaseRetriever
        from llama_index.core.llms.mock import MockLLM
        from llama_index.core.query_engine import RetrieverQueryEngine

        class Fetching(BaseRetriever):
            """Returns nodes as they are; what `BaseRetriever.retrieve` does, it leaves one of those with one id."""

            def _retrieve(self, query_bundle):
                return source.fetch(query_bundle.query_str)

            def retrieve(self, query):
                return self._retrieve(query)

            async def aretrieve(self, query):
                return source.fetch(query.query_str, awaited=True)

        return RetrieverQueryEngine.from_args(Fetching(), llm=MockLLM(), node_postprocessors=[component])

    def ask(self, whole, question):
        return whole.query(question).source_nodes

    async def aask(self, whole, question):
        return (await whole.aquery(question)).source_nodes


class Checker:
    needs = ("haystack",)

    def document(self, item):
        from haystack import Document

        given = {} if item.id is None else {"id": item.id}
        return Document(content=item.text, meta=dict(item.metadata), **given)

    def metadata(self, document):
        return document.meta

    def name(self, document):
        return document.meta[KEY]["id"]

    def made(self, source, **settings):
        from guard.integrations.haystack import PassageGuardChecker

        return PassageGuardChecker(**settings)

    def whole(self, checker, source):
        """Return the pipelines for `run` and `run_async`: two classes up to Haystack 2, with parts of their own."""
        import haystack
        from haystack import Document, component

        @component
        class Fetching:
            @component.output_types(documents=list[Document])
            def run(self, query: str):
                return {"documents": source.fetch(query)}

            @component.output_types(documents=list[Document])
            async def run_async(self, query: str):
                return {"documents": source.fetch(query, awaited=True)}

        def pipeline(kind, part):
            whole = kind()
            whole.add_component("source", Fetching())
            whole.add_component("guard", part)
            whole.connect("source.documents", "guard.documents")
            return whole

        another = copy.deepcopy(checker)  # before it is in a pipeline: old releases mark it with that, copies too
        plain = pipeline(haystack.Pipeline, checker)
        if not hasattr(haystack, "AsyncPipeline"):
            return plain, plain
        return plain, pipeline(haystack.AsyncPipeline, another)

    def ask(self, whole, question):
        return whole[0].run({"source": {"query": question}, "guard": {"query": question}})["guard"]["documents"]

    async def aask(self, whole, question):
        inputs = {"source": {"query": question}, "guard": {"query": question}}
        return (await whole[1].run_async(inputs))["guard"]["documents"]


COMPONENTS = [Compressor(), Retriever(), Runnable(), Middleware(), Postprocessor(), Checker()]


def marks(adapter):
    missing = [name for name in adapter.needs if find_spec(name) is None]
    needed = [pytest.mark.clients] if adapter.needs else []
    return [*needed, pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")]


every = pytest.mark.parametrize(
    "adapter", [pytest.param(a, id=type(a).__name__.lower(), marks=marks(a)) for a in COMPONENTS]
)


class Asked:
    """A component among its framework's parts, asked for what its source has, both ways."""

    def __init__(self, adapter, items=(), action=Action.ANNOTATE, sets=None, **how):
        sets = {QUESTION: items} if sets is None else sets
        found = {question: [adapter.document(item) for item in items] for question, items in sets.items()}
        self.adapter, self.source, self.told = adapter, Source(found, **how), []
        self.guard = guard_for(action)
        self.component = adapter.made(self.source, guard=self.guard, on_verdict=self.told.append)
        self.whole = adapter.whole(self.component, self.source)

    def once(self, question=QUESTION):
        return self.adapter.ask(self.whole, question)

    def awaited(self, question=QUESTION):
        return asyncio.run(self.adapter.aask(self.whole, question))

    def both(self):
        """Return what comes back, the same both ways, and leave the given documents as they were."""
        given = self.source.found[QUESTION]
        before = [dict(self.adapter.metadata(document)) for document in given]
        first, second = self.once(), self.awaited()
        assert [self.said(d) for d in first] == [self.said(d) for d in second]
        assert [self.adapter.metadata(document) for document in given] == before
        return first

    def said(self, document):
        return self.adapter.name(document), self.adapter.metadata(document)[KEY]

    def keys(self, documents):
        return [self.adapter.metadata(document)[KEY] for document in documents]

    def names(self, documents):
        return [self.adapter.name(document) for document in documents]


# ---------------------------------------------------------------- bad input


@every
def test_documents_without_ids_are_told_apart(adapter):
    asked = Asked(adapter, [replace(item, id=None) for item in CLASH])
    out = asked.both()
    a, b, portal = asked.names(out)
    assert len({a, b, portal}) == 3 and all((a, b, portal))
    assert [said["conflicts"] for said in asked.keys(out)] == [[b], [a], []]


@every
def test_documents_of_one_id_are_told_apart(adapter):
    asked = Asked(adapter, [leave(25, "x"), leave(30, "x"), PORTAL])
    out = asked.both()
    assert asked.names(out) == ["x", "x#2", "portal"]
    assert [said["conflicts"] for said in asked.keys(out)] == [["x#2"], ["x"], []]


@every
def test_empty_content_is_kept_and_unverified(adapter):
    asked = Asked(adapter, [Item("none", ""), Item("blank", "  "), PORTAL])
    out = asked.both()
    assert asked.names(out) == ["none", "blank", "portal"]
    assert {said["verdict"] for said in asked.keys(out)} == {"unverified"}
    assert {u.subject for u in asked.told[0].unverified} == {"none", "blank"}
    clash = Asked(adapter, [Item("none", ""), *CLASH[:2]])
    assert [said["verdict"] for said in clash.keys(clash.both())] == ["conflict"] * 3


@every
def test_metadata_need_not_be_json(adapter):
    odd = {"thing": 1 + 2j, "raw": b"\xff", "many": {1}, "kind": Document}
    asked = Asked(adapter, [leave(25, "old", **odd), leave(30, "new", nan=float("nan"))])
    out = asked.both()
    assert {k: v for k, v in adapter.metadata(out[0]).items() if k != KEY} == odd
    assert [said["conflicts"] for said in asked.keys(out)] == [["new"], ["old"]]
    json.dumps(asked.keys(out)), json.dumps(asked.told[0].to_dict())


@every
def test_metadata_that_declared_trust_cannot_read_breaks_nothing_and_is_named(adapter):
    odd = {"date": "spring 2024", "authority": "Ministry of Labour", "supersedes": 7}
    asked = Asked(adapter, [leave(30, "new", **odd), leave(25, "old", date="2024-01-01")], Action.DROP)
    out = asked.both()
    assert asked.names(out) == ["new"] and {k: adapter.metadata(out[0])[k] for k in odd} == odd
    reasons = [u.reason for u in asked.told[0].unverified if u.subject == "new"]
    assert len(reasons) == 3 and all(any(f"'{key}'" in reason for reason in reasons) for key in odd)
    calm = Asked(adapter, [leave(30, "new", **odd), PORTAL])
    assert {said["verdict"] for said in calm.keys(calm.both())} == {"clean"} and not calm.told[0].unverified


@every
def test_a_k_of_nothing_and_nothing_found(adapter):
    for asked in (Asked(adapter, CLASH, k=0), Asked(adapter, [])):
        assert asked.both() == [] and asked.told == []
    assert len(Asked(adapter, CLASH, k=1).both()) == 1


@every
def test_what_a_retriever_raises_arrives(adapter):
    asked = Asked(adapter, error=ConnectionError("the index is down"))
    for call in (asked.once, asked.awaited):
        with pytest.raises(Exception, match="the index is down") as caught:
            call()
        assert isinstance(caught.value.__cause__ or caught.value, ConnectionError)
    assert asked.told == []


@every
def test_a_retriever_that_is_only_asynchronous_works_awaited(adapter):
    asked = Asked(adapter, CLASH, only_awaited=True)
    assert [said["conflicts"] for said in asked.keys(asked.awaited())] == [["new"], ["old"], []]
    with pytest.raises(Exception, match="no blocking client"):
        asked.once()


# ---------------------------------------------------------------- who is told


@every
def test_everyone_is_told_and_what_listeners_raise_is_raised(adapter):
    asked = Asked(adapter, CLASH, Action.DROP)
    assert asked.names(asked.both()) == ["new", "portal"]
    assert [v.removed[0].id for v in asked.told] == ["old"] * 2

    def refuse(verdict):
        raise PermissionError("not today")

    asked.whole = adapter.whole(adapter.made(asked.source, guard=asked.guard, on_verdict=refuse), asked.source)
    for call in (asked.once, asked.awaited):
        with pytest.raises(Exception, match="not today"):
            call()


@every
def test_a_blocked_context_reaches_no_model(adapter):
    asked = Asked(adapter, CLASH, Action.BLOCK)
    for call in (asked.once, asked.awaited):
        with pytest.raises(Exception, match="All passages were withheld") as caught:
            call()
        assert isinstance(caught.value.__cause__ or caught.value, ContextBlockedError)
    assert [v.action for v in asked.told] == [Action.BLOCK] * 2


# ---------------------------------------------------------------- copies, threads and the event loop


@every
def test_deep_copies_share_the_guard_and_pickles_hold_its_configuration(adapter):
    asked = Asked(adapter, CLASH, Action.DROP)
    expected = asked.keys(asked.once())
    guard = adapter.made(asked.source, guard=asked.guard)
    copies = [copy.deepcopy(guard), copy.copy(guard), pickle.loads(pickle.dumps(guard))]
    for copied in copies:
        assert asked.keys(adapter.ask(adapter.whole(copied, asked.source), QUESTION)) == expected
    guards = [getattr(copied, "_guarded", copied).guard for copied in copies]
    assert guards[0] is guards[1] is asked.guard and guards[2] is not asked.guard
    assert guards[2].config == asked.guard.config


@every
def test_200_at_once_equal_one_by_one_in_tasks_and_in_threads(adapter):
    sets = {f"Question {n}?": [leave(n, "a"), leave(n + (n % 3 == 0), "b")] for n in range(200)}
    asked = Asked(adapter, sets=sets)
    expected = [[asked.said(d) for d in asked.once(question)] for question in sets]
    assert {said[0][1]["verdict"] for said in expected} == {"clean", "conflict"}

    async def all_at_once():
        return await asyncio.gather(*(adapter.aask(asked.whole, question) for question in sets))

    assert [[asked.said(d) for d in out] for out in asyncio.run(all_at_once())] == expected
    with ThreadPoolExecutor(16) as pool:
        assert [[asked.said(d) for d in out] for out in pool.map(asked.once, sets)] == expected


# ---------------------------------------------------------------- packages


@pytest.mark.parametrize(
    ("module", "name", "package"),
    [
        ("langchain", "PassageGuardMiddleware", "langchain"), ("langchain", "ChatPassageGuard", "transformers"),
        ("llamaindex", "PassageGuardPostprocessor", "llama-index-core"),
        ("haystack", "PassageGuardChecker", "haystack-ai"),
    ],
)  # fmt: skip
def test_the_package_that_is_needed_is_named(monkeypatch, module, name, package):
    integration = import_module(f"guard.integrations.{module}")
    monkeypatch.setattr("guard.integrations.lazily.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"{name} needs .*pip install {package}$"):
        getattr(integration, name)
    with pytest.raises(AttributeError, match="no attribute 'Mystery'"):
        integration.Mystery  # noqa: B018
