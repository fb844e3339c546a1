"""Documents to passages: nothing lost, nothing glued, true lines; every format; every unreadable file named."""

import itertools
import json
import os
import re
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.segment import segment
from guard import InputError
from guard.audit.passages import MAX_CHARS
from guard.audit.readers import PASSAGE_CHARS, SUFFIXES, TEXT_KEYS, decode, find_files, read, records

WORD = re.compile(r"w\d+x")


def reads(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, name)


def texts(document):
    return [p.text for p in document.passages]


def headings(document):
    return [p.metadata.get("heading") for p in document.passages]


def lines(document):
    return [p.metadata.get("line") for p in document.passages]


# Generated documents.  Each element has words of its own, so that the words of a sentence say where it comes from.


class Words:
    """Hands out w1x, w2x, …; every word once."""

    def __init__(self):
        self.count = itertools.count(1)
        self.groups = []

    def take(self, n):
        """Return ``n`` new words that form one statement."""
        self.groups.append([f"w{next(self.count)}x" for _ in range(n)])
        return " ".join(self.groups[-1])


ELEMENTS = st.lists(
    st.tuples(
        st.sampled_from(["h1", "h2", "h3", "setext1", "setext2", "prose", "list", "table", "code", "quote"]),
        st.integers(1, 30),
        st.integers(1, 3),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


def markdown(elements):
    """Return (text, words, the headings above each group of words)."""
    words, out, path, above = Words(), [], {}, {}

    def said(n):
        text = words.take(n)
        above.update(dict.fromkeys(words.groups[-1], tuple(path[k] for k in sorted(path))))
        return text

    for kind, n, extra, tight in elements:
        if kind in ("h1", "h2", "h3", "setext1", "setext2"):
            level, title = int(kind[-1]), f"w{next(words.count)}x"
            words.groups.append([title])
            path = {k: v for k, v in path.items() if k < level} | {level: title}
            above[title] = tuple(path[k] for k in sorted(path))
            if kind.startswith("setext"):
                out += ["", title, "=-"[level - 1] * (3 + extra), "" if not tight else None]
            else:
                out += ["#" * level + " " + title + " #" * tight, "" if not tight else None]
        elif kind == "prose":
            out += ["", said(n), ""]
        elif kind == "list":
            out += ["", *("- " + said(n) for _ in range(extra)), ""]
        elif kind == "table":
            rows = [f"| {said(1)} | {words.take(1)} |" for _ in range(extra + 1)]
            out += ["", rows[0], "|---|---|", *rows[1:], ""]
        elif kind == "code":
            out += ["", "```", "# " + said(n), "", "x = " + said(1), "```", ""]
        else:
            out += ["", "> " + said(n), ""]
    return "\n".join(line for line in out if line is not None), words.groups, above


@settings(max_examples=150, deadline=None)
@given(ELEMENTS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_markdown_loses_and_glues_nothing_and_knows_headings_and_lines(tmp_path_factory, elements, newline, bom):
    text, groups, above = markdown(elements)
    path = tmp_path_factory.getbasetemp() / "generated.md"
    path.write_bytes(b"\xef\xbb\xbf" * bom + text.replace("\n", newline).encode())
    document = read(path, "g.md")
    found = Counter(w for t in texts(document) for w in re.findall(r"\w*\d\w*", t))
    assert found == Counter(w for group in groups for w in group)
    for number, passage in enumerate(document.passages, 1):
        assert passage.id == f"g.md#{number}" and passage.metadata["path"] == "g.md"
        first = WORD.search(passage.text)
        assert passage.metadata["line"] <= text[: text.index(first.group())].count("\n") + 1
        for match in WORD.finditer(passage.text):
            line = text[: re.search(rf"\b{match.group()}\b", text).start()].count("\n") + 1
            assert document.line_of(passage, match.start()) == line
        last = WORD.findall(passage.text)[-1]
        if last in above:
            assert passage.metadata.get("heading", "") == " › ".join(above[last])
    one_statement(document, groups)


def one_statement(document, groups):
    """No sentence holds words of two statements, and no statement is spread over passages."""
    home = {word: number for number, group in enumerate(groups) for word in group}
    for passage in document.passages:
        for sentence in segment(passage):
            if sentence.kind not in ("row", "code"):
                assert len({home[w] for w in WORD.findall(sentence.text)}) <= 1, sentence.text


HTML_ELEMENTS = st.lists(
    st.tuples(
        st.sampled_from(["h1", "h2", "p", "ul", "ulp", "table", "tablep", "div", "loose", "dl", "pre", "code", "nest"]),
        st.integers(1, 12),
        st.integers(1, 3),
        st.sampled_from(["", "\n", "\n  "]),
    ),
    min_size=1,
    max_size=12,
)


def html(elements):
    words, out, rows = Words(), [], []
    take = words.take
    for kind, n, extra, gap in elements:
        if kind in ("h1", "h2", "p", "div"):
            out.append(f"<{kind}>{gap}{take(n)}{gap}</{kind}>")
        elif kind == "loose":
            out.append(f"<div>{take(n)}<p>{take(n)}</div>")
        elif kind == "ul":
            out.append("<ul>" + gap.join(f"<li>{take(n)}" for _ in range(extra)) + f"<ul><li>{take(1)}</ul></ul>")
        elif kind == "ulp":
            out.append("<ul>" + gap.join(f"<li><p>{take(n)}</p><p>{take(n)}</p></li>" for _ in range(extra)) + "</ul>")
        elif kind == "dl":
            out.append(f"<dl><dt>{take(n)}<dd>{take(n)}</dl>")
        elif kind in ("table", "tablep"):
            p, end = ("<p>", "</p>") if kind == "tablep" else ("", "")
            made = []
            for _ in range(extra):
                cells = [take(1), take(n)]
                rows.append([w for cell in cells for w in cell.split()])
                made.append(f"<tr>{gap}<td>{p}{cells[0]}{end}</td>{gap}<td>{p}{cells[1]}{end}</td></tr>")
            out.append("<table>" + gap.join(made) + "</table>")
        elif kind == "pre":
            out.append(f"<pre>{take(n)}\n\n{take(n)}</pre>")
        elif kind == "code":
            out.append(f"<pre><code># {take(n)}\n{take(1)}</code></pre>")
        else:
            out.append(f"<section><article><b>{take(n)}</b></article></section>")
    return "<html><body>\n" + "\n".join(out) + "</body></html>", words.groups, rows


@settings(max_examples=150, deadline=None)
@given(HTML_ELEMENTS)
def test_html_loses_and_glues_nothing_and_knows_lines(tmp_path_factory, elements):
    text, groups, rows = html(elements)
    path = tmp_path_factory.getbasetemp() / "generated.html"
    path.write_text(text)
    document = read(path, "g.html")
    found = Counter(w for t in texts(document) for w in re.findall(r"\w*\d\w*", t))
    assert found == Counter(w for group in groups for w in group)
    one_statement(document, groups)
    shown = [WORD.findall(line) for t in texts(document) for line in t.split("\n") if line.startswith("| ")]
    assert shown == rows
    for passage in document.passages:
        first = WORD.search(passage.text).group()
        assert passage.metadata["line"] == text[: re.search(rf"\b{first}\b", text).start()].count("\n") + 1


# Markdown and plain text.


def test_headings_in_every_spelling_and_none_in_code(tmp_path):
    document = reads(
        tmp_path,
        "a.md",
        "Guide\n=====\nIntro.\n\nSetup\n---\nPlug it in.\n# Next\nRight below.\n```sh\n# a comment\n\nmake\n```\n"
        "Text before.\n## Close ##\nEnd.\n\n- item\n---\nNot a heading above.\n",
    )
    assert headings(document) == ["Guide", "Guide › Setup", "Next", "Next › Close"]
    assert lines(document) == [1, 5, 8, 16]
    assert "# a comment" in document.passages[2].text and "Text before." in document.passages[2].text


def test_headings_without_text_stay_with_what_follows(tmp_path):
    document = reads(tmp_path, "a.md", "# Handbook\n\n## Leave\n\nYou have 25 days.\n\n## Empty\n\n## Next\n\nMore.\n")
    assert headings(document) == ["Handbook › Leave", "Handbook › Next"]
    assert document.passages[0].text == "# Handbook\n\n## Leave\n\nYou have 25 days."


def test_front_matter_is_metadata_and_lines_still_count_from_the_top(tmp_path):
    document = reads(
        tmp_path,
        "a.md",
        '---\ntitle: "Leave"\nDate: 2024-05-01 # draft\nauthority: 0.9\nsupersedes:\n  - old.md\n  - older.md\n'
        "source: [hr]\nnested:\n  key: value\n---\n\n# Leave\n\nText.\n",
    )
    (passage,) = document.passages
    assert passage.text == "# Leave\n\nText."
    assert passage.metadata == {
        "title": "Leave", "date": "2024-05-01", "authority": 0.9, "supersedes": ["old.md", "older.md"],
        "source": ["hr"], "nested": "key: value", "heading": "Leave", "path": "a.md", "line": 13,
    }  # fmt: skip


def test_a_rule_at_the_top_is_no_front_matter(tmp_path):
    document = reads(tmp_path, "a.md", "---\n\nJust some text here.\n\n---\nMore.\n")
    assert "Just some text here." in texts(document)[0] and "More." in texts(document)[0]


def test_paragraphs_are_grouped_up_to_the_limit_and_never_cut(tmp_path):
    paragraphs = [f"{n} " + "word " * 100 + "end." for n in range(12)]
    document = reads(tmp_path, "a.txt", "\n\n".join(paragraphs))
    assert all(len(t) <= PASSAGE_CHARS + 10 for t in texts(document))
    assert "\n\n".join(texts(document)) == "\n\n".join(paragraphs)
    assert lines(document) == [1 + 4 * n for n in range(6)]


def test_an_enormous_paragraph_is_cut_after_sentences_and_a_list_between_items(tmp_path):
    sentences = [f"Sentence {n} says that the number is {n}." for n in range(1000)]
    document = reads(tmp_path, "a.txt", " ".join(sentences))
    assert all(len(t) <= MAX_CHARS and t.rstrip().endswith(".") for t in texts(document))
    assert " ".join(t.strip() for t in texts(document)) == " ".join(sentences)
    items = [f"- item {n} is" + " long" * 10 for n in range(300)]
    document = reads(tmp_path, "b.md", "\n".join(items))
    assert [i for t in texts(document) for i in t.split("\n")] == items
    assert lines(document) == [1 + items.index(t.split("\n")[0]) for t in texts(document)]


def test_long_code_keeps_its_fence_and_a_long_table_its_header(tmp_path):
    code = "\n".join(f"value_{n} = {n}  # comment" for n in range(600))
    document = reads(tmp_path, "a.md", f"# Code\n\n```python\n{code}\n```\n\nAfter.\n")
    kinds = {s.kind for p in document.passages[1:-1] for s in segment(p)}
    assert len(document.passages) > 3 and kinds == {"code"}
    rows = [f"| item {n} | {n} |" for n in range(600)]
    document = reads(tmp_path, "b.md", "\n".join(["| name | price |", "|---|---|", *rows]))
    assert all(t.startswith("| name | price |\n|---|---|\n| item") for t in texts(document))
    assert [r for t in texts(document) for r in t.split("\n")[2:]] == rows
    assert lines(document)[0] == 1
    for passage in document.passages[1:]:
        first = passage.text.split("\n")[2]
        assert passage.metadata["line"] == 3 + rows.index(first)


def test_ten_megabytes_of_text_are_cut_quickly(tmp_path):
    one_line = "lorem ipsum dolor sit amet " * 380_000
    started = time.perf_counter()
    for name, content in (("line.txt", one_line), ("lines.txt", one_line.replace("amet ", "amet\n"))):
        document = reads(tmp_path, name, content)
        assert max(map(len, texts(document))) <= MAX_CHARS
        assert sum(len(t.split()) for t in texts(document)) == 380_000 * 5
    document = reads(tmp_path, "solid.txt", "x" * 10_000_000)
    assert "".join(texts(document)).replace("\n", "") == "x" * 10_000_000
    assert time.perf_counter() - started < 20


# reStructuredText.


def test_rst_headings_by_any_punctuation_with_overline(tmp_path):
    document = reads(
        tmp_path, "a.rst",
        "*****\nGuide\n*****\nIntro.\n\nPart\n~~~~\nOne.\n\nSub\n^^^\nTwo.\n\nPart two\n~~~~~~~~\nThree.\n\n"
        "----\n\nStill three.\n",
    )  # fmt: skip
    assert headings(document) == ["Guide", "Guide › Part", "Guide › Part › Sub", "Guide › Part two"]
    assert lines(document) == [2, 6, 10, 14]
    assert texts(document)[-1] == "## Part two\n\nThree.\n\nStill three."


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("Do this::\n\n    # run\n    make\n\nDone.", [("prose", "Do this:"), ("code", "# run"), ("code", "make"),
                                                      ("prose", "Done.")]),
        ("::\n\n  x = 1\n\nDone.", [("code", "x = 1"), ("prose", "Done.")]),
        (".. code-block:: python\n   :linenos:\n\n   # note\n   x = 1\n\nDone.",
         [("code", "# note"), ("code", "x = 1"), ("prose", "Done.")]),
        (".. note:: It is\n   red.\n\nDone.", [("prose", "It is\nred."), ("prose", "Done.")]),
        (".. warning::\n\n   Hot.\n\n   - one\n   - two\n", [("prose", "Hot."), ("item", "one"), ("item", "two")]),
        (".. versionadded:: 3.2\n   The flag.\n", [("prose", "New in version 3.2:\nThe flag.")]),
        ("* one\n  goes on\n* two\n\n  more\n", [("item", "one\ngoes on"), ("item", "two"), ("prose", "more")]),
        ("Term\n   Its meaning.\n", [("prose", "Term"), ("prose", "Its meaning.")]),
        (">>> 1 + 1\n2\n  3\n\nDone.", [("code", ">>> 1 + 1"), ("code", "2"), ("code", "3"), ("prose", "Done.")]),
        (".. a comment\n   of two lines\n\n.. _target: https://example.org\n\nDone.", [("prose", "Done.")]),
        (".. [1] See there.\n", [("prose", "[1] See there.")]),
        ("=====  =====\nA      B\n=====  =====\none    two\nmore   and\n       on\n=====  =====\n\nDone.",
         [("row", "| A | B |"), ("row", "| one | two |"), ("row", "| more | and on |"), ("prose", "Done.")]),
        ("+---+---+\n| A | B |\n+===+===+\n| a | b |\n| c | d |\n+---+---+\n| e | f |\n+---+---+\n",
         [("row", "| A | B |"), ("row", "| a c | b d |"), ("row", "| e | f |")]),
        (".. list-table:: Prices\n   :header-rows: 1\n\n   * - Item\n     - Price\n   * - Hub\n     - 20\n",
         [("prose", "Prices"), ("row", "| Item | Price |"), ("row", "| Hub | 20 |")]),
        ('.. csv-table::\n   :header: "Item", "Price"\n\n   "Hub, big", 20\n',
         [("row", "| Item | Price |"), ("row", "| Hub, big | 20 |")]),
        ("| one\n| two\n", [("prose", "one"), ("prose", "two")]),
        (".. image:: x.png\n   :alt: A red hub\n\nDone.", [("prose", "A red hub"), ("prose", "Done.")]),
        ("A. Smith came.\nHe left.\n", [("item", "A. Smith came."), ("item", "He left.")]),
        (".. py:function:: run(x)\n\n   Runs it.\n", [("code", "run(x)"), ("prose", "Runs it.")]),
    ],
)  # fmt: skip
def test_rst_constructs(tmp_path, source, kinds):
    document = reads(tmp_path, "a.rst", source)
    found = [(s.kind, s.text) for p in document.passages for s in segment(p) if s.kind != "heading"]
    assert found == kinds


def test_rst_inline_markup_reads_as_text_even_across_lines(tmp_path):
    document = reads(
        tmp_path, "a.rst",
        "See :ref:`the guide <g>`, :class:`~pkg.Hub` and `our\npage <https://example.org>`_ on |name|, ``:ref:`x` ``.\n"
        "\n.. |name| replace:: Corvane Hub\n",
    )  # fmt: skip
    assert texts(document)[0].strip() == "See the guide, pkg.Hub and our\npage on Corvane Hub, ``:ref:`x` ``."


def test_rst_docinfo_is_metadata(tmp_path):
    document = reads(tmp_path, "a.rst", "Leave\n=====\n\n:Date: 2024-05-01\n:Supersedes: old.rst\n\nText.\n")
    metadata = document.passages[0].metadata
    assert metadata["date"] == "2024-05-01" and metadata["supersedes"] == "old.rst"


def test_rst_nested_a_thousand_deep_does_not_fall_over(tmp_path):
    source = "\n".join("  " * n + ".. note::\n" for n in range(1000)) + "\n" + "  " * 1000 + "Deep."
    assert "Deep." in " ".join(texts(reads(tmp_path, "a.rst", source)))


# HTML.


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<table><tr><th>Item<th>Price<tr><td><p>Hub</p><p>Big.</p><p>Red.</p><td>20<br>EUR</table>",
         "| Item | Price |\n| Hub; Big. Red. | 20; EUR |"),
        ("<table><tr><td>25 days<td>Leave<tr><td>3 days<td>Moving</table>",
         "| 25 days | Leave |\n\n| 3 days | Moving |"),
        ("<table><tr><td><h1>Page</h1><p>One.</p><td><table><tr><td>5<td>6</table></table>After.",
         "# Page\n\nOne.\n\n| 5 | 6 |\n\nAfter."),
        ("<ul><li>Outer.<ul><li>Inner.</ul><li><p>Para.</p></ul>", "- Outer.\n\n- Inner.\n\n- Para."),
        ("<h2><div>Title</div></h2><p>Text.", "## Title\n\nText."),
        ("<p>10<sup>2</sup> m<sup>2</sup> Auf&shy;gabe &amp; 25&nbsp;000", "10^2 m2 Aufgabe & 25 000"),
        ("<pre><code># x\n\ny = 1\n</code></pre>", "```\n# x\n\ny = 1\n```"),
        ("<pre>One\n# two\n\nThree</pre>", "One\n# two\n\nThree"),
        ("<script>var no;</script><style>p{}</style><nav>Menu</nav><p>Yes.", "Yes."),
        ("<nav>Never closed.<p>Text.", "Never closed.\n\nText."),
        ("<p>One.<p>Two.<br>Three.<hr>Four.", "One.\n\nTwo.\nThree.\n\nFour."),
        ("<select><option>A<option>B</select><button>C</button>", "A\n\nB\n\nC"),
        ("No tags at all", "No tags at all"),
        ("<p>a < b and <x", "a < b and <x"),
    ],
)  # fmt: skip
def test_html_constructs(tmp_path, source, expected):
    assert "\n\n".join(texts(reads(tmp_path, "a.html", source))) == expected


def test_html_title_and_meta_are_metadata(tmp_path):
    document = reads(
        tmp_path, "a.html",
        '<html><head><title>The\n page</title><meta name="Date" content="2024-05-01">'
        '<meta name=authority content=0.8></head><body><h1>H</h1>\n<p>Text.',
    )  # fmt: skip
    assert document.passages[0].metadata == {
        "title": "The page", "date": "2024-05-01", "authority": 0.8, "heading": "H", "path": "a.html", "line": 2,
    }  # fmt: skip


def test_very_deep_html_is_read_quickly(tmp_path):
    started = time.perf_counter()
    document = reads(tmp_path, "a.html", "<div><table><tr><td>" * 50_000 + "Deep.")
    assert texts(document) == ["Deep."] and time.perf_counter() - started < 10


# JSON and CSV.


def test_json_entries_know_their_line_and_keep_their_metadata(tmp_path):
    source = '\n{"question": "x [", "passages": [\n  {"id": "a", "text": "One.",\n   "date": "2024"},\n\n  "Two."\n]}'
    document = reads(tmp_path, "a.json", source)
    assert texts(document) == ["One.", "Two."] and lines(document) == [3, 6]
    assert document.passages[0].metadata == {"id": "a", "date": "2024", "path": "a.json", "line": 3}
    assert lines(reads(tmp_path, "b.json", "\n[\n1,\n\n2]")) == [3, 5]
    assert lines(reads(tmp_path, "c.jsonl", '"One."\n\n{"content": "Two."}\n')) == [1, 3]


def test_json_fields_do_not_run_together(tmp_path):
    document = reads(tmp_path, "a.json", json.dumps([{"hub": {"price": 5, "sold": True}, "colours": ["red", None]}]))
    assert [s.text for s in segment(document.passages[0])] == [
        "hub price: 5", "hub sold: true", "colours: red", "colours: null",
    ]  # fmt: skip


def test_a_long_json_text_is_cut(tmp_path):
    text = "\n\n".join(f"Paragraph {n} says {n}. " * 20 for n in range(100))
    document = reads(tmp_path, "a.json", json.dumps([{"text": text, "id": "x"}, "Short."]))
    assert all(len(t) <= MAX_CHARS for t in texts(document)) and len(document.passages) > 10
    assert " ".join(" ".join(texts(document)).split()) == " ".join((text + " Short.").split())
    assert document.passages[3].metadata["id"] == "x"


@pytest.mark.parametrize("depth", [400, 900, 100_000])
def test_deep_json_is_read_or_refused(tmp_path, depth):
    try:
        document = reads(tmp_path, "a.json", "[" * depth + '"deep"' + "]" * depth)
    except InputError as error:
        assert "nested too deeply" in str(error)
    else:
        assert texts(document) == ["- deep"]


CSV = 'name;text\nHub;"Costs 1,5 EUR;\nand more"\n\nCable;Costs 2,5 EUR\n'


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_csv_with_any_delimiter_quoted_newlines_and_true_lines(tmp_path, mark):
    document = reads(tmp_path, "a.csv", CSV.replace(";", mark).replace("1,5", "15").replace("2,5", "25"))
    (passage,) = document.passages
    inside = {"|": "/", "\t": ""}.get(mark, mark)
    rows = ["| name | text |", f"| Hub | Costs 15 EUR{inside} and more |", "| Cable | Costs 25 EUR |"]
    assert passage.text.split("\n") == rows
    assert [document.line_of(passage, passage.text.index(w)) for w in ("name", "Hub", "Cable")] == [1, 2, 5]


def test_csv_repeats_its_header_and_needs_none(tmp_path):
    rows = [f"Article {n},{n}.50,in stock" for n in range(200)]
    document = reads(tmp_path, "a.csv", "\n".join(["name,price,state", *rows]))
    assert len(document.passages) > 3 and all(t.startswith("| name | price | state |\n") for t in texts(document))
    headless = reads(tmp_path, "b.csv", "\n".join(rows))
    assert [r for t in texts(headless) for r in t.split("\n\n")] == [f"| {r.replace(',', ' | ')} |" for r in rows]
    assert all(not s.context for p in headless.passages for s in segment(p))
    assert texts(reads(tmp_path, "c.csv", "only,a,header")) == ["| only | a | header |"]
    assert texts(reads(tmp_path, "d.csv", "text\nOne cell with words.\n")) == ["| text |\n| One cell with words. |"]


# Word and PDF.


def make_docx(path, build):
    import docx

    document = docx.Document()
    build(document)
    document.save(path)
    return read(path, path.name)


def test_docx_headings_title_and_merged_cells(tmp_path):
    def build(document):
        document.core_properties.title = "The sheet"
        document.add_heading("Sheet", 0)
        document.add_heading("Prices", 1)
        document.add_paragraph("First.")
        document.add_paragraph("Second.")
        table = document.add_table(3, 3)
        for row, cells in enumerate((("Item", "Price", "State"), ("Hub", "20", "old"), ("", "30", "new"))):
            for column, text in enumerate(cells):
                table.cell(row, column).text = text
        table.cell(1, 0).merge(table.cell(2, 0))
        table.cell(0, 1).merge(table.cell(0, 2))
        table.cell(2, 1).add_paragraph("EUR")
        inner = table.cell(2, 2).add_table(1, 2)
        inner.cell(0, 0).text, inner.cell(0, 1).text = "Inner", "cell"

    document = make_docx(tmp_path / "a.docx", build)
    (passage,) = document.passages
    assert passage.metadata == {"title": "The sheet", "heading": "Sheet › Prices", "path": "a.docx"}
    start, table = passage.text.split("\n\n| ")
    assert start == "# Sheet\n\n# Prices\n\nFirst.\n\nSecond."
    assert table.split("\n") == ["Item | Price; State |", "| Hub | 20 | old |", "|  | 30; EUR | new; Inner; cell |"]


def test_docx_reads_content_controls_insertions_and_footnotes_but_not_deletions(tmp_path):
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'

    def build(document):
        for xml in (
            "<w:sdt {}><w:sdtContent><w:p><w:r><w:t>Controlled.</w:t></w:r></w:p></w:sdtContent></w:sdt>",
            "<w:p {}><w:ins><w:r><w:t>New</w:t></w:r></w:ins><w:del><w:r><w:delText>Old</w:delText></w:r></w:del>"
            "<w:r><w:tab/><w:t>text.</w:t><w:br/><w:t>Next.</w:t></w:r></w:p>",
        ):
            document.element.body.insert(0, parse_xml(xml.format(space)))

    document = make_docx(tmp_path / "a.docx", build)
    assert texts(document) == ["New text.\nNext.\n\nControlled."]


def make_pdf(path, pages, **encryption):
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_title("The report")
    for page in pages:
        pdf.add_page()
        pdf.set_font("Helvetica", size=11)
        for line in page:
            pdf.multi_cell(0, 7, line, align="L", new_x="LMARGIN", new_y="NEXT")
    if encryption:
        pdf.set_encryption(**encryption)
    pdf.output(str(path))
    return path


def test_pdf_pages_titles_and_paragraphs(tmp_path):
    long = "The order book is full until the summer and a second line is being set up, as everybody had hoped for. " * 3
    document = read(make_pdf(tmp_path / "a.pdf", [["Outlook", long, "Staff", "We are 312."], ["More here."]]), "a.pdf")
    assert [p.metadata for p in document.passages] == [
        {"title": "The report", "page": 1, "path": "a.pdf"}, {"title": "The report", "page": 2, "path": "a.pdf"},
    ]  # fmt: skip
    assert [" ".join(part.split()) for part in texts(document)[0].split("\n\n")] == [
        "Outlook", long.strip(), "Staff", "We are 312.",
    ]  # fmt: skip
    assert texts(document)[1] == "More here." and [p.id for p in document.passages] == ["a.pdf#1", "a.pdf#2"]


def test_a_scanned_page_among_others_is_a_warning(tmp_path):
    from fpdf import FPDF
    from PIL import Image

    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.cell(text="Words.")
    pdf.add_page()
    pdf.image(Image.new("RGB", (9, 9)))
    pdf.output(str(tmp_path / "a.pdf"))
    (warning,) = read(tmp_path / "a.pdf", "a.pdf").warnings
    assert warning.startswith("a.pdf: page 2 holds a picture and no text")


# What cannot be read.


def zipped(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path.read_bytes()


def blank_pdf(path, password=None):
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.md", b"", "a.md: empty: no text in it"),
        ("a.txt", b" \n\t\n", "a.txt: empty"),
        ("a.html", b"<html><body><script>x()</script></body></html>", "a.html: empty"),
        ("a.json", b"", "a.json: empty"),
        ("a.json", b"[]", "a.json: empty"),
        ("a.csv", b"\n,,\n", "a.csv: empty"),
        ("a.md", b"---\ndate: 2024-01-01\n---\n", "a.md: empty"),
        ("a.md", b"caf\xe9 is not UTF-8", "a.md: not valid UTF-8 at byte 3"),
        ("a.txt", "Grüße".encode("utf-16"), "a.txt: UTF-16; convert to UTF-8"),
        ("a.txt", "Plain words".encode("utf-16-le"), "a.txt: UTF-16; convert to UTF-8"),
        ("a.txt", "Plain words".encode("utf-16-be"), "a.txt: UTF-16; convert to UTF-8"),
        ("a.txt", "Words".encode("utf-32"), "a.txt: UTF-32; convert to UTF-8"),
        ("a.txt", b"text" * 5000 + b"\0", "a.txt: a binary file (NUL at byte 20000)"),
        ("a.txt", b"%PDF-1.7 more", "a.txt: a PDF, not text; rename it to end in .pdf"),
        ("a.txt", lambda p: zipped(p, ["a"]), "a.txt: a zip archive"),
        ("a.docx", lambda p: zipped(p, ["a.txt"]), "a.docx: a zip archive, not a Word document"),
        ("a.docx", lambda p: zipped(p, ["word/document.xml"]), "a.docx: a broken docx"),
        ("a.docx", b"PK broken", "a.docx: not a docx"),
        ("a.docx", b"\xd0\xcf\x11\xe0 old", "a.docx: an old Word document or an encrypted one"),
        ("a.pdf", b"%PDF-1.4 broken", "a.pdf: a broken PDF"),
        ("a.pdf", b"", "a.pdf: empty"),
        ("a.pdf", b"<html>", "a.pdf: not a PDF, or a broken one"),
        ("a.txt", b"\x1f\x8b\x08 packed", "a.txt: a gzip archive, not text; unpack it first"),
        ("a.md", b"\x89PNG\r\n\x1a\n", "a.md: a picture, not text"),
        ("a.pdf", lambda p: blank_pdf(p), "a.pdf: a PDF without text (scanned pages?)"),
        ("a.pdf", lambda p: blank_pdf(p, "secret"), "a.pdf: an encrypted PDF"),
        ("a.json", b'["a",\n "b" "c"]', "a.json: not valid JSON: Expecting ',' delimiter at line 2"),
        ("a.json", b'["a', "a.json: not valid JSON: Unterminated string at line 1, column 2"),
        ("a.json", b'{"a": 1}\n{"b": }', "a.json: line 2 is not valid JSON"),
        ("a.jsonl", b'{"text": "a"}\n\n{"text" "b"}\n', "a.jsonl: line 3 is not valid JSON"),
        ("a.jsonl", b"oops\n", "a.jsonl: line 1 is not valid JSON"),
        ("a.json", b"[" + b"9" * 5000 + b"]", "a.json: an integer with too many digits"),
        ("a.jsonl", b'"x"\n' + b"9" * 5000 + b"\n", "a.jsonl: line 2: an integer with too many digits"),
        ("a.json", b"[NaN]", "a.json: NaN is no JSON value"),
        ("a.json", b'["\\ud800 half"]', "a.json: \\ud800 is a lone surrogate"),
        ("a.csv", b'a,b\n1,2\n"open,3\n4,5\n', "in the row that begins at line 3; check its quotes"),
    ],
)
def test_an_unreadable_file_is_named_with_its_reason(tmp_path, name, content, message):
    with pytest.raises(InputError) as raised:
        reads(tmp_path, name, content(tmp_path / "made") if callable(content) else content)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_whole_surrogate_pair_is_a_character(tmp_path):
    assert texts(reads(tmp_path, "a.json", '["\\ud83d\\ude00 smile"]')) == ["\U0001f600 smile"]


def test_files_are_found_once_sorted_without_hidden_ones_or_loops(tmp_path):
    for name in ("b.md", "a.txt", "sub/c.HTML", "sub/no.exe", ".hidden/d.md", "sub/.e.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub" / "again.md").symlink_to(tmp_path / "b.md")
    (tmp_path / "sub" / "gone.md").symlink_to(tmp_path / "nowhere.md")
    found = [p.relative_to(tmp_path).as_posix() for p in find_files([tmp_path, tmp_path / "b.md"])]
    assert found == ["a.txt", "b.md", "sub/c.HTML", "sub/gone.md"]
    assert find_files([tmp_path / "sub" / "no.exe"]) == [tmp_path / "sub" / "no.exe"]
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "sub" / "gone.md")
    with pytest.raises(InputError, match="no such file or directory"):
        find_files([tmp_path / "missing"])


def test_files_and_folders_without_permission_are_named(tmp_path, monkeypatch):
    for name in ("good.md", "locked.md"):
        (tmp_path / name).write_text(name)
    (tmp_path / "closed").mkdir()
    real_open, real_list, real_scan = Path.open, os.listdir, os.scandir

    def guarded(real, locked):
        def call(path, *rest):
            if Path(path).name == locked:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *rest)

        return call

    monkeypatch.setattr(Path, "open", guarded(real_open, "locked.md"))
    monkeypatch.setattr(os, "listdir", guarded(real_list, "closed"))
    monkeypatch.setattr(os, "scandir", guarded(real_scan, "closed"))
    messages = []
    for path in find_files([tmp_path]):
        try:
            messages.append(read(path, path.name).passages[0].text)
        except InputError as error:
            messages.append(str(error))
    assert messages == [
        "good.md",
        "locked.md: cannot be read: Permission denied",
        "closed: cannot be read: Permission denied",
    ]


def test_a_file_name_that_is_no_text_is_still_shown(tmp_path):
    name = os.fsdecode(b"caf\xe9.md")
    (tmp_path / name).write_text("Words.")
    (passage,) = read(tmp_path / name).passages
    assert passage.id.endswith("caf\ufffd.md#1") and passage.id.encode()


def test_names_stay_importable():
    assert ".md" in SUFFIXES and TEXT_KEYS[0] == "text"
    assert decode(b"\xef\xbb\xbfx", "n") == "x" and records("[1]", "n") == [1]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([s for s in SUFFIXES if s not in (".pdf", ".docx")]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    try:
        document = read(path, "any")
    except InputError:
        return
    assert all(p.text.strip() for p in document.passages)


ALPHABET = st.text(alphabet='ab1 \t\n#-=~`*|>+:._[]{}"<&/;,', max_size=200)


@settings(max_examples=400, deadline=None)
@given(ALPHABET, st.sampled_from([".txt", ".md"]))
def test_every_word_of_any_text_is_in_a_passage(tmp_path_factory, text, suffix):
    path = tmp_path_factory.getbasetemp() / f"words{suffix}"
    path.write_text(text, newline="")
    try:
        document = read(path, "any")
    except InputError:
        assert not text.strip() or text.startswith("---")
        return
    front = " ".join(f"{k} {v}" for k, v in document.passages[0].metadata.items() if k not in ("path", "line"))
    kept = Counter(re.findall(r"\w+", " ".join(texts(document)) + " " + front))
    assert not Counter(re.findall(r"[a-z0-9_]+", text)) - kept or text.startswith("---")


@settings(max_examples=400, deadline=None)
@given(ALPHABET, st.sampled_from([".rst", ".html", ".csv", ".json", ".jsonl"]))
def test_any_text_in_any_format_is_read_or_refused_with_lines_of_the_file(tmp_path_factory, text, suffix):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_text(text)
    try:
        document = read(path, "any")
    except InputError:
        return
    for passage in document.passages:
        assert 1 <= passage.metadata["line"] <= text.count("\n") + 1
        assert len(document.lines[passage.id]) == passage.text.count("\n") + 1
