"""The command ``passageguard``.  Further commands join through the entry-point group ``passageguard.commands``."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points

import typer

from detectors.errors import ConfigError, PassageGuardError

from . import answer, audit, baseline, calibrate, check, compare_decoding, doctor, evaluate, review, settings

app = typer.Typer(
    name="passageguard", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 clean, 1 findings (or something could not be checked), 2 error.",
)  # fmt: skip
app.command("check", epilog=check.EPILOG)(check.check)
app.command("audit", epilog=audit.EPILOG)(audit.audit)
app.command("baseline", epilog=baseline.EPILOG)(baseline.baseline)
app.command("review", epilog=review.EPILOG)(review.review)
app.command("eval")(evaluate.evaluate)
app.command("calibrate", epilog=calibrate.EPILOG)(calibrate.calibrate)
app.command("answer", epilog=answer.EPILOG)(answer.answer)
app.command("compare-decoding")(compare_decoding.compare_decoding)
app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)

UsageError: type[Exception] = typer.BadParameter.mro()[2]  # typer exports only this subclass


def _version(show: bool) -> None:
    if show:
        from guard import __version__

        typer.echo(f"passageguard {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Find contradictions between, and within, retrieved passages or documents. Works offline.

    \b
    Start here:
      passageguard doctor                    is everything in place?
      passageguard audit docs/               contradictions in documents
      passageguard check passages.json       one retrieval, as JSON
      passageguard serve                     the same over HTTP, or as a gateway
    """
    if context.invoked_subcommand in settings.OPTIONS:
        context.default_map = settings.defaults()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Run the command line.  Errors made on purpose end in one line and exit code 2, an interrupt in 130."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a locale without "›" must not end the report
    # Read when torch is loaded.  On a machine that others use, threads that spin while they wait take most of the time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        for entry in entry_points(group="passageguard.commands"):
            _join(entry)
        code = app(standalone_mode=False, prog_name="passageguard")
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (PassageGuardError, OSError) as error:
        _fail(str(error), 2)
    except UsageError as error:
        _fail(_usage(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        _fail("", 130)
    if code == 130:
        _fail("", 130)
    sys.exit(code or 0)


def _join(entry: EntryPoint) -> None:
    """Add a command.  One that cannot be loaded must not take the others along: doctor may be what is asked for."""
    try:
        app.command(entry.name)(entry.load())
    except Exception as error:
        reason = f"the command {entry.name} cannot be loaded ({error}); passageguard doctor may say why"

        def broken() -> None:
            raise ConfigError(reason)

        anything = {"ignore_unknown_options": True, "allow_extra_args": True}
        app.command(entry.name, help="Cannot be loaded; see passageguard doctor.", context_settings=anything)(broken)


def _fail(message: str, code: int) -> None:
    line = f"error: {' '.join(message.split())}" if message else "interrupted"
    typer.echo(f"passageguard: {line}", err=True)
    sys.exit(code)


def _usage(error: Exception) -> str:
    context, message = getattr(error, "ctx", None), getattr(error, "format_message", lambda: str(error))()
    return f"{message} (see {context.command_path if context else 'passageguard'} --help)"
