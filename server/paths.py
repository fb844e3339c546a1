"""Paths into JSON: ``$.hits.hits[*]``, ``_source.text``, ``payload["page content"]``.

A path is names and positions; ``[*]`` and ``.*`` stand for every element of a list and every value of an object.  One
that begins with ``$`` starts at the whole answer, any other at one hit.  Nothing else of JSONPath is known: no
filters, no slices, no descent.  Knows nothing about passages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.errors import ConfigError

EVERY = None  # the step that stands for all elements
Step = str | int | None
Place = tuple[str | int, ...]  # where one value is

_STEP = re.compile(
    r"""\.?(?P<name>[^.\[\]"'\s$*]+) | \[(?P<index>\d{1,6})\] | (?P<every>\[\*\]|\.\*) | \["(?P<quoted>[^"]+)"\]""",
    re.X,
)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A parsed path.  Build it with `parse`."""

    text: str
    steps: tuple[Step, ...]
    is_absolute: bool = False

    @property
    def list_steps(self) -> tuple[Step, ...]:
        """The steps to the list whose elements the path stands for."""
        return self.steps[:-1]

    def bound(self, positions: Sequence[str | int]) -> tuple[Step, ...]:
        """Return the steps, the first ``[*]`` replaced by these positions, as many as there are.

        >>> parse("$.ids[*][*]").bound([0])
        ('ids', 0, None)
        """
        left = iter(positions)
        return tuple(next(left, EVERY) if step is EVERY else step for step in self.steps)

    def reaches(self, place: Sequence[Step]) -> bool:
        """Whether this path may stand for that place."""
        same = len(self.steps) == len(place)
        return same and all(a is EVERY or a == b for a, b in zip(self.steps, place, strict=True))


def parse(text: object) -> JsonPath:
    """Return the path.  Raises `ConfigError` with the character at which it cannot be read.

    >>> parse('$.hits[*]').steps, parse('payload["page content"]').steps
    (('hits', None), ('payload', 'page content'))
    """
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{text!r} is no path; write one such as $.hits[*] or _source.text")
    at, steps = int(text.startswith("$")), list[Step]()
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match["name"] and not steps and text[0] != "$" and text[at] == "."):
            raise ConfigError(f'{text!r} cannot be read at character {at + 1}; write $.hits[*], a.b[0] or a["b c"]')
        index = match["index"]
        steps.append(EVERY if match["every"] else int(index) if index else match["name"] or match["quoted"])
        at = match.end()
    if not steps and text != "$":
        raise ConfigError(f"{text!r} is no path")
    return JsonPath(text, tuple(steps), text.startswith("$"))


def found(tree: Any, steps: Sequence[Step], place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield (place, value) of all that the steps stand for; what is not there is left out.

    >>> list(found({"a": [{"b": 1}, {}, {"b": 2}]}, parse("a[*].b").steps))
    [(('a', 0, 'b'), 1), (('a', 2, 'b'), 2)]
    """
    if not steps:
        yield place, tree
        return
    step, rest = steps[0], steps[1:]
    for key in _keys(tree) if step is EVERY else [step]:
        for child in _child(tree, key):
            yield from found(child, rest, (*place, key))


def _keys(tree: Any) -> list[str | int]:
    return [*tree] if isinstance(tree, dict) else [*range(len(tree))] if isinstance(tree, list) else []


def _child(tree: Any, key: str | int) -> tuple[Any, ...]:
    """Return what is there, if anything."""
    if isinstance(tree, dict):
        return (tree[key],) if key in tree else ()
    return (tree[key],) if isinstance(tree, list) and isinstance(key, int) and key < len(tree) else ()


def assign(tree: Any, place: Sequence[Step], value: Any) -> bool:
    """Put a value there, in place; objects that are missing or null are made.  Return whether it could be.

    >>> hit = {"payload": None}
    >>> assign(hit, ("payload", "note"), "x"), hit
    (True, {'payload': {'note': 'x'}})
    """
    for step, following in zip(place, [*place[1:], EVERY], strict=True):
        is_last = following is EVERY
        if isinstance(tree, dict) and isinstance(step, str):
            if is_last:
                tree[step] = value
                return True
            if tree.get(step) is None and isinstance(following, str):
                tree[step] = {}
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            if is_last:
                tree[step] = value
                return True
            if tree[step] is None and isinstance(following, str):
                tree[step] = {}
            tree = tree[step]
        else:
            return False
    return False


def remove(tree: Any, place: Place) -> None:
    """Take a value out of its object, in place."""
    for step in place[:-1]:
        tree = tree[step]
    if isinstance(tree, dict):
        del tree[place[-1]]
