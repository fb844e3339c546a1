"""Labelled rows in, typed examples out: JSON Lines (``.jsonl``, ``.jsonl.gz``), the schema recognised per row.

    NLI pair            {premise, hypothesis, label: entailment|neutral|contradiction, source}
    passage set         {id, question, passages: [{id, text}], conflicts: [[i, j]] | null,
                         label: conflict|consistent, type?, evidence?: [{pair: [i, j], sentences: [s, t]}], source}
    self-contradiction  {id, text, contradiction: true|false, type?, sentences?, evidence?: [i, j] into sentences
                         or the two sentences themselves, source}
    suite pair          {id, a, b, label: conflict|consistent, type, half, context_a?, context_b?, question?}
    suite set           {id, question, passages, label, kind, type, half,
                         conflicts: [{a: {passage, quote}, b: {passage, quote}, given?}]}

Anything else is an `InputError` that names file, line and field.  Knows nothing about models or figures.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from detectors.errors import InputError
from detectors.evidence import Passage, Span

NLI_LABELS = ("entailment", "neutral", "contradiction")
SET_LABELS = ("conflict", "consistent")
HALVES = ("tune", "held_out")


class Kind(StrEnum):
    """What a row is, and so which figures it enters."""

    SETS = "sets"  # several passages: does any pair of them conflict
    SELF = "self"  # one text: does it contradict itself
    PAIRS = "pairs"  # two statements of this repository's suite
    NLI = "nli"  # premise and hypothesis


class Scope(StrEnum):
    """Which contradictions the row's label speaks of; the others are not counted."""

    BETWEEN = "between"  # those between two passages
    WITHIN = "within"  # those inside one passage
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class NLIExample:
    """One premise and hypothesis.  ``label`` is one of `NLI_LABELS`."""

    id: str
    source: str
    premise: str
    hypothesis: str
    label: str
    half: str | None = None
    kind: Kind = Kind.NLI


@dataclass(frozen=True, slots=True)
class SetExample:
    """Passages and what is known of their conflicts.

    ``label`` is one of `SET_LABELS`, ``type`` the conflict type or the kind of consistent set (may be empty).
    ``gold_pairs`` holds the indices (i, j), i <= j, of conflicting passages, and is empty where they are not known;
    ``gold_spans`` the conflicting stretches of text where they are known.  ``where`` is file and line.
    """

    id: str
    source: str
    kind: Kind
    scope: Scope
    label: str
    type: str
    passages: tuple[Passage, ...]
    where: str
    question: str | None = None
    gold_pairs: frozenset[tuple[int, int]] = frozenset()
    gold_spans: tuple[tuple[Span, Span], ...] = ()
    half: str | None = None

    @property
    def is_conflict(self) -> bool:
        return self.label == "conflict"


Example = NLIExample | SetExample


def load(files: Sequence[Path], half: str | None = None) -> list[Example]:
    """Read all rows of all files, in order.

    ``half`` keeps, of the rows that belong to a half, those of that one.  Raises `InputError` for a file without
    rows, a row that is none of the schemas, an id given twice in one source, and for set rows of one class only.
    """
    examples: list[Example] = []
    seen: Counter[str] = Counter()
    for file in files:
        found = list(_examples(file, seen))
        if not found:
            raise InputError(f"{file}: the file is empty; give one JSON object a line")
        examples.extend(found)
    _refuse_duplicates(examples)
    if half is not None:
        examples = _of_half(examples, half)
    _refuse_one_class(examples)
    return examples


def sample(examples: Iterable[Example], limit: int | None, seed: int) -> list[Example]:
    """Take at most ``limit`` examples of each kind, source and label, chosen by ``seed``, in their old order."""
    if limit is None:
        return list(examples)
    grouped: dict[tuple[str, ...], list[tuple[int, Example]]] = defaultdict(list)
    for n, example in enumerate(examples):
        grouped[example.kind, example.source, example.label].append((n, example))
    chosen = [
        item
        for key, some in sorted(grouped.items())
        for item in random.Random(f"{seed}/{'/'.join(key)}").sample(some, min(limit, len(some)))
    ]
    return [example for _, example in sorted(chosen, key=lambda item: item[0])]


def _examples(file: Path, seen: Counter[str]) -> Iterator[Example]:
    for number, line in _lines(file):
        where = f"{file}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not valid JSON ({error.msg}, column {error.colno})") from error
        if not isinstance(row, dict):
            raise InputError(f"{where}: must be a JSON object, not {type(row).__name__}")
        yield _example(_Row(row, where), seen)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            yield from ((n, line) for n, line in enumerate(lines, 1) if line.strip())
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 text ({error.reason}); give .jsonl or .jsonl.gz") from error
    except (OSError, EOFError) as error:
        raise InputError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


class _Row:
    """Typed access to the fields of one row; each complaint names file, line and field."""

    def __init__(self, fields: dict[str, Any], where: str) -> None:
        self.fields, self.where = fields, where

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) is not None

    def error(self, name: str, complaint: str) -> InputError:
        return InputError(f'{self.where}: "{name}" {complaint}')

    def get(self, name: str) -> Any:
        if name not in self.fields:
            raise self.error(name, f"is missing; the row has {', '.join(sorted(self.fields)) or 'no fields'}")
        return self.fields[name]

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not value:
            raise self.error(name, f"must be a non-empty string, not {value!r:.60}")
        return value

    def optional_text(self, name: str) -> str:
        return self.text(name) if self.fields.get(name) else ""

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        value = self.get(name)
        if value not in allowed:
            raise self.error(name, f"must be {' or '.join(allowed)}, not {value!r:.60}")
        return str(value)

    def items(self, name: str) -> list[Any]:
        value = self.get(name)
        if not isinstance(value, list):
            raise self.error(name, f"must be a list, not {type(value).__name__}")
        return value

    def half(self) -> str | None:
        return self.choice("half", HALVES) if "half" in self else None


def _example(row: _Row, seen: Counter[str]) -> Example:
    if "premise" in row or "hypothesis" in row:
        return _nli(row, seen)
    if "passages" in row:
        return _passage_set(row)
    if "text" in row or "contradiction" in row:
        return _self_contradiction(row)
    if "a" in row or "b" in row:
        return _suite_pair(row)
    raise InputError(
        f"{row.where}: unknown row with the fields {', '.join(sorted(row.fields)) or '(none)'}; expected premise and "
        "hypothesis, or passages, or text and contradiction, or a and b"
    )


def _nli(row: _Row, seen: Counter[str]) -> NLIExample:
    """An NLI row has no id of its own: its texts identify it, a running number tells repetitions apart."""
    premise, hypothesis = row.text("premise"), row.text("hypothesis")
    label, source = row.choice("label", NLI_LABELS), row.text("source")
    digest = hashlib.sha256(f"{premise}\0{hypothesis}".encode()).hexdigest()[:16]
    seen[f"{source}/{digest}"] += 1
    repeated = seen[f"{source}/{digest}"]
    name = digest if repeated == 1 else f"{digest}-{repeated}"
    return NLIExample(name, source, premise, hypothesis, label, row.half())


def _passage_set(row: _Row) -> SetExample:
    passages = _passages(row)
    label = row.choice("label", SET_LABELS)
    conflicts = row.items("conflicts") if "conflicts" in row else []
    if conflicts and label == "consistent":
        raise row.error("conflicts", "must be empty or null in a row labelled consistent")
    from_suite = "source" not in row
    if from_suite:
        spans = tuple(_quoted_pair(row, c, passages) for c in conflicts)
        pairs = [(_index(passages, a.passage_id), _index(passages, b.passage_id)) for a, b in spans]
    else:
        pairs = [_index_pair(row, "conflicts", c, len(passages)) for c in conflicts]
        spans = _evidence_spans(row, passages)
    return SetExample(
        _identity(row), "suite_sets" if from_suite else row.text("source"), Kind.SETS,
        Scope.BOTH if from_suite else Scope.BETWEEN, label, row.optional_text("type"), passages, row.where,
        row.optional_text("question") or None, frozenset((min(p), max(p)) for p in pairs), spans, row.half(),
    )  # fmt: skip


def _self_contradiction(row: _Row) -> SetExample:
    passage = Passage(_identity(row), row.text("text"))
    contradicts = row.get("contradiction")
    if not isinstance(contradicts, bool):
        raise row.error("contradiction", f"must be true or false, not {contradicts!r:.60}")
    evidence = row.items("evidence") if "evidence" in row else []
    sentences = row.items("sentences") if "sentences" in row else []
    quotes = [sentences[e] if isinstance(e, int) and 0 <= e < len(sentences) else e for e in evidence]
    if contradicts and quotes and (len(quotes) != 2 or not all(isinstance(q, str) for q in quotes)):
        raise row.error("evidence", f"must be two sentences, or two places in sentences, not {evidence!r:.60}")
    spans = (_ordered_spans(row, "evidence", passage, quotes),) if contradicts and quotes else ()
    return SetExample(
        passage.id, row.text("source"), Kind.SELF, Scope.WITHIN, SET_LABELS[not contradicts],
        row.optional_text("type"), (passage,), row.where,
        gold_pairs=frozenset({(0, 0)}) if contradicts else frozenset(), gold_spans=spans, half=row.half(),
    )  # fmt: skip


def _suite_pair(row: _Row) -> SetExample:
    """Two statements as two passages; a context ("Manual > Fees") stands above its statement as headings."""
    texts = []
    for side in "ab":
        headings = [h for h in row.optional_text(f"context_{side}").split(" > ") if h.strip()]
        above = [f"{'#' * level} {' '.join(heading.split())}\n\n" for level, heading in enumerate(headings, 1)]
        texts.append("".join(above) + row.text(side))
    label = row.choice("label", SET_LABELS)
    return SetExample(
        _identity(row), "suite_pairs", Kind.PAIRS, Scope.BETWEEN, label, row.optional_text("type"),
        (Passage("a", texts[0]), Passage("b", texts[1])), row.where, row.optional_text("question") or None,
        frozenset({(0, 1)}) if label == "conflict" else frozenset(), half=row.half(),
    )  # fmt: skip


def _identity(row: _Row) -> str:
    value = row.get("id")
    if not isinstance(value, (str, int)) or value == "":
        raise row.error("id", f"must be a non-empty string, not {value!r:.60}")
    return str(value)


def _passages(row: _Row) -> tuple[Passage, ...]:
    passages: list[Passage] = []
    for n, entry in enumerate(row.items("passages")):
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
            raise row.error(f"passages[{n}].text", "is missing or not a string")
        metadata = entry.get("metadata")  # other fields (an answer, say) belong to the label and are not shown
        passages.append(Passage(str(entry.get("id", n)), entry["text"], metadata if isinstance(metadata, dict) else {}))
    repeated = [name for name, count in Counter(p.id for p in passages).items() if count > 1]
    if repeated:
        raise row.error("passages", f"has the id {repeated[0]!r} twice")
    if not passages:
        raise row.error("passages", "is empty; give at least one")
    return tuple(passages)


def _index(passages: Sequence[Passage], name: str) -> int:
    return next(i for i, p in enumerate(passages) if p.id == name)


def _index_pair(row: _Row, field: str, value: Any, count: int) -> tuple[int, int]:
    fits = isinstance(value, list) and len(value) == 2 and all(isinstance(i, int) and 0 <= i < count for i in value)
    if not fits:
        raise row.error(field, f"must hold pairs of passage positions 0..{count - 1}, not {value!r:.60}")
    return value[0], value[1]


def _evidence_spans(row: _Row, passages: Sequence[Passage]) -> tuple[tuple[Span, Span], ...]:
    spans = []
    for entry in row.items("evidence") if "evidence" in row else []:
        quotes = entry.get("sentences") if isinstance(entry, dict) else None
        if not isinstance(quotes, list) or len(quotes) != 2:
            raise row.error("evidence", "must hold objects with a pair of positions and two sentences")
        i, j = _index_pair(row, "evidence", entry.get("pair"), len(passages))
        spans.append((_span(row, "evidence", passages[i], quotes[0]), _span(row, "evidence", passages[j], quotes[1])))
    return tuple(spans)


def _quoted_pair(row: _Row, conflict: Any, passages: Sequence[Passage]) -> tuple[Span, Span]:
    sides = [conflict.get(side) if isinstance(conflict, dict) else None for side in "ab"]
    found = []
    for side in sides:
        named = [p for p in passages if isinstance(side, dict) and p.id == str(side.get("passage"))]
        if not isinstance(side, dict) or not named or not isinstance(side.get("quote"), str):
            complaint = "must hold objects with a and b, each with the id of a passage and a quote"
            raise row.error("conflicts", f"{complaint}, not {conflict!r:.80}")
        found.append((named[0], side["quote"]))
    (one, quote), (two, other) = found
    if one is two:
        return _ordered_spans(row, "conflicts", one, (quote, other))
    return _span(row, "conflicts", one, quote), _span(row, "conflicts", two, other)


def _ordered_spans(row: _Row, field: str, passage: Passage, quotes: Sequence[str]) -> tuple[Span, Span]:
    """Locate two quotes in one passage: the second, where both are alike, behind the first."""
    first = _span(row, field, passage, quotes[0])
    after = first.end if passage.text.find(quotes[1], first.end) >= 0 else 0
    return first, _span(row, field, passage, quotes[1], after)


def _span(row: _Row, field: str, passage: Passage, quote: Any, after: int = 0) -> Span:
    start = passage.text.find(quote, after) if isinstance(quote, str) and quote else -1
    if start < 0:
        raise row.error(field, f"quotes what passage {passage.id!r} does not say: {quote!r:.60}")
    return Span(passage.id, start, start + len(quote), quote)


def _refuse_duplicates(examples: Sequence[Example]) -> None:
    first: dict[tuple[str, str, str], SetExample] = {}
    for example in [e for e in examples if isinstance(e, SetExample)]:
        key = (example.kind, example.source, example.id)
        if key in first:
            raise InputError(
                f'{example.where}: "id" {example.id!r} stands in {first[key].where} too, in the same source'
            )
        first[key] = example


def _of_half(examples: Sequence[Example], half: str) -> list[Example]:
    if half not in HALVES:
        raise InputError(f"unknown half {half!r}; choose {' or '.join(HALVES)}")
    if not any(e.half for e in examples):
        raise InputError(f'no row has the field "half": leave --half {half} out')
    kept = [e for e in examples if e.half in (None, half)]
    if not kept:
        raise InputError(f"no row belongs to the half {half!r}")
    return kept


def _refuse_one_class(examples: Sequence[Example]) -> None:
    labels = {e.label for e in examples if isinstance(e, SetExample)}
    if len(labels) == 1:
        (only,) = labels
        missing = SET_LABELS[only == "conflict"]
        raise InputError(
            f"every row is labelled {only}: precision and AUROC need rows labelled {missing} too; add some"
        )
