"""``passageguard audit``: the contradictions in a set of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from detectors.errors import InputError
from detectors.evidence import Conflict, Passage, Span
from guard.audit import declared
from guard.audit.readers import Document, find_files, read
from guard.audit.wording import printable
from guard.trust import TrustRules, ordering

from . import options, render

if TYPE_CHECKING:
    from guard import Verdict

EPILOG = "Exit codes: 0 clean, 1 findings or something that could not be read or checked, 2 error."


@dataclass(frozen=True, slots=True)
class Audit:
    """What was read, what was found, and where each passage stands."""

    documents: Sequence[Document]
    passages: Mapping[str, Passage]
    homes: Mapping[str, Document]
    verdict: Verdict
    errors: Sequence[str]
    warnings: Sequence[str]

    def line(self, span: Span) -> int | None:
        return self.homes[span.passage_id].line_of(self.passages[span.passage_id], span.start)

    def place(self, span: Span) -> str:
        """Return ``handbook.md:12  Leave › Carry-over``."""
        metadata, line = self.passages[span.passage_id].metadata, self.line(span)
        where = f"{metadata['path']}:{line}" if line else str(metadata["path"])
        page = f" page {metadata['page']}" if "page" in metadata else ""
        return printable(f"{where}{page}") + (
            f"  {printable(str(metadata['heading']))}" if metadata.get("heading") else ""
        )

    def preferred(self, found: Conflict) -> tuple[str, str] | None:
        """Return the passage id that declared metadata prefers, and the rule."""
        a, b = found.a.passage_id, found.b.passage_id
        return (
            declared.preferred(ordering([self.passages[a], self.passages[b]], TrustRules()), a, b) if a != b else None
        )


def audit(
    paths: Annotated[
        list[Path], typer.Argument(help="Files and folders: txt, md, rst, html, pdf, docx, json, jsonl, csv, tsv.")
    ],
    min_score: Annotated[
        float | None,
        typer.Option(help="Least calibrated score of a finding, 0..1.", rich_help_panel=options.DETECTION),
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
    ] = 200_000,
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
    """Find contradictions in documents, across files and within one.

    \b
    Folders are searched for files of the known types, without hidden ones.
    A file that cannot be read is reported, and the rest is audited. A date,
    "authority" or "supersedes" in front matter says which side to prefer.

    \b
    Examples:
      passageguard audit docs/ handbook.pdf
      passageguard audit docs/ --min-score 0.8 --format json -o report.json
      passageguard audit docs/ --fail-on never

    \b
    JSON output:
      {"version": 1, "status": "conflict",
       "documents": [{"path": "docs/leave.md", "passages": 4}, …],
       "findings": [
         {"type": "value", "score": 0.98, "explanation": "…", "preferred": null,
          "a": {"path": "docs/leave.md", "line": 7, "text": "…", …}, "b": {…}}],
       "benign": [{"why_not": "scope", "a": {…}, "b": {…}, …}],
       "unverified": [{"subject": "…", "reason": "…"}],
       "warnings": ["…"], "errors": ["…"]}
    """
    options.require_output(format, output)
    may_fail = options.fails(fail_on, exit_zero)
    documents, errors = read_all(paths)
    verifier = options.verifier(verify_url, verify_model, verify_key_env, max_calls=200, deadline_s=300)
    guard = options.make_guard(
        "report", model=model, calibration=calibration, threshold=min_score, max_pairs=max_pairs, deadline_s=deadline,
        detectors=detectors, verifier=verifier,
    )  # fmt: skip
    passages, warnings = declared.resolved(documents)
    with options.progress_bar() as progress:
        verdict = guard.check(passages, progress=progress)
    result = Audit(
        documents, {p.id: p for p in passages}, {p.id: d for d in documents for p in d.passages}, verdict, errors,
        [*(w for d in documents for w in d.warnings), *warnings],
    )  # fmt: skip
    with options.report_to(output) as stream:
        if format == "json":
            options.write_json(as_json(result), stream)
        else:
            as_text(result, render.console_for(stream), benign)
    raise typer.Exit(1 if may_fail and (verdict.status != "clean" or errors) else 0)


def read_all(paths: list[Path]) -> tuple[list[Document], list[str]]:
    """Read every file; what cannot be read is an error in the report, and the rest is audited."""
    documents, errors = [], []
    for file in find_files(paths):
        try:
            documents.append(read(file))
        except InputError as error:
            errors.append(str(error))
    if not documents:
        raise InputError("; ".join(errors) or "no readable document found in " + ", ".join(map(str, paths)))
    return documents, errors


def as_json(result: Audit) -> dict[str, Any]:
    """Return the report as plain JSON types."""
    return {
        "version": 1,
        "status": result.verdict.status.value,
        "documents": [{"path": d.path, "passages": len(d.passages)} for d in result.documents],
        "findings": [_finding(result, found) for found in result.verdict.conflicts],
        "benign": [
            {"why_not": b.why_not.value, "score": round(b.score, 4), "a": _span(result, b.a), "b": _span(result, b.b)}
            for b in result.verdict.benign
        ],
        "unverified": [asdict(u) for u in result.verdict.unverified],
        "warnings": list(result.warnings),
        "errors": list(result.errors),
    }


def as_text(result: Audit, console: Console, show_benign: bool) -> None:
    """Print the findings, those between the same documents together, the highest score first."""
    for paths, findings in grouped(result).items():
        render.title(console, " ↔ ".join(map(printable, paths)))
        for found in findings:
            choice = result.preferred(found)
            path = result.passages[choice[0]].metadata["path"] if choice else ""
            note = f"prefer {printable(path)}: it {declared.MEANING[choice[1]]}" if choice else ""
            render.finding(console, found, result.place, note)
    render.look_alikes(console, result.verdict.benign, result.place, show_benign)
    render.problems(console, "warning", result.warnings)
    render.problems(console, "not checked", (f"{u.subject}: {u.reason}" for u in result.verdict.unverified))
    render.problems(console, "not read", result.errors)
    counts = [(len(result.documents), "document"), (len(result.passages), "passage"),
              (len(result.verdict.conflicts), "finding")]  # fmt: skip
    counts += [(len(result.errors), "unread file")] if result.errors else []
    render.say(console, render.summary(counts), "bold")


def grouped(result: Audit) -> dict[tuple[str, ...], list[Conflict]]:
    """Return the findings by their documents' paths; groups and findings in order of the highest score."""
    groups: dict[tuple[str, ...], list[Conflict]] = {}
    for found in sorted(result.verdict.conflicts, key=lambda c: -c.score):
        paths = {str(result.passages[span.passage_id].metadata["path"]) for span in (found.a, found.b)}
        groups.setdefault(tuple(sorted(paths)), []).append(found)
    return groups


def _finding(result: Audit, found: Conflict) -> dict[str, Any]:
    choice = result.preferred(found)
    return {
        "type": found.type.value,
        "score": round(found.score, 4),
        "explanation": found.explanation,
        "detectors": list(found.detectors),
        "a": _span(result, found.a),
        "b": _span(result, found.b),
        "given": _span(result, found.given) if found.given else None,
        "preferred": {"passage_id": choice[0], "rule": choice[1]} if choice else None,
    }


def _span(result: Audit, span: Span) -> dict[str, Any]:
    metadata = result.passages[span.passage_id].metadata
    where = {"path": metadata["path"], "line": result.line(span)}
    return {**asdict(span), **where, "page": metadata.get("page"), "heading": metadata.get("heading")}
