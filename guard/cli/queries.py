"""``passageguard audit --queries``: logged questions replayed with what was retrieved for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import typer
from rich.console import Console

from detectors.errors import ConfigError, InputError
from guard.audit.contested import Question, Replay, Standing, replayed
from guard.audit.findings import Severity
from guard.audit.formats import TEXT, by_ending, contested, contested_page
from guard.audit.queries import Log, read
from guard.audit.run import Known
from guard.audit.wording import counted, printable

from . import options, render

FORMATS = {
    "json": contested.as_json, "jsonl": contested.as_jsonl, "markdown": contested.as_markdown,
    "html": contested_page.render,
}  # fmt: skip
NAMES = (TEXT, *FORMATS)
STDIN = Path("-")
MAX_LOG_BYTES = 500_000_000
MAX_SHOWN = 20  # problems of one kind


def replay(
    file: Path, known: Known, output: Path | None, format: str | None, fail_on: str | None, may_fail: bool,
    deadline: float | None, **settings: Any,
) -> None:  # fmt: skip
    """Replay a log, write the report, and exit with 1 where something is contested or was not looked at."""
    form = format or (by_ending(output) if output else TEXT)
    options.require_output(form, output, NAMES)
    log = logged(file)
    guard = options.make_guard("report", deadline_s=deadline, **settings)
    with options.progress_bar("checking questions") as progress:
        result = replayed(guard, log, known, progress, deadline)
    with options.report_to(output) as stream:
        if form == TEXT:
            text(result, render.console_for(stream))
        else:
            stream.write(FORMATS[form](result))
    raise typer.Exit(1 if may_fail and fails(result, fail_on) else 0)


def logged(file: Path) -> Log:
    """Read a log; ``-`` is stdin.  Raises `InputError`."""
    name = "stdin" if file == STDIN else file.as_posix()
    if file == STDIN and sys.stdin is None:
        raise InputError("stdin is closed; give a file name")
    try:
        opened = nullcontext(sys.stdin.buffer) if file == STDIN else file.open("rb")
        with opened as stream:
            return read(_lines(stream, name), name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error


def fails(result: Replay, fail_on: str | None) -> bool:
    """Whether the replay ends in exit code 1: conflicts from this severity up, or something not looked at."""
    least = list(Severity).index(Severity(fail_on)) if fail_on in set(Severity) else len(Severity)
    found = [contest.finding.severity for question in result.questions for contest in question.new]
    return not result.is_complete or any(list(Severity).index(severity) <= least for severity in found)


def refuse(paths: Sequence[Path] | None, **others: Any) -> None:
    """Raise `ConfigError` for what does not go with a log."""
    if paths:
        raise ConfigError("give documents or --queries, not both: a log holds the passages itself")
    for name, value in others.items():
        if value:
            raise ConfigError(f"--{name.replace('_', '-')} is for documents; leave it out with --queries")


def text(result: Replay, console: Console) -> None:
    """Print the questions that are not consistent, the contested ones first, and the counts."""
    for standing in (Standing.CONTESTED, Standing.BESIDE, Standing.UNVERIFIED):
        for question in result.standing(standing):
            _question(question, console)
    for found, asked in result.conflicts():
        if len(asked) > 1:
            lines = ", ".join(str(q.logged.lines[0]) for q in asked[:MAX_SHOWN])
            render.say(console, f"{counted(len(asked), 'question')} contested by {found.id}: lines {lines}", "bold")
    for label, messages in (("warning", result.warnings), ("not read", result.errors)):
        render.problems(console, label, messages[:MAX_SHOWN])
        if left := len(messages) - MAX_SHOWN:
            render.problems(console, label, [f"{left:,} more lines; --format json lists all"] * (left > 0))
    render.say(console, contested.sentence(result), "bold")


def _question(question: Question, console: Console) -> None:
    times = len(question.logged.lines)
    asked = f", asked {counted(times, 'time')}" if times > 1 else ""
    title = f"{contested.TITLE[question.standing].lower()}: {printable(question.logged.question)}"
    render.say(console, f"{title}  ({contested.where(question)}{asked})", "bold")
    for contest in question.new:
        beside = "" if contest.bears or question.standing is Standing.BESIDE else "beside the question"
        note = " · ".join(filter(None, (beside, contested.taken(contest), render.preference(contest.finding))))
        render.finding(console, contest.finding, render.place_of, note)
    render.problems(console, "  not checked", (f"{u.subject}: {u.reason}" for u in question.unverified))


def _lines(stream: BinaryIO, name: str) -> list[bytes]:
    content = stream.read(MAX_LOG_BYTES + 1)
    if len(content) > MAX_LOG_BYTES:
        raise InputError(f"{name}: larger than {MAX_LOG_BYTES // 1_000_000} MB; split the log")
    return content.splitlines(keepends=True)
