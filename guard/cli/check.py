"""``passageguard check``: passages in, verdict out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from detectors.errors import InputError
from detectors.evidence import Passage
from guard.audit.readers import SUFFIXES, TEXT_KEYS, decode, records

from . import options, render

TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".rst")
DOCUMENT_SUFFIXES = tuple(s for s in SUFFIXES if s not in (*TEXT_SUFFIXES, ".json", ".jsonl"))
EPILOG = "Exit codes: 0 clean, 1 conflicts or something that could not be checked, 2 error."


def check(
    files: Annotated[list[str], typer.Argument(help="JSON or JSONL files of passages, text files, or - for stdin.")],
    question: Annotated[str | None, typer.Option(help="The question the passages were retrieved for.")] = None,
    action: Annotated[str, typer.Option(help="report, annotate, rerank, drop or block.")] = "annotate",
    alone: Annotated[bool, typer.Option("--self", help="Accept one passage and check it against itself.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option(help="Least calibrated score of a conflict, 0..1.", rich_help_panel=options.DETECTION),
    ] = None,
    detectors: options.Detectors = None,
    model: options.Model = None,
    calibration: options.Calibration = None,
    max_pairs: Annotated[
        int,
        typer.Option(
            help="Most sentence pairs to score; the rest is reported as not checked.",
            rich_help_panel=options.DETECTION,
        ),
    ] = 20_000,
    deadline: options.Deadline = None,
    verify_url: options.VerifyUrl = None,
    verify_model: options.VerifyModel = None,
    verify_key_env: options.VerifyKeyEnv = None,
    benign: options.ShowBenign = False,
    format: options.Format = "text",
    output: options.Output = None,
    fail_on: options.FailOn = None,
    exit_zero: options.ExitZero = False,
) -> None:
    """Check retrieved passages against each other, and repair the context.

    \b
    Passages are strings or objects, in a list, under "passages", or one a line:
      {"id": "a", "text": "…", "metadata": {"date": "2024-05-01"}}
    A "question" may stand beside "passages". A text file is one passage.

    \b
    Examples:
      passageguard check passages.json
      passageguard check - --action drop --format json < passages.jsonl
      echo '["The trial lasts 14 days.", "The trial lasts 30 days."]' | passageguard check -

    \b
    JSON output:
      {"version": 1, "status": "conflict", "action": "annotate", "notice": "…",
       "conflicts": [
         {"type": "value", "score": 0.98, "explanation": "…",
          "a": {"passage_id": "1", "start": 0, "end": 24, "text": "…"}, "b": {…}}],
       "passages": [
         {"id": "1", "text": "…", "disposition": "annotated", "note": "…", …}],
       "removed": […], "unverified": [{"subject": "…", "reason": "…"}],
       "benign": [{"why_not": "scope", "a": {…}, "b": {…}, …}]}
    """
    options.require_output(format, output)
    may_fail = options.fails(fail_on, exit_zero)
    passages, stored_question = read_passages(files)
    if len(passages) == 1 and not alone:
        raise InputError(
            "one passage: nothing to compare it with; give two or more, or --self for contradictions in it"
        )
    verifier = options.verifier(verify_url, verify_model, verify_key_env)
    guard = options.make_guard(
        action, model=model, calibration=calibration, threshold=threshold, max_pairs=max_pairs, deadline_s=deadline,
        detectors=detectors, verifier=verifier,
    )  # fmt: skip
    verdict = guard.check(passages, stored_question if question is None else question)
    with options.report_to(output) as stream:
        if format == "json":
            options.write_json(verdict.to_dict(), stream)
        else:
            render.verdict(verdict, render.console_for(stream), benign)
    raise typer.Exit(1 if may_fail and verdict.status != "clean" else 0)


def read_passages(files: list[str]) -> tuple[list[Passage], str | None]:
    """Read passages from JSON or JSON Lines (``-`` is stdin); a text file is one passage, named by its path."""
    passages: list[Passage] = []
    question = None
    for file in files:
        name, suffix = "stdin" if file == "-" else file, Path(file).suffix.lower()
        if suffix in DOCUMENT_SUFFIXES:
            raise InputError(f"{name}: check reads passages (JSON or text); use passageguard audit for documents")
        text = decode(_bytes(file), name)
        if suffix in TEXT_SUFFIXES:
            passages.append(Passage(name, text))
            continue
        entries = records(text, name)
        question = question or _question(text, name)
        passages.extend(_entry(e, i, name) for i, e in enumerate(entries, len(passages) + 1))
    return passages, question


def _bytes(file: str) -> bytes:
    if file == "-":
        if sys.stdin is None:
            raise InputError("stdin is closed; pipe passages into it or name a file")
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error


def _question(text: str, name: str) -> str | None:
    try:
        whole = json.loads(text)
    except ValueError:  # JSON Lines
        return None
    question = whole.get("question") if isinstance(whole, dict) and "passages" in whole else None
    if question is not None and not isinstance(question, str):
        raise InputError(f'{name}: "question" must be a string, not {type(question).__name__}')
    return question


def _entry(entry: Any, n: int, name: str) -> Passage:
    if isinstance(entry, str):
        return Passage(str(n), entry)
    if not isinstance(entry, dict):
        raise InputError(f"{name}: passage {n} must be an object or a string, not {type(entry).__name__}")
    passage_id = entry.get("id", str(n))
    if not isinstance(passage_id, str):
        raise InputError(f'{name}: passage {n}: "id" must be a string, not {type(passage_id).__name__}')
    label = f"passage {n} ({passage_id!r})" if "id" in entry else f"passage {n}"
    key = next((k for k in TEXT_KEYS if k in entry), None)
    if key is None:
        raise InputError(f'{name}: {label}: "text" is missing')
    if not isinstance(entry[key], str):
        raise InputError(f'{name}: {label}: "{key}" must be a string, not {type(entry[key]).__name__}')
    metadata = entry.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise InputError(f'{name}: {label}: "metadata" must be an object, not {type(metadata).__name__}')
    rest = {k: v for k, v in entry.items() if k not in (key, "id", "metadata")}
    return Passage(passage_id, entry[key], {**rest, **metadata})
