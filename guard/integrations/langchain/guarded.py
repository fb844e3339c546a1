"""What LangChain's components add to the others: the verdict is a custom event of the run, too.

Knows nothing about where documents come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from langchain_core.callbacks import Callbacks, adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config

from guard.integrations import guarded

from .documents import FORM

EVENT = "passageguard_verdict"  # the custom event; its data is `Verdict.to_dict`

Outcome: TypeAlias = guarded.Outcome[Document]


class Guarded(guarded.Guarded):
    """Base of the LangChain components."""

    def judge(self, documents: Sequence[Document], question: str | None) -> Outcome:
        """Return what the guard makes of ``documents``; nobody is told."""
        return self.judged(documents, question, FORM)

    def tell(self, outcome: Outcome, callbacks: Callbacks = None) -> Outcome:
        """Hand the verdict to ``on_verdict`` and, as a custom event, to ``callbacks``.

        Raises `ContextBlockedError` for a blocked context.
        """
        self.call_back(outcome)
        config = _listening(callbacks)
        if config is not None and outcome.verdict is not None:
            dispatch_custom_event(EVENT, outcome.verdict.to_dict(), config=config)
        return outcome.unless_blocked()

    async def atell(self, outcome: Outcome, callbacks: Callbacks = None) -> Outcome:
        """`tell` from an event loop, which goes on."""
        await asyncio.to_thread(self.call_back, outcome)
        config = _listening(callbacks)
        if config is not None and outcome.verdict is not None:
            await adispatch_custom_event(EVENT, await asyncio.to_thread(outcome.verdict.to_dict), config=config)
        return outcome.unless_blocked()


def _listening(callbacks: Callbacks) -> RunnableConfig | None:
    """Return the configuration that leads to the run's handlers; None outside of a run, or where nobody listens."""
    config = ensure_config({"callbacks": callbacks})
    manager = get_callback_manager_for_config(config)
    return config if manager.parent_run_id is not None and manager.handlers else None
