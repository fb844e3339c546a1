"""Agent middleware: what a retriever tool returns is checked before the agent's model reads it.

Needs the package langchain.  Each tool call is checked alone: two calls are not compared with each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain.agents.middleware import AgentMiddleware
from langchain_core.documents import Document
from langchain_core.messages import ToolMessage
from langchain_core.tools.retriever import RetrieverInput

from guard.pipeline import Guard
from guard.verdict import Verdict

from .documents import format_documents
from .guarded import Guarded, Outcome

if TYPE_CHECKING:
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.types import Command

Result: TypeAlias = "ToolMessage | Command[Any]"


class PassageGuardMiddleware(AgentMiddleware):
    """Checks tool results and rewrites message content and artifact where the guard changed the context.

    Checked are messages whose artifact is a list of documents, and the text of retriever tools without one (those
    of ``create_retriever_tool``, and those in ``tool_names``), split at ``separator``.  Content that the guard has
    nothing to say about stays as the tool wrote it.  A blocked context becomes an error message to the model, with
    the notice and no passage.

    guard, on_verdict: see `Guarded`.
    tool_names: the tools to check; None is all that retrieve.
    formatter: makes the new content of repaired documents and a notice.
    """

    def __init__(
        self,
        guard: Guard | None = None,
        *,
        tool_names: Collection[str] | None = None,
        separator: str = "\n\n",
        formatter: Callable[[Sequence[Document], str], str] = format_documents,
        on_verdict: Callable[[Verdict], object] | None = None,
    ) -> None:
        super().__init__()
        self._guarded = Guarded(guard=guard or Guard(), on_verdict=on_verdict)
        self._tool_names = None if tool_names is None else frozenset(tool_names)
        self._separator = separator
        self._formatter = formatter

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]) -> Result:
        result = handler(request)
        outcomes = self._judged(request, result)
        for outcome in outcomes.values():
            self._guarded.announce(outcome)
        return self._rewritten(result, outcomes)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        result = await handler(request)
        outcomes = await self._guarded.in_worker(self._judged, request, result)
        for outcome in outcomes.values():
            await self._guarded.aannounce(outcome)
        return await asyncio.to_thread(self._rewritten, result, outcomes)

    def _judged(self, request: ToolCallRequest, result: Result) -> dict[int, Outcome]:
        """Return what the guard makes of each message that holds passages, by its place among those of the result."""
        if self._tool_names is not None and request.tool_call["name"] not in self._tool_names:
            return {}
        query = request.tool_call["args"].get("query")
        question = query if isinstance(query, str) else None
        found = {place: self._documents(request, message) for place, message in enumerate(_messages(result))}
        return {place: self._guarded.judge(documents, question) for place, documents in found.items() if documents}

    def _rewritten(self, result: Result, outcomes: Mapping[int, Outcome]) -> Result:
        messages = _messages(result)
        for place, outcome in outcomes.items():
            messages[place] = self._repaired(messages[place], outcome)
        if isinstance(result, ToolMessage):
            return messages[0]
        return replace(result, update={**result.update, "messages": messages}) if outcomes else result

    def _repaired(self, message: ToolMessage, outcome: Outcome) -> ToolMessage:
        artifact = None if message.artifact is None else outcome.documents
        if outcome.is_blocked:
            told = {"content": outcome.notice, "artifact": artifact, "status": "error"}
            return message.model_copy(update=told)
        if not _is_changed(outcome):
            return message.model_copy(update={"artifact": artifact})
        content = _with_text(message, self._formatter(outcome.documents, outcome.notice))
        return message.model_copy(update={"content": content, "artifact": artifact})

    def _documents(self, request: ToolCallRequest, message: Any) -> list[Document]:
        """Return the passages that a message of a tool holds; none where it is no such message, or an error."""
        if not isinstance(message, ToolMessage) or message.status == "error":
            return []
        artifact = message.artifact
        if isinstance(artifact, list) and artifact and all(isinstance(d, Document) for d in artifact):
            return artifact
        retrieves = self._tool_names is not None or getattr(request.tool, "args_schema", None) is RetrieverInput
        if not retrieves or artifact is not None:
            return []
        return [Document(piece) for piece in message.text.split(self._separator) if piece.strip()]


def _with_text(message: ToolMessage, text: str) -> str | list[str | dict[Any, Any]]:
    """Return the message's content with ``text`` in place of its own; what is no text stays."""
    if isinstance(message.content, str):
        return text
    others = [block for block in message.content if isinstance(block, dict) and block.get("type") != "text"]
    return [{"type": "text", "text": text}, *others]


def _messages(result: Result) -> list[Any]:
    """Return the messages of a tool's result: itself, or those by which a command updates the state."""
    if isinstance(result, ToolMessage):
        return [result]
    update = result.update
    messages = update.get("messages") if isinstance(update, dict) else None
    return list(messages) if isinstance(messages, list) else []


def _is_changed(outcome: Outcome) -> bool:
    """Whether the model must read something else: a note, another order, or fewer documents."""
    verdict = outcome.verdict
    if verdict is None:
        return False
    order = [p.rank_before for p in verdict.passages]
    return bool(verdict.notice or verdict.removed) or order != sorted(order)
