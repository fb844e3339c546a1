"""What LangChain's components add to the others: the verdict is told to callbacks, twice.

It is a custom event of the run, for handlers and streams of events, and the output of a child run named `RUN`, for
tracers such as LangSmith, which keep runs and no custom events.  Knows nothing about where documents come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias

from langchain_core.callbacks import Callbacks, adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import (
    ensure_config,
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
)

from guard.integrations import guarded
from guard.verdict import Verdict

from .documents import FORM

EVENT = "passageguard_verdict"  # the custom event; its data is `Verdict.to_dict`
RUN = "PassageGuard"  # the child run; its output is the same

Outcome: TypeAlias = guarded.Outcome[Document]


class Guarded(guarded.Guarded):
    """Base of the LangChain components."""

    def load(self) -> None:
        super().load()
        get_callback_manager_for_config({})  # imports LangChain's tracers

    def judge(self, documents: Sequence[Document], question: str | None) -> Outcome:
        """Return what the guard makes of ``documents``; nobody is told."""
        return self.judged(documents, question, FORM)

    def announce(self, outcome: Outcome, callbacks: Callbacks = None) -> None:
        """Hand the verdict to ``on_verdict`` and to ``callbacks``, or else to those of the run around this call."""
        self.call_back(outcome)
        config = _listening(callbacks)
        if config is None or outcome.verdict is None:
            return
        said = outcome.verdict.to_dict()
        dispatch_custom_event(EVENT, said, config=config)
        run = get_callback_manager_for_config(config).on_chain_start(None, _checked(outcome.verdict), name=RUN)
        run.on_chain_end(said)

    async def aannounce(self, outcome: Outcome, callbacks: Callbacks = None) -> None:
        """`announce` from an event loop, which goes on."""
        await asyncio.to_thread(self.call_back, outcome)
        config = _listening(callbacks)
        if config is None or outcome.verdict is None:
            return
        said = await asyncio.to_thread(outcome.verdict.to_dict)
        await adispatch_custom_event(EVENT, said, config=config)
        manager = get_async_callback_manager_for_config(config)
        run = await manager.on_chain_start(None, _checked(outcome.verdict), name=RUN)
        await run.on_chain_end(said)

    def tell(self, outcome: Outcome, callbacks: Callbacks = None) -> Outcome:
        """`announce`, then return the outcome.  Raises `ContextBlockedError` for a blocked context."""
        self.announce(outcome, callbacks)
        return outcome.unless_blocked()

    async def atell(self, outcome: Outcome, callbacks: Callbacks = None) -> Outcome:
        """`tell` from an event loop, which goes on."""
        await self.aannounce(outcome, callbacks)
        return outcome.unless_blocked()


def _checked(verdict: Verdict) -> dict[str, Any]:
    """Return what was checked, as the child run's input: the ids in the order in which they were retrieved."""
    passages = sorted((*verdict.passages, *verdict.removed), key=lambda p: p.rank_before)
    return {"passages": [passage.id for passage in passages]}


def _listening(callbacks: Callbacks) -> RunnableConfig | None:
    """Return the configuration that leads to the run's handlers; None outside of a run, or where nobody listens."""
    config = ensure_config({"callbacks": callbacks})
    manager = get_callback_manager_for_config(config)
    return config if manager.parent_run_id is not None and manager.handlers else None
