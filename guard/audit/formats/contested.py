"""A replay of logged questions in JSON, JSON Lines and Markdown; that for a terminal is in `guard.cli.queries`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from guard.audit.contested import Contest, Question, Replay, Standing
from guard.audit.wording import TITLES, counted, printable

from . import data, markdown

VERSION = 1  # of the JSON form
TITLE = {
    Standing.CONTESTED: "Contested",
    Standing.BESIDE: "A conflict beside the question",
    Standing.UNVERIFIED: "Not all checked",
}


def as_json(replay: Replay) -> str:
    """Return one indented JSON object: counts, the questions in the order of the log, and what contests most."""
    document = {
        "version": VERSION,
        "log": replay.name,
        "summary": summary(replay),
        "questions": [question(each) for each in replay.questions],
        "conflicts": [
            {"id": found.id, "questions": [q.logged.lines[0] for q in contested],
             "asked": sum(len(q.logged.lines) for q in contested)}
            for found, contested in replay.conflicts()
        ],
        "warnings": list(replay.warnings),
        "errors": list(replay.errors),
    }  # fmt: skip
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_jsonl(replay: Replay) -> str:
    """Return a line for each question and problem, and one for the summary."""
    lines = [{"kind": "question", **question(each)} for each in replay.questions]
    lines += [{"kind": "warning", "message": message} for message in replay.warnings]
    lines += [{"kind": "error", "message": message} for message in replay.errors]
    lines += [{"kind": "summary", "version": VERSION, **summary(replay)}]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def summary(replay: Replay) -> dict[str, Any]:
    """Return how many questions stand how, and how often they were asked."""
    counts = {
        standing.value: {"questions": len(replay.standing(standing)), "asked": replay.asked(standing)}
        for standing in Standing
    }
    return {"questions": len(replay.questions), "asked": replay.asked(), **counts, "errors": len(replay.errors)}


def question(asked: Question) -> dict[str, Any]:
    """Return a question as plain types."""
    logged = asked.logged
    return {
        "line": logged.lines[0],
        "lines": list(logged.lines),
        "id": logged.id,
        "question": logged.question,
        "status": asked.standing.value,
        "passages": len(logged.passages),
        "conflicts": [
            {**data.finding(c.finding), "bears_on_question": c.bears, "answers": dict(c.sides)} for c in asked.contests
        ],
        "unverified": [asdict(u) for u in asked.unverified],
    }


def as_markdown(replay: Replay) -> str:
    """Return the report as paragraphs with a blank line between."""
    return "\n\n".join(_parts(replay)) + "\n"


def sentence(replay: Replay) -> str:
    """Return "5 questions asked 7 times: 2 contested (asked 4 times), 3 consistent (3)"."""
    asked = f" asked {counted(replay.asked(), 'time')}" if replay.asked() > len(replay.questions) else ""
    said = {
        Standing.CONTESTED: "contested", Standing.BESIDE: "with a conflict beside the question",
        Standing.UNVERIFIED: "not all checked", Standing.CONSISTENT: "consistent",
    }  # fmt: skip
    parts = []
    for standing, words in said.items():
        if n := len(replay.standing(standing)):
            times = replay.asked(standing)
            parts.append(f"{n:,} {words}" + (f" (asked {counted(times, 'time')})" if times > n else ""))
    unread = f"; {counted(len(replay.errors), 'line')} not read" if replay.errors else ""
    return f"{counted(len(replay.questions), 'question')}{asked}: {', '.join(parts)}{unread}"


def where(asked: Question) -> str:
    """Return "line 3", or "lines 3, 8 and 12 more"."""
    lines = asked.logged.lines
    first = ", ".join(map(str, lines[:3])) + (f" and {len(lines) - 3:,} more" if len(lines) > 3 else "")
    return f"line{'s' * (len(lines) > 1)} {first}"


def taken(contest: Contest) -> str:
    """Return which side the logged answers take, where they take one."""
    paths = {"a": contest.finding.a.path, "b": contest.finding.b.path}
    said = [f"{n:,} as {printable(paths[side])}" for side, n in contest.sides.items()]
    return f"answers given: {', '.join(said)}" if said else ""


def _parts(replay: Replay) -> Iterator[str]:
    yield "# Contested questions"
    yield markdown.escaped(sentence(replay)) + "."
    for standing, title in TITLE.items():
        questions = replay.standing(standing)
        if questions:
            yield f"## {title}"
        for each in questions:
            yield from _question(each)
    conflicts = [(found, asked) for found, asked in replay.conflicts() if len(asked) > 1]
    if conflicts:
        yield "## What contests most questions"
        yield "\n".join(
            f"- {counted(len(asked), 'question')}: {TITLES[found.type]}, "
            f"{markdown.escaped(' against '.join(found.paths))} ({found.id})"
            for found, asked in conflicts
        )
    yield from markdown.listed("Not read", replay.errors)
    yield from markdown.listed("Warnings", replay.warnings)


def _question(asked: Question) -> Iterator[str]:
    times = f", asked {counted(len(asked.logged.lines), 'time')}" if len(asked.logged.lines) > 1 else ""
    yield f"### {markdown.escaped(asked.logged.question)}"
    yield f"{where(asked).capitalize()}{times}."
    for contest in asked.new:
        yield from markdown.finding(contest.finding)
        if said := taken(contest):
            yield f"{markdown.escaped(said)}."
    yield from markdown.listed("", (f"Not checked: {u.subject}: {u.reason}" for u in asked.unverified))
