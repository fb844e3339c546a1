"""What a retriever's request and answer look like, and how a verdict is written into the answer.

Two shapes: `Rerank`, whose answer names passages of the request by their position, and `PathShape`, whose answer holds
the passages where configured paths say.  An answer may hold several lists of hits, one for each query; each is checked
by itself.  Whatever is not understood stays as it is.

Knows nothing about HTTP, models or policies; never changes what it is given.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from detectors.evidence import Passage, Unverified
from guard.verdict import Verdict

from .extractors import FIELD, TEXT_KEYS, Repair, Search
from .paths import EVERY, JsonPath, Place, Step, assign, found, remove

NO_TEXT = "no text found in it; not checked"


@dataclass(slots=True)
class Hits:
    """One list of hits.  ``homes`` maps a passage id to the hit's index in the list at ``positions``.

    ``noted`` has the indices of hits that bring a note of their own along.
    """

    search: Search
    question: str | None = None
    positions: Place = ()
    homes: dict[str, int] = field(default_factory=dict)
    noted: list[int] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)

    def add(self, index: int, wanted_id: str, text: str | None, metadata: Mapping[str, Any]) -> None:
        """Add a hit; one without text is remembered as not checked."""
        if text is None or not text.strip():
            self.search.unread.append(Unverified(wanted_id, NO_TEXT))
            return
        passage = self.search.passage(wanted_id, text, metadata)
        self.homes[passage.id] = index
        self.passages.append(passage)

    def ordered(self, order: Sequence[str], count: int) -> list[int]:
        """Return the indices of the hits that stay, as they should stand; hits without text keep their place."""
        kept = [self.homes[i] for i in order]
        others = [i for i in range(count) if i not in self.homes.values()]
        return sorted([*kept, *others]) if kept == sorted(kept) else [*kept, *others]


class Shape(Protocol):
    """How hits are read and written.

    ``keeps_all``: clients expect every hit, so that dropping one means moving it behind the others.
    """

    @property
    def keeps_all(self) -> bool: ...

    def hits(self, asked: Any, answer: Any) -> list[Hits]:
        """Return the lists of hits of an answer to the request ``asked`` (None where that is no JSON)."""
        ...

    def rewritten(self, answer: Any, hits: Hits, verdict: Verdict, repair: Repair) -> tuple[Any, bool]:
        """Return the answer with the verdict in it, and whether any note could be written."""
        ...


# rerank


@dataclass(frozen=True, slots=True)
class Rerank:
    """Cohere's and Jina's ``results[{index, relevance_score}]``, and TEI's bare list ``[{index, score}]``."""

    keeps_all: bool = True

    def hits(self, asked: Any, answer: Any) -> list[Hits]:
        results, given = _results(answer), _given(asked)
        query = asked.get("query") if isinstance(asked, dict) else None
        hits = Hits(Search({}), query if isinstance(query, str) else None)
        for at, result in enumerate(results):
            index = result.get("index") if isinstance(result, dict) else None
            known = isinstance(index, int) and 0 <= index < len(given)
            document = given[index] if known and isinstance(index, int) else None
            own = document if isinstance(document, dict) else {}
            metadata = {k: v for k, v in own.items() if k not in TEXT_KEYS}
            named = own.get("id")
            hits.add(at, named if isinstance(named, str) and named else f"document-{index}", _text(document), metadata)
        return [hits] if results else []

    def rewritten(self, answer: Any, hits: Hits, verdict: Verdict, repair: Repair) -> tuple[Any, bool]:
        results = [dict(r) if isinstance(r, dict) else r for r in _results(answer)]
        behind = {p.id for p in verdict.passages if p.disposition == "demoted"}
        lowest = min((r[k] for r in results for k in _score_keys(r)), default=0.0)
        for passage_id, at in hits.homes.items():
            if passage_id in behind:
                results[at].update(dict.fromkeys(_score_keys(results[at]), min(lowest, 0.0)))
            results[at] = _harmless({k: v for k, v in results[at].items() if k != FIELD})
            if passage_id in repair.notes:
                results[at][FIELD] = repair.notes[passage_id]
        ordered = [results[at] for at in hits.ordered(repair.order, len(results))]
        return {**answer, "results": ordered} if isinstance(answer, dict) else ordered, bool(repair.notes)


def _results(answer: Any) -> list[Any]:
    results = answer.get("results") if isinstance(answer, dict) else answer
    return results if isinstance(results, list) else []


def _given(asked: Any) -> list[Any]:
    given = (asked.get("documents") or asked.get("texts")) if isinstance(asked, dict) else None
    return given if isinstance(given, list) else []


def _text(document: Any) -> str | None:
    if isinstance(document, str):
        return document
    own = document if isinstance(document, dict) else {}
    return next((own[k] for k in TEXT_KEYS if isinstance(own.get(k), str)), None)


def _harmless(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result whose text, where it holds one, has no forged notes."""
    document, nothing = result.get("document"), Repair((), {})
    if isinstance(result.get("text"), str):
        result["text"] = nothing.told("", result["text"])
    if isinstance(document, dict) and isinstance(document.get("text"), str):
        result["document"] = {**document, "text": nothing.told("", document["text"])}
    return result


def _score_keys(result: Any) -> list[str]:
    own = result if isinstance(result, dict) else {}
    return [k for k in ("relevance_score", "score") if isinstance(own.get(k), (int, float))]


# paths


@dataclass(frozen=True, slots=True)
class PathShape:
    """An answer read by paths.

    passages: every hit; all ``[*]`` but the last tell lists of hits apart.
    text, id, score, metadata: of one hit; of several paths the first that is there counts.
    write: where a note goes: before the text, if the path is that of the text, else into a field of its own.
    query: of the request.
    columns: lists beside that of ``passages`` whose elements belong to the same hits.
    keeps_all: demote instead of dropping, with the lowest score.
    """

    passages: JsonPath
    text: tuple[JsonPath, ...]
    id: tuple[JsonPath, ...] = ()
    score: tuple[JsonPath, ...] = ()
    metadata: tuple[JsonPath, ...] = ()
    write: JsonPath | None = None
    query: tuple[JsonPath, ...] = ()
    columns: tuple[JsonPath, ...] = ()
    keeps_all: bool = False

    def hits(self, asked: Any, answer: Any) -> list[Hits]:
        lists = [(place, value) for place, value in found(answer, self.passages.list_steps) if isinstance(value, list)]
        return [self._hits(asked, answer, place, value) for place, value in lists if value]

    def rewritten(self, answer: Any, hits: Hits, verdict: Verdict, repair: Repair) -> tuple[Any, bool]:
        answer = copy.deepcopy(answer)
        self._demote(answer, hits, verdict)
        is_written = self._write(answer, hits, repair)
        for path in (self.passages, *self.columns):
            for place, column in list(found(answer, path.bound(hits.positions)[:-1])):
                if isinstance(column, list):
                    ordered = hits.ordered(repair.order, len(column))
                    _put(answer, place, [column[i] for i in ordered if i < len(column)])
        return answer, is_written

    def _hits(self, asked: Any, answer: Any, place: Place, items: Sequence[Any]) -> Hits:
        steps = zip(self.passages.list_steps, place, strict=True)
        positions = tuple(step for pattern, step in steps if pattern is EVERY)
        question = _texts(_first((path.steps for path in self.query), asked))
        hits = Hits(Search({}), question, positions)
        for index in range(len(items)):
            at = (answer, (*positions, index))
            named = _texts(self._values(self.id, *at))
            declared = next((v for _, v in self._values(self.metadata, *at) if isinstance(v, dict)), {})
            hits.add(index, named or f"hit-{index + 1}", _texts(self._values(self.text, *at)), declared)
            if self.write is not None and not self._is_in_text and self._values((self.write,), *at):
                hits.noted.append(index)
                hits.search.suspect(named or f"hit-{index + 1}", "the hit holds a note of its own; it was taken out")
        return hits

    def _values(self, paths: Sequence[JsonPath], answer: Any, positions: Place) -> list[tuple[Place, Any]]:
        """Return places and values of what the first path with something at it stands for, for one hit."""
        return _first((self._steps(path, positions) for path in paths), answer)

    def _steps(self, path: JsonPath, positions: Place) -> tuple[Step, ...]:
        """Return the steps from the whole answer for the hit at these positions."""
        return path.bound(positions) if path.is_absolute else (*self.passages.bound(positions), *path.steps)

    @property
    def _is_in_text(self) -> bool:
        return self.write is not None and any(t.reaches(self.write.steps) for t in self.text)

    def _demote(self, answer: Any, hits: Hits, verdict: Verdict) -> None:
        behind = [p.id for p in verdict.passages if p.disposition == "demoted"] if self.keeps_all else []
        scores = {i: self._values(self.score, answer, (*hits.positions, at)) for i, at in hits.homes.items()}
        lowest = min((v for values in scores.values() for _, v in values if isinstance(v, (int, float))), default=0.0)
        for passage_id in behind:
            for place, _ in scores[passage_id]:
                assign(answer, place, min(lowest, 0.0))

    def _write(self, answer: Any, hits: Hits, repair: Repair) -> bool:
        """Write the notes; into the first text that stays goes the notice, too."""
        if self.write is None:
            return False
        for index in hits.noted:
            for place, _ in self._values((self.write,), answer, (*hits.positions, index)):
                remove(answer, place)
        results = []
        first = next(iter(repair.order), None)
        for passage_id, index in hits.homes.items():
            positions = (*hits.positions, index)
            if self._is_in_text:
                told = Repair(repair.order, repair.notes, repair.notice if passage_id == first else "")
                results.append(self._tell(answer, passage_id, positions, told))
            elif passage_id in repair.notes:
                results.append(assign(answer, self._steps(self.write, positions), repair.notes[passage_id]))
        return any(results)

    def _tell(self, answer: Any, passage_id: str, positions: Place, repair: Repair) -> bool:
        """Put the note before the first text of a hit; what looks like a note in any of its texts is none any more."""
        rest = Repair(repair.order, {})
        texts = [(p, v) for p, v in _flat(self._values(self.text, answer, positions)) if isinstance(v, str)]
        for at, (place, text) in enumerate(texts):
            told = (rest if at else repair).told(passage_id, text)
            assign(answer, place, f"{repair.notice}\n{told}" if repair.notice and not at else told)
        return bool(texts) and bool(repair.notice or passage_id in repair.notes)


def _first(paths: Iterable[Sequence[Step]], tree: Any) -> list[tuple[Place, Any]]:
    each = ([(at, value) for at, value in found(tree, steps) if value is not None] for steps in paths)
    return next((values for values in each if values), [])


def _texts(values: Sequence[tuple[Place, Any]]) -> str | None:
    """Return what is text or a number, joined by line ends; None where nothing is."""
    texts = [str(v) for _, v in _flat(values) if isinstance(v, (str, int, float)) and not isinstance(v, bool)]
    return "\n".join(texts) or None


def _flat(values: Sequence[tuple[Place, Any]]) -> Iterator[tuple[Place, Any]]:
    for place, value in values:
        yield from [((*place, i), v) for i, v in enumerate(value)] if isinstance(value, list) else [(place, value)]


def _put(tree: Any, place: Place, value: list[Any]) -> None:
    """Replace a list's elements, in place: the whole answer may be that list."""
    for step in place:
        tree = tree[step]
    tree[:] = value
