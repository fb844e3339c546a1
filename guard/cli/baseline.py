"""``passageguard baseline``: write down the findings of today, so that an audit reports what is new."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detectors.errors import InputError
from guard.audit import baseline as accepted
from guard.audit import reviews
from guard.audit.findings import State
from guard.audit.report import Report
from guard.audit.run import Known
from guard.audit.wording import counted

from . import options
from .audit import CACHE, Exclude, Inputs, MaxPairs, MinScore, Paths, ReviewFile

EPILOG = "Exit codes: 0 written, 2 error."


def baseline(
    paths: Paths,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file.")] = Path("passageguard-baseline.json"),
    prune: Annotated[bool, typer.Option("--prune", help="Only take out what is no longer found.")] = False,
    reviews_file: ReviewFile = None,
    exclude: Exclude = None,
    min_score: MinScore = None,
    detectors: options.Detectors = None,
    model: options.Model = None,
    calibration: options.Calibration = None,
    max_pairs: MaxPairs = 200_000,
    cache_dir: options.CacheFolder = CACHE,
    no_cache: options.NoCache = False,
) -> None:
    """Accept the findings of today: an audit with this baseline reports only new ones.

    \b
    Give the options that the audit has. What a comment suppresses or a review
    dismisses does not join. The file may be edited: "reason" is kept when it is
    written anew, and shown in reports.

    \b
    Examples:
      passageguard baseline docs/ -o baseline.json
      passageguard audit docs/ --baseline baseline.json
      passageguard baseline docs/ -o baseline.json --prune
    """
    options.require_output("text", output)
    old = accepted.load(output) if prune or output.exists() else {}
    known = Known(old, reviews.load(reviews_file) if reviews_file else {})
    inputs = Inputs.of(paths, exclude or ())
    report = inputs.examined(
        known, cache_folder=None if no_cache else cache_dir, model=model, calibration=calibration,
        threshold=min_score, max_pairs=max_pairs, detectors=detectors,
    )  # fmt: skip
    found = [f for f in report.findings if f.state in (State.NEW, State.ACCEPTED)]
    if prune:
        _require_whole(inputs, report)
        new = accepted.pruned(old, found, {d.path for d in inputs.documents})
    else:
        new = accepted.of(found, old)
    with options.report_to(output) as stream:
        stream.write(accepted.dump(new))
    for message in report.errors:
        typer.echo(f"not read: {message}", err=True)
    added, gone = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    typer.echo(
        f"{output}: {counted(len(new), 'finding')} accepted, {added:,} of them new; {gone:,} taken out", err=True
    )


def _require_whole(inputs: Inputs, report: Report) -> None:
    """Refuse to take out what was only not looked at.  Passages in another language never had findings."""
    passages = {p.id for d in inputs.documents for p in d.passages}
    for unverified in report.unverified:
        if unverified.subject not in passages:
            raise InputError(f"not pruned, since not everything was checked: {unverified.reason}")
