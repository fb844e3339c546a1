"""What the commands share: options, building a Guard, where the report goes, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from detectors.errors import ConfigError, InputError

if TYPE_CHECKING:
    from guard import Guard, GuardConfig, VerifierConfig

DETECTION, VERIFIER, OUTPUT = "Detection", "Verifier (off unless given)", "Output"
FORMATS, FAIL_ON = ("text", "json"), ("never", "any")

Model = Annotated[
    str | None,
    typer.Option(help="NLI model: a path or hub name. Default: the bundled one.", rich_help_panel=DETECTION),
]
Detectors = Annotated[
    str | None,
    typer.Option(help="Comma-separated: nli, values, stance, conditional. Default: all.", rich_help_panel=DETECTION),
]
Calibration = Annotated[
    str | None,
    typer.Option(help="File of passageguard calibrate. Default: the shipped one.", rich_help_panel=DETECTION),
]
Deadline = Annotated[
    float | None,
    typer.Option(help="Seconds; what is left then is reported as not checked.", rich_help_panel=DETECTION),
]
VerifyUrl = Annotated[
    str | None,
    typer.Option(
        help="OpenAI-compatible endpoint that is sent the sentence pairs that matter: http://localhost:8000/v1.",
        rich_help_panel=VERIFIER,
    ),
]
VerifyModel = Annotated[str | None, typer.Option(help="The model to ask for there.", rich_help_panel=VERIFIER)]
VerifyKeyEnv = Annotated[
    str | None, typer.Option(help="Environment variable that holds the key.", rich_help_panel=VERIFIER)
]
Format = Annotated[str, typer.Option(help="text or json.", rich_help_panel=OUTPUT)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the report to this file.", rich_help_panel=OUTPUT)
]
FailOn = Annotated[
    str | None,
    typer.Option(help="When to exit 1: never, or any finding (the default).", rich_help_panel=OUTPUT),
]
ShowBenign = Annotated[
    bool,
    typer.Option("--benign", help="List what looks contradictory and is not, with the reason.", rich_help_panel=OUTPUT),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="The same as --fail-on never.", rich_help_panel=OUTPUT)]


def make_guard(action: str = "annotate", **settings: Any) -> Guard:
    """Build a Guard from settings.  Raises `ConfigError`."""
    from guard import Guard

    return Guard(make_config(action, **settings))


def make_config(action: str = "annotate", **settings: Any) -> GuardConfig:
    """Build the configuration of a guard from settings.  Raises `ConfigError`."""
    from guard import Action, GuardConfig, Policy

    if action not in set(Action):
        raise ConfigError(f"unknown action {action!r}; choose from {', '.join(Action)}")
    names = settings.pop("detectors", None)
    if names is not None:
        settings["detectors"] = tuple(n.strip() for n in names.split(",") if n.strip())
    config = GuardConfig(policy=Policy(action=Action(action)), **settings)
    _quiet_libraries()
    return config


def verifier(
    url: str | None, model: str | None, key_env: str | None, max_calls: int = 20, deadline_s: float = 10.0
) -> VerifierConfig | None:
    """Return the verifier's configuration, or None where none is asked for.  Raises `ConfigError`."""
    from guard import VerifierConfig

    if url is None and model is None and key_env is None:
        return None
    if url is None or model is None:
        raise ConfigError("--verify-url and --verify-model belong together; give both")
    return VerifierConfig(url, model, key_env, max_calls, deadline_s)


def fails(fail_on: str | None, exit_zero: bool, levels: Sequence[str] = FAIL_ON) -> bool:
    """Whether findings may end in exit code 1.  ``levels`` are those a command knows.  Raises `ConfigError`."""
    if fail_on is not None and fail_on not in levels:
        raise ConfigError(f"unknown --fail-on {fail_on!r}; choose from {', '.join(levels)}")
    if exit_zero and fail_on not in (None, "never"):
        raise ConfigError(f"contradictory settings: --exit-zero and --fail-on {fail_on}; give one of them")
    return not exit_zero and fail_on != "never"


def require_output(format: str, output: Path | None, formats: Sequence[str] = FORMATS) -> None:
    """Raise `ConfigError` before any work is done for a report that could not be written."""
    if format not in formats:
        raise ConfigError(f"unknown format {format!r}; choose from {', '.join(formats)}")
    if output is not None and output.is_dir():
        raise ConfigError(f"cannot write to {str(output)!r}: it is a directory; give a file name")
    if output is not None and not output.parent.is_dir():
        raise ConfigError(f"cannot write to {str(output)!r}: no directory {str(output.parent)!r}; create it first")


@contextmanager
def report_to(output: Path | None) -> Iterator[TextIO]:
    """Yield the stream that the report is written to."""
    try:
        with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as stream:
            yield stream
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write the report: {error}") from error


def write_json(report: Any, stream: TextIO) -> None:
    """Write indented JSON; escapes keep it readable where the stream cannot hold every character."""
    escape = (stream.encoding or "utf-8").lower().replace("-", "") != "utf8"
    stream.write(json.dumps(report, indent=2, ensure_ascii=escape) + "\n")


@contextmanager
def progress_bar(what: str = "comparing sentences") -> Iterator[Callable[[int, int], None] | None]:
    """Yield a callback that draws a bar on a terminal's stderr, or None where there is no terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield show


def _quiet_libraries() -> None:
    """Keep the libraries' own bars and notes off stderr."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
