"""Where passages sit in a chat request, and how a repaired context is written back to the same place.

One function for each wire format, all in the registry `EXTRACTORS`.  The formats are those that applications send
today: vLLM's, Hugging Face's and Cohere's ``documents``, ``role: "tool"`` messages, and the prompt templates of Open
WebUI, AnythingLLM and LlamaIndex.  An application pastes passages into its template unescaped, so a passage may hold
the template's own markers.  An element therefore ends at the *last* end marker before the next element starts; what
looks forged is named in `Search.unread`, so that no such request is called clean, and markers inside a passage are
made harmless when the text is written back.

Knows nothing about HTTP, verdicts or models; never changes what it is given.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from detectors.evidence import Passage, Unverified

FIELD = "passageguard"  # ours, in requests and, where asked for, in answers
TEXT_KEYS = ("text", "snippet", "content", "page_content")
NOTE = re.compile(r"\[(?=\s*PassageGuard\b)", re.I)  # what our own notes begin with
MARKUP = str.maketrans("<>[]", "()()")
BLANK_LINE = re.compile(r"\n[ \t\r]*\n\s*")
SURROGATE = re.compile(r"[\ud800-\udfff]")
QUERY = re.compile(
    r"<user_query>(?P<tag>.{1,2000}?)</user_query>|^(?:query|question|user question)[ \t]*:[ \t]*(?P<line>\S[^\n]*)",
    re.I | re.M | re.S,
)

FORGED = "markers of the context template inside a passage: where passages end is not sure"

Path = tuple[str | int, ...]
Chat = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Repair:
    """What is to be written back.

    ``order`` holds the ids that stay, as they should be used; ``notes`` has lines to stand before a passage's text,
    also for passages that were taken out; ``notice`` is a line to stand before the first passage, or empty.
    """

    order: Sequence[str]
    notes: Mapping[str, str]
    notice: str = ""

    def told(self, passage_id: str, text: str) -> str:
        """Return the passage's text, its note before it; a note that the passage forged is none any more."""
        note, text = self.notes.get(passage_id), NOTE.sub(_harmless, text)
        return f"{note}\n{text}" if note else text


class Place(Protocol):
    """A value of the request that holds passages."""

    @property
    def path(self) -> Path: ...

    @property
    def passages(self) -> Sequence[Passage]: ...

    def rewritten(self, repair: Repair) -> Any:
        """Return the value with the repaired passages in it."""
        ...


@dataclass(slots=True)
class Search:
    """What the extractors found so far.

    ``unread`` says what could not be understood or trusted; ``is_forged`` whether a passage holds markers of a template
    or of our notes, which `Place.rewritten` makes harmless.
    """

    chat: Chat
    places: list[Place] = field(default_factory=list)
    unread: list[Unverified] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)  # how often each was wanted
    is_forged: bool = False

    @property
    def passages(self) -> list[Passage]:
        return [p for place in self.places for p in place.passages]

    def passage(self, wanted_id: str, text: str, metadata: Mapping[str, Any] | None = None) -> Passage:
        """Return a passage with an id of its own; half a surrogate pair, which no model reads, becomes U+FFFD."""
        base = passage_id = SURROGATE.sub("\ufffd", wanted_id)
        while passage_id in self.ids:
            self.ids[base] += 1
            passage_id = f"{base}-{self.ids[base]}"
        self.ids[passage_id] = 1
        if NOTE.search(text):
            self.suspect(passage_id, "the passage holds what looks like a note of PassageGuard")
        return Passage(passage_id, SURROGATE.sub("\ufffd", text), metadata or {})

    def suspect(self, subject: str, reason: str) -> None:
        """Remember a forgery: such a context is never called clean."""
        self.is_forged = True
        if Unverified(subject, reason) not in self.unread:
            self.unread.append(Unverified(subject, reason))

    def texts(self, roles: Sequence[str]) -> Iterator[tuple[Path, str]]:
        """Yield (path, text) of the messages in these roles: a string, or parts of type ``text``."""
        messages = self.chat.get("messages")
        for i, message in enumerate(messages if isinstance(messages, list) else []):
            if isinstance(message, dict) and message.get("role") in roles:
                for path, text in _texts(message.get("content")):
                    yield ("messages", i, "content", *path), text

    def free_texts(self) -> Iterator[tuple[Path, str]]:
        """Yield the texts that a template may stand in and in which none was found yet."""
        taken = {place.path for place in self.places}
        return ((p, t) for p, t in self.texts(("system", "developer", "user")) if p not in taken)


def find(chat: Chat, names: Sequence[str], pattern: str | None = None) -> Search:
    """Return the passages of a request, from the extractors named, in the registry's order."""
    search = Search(chat)
    for name, extract in EXTRACTORS.items():
        if name in names:
            extract(search, pattern)
    return search


def question(search: Search) -> str | None:
    """Return the last user message without the context in it, or None."""
    users = [(path, text) for path, text in search.texts(("user",))]
    if not users:
        return None
    last = int(users[-1][0][1])
    rest = without_context(search, last)
    has_context = any(isinstance(p, TextPlace) and p.path[:2] == ("messages", last) for p in search.places)
    stated = QUERY.search(rest) if has_context else None
    return (stated["tag"] or stated["line"] if stated else rest).strip() or None


def without_context(search: Search, at: int) -> str:
    """Return the text of message ``at`` without the passages that were found in it."""
    places = {place.path: place for place in search.places}
    outside: list[str] = []
    for path, text in _texts(search.chat["messages"][at].get("content")):
        place = places.get(("messages", at, "content", *path))
        outside.append(text if place is None else place.outside() if isinstance(place, TextPlace) else "")
    return SURROGATE.sub("\ufffd", "\n".join(outside)).strip()


def replaced(tree: Any, path: Path, value: Any) -> Any:
    """Return a copy of the tree with another value at the path.

    >>> replaced({"a": [1, 2]}, ("a", 0), 3)
    {'a': [3, 2]}
    """
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(tree, list) and isinstance(head, int):
        return [*tree[:head], replaced(tree[head], rest, value), *tree[head + 1 :]]
    return {**tree, head: replaced(tree[head], rest, value)}


# documents


@dataclass(frozen=True, slots=True)
class DocumentsPlace:
    """The field ``documents``.  ``homes`` maps a passage id to (index, path of the text in the document)."""

    documents: list[Any]
    passages: tuple[Passage, ...]
    homes: Mapping[str, tuple[int, Path]]
    path: Path = ("documents",)

    def rewritten(self, repair: Repair) -> list[Any]:
        """Return the documents in the repaired order; what was not understood follows, untouched."""
        kept = [self._document(i, repair) for i in repair.order if i in self.homes]
        if kept and repair.notice:
            first = next(i for i in repair.order if i in self.homes)
            text_path = self.homes[first][1]
            kept[0] = replaced(kept[0], text_path, f"{repair.notice}\n{_at(kept[0], text_path)}")
        understood = {index for index, _ in self.homes.values()}
        return [*kept, *(d for i, d in enumerate(self.documents) if i not in understood)]

    def _document(self, passage_id: str, repair: Repair) -> Any:
        index, path = self.homes[passage_id]
        document = self.documents[index]
        return replaced(document, path, repair.told(passage_id, _at(document, path)))


def documents(search: Search, _: str | None) -> None:
    """``[{"id", "title", "text"}]``, ``[{"id", "data": {"text"}}]``, ``[{"data": "…"}]`` and plain strings."""
    given = search.chat.get("documents")
    if given is None or given == []:
        return
    if not isinstance(given, list):
        search.unread.append(Unverified("documents", "not a list; its text was not checked"))
        return
    found: list[Passage] = []
    homes: dict[str, tuple[int, Path]] = {}
    for i, document in enumerate(given):
        path = _text_path(document)
        if path is None:
            search.unread.append(Unverified(f"documents[{i}]", "no text found in it; not checked"))
            continue
        own = document if isinstance(document, dict) else {}
        wanted, metadata = own.get("id"), own.get("metadata")
        declared = {k: v for k, v in own.items() if k not in ("id", "metadata", "data") and k not in TEXT_KEYS}
        passage = search.passage(
            wanted if isinstance(wanted, str) and wanted else f"document-{i + 1}",
            _at(document, path),
            {**declared, **(metadata if isinstance(metadata, dict) else {})},
        )
        found.append(passage)
        homes[passage.id] = (i, path)
    if found:
        search.places.append(DocumentsPlace(given, tuple(found), homes))


def _text_path(document: Any) -> Path | None:
    if isinstance(document, str):
        return ()
    if not isinstance(document, dict):
        return None
    data = document.get("data")
    if isinstance(data, str):
        return ("data",)
    prefix: Path = ("data",) if isinstance(data, dict) else ()
    inside = data if isinstance(data, dict) else document
    key = next((k for k in TEXT_KEYS if isinstance(inside.get(k), str)), None)
    return (*prefix, key) if key else None


def rendered(documents: Any, sign: str) -> str:
    """Return documents as text whose markers carry ``sign``, which no passage can know."""
    lines, nothing = [f"[Documents {sign}]"], Repair((), {})
    for i, document in enumerate(documents if isinstance(documents, list) else [], 1):
        path = _text_path(document)
        if path is not None:
            title = document.get("title") if isinstance(document, dict) else None
            lines += [f"[Document {sign} number {i}]", *([nothing.told("", title)] if isinstance(title, str) else [])]
            lines.append(_at(document, path))
    return "\n".join([*lines, f"[End of documents {sign}]"])


def with_context(chat: Chat, text: str) -> Chat:
    """Return the chat with text before the last user message, or in a user message of its own."""
    messages = chat.get("messages")
    given: list[Any] = messages if isinstance(messages, list) else []
    users = [i for i, m in enumerate(given) if isinstance(m, dict) and m.get("role") == "user"]
    if not users:
        return {**chat, "messages": [*given, {"role": "user", "content": text}]}
    content = given[users[-1]].get("content")
    more = [{"type": "text", "text": text}, *content] if isinstance(content, list) else f"{text}\n\n{content or ''}"
    return {**chat, "messages": replaced(given, (users[-1], "content"), more)}


# messages


@dataclass(frozen=True, slots=True)
class ToolPlace:
    """One text of a tool's message.  It answers a call, so it never moves, and goes only as far as a note can say."""

    path: Path
    text: str
    passages: tuple[Passage, ...]

    def rewritten(self, repair: Repair) -> str:
        passage_id = self.passages[0].id
        text = self.text if passage_id in repair.order else ""
        notice = f"{repair.notice}\n" if repair.notice else ""
        return notice + repair.told(passage_id, text)


def tools(search: Search, _: str | None) -> None:
    """``{"role": "tool", "content": "…"}``: each text is one passage, and each of Cohere's document parts."""
    told = [*search.texts(("tool",)), *_document_parts(search.chat)]
    for n, (path, text) in enumerate(sorted((p, t) for p, t in told if t.strip()), 1):
        search.places.append(ToolPlace(path, text, (search.passage(f"tool-{n}", text),)))


def _document_parts(chat: Chat) -> Iterator[tuple[Path, str]]:
    """``{"role": "tool", "content": [{"type": "document", "document": {"data": …}}]}``."""
    messages = chat.get("messages")
    for i, message in enumerate(messages if isinstance(messages, list) else []):
        content = message.get("content") if isinstance(message, dict) and message.get("role") == "tool" else None
        for n, part in enumerate(content if isinstance(content, list) else []):
            document = part.get("document") if isinstance(part, dict) else None
            path = _text_path(document) if isinstance(document, dict) else None
            if path is not None:
                yield ("messages", i, "content", n, "document", *path), _at(document, path)


# templates in messages


@dataclass(frozen=True, slots=True)
class Element:
    """One passage in a text.  ``start:end`` spans it with its markers, ``text_start:text_end`` without."""

    passage: Passage
    start: int
    text_start: int
    text_end: int
    end: int


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A message's text with passages in it.  ``markers`` matches what a passage must not contain."""

    path: Path
    text: str
    elements: tuple[Element, ...]
    markers: re.Pattern[str]

    @property
    def passages(self) -> tuple[Passage, ...]:
        return tuple(e.passage for e in self.elements)

    def rewritten(self, repair: Repair) -> str:
        """Fill the elements' places with those that stay, in their order; the text between them stays as it is."""
        by_id = {e.passage.id: e for e in self.elements}
        pieces = [self._piece(by_id[i], repair) for i in repair.order if i in by_id]
        pieces += [""] * (len(self.elements) - len(pieces))
        out = [self.text[: self.elements[0].start], f"{repair.notice}\n" if repair.notice else ""]
        ends = [*(e.start for e in self.elements[1:]), len(self.text)]
        for element, piece, end in zip(self.elements, pieces, ends, strict=True):
            out += [piece, self.text[element.end : end]]
        return "".join(out)

    def outside(self) -> str:
        """Return the text after the passages, or before them where nothing follows."""
        before, after = self.text[: self.elements[0].start], self.text[self.elements[-1].end :]
        after = TAGS.sub("", after)
        return after if re.search(r"\w", after) else before

    def _piece(self, element: Element, repair: Repair) -> str:
        opening, closing = (element.start, element.text_start), (element.text_end, element.end)
        text = self.markers.sub(_harmless, self.text[element.text_start : element.text_end])
        return self.text[slice(*opening)] + repair.told(element.passage.id, text) + self.text[slice(*closing)]


@dataclass(frozen=True, slots=True)
class Template:
    """How an application marks passages.

    ``opening`` may have a group ``id``, which names the passage ``prefix``-id, and a group ``fence``, which ``closing``
    then repeats.  ``repeats``: whether an id may come twice, then with the
    same opening.  ``by_paragraph``: an element holds many passages, one a paragraph.  Patterns take linear time.
    """

    opening: re.Pattern[str]
    closing: re.Pattern[str]
    prefix: str
    repeats: bool = False
    by_paragraph: bool = False


TEMPLATES = {
    # <source id="1" name="leave.md">…</source>
    "openwebui": Template(
        re.compile(r"""<source\s[^<>]{0,500}?\bid=["'](?P<id>[^"'<>]{1,100})["'][^<>]{0,500}>"""),
        re.compile(r"</source\s*>"), "source", repeats=True,
    ),
    # [CONTEXT 0]:\n…\n[END CONTEXT 0]
    "anythingllm": Template(
        re.compile(r"\[CONTEXT (?P<id>\d{1,6})\]:\r?\n"), re.compile(r"\r?\n\[END CONTEXT \d{1,6}\]"), "context"
    ),
    # <context>…</context>
    "context": Template(
        re.compile(r"<context(?:\s[^<>]{0,500})?>"), re.compile(r"</context\s*>"), "paragraph", by_paragraph=True
    ),
    # Context information is below.\n---------------------\n…\n---------------------
    "llamaindex": Template(
        re.compile(r"\bcontext\b[^\n]{0,200}\r?\n(?P<fence>-{10,100})\r?\n", re.I),
        re.compile(r"\r?\n(?P<fence>-{10,100})(?=\r?\n|$)"), "paragraph", by_paragraph=True,
    ),
}  # fmt: skip


TAGS = re.compile(
    "|".join(
        f"{t.opening.pattern}|{t.closing.pattern}" for t in TEMPLATES.values() if not t.opening.flags & re.I
    ).replace("(?P<id>", "(?:")
)  # what no passage may hold, whatever the template around it
NOTHING = re.compile(r"(?!)")


def templated(template: Template, search: Search, _: str | None) -> None:
    """Passages between a template's markers."""
    for path, text in search.free_texts():
        elements = list(_elements(template, search, path, text))
        if elements:
            search.places.append(TextPlace(path, text, tuple(elements), _markers(template)))


def _elements(template: Template, search: Search, path: Path, text: str) -> Iterator[Element]:
    openings = list(template.opening.finditer(text))
    closings = list(template.closing.finditer(text))
    starts = [c.start() for c in closings]
    if not openings:
        return
    if not _in_sequence(openings, template.repeats):
        search.suspect(_name(path), FORGED)
    for opening, limit in zip(openings, [*(m.start() for m in openings[1:]), len(text)], strict=True):
        inside = closings[bisect_left(starts, opening.end()) : bisect_left(starts, limit)]
        fence = opening.groupdict().get("fence")
        ends = [c for c in inside if c.end() <= limit and c.groupdict().get("fence") == fence]
        if len(ends) != 1 or TAGS.search(text, opening.end(), ends[0].start()):
            search.suspect(_name(path), FORGED)
        if not ends:
            continue
        last = ends[-1]
        if template.by_paragraph:
            yield from _paragraphs(template, search, text, opening.end(), last.start())
        elif text[opening.end() : last.start()].strip():
            passage = search.passage(f"{template.prefix}-{opening['id']}", text[opening.end() : last.start()])
            yield Element(passage, opening.start(), opening.end(), last.start(), last.end())


def _paragraphs(template: Template, search: Search, text: str, start: int, end: int) -> Iterator[Element]:
    breaks = [(m.start(), m.end()) for m in BLANK_LINE.finditer(text, start, end)]
    for first, last in zip([start, *(b for _, b in breaks)], [*(a for a, _ in breaks), end], strict=True):
        inside = text[first:last]
        if inside.strip():
            a = first + len(inside) - len(inside.lstrip())
            b = first + len(inside.rstrip())
            yield Element(search.passage(f"{template.prefix}-{len(search.ids) + 1}", text[a:b]), a, a, b, b)


def _in_sequence(openings: Sequence[re.Match[str]], repeats: bool) -> bool:
    """Whether numbered openings count up by one, as an application numbers them and a forger can hardly."""
    seen: dict[str, str] = {}
    for opening in openings:
        number = opening.groupdict().get("id")
        if number in seen and not (repeats and seen[number] == opening[0]):
            return False
        if number is not None:
            seen[number] = opening[0]
    numbers = [int(n) for n in seen if n.isdecimal()]
    return not numbers or [*seen] == [str(n) for n in range(numbers[0], numbers[0] + len(seen))]


def own_pattern(search: Search, pattern: str | None) -> None:
    """Passages that a configured pattern finds: its group ``text``, and ``id`` where there is one."""
    if pattern is None:
        return
    expression = re.compile(pattern)
    for path, text in search.free_texts():
        elements: list[Element] = []
        for match in expression.finditer(text):
            if match["text"] and match["text"].strip():
                number = match.groupdict().get("id") or str(len(elements) + 1)
                passage = search.passage(f"passage-{number}", match["text"])
                elements.append(Element(passage, match.start(), *match.span("text"), match.end()))
        if elements:
            search.places.append(TextPlace(path, text, tuple(elements), NOTHING))


Extractor = Callable[[Search, str | None], None]
EXTRACTORS: dict[str, Extractor] = {
    "documents": documents,
    "tools": tools,
    **{name: partial(templated, template) for name, template in TEMPLATES.items()},
    "regex": own_pattern,
}


def _markers(template: Template) -> re.Pattern[str]:
    """Return what a passage of the template must not hold when it is written back."""
    own = f"{template.opening.pattern}|{template.closing.pattern}".replace("(?P<id>", "(?:").replace(
        "(?P<fence>", "(?:"
    )
    return re.compile(f"{TAGS.pattern}|{own}", template.opening.flags)


def _name(path: Path) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def _harmless(marker: re.Match[str]) -> str:
    """Return a marker as text that no longer is one."""
    return re.sub(r"-{3,}", "--", marker[0].translate(MARKUP))


def texts(content: Any) -> list[str]:
    """Return the texts of a message's content: a string, or parts of type ``text``."""
    return [text for _, text in _texts(content)]


def _texts(content: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(content, str):
        yield (), content
    for i, part in enumerate(content if isinstance(content, list) else []):
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield (i, "text"), part["text"]


def _at(tree: Any, path: Path) -> str:
    for step in path:
        tree = tree[step]
    return str(tree)
