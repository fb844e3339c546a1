"""``passageguard audit``: the contradictions in a set of documents."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detectors.errors import ConfigError, InputError
from guard.audit import baseline, changes, declared, formats, reviews
from guard.audit.findings import Severity
from guard.audit.readers import SUFFIXES, Document, find_files, read
from guard.audit.report import Report
from guard.audit.run import Checker, Known, audited
from guard.audit.wording import counted

from . import options, queries, render

if TYPE_CHECKING:
    from guard.audit.engine import AuditGuard, Plan

EPILOG = (
    "Exit codes: 0 clean, 1 findings or something that could not be read or checked (in --max-time, for one), 2 error."
)
CACHE = Path(".passageguard_cache")
FAIL_ON = (*options.FAIL_ON, *Severity)
STDIN = Path("-")
CAUTIOUS = "a large collection: only what is fairly sure is reported; --min-score {:.2f} reports all that is suspected"

Paths = Annotated[
    list[Path],
    typer.Argument(help="Files, folders, globs: txt, md, rst, html, pdf, docx, json, jsonl, csv, tsv; - is stdin."),
]
Exclude = Annotated[
    list[str] | None, typer.Option(help="What else to leave out, as in .passageguardignore.", show_default=False)
]
MinScore = Annotated[
    float | None,
    typer.Option(
        help="Least calibrated score of a finding, 0..1. Default: the shipped one, higher in a large collection.",
        rich_help_panel=options.DETECTION,
    ),
]
MaxPairs = Annotated[
    int,
    typer.Option(
        help="Most sentence pairs to score; the rest is reported as not checked.", rich_help_panel=options.DETECTION
    ),
]
MaxTime = Annotated[
    float | None,
    typer.Option(
        "--max-time", "--deadline", parser=options.seconds, metavar="TIME", show_default=False,
        help="Stop scoring after so long (90, 15m, 1.5h), report the rest as not checked; the next run goes on there.",
        rich_help_panel=options.DETECTION,
    ),
]  # fmt: skip
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", show_default=False, rich_help_panel=options.DETECTION,
        help="Let the workers of this Ray cluster embed and score; local starts one on this machine. They must see "
        "--cache-dir.",
    ),
]  # fmt: skip
ReviewFile = Annotated[
    Path | None, typer.Option("--reviews", help="File of passageguard review: what it dismisses stays quiet.")
]


def audit(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files, folders, globs: txt, md, rst, html, pdf, docx, json, jsonl, csv, tsv; - is stdin.",
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--queries", help="Instead of documents: a log of questions with what was retrieved for each; - is stdin."
        ),
    ] = None,
    baseline_file: Annotated[
        Path | None, typer.Option("--baseline", help="File of passageguard baseline: what it lists stays quiet.")
    ] = None,
    reviews_file: ReviewFile = None,
    since: Annotated[
        str | None, typer.Option(help="Only what touches files that changed since this git revision.")
    ] = None,
    exclude: Exclude = None,
    stdin_filename: Annotated[
        Path | None, typer.Option(help="The name, and so the format, of the document on stdin.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how much there is to do, and do not do it.")] = False,
    min_score: MinScore = None,
    detectors: options.Detectors = None,
    model: options.Model = None,
    calibration: options.Calibration = None,
    max_pairs: MaxPairs = 200_000,
    max_time: MaxTime = None,
    cache_dir: options.CacheFolder = CACHE,
    no_cache: options.NoCache = False,
    ray: Ray = None,
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
    Folders are searched for files of the known types, without hidden ones and
    without what a .passageguardignore names (as a .gitignore does).
    A file that cannot be read is reported, and the rest is audited. A date,
    "authority" or "supersedes" in front matter says which side to prefer.
    A comment lets findings stand: <!-- passageguard: ignore[value] reason -->

    \b
    Examples:
      passageguard audit docs/ handbook.pdf
      passageguard audit docs/ --min-score 0.8 -o report.html
      passageguard audit docs/ --baseline baseline.json --since origin/main
      passageguard audit docs/ --format github --fail-on error
      passageguard audit docs/ --ray local
      passageguard audit --queries log.jsonl

    \b
    A log of retrievals (--queries) has one JSON object a line; the names that
    LangChain, LlamaIndex, Haystack, Ragas and others write are known, too:
      {"query": "How long is the trial?", "passages": ["…", {"id": "faq",
       "text": "…", "metadata": {"date": "2024-05-01"}}], "answer": "14 days."}
    The report says which questions are contested: their answer depends on a
    conflict in what was retrieved. Formats: text, json, jsonl, markdown,
    html.

    \b
    JSON output:
      {"version": 1, "status": "conflict",
       "documents": [{"path": "docs/leave.md", "passages": 4}, …],
       "findings": [
         {"id": "5d0e…", "type": "value", "severity": "error", "score": 0.98,
          "explanation": "…", "preferred": null, "action": "…",
          "a": {"path": "docs/leave.md", "line": 7, "text": "…", …}, "b": {…},
          "more": [{"id": "…", "score": 0.97, "a": {…}, "b": {…}}]}],
       "accepted": [], "suppressed": [], "dismissed": [], "summary": {…},
       "benign": [{"why_not": "scope", "a": {…}, "b": {…}, …}],
       "unverified": [{"subject": "…", "reason": "…"}],
       "warnings": ["…"], "errors": ["…"]}
    """
    left_s = options.time_left(max_time)
    form = format or (formats.by_ending(output) if output else formats.TEXT)
    options.require_output(form, output, formats.NAMES)
    may_fail = options.fails(fail_on, exit_zero, FAIL_ON)
    verifier = options.verifier(verify_url, verify_model, verify_key_env, max_calls=200, deadline_s=300)
    known = Known(
        baseline.load(baseline_file) if baseline_file else None, reviews.load(reviews_file) if reviews_file else {}
    )
    settings: dict[str, Any] = dict(
        model=model, calibration=calibration, threshold=min_score, max_pairs=max_pairs, detectors=detectors,
        verifier=verifier,
    )  # fmt: skip
    if log is not None:
        queries.refuse(paths, since=since, stdin_filename=stdin_filename, dry_run=dry_run, ray=ray)
        queries.replay(log, known, output, format, fail_on, may_fail, left_s(), **settings)
    if not paths:
        raise ConfigError("nothing to audit; give files, folders or globs, or --queries and a log")
    if ray and (no_cache or dry_run):
        raise ConfigError(f"contradictory settings: --ray and {'--no-cache' if no_cache else '--dry-run'}; give one")
    inputs = Inputs.of(paths, exclude or (), stdin_filename, since)
    settings.update(cache_folder=None if no_cache else cache_dir, ray=ray, deadline_s=left_s())
    if dry_run:
        with inputs.guard(**settings) as (guard, _):
            _say_plan(inputs, guard)
        raise typer.Exit
    report = inputs.examined(known, **settings)
    with options.report_to(output) as stream:
        if form == formats.TEXT:
            render.report(report, render.console_for(stream), benign)
        else:
            formats.write(form, report, stream)
    raise typer.Exit(1 if may_fail and fails(report, fail_on) else 0)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The documents, what could not be read, and with ``--since`` the paths of those that changed."""

    documents: Sequence[Document]
    errors: Sequence[str]
    changed: Collection[str] | None = None

    @classmethod
    def of(
        cls,
        paths: list[Path],
        exclude: Sequence[str] = (),
        stdin_filename: Path | None = None,
        since: str | None = None,
    ) -> Inputs:
        """Read the documents.  Raises `InputError` where there is none, and for a revision that git does not know."""
        changed = changes.changed_files(since, Path.cwd()) if since is not None else None
        documents, errors = read_all(paths, exclude, stdin_filename)
        if changed is None:
            return cls(documents, errors)
        stdin = {(stdin_filename or STDIN).as_posix()} if STDIN in paths else set[str]()
        return cls(documents, errors, {d.path for d in documents if Path(d.path).resolve() in changed} | stdin)

    @contextmanager
    def guard(
        self, cache_folder: Path | None = None, ray: str | None = None, **settings: Any
    ) -> Iterator[tuple[AuditGuard, Checker]]:
        """Yield the guard for these documents, and the same behind the cache in the folder (None: the guard itself).

        ``ray`` is the address of a cluster whose workers embed and score, with a cache only; the settings are those
        of `GuardConfig`.
        """
        changed = self.changed
        focus = None if changed is None else {p.id for d in self.documents if d.path in changed for p in d.passages}
        n_passages = sum(len(d.passages) for d in self.documents)
        config = options.make_config("report", **settings)
        from guard.audit.cache import AuditCache
        from guard.audit.distributed import Workers
        from guard.audit.engine import AuditGuard

        if cache_folder is None:
            guard = AuditGuard(config, n_passages, focus)
            yield guard, guard
            return
        with (
            Workers(ray, cache_folder, config) if ray else nullcontext() as workers,
            closing(AuditCache(cache_folder, config, options.warn, workers)) as cache,
        ):
            at_once = workers.pairs_at_once if workers else None
            guard = AuditGuard(config, n_passages, focus, encoder=cache.encoder, scorer=cache.scorer, at_once=at_once)
            yield guard, cache.checker(guard, focus)

    def examined(self, known: Known, **settings: Any) -> Report:
        """Check the documents and return what there is to report; the settings are those of `guard`."""
        with self.guard(**settings) as (guard, checker), options.progress_bar() as progress:
            notes = [CAUTIOUS.format(guard.threshold)] if guard.is_cautious else []
            return audited(checker, self.documents, self.errors, known, self.changed, progress, notes)


def fails(report: Report, fail_on: str | None) -> bool:
    """Whether the report ends in exit code 1: new findings from this severity up, or something not looked at."""
    least = list(Severity).index(Severity(fail_on)) if fail_on in set(Severity) else len(Severity)
    return not report.is_complete or any(list(Severity).index(f.severity) <= least for f in report.new)


def read_all(
    paths: list[Path], exclude: Sequence[str] = (), stdin_filename: Path | None = None
) -> tuple[list[Document], list[str]]:
    """Read every file; what cannot be read is an error in the report, and the rest is audited.

    The document on stdin takes the place of the file that has its name.
    """
    if stdin_filename is not None and STDIN not in paths:
        raise ConfigError("--stdin-filename names the document on stdin; give - as a path, too")
    stdin = os.path.realpath(stdin_filename) if stdin_filename else None
    files = [f for f in find_files([p for p in paths if p != STDIN], exclude) if os.path.realpath(f) != stdin]
    documents, errors = [], []
    for file in [*files, *([STDIN] if STDIN in paths else [])]:
        try:
            documents.append(_read_stdin(stdin_filename) if file == STDIN else read(file))
        except InputError as error:
            errors.append(str(error))
    if not documents:
        raise InputError("; ".join(errors) or "no readable document found in " + ", ".join(map(str, paths)))
    return documents, errors


def _read_stdin(name: Path | None) -> Document:
    """Read stdin as the file of that name would be read; as plain text without one."""
    suffix = name.suffix.lower() if name else ".txt"
    if suffix not in SUFFIXES:
        raise InputError(f"--stdin-filename {name}: unknown kind of file; readable are {', '.join(SUFFIXES)}")
    if sys.stdin is None:
        raise InputError("stdin is closed; give a file name")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "stdin" + suffix)
        copy.write_bytes(sys.stdin.buffer.read())
        return read(copy, name.as_posix() if name else "stdin")


def _say_plan(inputs: Inputs, guard: Any) -> None:
    """Print how much there is to do."""
    plan: Plan = guard.plan(declared.resolved(inputs.documents)[0])
    console = render.console_for(sys.stdout)
    parts = [(len(inputs.documents), "document"), (sum(len(d.passages) for d in inputs.documents), "passage")]
    parts += [(len(inputs.changed), "changed document")] if inputs.changed is not None else []
    known = f", {plan.pairs - plan.new_pairs:,} of them in the cache" if plan.new_pairs < plan.pairs else ""
    counts = render.summary([*parts, (plan.sentences, "sentence"), (plan.pairs, "pair")])
    render.say(console, counts + known, "bold")
    if plan.new_pairs:
        rate = f"{plan.pairs_per_s:,.0f} pairs/s"
        render.say(console, f"about {counted(ceil(plan.seconds), 'second')} to score them at {rate}", "")
    render.problems(console, "not read", inputs.errors)
    render.problems(console, "not checked", (f"{u.subject}: {u.reason}" for u in plan.unverified))
