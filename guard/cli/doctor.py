"""``passageguard doctor``: is everything in place, and what to do where it is not."""

from __future__ import annotations

import importlib.util
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from detectors.errors import PassageGuardError

from . import options, render

if TYPE_CHECKING:
    from guard import Guard

PACKAGES = ("guard", "detectors", "decoding", "server")
LIBRARIES = (
    "torch", "transformers", "sentence-transformers", "faiss-cpu", "langchain-core", "fastapi", "uvicorn", "httpx",
)  # fmt: skip
EPILOG = "Exit codes: 0 everything is in place, 1 problems, 2 error."
SAME, OTHER = "Employees receive 25 days of annual leave.", "Employees receive 30 days of annual leave."


@dataclass(frozen=True, slots=True)
class Problem:
    what: str
    advice: str


@dataclass(slots=True)
class Report:
    """What the doctor saw.  ``packages`` maps an import package to its folder."""

    versions: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    check: str = "not run"
    problems: list[Problem] = field(default_factory=list)


def doctor(format: options.Format = "text") -> None:
    """Say whether everything is in place, and what to do about each problem.

    \b
    Looks at the versions and at where the four import packages come from,
    loads the bundled models, and runs a small check whose result is known.

    \b
    Examples:
      passageguard doctor
      passageguard doctor --format json

    \b
    JSON output:
      {"version": 1, "ok": true, "versions": {"torch": "…", …},
       "packages": {"guard": "/…/guard", …},
       "model": {"path": "…", "revision": "…", "device": "cpu", …},
       "check": "…", "problems": [{"what": "…", "advice": "…"}]}
    """
    options.require_output(format, None)
    report = examine()
    with options.report_to(None) as stream:
        if format == "json":
            options.write_json({"version": 1, "ok": not report.problems, **asdict(report)}, stream)
        else:
            console = render.console_for(stream)
            for name, values in (("versions", report.versions), ("packages", report.packages), ("model", report.model)):
                render.say(console, name, "bold")
                for key, value in values.items():
                    render.say(console, f"  {key:<22}{value}", "")
            render.say(console, "check", "bold")
            render.say(console, f"  {report.check}", "")
            for problem in report.problems:
                render.say(console, f"problem: {problem.what}", "bold red")
                render.say(console, f"  what to do: {problem.advice}", "")
            render.say(console, render.summary([(len(report.problems), "problem")]), "bold")
    raise typer.Exit(1 if report.problems else 0)


def examine() -> Report:
    """Look at everything; a problem found early does not stop the rest."""
    from guard import __version__

    report = Report({"passageguard": __version__, "python": platform.python_version()})
    for library in LIBRARIES:
        try:
            report.versions[library] = version(library)
        except PackageNotFoundError:
            advice = f"run pip install -c constraints.txt {library}"
            report.problems.append(Problem(f"{library} is not installed", advice))
    found = {name: origin(name) for name in PACKAGES}
    report.packages = {name: str(folder or "missing") for name, folder in found.items()}
    report.problems += origin_problems(found)
    try:
        guard = options.make_guard("report")
        report.model = model_facts(guard)
        report.check = tiny_check(guard)
    except PassageGuardError as error:
        report.problems.append(Problem(str(error), "install passageguard again, so that the bundled models are whole"))
    except ImportError as error:
        report.problems.append(Problem(f"a library cannot be imported: {error}", "install it again (see versions)"))
    return report


def origin(name: str) -> Path | None:
    """Return the folder or module file that an import of ``name`` would load, None if there is none."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.origin is None:  # a folder without __init__.py
        return next((Path(p) for p in spec.submodule_search_locations or ()), None)
    file = Path(spec.origin)
    return file.parent if file.name == "__init__.py" else file


def origin_problems(found: dict[str, Path | None]) -> Iterator[Problem]:
    """Name the packages that are missing or come from somewhere else than ``guard``."""
    home = found["guard"].parent if found["guard"] else None
    for name, place in found.items():
        if place is None:
            yield Problem(f"package {name!r} is not installed", "run pip install passageguard again")
        elif place.parent != home:
            yield Problem(
                f"package {name!r} is shadowed by {place}, it should come from {home}",
                f"rename or uninstall {place}, or run from another directory",
            )


def model_facts(guard: Guard) -> dict[str, str]:
    """Load the bundled models and say which they are, and how they run.  Raises `ModelError`."""
    from detectors import encoder, nli

    model = nli.load(guard.config.model, guard.config.device)
    encoder.load()
    return {
        "path": str(nli.BUNDLED),
        "revision": model.revision,
        "device": model.device,
        "precision": model.precision,
        "encoder": f"{encoder.BUNDLED} (loaded)",
        "threshold": f"{guard.threshold:.2f}",
    }


def tiny_check(guard: Guard) -> str:
    """Check two passages that contradict each other; raise `ModelError` unless just that is found."""
    from guard import ModelError, Passage

    started = time.perf_counter()
    verdict = guard.check([Passage("a", SAME), Passage("b", OTHER), Passage("c", "The canteen opens at noon.")])
    seconds = time.perf_counter() - started
    pairs: list[Any] = [(c.a.passage_id, c.b.passage_id) for c in verdict.conflicts]
    if pairs != [("a", "b")] or verdict.unverified:
        reasons = "; ".join(f"{u.subject}: {u.reason}" for u in verdict.unverified) or f"found {pairs}"
        raise ModelError(f"the small check did not find its one conflict ({reasons})")
    found = verdict.conflicts[0]
    return f"found the planted conflict ({found.type.value} {found.score:.2f}, {seconds:.2f} s)"
