"""Run the tests of ``passageguard audit --ray`` with Ray, in an environment of their own.

    python tests/clients/distributed.py [--work FOLDER]

The package is installed with the extra ``ray`` into a virtual environment (``--work``, where it is kept and used again,
or a temporary folder).  The tests start a cluster of this machine's cores, and kill workers and whole runs.  Exits with
1 where a test fails, and names what could not be installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = "tests/test_guard_audit_distributed.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).absolute()
        python = work / "bin" / "python"
        if not python.exists():
            venv.create(work, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-c", "constraints.txt", "-e", ".[dev,ray]"]
        if subprocess.run(install, cwd=ROOT).returncode:
            sys.exit("the package with the extra ray could not be installed")
        sys.exit(subprocess.run([python, "-m", "pytest", "-p", "no:cacheprovider", TESTS], cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
