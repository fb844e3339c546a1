"""Text output of the commands: quotes under each other, the differing words marked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from detectors.errors import ConfigError
from detectors.evidence import Conflict, Span

if TYPE_CHECKING:
    from guard import Verdict


def require_format(name: str) -> None:
    """Raise `ConfigError` for a format that does not exist."""
    if name not in ("text", "json"):
        raise ConfigError(f"unknown format {name!r}; choose text or json")


def verdict(result: Verdict, console: Console | None = None) -> None:
    """Print a verdict for people."""
    console = console or Console(highlight=False, soft_wrap=True)
    for number, found in enumerate(result.conflicts, 1):
        conflict(console, number, found, {})
    for missing in result.unverified:
        console.print(Text(f"not checked: {missing.subject}: {missing.reason}", "yellow"))
    console.print(f"{result.status.value}: {len(result.conflicts)} conflicts, action {result.action.value}")


def conflict(console: Console, number: int, found: Conflict, places: Mapping[str, str]) -> None:
    """Print one finding: type and score, what clashes, both quotes with their places."""
    console.print(
        Text.assemble((f"{number}. {found.type.value}", "bold red"), f"  {found.score:.2f}  {found.explanation}")
    )
    left, right = marked(found.a.text, found.b.text)
    for span, text in ((found.a, left), (found.b, right)):
        console.print(Text.assemble("   ", (places.get(span.passage_id, span.passage_id), "cyan"), ": ", text))
    if found.given:
        given: Span = found.given
        console.print(
            Text.assemble("   given ", (places.get(given.passage_id, given.passage_id), "cyan"), f": {given.text}")
        )


def marked(a: str, b: str) -> tuple[Text, Text]:
    """Return both texts with the words that differ in bold."""
    left, right = re.findall(r"\s*\S+", a), re.findall(r"\s*\S+", b)
    out = Text(), Text()
    for tag, i, i2, j, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        style = "" if tag == "equal" else "bold underline"
        out[0].append("".join(left[i:i2]), style)
        out[1].append("".join(right[j:j2]), style)
    return out


def place(metadata: Mapping[str, Any], passage_id: str) -> str:
    """Return where a passage stands: ``handbook.md · Leave › Carry-over (line 12)``."""
    parts = [str(metadata.get("path", passage_id))]
    if metadata.get("heading"):
        parts.append(str(metadata["heading"]))
    return " · ".join(parts) + (f" (line {metadata['line']})" if metadata.get("line") else "")


def summary(counts: Sequence[tuple[int, str]]) -> str:
    """Return "3 documents, 1 finding"."""
    return ", ".join(f"{n} {word if n == 1 else word + 's'}" for n, word in counts)
