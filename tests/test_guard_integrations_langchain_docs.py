"""What docs/langchain.md shows: every block runs, the guarded one says what the plain one does not."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore
from random_models import llama
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "langchain.md").read_text(encoding="utf-8")
BLOCKS = {
    (when, name): code for when, name, code in re.findall(r"<!-- (\w+): (\w+) -->\n```python\n(.*?)```", PAGE, re.S)
}
NOTE = "This passage conflicts with"
QUESTION = "How many days of annual leave?"


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools, **kwargs):
        return self


def names():
    """Return what the page takes as given; the model repeats its prompt."""
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents(
        [
            Document("Full-time employees receive 25 days of annual leave.", id="handbook"),
            Document("Full-time employees receive 28 days of annual leave.", id="amendment"),
        ]
    )
    retriever = store.as_retriever()
    call = {"name": "search", "args": {"query": QUESTION}, "id": "1", "type": "tool_call"}
    return {
        "retriever": retriever,
        "model": RunnableLambda(lambda prompt: AIMessage(prompt.to_string())),
        "search": create_retriever_tool(retriever, "search", "Searches."),
        "chat_model": Scripted(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("done")])),
    }


def said(*blocks):
    """Run the blocks in one namespace; return what they found, or what their chain or agent answers with."""
    known = names()
    for block in blocks:
        exec(BLOCKS[block], known)
    if "agent" in known:
        return known["agent"].invoke({"messages": [("user", QUESTION)]})["messages"][-2].content
    return known["chain"].invoke(QUESTION) if "chain" in known else str(known["found"])


def test_every_block_of_the_page_is_run():
    assert len(BLOCKS) == PAGE.count("```python")
    assert {name for _, name in BLOCKS} == {"retriever", "chain", "step", "compressor", "agent", "chat", "blocked"}


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("retriever", "langchain_core"),
        ("chain", "langchain_core"),
        ("step", "langchain_core"),
        pytest.param("compressor", "langchain_classic", marks=pytest.mark.clients),
        pytest.param("agent", "langchain", marks=pytest.mark.clients),
    ],
)
def test_after_says_what_before_does_not(name, needs):
    if find_spec(needs) is None:
        pytest.skip(f"needs {needs}")
    setup = [("before", "chain")] if name == "step" else []
    before, after = said(*setup, ("before", name)), said(*setup, ("before", name), ("after", name))
    assert "25 days" in before and NOTE not in before
    assert "25 days" in after and after.count(NOTE) == 2


@pytest.mark.model
def test_the_chat_model_reads_what_the_retriever_returns_and_says_what_it_made_of_it(capsys):
    """The model is random, with a word a letter; what it was told is in the metadata."""
    letters = [chr(n) for n in range(32, 127)]
    core = Tokenizer(models.WordLevel({c: i for i, c in enumerate(["~~", "??", *letters])}, unk_token="??"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="~~", unk_token="??")
    known = {
        **names(),
        "local_model": llama(97, 2048, eos_token_id=0, bos_token_id=0),
        "tokenizer": tokenizer,
        "question": QUESTION,
    }
    for block in (("before", "chain"), ("before", "chat")):
        exec(BLOCKS[block], known)
    assert "25 days" in known["answer"]
    exec(BLOCKS["after", "chat"], known)
    told = ast.literal_eval(capsys.readouterr().out)
    assert told == {"verdict": "conflict", "conflicts": [["amendment", "handbook"]], "trust": 0.0, "flipped": 0}
    assert known["answer"] and known["message"].usage_metadata["output_tokens"] == 64


@pytest.mark.model
def test_a_blocked_chain_falls_back():
    steps = [("before", "chain"), ("after", "step"), ("after", "blocked")]
    assert said(*steps) == "The sources disagree; a colleague will answer."


EXAMPLES = dict(re.findall(r"```console\n\$ python (\S+)\n(.*?)```", PAGE, re.S))


@pytest.mark.model
@pytest.mark.parametrize(
    ("example", "needs"),
    [
        ("langchain_chain.py", "langchain_core"),
        pytest.param("langchain_agent.py", "langchain", marks=pytest.mark.clients),
    ],
)
def test_an_example_prints_what_the_page_shows(example, needs):
    if find_spec(needs) is None:
        pytest.skip(f"needs {needs}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, f"examples/{example}"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == EXAMPLES[f"examples/{example}"]


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\((?!https?://)([^)#]+)", PAGE)
    assert links and all((ROOT / "docs" / link).exists() for link in links)
