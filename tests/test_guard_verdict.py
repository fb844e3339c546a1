"""The JSON form of a verdict fits guard/verdict.schema.json, and the schema is closed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import guard.verdict
from detectors.errors import InputError
from detectors.evidence import Benign, Conflict, ConflictType, Passage, Span, Unverified, WhyNot
from guard.policy import SELF_CONTRADICTION, Policy, decide
from guard.remediate import remediate
from guard.trust import RULES
from guard.verdict import Action, Status, Verdict

SCHEMA = json.loads(Path(guard.verdict.__file__).with_name("verdict.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def verdict(action: Action = Action.DROP) -> Verdict:
    given = [
        Passage("a", "20 days.", {"date": date(2024, 5, 1), "tags": {"x"}}),
        Passage("b", "25 days."),
        Passage("c", "?"),
    ]
    a, b, c = (Span(p.id, 0, len(p.text), p.text) for p in given)
    conflicts = (
        Conflict(ConflictType.VALUE, 0.93, a, b, "20 and 25", ("values",)),
        Conflict(ConflictType.CONDITIONAL, 0.6, a, b, "given c", ("nli",), c),
    )
    decision = decide(conflicts, given, [["b", "c"]], Policy(action))
    kept, removed, notice = remediate(given, conflicts, decision, 1)
    return Verdict(
        Status.CONFLICT, conflicts, decision.action, kept, removed, (Unverified("pairs", "limit"),),
        (Benign(WhyNot.SCOPE, 0.2, a, c),), (("b", "c"),), notice, {"pairs": 3, "seconds": 0.1},
    )  # fmt: skip


def objects(node: Any) -> list[dict[str, Any]]:
    found = [node] if isinstance(node, dict) and node.get("type") == "object" else []
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return found + [o for child in children for o in objects(child)]


def test_schema_is_valid_closed_and_described() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for node in objects(SCHEMA):
        assert "additionalProperties" in node and node["description"]
        assert all(p["description"] for p in node.get("properties", {}).values())
        if "properties" in node:
            assert node["additionalProperties"] is False
            assert sorted(node["required"]) == sorted(node["properties"])


def test_schema_lists_the_same_closed_sets_as_the_code() -> None:
    defs = SCHEMA["$defs"]
    assert SCHEMA["properties"]["action"]["enum"] == [a.value for a in Action]
    assert SCHEMA["properties"]["status"]["enum"] == [s.value for s in Status]
    assert defs["conflict"]["properties"]["type"]["enum"] == [t.value for t in ConflictType]
    assert defs["benign"]["properties"]["why_not"]["enum"] == [w.value for w in WhyNot]
    assert defs["loss"]["properties"]["rule"]["enum"] == [*RULES, SELF_CONTRADICTION]


@pytest.mark.parametrize("action", Action)
def test_verdicts_fit_through_json(action: Action) -> None:
    VALIDATOR.validate(json.loads(json.dumps(verdict(action).to_dict())))


@pytest.mark.parametrize("action", Action)
def test_a_verdict_comes_back_from_json(action: Action) -> None:
    document = json.loads(json.dumps(verdict(action).to_dict()))
    back = Verdict.from_dict(document)
    assert back.to_dict() == document
    assert back.conflicts == verdict(action).conflicts and back.benign == verdict(action).benign
    assert back.removed[:0] == () and isinstance(back.action, Action)


def test_what_is_no_verdict_is_refused_by_name() -> None:
    document = verdict().to_dict()
    for broken, named in (
        ({**document, "version": 2}, "version"),
        ({**document, "action": "explode"}, "explode"),
        ({k: v for k, v in document.items() if k != "conflicts"}, "conflicts"),
        ({**document, "conflicts": [{"type": "value"}]}, "score"),
        ("text", "object"),
    ):
        with pytest.raises(InputError, match=named):
            Verdict.from_dict(broken)


def test_clean_verdict_fits() -> None:
    VALIDATOR.validate(Verdict(Status.CLEAN, (), Action.REPORT, (), (), ()).to_dict())


@pytest.mark.parametrize(
    "path",
    [(), ("conflicts", 0), ("conflicts", 0, "a"), ("removed", 0), ("removed", 0, "loss"), ("unverified", 0)],
)
def test_unknown_and_missing_keys_are_refused(path: tuple[str | int, ...]) -> None:
    document: Any = verdict().to_dict()
    node = document
    for step in path:
        node = node[step]
    node["surprise"] = 1
    assert not VALIDATOR.is_valid(document)
    del node["surprise"]
    node.pop(next(iter(node)))
    assert not VALIDATOR.is_valid(document)
