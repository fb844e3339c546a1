"""Rows to table blocks, and CSV to rows.

A row reads ``| a | b |``.  Rows stand together below a header; without a header each stands alone, so that the
first row is not taken for one.  Knows nothing about files.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from detectors.errors import InputError

from .passages import Block

Row = tuple[int | None, Sequence[str]]
"""The file line where a row begins, and its cells."""

DELIMITERS = ",;\t|"
SAMPLE_CHARS = 100_000
NUMBER = re.compile(r"(?:[€$£]|[A-Z]{3} )?[-+]?[\d.,]*\d[\d.,]*\s*[^\s\d]{0,12}$|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}$")
YEAR = re.compile(r"(?:19|20)\d\d$")
HEADER_CHARS = 50


def row_text(cells: Sequence[str]) -> str:
    r"""Return a row; a bar inside a cell becomes a slash.

    >>> row_text(["Leave", "25\n days", "a|b"])
    '| Leave | 25 days | a/b |'
    """
    return "| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |"


def table_blocks(rows: Sequence[Row], header: bool | None = None) -> Iterator[Block]:
    """Yield a table, or each row alone where there is no header; None: look at the first row."""
    if header is None:
        header = len(rows) > 1 and is_header(rows[0][1])
    lines = [(number, row_text(cells)) for number, cells in rows]
    if header and lines:
        yield Block("table", tuple(lines))
    else:
        yield from (Block("table", (line,)) for line in lines)


def is_header(cells: Sequence[str]) -> bool:
    """Whether cells look like names of columns: short, different from each other, no values or sentences.

    >>> is_header(["article", "price", "2024"]), is_header(["Hub", "1,490", "red"])
    (True, False)
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or max(map(len, filled)) > HEADER_CHARS or len(set(filled)) < len(filled):
        return False
    values = [c for c in filled if (NUMBER.match(c) and not YEAR.match(c)) or c.endswith((".", "!", "?"))]
    return not values and not all(YEAR.match(c) for c in filled)


def csv_rows(text: str, name: str) -> list[Row]:
    """Return the rows that hold text, each with the line where it begins.

    Commas, semicolons, tabs or bars; quoted cells may hold line breaks.  Raises `InputError` for an open quote.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text), strict=True, skipinitialspace=True)
    rows: list[Row] = []
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{name}: not readable as CSV: {error}, in the row that begins at line {begins}; check its quotes"
        ) from error
    return rows


def delimiter(text: str) -> str:
    r"""Return the delimiter that cuts the rows most evenly into two or more cells; a comma where none does.

    >>> delimiter("name;price\nHub;1,5\nCable;2,5\n")
    ';'
    """
    sample = text[:SAMPLE_CHARS]
    if len(text) > SAMPLE_CHARS and "\n" in sample:
        sample = sample[: sample.rindex("\n")]

    def evenness(candidate: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=candidate) if row)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        return (count / widths.total() if width > 1 else 0.0, width)

    return max(DELIMITERS, key=evenness)
