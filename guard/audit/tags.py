"""HTML to a stream of tags and text, in time linear in its length whatever it holds.

Source: the tokenization chapter of the HTML standard, without its states for what is never shown.  Where a page ends
inside a tag, a comment or a quoted value, what is left is read as text: nothing is lost to a missing quote.
The parser of the standard library takes quadratic time on unclosed tags and comments in many releases.
Knows nothing about what the tags mean.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

RAW = ("script", "style")  # elements whose content is no markup
END_OF_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in RAW}
NAME = re.compile(r"[A-Za-z][^\s/>]*")
ATTRIBUTE = re.compile(r"[^\s/>][^\s/>=]*")
GAP = re.compile(r"[\s/]*")
EQUALS = re.compile(r"\s*=\s*")
UNQUOTED = re.compile(r"[^\s>]*")
NO_CHARACTER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9A-Fa-f]{7,});?")
CDATA = "<![CDATA["


class Tag(NamedTuple):
    """A tag or, where ``name`` is empty, a piece of text.  ``line`` is where it begins, from 1."""

    line: int
    name: str
    text: str = ""
    closes: bool = False
    attributes: Mapping[str, str] = {}


def tags(text: str) -> Iterator[Tag]:
    """Yield start tags, end tags and text in order; a tag that closes itself (``<br/>``) is both.

    >>> [(tag.name or tag.text, tag.closes) for tag in tags("<p class=a>1 &lt; 2<br/></P>")]
    [('p', False), ('1 < 2', False), ('br', False), ('br', True), ('p', True)]
    """
    page = _Page(text)
    at, line, counted = 0, 1, 0
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        if text[at] != "<" or page.is_text(at):
            following = text.find("<", at + 1) if at < page.last_tag else -1
            end = len(text) if following < 0 else following
            yield Tag(line, "", unescaped(text[at:end]))
        elif text.startswith(CDATA, at):
            close = text.find("]]>", at) if at < page.last_cdata else -1
            end = at + len(CDATA) if close < 0 else close + 3
            yield Tag(line, "", text[at + len(CDATA) : max(close, at + len(CDATA))])
        elif text[at + 1] in "!?" or not NAME.match(text, at + 1 + (text[at + 1] == "/")):
            end = page.end_of_comment(at)
        elif text[at + 1] == "/":
            end = text.index(">", at) + 1
            yield Tag(line, page.name(at + 2).lower(), closes=True)
        else:
            name = page.name(at + 1).lower()
            end, attributes = page.attributes(at + 1 + len(name))
            yield Tag(line, name, attributes=attributes)
            if text[end - 2] == "/":
                yield Tag(line, name, closes=True)
            elif name in RAW:
                end_tag = END_OF_RAW[name].search(text, end)
                end = end_tag.start() if end_tag else len(text)
        at = end


def unescaped(text: str) -> str:
    """`html.unescape`, which fails on a number of more digits than Python reads."""
    return html.unescape(NO_CHARACTER.sub("\ufffd", text)) if "&" in text else text


class _Page:
    """A text and where its last closing marks stand: what has none ahead is not looked for again and again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.last_tag, self.last_comment, self.last_cdata = (text.rfind(mark) for mark in (">", "-->", "]]>"))

    def is_text(self, at: int) -> bool:
        """Whether the ``<`` there opens nothing."""
        if at >= self.last_tag:
            return True
        return not (self.text[at + 1] in "!?/" or (self.text[at + 1].isascii() and self.text[at + 1].isalpha()))

    def end_of_comment(self, at: int) -> int:
        """Return the end of a comment, declaration or instruction; of a comment that is never closed, of its mark."""
        if not self.text.startswith("<!--", at):
            return self.text.index(">", at) + 1
        return self.text.index("-->", at + 2) + 3 if at + 2 <= self.last_comment else at + 4

    def name(self, at: int) -> str:
        found = NAME.match(self.text, at)
        return found.group() if found else ""

    def attributes(self, at: int) -> tuple[int, dict[str, str]]:
        """Return the end of a start tag, and its attributes; of several with one name the first counts."""
        found: dict[str, str] = {}
        while (at := self._after(GAP, at)) <= self.last_tag and self.text[at] != ">":
            name = self.text[at : (at := self._after(ATTRIBUTE, at))].lower()
            value = ""
            if equals := EQUALS.match(self.text, at):
                at, value = self._value(equals.end())
            found.setdefault(name, unescaped(value))
        return at + 1, found

    def _value(self, at: int) -> tuple[int, str]:
        """Return the end of a value, and the value; a quote that is not closed inside the page is none."""
        mark = self.text[at]
        close = self.text.find(mark, at + 1, self.last_tag) if mark in "\"'" else -1
        if close >= 0:
            return close + 1, self.text[at + 1 : close]
        end = self._after(UNQUOTED, at)
        return end, self.text[at:end]

    def _after(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self.text, at)
        return found.end() if found else at
