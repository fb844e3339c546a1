"""What all components share, on documents of no framework: two fields in a dictionary."""

import asyncio
import contextvars
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from integrating import SameForAll

from detectors.evidence import Passage
from detectors.verifier import VerifierConfig
from guard import Action, Guard, GuardConfig, Policy
from guard.integrations.documents import Form, context_text, note_in, with_unique_ids
from guard.integrations.errors import ContextBlockedError
from guard.integrations.guarded import CHECKS_AT_ONCE, Guarded

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {
    "langchain": "langchain", "langchain_core": "langchain", "langgraph": "langchain", "llama_index": "llamaindex",
    "haystack": "haystack",
}  # fmt: skip
FORM = Form(dict, lambda d: Passage(d["id"], d["text"]), lambda d, i, said: {**d, "name": i, "said": said})


def guarded(action=Action.ANNOTATE, **settings):
    config = GuardConfig(detectors=("values",), policy=Policy(action))
    return Guarded(guard=Guard(config, encoder=SameForAll()), **settings)


def leave(days, id):
    return {"id": id, "text": f"Employees receive {days} days of annual leave."}


def test_any_documents_can_be_checked_and_the_context_names_them():
    outcome = guarded().told([leave(25, "a"), leave(30, "a")], None, FORM)
    assert [d["name"] for d in outcome.documents] == ["a", "a#2"]
    assert [d["said"]["conflicts"] for d in outcome.documents] == [["a#2"], ["a"]]
    assert outcome.context.startswith(outcome.notice) and outcome.context.count("\n[This passage conflicts with ") == 2
    empty = guarded().told([], None, FORM)
    assert (empty.documents, empty.verdict, empty.notice, empty.context, empty.is_blocked) == ([], None, "", "", False)


def test_who_is_told_hears_of_a_blocked_context_before_it_raises():
    told = []
    made = guarded(Action.BLOCK, on_verdict=told.append)
    given = ([leave(25, "a"), leave(30, "b")], None, FORM)
    with pytest.raises(ContextBlockedError):
        made.told(*given)
    with pytest.raises(ContextBlockedError):
        asyncio.run(made.atold(*given))
    assert len(told) == 2 and told[0] == told[1]


@pytest.mark.parametrize(("verifier", "most"), [(None, CHECKS_AT_ONCE), (VerifierConfig("http://localhost:1", "m"), 4)])
def test_checks_at_once_are_few_unless_an_endpoint_is_asked(verifier, most):
    made = Guarded(guard=Guard(GuardConfig(verifier=verifier)))
    running, seen, names, name = [], [], [], contextvars.ContextVar("name")

    def check(number):
        running.append(number)
        seen.append(len(running))
        names.append(name.get())
        time.sleep(0.05)
        running.remove(number)
        return number, threading.get_ident()

    async def all_at_once():
        name.set("caller")
        return await asyncio.gather(*(made.in_worker(check, n) for n in range(12)))

    results = asyncio.run(all_at_once())
    assert [n for n, _ in results] == list(range(12)) and set(names) == {"caller"}
    assert threading.get_ident() not in {thread for _, thread in results}
    assert max(seen) == most if verifier is None else max(seen) >= most


def test_a_caller_who_gives_up_waiting_starts_no_check():
    made, begun = guarded(), []

    def check(number):
        begun.append(number)
        time.sleep(0.1)

    async def give_up():
        tasks = [asyncio.create_task(made.in_worker(check, n)) for n in range(20)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(give_up())
    assert len(begun) <= CHECKS_AT_ONCE


def test_ids_and_notes_of_odd_metadata():
    passages = with_unique_ids([Passage("", "One."), Passage("", "One."), Passage("x", "Two.")])
    assert len({p.id for p in passages}) == 3 and passages[0].id.startswith("text-")
    for metadata in ({}, {"passageguard": "x"}, {"passageguard": {"note": None}}, {"passageguard": None}):
        assert note_in(metadata) == ""
    assert context_text([]) == ""


def test_a_framework_is_imported_by_its_own_package_alone():
    integrations = ROOT / "guard" / "integrations"
    for package in ("langchain", "llamaindex", "haystack", None):
        paths = (integrations / package).glob("*.py") if package else integrations.glob("*.py")
        for path in paths:
            imported = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.M)
            frameworks = {FRAMEWORKS[name] for name in imported if name in FRAMEWORKS}
            assert frameworks <= {package}, path
    unwanted = {"langchain_core", "llama_index", "haystack", "torch"}
    code = f"import sys, guard.integrations.guarded; print(sorted({unwanted} & {{*sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.model
def test_after_loading_a_check_imports_nothing_and_a_full_collection_has_little_to_look_at():
    code = """
import gc, sys
from langchain_core.documents import Document
from guard.integrations.langchain import PassageGuardCompressor
compressor = PassageGuardCompressor()
compressor.load()
modules, frozen = set(sys.modules), gc.get_freeze_count()
documents = [Document(f"Employees receive {days} days of annual leave.", id=str(days)) for days in (25, 30)]
for _ in range(3):
    found = compressor.compress_documents(documents, "")
    assert all(d.metadata["passageguard"]["verdict"] == "conflict" for d in found)
PassageGuardCompressor().load()
print(sorted(set(sys.modules) - modules), frozen > 100_000, len(gc.get_objects()) < 20_000)
print(gc.get_freeze_count() <= frozen)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.split() == ["[]", "True", "True", "True"], ran.stdout + ran.stderr
