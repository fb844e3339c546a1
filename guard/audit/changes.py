"""Which files changed since a revision, by git: committed, staged, not staged and not tracked.

Compared with where the work branched off, so that what others did on the revision's own branch since then is not
taken for a change.  Knows nothing about documents.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from detectors.errors import InputError


def changed_files(revision: str, folder: Path) -> frozenset[Path]:
    """Return the absolute paths of changed files of the repository that holds ``folder``.  Raises `InputError`."""
    top = Path(_git(folder, "rev-parse", "--show-toplevel", wrong="not in a git repository").rstrip("\n")).resolve()
    wrong = f"no revision {revision!r} in this repository; fetch it, or name another"
    commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", wrong=wrong)
    wrong = f"{revision!r} has no common history with what is checked out; fetch more of it (a full clone)"
    base = _git(top, "merge-base", commit.strip(), "HEAD", wrong=wrong).strip()
    wrong = "git cannot compare the files"
    tracked = _git(top, "diff", "--name-only", "-z", "--no-renames", base, "--", wrong=wrong)
    untracked = _git(top, "ls-files", "--others", "--exclude-standard", "-z", wrong=wrong)
    return frozenset(top / name for name in (tracked + untracked).split("\0") if name)


def _git(folder: Path, *arguments: str, wrong: str) -> str:
    try:
        ran = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, errors="surrogateescape"
        )
    except FileNotFoundError as error:
        raise InputError("--since needs git, which is not installed") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        raise InputError(f"--since: {wrong}" + (f" ({said[0]})" if said else "")) from error
    return ran.stdout
