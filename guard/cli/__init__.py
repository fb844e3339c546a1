"""The command ``passageguard``.  Further commands join through the entry-point group ``passageguard.commands``."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer

from detectors.errors import PassageGuardError

from . import audit, check, doctor, evaluate

app = typer.Typer(
    name="passageguard", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Find contradictions between, and within, retrieved passages or documents. Works offline. "
    "Exit codes: 0 clean, 1 findings (or something could not be checked), 2 error.",
)  # fmt: skip
app.command("check")(check.check)
app.command("audit")(audit.audit)
app.command("eval")(evaluate.evaluate)
app.command("doctor")(doctor.doctor)


def _version(show: bool) -> None:
    if show:
        from guard import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Find contradictions between, and within, passages or documents."""


def main() -> None:
    """Run the command line; errors raised on purpose end in one line and exit code 2."""
    for entry in entry_points(group="passageguard.commands"):
        app.command(entry.name)(entry.load())
    try:
        app()
    except PassageGuardError as error:
        typer.echo(f"passageguard: error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        typer.echo(f"passageguard: error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("passageguard: interrupted", err=True)
        sys.exit(130)
