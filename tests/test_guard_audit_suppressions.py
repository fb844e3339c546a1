"""Comments that let findings stand: where they may be written, which lines they speak of, what is told of them."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.evidence import ConflictType
from guard.audit import suppressions
from guard.audit.findings import Finding, Quote, Severity, State
from guard.audit.readers import read as read_document

ID = "5d0e1f2a3b4c5d6e"


def finding(path, line, end_line=None, type=ConflictType.VALUE):
    one = Quote(f"{path}#1", 0, 3, "one", path, line, end_line or line)
    two = Quote("other.md#1", 0, 3, "two", "other.md", 99, 99)
    return Finding(ID, type, Severity.ERROR, 0.9, "", ("nli",), two, one, None, None, "Look.")


def covered(text, suffix=".md", lines=range(1, 20)):
    """Return the lines on which a finding would be suppressed."""
    _, found, warnings = suppressions.read(text, suffix, "a")
    assert not warnings
    marked, _ = suppressions.apply([finding("a", n) for n in lines], found)
    return [f.b.line for f in marked if f.state is State.SUPPRESSED]


@pytest.mark.parametrize(
    ("suffix", "text", "lines"),
    [
        (".md", "One.\n\nTwo. <!-- passageguard: ignore why -->\nThree.\n", [3]),
        (".md", "One.\n\n<!-- passageguard: ignore why -->\n\nTwo\ngoes on.\n\nThree.\n", [5, 6]),
        (".md", "<!-- passageguard: ignore\na long why -->\nTwo.\n\nThree.\n", [3]),
        (".md", "Two.\n<!-- passageguard: ignore[value, date] why -->\n", [3]),
        (".markdown", "One. <!-- passageguard: ignore[5d0e1f2a3b4c5d6e] why -->", [1]),
        (".html", "<p>One.</p>\n<!-- passageguard: ignore why -->\n<p>Two\ngoes on.</p>\n<p>Three.</p>\n", [3, 4]),
        (".htm", "<li>One.</li> <!--passageguard: ignore why-->\n<li>Two.</li>\n", [1]),
        (".rst", "One.\n\n.. passageguard: ignore why\n\nTwo\ngoes on.\n\nThree.\n", [5, 6]),
        (".txt", "One.\n# passageguard: ignore[value] why\nTwo.\n\nThree.\n", [3]),
        (".txt", "passageguard: ignore why\n\nTwo.\n", [3]),
        (".md", "One.\n\n\nTwo.\n\n<!-- passageguard: ignore-file a chronicle -->\n", list(range(1, 20))),
        (".md", "One. <!-- passageguard: ignore[date] why -->", []),
        (".csv", "a,b\n# passageguard: ignore why\nc,d\n", []),
    ],
)  # fmt: skip
def test_a_comment_speaks_of_its_lines_or_of_the_paragraph_below_or_of_the_file(suffix, text, lines):
    assert covered(text, suffix) == lines


def test_a_quote_over_several_lines_is_covered_where_one_of_them_is():
    _, found, _ = suppressions.read("One.\n\nTwo. <!-- passageguard: ignore why -->\n", ".md", "a")
    marked, _ = suppressions.apply([finding("a", 1, 3), finding("a", 1, 2), finding("b", 3)], found)
    assert [f.state for f in marked] == [State.SUPPRESSED, State.NEW, State.NEW]
    assert marked[0].state_reason == "why (a:3)"


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("ignore", "a:3: suppression without a reason"),
        ("ignore[value]", "a:3: suppression without a reason"),
        ("ignore-file", "a:3: suppression without a reason"),
        ("ignore[price] it is so", "a:3: suppression of an unknown type 'price'; choose from value, date"),
        ("skip this", "a:3: no such instruction"),
        ("ignored", "a:3: no such instruction"),
    ],
)
def test_a_comment_that_cannot_count_is_a_warning_and_suppresses_nothing(comment, said):
    text, found, (warning,) = suppressions.read(f"One.\n\nTwo. <!-- passageguard: {comment} -->\n", ".md", "a")
    assert warning.startswith(said) and found == () and "passageguard" not in text


def test_an_unused_suppression_is_told_and_the_finding_keeps_the_state_it_has():
    _, found, _ = suppressions.read(
        "One. <!-- passageguard: ignore a -->\n\nTwo. <!-- passageguard: ignore b -->", ".md", "a"
    )
    accepted = replace(finding("a", 1), state=State.ACCEPTED, state_reason="known")
    marked, unused = suppressions.apply([accepted], found)
    assert marked == [accepted] and [u.place for u in unused] == ["a:3"]


def test_an_example_in_code_is_none():
    for text in (
        "```\n<!-- passageguard: ignore why -->\n```\nOne.\n",
        "~~~html\nx\n<!-- passageguard: ignore why -->\n~~~\n",
        "Write `<!-- passageguard: ignore why -->` beside it.\n",
    ):
        assert suppressions.read(text, ".md", "a") == (text, (), ())


def test_the_text_keeps_its_lines_and_the_comment_is_no_passage(tmp_path):
    body = "# T\n\nOne. <!-- passageguard: ignore why\nso -->\n\nTwo.\n"
    rest, _, _ = suppressions.read(body, ".md", "a")
    assert rest.split("\n")[5] == "Two." and rest.count("\n") == body.count("\n")
    for suffix, text in (
        (".md", body),
        (".txt", "# passageguard: ignore why\nTwo.\n"),
        (".rst", ".. passageguard: ignore why\n\nTwo.\n"),
    ):
        file = tmp_path / f"a{suffix}"
        file.write_text(text)
        document = read_document(file)
        assert "passageguard" not in "".join(p.text for p in document.passages)
        assert [s.reason.split()[0] for s in document.suppressions] == ["why"]


WORDS = st.sampled_from(
    [
        "passageguard:",
        " ignore",
        "-file",
        "[value]",
        "[",
        "]",
        " why",
        "<!--",
        "-->",
        "\n",
        "\n\n",
        "```",
        "`",
        ".. ",
        "# ",
        "é",
    ]
)


@given(st.lists(WORDS, max_size=25).map("".join), st.sampled_from(sorted(suppressions.COMMENTS)))
def test_any_text_keeps_its_lines_and_every_suppression_has_a_reason(text, suffix):
    rest, found, warnings = suppressions.read(text, suffix, "a")
    assert len(rest) == len(text) and [i for i, c in enumerate(rest) if c == "\n"] == [
        i for i, c in enumerate(text) if c == "\n"
    ]
    assert all(s.reason and 1 <= s.line <= text.count("\n") + 1 for s in found)
    assert all(re.match(r"a:\d+: ", warning) for warning in warnings)
    assert suppressions.read(rest, suffix, "a")[0] == rest
