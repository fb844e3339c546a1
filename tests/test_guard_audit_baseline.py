"""The baseline: it accepts what was counted and nothing more, survives a round trip, and is pruned with care."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.errors import InputError
from detectors.evidence import ConflictType
from guard.audit import baseline
from guard.audit.clusters import joined
from guard.audit.findings import Finding, Quote, Severity, State, fingerprint


def quote(path, text):
    return Quote(f"{path}#1", 0, len(text), text, path, 1)


def finding(a, b, paths=("a.md", "b.md"), score=0.9):
    one, two = quote(paths[0], a), quote(paths[1], b)
    return Finding(
        fingerprint(a, b), ConflictType.VALUE, Severity.ERROR, score, "", ("nli",), one, two, None, None, "Look."
    )


FOUND = [finding("14 days", "30 days"), finding("red", "blue")]


def test_what_was_accepted_is_quiet_and_something_new_is_not():
    known = baseline.of(FOUND, {})
    later = [finding("30 days", "14 days", ("x.md", "moved.md")), finding("14 days", "31 days")]
    assert [f.state for f in baseline.accepted(later, known)] == [State.ACCEPTED, State.NEW]
    assert baseline.stale(later, known) == 1


def test_a_copy_of_a_document_is_one_more_finding():
    copy = finding("14 days", "30 days", ("a.md", "copy.md"))
    known = baseline.of(FOUND, {})
    assert [f.state for f in baseline.accepted([FOUND[0], copy], known)] == [State.ACCEPTED, State.NEW]
    both = baseline.of([FOUND[0], copy], {})
    assert (both[copy.id].count, both[copy.id].paths) == (2, ("a.md", "b.md", "copy.md"))
    assert {f.state for f in baseline.accepted([FOUND[0], copy], both)} == {State.ACCEPTED}


def test_a_joined_finding_is_listed_by_its_pairs():
    pairs = [finding("14 days", f"{n} days", ("a.md", f"b{n}.md")) for n in range(20, 25)]
    known = baseline.of(joined(pairs), {})
    assert known.keys() == {f.id for f in pairs}
    assert {f.state for f in baseline.accepted(pairs, known)} == {State.ACCEPTED}


def test_the_file_round_trips_in_an_order_of_its_own_and_keeps_written_reasons(tmp_path):
    file, known = tmp_path / "b.json", baseline.of(FOUND, {})
    file.write_text(baseline.dump(known), encoding="utf-8")
    assert baseline.load(file) == known
    turned = [replace(f, a=f.b, b=f.a) for f in reversed(FOUND)]
    assert baseline.dump(baseline.of(turned, {})) == file.read_text(encoding="utf-8")
    document = json.loads(file.read_text(encoding="utf-8"))
    document["findings"][FOUND[0].id]["reason"] = "until the move"
    file.write_text(json.dumps(document), encoding="utf-8")
    again = baseline.of([*FOUND, finding("up", "down")], baseline.load(file))
    assert again[FOUND[0].id].reason == "until the move" and len(again) == 3
    assert baseline.accepted(FOUND, again)[0].state_reason == "until the move"


def test_pruning_takes_out_what_is_gone_adds_nothing_and_keeps_what_was_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("elsewhere.md").write_text("Here.")
    known = baseline.of(
        [*FOUND, finding("up", "down", ("a.md", "elsewhere.md")), finding("in", "out", ("a.md", "gone.md"))], {}
    )
    kept = baseline.pruned(known, [FOUND[1], finding("hot", "cold")], {"a.md", "b.md"})
    assert kept.keys() == {FOUND[1].id, fingerprint("up", "down")}
    assert baseline.pruned(known, [], {"a.md", "b.md", "elsewhere.md"}) == {}


def test_pruning_lowers_a_count():
    copy = finding("14 days", "30 days", ("a.md", "copy.md"))
    known = baseline.of([FOUND[0], copy], {})
    assert baseline.pruned(known, [FOUND[0]], {"a.md", "b.md"})[copy.id].count == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not a baseline"),
        ("[]", "not a baseline of version 1"),
        ('{"version": 2, "findings": {}}', "not a baseline of version 1"),
        ('{"version": 1, "findings": []}', '"findings" must be an object'),
        ('{"version": 1, "findings": {"x": 1}}', "x: must be an object"),
        ('{"version": 1, "findings": {"x": {"count": "2"}}}', 'x: "count" is missing or not int'),
    ],
)
def test_a_file_that_is_no_baseline_is_named(tmp_path, content, said):
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(InputError, match=r"b\.json") as error:
        baseline.load(tmp_path / "b.json")
    assert said in str(error.value)


def test_a_baseline_that_is_missing_says_how_to_write_one(tmp_path):
    with pytest.raises(InputError, match="passageguard baseline writes one"):
        baseline.load(tmp_path / "none.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from([1, "1"]) | JSON,
        "findings": st.dictionaries(
            st.text(max_size=5),
            JSON
            | st.fixed_dictionaries({}, optional={k: JSON for k in ("count", "type", "quotes", "paths", "reason")}),
            max_size=3,
        ),
    },
)


@given(KNOWN | JSON)
@example(
    {"version": 1, "findings": {"\ud800": {"count": 1, "type": "", "quotes": [], "paths": [], "reason": "\ud800"}}}
)
def test_any_json_is_read_or_refused_and_what_is_read_can_be_written(document):
    with TemporaryDirectory() as folder:
        file = Path(folder, "b.json")
        file.write_text(json.dumps(document))
        try:
            known = baseline.load(file)
        except InputError as error:
            assert "b.json" in str(error)
        else:
            file.write_text(baseline.dump(known), encoding="utf-8")
            assert baseline.load(file) == known


def test_json_that_is_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / "b.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="nested too deeply"):
        baseline.load(tmp_path / "b.json")
