"""The guard as a step of a chain: ``{"question", "documents"}`` in, the same with the repaired context out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig, RunnableSerializable

from detectors.errors import InputError

from .documents import format_documents
from .guarded import Guarded, Outcome


class PassageGuardRunnable(Guarded, RunnableSerializable[dict[str, Any], dict[str, Any]]):
    """Takes ``documents`` and, if known, the ``question``; other keys go through.

    Adds ``context``, the repaired documents and the notice as text for a prompt, and ``verdict``, the whole
    `Verdict` (None without documents).  Raises what `PassageGuardCompressor` raises.
    """

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        return self._call_with_config(self._checked, input, config)

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        return await self._acall_with_config(self._achecked, input, config)

    def _checked(self, input: dict[str, Any], run_manager: CallbackManagerForChainRun) -> dict[str, Any]:
        outcome = self.judge(*_given(input))
        return _with_outcome(input, self.tell(outcome, run_manager.get_child()))

    async def _achecked(self, input: dict[str, Any], run_manager: AsyncCallbackManagerForChainRun) -> dict[str, Any]:
        outcome = await self.in_worker(self.judge, *_given(input))
        return _with_outcome(input, await self.atell(outcome, run_manager.get_child()))


def _given(input: dict[str, Any]) -> tuple[Sequence[Document], str | None]:
    if not isinstance(input, dict) or "documents" not in input:
        raise InputError('the input must be a dict such as {"question": "…", "documents": [Document, …]}')
    return input["documents"], input.get("question")


def _with_outcome(input: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    context = format_documents(outcome.documents, outcome.notice)
    return {**input, "documents": outcome.documents, "context": context, "verdict": outcome.verdict}
