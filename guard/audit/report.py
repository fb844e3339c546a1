"""What an audit says in any format: documents, findings by state, look-alikes, and all that was not looked at.

Holds nothing that changes from run to run, such as times: the same input makes the same report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from detectors.evidence import Unverified
from guard.verdict import Status

from .findings import Finding, LookAlike, Severity, State


@dataclass(frozen=True, slots=True)
class Source:
    """A document that was read."""

    path: str
    passages: int


@dataclass(frozen=True, slots=True)
class Report:
    """``findings`` are all of them, the highest score first, whatever their state.

    ``errors`` name files that could not be read, ``unverified`` what was read and not checked.  ``stale`` is how many
    entries of the baseline no longer occur, None without a baseline.
    """

    documents: Sequence[Source]
    findings: Sequence[Finding]
    look_alikes: Sequence[LookAlike] = ()
    unverified: Sequence[Unverified] = ()
    warnings: Sequence[str] = ()
    errors: Sequence[str] = ()
    stale: int | None = None

    @property
    def new(self) -> tuple[Finding, ...]:
        """Return the findings that nobody has dealt with."""
        return self.in_state(State.NEW)

    @property
    def status(self) -> Status:
        """Return ``conflict`` for new findings; ``clean`` only if everything was checked, too."""
        if self.new:
            return Status.CONFLICT
        return Status.UNVERIFIED if self.unverified else Status.CLEAN

    @property
    def is_complete(self) -> bool:
        """Whether every document was read and every passage checked."""
        return not self.errors and not self.unverified

    def in_state(self, state: State) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.state is state)

    def by_severity(self) -> dict[Severity, int]:
        """Return how many new findings there are of each severity, the gravest first."""
        counts = Counter(f.severity for f in self.new)
        return {severity: counts[severity] for severity in Severity}

    def unique_ids(self) -> list[str]:
        """Return a name for each finding in order: its id, and ``id-2`` where that occurs a second time."""
        seen: Counter[str] = Counter()
        names = []
        for found in self.findings:
            seen[found.id] += 1
            names.append(found.id if seen[found.id] == 1 else f"{found.id}-{seen[found.id]}")
        return names
