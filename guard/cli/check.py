"""``passageguard check``: passages in, verdict out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from detectors.errors import ConfigError, InputError
from detectors.evidence import Passage
from guard.audit.readers import TEXT_KEYS, decode, records

from . import render

if TYPE_CHECKING:
    from guard import Guard


def make_guard(action: str = "annotate", **settings: Any) -> Guard:
    """Build a Guard from command-line settings.  Raises `ConfigError`."""
    from guard import Action, Guard, GuardConfig, Policy

    if action not in set(Action):
        raise ConfigError(f"unknown action {action!r}; choose from {', '.join(Action)}")
    names = settings.pop("detectors", None)
    if names:
        settings["detectors"] = tuple(n.strip() for n in names.split(",") if n.strip())
    return Guard(GuardConfig(policy=Policy(action=Action(action)), **settings))


def read_passages(files: list[str]) -> tuple[list[Passage], str | None]:
    """Read passages from one JSON or JSONL source (``-`` is stdin) or from several text files."""
    if len(files) > 1 and not any(f == "-" or Path(f).suffix in (".json", ".jsonl") for f in files):
        return [Passage(f, decode(_bytes(f), f)) for f in files], None
    passages: list[Passage] = []
    question = None
    for file in files:
        name = "<stdin>" if file == "-" else file
        text = decode(_bytes(file), name)
        entries = records(text, name)
        question = question or _question(text)
        passages.extend(_entry(e, i, name) for i, e in enumerate(entries, len(passages) + 1))
    return passages, question


def _bytes(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error


def _question(text: str) -> str | None:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return None
    return whole.get("question") if isinstance(whole, dict) and "passages" in whole else None


def _entry(entry: Any, n: int, name: str) -> Passage:
    if isinstance(entry, str):
        return Passage(str(n), entry)
    if not isinstance(entry, dict):
        raise InputError(f"{name}: passage {n} must be an object or a string, not {type(entry).__name__}")
    key = next((k for k in TEXT_KEYS if k in entry), None)
    label = f"passage {n} ({entry['id']!r})" if "id" in entry else f"passage {n}"
    if key is None:
        raise InputError(f'{name}: {label}: "text" is missing')
    if not isinstance(entry[key], str):
        raise InputError(f'{name}: {label}: "{key}" must be a string, not {type(entry[key]).__name__}')
    metadata = entry.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise InputError(f'{name}: {label}: "metadata" must be an object, not {type(metadata).__name__}')
    rest = {k: v for k, v in entry.items() if k not in (key, "id", "metadata")}
    return Passage(str(entry.get("id", n)), entry[key], {**rest, **metadata})


def check(
    files: list[str] = typer.Argument(..., help="JSON or JSONL file of passages, several text files, or - for stdin."),
    question: str | None = typer.Option(None, help="The question the passages were retrieved for."),
    action: str = typer.Option("annotate", help="report, annotate, rerank, drop or block."),
    format: str = typer.Option("text", help="text or json."),
    model: str | None = typer.Option(None, help="NLI model: a path or hub name. Default: the bundled one."),
    detectors: str | None = typer.Option(None, help="Comma-separated: nli, values, stance, conditional."),
    threshold: float | None = typer.Option(None, help="Least calibrated score of a conflict, 0..1."),
    max_pairs: int = typer.Option(20_000, help="Most sentence pairs to score; the rest is reported as unverified."),
    deadline: float | None = typer.Option(None, help="Seconds; what is left then is reported as unverified."),
    alone: bool = typer.Option(False, "--self", help="Accept one passage and check it against itself."),
    exit_zero: bool = typer.Option(False, help="Exit 0 even when there are conflicts."),
) -> None:
    """Check passages against each other.

    Example: echo '["The trial lasts 14 days.", "The trial lasts 30 days."]' | passageguard check -
    """
    render.require_format(format)
    passages, stored_question = read_passages(files)
    if len(passages) == 1 and not alone:
        raise InputError(
            "one passage: nothing to compare it with; give two or more, or --self for contradictions in it"
        )
    guard = make_guard(
        action, model=model, threshold=threshold, max_pairs=max_pairs, deadline_s=deadline, detectors=detectors
    )
    verdict = guard.check(passages, question or stored_question)
    if format == "json":
        typer.echo(json.dumps(verdict.to_dict(), indent=2, ensure_ascii=False))
    else:
        render.verdict(verdict)
    raise typer.Exit(0 if exit_zero or verdict.status == "clean" else 1)
