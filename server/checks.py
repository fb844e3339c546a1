"""Checks in worker threads over one Guard, whose models all requests share.

`Checker.check` is the one way in.  Checks begin in the order in which they were asked for; one that would have to wait
longer than it may take is given up at once.  Knows nothing about requests, HTTP or templates.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from detectors.errors import InputError, PassageGuardError
from detectors.evidence import Passage, Unverified
from guard.policy import Policy, decide
from guard.remediate import remediate
from guard.verdict import Status, Verdict

from . import telemetry
from .config import ServerConfig
from .errors import Refusal, busy
from .metrics import Metrics

LATEST = 0.1  # weight of one check in the mean over the latest
WARM_UP = (Passage("a", "The trial lasts 14 days."), Passage("b", "The trial lasts 30 days."))

log = logging.getLogger(__name__)


class Checks(Protocol):
    """What a Guard is asked for."""

    def check(self, passages: Sequence[Passage], question: str | None = None) -> Verdict: ...


class CheckFailed(PassageGuardError):
    """A check that gave no verdict.  ``reason`` is ``deadline``, ``overloaded``, ``loading`` or ``error``."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(f"the passages could not be checked: {reason}")
        self.reason, self.retry_after_s = reason, retry_after_s


class Checker:
    """Runs checks.  ``is_ready`` once the models are loaded; ``load_error`` where they cannot be."""

    def __init__(self, guard: Checks, config: ServerConfig, metrics: Metrics) -> None:
        self._guard, self._config, self._metrics = guard, config, metrics
        self._threads = ThreadPoolExecutor(config.check_threads, thread_name_prefix="check")
        self._latest_s = 0.0  # of a check, a mean over the latest
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
            with telemetry.span(telemetry.CHECK) as told:
                verdict = await self._within_deadline(passages, question, policy)
                told |= {"passages": len(passages), "conflicts": len(verdict.conflicts)}
        except InputError:
            self._metrics.failures.add("input")
            raise
        except Exception as error:  # our failure must not look like "no conflict"
            failed = error if isinstance(error, CheckFailed) else CheckFailed(self._reason(error))
            self._metrics.failures.add(failed.reason)
            log.error("check failed", extra={"reason": failed.reason, "error": type(error).__name__})
            raise failed from (None if failed is error else error)
        finally:
            self._metrics.check_s.observe(time.monotonic() - started)
        for conflict in verdict.conflicts:
            self._metrics.conflicts.add(conflict.type.value)
        return verdict

    async def _within_deadline(
        self, passages: Sequence[Passage], question: str | None, policy: Policy | None
    ) -> Verdict:
        if sum(len(p.text) for p in passages) > self._config.max_context_chars:
            raise InputError(f"the passages are over {self._config.max_context_chars:,} characters; send fewer")
        patience_s, wait_s = 2 * self._config.deadline_s, self._wait_s()
        if wait_s > patience_s:
            raise CheckFailed("overloaded", math.ceil(wait_s - patience_s))
        self._metrics.checks_in_flight.add(by=1)
        work = self._threads.submit(self._verdict, passages, question, policy)
        work.add_done_callback(lambda _: self._metrics.checks_in_flight.add(by=-1))  # given up is not yet done
        async with asyncio.timeout(patience_s):
            return await asyncio.wrap_future(work)

    def _wait_s(self) -> float:
        """Return how long one more check would wait for a thread if all took as long as the latest ones."""
        ahead = self._metrics.checks_in_flight.value - self._config.check_threads + 1
        return max(0.0, ahead) * self._latest_s / self._config.check_threads

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, TimeoutError):
            return "error"
        return "deadline" if self.is_ready else "loading"

    def skipped(self, error: Exception) -> None:
        """Count a check that did not come about, unless it failed here and is counted already."""
        if not isinstance(error, (CheckFailed, InputError)):
            self._metrics.failures.add("unreadable")
            log.error("passages could not be read", extra={"error": type(error).__name__})

    def close(self) -> None:
        """Forget the checks that wait; those that run go on to their end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verdict(self, passages: Sequence[Passage], question: str | None, policy: Policy | None) -> Verdict:
        started = time.monotonic()
        try:
            verdict = self._guard.check(passages, question)
        finally:
            self._latest_s += LATEST * (time.monotonic() - started - self._latest_s)
        return verdict if policy is None else decided(verdict, passages, policy)


def refusal(error: Exception) -> Refusal:
    """Return the answer where nothing may pass unchecked."""
    after_s = error.retry_after_s if isinstance(error, CheckFailed) else 1
    return busy("check_failed", "the passages could not be checked, and on_error is closed", after_s)


def with_unread(verdict: Verdict, unread: Sequence[Unverified]) -> Verdict:
    """Return the verdict with what could not be read, so that it is never called clean."""
    if not unread:
        return verdict
    status = Status.UNVERIFIED if verdict.status is Status.CLEAN else verdict.status
    return replace(verdict, status=status, unverified=(*verdict.unverified, *unread))


def decided(verdict: Verdict, passages: Sequence[Passage], policy: Policy) -> Verdict:
    """Return the verdict as another policy decides it; what was found stays.

    >>> from guard import Action
    >>> decided(Verdict("clean", (), Action.REPORT, (), (), ()), WARM_UP, Policy(Action.BLOCK)).action.value
    'report'
    """
    decision = decide(verdict.conflicts, passages, verdict.clusters, policy)
    kept, removed, notice = remediate(passages, verdict.conflicts, decision, policy.min_passages)
    return replace(verdict, action=decision.action, passages=kept, removed=removed, notice=notice)
