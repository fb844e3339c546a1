"""The trace of an answer as one self-contained HTML page: token by token, where the context beat the memory.

Each token is a box, shaded by how far the two distributions parted, with a mark that says who decided; hover or focus
(Tab, arrow keys) shows α, divergence, entropies and both top tokens.  No script or style is loaded from anywhere, and
all text is escaped.  Knows nothing about models: what a token id reads as is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
    log_base: str = "e",
) -> str:
    """Return the page.  ``text_of`` reads one token id; ``facts`` stand above the tokens; log_base: the trace's."""
    most = math.log(2) if log_base == "e" else 1.0
    tokens = "\n".join(_token(number, step, text_of, most) for number, step in enumerate(trace, 1))
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    legend = "".join(
        f'<li><span class="mark {kind}" aria-hidden="true">{MARKS[kind] or "·"}</span>{escape(label)}</li>'
        for kind, label in LABELS.items()
    )
    return _PAGE.format(
        title=escape(f"Trace: {question}"), question=escape(question), answer=escape(answer), facts=rows,
        tokens=tokens, legend=legend, style=_STYLE, script=_SCRIPT, unit="nats" if log_base == "e" else "bits",
    )  # fmt: skip


def _token(number: int, step: Step, text_of: Callable[[int], str], most: float) -> str:
    """Return one box; its shade is the share of the greatest possible divergence."""
    kind = decided_by(step)
    shade = round(100 * min(1.0, step.jsd / most))
    rows = (
        ("token", _shown(text_of(step.token_id))),
        ("decided", LABELS[kind]),
        ("α", f"{step.alpha:.3f}"),
        ("divergence", f"{step.jsd:.3f}"),
        ("context would say", f"{_shown(text_of(step.context_top))}  (entropy {step.context_entropy:.2f})"),
        ("memory would say", f"{_shown(text_of(step.prior_top))}  (entropy {step.prior_entropy:.2f})"),
    )
    said = "; ".join(f"{name}: {value}" for name, value in rows)
    tip = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return (
        f'<span class="token {kind}" tabindex="{0 if number == 1 else -1}" role="listitem" style="--shade:{shade}%" '
        f'aria-label="{escape(said)}"><span class="text" aria-hidden="true">{escape(_shown(text_of(step.token_id)))}'
        f'</span><span class="mark {kind}" aria-hidden="true">{MARKS[kind]}</span>'
        f'<dl class="tip" aria-hidden="true">{tip}</dl></span>'
    )


def _shown(text: str) -> str:
    """Return a token's text with its spaces and breaks made visible."""
    return text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"


_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1f24; --soft: #59636e; --line: #d0d7de;
  --shade-ink: #e8a33d; --context: #0b6bcb; --boosted: #8a3ffc; --memory: #b3261e; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f1319; --ink: #e6edf3; --soft: #9aa5b1; --line: #30363d;
  --shade-ink: #a86a12; --context: #6cb6ff; --boosted: #c49bff; --memory: #ff8f85; --card: #1a2028; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 16rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; }
.answer { font-size: 1.1rem; margin: 0 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .9rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.tokens { display: flex; flex-wrap: wrap; gap: .35rem; margin: 1.25rem 0; }
.token { position: relative; display: inline-flex; flex-direction: column; align-items: center; min-width: 1.6rem;
  padding: .25rem .4rem; border: 1px solid var(--line); border-radius: .4rem; cursor: default;
  background: color-mix(in srgb, var(--shade-ink) var(--shade), var(--ground)); }
.token .text { font-family: ui-monospace, monospace; white-space: pre; }
.token.context { border-color: var(--context); } .token.boosted { border-color: var(--boosted); border-width: 2px; }
.token.memory { border-color: var(--memory); }
.mark { font-size: .8rem; line-height: 1; min-height: .8rem; }
.token .mark { background: var(--ground); border-radius: .3rem; padding: 0 .2rem; }
.mark.context { color: var(--context); } .mark.boosted { color: var(--boosted); } .mark.memory { color: var(--memory); }
.token:focus-visible { outline: 3px solid var(--context); outline-offset: 2px; }
.tip { display: none; position: absolute; z-index: 1; top: calc(100% + .4rem); left: 0; width: max-content;
  max-width: min(24rem, 80vw); padding: .6rem .8rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); box-shadow: 0 4px 14px rgb(0 0 0 / .25); font-size: .875rem; }
.token:hover .tip, .token:focus .tip { display: grid; }
.tokens:focus-within .token:not(:focus):hover .tip { display: none; }
.legend { list-style: none; padding: 0; margin: 0; display: grid; gap: .15rem; color: var(--soft); font-size: .9rem; }
.legend .mark { display: inline-block; width: 1.4rem; text-align: center; }
.scale { display: inline-block; width: 6rem; height: .7rem; border: 1px solid var(--line); vertical-align: middle;
  background: linear-gradient(to right, var(--ground), var(--shade-ink)); }
"""
_SCRIPT = """
const tokens = [...document.querySelectorAll('.token')];
const go = n => { if (n < 0 || n >= tokens.length) return; tokens.forEach(t => t.tabIndex = -1);
  tokens[n].tabIndex = 0; tokens[n].focus(); };
const keep = t => { const tip = t.querySelector('.tip'); tip.style.left = '0';
  const over = tip.getBoundingClientRect().right - document.documentElement.clientWidth + 8;
  if (over > 0) tip.style.left = `${-over}px`; };
tokens.forEach((t, n) => {
  t.addEventListener('focus', () => keep(t)); t.addEventListener('mouseenter', () => keep(t));
  t.addEventListener('keydown', e => {
    const to = {ArrowRight: n + 1, ArrowLeft: n - 1, Home: 0, End: tokens.length - 1}[e.key];
    if (to !== undefined) { e.preventDefault(); go(to); } else if (e.key === 'Escape') t.blur(); });
});
"""
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
<p class="answer">{answer}</p>
<dl>{facts}</dl>
<div class="tokens" role="list" aria-label="Tokens of the answer; arrow keys go from one to the next">
{tokens}
</div>
<ul class="legend">
<li><span class="scale" aria-hidden="true"></span> how far context and memory part, 0 to the most possible ({unit})</li>
{legend}
</ul>
</main>
<script>{script}</script>
</body>
</html>
"""
