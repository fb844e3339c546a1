"""PDF and docx to blocks.  Both have no lines of their own; PDF has pages.

PDF lines are joined to paragraphs by their length, as PDF knows no paragraphs.  Of a docx the body is read (text
boxes, content controls and tables within tables too) and the notes; not headers, footers and comments.
"""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detectors.errors import InputError

from .limits import MAX_UNPACKED_BYTES, MAX_XML_BYTES
from .passages import Block
from .tables import table_blocks
from .webpage import join_lines

FULL_LINE = 0.75  # of the longest line of a page: a shorter line may end a paragraph
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
BREAKS = {f"{W}br": "\n", f"{W}cr": "\n", f"{W}tab": " ", f"{W}noBreakHyphen": "-"}


def pdf(path: Path, name: str) -> tuple[list[Block], str, dict[str, Any], list[str]]:
    """Return blocks, the name, metadata (title) and warnings about pages that hold pictures only.

    Raises `InputError` for a PDF that is broken, encrypted or has no text.
    """
    from pypdf import PdfReader

    _require_pdf(path, name)
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what matters is raised
    encrypted = False
    try:
        reader = PdfReader(path)
        encrypted = reader.is_encrypted
        if encrypted and not reader.decrypt(""):
            raise InputError(f"{name}: an encrypted PDF; remove the password first")
        pages = [page.extract_text() for page in reader.pages]
        pictures = [n for n, (page, text) in enumerate(zip(reader.pages, pages, strict=True), 1)
                    if not text.strip() and "/XObject" in (page.get("/Resources") or {})]  # fmt: skip
        title = str((reader.metadata.title if reader.metadata else None) or "").strip()
    except (InputError, OSError):
        raise
    except Exception as error:  # pypdf raises many kinds on a broken file
        if encrypted:
            raise InputError(f"{name}: an encrypted PDF ({error}); remove the encryption first") from error
        raise InputError(f"{name}: a broken PDF ({type(error).__name__}: {error}); export it again") from error
    if not any(text.strip() for text in pages):
        raise InputError(f"{name}: a PDF without text (scanned pages?); run OCR on it first")
    warnings = [f"{name}: page {n} holds a picture and no text; run OCR on it to have it checked" for n in pictures]
    blocks = [block for n, text in enumerate(pages, 1) for block in _page(text, n)]
    return blocks, name, {"title": title} if title else {}, warnings


def docx(path: Path, name: str) -> tuple[list[Block], str, dict[str, Any]]:
    """Return blocks, the name and metadata (title).  Raises `InputError` for what is no readable docx."""
    import docx as python_docx

    _require_docx(path, name)
    try:
        document = python_docx.Document(str(path))
        styles = {style.style_id: style.name for style in document.styles}
        blocks = list(_children(document.element.body, styles))
        for part in document.part.rels.values():
            if part.reltype.rsplit("/", 1)[-1] in ("footnotes", "endnotes"):
                blocks += _children(_parsed(part.target_part.blob), styles)
        title = (document.core_properties.title or "").strip()
    except OSError:
        raise
    except Exception as error:  # python-docx raises zip, key and XML errors of its own
        raise InputError(f"{name}: a broken docx ({type(error).__name__}: {error}); save it again as docx") from error
    return blocks, name, {"title": title} if title else {}


def _page(text: str, number: int) -> Iterator[Block]:
    """Yield the paragraphs of a page; the lines of a PDF do not say where one ends."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    full = FULL_LINE * max(map(len, lines))
    paragraph: list[str] = []
    for line, following, after in zip(lines, [*lines[1:], ""], [*lines[2:], "", ""], strict=False):
        paragraph += [line] if line else []
        if paragraph and _ends_paragraph(line, following, after, full):
            yield Block("prose", tuple((None, part) for part in paragraph), page=number)
            paragraph = []


def _ends_paragraph(line: str, following: str, after: str, full: float) -> bool:
    """Before a blank line, an item or a title; and after a short line that a sentence cannot go on from."""
    if not line or not following or _starts_item(following):
        return True
    stops = line.endswith((".", "!", "?", ":"))
    if len(line) < full and (stops or not following[0].islower()):
        return True
    is_title = len(following) < full and following[0].isupper() and following[-1].isalnum()
    return stops and is_title and not after[:1].islower()


def _starts_item(line: str) -> bool:
    return re.match(r"[•‣◦▪–*-]\s|\(?\d{1,2}[.)]\s", line) is not None


def _require_pdf(path: Path, name: str) -> None:
    """Say of a file that it is no PDF; its mark may stand behind other bytes, such as a mail's."""
    with path.open("rb") as file:
        start = file.read(1024)
    if not start:
        raise InputError(f"{name}: empty: no text in it")
    if b"%PDF-" not in start:
        raise InputError(f"{name}: not a PDF, or a broken one; look at what it is, and export it again")


def _require_docx(path: Path, name: str) -> None:
    """Say what a file is that is no Word document, before a library fails on it."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(f"{name}: an old Word document or an encrypted one; save it as docx without a password")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{name}: not a docx, or a broken one; save it again as docx")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"{name}: a broken docx ({error}); save it again as docx") from error
    if "word/document.xml" not in (part.filename for part in parts):
        raise InputError(f"{name}: a zip archive, not a Word document; give the documents inside it")
    if any(part.flag_bits & 1 for part in parts):
        raise InputError(f"{name}: an encrypted docx; save it without a password")
    xml = [part for part in parts if part.filename.lower().endswith((".xml", ".rels"))]
    for some, limit in ((parts, MAX_UNPACKED_BYTES), (xml, MAX_XML_BYTES)):
        if sum(part.file_size for part in some) > limit:
            what = "text and markup" if some is xml else "all"
            raise InputError(f"{name}: larger than {limit // 1_000_000} MB unpacked ({what}); split the document")


def _parsed(content: bytes) -> Any:
    from docx.oxml import parse_xml

    return parse_xml(content)


def _children(element: Any, styles: dict[str, str]) -> Iterator[Block]:
    """Yield the paragraphs and tables below an element, through content controls and the like."""
    for child in element:
        if child.tag == f"{W}p":
            yield from _paragraph(child, styles)
        elif child.tag == f"{W}tbl":
            rows = [(None, cells) for cells in _rows(child)]
            yield from table_blocks([row for row in rows if any(row[1])])
        elif child.tag not in (f"{W}sectPr", f"{W}del", FALLBACK):
            yield from _children(child, styles)


def _paragraph(element: Any, styles: dict[str, str]) -> Iterator[Block]:
    lines = [" ".join(line.split()) for line in _text(element).split("\n")]
    lines = [line for line in lines if line]
    level = _level(element, styles)
    if lines and level is not None:
        title = " ".join(lines)
        yield Block("heading", ((None, "#" * max(1, min(level, 6)) + " " + title),), level, title)
    elif lines:
        yield Block("prose", tuple((None, line) for line in lines))
    for box in element.iter(f"{W}txbxContent"):
        own = next(box.iterancestors(f"{W}p")) is element  # not of a box within a box
        if own and not any(parent.tag == FALLBACK for parent in box.iterancestors()):
            yield from _children(box, styles)


def _text(element: Any) -> str:
    """Return the text of a paragraph; what is inserted counts, what is deleted or boxed does not."""
    parts: list[str] = []
    for child in element:
        if child.tag == f"{W}t":
            parts.append(child.text or "")
        elif child.tag in BREAKS:
            parts.append(BREAKS[child.tag])
        elif child.tag not in (f"{W}pPr", f"{W}rPr", f"{W}del", f"{W}txbxContent", FALLBACK):
            parts.append(_text(child))
    return "".join(parts)


def _level(element: Any, styles: dict[str, str]) -> int | None:
    """Return the level of a heading, 0 for the document's title, None for other paragraphs."""
    style = next((s.get(f"{W}val") for s in element.findall(f"{W}pPr/{W}pStyle")), "")
    name = styles.get(style, "") or ""
    if name == "Title":
        return 0
    match = re.match(r"[Hh]eading (\d)", name)
    outline = next((o.get(f"{W}val") for o in element.findall(f"{W}pPr/{W}outlineLvl")), "9")
    if match:
        return int(match.group(1))
    return int(outline) + 1 if outline.isdigit() and int(outline) < 9 else None


def _rows(table: Any) -> Iterator[list[str]]:
    """Yield the cells of each row; a cell merged over several rows has its text in the first only."""
    for row in table.iter(f"{W}tr"):
        if next(row.iterancestors(f"{W}tbl")) is not table:
            continue  # of a table within a cell
        cells: list[str] = []
        for cell in row.iter(f"{W}tc"):
            if next(cell.iterancestors(f"{W}tr")) is row:
                cells.append("" if _continues(cell) else _cell(cell))
        yield cells


def _continues(cell: Any) -> bool:
    merged = cell.find(f"{W}tcPr/{W}vMerge")
    return merged is not None and merged.get(f"{W}val", "continue") == "continue"


def _cell(cell: Any) -> str:
    shown = (p for p in cell.iter(f"{W}p") if not any(parent.tag == FALLBACK for parent in p.iterancestors()))
    paragraphs = (" ".join(_text(p).split()) for p in shown)
    return join_lines([text for text in paragraphs if text])
