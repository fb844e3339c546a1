"""``passageguard audit``: the contradictions in a set of documents."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from detectors.errors import InputError
from guard.audit.readers import Document, find_files, read

from . import render
from .check import make_guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard import Verdict


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """Yield a callback that draws a bar on a terminal's stderr, or None where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("comparing sentences", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def read_all(paths: list[Path]) -> tuple[list[Document], list[str]]:
    """Read every file; what cannot be read is an error in the report, and the rest is audited."""
    documents, errors = [], []
    for file in find_files(paths):
        try:
            documents.append(read(file))
        except InputError as error:
            errors.append(str(error))
    if not any(d.passages for d in documents):
        raise InputError("; ".join(errors) or "no readable document found: " + ", ".join(map(str, paths)))
    return documents, errors


def as_json(documents: list[Document], errors: list[str], verdict: Verdict, places: dict[str, str]) -> dict[str, Any]:
    found = [
        {"type": c.type.value, "score": round(c.score, 4), "explanation": c.explanation, "detectors": c.detectors,
         "a": {**asdict(c.a), "place": places[c.a.passage_id]}, "b": {**asdict(c.b), "place": places[c.b.passage_id]},
         "given": asdict(c.given) if c.given else None}
        for c in verdict.conflicts
    ]  # fmt: skip
    return {
        "version": 1,
        "documents": [{"path": d.path, "passages": len(d.passages)} for d in documents],
        "findings": found,
        "unverified": [asdict(u) for u in verdict.unverified],
        "errors": errors,
    }


def audit(
    paths: list[Path] = typer.Argument(..., help="Files and folders: txt, md, rst, html, pdf, docx, json, jsonl, csv."),
    format: str = typer.Option("text", help="text or json."),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write the report to this file."),
    min_score: float | None = typer.Option(None, help="Least calibrated score of a finding, 0..1."),
    model: str | None = typer.Option(None, help="NLI model: a path or hub name. Default: the bundled one."),
    max_pairs: int = typer.Option(200_000, help="Most sentence pairs to score; the rest is reported as unverified."),
    exit_zero: bool = typer.Option(False, help="Exit 0 even when there are findings."),
) -> None:
    """Find contradictions in documents, across files and within one.

    Example: passageguard audit docs/ handbook.pdf
    """
    render.require_format(format)
    documents, errors = read_all(paths)
    passages = [p for d in documents for p in d.passages]
    with progress_bar() as progress:
        verdict = make_guard("report", model=model, threshold=min_score, max_pairs=max_pairs).check(
            passages, progress=progress
        )
    places = {p.id: render.place(p.metadata, p.id) for p in passages}
    with output.open("w", encoding="utf-8") if output else _stdout() as stream:
        if format == "json":
            print(json.dumps(as_json(documents, errors, verdict, places), indent=2, ensure_ascii=False), file=stream)
        else:
            console = Console(file=stream, highlight=False, soft_wrap=True)
            for number, found in enumerate(verdict.conflicts, 1):
                render.conflict(console, number, found, places)
            for missing in verdict.unverified:
                console.print(f"not checked: {missing.subject}: {missing.reason}", style="yellow", markup=False)
            for error in errors:
                console.print(f"not read: {error}", style="yellow", markup=False)
            counts = ((len(documents), "document"), (len(passages), "passage"), (len(verdict.conflicts), "finding"))
            console.print(render.summary(counts))
    clean = verdict.status == "clean" and not errors
    raise typer.Exit(0 if exit_zero or clean else 1)


@contextmanager
def _stdout() -> Iterator[Any]:
    yield sys.stdout
