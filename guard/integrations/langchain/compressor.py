"""The guard as a document compressor: documents in, the repaired context out."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document

from .guarded import Guarded


class PassageGuardCompressor(Guarded, BaseDocumentCompressor):
    """Checks documents against each other and repairs them as the guard's policy says.

    Raises `ContextBlockedError` where the policy blocks, `InputError` for what cannot be checked, `ModelError` for a
    model that cannot be loaded.
    """

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        return self.tell(self.judge(documents, query), callbacks).documents

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        outcome = await self.in_worker(self.judge, documents, query)
        return (await self.atell(outcome, callbacks)).documents
