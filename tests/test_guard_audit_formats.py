"""Every format: what the standards require, hostile passages that stay text, the same bytes for the same input."""

import base64
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from browsing import needs_browser, opened, seen_in_browser
from sample_reports import ACCEPTED, EMPTY, FULL, MANY, NASTY, PLAIN, SOURCES, WIDE, A, B, finding, quote

from detectors.evidence import ConflictType
from guard.audit import formats
from guard.audit.report import Report, Source
from guard.audit.wording import MEANINGS, TITLES


def rendered(name, report=FULL):
    return formats.FORMATS[name].render(report)


# The registry


@pytest.mark.parametrize(
    ("file", "name"),
    [("r.json", "json"), ("r.jsonl", "jsonl"), ("r.sarif", "sarif"), ("r.SARIF.json", "sarif"), ("r.xml", "junit"),
     ("r.md", "markdown"), ("r.html", "html"), ("r.htm", "html"), ("r.txt", "text"), ("json", "text")],
)  # fmt: skip
def test_the_ending_of_a_file_name_says_the_format(file, name):
    assert formats.by_ending(Path("x.json.d") / file) == name


@pytest.mark.parametrize("name", formats.FORMATS)
def test_the_same_report_makes_the_same_bytes_and_every_format_holds_every_new_finding(name):
    text = rendered(name)
    assert text == rendered(name) and text.endswith("\n") and rendered(name, EMPTY).endswith("\n")
    assert not re.search(r"\b20\d\d-\d\d-\d\dT", text), "a time would differ from run to run"
    plain = rendered(name, Report(SOURCES, (PLAIN,)))
    many = rendered(name, Report(WIDE, (MANY,)))
    assert all(re.search(rf"docs/far\\?-{n}\\?\.md", many) for n in range(1, 7)) and re.search(
        r"docs/calm\\?\.md", many
    )
    for said in ("14", "30", "docs/a", "calm" if name not in ("github", "markdown", "html") else "Correct it"):
        assert said in plain, said


@pytest.mark.parametrize("name", formats.FORMATS)
def test_a_stream_that_cannot_hold_every_character_gets_them_escaped(name):
    report = Report(SOURCES, (finding(replace(A, text="Größe \U0001f600 14."), B),))
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    formats.write(name, report, stream)
    stream.flush()
    written = stream.buffer.getvalue().decode("ascii")
    if name in ("json", "sarif"):
        assert json.loads(written) == json.loads(rendered(name, report))
    elif name == "junit":
        assert "Größe \U0001f600 14." in "".join(ElementTree.fromstring(written).itertext())
    elif name == "html":
        assert "Größe \U0001f600 " in page(written).text


# JSON


def test_json_keeps_the_states_apart_and_json_lines_say_what_each_line_is():
    report = json.loads(rendered("json"))
    assert [len(report[key]) for key in ("findings", "accepted", "suppressed")] == [3, 1, 1]
    assert report["status"] == "conflict" and report["summary"]["findings"] == {
        "new": 3, "error": 2, "warning": 1, "note": 0,
    }  # fmt: skip
    first = report["findings"][0]
    assert (first["id"], first["severity"], first["a"]["line"], first["b"]["page"]) == (PLAIN.id, "error", 6, 2)
    lines = [json.loads(line) for line in rendered("jsonl").split("\n")[:-1]]
    assert Counter(line["kind"] for line in lines) == {
        "document": 5, "finding": 5, "benign": 1, "unverified": 1, "warning": 1, "error": 1, "summary": 1,
    }  # fmt: skip
    assert [line["state"] for line in lines if line["kind"] == "finding"] == [
        "new",
        "new",
        "accepted",
        "suppressed",
        "new",
    ]


# SARIF


def thing(required="", **properties):
    """A JSON Schema of an object that may have these properties and no others; those in ``required`` must be there."""
    return {
        "type": "object", "properties": properties, "additionalProperties": False, "required": required.split(),
    }  # fmt: skip


def listed(items, least=0):
    return {"type": "array", "items": items, "minItems": least, "uniqueItems": True}


# What SARIF 2.1.0 allows in the objects that we write, from the standard's text: sections 3.11 (message), 3.14 (run),
# 3.20 (invocation), 3.24 (artifact), 3.27 (result), 3.28 (location), 3.33 (logicalLocation), 3.35 (suppression),
# 3.49 (reportingDescriptor), 3.58 (notification).
STRING, NATURAL, BAG = {"type": "string"}, {"type": "integer", "minimum": 1}, {"type": "object"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
MESSAGE = thing("text", text=STRING, markdown=STRING)
ARTIFACT = thing("uri", uri={"type": "string", "pattern": r"^(?:[A-Za-z0-9._~/:-]|%[0-9A-F]{2})+$"}, uriBaseId=STRING)
LOCATION = thing(
    id=NATURAL, message=MESSAGE, properties=BAG,
    physicalLocation=thing(
        "artifactLocation", artifactLocation=ARTIFACT,
        region=thing("startLine", startLine=NATURAL, endLine=NATURAL, snippet=thing("text", text=STRING)),
    ),
    logicalLocations=listed(thing(name=STRING, fullyQualifiedName=STRING, kind=STRING)),
)  # fmt: skip
RULE = thing(
    "id", id=STRING, name=STRING, shortDescription=MESSAGE, fullDescription=MESSAGE, help=MESSAGE,
    defaultConfiguration=thing(level=LEVEL),
)  # fmt: skip
RESULT = thing(
    "message", ruleId=STRING, ruleIndex={"type": "integer", "minimum": 0}, level=LEVEL, message=MESSAGE,
    rank={"type": "number", "minimum": 0, "maximum": 100}, locations=listed(LOCATION),
    relatedLocations=listed(LOCATION), partialFingerprints={"type": "object", "additionalProperties": STRING},
    suppressions=listed(thing("kind", kind={"enum": ["inSource", "external"]}, justification=STRING,
                              status={"enum": ["accepted", "underReview", "rejected"]})),
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]}, properties=BAG,
)  # fmt: skip
LOG = thing(
    "version runs", version={"const": "2.1.0"}, **{"$schema": STRING},
    runs=listed(thing(
        "tool",
        tool=thing("driver", driver=thing("name", name=STRING, version=STRING, semanticVersion=STRING,
                                          rules=listed(RULE))),
        invocations=listed(thing(
            "executionSuccessful", executionSuccessful={"type": "boolean"},
            toolExecutionNotifications=listed(thing("message", message=MESSAGE, level=LEVEL,
                                                    descriptor=thing(id=STRING))),
        )),
        artifacts=listed(thing(location=ARTIFACT)), results={"type": "array", "items": RESULT},
        columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    )),
)  # fmt: skip


@pytest.mark.parametrize("report", [EMPTY, FULL, Report(WIDE, (MANY,)), replace(FULL, stale=None)])
def test_sarif_fits_a_schema_that_was_written_from_the_standard(report):
    jsonschema.validate(json.loads(rendered("sarif", report)), LOG)


def test_sarif_has_what_the_standard_requires():
    """The required properties of SARIF 2.1.0, sections 3.13 to 3.58, by hand."""
    log = json.loads(rendered("sarif"))
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "PassageGuard"
    assert [r["id"] for r in rules] == [type.value for type in ConflictType]
    assert all(r["shortDescription"]["text"].endswith(".") and r["fullDescription"]["text"] for r in rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note") and 0 <= result["rank"] <= 100
        assert result["message"]["text"] and list(result["partialFingerprints"]) == ["passageguard/v1"]
        for at in (*result["locations"], *result["relatedLocations"]):
            place = at["physicalLocation"]
            assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", place["artifactLocation"]["uri"])
            assert place.get("region", {"startLine": 1})["startLine"] >= 1
        ids = [at["id"] for at in result["relatedLocations"]]
        assert len(result["locations"]) == 1 and ids == list(range(1, len(ids) + 1))
        links = re.findall(r"(?<!\\)\]\((\d+)\)", result["message"]["text"])
        assert links == ["1"], "the one link leads to the second passage"


def test_sarif_lies_where_to_correct_first_and_relates_the_other_and_the_third():
    plain, nasty, accepted, suppressed, again = json.loads(rendered("sarif"))["runs"][0]["results"]
    uri = plain["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "docs/b%20c.pdf" and plain["locations"][0]["properties"] == {"page": 2}
    (other,) = plain["relatedLocations"]
    assert other["physicalLocation"]["region"] == {
        "startLine": 6, "endLine": 6, "snippet": {"text": "It lasts 14 days."},
    }  # fmt: skip
    assert other["logicalLocations"][0]["fullyQualifiedName"] == "Trial"
    assert len(nasty["relatedLocations"]) == 2 and again["partialFingerprints"] == plain["partialFingerprints"]
    assert [r.get("baselineState") for r in (plain, accepted, suppressed)] == ["new", "unchanged", "new"]
    assert [r.get("suppressions", [{}])[0].get("kind") for r in (plain, accepted, suppressed)] == [
        None, "external", "inSource",
    ]  # fmt: skip
    assert suppressed["suppressions"][0]["justification"].startswith("kept for the record")
    without = json.loads(rendered("sarif", replace(FULL, stale=None)))["runs"][0]["results"]
    assert not any("baselineState" in result for result in without)


def test_sarif_notifies_of_what_was_not_looked_at_and_an_absolute_path_has_its_scheme():
    (invocation,) = json.loads(rendered("sarif"))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = [(n["level"], n["descriptor"]["id"]) for n in invocation["toolExecutionNotifications"]]
    assert notes == [("error", "not-read"), ("warning", "not-checked"), ("note", "warning")]
    (calm,) = json.loads(rendered("sarif", EMPTY))["runs"]
    assert calm["results"] == [] and calm["invocations"][0]["executionSuccessful"] is True
    report = Report([Source("/tmp/ä.md", 1)], ())
    (artifact,) = json.loads(rendered("sarif", report))["runs"][0]["artifacts"]
    assert artifact["location"]["uri"] == "file:///tmp/%C3%A4.md"


# JUnit

# Element: the attributes that CI servers know, those they need, and the elements that may stand in it.
JUNIT = {
    "testsuites": ("name tests failures errors time disabled", "", "testsuite"),
    "testsuite": ("name tests failures errors skipped time timestamp hostname id package", "name tests",
                  "properties testcase system-out system-err"),
    "testcase": ("name classname time", "name classname", "skipped error failure system-out system-err"),
    "failure": ("message type", "", ""), "error": ("message type", "", ""), "skipped": ("", "", ""),
    "system-err": ("", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("report", [EMPTY, FULL, Report(WIDE, (MANY,))])
def test_junit_holds_what_ci_servers_know_and_nothing_else(report):
    root = ElementTree.fromstring(rendered("junit", report))
    assert root.tag == "testsuites"
    for element in root.iter():
        known, needed, inside = (set(words.split()) for words in JUNIT[element.tag])
        assert needed <= set(element.keys()) <= known and {child.tag for child in element} <= inside
        assert all(element.get(k, "0").isdigit() for k in ("tests", "failures", "errors", "skipped"))


def test_junit_counts_what_it_holds():
    root = ElementTree.fromstring(rendered("junit"))
    (suite,) = root
    cases = Counter(case[0].tag if len(case) else "passed" for case in suite.iter("testcase"))
    assert cases == {"failure": 3, "skipped": 3, "error": 1, "passed": 1}
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8", "failures": "3", "errors": "1", "skipped": "3",
    }  # fmt: skip
    names = [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]
    assert len(set(names)) == len(names), "CI servers merge cases of one name"
    assert "docs/calm.md" in [case.get("classname") for case in suite.iter("testcase") if not len(case)]
    assert suite.find("testcase/failure").text.startswith("docs/a.md:6\n  It lasts 14 days.\ndocs/b c.pdf page 2\n")


# GitHub


def test_github_gets_one_command_a_line_and_no_passage_makes_another():
    *commands, summary = rendered("github").splitlines()
    assert [re.match(r"::(\w+) ", c)[1] for c in commands] == [
        "error",
        "warning",
        "error",
        "error",
        "warning",
        "notice",
    ]
    assert commands[0].startswith("::error file=docs/b c.pdf,title=Different values (0.95)::")
    place = re.match(r"::warning (.*?)::", commands[1])[1]
    assert set(dict(part.split("=", 1) for part in place.split(","))) == {"file", "line", "endLine", "title"}
    assert summary == "5 documents, 3 new findings, 1 accepted, 1 suppressed"
    assert "100%25" in commands[1] and "\x1b" not in rendered("github")


# Markdown


def test_markdown_counts_marks_what_differs_and_leaves_no_markup_of_a_passage():
    text = rendered("markdown")
    assert "5 documents, 3 findings, 1 accepted, 1 suppressed" in text
    assert "| Different values | 2 |  |  |" in text and "> It lasts <b>14</b> days\\." in text
    assert "Prefer docs/a\\.md: it has the later date" in text.replace("\\:", ":").replace("\\-", "-")
    without = re.sub(r"\\.", "", text)
    assert "<script" not in text and "<img" not in text and "@octocat" not in text
    assert "**bold**" not in without and "[x](1)" not in without and "`head`" not in without
    headings = [line for line in text.split("\n") if line.startswith("#")]
    assert len(headings) == 1 + 3 + 5
    assert "No new contradiction" in rendered("markdown", EMPTY)


# HTML


class Page(HTMLParser):
    """The tags with their attributes, and the text outside of style and script."""

    def __init__(self):
        super().__init__()
        self.tags, self.text, self.raw, self.inside = [], "", {"style": "", "script": ""}, ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in self.raw else ""

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside:
            self.raw[self.inside] += data
        else:
            self.text += data


def page(text):
    parsed = Page()
    parsed.feed(text)
    return parsed


def test_html_is_one_file_that_asks_for_nothing_and_runs_nothing_of_a_passage():
    text = rendered("html")
    parsed = page(text)
    tags = Counter(tag for tag, _ in parsed.tags)
    assert tags["script"] == tags["style"] == 1 and not {"img", "link", "iframe", "object", "base"} & set(tags)
    assert "PWNED" not in parsed.raw["script"] + parsed.raw["style"] and '<script>document.title="PWNED"' in parsed.text
    for _, attributes in parsed.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "action")]
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"https?:|//[a-z]|url\(|@import", text.replace("\u200b", ""))
    assert "\x1b" not in text and "\x00" not in text


def test_the_policy_of_the_page_allows_the_style_and_the_script_that_stand_in_it_and_nothing_else():
    parsed = page(rendered("html"))
    (policy,) = [a["content"] for _, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(parsed.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
        assert parsed.raw[kind].isascii(), "escapes would change the hash"


def test_html_shows_counts_quotes_marks_problems_and_what_was_dealt_with():
    text = rendered("html")
    parsed = page(text)
    articles = [a for tag, a in parsed.tags if tag == "article"]
    assert [a.get("data-severity") for a in articles] == ["error", "warning", "error", "note", "error", None]
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(set(ids)) == len(ids) and f"f-{PLAIN.id}-2" in ids
    assert "It lasts <mark>14</mark> days." in text and "It lasts <mark>30</mark> days." in text
    for said in ("1 file could not be read and 1 part could not be checked", "Accepted in the baseline (1)",
                 "Suppressed in a document (1)", "Looks contradictory, and is not (1)", "known since May",
                 "Prefer docs/a.md: it has the later date", "5 documents, 10 passages"):  # fmt: skip
        assert said in parsed.text, said
    buttons = [a for tag, a in parsed.tags if tag == "button" and "data-pair" in a]
    assert [b["data-pair"] for b in buttons if b["aria-label"].startswith("2 findings between docs/a.md")] == ["0-1"]
    calm = page(rendered("html", EMPTY)).text
    assert "No new contradiction was found." in calm and "could not" not in calm


def test_the_map_holds_the_pairs_with_the_most_findings_and_says_what_it_leaves_out():
    """Documents with many findings, each with another one, must not drive out the pair that has several."""
    sources = [Source(f"docs/{n}.md", 1) for n in range(42)]
    found = [finding(quote(f"docs/{n % 2}.md", f"It is {n}."), quote(f"docs/{2 + n}.md", "No.")) for n in range(38)]
    found += [finding(quote("docs/40.md", f"It is {n}."), quote("docs/41.md", "No.")) for n in range(3)]
    parsed = page(rendered("html", Report(sources, found)))
    cells = {a["data-pair"]: a["aria-label"] for tag, a in parsed.tags if tag == "button" and "data-pair" in a}
    assert cells["40-41"] == "3 findings between docs/40.md and docs/41.md" and len(cells) == 10
    assert "The pairs with the most findings; 30 more documents are not shown." in parsed.text


def test_the_map_tells_documents_of_one_name_apart():
    paths = ("docs/de/a.md", "docs/fr/a.md", "docs/b.md")
    found = [finding(quote(p, "It is 1."), quote(q, "No.")) for p, q in pairwise(paths)]
    text = rendered("html", Report([Source(path, 1) for path in paths], found))
    assert re.findall(r"<span>([^<]*)</span> \d", text) == ["de/a.md", "fr/a.md", "b.md"]


def test_labels_name_every_control():
    parsed = page(rendered("html"))
    for tag, attributes in parsed.tags:
        if tag in ("svg", "button", "section") and attributes.get("type") != "reset":
            assert attributes.get("aria-label") or attributes.get("id") == "findings", (tag, attributes)
    assert sum(tag == "label" for tag, _ in parsed.tags) == sum(tag in ("input", "select") for tag, _ in parsed.tags)


READER = """
const field = (name) => document.getElementById(name), seen = [];
const see = () => seen.push([...document.querySelectorAll("#findings > article")]
  .filter((card) => card.checkVisibility()).map((card) => card.id).join(" ") + " | " + field("shown").textContent);
const fire = (target, event) => target.dispatchEvent(event), as = {bubbles: true, cancelable: true};
const choose = (name, value) => { field(name).value = value; fire(field(name), new Event("input", as)); };
const press = (key) => fire(document.body, new KeyboardEvent("keydown", {key, ...as}));
const later = () => new Promise((done) => setTimeout(done, 20));
(async () => {
  see();
  choose("words", "TRIAL 30 days"); see();
  choose("words", "no such words"); see(); seen.push(String(field("nothing").checkVisibility()));
  press("Escape"); await later(); see();
  choose("severity", "warning"); see(); choose("severity", "");
  choose("type", "value"); see(); choose("type", "");
  choose("document", "4"); see(); choose("document", "");
  const cell = document.querySelector("[data-pair='4-5']"); cell.click(); see();
  seen.push(cell.getAttribute("aria-pressed"));
  press("Escape"); await later(); see();
  press("/"); seen.push(document.activeElement.id);
  location.hash = document.querySelector("details article").id; await later();
  const folded = document.querySelector("details article"); seen.push(String(folded.checkVisibility()));
  seen.push(document.querySelector("#findings mark").textContent);
  seen.push(String(performance.getEntriesByType("resource").length));
  const said = document.createElement("pre");
  said.id = "seen"; said.textContent = seen.join("\\n"); document.body.append(said);
})();
"""


@needs_browser
def test_a_browser_runs_the_page_and_nothing_of_a_passage(tmp_path):
    text = opened(tmp_path, rendered("html"))
    parsed = page(text)
    assert "PWNED" not in re.search(r"<title>(.*?)</title>", text)[1]
    (form,) = [a for tag, a in parsed.tags if tag == "form"]
    assert "hidden" not in form, "the page's own script has run"
    assert [a["aria-pressed"] for _, a in parsed.tags if "data-pair" in a] == ["false"] * 2


@needs_browser
def test_a_reader_filters_searches_and_reads_in_a_browser(tmp_path):
    """A second script acts as the reader; the page's own policy, tested above, has to let it in."""
    report = replace(FULL, documents=WIDE, findings=(PLAIN, NASTY, ACCEPTED, MANY))
    seen = seen_in_browser(tmp_path, rendered("html", report), READER)
    plain, nasty, many = (f"f-{found.id}" for found in (PLAIN, NASTY, MANY))
    everything = f"{plain} {nasty} {many} | 3 findings"
    assert seen == [
        everything,
        f"{plain} | 1 of 3 findings",  # "trial" is its heading, "30" and "days" stand in both
        " | 0 of 3 findings", "true",
        everything,
        f"{nasty} | 1 of 3 findings",
        f"{plain} {many} | 2 of 3 findings",
        f"{many} | 1 of 3 findings",  # by document
        f"{many} | 1 of 3 findings", "true",  # by a cell of the map
        everything,
        "words", "true", "14", "0",
    ]  # fmt: skip


def test_every_type_has_a_title_and_a_meaning():
    assert set(TITLES) == set(MEANINGS) == set(ConflictType)
