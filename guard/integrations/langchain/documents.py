"""LangChain documents as passages, and repaired ones as text for a prompt.  Pure.

The metadata key of a repaired document also holds ``given_id``, the id that it came with, where that had to be made
unique.  Knows nothing about callbacks, retrievers or models.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.documents import Document

from detectors.evidence import Passage
from guard.integrations.documents import KEY, Form, context_text, note_in, passages_of


def _passage(document: Document) -> Passage:
    return Passage(document.id or "", document.page_content, document.metadata)


def _told(document: Document, passage_id: str, said: dict[str, Any]) -> Document:
    given = {"given_id": document.id} if document.id and document.id != passage_id else {}
    metadata = {**document.metadata, KEY: {**said, **given}}
    return document.model_copy(update={"id": passage_id, "metadata": metadata})


FORM = Form(Document, _passage, _told)


def format_documents(documents: Iterable[Document], notice: str = "") -> str:
    """Return the documents as text for a prompt: ``notice``, then each under its id, with its note behind it.

    Ids are reduced to harmless labels, as in notes and notices, which name documents by them.

    >>> print(format_documents([Document("Up.", id="a", metadata={"passageguard": {"note": "Odd."}})], "Beware."))
    Beware.
    <BLANKLINE>
    Passage 'a': Up.
    [Odd.]
    """
    passages = passages_of(list(documents), FORM)
    return context_text(((p.id, p.text, note_in(p.metadata)) for p in passages), notice)
