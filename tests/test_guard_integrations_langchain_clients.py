"""The guard under LangChain's own standard suite, in its compression retriever and its agents."""

import asyncio
import copy
import pickle
import re
from pathlib import Path

import pytest

pytest.importorskip("langchain_tests")
pytest.importorskip("langchain_classic")
pytest.importorskip("pytest_asyncio")
pytest.importorskip("langchain")

from integrating import guard_for
from langchain.agents import create_agent
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import create_retriever_tool, tool
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import ChatModelIntegrationTests, RetrieversIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from langgraph.types import Command
from random_models import llama
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from guard import Action
from guard.integrations.langchain import (
    EVENT,
    KEY,
    ChatPassageGuard,
    PassageGuardCompressor,
    PassageGuardMiddleware,
    PassageGuardRetriever,
    format_documents,
)

pytestmark = pytest.mark.clients
ROOT = Path(__file__).parent.parent


OLD = Document("Employees receive 25 days of annual leave.", id="old", metadata={"date": "2024-01-01"})
NEW = Document("Employees receive 30 days of annual leave.", id="new", metadata={"date": "2025-01-01"})
PORTAL = Document("Leave is booked in the staff portal.", id="portal")
CLASH, CALM = [OLD, NEW, PORTAL], [OLD, PORTAL]


def store_of(documents):
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents(documents)
    return store.as_retriever()


class Guarded(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self):
        return PassageGuardRetriever

    @property
    def retriever_query_example(self):
        return "How many days of annual leave?"


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore:.*is marked with '@pytest.mark.asyncio'")
class TestStandardSuite(Guarded):
    @property
    def retriever_constructor_params(self):
        return {"retriever": store_of([*CLASH, Document("Ask HR.", id="hr")]), "guard": guard_for()}


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore:.*is marked with '@pytest.mark.asyncio'")
class TestStandardSuiteWhereDocumentsAreDropped(Guarded):
    @property
    def retriever_constructor_params(self):
        return {
            "retriever": store_of([*CLASH, Document("Ask HR.", id="hr")]), "guard": guard_for(Action.DROP)
        }  # fmt: skip


def tokenizer():
    """One token a word or mark."""
    words = "hello hi how are you user assistant question answer : ? . one two three four".split()
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<eos>", "<unk>", *words])}, unk_token="<unk>"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<eos>", unk_token="<unk>")


def model():
    return llama(18, 512, eos_token_id=0)


class Chat:
    @property
    def chat_model_class(self):
        return ChatPassageGuard

    @property
    def chat_model_params(self):
        return {"model": model(), "tokenizer": tokenizer(), "guard": guard_for()}

    @property
    def has_tool_calling(self):
        return False  # `bind_tools` is there to say so


class TestChatModel(Chat, ChatModelUnitTests):
    pass


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore:.*is marked with '@pytest.mark.asyncio'")
class TestChatModelAnswering(Chat, ChatModelIntegrationTests):
    @property
    def chat_model_params(self):
        return {**super().chat_model_params, "max_tokens": 8}


def test_the_page_lists_every_test_of_these_suites_that_skips_itself(request):
    seen = request.config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", [])
    names = {re.match(r"\w+", r.nodeid.rpartition("::")[2])[0] for r in seen if "::TestChatModel" in r.nodeid}
    listed = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "langchain.md").read_text(encoding="utf-8")))
    assert names <= listed
    assert not [r.nodeid for r in seen if "::TestStandardSuite" in r.nodeid]


def test_the_compression_retriever_repairs_what_its_base_returns():
    compressor = PassageGuardCompressor(guard=guard_for(Action.DROP))
    retriever = ContextualCompressionRetriever(base_compressor=compressor, base_retriever=store_of(CLASH))
    for found in (retriever.invoke("leave"), asyncio.run(retriever.ainvoke("leave"))):
        assert {d.id for d in found} == {"new", "portal"} and all(KEY in d.metadata for d in found)


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools, **kwargs):
        return self


def answers(tool_, middleware, awaited=False, config=None):
    """Let an agent call the tool once; return the tool's message as its model gets it."""
    call = {"name": tool_.name, "args": {"query": "How many days?"}, "id": "call-1", "type": "tool_call"}
    model = Scripted(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("done")]))
    agent = create_agent(model, tools=[tool_], middleware=[middleware])
    given = {"messages": [("user", "How many days?")]}
    state = asyncio.run(agent.ainvoke(given, config)) if awaited else agent.invoke(given, config)
    assert state["messages"][-1].content == "done"
    [message] = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    return message


def both_ways(tool_, middleware):
    first, second = (answers(tool_, middleware, awaited) for awaited in (False, True))
    assert (first.content, first.artifact, first.status) == (second.content, second.artifact, second.status)
    assert first.tool_call_id == "call-1" and first.name == tool_.name
    return first


def search(documents, response_format="content_and_artifact"):
    return create_retriever_tool(store_of(documents), "search", "Searches.", response_format=response_format)


def test_an_agents_model_reads_notes_and_the_artifact_carries_the_verdict():
    told = []
    message = both_ways(search(CLASH), PassageGuardMiddleware(guard_for(), on_verdict=told.append))
    assert "[This passage conflicts with 'new' (value).]" in message.content
    assert message.content == format_documents(message.artifact, told[0].notice)
    opponents = {d.id: d.metadata[KEY]["conflicts"] for d in message.artifact}
    assert opponents == {"old": ["new"], "new": ["old"], "portal": []}
    assert len(told) == 2


class Listener(BaseCallbackHandler):
    def __init__(self):
        self.verdicts, self.children = [], []

    def on_custom_event(self, name, data, **kwargs):
        self.verdicts.append((name, data))

    def on_chain_end(self, outputs, **kwargs):
        self.children.append(outputs)


def test_callbacks_of_the_agent_hear_the_verdict():
    for awaited in (False, True):
        told, listener = [], Listener()
        middleware = PassageGuardMiddleware(guard_for(), on_verdict=told.append)
        answers(search(CLASH), middleware, awaited, {"callbacks": [listener]})
        assert listener.verdicts == [(EVENT, told[0].to_dict())] and told[0].to_dict() in listener.children


def test_a_drop_reaches_content_and_artifact():
    message = both_ways(search(CLASH), PassageGuardMiddleware(guard_for(Action.DROP)))
    assert {d.id for d in message.artifact} == {"new", "portal"} and "25 days" not in message.content


def test_a_blocked_context_becomes_an_error_message_without_a_passage():
    message = both_ways(search(CLASH), PassageGuardMiddleware(guard_for(Action.BLOCK)))
    assert message.status == "error" and message.artifact == [] and "withheld" in message.content
    assert "days" not in message.content


def test_text_without_artifact_is_split_and_repaired():
    message = both_ways(search(CLASH, "content"), PassageGuardMiddleware(guard_for()))
    assert message.artifact is None and message.content.count("[This passage conflicts with") == 2
    calm = both_ways(search(CALM, "content"), PassageGuardMiddleware(guard_for()))
    assert sorted(calm.content.split("\n\n")) == sorted(d.page_content for d in CALM)


def test_a_consistent_context_stays_as_the_tool_wrote_it():
    message = both_ways(search(CALM), PassageGuardMiddleware(guard_for()))
    assert sorted(message.content.split("\n\n")) == sorted(d.page_content for d in CALM)
    assert {d.metadata[KEY]["verdict"] for d in message.artifact} == {"clean"}


@tool
def notes(query: str) -> str:
    """Looks up notes."""
    return f"{OLD.page_content}\n---\n{NEW.page_content}"


@tool
def moved(query: str) -> Command:
    """Returns its message inside of a command."""
    return Command(update={"messages": [ToolMessage(notes.invoke(query), tool_call_id="call-1", name="moved")]})


@tool
def broken(query: str) -> str:
    """Fails."""
    return ToolMessage(notes.invoke(query), tool_call_id="call-1", name="broken", status="error")


@tool
def blocks(query: str) -> list:
    """Returns blocks of content."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    return [{"type": "text", "text": notes.invoke(query)}, picture]


def test_only_tools_that_retrieve_or_are_named_are_checked():
    plain = notes.invoke("")
    assert both_ways(notes, PassageGuardMiddleware(guard_for())).content == plain
    others = PassageGuardMiddleware(guard_for(), tool_names=["others"])
    assert "[" not in both_ways(search(CLASH, "content"), others).content
    for named in (notes, moved):
        middleware = PassageGuardMiddleware(guard_for(), tool_names=["notes", "moved"], separator="---")
        assert both_ways(named, middleware).content.count("[This passage conflicts with") == 2
    middleware = PassageGuardMiddleware(guard_for(), tool_names=["broken"], separator="---")
    assert both_ways(broken, middleware).content == plain


def test_blocks_that_are_no_text_stay():
    middleware = PassageGuardMiddleware(guard_for(), tool_names=["blocks"], separator="---")
    text, picture = both_ways(blocks, middleware).content
    assert text["text"].count("[This passage conflicts with") == 2 and picture["type"] == "image_url"


def test_a_formatter_of_ones_own_and_copies():
    middleware = PassageGuardMiddleware(guard_for(), formatter=lambda documents, notice: f"{len(documents)}: {notice}")
    assert both_ways(search(CLASH), copy.deepcopy(middleware)).content.startswith("3: Some passages")
    again = pickle.loads(pickle.dumps(PassageGuardMiddleware(guard_for(Action.DROP))))
    assert {d.id for d in both_ways(search(CLASH), again).artifact} == {"new", "portal"}
