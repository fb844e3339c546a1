"""Passages to sentences with exact character offsets, and windows for what is longer than a model's limit.

Lines decide the block (heading, list item, table row, code, prose); sentencex finds the sentences inside prose
and items.  Offsets always slice back: ``span.text == passage.text[span.start:span.end]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sentencex

from .evidence import Passage, Sentence, Span

HEADING = re.compile(r"[ \t]{0,3}(#{1,6})[ \t]+(?=\S)")
UNDERLINE = re.compile(r"[ \t]{0,3}(=+|-{3,})[ \t]*$")
ITEM = re.compile(r"[ \t]*(?:>[ \t]*)*(?:[-*+•‣◦–]|\(?(?:\d{1,3}|[A-Za-z])[.)])[ \t]+(?=\S)")
QUOTE = re.compile(r"[ \t]*(?:>[ \t]*)+")
FENCE = re.compile(r"[ \t]*(?:```|~~~)")
RULE = re.compile(r"[\s|:\-=+*_]*$")


@dataclass(slots=True)
class _Block:
    kind: str
    start: int
    end: int
    level: int = 0


def segment(passage: Passage) -> list[Sentence]:
    """Return the sentences in order; ``context`` is the headings above, and a table's header row.

    >>> [s.text for s in segment(Passage("p", "# Fees\\n- Entry is free. Food costs 3.50 EUR."))]
    ['Fees', 'Entry is free.', 'Food costs 3.50 EUR.']
    """
    sentences: list[Sentence] = []
    headings: dict[int, str] = {}
    header = ""
    for block in _blocks(passage.text):
        if block.kind != "row":
            header = ""
        if block.kind == "heading":
            headings = {level: text for level, text in headings.items() if level < block.level}
        context = " › ".join((*(headings[level] for level in sorted(headings)), *([header] if header else [])))
        for start, end in _spans(passage.text, block):
            text = passage.text[start:end]
            sentences.append(Sentence(Span(passage.id, start, end, text), context, block.kind))
            if block.kind == "heading":
                headings[block.level] = text
            if block.kind == "row" and not header:
                header = text
    return sentences


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _blocks(text: str) -> Iterator[_Block]:
    """Group lines into blocks; prose and item lines join the block above until a blank line."""
    open_block: _Block | None = None
    in_code = False
    for start, end in _lines(text):
        line = text[start:end].rstrip("\r")
        if FENCE.match(line):
            in_code = not in_code
            if open_block:
                yield open_block
            open_block = None
            continue
        if (
            open_block
            and open_block.kind == "prose"
            and UNDERLINE.match(line)
            and "\n" not in text[open_block.start : open_block.end].strip()
        ):
            yield _Block("heading", open_block.start, open_block.end, 1 if "=" in line else 2)
            open_block = None
            continue
        kind, offset, level = _kind(line, in_code)
        if kind == "prose" and open_block and open_block.kind in ("prose", "item"):
            open_block.end = start + len(line)
            continue
        if open_block:
            yield open_block
            open_block = None
        if kind in ("prose", "item"):
            open_block = _Block(kind, start + offset, start + len(line))
        elif kind:
            yield _Block(kind, start + offset, start + len(line), level)
    if open_block:
        yield open_block


def _kind(line: str, in_code: bool) -> tuple[str, int, int]:
    """Return (kind, offset of the content, heading level); an empty kind is a blank or a rule."""
    if in_code and line.strip():
        return "code", 0, 0
    if RULE.match(line):
        return "", 0, 0
    if heading := HEADING.match(line):
        return "heading", heading.end(), len(heading.group(1))
    if line.strip().startswith("|") or line.count("|") >= 2 or line.count("\t") >= 2:
        return "row", 0, 0
    if item := ITEM.match(line):
        return "item", item.end(), 0
    quote = QUOTE.match(line)
    return "prose", quote.end() if quote else 0, 0


def _spans(text: str, block: _Block) -> Iterator[tuple[int, int]]:
    content = text[block.start : block.end]
    if block.kind in ("prose", "item"):
        # A hard-wrapped line continues its sentence: show the splitter spaces, which keeps all offsets.
        parts = [b["text"] for b in sentencex.get_sentence_boundaries("en", re.sub(r"[\r\n]", " ", content))]
        if sum(map(len, parts)) != len(content):
            parts = [content]
    else:
        parts = [content]
    start = block.start
    for part in parts:
        stripped = part.strip()
        if any(c.isalnum() for c in stripped):
            begin = start + part.index(stripped)
            yield begin, begin + len(stripped)
        start += len(part)


def windows(text: str, n_tokens: Callable[[str], int], max_tokens: int, overlap: float = 0.25) -> list[tuple[int, int]]:
    """Return overlapping character windows that cover ``text``, each of at most ``max_tokens`` tokens.

    Cut between words; a single word beyond the limit is cut inside.  Each word is counted once, so the cost
    is linear; the sum over words bounds the count of their joined text for word-piece tokenizers.
    """
    if max_tokens < 1:
        raise ValueError("max_tokens must be at least 1")
    pieces: list[tuple[int, int, int]] = []
    for match in re.finditer(r"\S+", text):
        start, end = match.span()
        count = max(1, n_tokens(match.group()))
        step = end - start if count <= max_tokens else max(1, min(max_tokens, (end - start) * max_tokens // count // 2))
        for at in range(start, end, step):
            stop = min(end, at + step)
            pieces.append((at, stop, max(1, n_tokens(text[at:stop]))))
    if sum(n for _, _, n in pieces) <= max_tokens:
        return [(0, len(text))]
    found: list[tuple[int, int]] = []
    first = 0
    while first < len(pieces):
        last, used = first, 0
        while last < len(pieces) and (last == first or used + pieces[last][2] <= max_tokens):
            used += pieces[last][2]
            last += 1
        found.append((pieces[first][0], pieces[last - 1][1]))
        if last >= len(pieces):
            break
        back, kept = last, 0
        while back > first + 1 and kept + pieces[back - 1][2] <= overlap * max_tokens:
            back -= 1
            kept += pieces[back][2]
        first = back
    return found
