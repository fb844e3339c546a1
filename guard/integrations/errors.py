"""The errors of integrations: the policy withheld a context; a framework asks for what a component does not do."""

from __future__ import annotations

from detectors.errors import ConfigError, PassageGuardError
from guard.verdict import Verdict


class ContextBlockedError(PassageGuardError):
    """The policy is ``block`` and the passages contradict each other.  ``verdict`` says which, and why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict

    def __str__(self) -> str:
        return f"{self.verdict.notice} The policy is block; catch ContextBlockedError or choose another action."


class NotSupportedError(ConfigError, NotImplementedError):
    """A component cannot do what a framework's interface offers; where frameworks look for `NotImplementedError`."""
