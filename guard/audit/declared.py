"""What documents declare of themselves: usable dates and authorities, and which document supersedes which.

``supersedes`` may name a file (its path or the end of it), the ``id`` of a JSON entry or a passage; it becomes
passage ids.
Source of the rules: `guard.trust`.  Knows nothing about conflicts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from detectors.evidence import Passage
from guard.trust import Trust, TrustRules, declared_rule, usable

from .passages import Document

MEANING = {
    "supersedes": "is declared to supersede the other",
    "authority": "has the higher declared authority",
    "date": "has the later date",
}


def resolved(documents: Sequence[Document]) -> tuple[list[Passage], list[str]]:
    """Return all passages, their trust metadata usable, and a warning for each document where some was not."""
    known = _names(documents)
    passages: list[Passage] = []
    warnings: list[str] = []
    for document in documents:
        bad: list[str] = []
        for passage in document.passages:
            read, wrong = usable(passage, TrustRules())
            bad += (f"passage {passage.id!r}: {reason}" for reason in wrong)
            metadata = dict(read.metadata)
            if "supersedes" in metadata:
                metadata["supersedes"] = _ids(metadata["supersedes"], known, passage)
            passages.append(replace(passage, metadata=metadata))
        if bad:
            warnings.append(f"{bad[0]}; ignored" + (f", as are {len(bad) - 1} more in this file" if bad[1:] else ""))
    return passages, warnings


def preferred(trust: Mapping[str, Trust], a: str, b: str) -> tuple[str, str] | None:
    """Return the passage id that declared trust prefers and the rule, or None where nothing is declared."""
    for winner, loser in ((a, b), (b, a)):
        rule = declared_rule(trust[winner], trust[loser])
        if rule:
            return winner, rule
    return None


def _names(documents: Sequence[Document]) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    """Return the passage ids by what names a file (the end of its path), and by what names an entry."""
    files: dict[str, list[str]] = defaultdict(list)
    entries: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        parts = PurePath(document.path).parts
        for start in range(len(parts)):
            files[PurePath(*parts[start:]).as_posix()] += [p.id for p in document.passages]
        for passage in document.passages:
            own = passage.metadata.get("id")
            for name in {passage.id, own} if isinstance(own, str) else {passage.id}:
                entries[name].append(passage.id)
    return files, entries


def _ids(named: str | Iterable[str], known: tuple[Mapping[str, list[str]], Mapping[str, list[str]]], p: Passage) -> Any:
    """Return passage ids for names; a passage supersedes neither itself nor the rest of its file by the file's name."""
    files, entries = known
    found: dict[str, None] = {}
    for name in [named] if isinstance(named, str) else named:
        path = re.sub(r"^(?:\.{1,2}/)+", "", name)
        others = [i for i in files.get(path, ()) if i.rpartition("#")[0] != p.metadata["path"]]
        found.update(dict.fromkeys(entries.get(name) or others or [name]))
    return [i for i in found if i != p.id]
