"""Markdown (GitHub's), for pull requests, wikis and mail: a table of counts, then each new finding with both quotes.

Passages are written so that nothing in them is markup, a link or a mention.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from guard.audit.findings import QUIET, Finding, Quote, Severity
from guard.audit.report import Report
from guard.audit.wording import TITLES, Range, counted, differing, pieces, printable

PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:^=$])")
ICONS = {Severity.ERROR: "🔴", Severity.WARNING: "🟠", Severity.NOTE: "🔵"}


def render(report: Report) -> str:
    """Return the report as paragraphs with a blank line between."""
    return "\n\n".join(_parts(report)) + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is.

    >>> print(escaped("*see* <b>"))
    \*see\* &lt;b&gt;
    """
    return _literal(printable(text))


def _literal(text: str) -> str:
    return PUNCTUATION.sub(r"\\\1", html.escape(text, quote=False)).replace("@", "@&#8203;")


def _parts(report: Report) -> Iterator[str]:
    yield "# Contradictions in the documents"
    yield f"{counted(len(report.documents), 'document')}, {counted(len(report.new), 'finding')}" + "".join(
        f", {len(quiet)} {state}" for state in QUIET if (quiet := report.in_state(state))
    )
    if report.new:
        yield _counts(report)
    elif report.is_complete:
        yield "No new contradiction was found."
    for found in report.new:
        yield from finding(found)
    yield from listed("Not read", report.errors)
    yield from listed("Not checked", (f"{u.subject}: {u.reason}" for u in report.unverified))
    yield from listed("Warnings", report.warnings)
    for state in QUIET:
        yield from listed(state.capitalize(), (_short(f) for f in report.in_state(state)))


def _counts(report: Report) -> str:
    rows = ["| | error | warning | note |", "|---|--:|--:|--:|"]
    for type, title in TITLES.items():
        counts = [sum(f.type is type and f.severity is severity for f in report.new) for severity in Severity]
        rows += [f"| {title} | " + " | ".join(str(n or "") for n in counts) + " |"] if any(counts) else []
    return "\n".join(rows)


def finding(found: Finding) -> Iterator[str]:
    """Yield the paragraphs of one finding."""
    where = " against ".join(path.rpartition("/")[2] for path in found.paths)
    yield f"### {ICONS[found.severity]} {TITLES[found.type]}: {escaped(where)}"
    yield escaped(found.explanation)
    marks = differing(printable(found.a.text), printable(found.b.text))
    for quote, ranges in zip((found.a, found.b), marks, strict=True):
        yield _quote(quote, ranges)
    if found.given:
        yield "Given:"
        yield _quote(found.given, [])
    if found.repeats:
        yield "The first is also said in " + ", ".join(escaped(quote.place) for quote in found.repeats) + "."
    if found.against:
        yield "It clashes with these, too:"
    for quote in found.against:
        yield _quote(quote, differing(printable(found.a.text), printable(quote.text))[1])
    if found.preferred:
        better = found.a if found.preferred.side == "a" else found.b
        yield f"Prefer {escaped(better.path)}: {escaped(found.preferred.reason)}."
    yield f"**{escaped(found.action)}** <sub>{found.severity} · score {found.score:.2f} · {found.id}</sub>"


def _quote(quote: Quote, marks: Sequence[Range]) -> str:
    text = "".join(
        f"<b>{_literal(piece)}</b>" if marked else _literal(piece)
        for piece, marked in pieces(printable(quote.text), marks)
    )
    heading = f" · {escaped(quote.heading)}" if quote.heading else ""
    return f"{escaped(quote.place)}{heading}\n> {text}"


def _short(found: Finding) -> str:
    places = " against ".join(quote.place for quote in (found.a, found.b))
    return f"{TITLES[found.type]}: {places}: {found.state_reason} ({found.id})"


def listed(title: str, messages: Iterable[str]) -> Iterator[str]:
    """Yield a list under its title, which may be empty; nothing where there is nothing to list."""
    lines = [f"- {escaped(message)}" for message in messages]
    if lines:
        yield from [f"## {title}"] * bool(title)
        yield "\n".join(lines)
