"""``passageguard review``: say of findings what they are, once, in a file that is committed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from detectors.errors import ConfigError, InputError
from guard.audit import records, reviews
from guard.audit.findings import Finding, State
from guard.audit.formats import data
from guard.audit.reviews import Review, Reviews, Verdict
from guard.audit.wording import counted

from . import options, render

EPILOG = "Exit codes: 0 done, 2 error."
KEYS = {"c": Verdict.CONFIRMED, "d": Verdict.DISMISSED, "r": Verdict.RESOLVED}
QUESTION = "[c]onfirm, [d]ismiss, [r]esolved, [s]kip, [q]uit? "

Ids = list[str] | None


def review(
    report: Annotated[
        Path | None, typer.Argument(help="Report of passageguard audit --format json; needed but for known ids.")
    ] = None,
    file: Annotated[Path, typer.Option("--reviews", help="The file.")] = Path("passageguard-reviews.jsonl"),
    confirm: Annotated[Ids, typer.Option(metavar="ID", help="A contradiction, still to be corrected.")] = None,
    dismiss: Annotated[Ids, typer.Option(metavar="ID", help="No contradiction; audits are quiet about it.")] = None,
    resolve: Annotated[Ids, typer.Option(metavar="ID", help="Was one, and the documents were corrected.")] = None,
    reason: Annotated[str, typer.Option(help="Why; --dismiss needs it.")] = "",
) -> None:
    """Confirm, dismiss or resolve findings by id, or one by one on a terminal.

    \b
    The verdicts are kept as labelled rows, so that the file is also what
    passageguard calibrate and eval read: confirmed and resolved are conflicts,
    dismissed are consistent. Commit it beside the documents.

    \b
    Examples:
      passageguard audit docs/ --reviews reviews.jsonl -o report.json
      passageguard review report.json --reviews reviews.jsonl
      passageguard review report.json --dismiss 5d0e1f2a3b4c5d6e --reason "two products"
      passageguard calibrate passageguard-reviews.jsonl -o calibration.json
    """
    options.require_output("text", file)
    findings = _findings(report) if report else []
    known = reviews.load(file) if file.exists() else {}
    asked = {Verdict.CONFIRMED: confirm or [], Verdict.DISMISSED: dismiss or [], Verdict.RESOLVED: resolve or []}
    if any(asked.values()):
        if asked[Verdict.DISMISSED] and not reason.strip():
            raise ConfigError("--dismiss needs a --reason, which reports show")
        new = [r for verdict, ids in asked.items() for id in ids for r in _said(id, verdict, reason, findings, known)]
        _save(file, reviews.merged(known, new))
        typer.echo(f"{file}: {counted(len(new), 'review')} written", err=True)
    elif report and is_terminal():
        _ask(findings, file, known)
    else:
        raise ConfigError("give a report and a terminal to review one by one, or --confirm, --dismiss or --resolve ID")


def is_terminal() -> bool:
    """Whether somebody can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def _findings(report: Path) -> list[Finding]:
    try:
        return data.parsed(records.load(report.read_text(encoding="utf-8"), str(report)))
    except OSError as error:
        raise InputError(f"{report}: cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{report}: not a report in JSON: {error}") from error


def _said(id: str, verdict: Verdict, reason: str, findings: Sequence[Finding], known: Reviews) -> list[Review]:
    """Return the reviews for one id: of a finding of the report, or of one reviewed before that is gone from there."""
    found = next((f for f in findings if id in {pair.id for pair in f.pairs}), None)
    if found:
        return reviews.of(found, verdict, reason, _today())
    if id in known and verdict is Verdict.RESOLVED:
        return [reviews.resolved(known[id], reason, _today())]
    raise InputError(f"no finding {id!r} in the report, which shows the ids; one that is gone can only be resolved")


def _ask(findings: Sequence[Finding], file: Path, known: Reviews) -> None:
    """Show each new finding that nobody has reviewed, and save every answer at once."""
    console = render.console_for(sys.stdout)
    open_ones = [f for f in findings if f.state is State.NEW and f.id not in known]
    for number, found in enumerate(open_ones, 1):
        render.say(console, f"{number} of {len(open_ones)}", "bold")
        render.finding(console, found, render.place_of)
        answer = _answer(QUESTION, (*KEYS, "s", "q"))
        if answer == "q":
            break
        if answer in KEYS:
            reason = _answer("why? ", () if KEYS[answer] is Verdict.DISMISSED else None)
            known = reviews.merged(known, reviews.of(found, KEYS[answer], reason, _today()))
            _save(file, known)
    render.say(console, f"{counted(len(known), 'review')} in {file}", "bold")


def _answer(question: str, allowed: Sequence[str] | None) -> str:
    """Ask until the answer is allowed: one of these; anything but nothing where none is named; anything for None."""
    while True:
        sys.stdout.write(question)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            raise typer.Abort
        answer = line.strip()
        if allowed is None or answer in allowed or (not allowed and answer):
            return answer


def _save(file: Path, known: Reviews) -> None:
    """Replace the file as a whole, so that an interrupt leaves the old one or the new one."""
    copy = file.with_name(file.name + ".new")
    with options.report_to(copy) as stream:
        stream.write(reviews.dump(known))
    copy.replace(file)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
