"""GitHub Actions workflow commands: each new finding becomes an annotation where a correction is due first.

Source: GitHub's documentation, "Workflow commands for GitHub Actions".  GitHub shows ten annotations of a kind for each
step; the summary line at the end counts all.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.audit.findings import QUIET, Finding, Severity
from guard.audit.report import Report
from guard.audit.wording import TITLES, counted, printable

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(report: Report) -> str:
    """Return a line for each new finding and each problem."""
    return "".join(line + "\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    for found in report.new:
        yield _finding(found)
    for message in report.errors:
        yield f"::error title=Not read::{_escaped(printable(message))}"
    for unverified in report.unverified:
        reason = printable(f"{unverified.subject}: {unverified.reason}")
        yield f"::warning title=Not checked::{_escaped(reason)}"
    for message in report.warnings:
        yield f"::notice title=Warning::{_escaped(printable(message))}"
    quiet = [f"{n:,} {state}" for state in QUIET if (n := len(report.in_state(state)))]
    yield ", ".join([counted(len(report.documents), "document"), counted(len(report.new), "new finding"), *quiet])


def _finding(found: Finding) -> str:
    first, other = found.sides
    place = f"file={_property(printable(first.path))}" + (
        f",line={first.line},endLine={first.end_line}" if first.line else ""
    )
    title = _property(f"{TITLES[found.type]} ({found.score:.2f})")
    said = [f"“{printable(first.text)}”", f"{printable(other.place)}: “{printable(other.text)}”"]
    said += [f"given {printable(found.given.place)}: “{printable(found.given.text)}”"] if found.given else []
    further = [printable(quote.place) for quote in (*found.repeats, *found.against)]
    said += [f"also in {', '.join(further)}"] if further else []
    message = "\n".join([*said, printable(found.action)])
    return f"::{COMMANDS[found.severity]} {place},title={title}::{_escaped(message)}"


def _escaped(text: str) -> str:
    r"""Return text for a command's message: no line of it can become a command of its own.

    >>> _escaped("100%\n::error::x")
    '100%25%0A::error::x'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Return text for a command's property.

    >>> _property("a,b:c.md")
    'a%2Cb%3Ac.md'
    """
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
