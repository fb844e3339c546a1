"""``passageguard doctor``: is everything in place, and what to do where it is not."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

PACKAGES = ("guard", "detectors", "decoding", "server")
LIBRARIES = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "langchain-core", "fastapi", "httpx")


def origins() -> dict[str, Path | None]:
    """Return where each of the four import packages would be loaded from."""
    specs = {name: importlib.util.find_spec(name) for name in PACKAGES}
    return {name: Path(spec.origin).parent if spec and spec.origin else None for name, spec in specs.items()}


def origin_problems(found: dict[str, Path | None]) -> list[str]:
    """Name the packages that are missing or come from somewhere else than ``guard``."""
    home = found["guard"].parent if found["guard"] else None
    problems = []
    for name, folder in found.items():
        if folder is None:
            problems.append(f"package {name!r} is not installed: run pip install passageguard again")
        elif folder.parent != home:
            problems.append(f"package {name!r} comes from {folder}, not from {home}: uninstall or rename that one")
    return problems


def doctor() -> None:
    """Print versions, model, precision and device, and what to do about each problem.

    Example: passageguard doctor
    """
    typer.echo(f"python {sys.version.split()[0]}")
    problems = []
    for library in LIBRARIES:
        try:
            typer.echo(f"{library} {version(library)}")
        except PackageNotFoundError:
            problems.append(f"{library} is not installed: run pip install -c constraints.txt {library}")
    found = origins()
    for name, folder in found.items():
        typer.echo(f"package {name}: {folder or 'missing'}")
    problems += origin_problems(found)
    from detectors import encoder, nli
    from detectors.errors import ModelError

    for label, load in (("NLI model", nli.load), ("encoder", encoder.load)):
        try:
            load()
            typer.echo(f"bundled {label}: found and loaded")
        except ModelError as error:
            problems.append(str(error))
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    typer.echo(
        f"device {device}, precision {'bfloat16' if device == 'cuda' or nli.cpu_prefers_bfloat16() else 'float32'}"
    )
    for problem in problems:
        typer.echo(f"problem: {problem}")
    raise typer.Exit(1 if problems else 0)
