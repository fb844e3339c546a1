"""Run the tests of all integrations against the oldest and the newest releases that pyproject.toml allows.

    python tests/clients/versions.py [--only oldest|newest] [--work FOLDER]

For each age a virtual environment is made (in ``--work``, where it is kept and used again, or in a temporary folder),
the package is installed with the frameworks' extras, and the tests run there.  The lower bounds in pyproject.toml are
the oldest releases, so that what is stated is what is tested.  Exits with 1 where a test fails or an install does.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = ("llamaindex", "haystack", "clients")
COMPANIONS = {  # what old releases do not work with although they state no upper bound
    "oldest": ("langgraph-checkpoint==3.0.0", "aiohttp<3.13"),  # langchain-core 1.0 and langchain 1.0; vcrpy 7
    "newest": (),
}
FRAMEWORKS = re.compile(r"(langchain|llama-index|haystack)[\w-]*")
TESTS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/test_guard_integrations_*.py"))


def requirements() -> list[str]:
    """Return what pyproject.toml requires of frameworks, as ``name>=oldest,<next``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    stated = [*project["dependencies"], *(spec for extra in EXTRAS for spec in optional[extra])]
    return [spec for spec in dict.fromkeys(stated) if FRAMEWORKS.match(spec)]


def oldest(requirement: str) -> str:
    """Return the requirement of exactly the lower bound.

    >>> oldest("haystack-ai>=2.10,<4")
    'haystack-ai==2.10'
    """
    return re.sub(r">=([\d.]+).*", r"==\1", requirement)


def run(python: Path, *arguments: str) -> int:
    return subprocess.run([python, *arguments], cwd=ROOT).returncode


def installed(python: Path) -> str:
    """Return the frameworks' names and versions in an environment."""
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True)
    return ", ".join(f"{p['name']} {p['version']}" for p in json.loads(listed.stdout) if FRAMEWORKS.match(p["name"]))


def tested(age: str, folder: Path) -> bool:
    """Make the environment of one age in ``folder`` and run the tests there; say whether all passed."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pins = [oldest(r) for r in requirements()] if age == "oldest" else requirements()
    wanted = ["-c", "constraints.txt", "-e", f".[{','.join(('dev', *EXTRAS))}]", *pins, *COMPANIONS[age]]
    if run(python, "-m", "pip", "install", "--quiet", "--upgrade", *wanted):
        print(f"{age}: could not be installed", flush=True)
        return False
    print(f"{age}: {installed(python)}", flush=True)
    passed = run(python, "-m", "pytest", "-p", "no:cacheprovider", *TESTS) == 0
    print(f"{age}: {'all passed' if passed else 'FAILED'}", flush=True)
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=("oldest", "newest"))
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).absolute()
        ages = [options.only] if options.only else ["oldest", "newest"]
        sys.exit(0 if all([tested(age, work / age) for age in ages]) else 1)


if __name__ == "__main__":
    main()
