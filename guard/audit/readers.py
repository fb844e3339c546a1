"""Documents to passages: txt, md, rst, html, pdf, docx, json, jsonl, csv.

A passage is a run of paragraphs under one heading, at most about `PASSAGE_CHARS` long.  Its id says where it
stands (``handbook.md#3``); its metadata holds path, heading, page and line where known, and what the file
declares of itself (title, date, supersedes, authority, source).

The formats: `markdown` (and plain text), `rst`, `webpage`, `office` (pdf, docx), `tables` (csv), `records` (json).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from detectors.errors import InputError
from detectors.evidence import Passage

from . import markdown, office, rst, tables, webpage
from .files import SUFFIXES, find_files, shown
from .limits import MAX_BYTES, MAX_LINES, MAX_PASSAGES, require, time_limit
from .passages import MAX_CHARS, PASSAGE_CHARS, Block, Document, cut, join
from .records import TEXT_KEYS, Entry, fields, located, records
from .suppressions import read as read_suppressions

__all__ = [
    "PASSAGE_CHARS", "SUFFIXES", "TEXT_KEYS", "Document", "decode", "find_files", "read", "records",
]  # fmt: skip
MAGIC = {
    b"%PDF-": "a PDF, not text; rename it to end in .pdf",
    b"PK\x03\x04": "a zip archive (a Word document?), not text; rename it to end in .docx",
    b"\xd0\xcf\x11\xe0": "an old Office document, not text; save it as .docx",
    b"\x1f\x8b": "a gzip archive, not text; unpack it first",
    b"\x89PNG": "a picture, not text; run OCR on it first",
    b"\xff\xd8\xff": "a picture, not text; run OCR on it first",
}
BOMS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read(path: Path, name: str | None = None) -> Document:
    """Read one document.  Raises `InputError` saying what is wrong with the file and what to do."""
    name = name or shown(path)
    try:
        if path.is_dir():
            os.listdir(path)
            raise InputError(f"{name}: a folder, not a file")
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(name)
        with time_limit(name):
            document = _read(path, name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    if not document.passages:
        raise InputError(f"{name}: empty: no text in it")
    return document


def decode(content: bytes, name: str) -> str:
    """Return UTF-8 text, or raise `InputError` saying what the bytes are, or which one is wrong."""
    for magic, kind in MAGIC.items():
        if content.startswith(magic):
            raise InputError(f"{name}: {kind}")
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


def _read(path: Path, name: str) -> Document:
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        return cut(*office.pdf(path, name))
    if suffix == ".docx":
        return cut(*office.docx(path, name))
    text = decode(_bytes(path, name), name).replace("\r\n", "\n").replace("\r", "\n")
    require(text.count("\n"), MAX_LINES, "lines", name)
    if suffix in (".json", ".jsonl"):
        return _entries(located(text, name) if text.strip() else [], name)
    text, suppressions, warnings = read_suppressions(text, suffix, name)
    return replace(cut(*_text_blocks(text, suffix, name)), suppressions=suppressions, warnings=warnings)


def _bytes(path: Path, name: str) -> bytes:
    """Return what a file holds; a pipe or a device says only when it is read how much that is."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _too_large(name)
    return content


def _too_large(name: str) -> InputError:
    return InputError(f"{name}: larger than {MAX_BYTES // 1_000_000} MB; split the file")


def _text_blocks(text: str, suffix: str, name: str) -> tuple[Iterable[Block], str, Mapping[str, Any]]:
    if suffix in (".html", ".htm"):
        require(text.count("<"), MAX_LINES, "tags", name)
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
    n_lines = 0
    for line, entry in entries:
        text, metadata = _entry(entry)
        n_lines += text.count("\n") + 1
        require(n_lines, MAX_LINES, "lines and fields", name)
        require(len(passages), MAX_PASSAGES, "passages", name)
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
        said = [entry] if isinstance(entry, str) else [f"- {line}" for line in islice(fields(entry), MAX_LINES + 1)]
        return "\n".join(said), {}
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
