"""A LlamaIndex node postprocessor that checks what a retriever returned before an LLM believes it.

Needs llama-index-core; `PassageGuardPostprocessor` is resolved on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard.integrations.documents import KEY
from guard.integrations.errors import ContextBlockedError
from guard.integrations.lazily import resolve

if TYPE_CHECKING:
    from .postprocessor import PassageGuardPostprocessor as PassageGuardPostprocessor

__all__ = ["KEY", "ContextBlockedError", "PassageGuardPostprocessor"]


def __getattr__(name: str) -> Any:
    homes = {"PassageGuardPostprocessor": ("postprocessor", "llama_index", "llama-index-core")}
    return resolve(__name__, name, homes)
