"""Documents to passages: txt, md, rst, html, pdf, docx, json, jsonl, csv.

A passage is a run of paragraphs under one heading, at most about `PASSAGE_CHARS` long.  Its id says where it
stands (``handbook.md#3``); its metadata holds path, heading, page and line where known, and what the file
declares of itself (title, date, supersedes, authority, source).

The formats: `markdown` (and plain text), `rst`, `webpage`, `office` (pdf, docx), `tables` (csv), `records` (json).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from detectors.errors import InputError
from detectors.evidence import Passage

from . import markdown, office, rst, tables, webpage
from .ignore import Ignored
from .passages import MAX_CHARS, PASSAGE_CHARS, Block, Document, cut, join
from .records import TEXT_KEYS, Entry, fields, located, records
from .suppressions import read as read_suppressions

__all__ = [
    "MAX_BYTES", "PASSAGE_CHARS", "SUFFIXES", "TEXT_KEYS", "Document", "decode", "find_files", "read", "records",
]  # fmt: skip
MAX_BYTES = 50_000_000
SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".html", ".htm", ".pdf", ".docx", ".json", ".jsonl", ".csv", ".tsv")
MAGIC = {
    b"%PDF-": ("a PDF", ".pdf"),
    b"PK\x03\x04": ("a zip archive (a Word document?)", ".docx"),
    b"\xd0\xcf\x11\xe0": ("an old Office document", ".docx, after saving it as such"),
}
BOMS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def find_files(paths: Iterable[Path], exclude: Iterable[str] = ()) -> list[Path]:
    """Return the readable files below ``paths``, sorted, each once; a file named outright is kept in any case.

    A path may be a glob (``docs/**/*.md``).  Left out are hidden files and folders, and what ``.passageguardignore``
    or the patterns ``exclude`` name; links to folders are not followed.  A folder that cannot be listed is returned
    itself, so that `read` says why.  Raises `InputError` for a path that does not exist.
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


def read(path: Path, name: str | None = None) -> Document:
    """Read one document.  Raises `InputError` saying what is wrong with the file and what to do."""
    name = name or shown(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{name}: larger than {MAX_BYTES // 1_000_000} MB; split the file")
        if path.is_dir():
            os.listdir(path)
            raise InputError(f"{name}: a folder, not a file")
        document = _read(path, name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    if not document.passages:
        raise InputError(f"{name}: empty: no text in it")
    return document


def decode(content: bytes, name: str) -> str:
    """Return UTF-8 text, or raise `InputError` saying what the bytes are, or which one is wrong."""
    for magic, (kind, suffix) in MAGIC.items():
        if content.startswith(magic):
            raise InputError(f"{name}: {kind}, not text; rename it to end in {suffix}")
    encoding = next((e for bom, e in BOMS.items() if content.startswith(bom)), None) or _wide(content[:1000])
    if encoding:
        raise InputError(f"{name}: {encoding}; convert to UTF-8, for example with iconv -f {encoding} -t UTF-8")
    at = content.find(b"\0")
    if at >= 0:
        raise InputError(f"{name}: a binary file (NUL at byte {at}); readable are {', '.join(SUFFIXES)}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: not valid UTF-8 at byte {error.start}; convert it, for example with iconv"
        ) from error


def shown(path: Path) -> str:
    """Return a path as text that can be printed, whatever bytes its name holds."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _below(folder: Path, exclude: Iterable[str]) -> Iterator[Path]:
    ignored = Ignored(_root(folder), exclude)
    unlisted: list[Path] = []
    for where, folders, files in os.walk(folder, onerror=lambda error: unlisted.append(Path(error.filename))):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not ignored(Path(where, f), True))
        for file in sorted(f for f in files if not f.startswith(".") and f.lower().endswith(SUFFIXES)):
            path = Path(where, file)
            is_one = path.is_file() or not path.exists()  # a link into nowhere fails when it is read
            if is_one and not ignored(path):
                yield path
    yield from unlisted


def _matching(pattern: Path, exclude: Iterable[str]) -> Iterator[Path]:
    """Yield what a glob stands for."""
    names = sorted(glob.glob(str(pattern), recursive=True)) if glob.has_magic(str(pattern)) else []
    if not names:
        raise InputError(f"{shown(pattern)}: no such file or directory")
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    ignored = Ignored(_root(fixed), exclude)
    for path in map(Path, names):
        if path.is_file() and path.name.lower().endswith(SUFFIXES) and not ignored(path):
            yield path


def _root(folder: Path) -> Path:
    """Return the folder from which on ignore files count."""
    return Path.cwd() if Path(os.path.abspath(folder)).is_relative_to(Path.cwd()) else folder


def _read(path: Path, name: str) -> Document:
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        return cut(*office.pdf(path, name))
    if suffix == ".docx":
        return cut(*office.docx(path, name))
    text = decode(path.read_bytes(), name).replace("\r\n", "\n").replace("\r", "\n")
    if suffix in (".json", ".jsonl"):
        return _entries(located(text, name) if text.strip() else [], name)
    text, suppressions, warnings = read_suppressions(text, suffix, name)
    return replace(cut(*_text_blocks(text, suffix, name)), suppressions=suppressions, warnings=warnings)


def _text_blocks(text: str, suffix: str, name: str) -> tuple[Iterable[Block], str, Mapping[str, Any]]:
    if suffix in (".html", ".htm"):
        blocks, metadata = webpage.blocks(text)
        return blocks, name, metadata
    if suffix in (".csv", ".tsv"):
        return tables.table_blocks(tables.csv_rows(text, name)), name, {}
    lines = markdown.numbered(text)
    if suffix == ".rst":
        return markdown.blocks(rst.to_markdown(lines)), name, rst.docinfo(lines)
    metadata, skipped = markdown.front_matter(lines)
    return markdown.blocks(lines[skipped:]), name, metadata


def _entries(entries: Sequence[Entry], name: str) -> Document:
    """One passage for each entry, or several where its text is longer than `MAX_CHARS`."""
    passages: list[Passage] = []
    lines: dict[str, tuple[int | None, ...]] = {}
    for line, entry in entries:
        text, metadata = _entry(entry)
        block = Block("prose", tuple((line, part) for part in text.split("\n")))
        groups = [[block]] if len(text) <= MAX_CHARS else _long(text, line, name)
        for group in groups if text.strip() else []:
            passage, lines_of_it = join(f"{name}#{len(passages) + 1}", group, name, metadata)
            passages.append(passage)
            lines[passage.id] = lines_of_it
    return Document(name, tuple(passages), lines)


def _entry(entry: Any) -> tuple[str, dict[str, Any]]:
    key = next((k for k in TEXT_KEYS if isinstance(entry, dict) and isinstance(entry.get(k), str)), None)
    if key is None:
        return entry if isinstance(entry, str) else "\n".join(f"- {line}" for line in fields(entry)), {}
    given = entry.get("metadata")
    own = {k: v for k, v in entry.items() if k not in (key, "metadata")}
    return entry[key], {**(given if isinstance(given, dict) else {}), **own}


def _long(text: str, line: int, name: str) -> list[list[Block]]:
    document = cut(markdown.blocks([(line, part) for part in text.split("\n")]), name, {})
    return [[Block("prose", tuple((line, part) for part in p.text.split("\n")))] for p in document.passages]


def _wide(start: bytes) -> str | None:
    """Return UTF-16 where every other byte is NUL, as in Western text without a byte order mark."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    return "UTF-16" if len(start) > 3 and max(even, odd) > 0.4 * len(start) and min(even, odd) == 0 else None
