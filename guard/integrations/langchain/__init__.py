"""LangChain components that check what a retriever returned before an LLM believes it.

All need langchain-core alone but `PassageGuardMiddleware`, which is for agents of the package langchain.  That and
`ChatPassageGuard`, which needs a model library, are resolved on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard.integrations.documents import KEY
from guard.integrations.errors import ContextBlockedError
from guard.integrations.lazily import resolve

from .compressor import PassageGuardCompressor
from .documents import format_documents
from .guarded import EVENT
from .retriever import PassageGuardRetriever
from .runnable import PassageGuardRunnable

if TYPE_CHECKING:
    from .chat import ChatPassageGuard as ChatPassageGuard
    from .middleware import PassageGuardMiddleware as PassageGuardMiddleware

__all__ = [
    "EVENT", "KEY", "ContextBlockedError", "PassageGuardCompressor", "PassageGuardRetriever", "PassageGuardRunnable",
    "format_documents",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    homes = {
        "ChatPassageGuard": ("chat", "transformers", "transformers"),
        "PassageGuardMiddleware": ("middleware", "langchain", "langchain"),
    }
    return resolve(__name__, name, homes)
