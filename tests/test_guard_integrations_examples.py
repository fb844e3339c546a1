"""What the pages on the frameworks show: examples print it, and every block runs, the guarded one with its notes.

The blocks of docs/langchain.md are run by a file of their own.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUESTION = "How many days of annual leave?"
NOTE = "This passage conflicts with"
TEXTS = {
    "handbook": "Full-time employees receive 25 days of annual leave.",
    "amendment": "Full-time employees receive 28 days of annual leave.",
}
pytestmark = [pytest.mark.clients, pytest.mark.model]


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(name):
    found = re.findall(r"<!-- (\w+): (\w+) -->\n```python\n(.*?)```", page(name), re.S)
    assert len(found) == page(name).count("```python")
    return {(when, what): code for when, what, code in found}


def needs(package):
    return pytest.mark.skipif(find_spec(package) is None, reason=f"needs {package}")


def ran(known, name, *wanted):
    for block in wanted:
        exec(blocks(name)[block], known)
    return known


def printed(example):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HAYSTACK_TELEMETRY_ENABLED": "False"}
    command = [sys.executable, "-W", "ignore", f"examples/{example}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "example"),
    [
        pytest.param("llamaindex.md", "llamaindex_query_engine.py", marks=needs("llama_index")),
        pytest.param("haystack.md", "haystack_pipeline.py", marks=needs("haystack")),
    ],
)
def test_an_example_prints_what_its_page_shows(name, example):
    [(command, shown)] = re.findall(r"```console\n\$ python (\S+)\n(.*?)```", page(name), re.S)
    assert command == f"examples/{example}" and printed(example) == shown


def llamaindex():
    from llama_index.core import VectorStoreIndex
    from llama_index.core.embeddings import MockEmbedding
    from llama_index.core.llms.mock import MockLLM
    from llama_index.core.schema import TextNode

    nodes = [TextNode(text=text, id_=name) for name, text in TEXTS.items()]
    return {"index": VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=4)), "llm": MockLLM()}


@needs("llama_index")
def test_blocks_on_llamaindex():
    engine, nodes = (("before", "engine"), ("after", "engine")), (("before", "nodes"), ("after", "nodes"))
    for (before, after), answer in (
        (engine, lambda known: str(known["engine"].query(QUESTION))),
        (nodes, lambda known: str([n.metadata for n in known["found"]])),
    ):
        assert NOTE not in answer(ran(llamaindex(), "llamaindex.md", before))
        assert answer(ran(llamaindex(), "llamaindex.md", engine[1], after)).count(NOTE) == 2
    blocked = ran(llamaindex(), "llamaindex.md", engine[1], ("after", "blocked"))["answer"]
    assert blocked.startswith("A colleague will answer. All passages were withheld")
    assert len(blocks("llamaindex.md")) == 5


def haystack():
    os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
    from haystack import Document
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore()
    store.write_documents([Document(id=name, content=text) for name, text in TEXTS.items()])
    return {"retriever": InMemoryBM25Retriever(store)}


def prompt(known):
    inputs = {"retriever": {"query": QUESTION}, "prompt": {"query": QUESTION}}
    return known["pipeline"].run(inputs)["prompt"]["prompt"]


@needs("haystack")
def test_blocks_on_haystack():
    before, after = ("before", "pipeline"), ("after", "pipeline")
    assert NOTE not in prompt(ran(haystack(), "haystack.md", before))
    known = ran(haystack(), "haystack.md", after)
    own = ran({**known, **haystack()}, "haystack.md", ("after", "template"))
    for said in (prompt(known), prompt(own)):
        assert said.count(NOTE) == 2 and "Some passages below contradict" in said and "28 days" in said
    blocked = ran(haystack(), "haystack.md", after, ("after", "blocked"))["answer"]
    assert blocked.startswith("A colleague will answer. All passages were withheld")
    assert len(blocks("haystack.md")) == 4


@pytest.mark.parametrize("name", ["llamaindex.md", "haystack.md"])
def test_every_link_leads_to_a_file(name):
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page(name))
    assert links and all((ROOT / "docs" / link).exists() for link in links)
