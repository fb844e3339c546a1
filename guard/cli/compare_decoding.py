"""``passageguard compare-decoding``: all formulas on questions of one's own, by kind of context."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from detectors.errors import ConfigError

from .evaluate import ENDINGS, FORMATS, progress
from .options import make_guard, require_output


def compare_decoding(
    file: Path = typer.Argument(help="Questions, one JSON object a line (see above)."),
    model: str = typer.Option("", help="Causal language model: a folder, or a hub name."),
    methods: str | None = typer.Option(None, help="Comma-separated, of those in the table. Default: all."),
    limit: int | None = typer.Option(None, min=1, help="Only the first so many questions, with all their contexts."),
    max_tokens: int = typer.Option(16, min=1, help="Most tokens of an answer."),
    instructions: str = typer.Option("", help="Stand before the question, with and without passages."),
    seed: int = typer.Option(0, min=0, help="Seed of the closed-book samples and of the resampling."),
    bootstrap: int = typer.Option(1000, min=0, help="Resamples for the 95% intervals; 0 for none."),
    format: str | None = typer.Option(None, help="text, markdown or json. Default: by the ending of -o, else text."),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Write the report there; the terminal then shows the text."
    ),
    plots: Path | None = typer.Option(None, help="Folder for the plots (PNG, SVG); needs passageguard\\[plots]."),
) -> None:
    """Compare greedy decoding, CAD, AdaCAD and the others on your own questions.

    \b
    Each row is one question with one kind of context:
      {"question": "How long is the trial?", "answers": ["14 days"],
       "context": "conflicting", "passages": ["The trial lasts 14 days."]}
    "context" is agreeing, conflicting, irrelevant, absent (no passages),
    self_contradicting or poisoned. Give a question several times, with several
    contexts. "prior" (strong, weak) may say how well the model knows the
    answer; otherwise it is measured.

    "gated adacad" checks the passages first and answers from them, from memory, or not at all, as answer does.

    \b
    Examples:
      passageguard compare-decoding questions.jsonl --model ./my-model
      passageguard compare-decoding questions.jsonl --model ./my-model -o report.md --plots plots/
    """
    from guard import answer_report
    from guard.answer_comparison import compare, read_questions
    from guard.answer_comparison import methods as all_methods
    from guard.answer_model import LanguageModel

    chosen = format or (ENDINGS.get(output.suffix, "text") if output else "text")
    if chosen not in FORMATS:
        raise ConfigError(f"unknown format {chosen!r}; choose {', '.join(FORMATS)}")
    require_output("json", output)
    if not model:
        raise ConfigError("no language model: give --model, the folder of a causal model or a hub name")
    if plots is not None:
        from guard.evaluation.plots import require_matplotlib

        require_matplotlib()
    questions = read_questions(file)
    if limit is not None:
        first = list(dict.fromkeys(q.question for q in questions))[:limit]
        questions = [q for q in questions if q.question in first]
    known = {method.name: method for method in all_methods()}
    names = [name.strip() for name in methods.split(",")] if methods is not None else list(known)
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"unknown method {unknown[0]!r}; choose from {', '.join(known)}")
    guard = make_guard("drop")
    loaded = LanguageModel.load(model)
    with progress() as start:
        report = compare(
            loaded, guard, questions, chosen=[known[name] for name in names], max_new_tokens=max_tokens,
            instructions=instructions, resamples=bootstrap, seed=seed, start=start,
        )  # fmt: skip
    if output is not None:
        with output.open("w", encoding="utf-8") as stream:
            answer_report.write(report, chosen, stream)
    answer_report.write(report, "text" if output else chosen, sys.stdout)
    if plots is not None:
        typer.echo(f"{len(answer_report.draw(report, plots))} plots in {plots}", err=True)
