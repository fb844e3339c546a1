"""The trace of an answer as one self-contained HTML page: token by token, where the context beat the memory.

The answer is running text; each token is shaded by how far the two distributions parted, or by what a chosen passage
did to it, and has a mark that says who decided.  Hover, tap or focus (Tab, arrow keys) shows α, divergence, entropies,
both top tokens and the passages in a panel at the foot.  Without scripts all but the choice of a passage and the arrow
keys works; nothing is loaded from anywhere, and all text is escaped.  Knows nothing about models: what a token id reads
as is passed in.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from .trace import Step

AGREED, CONTEXT, BOOSTED, MEMORY, OTHER = "agreed", "context", "boosted", "memory", "other"
LABELS = {
    AGREED: "both would say this",
    CONTEXT: "the context says this, the memory something else",
    BOOSTED: "the boost decided against the memory",
    MEMORY: "the memory says this, the context something else",
    OTHER: "neither's first choice",
}
STRONGEST = 4  # passages that a token's panel names, where they did at least so much, in nats:
LEAST = 0.01
MARKS = {AGREED: "", CONTEXT: "▲", BOOSTED: "◆", MEMORY: "▼", OTHER: "○"}


def decided_by(step: Step) -> str:
    """Say whose choice a token was: one of the keys of `LABELS`.

    >>> decided_by(Step(7, 0.3, 0.3, 1.0, 0.1, context_top=7, prior_top=4, flipped=False))
    'context'
    >>> decided_by(Step(7, 0.3, 0.3, 1.0, 0.1, context_top=4, prior_top=4, flipped=True))
    'boosted'
    """
    if step.token_id == step.context_top:
        return AGREED if step.token_id == step.prior_top else CONTEXT
    if step.token_id == step.prior_top:
        return MEMORY
    return BOOSTED if step.flipped else OTHER


def page(
    trace: Sequence[Step],
    text_of: Callable[[int], str],
    *,
    question: str,
    answer: str,
    facts: Mapping[str, str],
    passages: Sequence[str] = (),
    log_base: str = "e",
) -> str:
    """Return the page.

    text_of: reads one token id.  facts: stand above the tokens.  passages: the names of those that the steps'
    `attribution` speaks of, or none where it is not to be shown.  log_base: the trace's.
    """
    most = math.log(2) if log_base == "e" else 1.0
    kinds = Counter(map(decided_by, trace))
    legend = "".join(
        f'<li><span class="mark {kind}" aria-hidden="true">{MARKS[kind] or "·"}</span> {escape(label)}'
        f" <b>{kinds[kind]}</b></li>"
        for kind, label in LABELS.items()
        if kinds[kind]
    )
    return _PAGE.format(
        title=escape(f"Trace: {question}"), question=escape(question), answer=escape(answer),
        facts="".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()),
        tokens="".join(_token(number, step, text_of, most, passages) for number, step in enumerate(trace, 1)),
        legend=legend, passages=_passages(trace, passages) if passages else "", style=_STYLE, script=_SCRIPT,
        unit="nats" if log_base == "e" else "bits",
    )  # fmt: skip


def _token(number: int, step: Step, text_of: Callable[[int], str], most: float, passages: Sequence[str]) -> str:
    """Return one token with its panel; its shade is the share of the greatest possible divergence."""
    kind = decided_by(step)
    shade = round(100 * min(1.0, step.jsd / most))
    rows = (
        ("token", _shown(text_of(step.token_id))),
        ("decided", LABELS[kind]),
        ("α", f"{step.alpha:.3f}"),
        ("divergence", f"{step.jsd:.3f}"),
        ("context would say", f"{_shown(text_of(step.context_top))}  (entropy {step.context_entropy:.2f})"),
        ("memory would say", f"{_shown(text_of(step.prior_top))}  (entropy {step.prior_entropy:.2f})"),
        *_strongest(step, passages),
    )
    said = "; ".join(f"{name}: {value}" for name, value in rows)
    tip = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    nats = f' data-nats="{" ".join(f"{x:.3f}" for x in step.attribution)}"' if passages else ""
    mark = f'<sup class="mark {kind}" aria-hidden="true">{MARKS[kind]}</sup>' if MARKS[kind] else ""
    before, text, after = _running(text_of(step.token_id))
    return (
        f'{before}<span class="token {kind}" tabindex="{0 if number == 1 else -1}" role="listitem" '
        f'style="--shade:{shade}%"{nats} aria-label="{escape(said)}"><span aria-hidden="true">{escape(text)}</span>'
        f'{mark}<dl class="tip" aria-hidden="true">{tip}</dl></span>{after}'
    )


def _strongest(step: Step, passages: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the passages that did most to a token, with how much."""
    by_passage = sorted(zip(passages, step.attribution, strict=False), key=lambda one: -abs(one[1]))
    for name, nats in by_passage[:STRONGEST]:
        if abs(nats) >= LEAST:
            yield f"{nats:+.2f} nats", f"by {name}"


def _passages(trace: Sequence[Step], passages: Sequence[str]) -> str:
    """Return the choice of what to shade by: the divergence, or one passage, each with what it did to the answer."""
    sums = [sum(step.attribution[place] for step in trace) for place in range(len(passages))]
    most = max((abs(nats) for nats in sums), default=0.0) or 1.0
    choices = "".join(
        f'<label><input type="radio" name="shade" value="{place}"><span class="name">{escape(name)}</span>'
        f'<span class="bar {"for" if nats >= 0 else "against"}" style="--long:{round(100 * abs(nats) / most)}%"></span>'
        f'<span class="nats">{round(nats, 2) + 0.0:+.2f}</span></label>'
        for place, (name, nats) in enumerate(zip(passages, sums, strict=True))
    )
    return _PASSAGES.format(choices=choices)


def _shown(text: str) -> str:
    """Return a token's text with its spaces and breaks made visible."""
    return text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"


def _running(text: str) -> tuple[str, str, str]:
    """Return a token as it stands in the answer: the space before it, what there is to see, and its line breaks."""
    if not text.strip():
        return "", _shown(text), "\n" * text.count("\n")
    text = text.replace("\t", " ")
    ink = text.strip(" \n")
    before, _, after = text.partition(ink)
    return before, ink, after


_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1f24; --soft: #59636e; --line: #d0d7de;
  --parted: #e8a33d; --for: #3fa06b; --against: #d9695f; --context: #0b6bcb; --boosted: #8a3ffc; --memory: #b3261e;
  --card: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f1319; --ink: #e6edf3; --soft: #9aa5b1; --line: #30363d;
  --parted: #a86a12; --for: #23774a; --against: #a33d34; --context: #6cb6ff; --boosted: #c49bff; --memory: #ff8f85;
  --card: #1a2028; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 2rem 1.25rem 18rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .75rem; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
.answer { margin: 0 0 1.25rem; padding: .6rem .9rem; max-height: 9.1rem; overflow: auto; white-space: pre-wrap;
  border-left: 4px solid var(--context); background: var(--card); border-radius: .25rem; font-size: 1.1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; font-size: .925rem; }
dt { color: var(--soft); } dd { margin: 0; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; padding: 0; margin: 0 0 .75rem;
  color: var(--soft); font-size: .875rem; }
.legend b { color: var(--ink); }
.scale { display: inline-block; width: 4rem; height: .75rem; border: 1px solid var(--line); vertical-align: -.1rem;
  border-radius: .2rem; background: linear-gradient(to right, var(--ground), var(--parted)); }
.tokens { padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem; white-space: pre-wrap;
  line-height: 2.1; }
.token { --by: var(--parted); padding: .15rem 0; margin-right: 1px; border-radius: .2rem; cursor: default;
  border-bottom: 2px solid transparent; -webkit-box-decoration-break: clone; box-decoration-break: clone;
  background: color-mix(in srgb, var(--by) var(--shade), var(--card)); }
.token.for { --by: var(--for); } .token.against { --by: var(--against); }
.token.context { border-color: var(--context); } .token.boosted { border-color: var(--boosted); }
.token.memory { border-color: var(--memory); } .token.other { border-color: var(--soft); }
.mark { font-size: .65rem; line-height: 1; } .legend .mark { font-size: .8rem; }
.mark.context { color: var(--context); } .mark.boosted { color: var(--boosted); } .mark.memory { color: var(--memory); }
.token:hover, .token:focus { outline: 2px solid var(--ink); outline-offset: 1px; }
.tip { display: none; position: fixed; z-index: 1; left: 0; right: 0; bottom: 0; margin: 0 auto; max-width: 56rem;
  max-height: 50vh; overflow: auto; padding: .9rem 1.25rem; border: 1px solid var(--line); border-bottom: 0;
  border-radius: .75rem .75rem 0 0; background: var(--card); box-shadow: 0 -4px 18px rgb(0 0 0 / .25);
  line-height: 1.45; white-space: normal; pointer-events: none; }
.token:hover .tip, .token:focus .tip { display: grid; }
.tokens:focus-within .token:not(:focus):hover .tip { display: none; }
.hint { color: var(--soft); font-size: .875rem; margin: .5rem 0 0; }
.passages { border: 0; margin: 0; padding: 0; max-height: 20rem; overflow: auto; font-size: .925rem; }
.passages label { display: grid; grid-template-columns: auto minmax(6rem, 2fr) minmax(3rem, 1fr) 4.5rem; gap: .75rem;
  align-items: center; padding: .25rem .1rem; border-bottom: 1px solid var(--line); cursor: pointer; }
.bar::before { content: ""; display: block; height: .75rem; width: max(2px, var(--long)); border-radius: .2rem;
  background: var(--for); }
.bar.against::before { background: var(--against); }
.nats { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .35rem; }
  .tip { grid-template-columns: max-content 1fr; gap: .1rem .75rem; font-size: .85rem; } .tip dd { margin: 0; }
  .tip dt { max-width: 9rem; } .passages label { grid-template-columns: auto 1fr 4rem; } .bar { display: none; } }
@media print { body { padding-bottom: 0; } .answer, .passages { max-height: none; } .hint { display: none; } }
"""
_SCRIPT = """
const tokens = [...document.querySelectorAll('.token')];
const go = n => { if (n < 0 || n >= tokens.length) return; tokens.forEach(t => t.tabIndex = -1);
  tokens[n].tabIndex = 0; tokens[n].focus(); };
tokens.forEach((t, n) => t.addEventListener('keydown', e => {
  const to = {ArrowRight: n + 1, ArrowLeft: n - 1, Home: 0, End: tokens.length - 1}[e.key];
  if (to !== undefined) { e.preventDefault(); go(to); } else if (e.key === 'Escape') t.blur(); }));
const parted = tokens.map(t => t.style.getPropertyValue('--shade'));
const nats = tokens.map(t => (t.dataset.nats || '').split(' ').map(Number));
const most = Math.max(1e-9, ...nats.flat().map(Math.abs));
const shade = by => tokens.forEach((t, n) => {
  t.style.setProperty('--shade', by < 0 ? parted[n] : `${Math.round(100 * Math.abs(nats[n][by]) / most)}%`);
  t.classList.toggle('for', by >= 0 && nats[n][by] >= 0); t.classList.toggle('against', by >= 0 && nats[n][by] < 0); });
document.querySelectorAll('input[name=shade]').forEach(i => i.addEventListener('change', () => shade(Number(i.value))));
"""
_PASSAGES = """
<h2>What each passage did</h2>
<fieldset class="passages"><legend class="hint">What it added to the log-probability of the answer, in nats: above 0 it
spoke for the answer, below 0 against it. Choose one to shade the tokens by it.</legend>
<label><input type="radio" name="shade" value="-1" checked><span class="name">none: shade by how far context and
memory part</span></label>{choices}</fieldset>"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{question}</h1>
<div class="answer" tabindex="0" role="region" aria-label="Answer">{answer}</div>
<dl>{facts}</dl>
<h2>Token by token</h2>
<ul class="legend">
<li><span class="scale" aria-hidden="true"></span> how far context and memory part, 0 to the most possible ({unit})</li>
{legend}
</ul>
<div class="tokens" role="list" aria-label="Tokens of the answer; arrow keys go from one to the next">{tokens}</div>
<p class="hint">Point at a token, tap it, or go with Tab and the arrow keys, to see how it was chosen.</p>
{passages}
</main>
<script>{script}</script>
</body>
</html>
"""
