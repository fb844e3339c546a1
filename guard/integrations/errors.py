"""The error by which an integration says that the policy withheld a context."""

from __future__ import annotations

from detectors.errors import PassageGuardError
from guard.verdict import Verdict


class ContextBlockedError(PassageGuardError):
    """The policy is ``block`` and the passages contradict each other.  ``verdict`` says which, and why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict

    def __str__(self) -> str:
        return f"{self.verdict.notice} The policy is block; catch ContextBlockedError or choose another action."
