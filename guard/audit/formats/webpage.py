"""One HTML file for people who do not program: what clashes, where, and what to do; offline, in print, by keyboard.

Everything that documents say is escaped, and the page's own policy (Content-Security-Policy) allows no script, style or
request but the two that stand in it, so that a passage that holds markup stays text twice over.  Without JavaScript the
report is complete and only the filters are missing.  ``report.css`` and ``report.js`` beside this module are ASCII.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from guard import __version__
from guard.audit.findings import Finding, LookAlike, Quote, Severity, State
from guard.audit.report import Report
from guard.audit.wording import TITLES, Range, counted, differing, pieces, printable

MAX_MAPPED = 12  # documents in the map: those of the pairs with the most findings
SHADES = 4
MAX_SHOWN = 4  # quotes of a finding that are not folded away
BAR_ROW, BAR_LABEL, BAR_WIDTH, BAR_END = 30, 220, 270, 60  # of a chart, in its own units

MEANING = {
    Severity.ERROR: "almost surely a contradiction",
    Severity.WARNING: "probably a contradiction",
    Severity.NOTE: "worth a look",
}
DEALT_WITH = {
    State.ACCEPTED: "Accepted in the baseline",
    State.SUPPRESSED: "Suppressed in a document",
    State.DISMISSED: "Dismissed in review",
}


def render(report: Report) -> str:
    """Return the page."""
    return page("Contradictions in your documents", _body(report))


def page(title: str, body: Iterable[str]) -> str:
    """Return a page with the style and the script that all reports share."""
    style, script = _resource("report.css"), _resource("report.js")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    policy += "; form-action 'none'"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *body,
        f"<footer>PassageGuard {escaped(__version__)}. A score is the estimated chance that both quotes cannot be "
        "true; whether they are is for you to judge.</footer>",
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding with the name of its place on the page and the pairs of documents it lies between, as numbers."""

    finding: Finding
    anchor: str
    pairs: frozenset[tuple[int, int]]


def _body(report: Report) -> Iterator[str]:
    numbers = {document.path: n for n, document in enumerate(report.documents)}
    shown = [
        Shown(found, f"f-{name}", frozenset(_ordered(numbers[p.a.path], numbers[p.b.path]) for p in found.pairs))
        for found, name in zip(report.findings, report.unique_ids(), strict=True)
    ]
    new = [each for each in shown if each.finding.state is State.NEW]
    yield '<a class="skip" href="#findings">Skip to the findings</a>'
    yield from _head(report)
    yield "<main>"
    if new:
        yield from _overview(report, new)
        yield from _filters(report, new)
    yield '<section id="findings" aria-label="Findings">'
    yield from (_article(each) for each in new)
    yield '<p id="nothing" class="quiet" hidden>No finding fits these filters.</p>'
    yield "</section>"
    yield from problems(report.errors, [f"{u.subject}: {u.reason}" for u in report.unverified], report.warnings)
    for state, title in DEALT_WITH.items():
        quiet = [_article(each) for each in shown if each.finding.state is state]
        yield from folded(title, quiet)
    yield from folded("Looks contradictory, and is not", [_look_alike(pair) for pair in report.look_alikes])
    yield "</main>"


def _head(report: Report) -> Iterator[str]:
    counts = [counted(len(report.documents), "document"), counted(sum(d.passages for d in report.documents), "passage")]
    yield "<header>"
    yield "<h1>Contradictions in your documents</h1>"
    yield f"<p>{', '.join(counts)} read against each other.</p>"
    if not report.new:
        yield '<p class="calm">No new contradiction was found' + (
            ".</p>" if report.is_complete else ", but not everything was checked.</p>"
        )
    if not report.is_complete:
        yield f'<p class="alarm"><a href="#problems">{_missing(report)}</a></p>'
    yield "</header>"


def _missing(report: Report) -> str:
    unread, unchecked = len(report.errors), len(report.unverified)
    said = [f"{counted(unread, 'file')} could not be read"] if unread else []
    said += [f"{counted(unchecked, 'part')} could not be checked"] if unchecked else []
    return " and ".join(said)


def _overview(report: Report, new: Sequence[Shown]) -> Iterator[str]:
    yield '<section class="overview" aria-label="Overview">'
    yield '<ul class="tiles">'
    for severity, n in report.by_severity().items():
        yield f'<li class="{severity}"><b>{n:,}</b> {severity if n == 1 else severity + "s"}'
        yield f"<small>{MEANING[severity]}</small></li>"
    for state in DEALT_WITH:
        if n := len(report.in_state(state)):
            yield f'<li class="quiet"><b>{n:,}</b> {state}<small>dealt with before, listed below</small></li>'
    yield "</ul>"
    yield '<div class="figures">'
    yield "<div>"
    yield from _bars("What differs", _by_type(new))
    yield from _bars("How sure is it? Findings by score", _by_score(new))
    yield "</div>"
    yield from _map(report, new)
    yield "</div>"
    yield "</section>"


Bars = Mapping[str, Counter[Severity]]
"""How many findings of each severity, for each label."""


def _by_type(new: Sequence[Shown]) -> Bars:
    counts = {title: Counter(e.finding.severity for e in new if e.finding.type is t) for t, title in TITLES.items()}
    return {title: n for title, n in sorted(counts.items(), key=lambda item: -item[1].total()) if n}


def _by_score(new: Sequence[Shown]) -> Bars:
    tenths: dict[int, Counter[Severity]] = {}
    for each in new:
        tenths.setdefault(min(9, int(each.finding.score * 10)), Counter())[each.finding.severity] += 1
    rows = range(9, min(tenths) - 1, -1)
    return {f"{n / 10:.1f} to {(n + 1) / 10:.1f}": tenths.get(n, Counter()) for n in rows}


def _bars(caption: str, bars: Bars) -> Iterator[str]:
    """A bar for each label, in pieces by severity."""
    unit = BAR_WIDTH / max(n.total() for n in bars.values())
    label = "; ".join(f"{label}: {n.total()}" for label, n in bars.items())
    yield f"<figure><figcaption>{caption}</figcaption>"
    yield f'<svg viewBox="0 0 {BAR_LABEL + BAR_WIDTH + BAR_END} {BAR_ROW * len(bars)}" role="img" '
    yield f'aria-label="{caption}. {label}">'
    for row, (label, counts) in enumerate(bars.items()):
        x, y = float(BAR_LABEL), row * BAR_ROW
        yield f'<text x="{BAR_LABEL - 10}" y="{y + 20}" text-anchor="end">{label}</text>'
        for severity in Severity:
            if n := counts[severity]:
                size = f'width="{n * unit:.1f}" height="{BAR_ROW - 10}"'
                yield f'<rect class="{severity}" x="{x:.1f}" y="{y + 5}" {size}>'
                yield f"<title>{n} {severity}</title></rect>"
                x += n * unit
        yield f'<text class="count" x="{x + 8:.1f}" y="{y + 20}">{counts.total():,}</text>'
    yield "</svg></figure>"


def _map(report: Report, new: Sequence[Shown]) -> Iterator[str]:
    """A triangle of documents against documents, darker where more findings lie between them."""
    pairs = Counter(pair for each in new for pair in each.pairs)
    numbers: dict[int, None] = {}
    for pair in sorted(pairs, key=lambda pair: (-pairs[pair], pair)):
        if len(numbers.keys() | set(pair)) <= MAX_MAPPED:
            numbers |= dict.fromkeys(pair)
    most = max(SHADES, *pairs.values())
    rest = len(set().union(*map(_documents, new))) - len(numbers)
    yield '<figure class="map"><figcaption>Which documents disagree</figcaption>'
    if rest:
        yield f'<p class="quiet">The pairs with the most findings; {rest:,} more documents are not shown.</p>'
    yield "<table>"
    yield (
        "<thead><tr><td></td>"
        + "".join(f'<th scope="col">{k}</th>' for k, _ in enumerate(numbers, 1))
        + "</tr></thead>"
    )
    yield "<tbody>"
    for row, n in enumerate(numbers, 1):
        path = report.documents[n].path
        cells = "".join(_cell(report, _ordered(n, m), pairs, most) for m in list(numbers)[:row])
        label = f"<span>{escaped(_name(path, (report.documents[m].path for m in numbers)))}</span> {row}"
        yield f'<tr><th scope="row" title="{escaped(path)}">{label}</th>{cells}</tr>'
    yield "</tbody></table></figure>"


def _name(path: str, others: Iterable[str]) -> str:
    """Return the end of a path: the file's name, and as many folders as tell it from others."""
    parts, rest = path.split("/"), [other for other in others if other != path]
    ends = ("/".join(parts[-n:]) for n in range(1, len(parts)))
    return next((end for end in ends if not any(o == end or o.endswith(f"/{end}") for o in rest)), path)


def _cell(report: Report, pair: tuple[int, int], pairs: Counter[tuple[int, int]], most: int) -> str:
    n = pairs[pair]
    if not n:
        return "<td></td>"
    one, other = (report.documents[number].path for number in pair)
    label = f"{counted(n, 'finding')} " + (f"within {one}" if one == other else f"between {one} and {other}")
    shade = max(1, -(-n * SHADES // most))
    label = f'aria-label="{escaped(label)}" title="{escaped(label)}"'
    return f'<td><button type="button" class="shade{shade}" data-pair="{_key(pair)}" {label}>{n}</button></td>'


def _ordered(n: int, m: int) -> tuple[int, int]:
    return min(n, m), max(n, m)


def _key(pair: tuple[int, int]) -> str:
    return f"{pair[0]}-{pair[1]}"


def _documents(shown: Shown) -> set[int]:
    return {n for pair in shown.pairs for n in pair}


def _filters(report: Report, new: Sequence[Shown]) -> Iterator[str]:
    severities = [(s.value, s.value.capitalize()) for s in Severity if any(e.finding.severity is s for e in new)]
    types = [(t.value, title) for t, title in TITLES.items() if any(e.finding.type is t for e in new)]
    involved = sorted(set().union(*map(_documents, new)))
    documents = [(str(n), report.documents[n].path) for n in involved]
    yield from filters(
        "finding", len(new), {"severity": ("Severity", severities), "type": ("What differs", types),
                              "document": ("Document", documents)},
    )  # fmt: skip


def filters(noun: str, n: int, choices: Mapping[str, tuple[str, Sequence[tuple[str, str]]]]) -> Iterator[str]:
    """Yield the form that hides cards, of which there are ``n``.

    A choice hides those whose attribute ``data-NAME`` lacks its value; its label and (value, text) are given by name.
    """
    yield f'<form id="filters" role="search" aria-label="Filter the {noun}s" data-noun="{noun}" hidden>'
    yield '<label>Search <input type="search" id="words" placeholder="words (press /)" autocomplete="off"></label>'
    for name, (label, options) in choices.items():
        yield f'<label>{label} <select id="{name}"><option value="">all</option>'
        yield from (f'<option value="{escaped(value)}">{escaped(text)}</option>' for value, text in options)
        yield "</select></label>"
    yield '<button type="reset">Show all</button>'
    yield f'<output id="shown" aria-live="polite">{counted(n, noun)}</output>'
    yield "</form>"


def _article(shown: Shown) -> str:
    found = shown.finding
    documents, pairs = " ".join(map(str, sorted(_documents(shown)))), " ".join(map(_key, sorted(shown.pairs)))
    parts = [
        f'<article id="{shown.anchor}" class="{found.severity}" data-severity="{found.severity}" '
        f'data-type="{found.type}" data-document="{documents}" data-pairs="{pairs}">',
        f'<h2><span class="badge">{found.severity}</span> {TITLES[found.type]}'
        f'<a class="id" href="#{shown.anchor}" title="Link to this finding">{found.id}</a></h2>',
        *evidence(found),
    ]
    return "\n".join([*parts, "</article>"])


def evidence(found: Finding) -> Iterator[str]:
    """Yield what a finding rests on: why, both sides with their differing words marked, and what to do."""
    texts = [printable(quote.text) for quote in (found.a, found.b)]
    better = found.preferred.side if found.preferred else ""
    yield f'<p class="why">{escaped(found.explanation)} <span class="score">score {found.score:.2f}</span></p>'
    yield '<div class="sides">'
    yield _quote(found.a, texts[0], differing(*texts)[0], better == "a")
    yield _quote(found.b, texts[1], differing(*texts)[1], better == "b")
    yield "</div>"
    yield from _further(found)
    if found.given:
        yield '<p class="given">given that</p>'
        yield _quote(found.given, printable(found.given.text), [])
    if found.preferred:
        side = found.a if better == "a" else found.b
        yield f'<p class="prefer">Prefer {escaped(side.path)}: {escaped(found.preferred.reason)}.</p>'
    if found.state is State.NEW:
        yield f'<p class="action">{escaped(found.action)}</p>'
    if found.state_reason:
        yield f'<p class="state">{escaped(found.state_reason)}</p>'


def _further(found: Finding) -> Iterator[str]:
    """Yield the places that say what the first quote says, and those that contradict it beside the second."""
    if found.repeats:
        places = "".join(f"<li><cite>{escaped(quote.place)}</cite></li>" for quote in found.repeats)
        yield f'<p class="also">The first is also said in</p><ul class="places">{places}</ul>'
    if found.against:
        first, texts = printable(found.a.text), [printable(quote.text) for quote in found.against]
        quotes = [_quote(q, text, differing(first, text)[1]) for q, text in zip(found.against, texts, strict=True)]
        yield f'<p class="also">It clashes with {counted(len(quotes), "more place")}, too</p>'
        yield f'<div class="sides">{"".join(quotes[:MAX_SHOWN])}</div>'
        if rest := quotes[MAX_SHOWN:]:
            yield f"<details><summary>{counted(len(rest), 'place')} more</summary>"
            yield f'<div class="sides">{"".join(rest)}</div></details>'


def _quote(quote: Quote, text: str, marks: Sequence[Range], is_preferred: bool = False) -> str:
    marked = "".join(
        f"<mark>{html.escape(piece)}</mark>" if is_marked else html.escape(piece)
        for piece, is_marked in pieces(text, marks)
    )
    heading = f'<span class="heading">{escaped(quote.heading)}</span>' if quote.heading else ""
    tag = '<span class="preferred">preferred</span>' if is_preferred else ""
    return (
        f"<figure><figcaption><cite>{escaped(quote.place)}</cite>{tag}{heading}</figcaption>"
        f"<blockquote>{_around(quote.before)}{marked}{_around(quote.after)}</blockquote></figure>"
    )


def _around(context: str) -> str:
    """Return what stands beside a quote, with a space at each end that had one."""
    if not (said := printable(context)):
        return " "
    start, end = (" " if context[at].isspace() else "" for at in (0, -1))
    return f'<span class="around">{start}{html.escape(said)}{end}</span>'


def _look_alike(pair: LookAlike) -> str:
    texts = [printable(quote.text) for quote in (pair.a, pair.b)]
    quotes = "".join(map(_quote, (pair.a, pair.b), texts, differing(*texts)))
    reason = escaped(pair.why_not.value.replace("_", " "))
    return f'<article class="quiet"><p class="why">{reason}</p><div class="sides">{quotes}</div></article>'


def problems(errors: Sequence[str], unverified: Sequence[str], warnings: Sequence[str]) -> Iterator[str]:
    """Yield the section of what was not read, not checked, or is worth a word."""
    lists = (("Could not be read", errors), ("Could not be checked", unverified), ("Warnings", warnings))
    if any(messages for _, messages in lists):
        yield '<section id="problems" aria-label="Problems">'
        for title, messages in lists:
            if messages:
                yield f"<h2>{title}</h2><ul>"
                yield from (f"<li>{escaped(message)}</li>" for message in messages)
                yield "</ul>"
        yield "</section>"


def folded(title: str, articles: Sequence[str]) -> Iterator[str]:
    """Yield what a reader opens, with a count."""
    if articles:
        yield f"<details><summary>{title} ({len(articles):,})</summary>"
        yield from articles
        yield "</details>"


def escaped(text: str) -> str:
    """Return text that HTML shows as it is."""
    return html.escape(printable(text))


@cache
def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="ascii")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy calls a text by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
