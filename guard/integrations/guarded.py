"""What all components share: a guard, its verdict told to whoever wants it, and copies that share models.

A component pickles as its guard's configuration and loads the models again where it is used; deep copies share the
guard, which is safe to use from several threads.  Needs pydantic alone; knows nothing about any framework.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Generic, ParamSpec, Self, TypeVar
from weakref import WeakSet

from pydantic import BaseModel, ConfigDict, Field

from detectors.evidence import Passage
from guard.pipeline import Guard
from guard.verdict import Action, Verdict

from .configuration import WrittenGuard
from .documents import D, Form, context_text, declared, gave_way, passages_of, repaired
from .errors import ContextBlockedError
from .slots import Slots

P = ParamSpec("P")
R = TypeVar("R")

CHECKS_AT_ONCE = 2  # of those awaited, in one event loop

_CHECKS = Slots(CHECKS_AT_ONCE)
_LOADING = Lock()  # models are cached by name, but two threads that both find none would both load
_LOADED: WeakSet[Guard] = WeakSet()
_CALM = (Passage("1", "The canteen opens at noon."), Passage("2", "The canteen serves soup on Fridays."))


@dataclass(frozen=True)
class Outcome(Generic[D]):
    """The repaired documents and the verdict on them; None where there was nothing to check."""

    documents: list[D]
    verdict: Verdict | None

    @property
    def is_blocked(self) -> bool:
        return self.verdict is not None and self.verdict.action is Action.BLOCK

    @property
    def notice(self) -> str:
        """What to tell the LLM about the whole context; empty where there is nothing."""
        return self.verdict.notice if self.verdict is not None else ""

    @property
    def context(self) -> str:
        """The repaired context as text for a prompt, below the notice."""
        passages = self.verdict.passages if self.verdict is not None else ()
        return context_text(((p.id, p.text, p.note) for p in passages), self.notice)

    def unless_blocked(self) -> Self:
        """Return the outcome; raise `ContextBlockedError` for a blocked context."""
        if self.verdict is not None and self.is_blocked:
            raise ContextBlockedError(self.verdict)
        return self


class Guarded(BaseModel):
    """Base of the components.

    guard: checks the documents; `Guard()` by default.  Components may share one.
    on_verdict: called with every `Verdict`, a blocking one too, in the thread that called or, in async calls, in
        a worker thread.  What it raises is raised.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    guard: WrittenGuard = Field(default_factory=Guard, repr=False)
    on_verdict: Callable[[Verdict], object] | None = Field(default=None, repr=False, exclude=True)

    def load(self) -> None:
        """Load the models now and not in the first request, where importing their libraries can hold an event loop.

        Two passages are checked, which imports the rest.  Where something was imported, garbage is collected and what
        is left frozen (`gc.freeze`): each full collection of all that model libraries hold would stop every thread,
        the event loop's too, for tenths of a second.
        """
        with _LOADING:
            if self.guard in _LOADED:
                return
            modules = len(sys.modules)
            config = replace(self.guard.config, verifier=None)
            scorer = self.guard.scorer if "nli" in config.detectors else None
            Guard(config, encoder=self.guard._encoder, scorer=scorer).check(_CALM)
            if len(sys.modules) > modules:
                gc.collect()
                gc.freeze()
            _LOADED.add(self.guard)

    def judged(self, documents: Sequence[D], question: str | None, form: Form[D]) -> Outcome[D]:
        """Return what the guard makes of ``documents``; nobody is told.

        Metadata that declared trust cannot read is ignored; the verdict names it where a passage gave way without it.
        """
        passages, unread = declared(passages_of(documents, form), self.guard.config.policy.trust)
        if not passages:
            return Outcome([], None)
        self.load()
        verdict = self.guard.check(passages, question or None)
        if unread and gave_way(verdict):
            verdict = replace(verdict, unverified=(*verdict.unverified, *unread))
        return Outcome(repaired(documents, verdict, form), verdict)

    def call_back(self, outcome: Outcome[Any]) -> None:
        """Hand the verdict to ``on_verdict``."""
        if self.on_verdict is not None and outcome.verdict is not None:
            self.on_verdict(outcome.verdict)

    def told(self, documents: Sequence[D], question: str | None, form: Form[D]) -> Outcome[D]:
        """`judged`, then `call_back`.  Raises `ContextBlockedError` for a blocked context."""
        outcome = self.judged(documents, question, form)
        self.call_back(outcome)
        return outcome.unless_blocked()

    async def atold(self, documents: Sequence[D], question: str | None, form: Form[D]) -> Outcome[D]:
        """`told` from an event loop, which goes on."""
        outcome = await self.in_worker(self.judged, documents, question, form)
        await asyncio.to_thread(self.call_back, outcome)
        return outcome.unless_blocked()

    async def in_worker(self, check: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return ``check(*args)``, run in a thread, `CHECKS_AT_ONCE` of them; any number where an endpoint is asked."""
        if self.guard.config.verifier is not None:
            return await asyncio.to_thread(check, *args, **kwargs)
        return await _CHECKS.run(check, *args, **kwargs)

    def __getstate__(self) -> dict[Any, Any]:
        state = BaseModel.__getstate__(self)  # not that of a framework's base, which would pickle the models
        made_of = (self.guard.config, self.guard._given_encoder, self.guard._given_scorer)
        return {**state, "__dict__": {**state["__dict__"], "guard": made_of}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        config, encoder, scorer = state["__dict__"]["guard"]
        guard = Guard(config, encoder=encoder, scorer=scorer)
        BaseModel.__setstate__(self, {**state, "__dict__": {**state["__dict__"], "guard": guard}})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(self.guard): self.guard, id(self.on_verdict): self.on_verdict}
        memo = {} if memo is None else memo
        memo.update(shared)
        return super().__deepcopy__(memo)
