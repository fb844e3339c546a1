"""LangChain components that check what a retriever returned before an LLM believes it.

All need langchain-core alone but `PassageGuardMiddleware`, which is for agents of the package langchain and is
resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from detectors.errors import ConfigError
from guard.integrations.errors import ContextBlockedError

from .compressor import PassageGuardCompressor
from .documents import KEY, format_documents
from .guarded import EVENT
from .retriever import PassageGuardRetriever
from .runnable import PassageGuardRunnable

if TYPE_CHECKING:
    from .middleware import PassageGuardMiddleware as PassageGuardMiddleware

__all__ = [
    "EVENT", "KEY", "ContextBlockedError", "PassageGuardCompressor", "PassageGuardRetriever", "PassageGuardRunnable",
    "format_documents",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name != "PassageGuardMiddleware":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("langchain") is None:
        raise ConfigError(f"{name} needs the package langchain, which is not installed; run: pip install langchain")
    return getattr(import_module(f"{__name__}.middleware"), name)
