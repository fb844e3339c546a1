"""What all LangChain components share: a guard, its verdict told to whoever wants it, and copies that share models.

A component pickles as its guard's configuration and loads the models again where it is used; deep copies share the
guard, which is safe to use from several threads.  Knows nothing about where documents come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Self

from langchain_core.callbacks import Callbacks, adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config
from pydantic import BaseModel, ConfigDict, Field

from guard.integrations.errors import ContextBlockedError
from guard.pipeline import Guard
from guard.verdict import Action, Verdict

from .documents import passages_of, repaired

EVENT = "passageguard_verdict"  # the custom event; its data is `Verdict.to_dict`

_LOADING = Lock()  # models are cached by name, but two threads that both find none would both load


@dataclass(frozen=True, slots=True)
class Outcome:
    """The repaired documents and the verdict on them; None where there was nothing to check."""

    documents: list[Document]
    verdict: Verdict | None

    @property
    def is_blocked(self) -> bool:
        return self.verdict is not None and self.verdict.action is Action.BLOCK


class Guarded(BaseModel):
    """Base of the components.

    guard: checks the documents; `Guard()` by default.  Components may share one.
    on_verdict: called with every `Verdict`, a blocking one too, in the thread that called or, in async calls, in
        a worker thread.  What it raises is raised.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    guard: Guard = Field(default_factory=Guard, repr=False)
    on_verdict: Callable[[Verdict], object] | None = Field(default=None, repr=False)

    def load(self) -> None:
        """Load the models now and not in the first request, where importing their libraries can hold an event loop."""
        with _LOADING:
            _ = self.guard._encoder, self.guard.model_revision

    def judge(self, documents: Sequence[Document], question: str | None) -> Outcome:
        """Return what the guard makes of ``documents``; nobody is told."""
        passages = passages_of(documents)
        if not passages:
            return Outcome([], None)
        self.load()
        verdict = self.guard.check(passages, question or None)
        return Outcome(repaired(documents, verdict), verdict)

    def tell(self, outcome: Outcome, callbacks: Callbacks = None) -> Outcome:
        """Hand the verdict to ``on_verdict`` and, as a custom event, to ``callbacks``.

        Raises `ContextBlockedError` for a blocked context.
        """
        self.call_back(outcome)
        config = _listening(outcome, callbacks)
        if config is not None and outcome.verdict is not None:
            dispatch_custom_event(EVENT, outcome.verdict.to_dict(), config=config)
        return _unless_blocked(outcome)

    async def atell(self, outcome: Outcome, callbacks: Callbacks = None) -> Outcome:
        """`tell` from an event loop, which goes on."""
        await asyncio.to_thread(self.call_back, outcome)
        config = _listening(outcome, callbacks)
        if config is not None and outcome.verdict is not None:
            await adispatch_custom_event(EVENT, await asyncio.to_thread(outcome.verdict.to_dict), config=config)
        return _unless_blocked(outcome)

    def call_back(self, outcome: Outcome) -> None:
        """Hand the verdict to ``on_verdict``."""
        if self.on_verdict is not None and outcome.verdict is not None:
            self.on_verdict(outcome.verdict)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        made_of = (self.guard.config, self.guard._given_encoder, self.guard._given_scorer)
        return {**state, "__dict__": {**state["__dict__"], "guard": made_of}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        config, encoder, scorer = state["__dict__"]["guard"]
        guard = Guard(config, encoder=encoder, scorer=scorer)
        super().__setstate__({**state, "__dict__": {**state["__dict__"], "guard": guard}})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(self.guard): self.guard, id(self.on_verdict): self.on_verdict}
        memo = {} if memo is None else memo
        memo.update(shared)
        return super().__deepcopy__(memo)


def _listening(outcome: Outcome, callbacks: Callbacks) -> RunnableConfig | None:
    """Return the configuration that leads to the run's handlers; None outside of a run, or where nobody listens."""
    config = ensure_config({"callbacks": callbacks})
    manager = get_callback_manager_for_config(config)
    return config if manager.parent_run_id is not None and manager.handlers else None


def _unless_blocked(outcome: Outcome) -> Outcome:
    if outcome.is_blocked and outcome.verdict is not None:
        raise ContextBlockedError(outcome.verdict)
    return outcome
