"""JSON and JSON Lines: everything the report holds, as plain types, for programs.

The JSON object is for one read; of JSON Lines, each line says in ``kind`` what it is, the summary comes last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from detectors.errors import InputError
from detectors.evidence import ConflictType
from guard.audit.findings import QUIET, Finding, LookAlike, Pair, Preference, Quote, Severity, State
from guard.audit.report import Report

VERSION = 1  # of the JSON form


def as_json(report: Report) -> str:
    """Return one indented JSON object.  ``findings`` are the new ones; the others stand under their state."""
    document = {
        "version": VERSION,
        "status": report.status.value,
        "summary": summary(report),
        "documents": [asdict(d) for d in report.documents],
        "findings": [finding(f) for f in report.new],
        **{state.value: [finding(f) for f in report.in_state(state)] for state in QUIET},
        "benign": [_look_alike(pair) for pair in report.look_alikes],
        "unverified": [asdict(u) for u in report.unverified],
        "warnings": list(report.warnings),
        "errors": list(report.errors),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_jsonl(report: Report) -> str:
    """Return a line for each finding (of every ``state``), problem and document, and one for the summary."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(report))


def summary(report: Report) -> dict[str, Any]:
    """Return the counts."""
    return {
        "documents": len(report.documents),
        "passages": sum(d.passages for d in report.documents),
        "findings": {"new": len(report.new), **{severity.value: n for severity, n in report.by_severity().items()}},
        **{state.value: len(report.in_state(state)) for state in QUIET},
        "stale": report.stale,
    }


def finding(found: Finding) -> dict[str, Any]:
    """Return a finding as plain types."""
    preferred = found.preferred
    return {
        "id": found.id,
        "type": found.type.value,
        "severity": found.severity.value,
        "score": round(found.score, 4),
        "explanation": found.explanation,
        "detectors": list(found.detectors),
        "a": asdict(found.a),
        "b": asdict(found.b),
        "given": asdict(found.given) if found.given else None,
        "preferred": {
            "passage_id": (found.a if preferred.side == "a" else found.b).passage_id,
            "side": preferred.side, "rule": preferred.rule, "reason": preferred.reason,
        } if preferred else None,
        "action": found.action,
        "state": found.state.value,
        "state_reason": found.state_reason,
        "more": [{"id": p.id, "score": round(p.score, 4), "a": asdict(p.a), "b": asdict(p.b)} for p in found.more],
    }  # fmt: skip


def parsed(document: Any) -> list[Finding]:
    """Return the findings of all states of a report in JSON.  Raises `InputError` where it is none."""
    if not isinstance(document, dict) or document.get("version") != VERSION or "findings" not in document:
        raise InputError(f"not a report of version {VERSION}; write one with passageguard audit --format json")
    try:
        return [_parsed(entry) for key in ("findings", *QUIET) for entry in document[key]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not a complete report: {type(error).__name__}: {error}; write it anew") from error


def _parsed(entry: dict[str, Any]) -> Finding:
    better = entry["preferred"]
    return Finding(
        entry["id"], ConflictType(entry["type"]), Severity(entry["severity"]), entry["score"], entry["explanation"],
        tuple(entry["detectors"]), Quote(**entry["a"]), Quote(**entry["b"]),
        Quote(**entry["given"]) if entry["given"] else None,
        Preference(better["side"], better["rule"], better["reason"]) if better else None,
        entry["action"], State(entry["state"]), entry["state_reason"],
        tuple(Pair(p["id"], p["score"], Quote(**p["a"]), Quote(**p["b"])) for p in entry["more"]),
    )  # fmt: skip


def _look_alike(pair: LookAlike) -> dict[str, Any]:
    return {"why_not": pair.why_not.value, "score": round(pair.score, 4), "a": asdict(pair.a), "b": asdict(pair.b)}


def _lines(report: Report) -> Iterator[dict[str, Any]]:
    for document in report.documents:
        yield {"kind": "document", **asdict(document)}
    for found in report.findings:
        yield {"kind": "finding", **finding(found)}
    for pair in report.look_alikes:
        yield {"kind": "benign", **_look_alike(pair)}
    for unverified in report.unverified:
        yield {"kind": "unverified", **asdict(unverified)}
    for kind, messages in (("warning", report.warnings), ("error", report.errors)):
        for message in messages:
            yield {"kind": kind, "message": message}
    yield {"kind": "summary", "version": VERSION, "status": report.status.value, **summary(report)}
