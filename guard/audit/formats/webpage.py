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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from guard import __version__
from guard.audit.findings import Finding, LookAlike, Quote, Severity, State
from guard.audit.report import Report
from guard.audit.wording import TITLES, Range, counted, differing, pieces, printable

MAX_MAPPED = 12  # documents in the map: those with the most findings
SHADES = 4
BAR_ROW, BAR_LABEL, BAR_WIDTH, BAR_END = 30, 220, 280, 40  # of the chart, in its own units

MEANING = {
    Severity.ERROR: "almost surely a contradiction",
    Severity.WARNING: "probably a contradiction",
    Severity.NOTE: "worth a look",
}


def render(report: Report) -> str:
    """Return the page."""
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
        "<title>Contradictions in your documents</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *_body(report),
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding with the name of its place on the page and the numbers of its documents."""

    finding: Finding
    anchor: str
    documents: tuple[int, ...]


def _body(report: Report) -> Iterator[str]:
    numbers = {document.path: n for n, document in enumerate(report.documents)}
    shown = [
        Shown(found, f"f-{name}", tuple(sorted({numbers[quote.path] for quote in (found.a, found.b)})))
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
    yield from _problems(report)
    for state, title in ((State.ACCEPTED, "Accepted in the baseline"), (State.SUPPRESSED, "Suppressed in a document")):
        quiet = [_article(each) for each in shown if each.finding.state is state]
        yield from _folded(title, quiet)
    yield from _folded("Looks contradictory, and is not", [_look_alike(pair) for pair in report.look_alikes])
    yield "</main>"
    yield f"<footer>PassageGuard {_escaped(__version__)}. A score is the estimated chance that both quotes cannot be "
    yield "true; whether they are is for you to judge.</footer>"


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
    for state in (State.ACCEPTED, State.SUPPRESSED):
        if n := len(report.in_state(state)):
            yield f'<li class="quiet"><b>{n:,}</b> {state}<small>dealt with before, listed below</small></li>'
    yield "</ul>"
    yield '<div class="figures">'
    yield from _bars(new)
    yield from _map(report, new)
    yield "</div>"
    yield "</section>"


def _bars(new: Sequence[Shown]) -> Iterator[str]:
    """A bar for each type, in pieces by severity."""
    counts = Counter((each.finding.type, each.finding.severity) for each in new)
    totals = Counter(each.finding.type for each in new)
    types = sorted(totals, key=lambda type: (-totals[type], list(TITLES).index(type)))
    unit = BAR_WIDTH / max(totals.values())
    width, height = BAR_LABEL + BAR_WIDTH + BAR_END, BAR_ROW * len(types)
    label = "; ".join(f"{TITLES[type]}: {totals[type]}" for type in types)
    yield "<figure><figcaption>What differs</figcaption>"
    yield f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_escaped(label)}">'
    for row, type in enumerate(types):
        x, y = float(BAR_LABEL), row * BAR_ROW
        yield f'<text x="{BAR_LABEL - 10}" y="{y + 20}" text-anchor="end">{_escaped(TITLES[type])}</text>'
        for severity in Severity:
            if n := counts[type, severity]:
                size = f'width="{n * unit:.1f}" height="{BAR_ROW - 10}"'
                yield f'<rect class="{severity}" x="{x:.1f}" y="{y + 5}" {size}>'
                yield f"<title>{n} {severity}</title></rect>"
                x += n * unit
        yield f'<text class="count" x="{x + 8:.1f}" y="{y + 20}">{totals[type]}</text>'
    yield "</svg></figure>"


def _map(report: Report, new: Sequence[Shown]) -> Iterator[str]:
    """A triangle of documents against documents, darker where more findings lie between them."""
    pairs = Counter(each.documents for each in new)
    weight = Counter(n for each in new for n in each.documents)
    numbers = sorted(weight, key=lambda n: (-weight[n], n))[:MAX_MAPPED]
    most = max(SHADES, *pairs.values())
    rest = len(weight) - len(numbers)
    more = f" (the {len(numbers)} with the most findings; {rest} more not shown)" if rest else ""
    yield f'<figure class="map"><figcaption>Which documents disagree{more}</figcaption><table>'
    yield (
        "<thead><tr><td></td>"
        + "".join(f'<th scope="col">{k}</th>' for k, _ in enumerate(numbers, 1))
        + "</tr></thead>"
    )
    yield "<tbody>"
    for row, n in enumerate(numbers, 1):
        path = report.documents[n].path
        cells = "".join(_cell(report, tuple(sorted({n, m})), pairs, most) for m in numbers[:row])
        label = f"<span>{_escaped(path.rpartition('/')[2])}</span> {row}"
        yield f'<tr><th scope="row" title="{_escaped(path)}">{label}</th>{cells}</tr>'
    yield "</tbody></table></figure>"


def _cell(report: Report, pair: tuple[int, ...], pairs: Counter[tuple[int, ...]], most: int) -> str:
    n = pairs[pair]
    if not n:
        return "<td></td>"
    where = " and ".join(report.documents[number].path for number in pair)
    label = f"{counted(n, 'finding')} {'between' if len(pair) > 1 else 'within'} {where}"
    shade = max(1, -(-n * SHADES // most))
    key = " ".join(map(str, pair))
    label = f'aria-label="{_escaped(label)}" title="{_escaped(label)}"'
    return f'<td><button type="button" class="shade{shade}" data-pair="{key}" {label}>{n}</button></td>'


def _filters(report: Report, new: Sequence[Shown]) -> Iterator[str]:
    severities = [(s.value, s.value.capitalize()) for s in Severity if any(e.finding.severity is s for e in new)]
    types = [(t.value, title) for t, title in TITLES.items() if any(e.finding.type is t for e in new)]
    involved = sorted({n for each in new for n in each.documents})
    documents = [(str(n), report.documents[n].path) for n in involved]
    yield '<form id="filters" role="search" aria-label="Filter the findings" hidden>'
    yield '<label>Search <input type="search" id="words" placeholder="words (press /)" autocomplete="off"></label>'
    yield from _select("severity", "Severity", severities)
    yield from _select("type", "What differs", types)
    yield from _select("document", "Document", documents)
    yield '<button type="reset">Show all</button>'
    yield f'<output id="shown" aria-live="polite">{counted(len(new), "finding")}</output>'
    yield "</form>"


def _select(name: str, label: str, options: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f'<label>{label} <select id="{name}"><option value="">all</option>'
    yield from (f'<option value="{_escaped(value)}">{_escaped(text)}</option>' for value, text in options)
    yield "</select></label>"


def _article(shown: Shown) -> str:
    found = shown.finding
    texts = [printable(quote.text) for quote in (found.a, found.b)]
    better = found.preferred.side if found.preferred else ""
    parts = [
        f'<article id="{shown.anchor}" class="{found.severity}" data-severity="{found.severity}" '
        f'data-type="{found.type}" data-documents="{" ".join(map(str, shown.documents))}">',
        f'<h2><span class="badge">{found.severity}</span> {TITLES[found.type]}'
        f'<a class="id" href="#{shown.anchor}" title="Link to this finding">{found.id}</a></h2>',
        f'<p class="why">{_escaped(found.explanation)} <span class="score">score {found.score:.2f}</span></p>',
        '<div class="sides">',
        _quote(found.a, texts[0], differing(*texts)[0], better == "a"),
        _quote(found.b, texts[1], differing(*texts)[1], better == "b"),
        "</div>",
    ]
    if found.given:
        parts += ['<p class="given">given that</p>', _quote(found.given, printable(found.given.text), [])]
    if found.preferred:
        side = found.a if better == "a" else found.b
        parts.append(f'<p class="prefer">Prefer {_escaped(side.path)}: {_escaped(found.preferred.reason)}.</p>')
    if found.state is State.NEW:
        parts.append(f'<p class="action">{_escaped(found.action)}</p>')
    else:
        parts.append(f'<p class="action">{found.state.capitalize()}: {_escaped(found.state_reason)}</p>')
    return "\n".join([*parts, "</article>"])


def _quote(quote: Quote, text: str, marks: Sequence[Range], is_preferred: bool = False) -> str:
    marked = "".join(
        f"<mark>{html.escape(piece)}</mark>" if is_marked else html.escape(piece)
        for piece, is_marked in pieces(text, marks)
    )
    heading = f'<span class="heading">{_escaped(quote.heading)}</span>' if quote.heading else ""
    tag = '<span class="preferred">preferred</span>' if is_preferred else ""
    return (
        f"<figure><figcaption><cite>{_escaped(quote.place)}</cite>{tag}{heading}</figcaption>"
        f"<blockquote>{marked}</blockquote></figure>"
    )


def _look_alike(pair: LookAlike) -> str:
    texts = [printable(quote.text) for quote in (pair.a, pair.b)]
    quotes = "".join(map(_quote, (pair.a, pair.b), texts, differing(*texts)))
    reason = _escaped(pair.why_not.value.replace("_", " "))
    return f'<article class="quiet"><p class="why">{reason}</p><div class="sides">{quotes}</div></article>'


def _problems(report: Report) -> Iterator[str]:
    lists = (
        ("Could not be read", report.errors),
        ("Could not be checked", [f"{u.subject}: {u.reason}" for u in report.unverified]),
        ("Warnings", report.warnings),
    )
    if any(messages for _, messages in lists):
        yield '<section id="problems" aria-label="Problems">'
        for title, messages in lists:
            if messages:
                yield f"<h2>{title}</h2><ul>"
                yield from (f"<li>{_escaped(message)}</li>" for message in messages)
                yield "</ul>"
        yield "</section>"


def _folded(title: str, articles: Sequence[str]) -> Iterator[str]:
    if articles:
        yield f"<details><summary>{title} ({len(articles):,})</summary>"
        yield from articles
        yield "</details>"


def _escaped(text: str) -> str:
    return html.escape(printable(text))


@cache
def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="ascii")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy calls a text by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
