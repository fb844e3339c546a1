"""JUnit XML, which every CI server shows: a test case for each document and each finding.

A new finding is a failure, one that was dealt with and what could not be checked are skipped, a file that could not be
read is an error.  A document that no new finding speaks of passes.
There is no standard; what is written fits the schemas of Jenkins' plugins, which refuse any other attribute.
"""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from guard.audit.findings import Finding, State
from guard.audit.report import Report
from guard.audit.wording import TITLES, printable

SUITE = "passageguard audit"


def render(report: Report) -> str:
    """Return one suite.  Characters that XML cannot hold are replaced."""
    suite = ElementTree.Element("testsuite", name=SUITE)
    involved = {path for found in report.new for path in found.paths}
    for document in report.documents:
        if document.path not in involved:
            _case(suite, document.path, "no new contradiction")
    for found, name in zip(report.findings, report.unique_ids(), strict=True):
        _finding(suite, found, name)
    for unverified in report.unverified:
        _skipped(_case(suite, unverified.subject, "not checked"), unverified.reason)
    for message in report.errors:
        error = ElementTree.SubElement(_case(suite, message.partition(": ")[0], "not read"), "error", type="not read")
        error.set("message", printable(message))
    if report.warnings:
        ElementTree.SubElement(suite, "system-err").text = "\n".join(map(printable, report.warnings))
    counts = Counter(child.tag for case in suite.iter("testcase") for child in case)
    root = ElementTree.Element("testsuites", name=SUITE)
    for element in (root, suite):
        element.set("tests", str(len(suite.findall("testcase"))))
        element.set("failures", str(counts["failure"]))
        element.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _finding(suite: ElementTree.Element, found: Finding, name: str) -> None:
    first, other = found.sides
    case = _case(suite, first.path, f"{TITLES[found.type]}: {first.place} against {other.place} [{name}]")
    if found.state is State.NEW:
        failure = ElementTree.SubElement(case, "failure", type=found.type.value)
        failure.set("message", printable(f"{found.severity} {found.score:.2f}: {found.explanation}"))
        failure.text = "\n".join(_body(found))
    else:
        _skipped(case, f"{found.state}: {found.state_reason}")


def _skipped(case: ElementTree.Element, reason: str) -> None:
    ElementTree.SubElement(case, "skipped").text = printable(reason)


def _case(suite: ElementTree.Element, where: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=printable(where), name=printable(name))


def _body(found: Finding) -> list[str]:
    lines = [f"{printable(quote.place)}\n  {printable(quote.text)}" for quote in found.quotes]
    return [*lines, printable(found.action)]
