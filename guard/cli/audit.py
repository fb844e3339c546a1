"""``passageguard audit``: the contradictions in a set of documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from detectors.errors import InputError
from guard.audit import declared, formats
from guard.audit.clusters import joined
from guard.audit.findings import Severity, findings, look_alikes
from guard.audit.readers import Document, find_files, read
from guard.audit.report import Report, Source

from . import options, render

EPILOG = "Exit codes: 0 clean, 1 findings or something that could not be read or checked, 2 error."
FAIL_ON = (*options.FAIL_ON, *Severity)


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
    format: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(formats.NAMES)}. Default: by the ending of -o, else text.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    output: options.Output = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="When to exit 1: never, any finding (the default), or findings of this severity and above: error, "
            "warning, note. What could not be read or checked counts too, but for never.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
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
      passageguard audit docs/ --min-score 0.8 -o report.html
      passageguard audit docs/ --format github --fail-on error

    \b
    JSON output:
      {"version": 1, "status": "conflict",
       "documents": [{"path": "docs/leave.md", "passages": 4}, …],
       "findings": [
         {"id": "5d0e…", "type": "value", "severity": "error", "score": 0.98,
          "explanation": "…", "preferred": null, "action": "…",
          "a": {"path": "docs/leave.md", "line": 7, "text": "…", …}, "b": {…}}],
       "accepted": [], "suppressed": [], "summary": {…},
       "benign": [{"why_not": "scope", "a": {…}, "b": {…}, …}],
       "unverified": [{"subject": "…", "reason": "…"}],
       "warnings": ["…"], "errors": ["…"]}
    """
    form = format or (formats.by_ending(output) if output else formats.TEXT)
    options.require_output(form, output, formats.NAMES)
    may_fail = options.fails(fail_on, exit_zero, FAIL_ON)
    verifier = options.verifier(verify_url, verify_model, verify_key_env, max_calls=200, deadline_s=300)
    report = examined(
        paths, model=model, calibration=calibration, threshold=min_score, max_pairs=max_pairs, deadline_s=deadline,
        detectors=detectors, verifier=verifier,
    )  # fmt: skip
    with options.report_to(output) as stream:
        if form == formats.TEXT:
            render.report(report, render.console_for(stream), benign)
        else:
            formats.write(form, report, stream)
    raise typer.Exit(1 if may_fail and fails(report, fail_on) else 0)


def examined(paths: list[Path], **settings: Any) -> Report:
    """Read the documents, check them and return what there is to report.  ``settings`` are those of `GuardConfig`."""
    documents, errors = read_all(paths)
    guard = options.make_guard("report", **settings)
    passages, warnings = declared.resolved(documents)
    with options.progress_bar() as progress:
        verdict = guard.check(passages, progress=progress)
    return Report(
        [Source(d.path, len(d.passages)) for d in documents], joined(findings(verdict.conflicts, documents, passages)),
        look_alikes(verdict.benign, documents, passages), verdict.unverified,
        [*(w for d in documents for w in d.warnings), *warnings], errors,
    )  # fmt: skip


def fails(report: Report, fail_on: str | None) -> bool:
    """Whether the report ends in exit code 1: new findings from this severity up, or something not looked at."""
    least = list(Severity).index(Severity(fail_on)) if fail_on in set(Severity) else len(Severity)
    return not report.is_complete or any(list(Severity).index(f.severity) <= least for f in report.new)


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
