"""From a checked chat to what the local decoder is asked: instructions, earlier turns, a question, and passages.

The question is the last user message; contexts are taken out of all messages, since the decoder needs the prompt
without them, too.  What the assistant said after the question is left out.  Knows nothing about models or HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import extractors
from .context import Outcome
from .errors import Refusal
from .extractors import Chat, Repair, Search

INSTRUCTING, SPEAKING, TOOLS = ("system", "developer"), ("user", "assistant"), ("tool", "function")


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is asked.  ``history`` holds (role, text), the role ``user`` or ``assistant``; ``passages`` are repaired."""

    instructions: str
    history: tuple[tuple[str, str], ...]
    question: str
    passages: tuple[str, ...]


def conversation(chat: Chat, outcome: Outcome) -> Conversation:
    """Return what a chat asks.  Raises `Refusal` naming the message that cannot be read."""
    found = outcome.found or Search(chat)
    messages = _messages(chat)
    users = [i for i, message in enumerate(messages) if message["role"] == "user"]
    question = extractors.question(found)
    if not users or question is None:
        raise _refusal("messages", "there is no user message with text in it")
    said = [(i, m["role"], extractors.without_context(found, i)) for i, m in enumerate(messages)]
    instructions = "\n\n".join(text for _, role, text in said if role in INSTRUCTING and text)
    return Conversation(instructions, tuple(_history(said, users[-1])), question, _passages(outcome))


def _history(said: Sequence[tuple[int, str, str]], asked: int) -> Iterator[tuple[str, str]]:
    """Yield the turns before the question; what a tool said and nobody checked stands among them."""
    for i, role, text in said:
        if text and role in TOOLS:
            yield "user", text
        elif text and role in SPEAKING and i < asked:
            yield role, text


def _messages(chat: Chat) -> list[dict[str, Any]]:
    messages = chat.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _refusal("messages", "give a list of messages")
    for i, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in (*INSTRUCTING, *SPEAKING, *TOOLS):
            raise _refusal(f"messages[{i}].role", f"unknown role; choose from {', '.join((*INSTRUCTING, *SPEAKING))}")
        _require_text(message.get("content"), f"messages[{i}].content")
    return messages


def _require_text(content: Any, name: str) -> None:
    if content is not None and not isinstance(content, (str, list)):
        raise _refusal(name, "must be text, or a list of parts")
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("text", "refusal", "document"):
            raise _refusal(name, "the local model reads only parts of type text")


def _passages(outcome: Outcome) -> tuple[str, ...]:
    """Return the passages as the model should read them: repaired, in order, under the notice."""
    repair = outcome.repair or Repair((), {})
    given = outcome.verdict.passages if outcome.verdict else outcome.found.passages if outcome.found else ()
    texts = [repair.told(p.id, p.text) for p in given if p.text.strip()]
    return (f"{repair.notice}\n{texts[0]}", *texts[1:]) if repair.notice and texts else tuple(texts)


def _refusal(param: str, message: str) -> Refusal:
    return Refusal(400, "invalid_value", f"{param}: {message}", param=param)
