"""Which files an audit reads: paths, folders and globs to files, each once, without hidden and ignored ones.

Links to folders are not followed, so that a loop of them ends nothing.  Knows nothing about what files hold.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path

from detectors.errors import InputError

from .ignore import Ignored

SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".html", ".htm", ".pdf", ".docx", ".json", ".jsonl", ".csv", ".tsv")


def find_files(paths: Iterable[Path], exclude: Iterable[str] = ()) -> list[Path]:
    """Return the readable files below ``paths``, sorted, each once; a file named outright is kept in any case.

    A path may be a glob (``docs/**/*.md``).  Left out are hidden files and folders, and what ``.passageguardignore``
    or the patterns ``exclude`` name; links to folders are not followed.  A folder that cannot be listed is returned
    itself, so that reading it says why.  Raises `InputError` for a path that does not exist.
    """
    patterns = tuple(exclude)
    found: dict[str, Path] = {}
    for path in paths:
        if os.path.lexists(path):
            files: Iterable[Path] = _below(path, patterns) if path.is_dir() else [path]
        else:
            files = _matching(path, patterns)
        for file in files:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def shown(path: Path) -> str:
    """Return a path as text that can be printed, whatever bytes its name holds."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _below(folder: Path, exclude: Iterable[str], depth: float = float("inf")) -> Iterator[Path]:
    """Yield the files of a folder and of at most ``depth`` levels of folders in it, then what cannot be listed."""
    ignored = Ignored(_root(folder), exclude)
    unlisted: list[Path] = []
    todo = [(folder, 0)]
    while todo:
        where, level = todo.pop()
        try:
            with os.scandir(where) as listed:
                entries = sorted((e for e in listed if not e.name.startswith(".")), key=lambda entry: entry.name)
        except OSError:
            unlisted.append(where)
            continue
        folders = [where / e.name for e in entries if level < depth and e.is_dir(follow_symlinks=False)]
        todo += [(path, level + 1) for path in reversed(folders) if not ignored(path, True)]
        for path in (where / e.name for e in entries if e.name.lower().endswith(SUFFIXES)):
            is_one = os.path.isfile(path) or not os.path.exists(path)  # what cannot be looked at fails when it is read
            if is_one and not ignored(path):
                yield path
    yield from unlisted


def _matching(pattern: Path, exclude: Iterable[str]) -> Iterator[Path]:
    """Yield what a glob stands for."""
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    wanted = pattern.parts[len(fixed.parts) :]
    found = False
    if wanted and fixed.is_dir():
        depth = float("inf") if "**" in wanted else len(wanted) - 1
        for path in _below(fixed, exclude, depth):
            if path.is_dir() or _fits(path.parts[len(fixed.parts) :], wanted):
                found = True
                yield path
    if not found:
        raise InputError(f"{shown(pattern)}: no such file or directory, or none of it is read")


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path below a folder fits; ``**`` stands for any folders, at the end for anything below.

    >>> _fits(("a", "b", "c.md"), ("**", "*.md")), _fits(("c.md",), ("**", "*.md")), _fits(("a", "c.md"), ("*.md",))
    (True, True, False)
    """
    if not pattern or not parts:
        return not pattern and not parts
    if pattern[0] == "**":
        return pattern[1:] == () or any(_fits(parts[n:], pattern[1:]) for n in range(len(parts)))
    return fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _root(folder: Path) -> Path:
    """Return the folder from which on ignore files count."""
    return Path.cwd() if Path(os.path.abspath(folder)).is_relative_to(Path.cwd()) else folder
