"""What the report says of verdicts that should have stayed: one plain JSON object, and a table made from it.

Knows nothing about the transformations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detectors.evidence import Conflict

from .consistency import TRANSFORMATIONS, Outcome
from .table import Resampling, Table

STORED = 5  # flips of each transformation and direction


def section(outcomes: Sequence[Outcome], resampling: Resampling) -> dict[str, Any]:
    """Return flips and their rates for each transformation and kind of row, and examples."""
    kinds = list(dict.fromkeys(o.example.kind.value for o in outcomes))
    groups = kinds if len(kinds) == 1 else [*kinds, "all"]
    return {
        "transformations": [_rates(name, kind, outcomes, resampling) for name in TRANSFORMATIONS for kind in groups],
        "examples": {name: _examples([o for o in outcomes if o.transformation == name]) for name in TRANSFORMATIONS},
    }


def tables(section: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the table of `section`."""
    yield Table(
        "consistency: what must not change a verdict",
        ["transformation", "kind", "rows", "conflict → none", "none → conflict", "flip rate", "of conflicts",
         "of the others"],
        [
            [t["transformation"].replace("_", " "), t["kind"], str(t["rows"]),
             f"{t['lost']} of {t['conflicts']}", f"{t['gained']} of {t['rows'] - t['conflicts']}",
             t["flip_rate"], t["lost_rate"], t["gained_rate"]]
            for t in section["transformations"]
        ],
    )  # fmt: skip


def remark(section: Mapping[str, Any]) -> str:
    return f"consistency: {section['nli_calls']:,} NLI calls; {section['seconds']:,.1f} s."


def _rates(name: str, kind: str, outcomes: Sequence[Outcome], resampling: Resampling) -> dict[str, Any]:
    own = [o for o in outcomes if o.transformation == name and kind in ("all", o.example.kind)]
    conflicts = sum(o.before is not None for o in own)
    lost = sum(o.is_flip and o.after is None for o in own)
    gained = sum(o.is_flip and o.before is None for o in own)
    return {
        "transformation": name,
        "kind": kind,
        "rows": len(own),
        "conflicts": conflicts,
        "lost": lost,
        "gained": gained,
        "flip_rate": resampling.share(lost + gained, len(own)),
        "lost_rate": resampling.share(lost, conflicts),
        "gained_rate": resampling.share(gained, len(own) - conflicts),
    }


def _examples(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return up to `STORED` flips of each direction."""
    flips = [o for o in outcomes if o.is_flip]
    lost, gained = ([o for o in flips if (o.after is None) == was] for was in (True, False))
    return [_example(o) for o in (*lost[:STORED], *gained[:STORED])]


def _example(outcome: Outcome) -> dict[str, Any]:
    found = outcome.before or outcome.after
    return {
        "kind": outcome.example.kind.value, "source": outcome.example.source, "id": outcome.example.id,
        "label": outcome.example.label, "before": "conflict" if outcome.before else "none",
        "after": "conflict" if outcome.after else "none", "conflict": _conflict(found) if found else None,
        "passages": [{"id": p.id, "text": p.text} for p in outcome.passages],
    }  # fmt: skip


def _conflict(found: Conflict) -> dict[str, Any]:
    return {"type": found.type.value, "score": round(found.score, 4), "a": found.a.text, "b": found.b.text}
