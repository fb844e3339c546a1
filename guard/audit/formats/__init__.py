"""The formats of an audit report: one pure function each, from a `Report` to text, in one registry.

The report for a terminal, ``text``, is not here: it needs to know the terminal (`guard.cli.render`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from guard.audit.report import Report

from . import data, github, junit, markdown, sarif, webpage

TEXT = "text"
ASTRAL_AND_BELOW = re.compile(r"[^\x00-\x7f]")


def _json_escaped(text: str) -> str:
    """Escape for JSON, where characters beyond ASCII stand in strings only."""
    return ASTRAL_AND_BELOW.sub(lambda match: json.dumps(match.group())[1:-1], text)


def _xml_escaped(text: str) -> str:
    """Escape for XML, HTML and Markdown."""
    return text.encode("ascii", "xmlcharrefreplace").decode()


@dataclass(frozen=True, slots=True)
class Format:
    """``render`` makes the whole report; ``escape`` rewrites it for a stream that cannot hold every character."""

    render: Callable[[Report], str]
    suffixes: tuple[str, ...] = ()
    escape: Callable[[str], str] = str


FORMATS = {
    "json": Format(data.as_json, (".json",), _json_escaped),
    "jsonl": Format(data.as_jsonl, (".jsonl",), _json_escaped),
    "sarif": Format(sarif.render, (".sarif", ".sarif.json"), _json_escaped),
    "junit": Format(junit.render, (".xml",), _xml_escaped),
    "github": Format(github.render),
    "markdown": Format(markdown.render, (".md", ".markdown"), _xml_escaped),
    "html": Format(webpage.render, (".html", ".htm"), _xml_escaped),
}
NAMES = (TEXT, *FORMATS)


def by_ending(path: Path) -> str:
    """Return the format that the ending of a file name stands for; ``text`` for any other.

    >>> by_ending(Path("report.sarif.json")), by_ending(Path("report.HTML")), by_ending(Path("report"))
    ('sarif', 'html', 'text')
    """
    name = path.name.lower()
    endings = {suffix: each for each, format in FORMATS.items() for suffix in format.suffixes if name.endswith(suffix)}
    return endings[max(endings, key=len)] if endings else TEXT


def write(name: str, report: Report, stream: TextIO) -> None:
    """Write the report in a format of the registry."""
    format = FORMATS[name]
    text = format.render(report)
    is_utf8 = (stream.encoding or "utf-8").lower().replace("-", "") == "utf8"
    stream.write(text if is_utf8 else format.escape(text))
