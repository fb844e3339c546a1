"""``passageguard answer``: a question and passages in, an answer out, or an abstention that names the conflict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detectors.errors import ConfigError, InputError
from guard.audit.wording import printable

from . import options, render
from .check import TEXT_SUFFIXES, read_passages

if TYPE_CHECKING:
    from rich.console import Console

    from decoding import Step
    from guard.answer_model import LanguageModel
    from guard.answering import Answer

EPILOG = "Exit codes: 0 answered, 1 no answer because of a conflict, 2 error."
TRACES = (".html", ".json")
DECODING = "Decoding"
MOST = 3  # tokens that are named for each passage


def answer(
    files: Annotated[
        list[str] | None, typer.Argument(help="Passages as for check: JSON, JSONL, text files, folders, or -.")
    ] = None,
    model: Annotated[str, typer.Option(help="Causal language model: a folder, or a hub name.")] = "",
    question: Annotated[str | None, typer.Option(help='The question; else the file\'s own "question".')] = None,
    formula: Annotated[
        str, typer.Option(help="greedy, cad, adacad, coiecd, ck_plug or cocoa.", rich_help_panel=DECODING)
    ] = "adacad",
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.", rich_help_panel=DECODING)] = 64,
    instructions: Annotated[
        str, typer.Option(help="Stand before the question, with and without passages.", rich_help_panel=DECODING)
    ] = "",
    samples: Annotated[
        int, typer.Option(min=0, help="Closed-book samples; 0 asks nothing.", rich_help_panel=DECODING)
    ] = 5,
    memory: Annotated[
        bool, typer.Option(help="Whether the model may answer without passages.", rich_help_panel=DECODING)
    ] = True,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Say what each passage did to each token; costs a row a passage.",
            rich_help_panel=DECODING,
        ),
    ] = False,
    trace: Annotated[
        Path | None, typer.Option(help="Write the trace of each token there: .html or .json.", rich_help_panel=DECODING)
    ] = None,
    action: Annotated[str, typer.Option(help="report, annotate, rerank, drop or block.")] = "drop",
    format: options.Format = "text",
    output: options.Output = None,
) -> None:
    """Answer a question from passages, as far as they can be trusted.

    The passages are checked first. Where they agree, or where what they declare settles the conflict, the answer is
    read from them, and boosted where it contradicts what the model knows. Where nothing settles the conflict, the model
    answers without them if it is sure of itself, and otherwise not at all.

    \b
    Examples:
      passageguard answer passages.json --model ./my-model --question "How long is the trial?"
      passageguard answer docs/ --model Qwen/Qwen3-0.6B --question "…" --trace trace.html
    """
    options.require_output(format, output)
    if not model:
        raise ConfigError("no language model: give --model, the folder of a causal model or a hub name")
    if trace is not None:
        require_trace(trace)
    passages, stored = read_passages(spread(files or []))
    asked = question or stored
    if not asked:
        raise InputError('no question: give --question, or "question" beside "passages" in the file')
    guard = options.make_guard(action)
    from guard.answer_model import LanguageModel
    from guard.answering import answer as find

    loaded = LanguageModel.load(model)
    found = find(
        asked, passages, loaded, guard=guard, formula=formula, samples=samples, memory=memory,
        explain=explain, instructions=instructions, max_new_tokens=max_tokens,
    )  # fmt: skip
    if trace is not None:
        write_trace(found, loaded, trace)
    with options.report_to(output) as stream:
        if format == "json":
            options.write_json(found.to_dict(), stream)
        else:
            show(found, render.console_for(stream))
    raise typer.Exit(1 if found.text is None else 0)


def spread(files: list[str]) -> list[str]:
    """Return the files, and for each folder the passage files in it, by name.  Raises `InputError` for an empty one."""
    found: list[str] = []
    for name in files:
        if name == "-" or not Path(name).is_dir():
            found.append(name)
            continue
        inside = sorted(p for p in Path(name).rglob("*") if p.suffix.lower() in (*TEXT_SUFFIXES, ".json", ".jsonl"))
        if not inside:
            raise InputError(f"{name}: no passages in it; answer reads {', '.join(TEXT_SUFFIXES)}, .json and .jsonl")
        found.extend(map(str, inside))
    return found


def show(found: Answer, console: Console) -> None:
    """Print the answer, or why there is none, then the conflicts and the summary."""
    render.say(console, printable(found.text if found.text is not None else found.abstention), "bold")
    render.say(console, f"from {found.gate.source.value} (trust {found.gate.trust:g}): {found.gate.reason}", "")
    if found.knowledge is not None:
        known = found.knowledge
        said = f"without passages: {printable(known.text)!r}, {known.knowledge.value} "
        agree = f"{known.agreement:.0%} of {len(known.samples)} samples agree"
        render.say(console, f"{said}({agree}, prior strength {known.prior_strength:.2f})", "")
    if found.summary is not None:
        s = found.summary
        render.say(
            console,
            f"mean α {s.mean_alpha:.3f}, {s.flipped:.0%} of tokens flipped, context reliance {s.context_reliance:+.2f}",
            "",
        )
    if found.attribution:
        render.say(console, "what each passage did to the answer, in nats (above 0: for it), and where most:", "")
        width = max(len(printable(one.passage)) for one in found.attribution)
        for one in found.attribution:
            most = sorted(range(len(one.tokens)), key=lambda place: -abs(one.tokens[place]))[:MOST]
            where = "  ".join(f"{printable(found.tokens[n])!r} {_signed(one.tokens[n])}" for n in sorted(most))
            render.say(console, f"  {printable(one.passage):{width}} {_signed(one.nats):>7}  {where}", "")
    if found.verdict is not None and found.verdict.status != "clean":
        console.print()
        render.verdict(found.verdict, console)


def _signed(nats: float) -> str:
    """Return a number of nats with its sign; what rounds to 0 is never -0.00."""
    return f"{round(nats, 2) + 0.0:+.2f}"


def require_trace(path: Path) -> None:
    """Raise `ConfigError` before any work is done for a trace that could not be written."""
    if path.suffix.lower() not in TRACES:
        raise ConfigError(f"--trace {str(path)!r}: the name must end in {' or '.join(TRACES)}")
    options.require_output("json", path)


def write_trace(found: Answer, model: LanguageModel, path: Path) -> None:
    """Write the trace as a page or as JSON.  Raises `InputError` where there is none, or where it cannot be written."""
    if found.generation is None:
        raise InputError(f"{found.abstention} So there is no trace, and {str(path)!r} is not written")
    steps = found.generation.trace
    with options.report_to(path) as stream:
        if path.suffix.lower() == ".json":
            options.write_json({**found.to_dict(), "trace": steps_as_json(steps, model)}, stream)
        else:
            stream.write(as_page(found, model))


def steps_as_json(steps: list[Step], model: LanguageModel) -> list[dict[str, object]]:
    """Return each step as plain JSON types, with what its tokens read as."""

    def text_of(token_id: int) -> str:
        return model.pieces([token_id])[0]

    return [
        {
            "text": text_of(s.token_id), "context_text": text_of(s.context_top), "prior_text": text_of(s.prior_top),
            **asdict(s),
        }
        for s in steps
    ]  # fmt: skip


def as_page(found: Answer, model: LanguageModel) -> str:
    """Return the trace as an HTML page, with the verdict and the summary above the tokens."""
    from decoding.trace_page import page

    facts = {"answered from": f"{found.gate.source.value}, trust {found.gate.trust:g}: {found.gate.reason}"}
    if found.verdict is not None:
        facts["verdict on the passages"] = f"{found.verdict.status.value}, {len(found.verdict.conflicts)} conflicts"
    if found.knowledge is not None:
        facts["without passages"] = f"{found.knowledge.text} ({found.knowledge.knowledge.value})"
    if found.summary is not None:
        facts["mean α"] = f"{found.summary.mean_alpha:.3f}"
        facts["context reliance"] = f"{found.summary.context_reliance:+.2f} nats a token"
    steps = found.generation.trace if found.generation is not None else []
    return page(
        steps, lambda token_id: model.pieces([token_id])[0],
        question=found.question, answer=found.text or "", facts=facts,
        passages=[one.passage for one in found.attribution or ()],
    )  # fmt: skip
