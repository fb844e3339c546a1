"""LangChain documents to passages, and the repaired context back to documents.  Pure.

The caller's documents are never changed: what comes back are copies, each with one more metadata key, `KEY`.
Metadata is shown to LLMs (``str(document)`` prints it), so the key holds little, in plain JSON types:

    verdict      status of the whole context: ``clean``, ``conflict`` or ``unverified``
    disposition  ``kept``, ``annotated`` or ``demoted``
    conflicts    ids of the documents that this one contradicts, dropped ones too; at most `MAX_LISTED`
    note         what to tell the LLM about this document; only where there is something
    given_id     the id that the document came with, where it had to be made unique

Knows nothing about callbacks, retrievers or models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from langchain_core.documents import Document

from detectors.errors import InputError
from detectors.evidence import Passage
from guard.remediate import MAX_LISTED, safe_label
from guard.verdict import RepairedPassage, Verdict

KEY = "passageguard"


def passages_of(documents: Sequence[Document]) -> tuple[Passage, ...]:
    """Return one passage a document, in order, with unique ids.

    A document without an id gets one from its text, so that it is the same in every request.  Of documents with
    one id the first keeps it and the others get ``#2``, ``#3``, …; ``supersedes`` of that id means all of them.
    Raises `InputError` for anything but documents.
    """
    if isinstance(documents, str) or not isinstance(documents, Sequence):
        raise InputError(f"documents must be a list of Document, not {type(documents).__name__}")
    for i, document in enumerate(documents):
        if not isinstance(document, Document):
            raise InputError(f"documents[{i}] must be a Document, not {type(document).__name__}")
    given = [d.id or _id_of_text(d.page_content) for d in documents]
    ids = _unique(given)
    passages = tuple(Passage(i, d.page_content, d.metadata) for i, d in zip(ids, documents, strict=True))
    return passages if ids == given else _with_all_superseded(passages, given)


def repaired(documents: Sequence[Document], verdict: Verdict) -> list[Document]:
    """Return the context to use: copies of ``documents`` in the verdict's order, each with its `KEY`."""
    opponents = _opponents(verdict)
    return [_said(documents[p.rank_before], p, verdict, opponents.get(p.id, [])) for p in verdict.passages]


def format_documents(documents: Iterable[Document], notice: str = "") -> str:
    """Return the documents as text for a prompt: ``notice``, then each under its id, with its note behind it.

    Ids are reduced to harmless labels, as in notes and notices, which name documents by them.

    >>> print(format_documents([Document("Up.", id="a", metadata={"passageguard": {"note": "Odd."}})], "Beware."))
    Beware.
    <BLANKLINE>
    Passage 'a': Up.
    [Odd.]
    """
    documents = list(documents)
    parts = [notice] if notice else []
    for passage in passages_of(documents):
        said = passage.metadata.get(KEY)
        note = said.get("note") if isinstance(said, Mapping) else None
        parts.append(f"Passage {safe_label(passage.id)}: {passage.text}" + (f"\n[{note}]" if note else ""))
    return "\n\n".join(parts)


def _id_of_text(text: str) -> str:
    return "text-" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _unique(given: Sequence[str]) -> list[str]:
    taken, ids, counts = set(given), list[str](), dict[str, int]()
    for name in given:
        number = counts.get(name, 0) + 1
        new = name if number == 1 else f"{name}#{number}"
        while number > 1 and new in taken:
            number += 1
            new = f"{name}#{number}"
        counts[name] = number
        taken.add(new)
        ids.append(new)
    return ids


def _with_all_superseded(passages: Sequence[Passage], given: Sequence[str]) -> tuple[Passage, ...]:
    """Let ``supersedes`` of an id that several documents came with name all of them but the passage itself."""
    bearers: dict[str, list[str]] = {}
    for passage, name in zip(passages, given, strict=True):
        bearers.setdefault(name, []).append(passage.id)
    return tuple(_widened(passage, bearers) for passage in passages)


def _widened(passage: Passage, bearers: Mapping[str, Sequence[str]]) -> Passage:
    named = passage.metadata.get("supersedes")
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(isinstance(n, str) for n in names):
        return passage  # none, or nothing that the guard accepts: it says so
    wide = [i for name in names for i in bearers.get(name, [name]) if i != passage.id]
    return replace(passage, metadata={**passage.metadata, "supersedes": wide})


def _opponents(verdict: Verdict) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for c in verdict.conflicts:
        found.setdefault(c.a.passage_id, {})[c.b.passage_id] = None
        found.setdefault(c.b.passage_id, {})[c.a.passage_id] = None
    return {i: list(others)[:MAX_LISTED] for i, others in found.items()}


def _said(document: Document, passage: RepairedPassage, verdict: Verdict, opponents: list[str]) -> Document:
    said: dict[str, Any] = {
        "verdict": verdict.status.value, "disposition": passage.disposition, "conflicts": opponents
    }  # fmt: skip
    if passage.note:
        said["note"] = passage.note
    if document.id and document.id != passage.id:
        said["given_id"] = document.id
    return document.model_copy(update={"id": passage.id, "metadata": {**document.metadata, KEY: said}})
