"""A Haystack component that checks what a retriever returned before an LLM believes it.

Needs haystack-ai; `PassageGuardChecker` is resolved on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard.integrations.documents import KEY
from guard.integrations.errors import ContextBlockedError
from guard.integrations.lazily import resolve

if TYPE_CHECKING:
    from .checker import PassageGuardChecker as PassageGuardChecker

__all__ = ["KEY", "ContextBlockedError", "PassageGuardChecker"]


def __getattr__(name: str) -> Any:
    return resolve(__name__, name, {"PassageGuardChecker": ("checker", "haystack", "haystack-ai")})
