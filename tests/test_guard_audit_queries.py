"""Logs of retrievals: every common shape is read alike, bad lines are named, and what bears on a question is told."""

import json
import re
from itertools import combinations

import pytest
from browsing import needs_browser, seen_in_browser
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.evidence import Conflict, ConflictType, Passage, Span, Unverified
from guard import InputError
from guard.audit import contested, queries
from guard.audit.baseline import Entry
from guard.audit.contested import Standing
from guard.audit.formats import contested as formats
from guard.audit.formats import contested_page
from guard.audit.run import Known
from guard.verdict import Action, Status, Verdict

SENTENCE = re.compile(r"The (\w+) lasts (\d+) days\.")


class DaysGuard:
    """Finds sentences that give different days to one thing, with the larger number as the score in hundredths."""

    def __init__(self):
        self.asked = []

    def check(self, passages, question=None):
        self.asked.append(question)
        seen = [(m, Span(p.id, *m.span(), m.group())) for p in passages for m in SENTENCE.finditer(p.text)]
        found = tuple(
            Conflict(ConflictType.VALUE, max(int(m[2]), int(n[2])) / 100, a, b, f"{m[2]} against {n[2]}", ("days",))
            for (m, a), (n, b) in combinations(seen, 2) if m[1] == n[1] and m[2] != n[2]
        )  # fmt: skip
        unverified = tuple(Unverified(p.id, "German") for p in passages if "Der Vertrag" in p.text)
        return Verdict(Status.CLEAN, found, Action.REPORT, (), (), unverified)


def read(*entries, name="log.jsonl"):
    return queries.read([e if isinstance(e, bytes) else json.dumps(e).encode() + b"\n" for e in entries], name)


def replay(*entries, known=None, **settings):
    guard = DaysGuard()
    return contested.replayed(guard, read(*entries), known or Known(), **settings), guard


ONE, TWO = "The trial lasts 14 days.", "The trial lasts 95 days."
QUESTION = "How long is the trial?"

SHAPES = {
    "own": {"query": QUESTION, "passages": [{"id": "a", "text": ONE, "metadata": {"date": "2024-01-01"}}, TWO]},
    "Ragas": {"user_input": QUESTION, "retrieved_contexts": [ONE, TWO], "response": "It is 14 days."},
    "LangChain": {"query": QUESTION, "result": "It is 14 days.", "source_documents": [
        {"page_content": ONE, "metadata": {"source": "a", "date": "2024-01-01"}}, {"page_content": TWO}]},
    "a LangSmith run": {"id": 5, "inputs": {"input": QUESTION}, "outputs": {"documents": [
        {"page_content": ONE, "metadata": {"source": "a"}}, {"page_content": TWO}], "answer": "It is 14 days."}},
    "LlamaIndex": {"query": QUESTION, "response": {"response": "It is 14 days.", "source_nodes": [
        {"node": {"id_": "a", "text": ONE, "metadata": {"date": "2024-01-01"}}, "score": 0.9},
        {"node": {"text": TWO}}]}},
    "Haystack": {"query": QUESTION, "documents": [{"id": "a", "content": ONE, "meta": {"date": "2024-01-01"}},
                                                  {"content": TWO}]},
    "OpenInference": {"attributes": {"input": {"value": QUESTION}, "input.value": QUESTION, "retrieval.documents": [
        {"document.id": "a", "document.content": ONE, "document.metadata": {"date": "2024-01-01"}},
        {"document.content": TWO}], "output.value": "It is 14 days."}},
    "Elasticsearch": {"query": QUESTION, "response": {"hits": {"total": 2, "hits": [
        {"_id": "a", "_source": {"text": ONE, "date": "2024-01-01"}}, {"_source": {"body": TWO}}]}}},
    "Qdrant": {"query": QUESTION, "points": [{"id": "a", "payload": {"text": ONE}}, {"payload": {"text": TWO}}]},
    "Chroma": {"query": QUESTION, "results": {"documents": [[ONE, TWO]], "ids": [["a", "b"]]}},
    "a chat": {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": QUESTION},
                            {"role": "assistant", "content": "y"}], "contexts": [ONE, TWO]},
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_every_common_shape_is_read(name):
    shape = SHAPES[name]
    (logged,) = read(shape).questions
    assert (logged.question, [p.text for p in logged.passages]) == (QUESTION, [ONE, TWO])
    text = json.dumps(shape)
    if '"a"' in text and "source" not in text.replace("_source", "").replace("source_nodes", ""):
        assert logged.passages[0].id == "a"
    if "2024" in text:
        assert logged.passages[0].metadata["date"] == "2024-01-01"
    assert logged.answers == (("It is 14 days.",) if "It is" in text else ())
    result, _ = replay(shape)
    assert [q.standing for q in result.questions] == [Standing.CONTESTED]


def test_bad_lines_are_named_by_number_and_the_rest_goes_on():
    log = read(
        b'{"query": "x"\n', SHAPES["own"], b"\n", b'"caf\xe9"\n', [1], {"passages": ["x"]}, {"query": "x"},
        b'{"query": "x", "passages": [NaN]}\n', b"[" * 5000 + b"\n", b'{"query": "\\ud800", "passages": []}\n',
    )  # fmt: skip
    assert [q.lines for q in log.questions] == [(2,)]
    assert [re.match(r"log\.jsonl: line (\d+): (.{14})", e).groups() for e in log.errors] == [
        ("1", "not valid JSON"), ("4", "not valid UTF-"), ("5", "must be an obj"), ("6", "no question in"),
        ("7", "no passages in"), ("8", "NaN is no JSON"), ("9", "JSON nested to"), ("10", "\\ud800 is a lo"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{\n", b'{"query": 1}\n5\n', b"[]", b"\xff\xfe\0"])
def test_a_log_without_a_readable_line_says_why(content):
    with pytest.raises(InputError, match=r"^log: "):
        queries.read(content.splitlines(keepends=True), "log")


def test_one_json_document_is_a_log_too():
    document = json.dumps([SHAPES["own"], SHAPES["Ragas"]], indent=1).encode()
    log = queries.read(document.splitlines(keepends=True), "log.json")
    assert len(log.questions) == 2 and log.questions[0].lines == (2,) and not log.errors


def test_the_same_retrieval_is_checked_once_and_counted():
    other = {**SHAPES["Ragas"], "response": "It is 95 days.", "user_input": f" {QUESTION} "}
    result, guard = replay(SHAPES["Ragas"], {"query": "Why?", "passages": []}, other, SHAPES["Ragas"])
    assert guard.asked == [QUESTION] and result.asked() == 4
    (contest,) = result.questions[0].contests
    assert result.questions[0].logged.lines == (1, 3, 4) and contest.sides == {"a": 2, "b": 1}
    assert result.warnings == ("log.jsonl: line 2: nothing was retrieved",)
    assert [q.standing for q in result.questions] == [Standing.CONTESTED, Standing.CONSISTENT]


def test_chunks_that_share_an_id_stay_apart_and_text_that_is_missing_is_told():
    shared = {"query": QUESTION, "passages": [{"id": "h", "text": ONE}, {"id": "h", "text": TWO}, {"id": "h"}, 7, " "]}
    result, _ = replay(shared)
    (question,) = result.questions
    assert [p.id for p in question.logged.passages] == ["h", "h (2)"]
    assert question.contests and question.unverified == (Unverified("passages", "3 of 5 hold no text"),)
    assert not result.is_complete


def test_a_conflict_bears_where_it_shares_the_words_of_the_question_or_the_answer_says_a_side():
    passages = ["The canteen opens at 11. The trial lasts 14 days.", "Guests pay 9 EUR. The trial lasts 95 days."]
    asked = {"query": "When does the canteen open?", "passages": passages}
    result, _ = replay(asked)
    assert result.questions[0].standing is Standing.BESIDE
    assert result.questions[0].contests[0].finding.severity == "note"
    assert not result.conflicts()
    for bearing in ({"query": QUESTION}, {"answer": "It opens at 11, and the trial lasts 95 days."}, {"query": "And?"}):
        result, _ = replay({**asked, **bearing})
        assert result.questions[0].standing is Standing.CONTESTED, bearing
        assert result.questions[0].contests[0].finding.severity == "error"


@pytest.mark.parametrize(
    ("answer", "side"),
    [("14 days", "a"), ("Ninety-five, 95.", "b"), ("14 or 95", ""), ("114 days", ""), ("None.", "")],
)
def test_an_answer_takes_the_side_whose_own_words_it_says(answer, side):
    result, _ = replay({"query": QUESTION, "passages": [ONE, TWO]})
    assert contested.side_of(answer, result.questions[0].contests[0].finding) == side


def test_what_is_accepted_is_quiet_and_unusable_metadata_is_a_warning():
    shape = {"query": QUESTION, "passages": [{"id": "a", "text": ONE, "date": "soon"}, TWO]}
    result, _ = replay(shape)
    assert result.warnings[0].startswith("log.jsonl: line 1: passage 'a': metadata 'date' is 'soon'")
    (contest,) = result.questions[0].contests
    known = Known({contest.finding.id: Entry(1, "value", (), ())})
    result, _ = replay(shape, known=known)
    assert result.questions[0].standing is Standing.CONSISTENT and result.questions[0].contests


def test_circles_of_supersedes_cost_their_line_and_a_deadline_the_rest():
    circle = [{"id": i, "text": t, "supersedes": other} for i, t, other in (("a", ONE, "b"), ("b", TWO, "a"))]
    result, _ = replay({"query": QUESTION, "passages": circle}, SHAPES["own"])
    assert "line 1: supersedes goes in a circle" in result.errors[0] and len(result.questions) == 1
    seen = []
    result, guard = replay(SHAPES["own"], SHAPES["Ragas"], max_seconds=-1, progress=lambda *n: seen.append(n))
    assert not guard.asked and seen == [(0, 2), (1, 2)]
    assert {q.standing for q in result.questions} == {Standing.UNVERIFIED}


def test_the_formats_hold_the_quotes_the_counts_and_what_contests_most():
    asked = {"query": "Is the trial over after 20 days?", "passages": [ONE, TWO]}
    entries = [SHAPES["Ragas"], asked, {"query": "?", "passages": ["Der Vertrag"]}, b"no\n"]
    result, _ = replay(*entries)
    document = json.loads(formats.as_json(result))
    assert document["summary"] == {
        "questions": 3, "asked": 3, "contested": {"questions": 2, "asked": 2}, "beside": {"questions": 0, "asked": 0},
        "unverified": {"questions": 1, "asked": 1}, "consistent": {"questions": 0, "asked": 0}, "errors": 1,
    }  # fmt: skip
    (conflict,) = document["conflicts"]
    assert (conflict["questions"], conflict["asked"]) == ([1, 2], 2)
    first = document["questions"][0]["conflicts"][0]
    assert (first["id"], first["a"]["text"], first["answers"]) == (conflict["id"], ONE, {"a": 1})
    kinds = [json.loads(line)["kind"] for line in formats.as_jsonl(result).splitlines()]
    assert kinds == ["question"] * 3 + ["error", "summary"]
    page = formats.as_markdown(result)
    for said in ("> The trial lasts <b>14</b> days", "2 contested", "answers given", "What contests most questions",
                 "Not checked\\: 1\\: German", "line 4\\: not valid JSON"):  # fmt: skip
        assert said in page, said


BESIDE = {"query": "Who answers those who ask?", "passages": ["Anna answers those who ask.", "The lease lasts 14 days.",
                                                             "The lease lasts 95 days."]}  # fmt: skip


def test_the_page_holds_every_question_and_nothing_of_a_passage_is_markup():
    attack = "<script>document.title='PWNED'</script> <b>95</b>"
    asked = {"query": "Is the <script>trial</script> over?", "passages": [ONE, f"{TWO} {attack}"]}
    other, calm = {"query": "?", "passages": ["Der Vertrag"]}, {"query": "Why?", "passages": ["It is so."]}
    result, _ = replay(SHAPES["Ragas"], SHAPES["Ragas"], asked, BESIDE, other, calm, b"no")
    text = contested_page.render(result)
    cards = re.findall(r'<article id="(q-\d+)" class="\w*" data-standing="(\w+)" data-type="([\w ]*)">', text)
    assert cards == [
        ("q-1", "contested", "value"), ("q-3", "contested", "value"), ("q-4", "beside", "value"),
        ("q-5", "unverified", ""), ("q-6", "consistent", ""),
    ]  # fmt: skip
    for said in ("lines 1, 2, asked 2 times", "<mark>14</mark>", "answers given: 2 as passage 1", "&lt;script&gt;",
                 "line 7: not valid JSON", 'href="#q-3"', "line 5: 1: German"):  # fmt: skip
        assert said in text, said
    assert text.count("<script") == 1 and "<b>95" not in text


READER = """
const seen = [], field = (name) => document.getElementById(name);
const see = () => seen.push([...document.querySelectorAll("#findings > article")]
  .filter((card) => card.checkVisibility()).map((card) => card.id).join(" ") + " | " + field("shown").textContent);
const choose = (name, value) => {
  field(name).value = value;
  field(name).dispatchEvent(new Event("input", {bubbles: true}));
};
see(); choose("standing", "beside"); see(); choose("standing", ""); choose("words", "over trial"); see();
document.body.append(Object.assign(document.createElement("pre"), {id: "seen", textContent: seen.join("\\n")}));
"""


@needs_browser
def test_a_reader_filters_questions_in_a_browser(tmp_path):
    result, _ = replay(SHAPES["Ragas"], {"query": "Is the trial over?", "passages": [ONE, TWO]}, BESIDE)
    assert seen_in_browser(tmp_path, contested_page.render(result), READER) == [
        "q-1 q-2 q-3 | 3 questions", "q-3 | 1 of 3 questions", "q-2 | 1 of 3 questions",
    ]  # fmt: skip


# The command


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("guard.cli.options.make_guard", lambda action, **settings: DaysGuard())

    def write(*entries):
        (tmp_path / "log.jsonl").write_bytes(b"".join(e if isinstance(e, bytes) else json.dumps(e).encode() + b"\n"
                                                      for e in entries))  # fmt: skip
        return "log.jsonl"

    return write


def test_the_command_reports_and_its_exit_code_is_that_of_an_audit(cli, log):
    calm = {"query": "Why?", "passages": ["It is so."]}
    assert cli("audit", "--queries", log(calm)).code == 0
    ran = cli("audit", "--queries", log(SHAPES["Ragas"], calm))
    assert ran.code == 1 and ran.err == "" and "contested: How long is the trial?  (line 1)\n" in ran.out
    assert ran.out.endswith("2 questions: 1 contested, 1 consistent\n") and "answers given: 1 as passage 1" in ran.out
    assert cli("audit", "--queries", "log.jsonl", "--exit-zero").code == 0
    low = {"query": QUESTION, "passages": [ONE, "The trial lasts 60 days."]}
    assert cli("audit", "--queries", log(low), "--fail-on", "error").code == 0
    assert cli("audit", "--queries", log(calm, b"{\n"), "--fail-on", "error").code == 1
    assert cli("audit", "--queries", "-", stdin=json.dumps(SHAPES["own"])).code == 1
    cli("audit", "--queries", log(SHAPES["own"]), "-o", "report.json")
    assert json.loads((cli("audit", "--queries", "log.jsonl", "--format", "json")).out)["log"] == "log.jsonl"


def test_the_command_says_what_does_not_go_together(cli, log):
    name = log(SHAPES["own"])
    for arguments, said in (
        (("docs", "--queries", name), "not both"),
        (("--queries", name, "--since", "HEAD"), "--since is for documents"),
        (("--queries", name, "--dry-run"), "--dry-run is for documents"),
        (("--queries", name, "--format", "sarif"), "choose from text, json, jsonl, markdown, html"),
        (("--queries", "none.jsonl"), "none.jsonl: cannot be read"),
        ((), "nothing to audit"),
    ):
        ran = cli("audit", *arguments)
        assert ran.code == 2 and said in ran.err and ran.err.count("\n") == 1, arguments


def test_many_problems_are_counted(cli, log):
    ran = cli("audit", "--queries", log(SHAPES["own"], *[b"{\n"] * 50))
    assert ran.out.count("not read: log.jsonl: line ") == 20 and "not read: 30 more lines" in ran.out


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([ONE, TWO, QUESTION]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([*queries.QUESTION_KEYS, *queries.PASSAGE_KEYS, *queries.TEXT_KEYS, *queries.ID_KEYS,
                         *queries.METADATA_KEYS, *queries.INNER, *queries.WRAPPERS, "messages", "role", "ids",
                         "supersedes", "authority"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(JSON | st.binary(max_size=40), min_size=1, max_size=3))
def test_anything_is_replayed_or_refused(entries):
    lines = [e if isinstance(e, bytes) else json.dumps(e).encode() for e in entries]
    try:
        log = queries.read([line.replace(b"\n", b" ") + b"\n" for line in lines], "log")
    except InputError:
        return
    result = contested.replayed(DaysGuard(), log, Known())
    assert all(isinstance(p, Passage) and p.text.strip() for q in result.questions for p in q.logged.passages)
    formats.as_json(result), formats.as_markdown(result)


@pytest.mark.model
def test_a_replay_with_the_bundled_model(cli, tmp_path):
    log = tmp_path / "log.jsonl"
    refunds = ["Refunds are paid within 14 days.", "Refunds are paid within 30 days."]
    letters = ["Letters are read by the office.", "Send a photo."]
    lines = [
        {"query": "How many days may a refund take?", "passages": refunds},
        {"query": "Who reads letters?", "passages": letters},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ran = cli("audit", "--queries", log)
    assert ran.code == 1 and ran.out.endswith("2 questions: 1 contested, 1 consistent\n")
