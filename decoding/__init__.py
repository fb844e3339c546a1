"""Next-token distributions with and without context: formulas, prompts, a loop and an engine for any causal model.

Imports nothing of the other packages.  Importing loads no model library; each name is resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attribution import without_each
    from .contrast import FORMULAS, Contrast, adjust
    from .engine import Engine, Handle
    from .errors import DecodingError, EngineFullError, OutOfMemoryError
    from .loop import generate, stream
    from .prompts import PromptPair, chat_prompts, plain_prompts
    from .settings import Settings
    from .text import GrowingText
    from .trace import Event, Finish, Generation, Step

_HOMES = {
    "FORMULAS": "contrast",
    "Contrast": "contrast",
    "adjust": "contrast",
    "without_each": "attribution",
    "Engine": "engine",
    "Handle": "engine",
    "DecodingError": "errors",
    "EngineFullError": "errors",
    "OutOfMemoryError": "errors",
    "generate": "loop",
    "stream": "loop",
    "PromptPair": "prompts",
    "chat_prompts": "prompts",
    "plain_prompts": "prompts",
    "Settings": "settings",
    "GrowingText": "text",
    "Event": "trace",
    "Finish": "trace",
    "Generation": "trace",
    "Step": "trace",
}
__all__ = [
    "FORMULAS", "Contrast", "DecodingError", "Engine", "EngineFullError", "Event", "Finish", "Generation",
    "GrowingText", "Handle",
    "OutOfMemoryError", "PromptPair", "Settings", "Step",
    "adjust", "chat_prompts", "generate", "plain_prompts", "stream", "without_each",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'decoding' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
