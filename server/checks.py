"""Checks in worker threads over one Guard, whose models all requests share.

`Checker.check` is the one way in: later, a micro-batcher may stand between it and the Guard.  Knows nothing about
requests, HTTP or templates.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from detectors.errors import InputError, PassageGuardError
from detectors.evidence import Passage
from guard.policy import Policy, decide
from guard.remediate import remediate
from guard.verdict import Verdict

from .config import ServerConfig
from .metrics import Metrics

WARM_UP = (Passage("a", "The trial lasts 14 days."), Passage("b", "The trial lasts 30 days."))

log = logging.getLogger(__name__)


class Checks(Protocol):
    """What a Guard is asked for."""

    def check(self, passages: Sequence[Passage], question: str | None = None) -> Verdict: ...


class CheckFailed(PassageGuardError):
    """A check that gave no verdict.  ``reason`` is ``deadline`` or ``error``."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the passages could not be checked: {reason}")
        self.reason = reason


class Checker:
    """Runs checks.  ``is_ready`` once the models are loaded; ``load_error`` where they cannot be."""

    def __init__(self, guard: Checks, config: ServerConfig, metrics: Metrics) -> None:
        self._guard, self._config, self._metrics = guard, config, metrics
        self._threads = ThreadPoolExecutor(config.check_threads, thread_name_prefix="check")
        self.is_ready = False
        self.load_error: Exception | None = None

    async def load(self) -> None:
        """Load the models by a first check."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._guard.check, WARM_UP)
            self.is_ready = True
        except Exception as error:  # whatever it is, the server is not ready and must say why
            self.load_error = error
            log.error("models could not be loaded", extra={"error": f"{type(error).__name__}: {error}"})

    async def check(self, passages: Sequence[Passage], question: str | None, policy: Policy | None = None) -> Verdict:
        """Return the verdict, decided by ``policy`` where one is given.

        Raises `InputError` for passages that cannot be checked, `CheckFailed` for whatever else went wrong.
        """
        started = time.monotonic()
        try:
            if sum(len(p.text) for p in passages) > self._config.max_context_chars:
                raise InputError(f"the passages are over {self._config.max_context_chars:,} characters; send fewer")
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._verdict, passages, question, policy)
            async with asyncio.timeout(2 * self._config.deadline_s):
                verdict = await work
        except InputError:
            self._metrics.failures.add("input")
            raise
        except Exception as error:  # our failure must not look like "no conflict"
            failed = CheckFailed("deadline" if isinstance(error, TimeoutError) else "error")
            self._metrics.failures.add(failed.reason)
            log.error("check failed", extra={"error": type(error).__name__})
            raise failed from error
        finally:
            self._metrics.check_s.observe(time.monotonic() - started)
        for conflict in verdict.conflicts:
            self._metrics.conflicts.add(conflict.type.value)
        return verdict

    def close(self) -> None:
        """Forget the checks that wait; those that run go on to their end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verdict(self, passages: Sequence[Passage], question: str | None, policy: Policy | None) -> Verdict:
        verdict = self._guard.check(passages, question)
        return verdict if policy is None else decided(verdict, passages, policy)


def decided(verdict: Verdict, passages: Sequence[Passage], policy: Policy) -> Verdict:
    """Return the verdict as another policy decides it; what was found stays.

    >>> from guard import Action
    >>> decided(Verdict("clean", (), Action.REPORT, (), (), ()), WARM_UP, Policy(Action.BLOCK)).action.value
    'report'
    """
    decision = decide(verdict.conflicts, passages, verdict.clusters, policy)
    kept, removed, notice = remediate(passages, verdict.conflicts, decision, policy.min_passages)
    return replace(verdict, action=decision.action, passages=kept, removed=removed, notice=notice)
