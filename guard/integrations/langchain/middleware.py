"""Agent middleware: what a retriever tool returns is checked before the agent's model reads it.

Needs the package langchain.  Each tool call is checked alone: two calls are not compared with each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
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
        return self._checked(request, handler(request))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        result = await handler(request)
        return await self._guarded.in_worker(self._checked, request, result)

    def _checked(self, request: ToolCallRequest, result: Result) -> Result:
        if self._tool_names is not None and request.tool_call["name"] not in self._tool_names:
            return result
        if isinstance(result, ToolMessage):
            return self._repaired(request, result)
        update = result.update
        if not isinstance(update, dict) or not isinstance(update.get("messages"), list):
            return result
        messages = [self._repaired(request, m) if isinstance(m, ToolMessage) else m for m in update["messages"]]
        return replace(result, update={**update, "messages": messages})

    def _repaired(self, request: ToolCallRequest, message: ToolMessage) -> ToolMessage:
        documents = self._documents(request, message)
        if not documents or message.status == "error":
            return message
        query = request.tool_call["args"].get("query")
        outcome = self._guarded.judge(documents, query if isinstance(query, str) else None)
        self._guarded.call_back(outcome)
        artifact = None if message.artifact is None else outcome.documents
        if outcome.is_blocked:
            told = {"content": outcome.notice, "artifact": artifact, "status": "error"}
            return message.model_copy(update=told)
        if not _is_changed(outcome, documents):
            return message.model_copy(update={"artifact": artifact})
        content = _with_text(message, self._formatter(outcome.documents, outcome.notice))
        return message.model_copy(update={"content": content, "artifact": artifact})

    def _documents(self, request: ToolCallRequest, message: ToolMessage) -> list[Document]:
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


def _is_changed(outcome: Outcome, documents: Sequence[Document]) -> bool:
    """Whether the model must read something else: a note, another order, or fewer documents."""
    verdict = outcome.verdict
    if verdict is None:
        return False
    order = [p.rank_before for p in verdict.passages]
    return bool(verdict.notice) or order != list(range(len(documents)))
