"""Documents to passages: txt, md, rst, html, pdf, docx, json, jsonl, csv.

A passage is a run of paragraphs under one heading, at most about `PASSAGE_CHARS` long; a paragraph is never cut.
Its id says where it stands (``handbook.md#3``); its metadata holds path, heading, page and line where known.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectors.errors import InputError
from detectors.evidence import Passage

PASSAGE_CHARS = 1200
MAX_BYTES = 50_000_000
TEXT_KEYS = ("text", "content", "page_content", "body")
SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".html", ".htm", ".pdf", ".docx", ".json", ".jsonl", ".csv")


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read; ``path`` as the user would write it."""

    path: str
    passages: tuple[Passage, ...]


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the readable files below ``paths``, sorted; a file named outright is kept whatever its suffix."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or directory")
        if path.is_file():
            found[path] = None
            continue
        inside = (p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in SUFFIXES)
        found.update((p, None) for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts))
    return list(found)


def read(path: Path, name: str | None = None) -> Document:
    """Read one document.  Raises `InputError` saying what is wrong with the file and what to do."""
    name = name or path.as_posix()
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{name}: larger than {MAX_BYTES // 1_000_000} MB; split the file")
        if suffix == ".pdf":
            return Document(name, tuple(_pdf(path, name)))
        if suffix == ".docx":
            return Document(name, tuple(_docx(path, name)))
        text = decode(path.read_bytes(), name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    if suffix in (".html", ".htm"):
        return Document(name, tuple(_html(text, name)))
    if suffix in (".json", ".jsonl"):
        return Document(name, tuple(_rows(records(text, name), name)))
    if suffix == ".csv":
        return Document(name, tuple(_csv(text, name)))
    return Document(name, tuple(_prose(text, name)))


def decode(content: bytes, name: str) -> str:
    """Return UTF-8 text, or raise `InputError` naming the byte that is not."""
    if b"\0" in content[:8192]:
        raise InputError(f"{name}: a binary file; readable are {', '.join(SUFFIXES)}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: not valid UTF-8 at byte {error.start}; convert it, for example with iconv"
        ) from error


def records(text: str, name: str) -> list[Any]:
    """Return the entries of a JSON document (a list, or an object with "passages") or of JSON Lines."""
    try:
        whole = json.loads(text)
    except RecursionError as error:
        raise InputError(f"{name}: JSON nested too deeply") from error
    except json.JSONDecodeError as first:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) < 2:
            raise InputError(f"{name}: not valid JSON: {first.msg} at line {first.lineno}") from first
        found = []
        for n, line in lines:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(f"{name}: line {n} is not valid JSON: {error.msg}") from error
        return found
    if isinstance(whole, dict) and isinstance(whole.get("passages"), list):
        return list(whole["passages"])
    return whole if isinstance(whole, list) else [whole]


def _rows(entries: Sequence[Any], name: str) -> Iterator[Passage]:
    for n, entry in enumerate(entries, 1):
        key = next((k for k in TEXT_KEYS if isinstance(entry, dict) and isinstance(entry.get(k), str)), None)
        if key:
            given = entry.get("metadata")
            metadata = {**(given if isinstance(given, dict) else {}),
                        **{k: v for k, v in entry.items() if k not in (key, "metadata")}}  # fmt: skip
            yield _passage(name, n, entry[key], metadata)
        else:
            yield _passage(name, n, entry if isinstance(entry, str) else "\n".join(_flat(entry)), {})


def _flat(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix} {key}".strip())
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, prefix)
    else:
        yield f"{prefix}: {value}" if prefix else str(value)


def _csv(text: str, name: str) -> Iterator[Passage]:
    """One passage of table rows for each run of at most about `PASSAGE_CHARS`, the header row repeated."""
    try:
        rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(io.StringIO(text))]
    except csv.Error as error:
        raise InputError(f"{name}: not readable as CSV: {error}") from error
    lines = ["| " + " | ".join(row) + " |" for row in rows if any(row)]
    if len(lines) < 2:
        return
    n, start = 0, 1
    while start < len(lines):
        end, size = start, 0
        while end < len(lines) and (end == start or size + len(lines[end]) <= PASSAGE_CHARS):
            size += len(lines[end])
            end += 1
        n += 1
        yield _passage(name, n, "\n".join([lines[0], *lines[start:end]]), {"line": start + 1})
        start = end


def _html(text: str, name: str) -> Iterator[Passage]:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(text)
    for node in tree.css("script, style, nav, template, noscript"):
        node.decompose()
    if tree.body is None:
        return
    for node in tree.css("h1, h2, h3, h4, h5, h6"):
        node.insert_before("\n\n" + "#" * int((node.tag or "h1")[1]) + " ")
        node.insert_after("\n\n")
    for node in tree.css("p, li, div, section, pre, blockquote, dd, dt, table, ul, ol"):
        node.insert_before("\n\n")
        node.insert_after("\n\n")
    for node in tree.css("tr"):
        node.insert_before("\n| ")
        node.insert_after("\n")
    for node in tree.css("td, th"):
        node.insert_after(" | ")
    yield from _prose(re.sub(r"[ \t]*\n[ \t]*(?=\S)(?!\n)", _join_lines, tree.body.text()), name)


def _join_lines(match: re.Match[str]) -> str:
    return match.group().strip(" \t")


def _pdf(path: Path, name: str) -> Iterator[Passage]:
    from pypdf import PdfReader

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(f"{name}: an encrypted PDF; remove the password first")
        pages = [page.extract_text() for page in reader.pages]
    except InputError:
        raise
    except Exception as error:  # pypdf raises many kinds on a broken file
        raise InputError(f"{name}: a broken PDF ({type(error).__name__}: {error}); export it again") from error
    if not any(page.strip() for page in pages):
        raise InputError(f"{name}: a PDF without text (scanned pages?); run OCR on it first")
    for number, page in enumerate(pages, 1):
        for part in _prose(page, f"{name} p.{number}"):
            yield Passage(part.id, part.text, {**part.metadata, "path": name, "page": number})


def _docx(path: Path, name: str) -> Iterator[Passage]:
    import docx

    try:
        document = docx.Document(str(path))
        lines = []
        for block in document.iter_inner_content():
            if hasattr(block, "rows"):
                lines.append("\n".join("| " + " | ".join(c.text for c in row.cells) + " |" for row in block.rows))
            else:
                style = (block.style.name if block.style else "") or ""
                level = re.match(r"Heading (\d)", style)
                lines.append("#" * int(level[1]) + " " + block.text if level else block.text)
    except Exception as error:  # python-docx raises zip and XML errors of its own
        raise InputError(f"{name}: not a readable docx ({type(error).__name__}); save it again as docx") from error
    yield from _prose("\n\n".join(lines), name)


def _prose(text: str, name: str) -> Iterator[Passage]:
    """Cut at headings and blank lines; keep the heading path and the first line of each passage."""
    front, text, skipped = _front_matter(text)
    headings: dict[int, str] = {}
    parts: list[str] = []
    first_line, n, size, path = 1, 0, 0, ""

    def flush() -> Iterator[Passage]:
        nonlocal n, parts, size
        joined = "\n\n".join(parts)
        if joined.strip():
            n += 1
            yield _passage(name, n, joined, {**front, "heading": path, "line": first_line + skipped})
        parts, size = [], 0

    for line, paragraph in _paragraphs(text):
        heading = re.match(r"(#{1,6})\s+(\S.*)", paragraph)
        if heading:
            yield from flush()
            level = len(heading[1])
            headings = {k: v for k, v in headings.items() if k < level} | {level: heading[2].splitlines()[0].strip()}
            path = " › ".join(headings[k] for k in sorted(headings))
        elif size + len(paragraph) > PASSAGE_CHARS:
            yield from flush()
        if not parts:
            first_line = line
        parts.append(paragraph)
        size += len(paragraph)
    yield from flush()


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    line = 1
    for block in re.split(r"(\n[ \t]*\r?\n\s*)", text):
        if block.strip():
            yield line, block.strip("\n")
        line += block.count("\n")


def _front_matter(text: str) -> tuple[dict[str, str], str, int]:
    match = re.match(r"---\r?\n((?:[\w\-]+:.*\r?\n)+)---\r?\n", text)
    if not match:
        return {}, text, 0
    pairs = (line.split(":", 1) for line in match[1].splitlines())
    return {k.strip(): v.strip().strip("\"'") for k, v in pairs}, text[match.end() :], match[0].count("\n")


def _passage(name: str, n: int, text: str, metadata: Mapping[str, Any]) -> Passage:
    return Passage(f"{name}#{n}", text, {**metadata, "path": name})
