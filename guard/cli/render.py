"""Text for people: findings under their documents, both quotes under each other, the differing words marked.

On a terminal the marked words are bold and underlined; elsewhere carets stand below them.
Knows nothing about files and options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from detectors.evidence import Benign, Conflict
from guard.audit.findings import QUIET, Finding, LookAlike, Quote
from guard.audit.report import Report
from guard.audit.wording import Range, counted, differing, printable

if TYPE_CHECKING:
    from guard import Verdict
    from guard.verdict import Loss

MAX_WIDTH = 120
MAX_QUOTE = 600  # characters shown of one sentence
MAX_FURTHER = 4  # places shown beside the two quotes of a finding

Place = Callable[[Any], str]
"""Says where a span or a quote stands."""


def console_for(stream: TextIO) -> Console:
    """Return a console that wraps on a terminal and never elsewhere."""
    console = Console(file=stream, highlight=False)
    if console.is_terminal:
        console.width = min(console.width, MAX_WIDTH)
    return console


def verdict(result: Verdict, console: Console, show_benign: bool = False) -> None:
    """Print a verdict: the conflicts, what was not checked, who gives way to whom, and the action."""
    for found in result.conflicts:
        finding(console, found, lambda span: printable(span.passage_id))
    for p in (*result.passages, *result.removed):
        if p.loss:
            say(console, _gives_way(p.id, p.disposition, p.loss), "")
    problems(console, "not checked", (f"{u.subject}: {u.reason}" for u in result.unverified))
    look_alikes(console, result.benign, lambda span: printable(span.passage_id), show_benign)
    n = len(result.conflicts)
    counts = summary(((len(result.passages) + len(result.removed), "passage"), (n, "conflict")))
    say(console, f"{result.status.value}: {counts}, action {result.action.value}", "bold")


def report(result: Report, console: Console, show_benign: bool = False) -> None:
    """Print an audit's new findings, those between the same documents together, the highest score first."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for found in result.new:
        groups.setdefault(found.paths, []).append(found)
    for paths, group in groups.items():
        say(console, " ↔ ".join(map(printable, paths)), "bold")
        for found in group:
            finding(console, found, place_of, preference(found))
    look_alikes(console, result.look_alikes, place_of, show_benign)
    problems(console, "warning", result.warnings)
    problems(console, "not checked", (f"{u.subject}: {u.reason}" for u in result.unverified))
    problems(console, "not read", result.errors)
    say(console, _audit_summary(result), "bold")


def preference(found: Finding) -> str:
    """Return "prefer handbook.md: it has the later date", or nothing where nothing is declared."""
    if not found.preferred:
        return ""
    better = found.a if found.preferred.side == "a" else found.b
    return f"prefer {printable(better.path)}: {found.preferred.reason}"


def finding(console: Console, found: Conflict | Finding, place: Place, note: str = "") -> None:
    """Print one finding: type and score, what clashes, both quotes with their places."""
    head = Text.assemble((f"{found.type.value} {found.score:.2f}", "bold red"), "  ", printable(found.explanation))
    if isinstance(found, Finding):
        head.append(f"  [{found.id}]", "dim")
    _indented(console, head, 2)
    left, right = printable(found.a.text), printable(found.b.text)
    for span, text, marks in zip((found.a, found.b), (left, right), differing(left, right), strict=True):
        _indented(console, Text(place(span), "cyan"), 4)
        _quote(console, text, marks)
    if found.given:
        _indented(console, Text.assemble("given ", (place(found.given), "cyan")), 4)
        _quote(console, printable(found.given.text), [])
    if isinstance(found, Finding):
        _further(console, found)
        note = " · ".join(filter(None, (note, printable(found.state_reason))))
    if note:
        _indented(console, Text(note, "green"), 4)
    console.print()


def _further(console: Console, found: Finding) -> None:
    """Print the places that say what the first quote says, and those that contradict it beside the second."""
    left = printable(found.a.text)
    for quote in found.repeats[:MAX_FURTHER]:
        _indented(console, Text.assemble("also said in ", (place_of(quote), "cyan")), 4)
    for quote in found.against[:MAX_FURTHER]:
        _indented(console, Text.assemble("also against ", (place_of(quote), "cyan")), 4)
        _quote(console, printable(quote.text), differing(left, printable(quote.text))[1])
    left_out = sum(max(0, len(quotes) - MAX_FURTHER) for quotes in (found.repeats, found.against))
    if left_out:
        _indented(console, Text(f"and {counted(left_out, 'more place')}; --format html shows all", "dim"), 4)


def look_alikes(console: Console, benign: Sequence[Benign | LookAlike], place: Place, shown: bool) -> None:
    """Print the pairs that look contradictory and are not, or only how many there are and why."""
    if benign and not shown:
        kinds = ", ".join(sorted({b.why_not.value for b in benign}))
        say(console, f"{summary([(len(benign), 'look-alike')])} set aside ({kinds}); --benign lists them", "dim")
        return
    for pair in benign:
        _indented(console, Text(f"no conflict: {pair.why_not.value}", "dim"), 2)
        for span in (pair.a, pair.b):
            _indented(console, Text(place(span), "cyan"), 4)
            _quote(console, printable(span.text), [])


def problems(console: Console, label: str, messages: Iterable[str]) -> None:
    """Print a line for each of them."""
    for message in messages:
        say(console, f"{label}: {printable(message)}", "yellow")


def say(console: Console, text: str, style: str) -> None:
    """Print one line."""
    _indented(console, Text(text, style), 0)


def summary(counts: Sequence[tuple[int, str]]) -> str:
    """Return "3 documents, 1 finding"."""
    return ", ".join(counted(n, word) for n, word in counts)


def place_of(quote: Quote) -> str:
    """Return ``handbook.md:12  Leave › Carry-over``."""
    return printable(quote.place) + (f"  {printable(quote.heading)}" if quote.heading else "")


def _audit_summary(result: Report) -> str:
    counts = [(len(result.documents), "document"), (sum(d.passages for d in result.documents), "passage"),
              (len(result.new), "finding")]  # fmt: skip
    counts += [(len(result.errors), "unread file")] if result.errors else []
    quiet = [f", {n:,} {state}" for state in QUIET if (n := len(result.in_state(state)))]
    quiet += [f", {result.stale:,} stale in the baseline"] if result.stale else []
    return summary(counts) + "".join(quiet)


def _gives_way(passage_id: str, disposition: str, loss: Loss) -> str:
    if loss.winner_id == passage_id:
        return f"{printable(passage_id)} ({disposition}): {loss.reason} [{loss.rule}]"
    return (
        f"{printable(passage_id)} ({disposition}) gives way to {printable(loss.winner_id)}: {loss.reason} [{loss.rule}]"
    )


def _quote(console: Console, text: str, marks: Sequence[Range]) -> None:
    text, marks = _shortened(text, marks)
    shown = Text(text)
    for start, end in marks:
        shown.stylize("bold underline", start, end)
    _indented(console, shown, 6)
    if marks and console.color_system is None:
        carets = "".join("^" if any(s <= i < e for s, e in marks) else " " for i in range(marks[-1][1]))
        _indented(console, Text(carets), 6)


def _shortened(text: str, marks: Sequence[Range]) -> tuple[str, Sequence[Range]]:
    """Cut an enormous sentence to the part around its first difference."""
    if len(text) <= MAX_QUOTE:
        return text, marks
    start = max(0, min(marks[0][0] if marks else 0, len(text)) - MAX_QUOTE // 4)
    end = start + MAX_QUOTE
    before, after = "… " if start else "", " …" if end < len(text) else ""
    kept = [(max(s, start), min(e, end)) for s, e in marks if s < end and e > start]
    shift = len(before) - start
    return before + text[start:end] + after, [(s + shift, e + shift) for s, e in kept]


def _indented(console: Console, text: Text, indent: int) -> None:
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent), expand=False))
    else:
        console.print(Text(" " * indent) + text, soft_wrap=True)
