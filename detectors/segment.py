"""Passages to sentences with exact character offsets, and windows for what is longer than a model's limit.

`blocks` finds the headings, items, rows and prose; sentencex finds the sentences inside prose and items.
Offsets always slice back: ``span.text == passage.text[span.start:span.end]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import sentencex

from .blocks import Block, blocks
from .entries import about, document_of, entry_of, headings_of
from .evidence import Passage, Sentence, Span
from .subjects import with_subjects

SPLIT_CHARS = 20_000  # sentencex is quadratic in unclosed quotes
BLANK_LINE = re.compile(r"(?:\r\n|\r|\n)[ \t>]*(?:\r\n|\r|\n)")
PRONOUN = re.compile(r"(?:It|They|He|She|This|These|Those|Its|Their|His|Her|Both)\b")
WRAP = re.compile(r"[\r\n]+(?:[ \t]*>)*")


def segment(passage: Passage) -> list[Sentence]:
    """Return the sentences in order; ``context`` is the headings above, and a table's header row.

    >>> [s.text for s in segment(Passage("p", "# Fees\\n- Entry is free. Food costs 3.50 EUR."))]
    ['Fees', 'Entry is free.', 'Food costs 3.50 EUR.']
    """
    sentences: list[Sentence] = []
    outer, document = headings_of(passage), document_of(passage)
    headings: dict[int, str] = {}
    header, above = "", 0
    for block in blocks(passage.text):
        if block.kind != "row" or BLANK_LINE.search(passage.text, above, block.start):
            header = ""
        above = block.end
        if block.kind == "heading":
            headings = {level: text for level, text in headings.items() if level < block.level}
        above_it = [headings[level] for level in sorted(headings)]
        context = " › ".join([*above_it, header] if header else above_it)
        path = (*outer, *above_it)
        words = frozenset[str]().union(*map(about, path))
        before = ""
        for start, end in _spans(passage.text, block):
            text = passage.text[start:end]
            span = Span(passage.id, start, end, text)
            needed = before if PRONOUN.match(text) else ""
            entry = entry_of(needed or text, path)
            sentences.append(
                Sentence(span, context, block.kind, needed, headings=words, entry=entry, document=document)
            )
            before = text
            if block.kind == "heading":
                headings[block.level] = text
            if block.kind == "row" and not header:
                header = text
    return with_subjects(sentences)


def _spans(text: str, block: Block) -> Iterator[tuple[int, int]]:
    content = text[block.start : block.end]
    start = block.start
    for part in _parts(content) if block.kind in ("prose", "item") else [content]:
        stripped = part.strip()
        if any(c.isalnum() for c in stripped):
            begin = start + len(part) - len(part.lstrip())
            yield begin, begin + len(stripped)
        start += len(part)


def _parts(content: str) -> Iterator[str]:
    """Yield the sentences, which join to the whole length; one beyond `SPLIT_CHARS` comes in pieces."""
    # A hard-wrapped line continues its sentence: show the splitter spaces, which keeps all offsets.
    shown = WRAP.sub(lambda wrap: " " * len(wrap.group()), content)
    at = 0
    while at < len(shown):
        chunk, more = shown[at : at + SPLIT_CHARS], at + SPLIT_CHARS < len(shown)
        if more and " " in chunk:
            chunk = chunk[: chunk.rindex(" ") + 1]
        parts = [boundary["text"] for boundary in sentencex.get_sentence_boundaries("en", chunk)]
        if "".join(parts) != chunk:
            parts = [chunk]
        if more and len(parts) > 1:
            parts.pop()  # it may go on in the next chunk
        yield from parts
        at += sum(map(len, parts))


def windows(text: str, n_tokens: Callable[[str], int], max_tokens: int, overlap: float = 0.25) -> list[tuple[int, int]]:
    """Return character windows that cover all of ``text``, each of at most ``max_tokens`` tokens.

    Cut between words; a word beyond the limit is cut inside, and only a single character may exceed it.
    Neighbours overlap by about ``overlap`` of the limit, and by nothing only where the next word would not
    fit beside the last one.  Each distinct word and each window is counted once, so the cost is linear.
    """
    if max_tokens < 1:
        raise ValueError("max_tokens must be at least 1")
    if n_tokens(text) <= max_tokens:
        return [(0, len(text))]
    pieces = list(_pieces(text, lru_cache(maxsize=65_536)(n_tokens), max_tokens, overlap))
    found: list[tuple[int, int]] = []
    first = reached = 0
    while reached < len(pieces):
        last, used = first, 0
        while last < len(pieces) and (last == first or used + pieces[last][2] <= max_tokens):
            used += pieces[last][2]
            last += 1
        while last - first > 1 and n_tokens(text[pieces[first][0] : pieces[last - 1][1]]) > max_tokens:
            last -= 1
        if last <= reached:  # the overlap left no room for the next piece
            first += 1
            continue
        found.append((pieces[first][0], pieces[last - 1][1]))
        opened, first, reached = first, last, last
        kept = 0
        while reached < len(pieces) and first - 1 > opened:
            kept += pieces[first - 1][2]
            wanted = first == reached or kept <= overlap * max_tokens
            if not wanted or kept + pieces[reached][2] > max_tokens:
                break
            first -= 1
    return found


def _pieces(text: str, count: Callable[[str], int], max_tokens: int, overlap: float) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, tokens) of every word with the space after it, halved while it is too long."""
    for match in re.finditer(r"\s*\S+\s*|\s+", text):
        todo = [(match.span(), max_tokens)]
        while todo:
            (start, end), limit = todo.pop()
            n = max(1, count(text[start:end]))
            if n <= limit or end - start == 1:
                yield start, end, n
                continue
            middle, small = (start + end) // 2, max(1, int(max_tokens * overlap))
            todo += [((middle, end), small), ((start, middle), small)]
