"""SARIF 2.1.0, for code scanning and editors.

Source: the OASIS standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".  A result lies where a
correction is due first; the other passage and all further ones are related locations.  What could not be read or
checked is a notification of the invocation.  Holds no times, so that the same input makes the same bytes.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from detectors.evidence import ConflictType
from guard import __version__
from guard.audit.findings import Finding, Quote, State
from guard.audit.report import Report
from guard.audit.wording import MEANINGS, TITLES, printable

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "passageguard/v1"  # the version of `guard.audit.findings.fingerprint`
RULES = tuple(ConflictType)
BRACKET = re.compile(r"([\\\[\]])")


def render(report: Report) -> str:
    """Return a log with one run."""
    run = {
        "tool": {"driver": {
            "name": "PassageGuard", "version": __version__, "semanticVersion": __version__,
            "rules": [_rule(type) for type in RULES],
        }},
        "invocations": [{
            "executionSuccessful": not report.errors, "toolExecutionNotifications": _notifications(report),
        }],
        "artifacts": [{"location": _artifact(d.path)} for d in report.documents],
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, report.stale is not None) for found in report.findings],
    }  # fmt: skip
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(type: ConflictType) -> dict[str, Any]:
    return {
        "id": type.value,
        "name": "".join(word.capitalize() for word in TITLES[type].split()),
        "shortDescription": {"text": f"{TITLES[type]}."},
        "fullDescription": {"text": MEANINGS[type]},
        "help": {"text": f"{MEANINGS[type]} Find out which side holds, and correct the other; or say in a comment why "
                         f"both may stand: passageguard: ignore[{type.value}] reason"},
        "defaultConfiguration": {"level": "warning"},
    }  # fmt: skip


def _result(found: Finding, has_baseline: bool) -> dict[str, Any]:
    first, other = found.sides
    related = [other, *(quote for quote in found.quotes if quote not in (first, other))]
    result = {
        "ruleId": found.type.value,
        "ruleIndex": RULES.index(found.type),
        "level": found.severity.value,
        "rank": round(100 * found.score, 2),
        "message": {"text": f"{_plain(found.explanation)}. Compare [{_plain(other.place)}](1). {_plain(found.action)}"},
        "locations": [_location(first)],
        "relatedLocations": [_location(at, number) for number, at in enumerate(related, 1)],
        "partialFingerprints": {FINGERPRINT: found.id},
        "properties": {
            "score": round(found.score, 4),
            "detectors": list(found.detectors),
            "action": found.action,
            **({"preferred": found.preferred.reason} if found.preferred else {}),
        },
    }
    if found.state is not State.NEW:
        kind = "inSource" if found.state is State.SUPPRESSED else "external"
        result["suppressions"] = [{"kind": kind, "status": "accepted", "justification": found.state_reason}]
    if has_baseline:
        result["baselineState"] = "unchanged" if found.state is State.ACCEPTED else "new"
    return result


def _location(at: Quote, number: int | None = None) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(at.path)}
    if at.line:
        physical["region"] = {"startLine": at.line, "endLine": at.end_line or at.line, "snippet": {"text": at.text}}
    location: dict[str, Any] = {"physicalLocation": physical}
    if at.heading:
        location["logicalLocations"] = [{"fullyQualifiedName": at.heading, "kind": "section"}]
    if at.page:
        location["properties"] = {"page": at.page}
    message = {"message": {"text": _plain(at.text)}}
    return location if number is None else {"id": number, **location, **message}


def _artifact(path: str) -> dict[str, str]:
    """Return the path as a URI: relative as it was given, absolute with its scheme."""
    return {"uri": ("file://" if path.startswith("/") else "") + quote(path)}


def _notifications(report: Report) -> list[dict[str, Any]]:
    said = [("error", "not-read", message) for message in report.errors]
    said += [("warning", "not-checked", f"{u.subject}: {u.reason}") for u in report.unverified]
    said += [("note", "warning", message) for message in report.warnings]
    return [
        {"level": level, "descriptor": {"id": name}, "message": {"text": _plain(text)}} for level, name, text in said
    ]


def _plain(text: str) -> str:
    r"""Return text without links: a passage may hold ``[text](target)``, which viewers would make one.

    >>> print(_plain("see [here](1)"))
    see \[here\](1)
    """
    return BRACKET.sub(r"\\\1", printable(text))
