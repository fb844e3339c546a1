"""A framework's documents to passages, and the repaired context back to copies of them.  Pure.

The caller's documents are never changed: what comes back are copies, each with one more metadata key, `KEY`.
LLMs may be shown metadata, so the key holds little, in plain JSON types:

    verdict      status of the whole context: ``clean``, ``conflict`` or ``unverified``
    disposition  ``kept``, ``annotated`` or ``demoted``
    conflicts    ids of the documents that this one contradicts, dropped ones too; at most `MAX_LISTED`
    note         what to tell the LLM about this document; only where there is something

and a framework's own additions.  Knows nothing about any framework: a `Form` says what its documents are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Generic, TypeVar

from detectors.errors import InputError
from detectors.evidence import Passage, Unverified
from guard.remediate import MAX_LISTED, safe_label
from guard.trust import TrustRules, usable
from guard.verdict import RepairedPassage, Verdict

KEY = "passageguard"

D = TypeVar("D")


@dataclass(frozen=True)
class Form(Generic[D]):
    """What the documents of a framework are.

    kind: their class.
    passage: reads one as a passage; an empty id is none.
    told: returns a copy that bears the id of its passage, where the framework lets ids change, and under `KEY` what is
        to be said about it.
    """

    kind: type[D]
    passage: Callable[[D], Passage]
    told: Callable[[D, str, dict[str, Any]], D]


def passages_of(documents: Sequence[D], form: Form[D]) -> tuple[Passage, ...]:
    """Return one passage a document, in order, with unique ids.

    A document without an id gets one from its text, so that it is the same in every request.  Of documents with
    one id the first keeps it and the others get ``#2``, ``#3``, …; ``supersedes`` of that id means all of them.
    Raises `InputError` for anything but documents.
    """
    kind = form.kind.__name__
    if isinstance(documents, str) or not isinstance(documents, Sequence):
        raise InputError(f"documents must be a list of {kind}, not {type(documents).__name__}")
    for i, document in enumerate(documents):
        if not isinstance(document, form.kind):
            raise InputError(f"documents[{i}] must be a {kind}, not {type(document).__name__}")
    return with_unique_ids([form.passage(document) for document in documents])


def with_unique_ids(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Return the passages with ids made unique as `passages_of` says."""
    given = [p.id or _id_of_text(p.text) for p in passages]
    ids = _unique(given)
    made = tuple(replace(p, id=i) for i, p in zip(ids, passages, strict=True))
    return made if ids == given else _with_all_superseded(made, given)


def declared(passages: Sequence[Passage], rules: TrustRules) -> tuple[list[Passage], list[Unverified]]:
    """Return the passages without the metadata that declared trust cannot read, and what that was.

    A framework's documents carry metadata for others: a date in words, an authority with a name.
    """
    read = [usable(passage, rules) for passage in passages]
    unread = [Unverified(passage.id, f"not used: {reason}") for passage, wrong in read for reason in wrong]
    return [passage for passage, _ in read], unread


def gave_way(verdict: Verdict) -> bool:
    """Say whether trust, declared or not, decided against a passage."""
    return any(passage.loss for passage in (*verdict.passages, *verdict.removed))


def repaired(documents: Sequence[D], verdict: Verdict, form: Form[D]) -> list[D]:
    """Return the context to use: copies of ``documents`` in the verdict's order, each with its `KEY`."""
    opponents = _opponents(verdict)
    return [
        form.told(documents[p.rank_before], p.id, _said(p, verdict, opponents.get(p.id, []))) for p in verdict.passages
    ]


def context_text(parts: Iterable[tuple[str, str, str]], notice: str = "") -> str:
    """Return passages, as (id, text, note), as text for a prompt: ``notice``, then each under its id, its note behind.

    Ids are reduced to harmless labels, as in notes and notices, which name passages by them.

    >>> print(context_text([("a", "Up.", "Odd."), ("b", "Down.", "")], "Beware."))
    Beware.
    <BLANKLINE>
    Passage 'a': Up.
    [Odd.]
    <BLANKLINE>
    Passage 'b': Down.
    """
    said = [f"Passage {safe_label(passage_id)}: {with_note(text, note)}" for passage_id, text, note in parts]
    return "\n\n".join([notice, *said] if notice else said)


def with_note(text: str, note: str) -> str:
    """Return the text and, on a line of its own, the note about it, if there is one."""
    return f"{text}\n[{note}]" if note else text


def note_in(metadata: Mapping[str, Any]) -> str:
    """Return the note that `KEY` holds about a document; empty where there is none."""
    said = metadata.get(KEY)
    return str(said.get("note") or "") if isinstance(said, Mapping) else ""


def _id_of_text(text: str) -> str:
    return "text-" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _unique(given: Sequence[str]) -> list[str]:
    taken, ids, counts = set(given), list[str](), dict[str, int]()
    for name in given:
        number = counts.get(name, 0) + 1
        new = name if number == 1 else f"{name}#{number}"
        while number > 1 and new in taken:
            number += 1
            new = f"{name}#{number}"
        counts[name] = number
        taken.add(new)
        ids.append(new)
    return ids


def _with_all_superseded(passages: Sequence[Passage], given: Sequence[str]) -> tuple[Passage, ...]:
    """Let ``supersedes`` of an id that several documents came with name all of them but the passage itself."""
    bearers: dict[str, list[str]] = {}
    for passage, name in zip(passages, given, strict=True):
        bearers.setdefault(name, []).append(passage.id)
    return tuple(_widened(passage, bearers) for passage in passages)


def _widened(passage: Passage, bearers: Mapping[str, Sequence[str]]) -> Passage:
    named = passage.metadata.get("supersedes")
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(isinstance(n, str) for n in names):
        return passage  # none, or nothing that the guard accepts: it says so
    wide = [i for name in names for i in bearers.get(name, [name]) if i != passage.id]
    return replace(passage, metadata={**passage.metadata, "supersedes": wide})


def _opponents(verdict: Verdict) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for c in verdict.conflicts:
        found.setdefault(c.a.passage_id, {})[c.b.passage_id] = None
        found.setdefault(c.b.passage_id, {})[c.a.passage_id] = None
    return {i: list(others)[:MAX_LISTED] for i, others in found.items()}


def _said(passage: RepairedPassage, verdict: Verdict, opponents: list[str]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "verdict": verdict.status.value, "disposition": passage.disposition, "conflicts": opponents
    }  # fmt: skip
    return {**said, "note": passage.note} if passage.note else said
