"""``.passageguardignore``: which files and folders an audit of a folder leaves out, in gitignore's syntax.

As with git, each folder may have a file of its own, patterns are relative to it, the deepest file that has a say wins,
and in a folder that is left out nothing comes back.  The files that count are those of the current folder (or of the
folder that is audited, where that lies elsewhere) and of the folders below.
Source of the syntax: the manual of git, "gitignore"; matched by `pathspec`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pathspec import GitIgnoreSpec

from detectors.errors import InputError

NAME = ".passageguardignore"


class Ignored:
    """Says what is left out below ``root``.  ``patterns`` are further ones, relative to it, that win over any file."""

    def __init__(self, root: Path, patterns: Iterable[str] = ()) -> None:
        self.root = Path(os.path.abspath(root))
        self.given = _spec(patterns, "--exclude")
        self.specs: dict[Path, GitIgnoreSpec] = {}

    def __call__(self, path: Path, is_folder: bool = False) -> bool:
        """Whether a path, which lies below the root, is left out."""
        full = Path(os.path.abspath(path))
        folders = [folder for folder in full.parents if folder.is_relative_to(self.root)]
        for folder, spec in [(self.root, self.given), *((folder, self._of(folder)) for folder in folders)]:
            said = spec.check_file(full.relative_to(folder).as_posix() + "/" * is_folder).include
            if said is not None:
                return said
        return False

    def _of(self, folder: Path) -> GitIgnoreSpec:
        if folder not in self.specs:
            self.specs[folder] = _spec(_lines(folder / NAME), str(folder / NAME))
        return self.specs[folder]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines() if os.path.isfile(file) else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from error


def _spec(lines: Iterable[str], where: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise InputError(f"{where}: not a pattern of gitignore's syntax: {error}") from error
