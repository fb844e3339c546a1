"""What the report says of a corpus with planted contradictions: one plain JSON object, and tables made from it.

Knows nothing about how anything was planted or measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

from detectors.evidence import Conflict, Passage

from .corpus import BESIDE, Answer, Untouched
from .edits import CONTRADICTING, EditKind
from .inject import InjectionKind, Planting
from .table import Cell, Resampling, Table

STORED, SHOWN = 30, 3  # examples of each sort, in the JSON and in a table
NO_PLACE = "no place in these documents"
QUOTE = 160  # characters of a sentence in a table


def section(
    planting: Planting, answers: Sequence[Answer], untouched: Untouched, resampling: Resampling
) -> dict[str, Any]:
    """Return counts, rates with their intervals, and examples."""
    return {
        "sentences": planting.sentences,
        "editable": planting.editable,
        "passages_of_a_set": 1 + BESIDE,
        "edits": [_edit(kind, planting, answers, resampling) for kind in EditKind],
        "shapes": [_shape(kind, answers, resampling) for kind in (*InjectionKind, None)],
        "untouched": _untouched(untouched, resampling),
        "unverified_sets": sum(a.unverified for a in answers),
        "misses": _examples([a for a in answers if a.injection.contradicting and not a.alarm]),
        "false_alarms": _examples([a for a in answers if not a.injection.contradicting and a.alarm]),
    }


def tables(section: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the tables of `section`."""
    yield Table(
        "your documents: planted sets by shape",
        ["shape", "contradictions", "found", "recall", "right sentences, of those found", "restatements", "alarms",
         "false alarm rate"],
        [
            [s["shape"], str(s["planted"]), str(s["found"]), s["recall"], s["right_sentences"], str(s["controls"]),
             str(s["alarms"]), s["false_alarm_rate"]]
            for s in section["shapes"]
        ],
    )  # fmt: skip
    places = [f"sentences: {kind}" for kind in InjectionKind]
    edits = section["edits"]
    yield Table(
        "your documents: contradictions by kind of edit",
        ["edit", *places, "planted", "found", "recall", "right sentences, of those found"],
        [_edit_row(e, "right_sentences") for e in edits if e["contradicts"]],
    )
    yield Table(
        "your documents: restatements by kind of edit",
        ["edit", *places, "planted", "alarms", "false alarm rate"],
        [_edit_row(e) for e in edits if not e["contradicts"]],
    )
    u = section["untouched"]
    per_page = {**u["alarms_per_page"], "digits": 2}
    yield Table(
        "your documents untouched: each alarm is a false one or a contradiction that is really there",
        ["passages", "pages or documents", "alarms", "alarms per 1,000 passages", "alarms per page or document"],
        [[str(u["passages"]), str(u["pages"]), str(u["alarms"]), {**u["alarms_per_1000"], "digits": 0}, per_page]],
    )
    for name, title in (("misses", "missed contradictions"), ("false_alarms", "restatements reported as conflicts")):
        yield from _shown(f"your documents: {title}", section[name], ("edit", "shape", "original", "planted"))
    yield from _shown("your documents untouched: alarms", u["examples"], ("score", "a", "b"))


def remark(section: Mapping[str, Any]) -> str:
    """Return a line on what the figures rest on."""
    text = (
        f"your documents: {section['documents']:,} documents, {section['passages']:,} passages, "
        f"{section['sentences']:,} sentences, {section['editable']:,} of them plain statements that rules can edit; "
        f"sets of {section['passages_of_a_set']} related passages beside what is planted; at most {section['limit']} "
        f"sets of each shape and edit; {section['nli_calls']:,} NLI calls; {section['seconds']:,.1f} s."
    )
    text += " A planted sentence keeps the words of its original: what says the opposite in other words is harder."
    if section["unverified_sets"]:
        text += f" {section['unverified_sets']:,} sets were not checked in full."
    return " ".join([text, *(f"Not read: {error}." for error in section["unread"])])


def _edit(kind: EditKind, planting: Planting, answers: Sequence[Answer], resampling: Resampling) -> dict[str, Any]:
    own = [a for a in answers if a.injection.edit_kind is kind]
    alarms = [a for a in own if a.alarm]
    return {
        "edit": kind.value,
        "contradicts": kind in CONTRADICTING,
        "places": {shape.value: planting.places[shape, kind] for shape in InjectionKind},
        "planted": len(own),
        "alarms": len(alarms),
        "alarm_rate": resampling.share(len(alarms), len(own)),
        "right_sentences": resampling.share(sum(a.right_sentences for a in alarms), len(alarms)),
    }


def _shape(kind: InjectionKind | None, answers: Sequence[Answer], resampling: Resampling) -> dict[str, Any]:
    """The figures of one shape, or of all."""
    own = [a for a in answers if kind in (None, a.injection.kind)]
    planted = [a for a in own if a.injection.contradicting]
    controls = [a for a in own if not a.injection.contradicting]
    found, alarms = [a for a in planted if a.alarm], [a for a in controls if a.alarm]
    return {
        "shape": kind.value if kind else "all",
        "planted": len(planted),
        "found": len(found),
        "recall": resampling.share(len(found), len(planted)),
        "right_sentences": resampling.share(sum(a.right_sentences for a in found), len(found)),
        "controls": len(controls),
        "alarms": len(alarms),
        "false_alarm_rate": resampling.share(len(alarms), len(controls)),
    }


def _untouched(untouched: Untouched, resampling: Resampling) -> dict[str, Any]:
    """An alarm counts half for each of its two passages; a page counts for itself, a document without pages is one."""
    alarms = dict.fromkeys((p.id for p in untouched.passages), 0.0)
    for conflict in untouched.conflicts:
        for side in (conflict.a, conflict.b):
            alarms[side.passage_id] += 0.5
    pages: dict[tuple[Any, Any], float] = defaultdict(float)
    for passage in untouched.passages:
        pages[_page(passage)] += alarms[passage.id]
    return {
        "passages": len(alarms),
        "pages": len(pages),
        "alarms": len(untouched.conflicts),
        "alarms_per_1000": resampling.mean(list(alarms.values()), 1000),
        "alarms_per_page": resampling.mean(list(pages.values())),
        "examples": [_conflict(c) for c in untouched.conflicts[:STORED]],
    }


def _page(passage: Passage) -> tuple[Any, Any]:
    return passage.metadata.get("path", passage.id), passage.metadata.get("page")


def _examples(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return up to `STORED`, of each kind of edit in turn."""
    by_kind: dict[EditKind, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_kind[answer.injection.edit_kind].append(answer)
    turns = chain.from_iterable(zip_longest(*by_kind.values()))
    return [_example(answer) for answer in turns if answer][:STORED]


def _example(answer: Answer) -> dict[str, Any]:
    i = answer.injection
    return {
        "edit": i.edit_kind.value, "shape": i.kind.value, "passage": i.a.passage_id, "original": i.a.text,
        "planted": i.b.text, "given": i.given.text if i.given else None,
        "alarm": _conflict(answer.alarm) if answer.alarm else None,
    }  # fmt: skip


def _conflict(found: Conflict) -> dict[str, Any]:
    return {
        "type": found.type.value, "score": round(found.score, 4), "a_passage": found.a.passage_id, "a": found.a.text,
        "b_passage": found.b.passage_id, "b": found.b.text,
    }  # fmt: skip


def _edit_row(edit: Mapping[str, Any], *more: str) -> list[Cell]:
    places = [str(count) for count in edit["places"].values()]
    rate = edit["alarm_rate"] if edit["planted"] else NO_PLACE
    figures = [edit[name] if edit["planted"] else "" for name in more]
    return [edit["edit"].replace("_", " "), *places, str(edit["planted"]), str(edit["alarms"]), rate, *figures]


def _shown(title: str, examples: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[Table]:
    if examples:
        more = f" (the first {SHOWN} of them)" if len(examples) > SHOWN else ""
        rows = [[_quoted(str(e[name])) for name in names] for e in examples[:SHOWN]]
        yield Table(title + more, names, rows)


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= QUOTE else flat[: QUOTE - 1] + "…"
