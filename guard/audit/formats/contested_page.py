"""A replay of logged questions as one HTML file: which answers depend on a conflict, with both sides of it.

The page is that of `webpage`: offline, escaped, in print, by keyboard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.audit.contested import Question, Replay, Standing
from guard.audit.findings import Severity
from guard.audit.wording import TITLES, counted

from .contested import TITLE, sentence, taken, where
from .webpage import escaped, evidence, filters, folded, page, problems

MEANING = {
    Standing.CONTESTED: "the answer depends on a conflict",
    Standing.BESIDE: "a conflict, but about something else",
    Standing.UNVERIFIED: "no conflict found, and not all checked",
    Standing.CONSISTENT: "no conflict in what was retrieved",
}
TONE = {Standing.CONTESTED: Severity.ERROR, Standing.BESIDE: Severity.NOTE}


def render(replay: Replay) -> str:
    """Return the page."""
    return page("Contested questions", _body(replay))


def _body(replay: Replay) -> Iterator[str]:
    shown = [question for standing in TITLE for question in replay.standing(standing)]
    yield '<a class="skip" href="#findings">Skip to the questions</a>'
    yield f"<header><h1>Contested questions</h1><p>{escaped(replay.name)}: {escaped(sentence(replay))}.</p>"
    if not replay.asked(Standing.CONTESTED):
        yield '<p class="calm">No question is contested' + ("." if replay.is_complete else ", but not all was checked.")
        yield "</p>"
    if not replay.is_complete:
        yield '<p class="alarm"><a href="#problems">Not everything was read and checked</a></p>'
    yield "</header><main>"
    yield '<section class="overview" aria-label="Overview"><ul class="tiles">'
    for standing, meaning in MEANING.items():
        if n := len(replay.standing(standing)):
            yield f'<li class="{TONE.get(standing, "quiet")}"><b>{n:,}</b> {counted(n, "question").partition(" ")[2]}'
            yield f"<small>{meaning}</small></li>"
    yield "</ul></section>"
    yield from _conflicts(replay)
    if shown:
        yield from _filters(shown)
    yield '<section id="findings" aria-label="Questions">'
    yield from map(_article, shown)
    yield '<p id="nothing" class="quiet" hidden>No question fits these filters.</p></section>'
    unverified = [
        f"{replay.name}: {where(question)}: {u.subject}: {u.reason}" for question in shown for u in question.unverified
    ]
    yield from problems(replay.errors, unverified, replay.warnings)
    yield from folded("Consistent", [_article(question) for question in replay.standing(Standing.CONSISTENT)])
    yield "</main>"


def _conflicts(replay: Replay) -> Iterator[str]:
    """Yield the conflicts that contest several questions, with links to these."""
    weighty = [(found, asked) for found, asked in replay.conflicts() if len(asked) > 1]
    if weighty:
        yield '<section aria-label="What contests most questions"><h2>What contests most questions</h2><ul>'
        for found, asked in weighty:
            places = escaped(" against ".join(found.paths))
            links = ", ".join(f'<a href="#{_anchor(q)}">{escaped(q.logged.question)}</a>' for q in asked)
            yield f"<li>{counted(len(asked), 'question')}: {TITLES[found.type]}, {places}: {links}</li>"
        yield "</ul></section>"


def _filters(shown: Sequence[Question]) -> Iterator[str]:
    standings = [(s.value, title) for s, title in TITLE.items() if any(q.standing is s for q in shown)]
    found = {c.finding.type for q in shown for c in q.new}
    types = [(t.value, title) for t, title in TITLES.items() if t in found]
    return filters("question", len(shown), {"standing": ("Standing", standings), "type": ("What differs", types)})


def _article(question: Question) -> str:
    standing, types = question.standing, sorted({c.finding.type.value for c in question.new})
    times = len(question.logged.lines)
    asked = f"{where(question)}, asked {counted(times, 'time')}" if times > 1 else where(question)
    parts = [
        f'<article id="{_anchor(question)}" class="{TONE.get(standing, "")}" data-standing="{standing}" '
        f'data-type="{" ".join(types)}">',
        f'<h2><span class="badge">{standing}</span> {escaped(question.logged.question)}'
        f'<a class="id" href="#{_anchor(question)}" title="Link to this question">{asked}</a></h2>',
    ]
    for contest in question.new:
        parts += evidence(contest.finding)
        if said := taken(contest):
            parts.append(f'<p class="state">{escaped(said)}</p>')
    parts += [f'<p class="state">Not checked: {escaped(f"{u.subject}: {u.reason}")}</p>' for u in question.unverified]
    return "\n".join([*parts, "</article>"])


def _anchor(question: Question) -> str:
    return f"q-{question.logged.lines[0]}"
