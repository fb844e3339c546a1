"""Reviews: what dismissed findings become, and that the file is what calibrate and eval read."""

import json

import pytest

from detectors.errors import InputError
from detectors.evidence import ConflictType
from guard.audit import reviews
from guard.audit.clusters import joined
from guard.audit.findings import Finding, Quote, Severity, State, fingerprint
from guard.audit.reviews import Verdict
from guard.evaluation import datasets

DAY = "2026-11-24"


def quote(path, text, heading=None):
    return Quote(f"{path}#1", 0, len(text), text, path, 1, heading=heading)


def finding(a, b, given=None, type=ConflictType.VALUE):
    id = fingerprint(a, b, given)
    third = quote("c.md", given) if given else None
    one, two = quote("a.md", a, "Manual › Fees"), quote("b.md", b)
    return Finding(id, type, Severity.ERROR, 0.9, "", ("nli",), one, two, third, None, "Look.")


RATES, HOURS = finding("The fee is 5 EUR.", "The fee is 7 EUR."), finding("Open at 8.", "Open at 9.")
TRIPLE = finding("All tiers pay.", "Ann pays nothing.", "Ann has a tier.", ConflictType.CONDITIONAL)


def kept(tmp_path, *said):
    found = {}
    for each, verdict in said:
        found = reviews.merged(found, reviews.of(each, verdict, "because", DAY))
    file = tmp_path / "reviews.jsonl"
    file.write_text(reviews.dump(found), encoding="utf-8")
    return file


def test_the_file_is_read_as_labelled_rows(tmp_path):
    file = kept(tmp_path, (RATES, Verdict.CONFIRMED), (HOURS, Verdict.DISMISSED), (TRIPLE, Verdict.RESOLVED))
    rows = {row.id: row for row in datasets.load([file])}
    assert {id: row.label for id, row in rows.items()} == {
        RATES.id: "conflict", HOURS.id: "consistent", TRIPLE.id: "conflict",
    }  # fmt: skip
    assert [p.text for p in rows[RATES.id].passages] == [
        "# Manual\n\n## Fees\n\nThe fee is 5 EUR.",
        "The fee is 7 EUR.",
    ]
    triple = rows[TRIPLE.id]
    assert [p.text for p in triple.passages] == ["All tiers pay.", "Ann pays nothing.", "Ann has a tier."]
    assert triple.gold_pairs == {(0, 1)} and triple.type == "conditional"
    consistent = kept(tmp_path, (TRIPLE, Verdict.DISMISSED), (RATES, Verdict.CONFIRMED))
    assert {row.id: row.is_conflict for row in datasets.load([consistent])}[TRIPLE.id] is False


def test_what_was_dismissed_is_quiet_and_the_rest_says_what_was_said(tmp_path):
    file = kept(tmp_path, (RATES, Verdict.CONFIRMED), (HOURS, Verdict.DISMISSED), (TRIPLE, Verdict.RESOLVED))
    marked = reviews.apply([RATES, HOURS, TRIPLE, finding("x", "y")], reviews.load(file))
    assert [(f.state, f.state_reason) for f in marked] == [
        (State.NEW, f"confirmed on {DAY}: because"),
        (State.DISMISSED, f"dismissed on {DAY}: because"),
        (State.NEW, f"resolved on {DAY}, and here again: because"),
        (State.NEW, ""),
    ]


def test_a_joined_finding_is_reviewed_in_all_its_places(tmp_path):
    pairs = [finding("The fee is 5 EUR.", f"The fee is {n} EUR.") for n in range(7, 12)]
    (star,) = joined(pairs)
    file = kept(tmp_path, (star, Verdict.DISMISSED), (HOURS, Verdict.CONFIRMED))
    assert {f.state for f in reviews.apply(pairs, reviews.load(file))} == {State.DISMISSED}
    assert sum(not row.is_conflict for row in datasets.load([file])) == 5


def test_the_last_word_counts_and_lines_are_in_an_order_of_their_own(tmp_path):
    file = kept(tmp_path, (RATES, Verdict.DISMISSED), (HOURS, Verdict.DISMISSED), (RATES, Verdict.CONFIRMED))
    ids = [json.loads(line)["id"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert ids == sorted({RATES.id, HOURS.id}) and reviews.load(file)[RATES.id].verdict is Verdict.CONFIRMED


def test_what_is_gone_can_still_be_resolved(tmp_path):
    known = reviews.load(kept(tmp_path, (RATES, Verdict.DISMISSED)))[RATES.id]
    done = reviews.resolved(known, "corrected", "2026-12-01")
    assert (done.verdict, done.row["label"], done.row["a"]) == (Verdict.RESOLVED, "conflict", RATES.a.text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not valid JSON"),
        ("[]", "line 2: must be a JSON object"),
        ('{"id": "x"}', 'line 2: "verdict" is missing'),
        ('{"id": "x", "verdict": "maybe", "reason": "", "date": ""}', 'line 2: "verdict" must be confirmed, dismissed'),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, said):
    file = kept(tmp_path, (RATES, Verdict.CONFIRMED))
    file.write_text(file.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        reviews.load(file)
    assert said in str(error.value)
