"""Files made to take a reader down: bombs, loops, endless ones, and text that once took time with its square."""

import gzip
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard import InputError
from guard.audit import limits, office, readers
from guard.audit.readers import SUFFIXES, find_files, read
from guard.audit.tags import tags
from guard.verdict import Action, Status, Verdict

PAGES = (".html", ".htm")
TEXTS = tuple(s for s in SUFFIXES if s not in (".pdf", ".docx"))


def reads(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, name)


# Time.  What is repeated, and what stands before and behind; each took quadratic time in some reader once.

NOTE = "\n\n<!-- passageguard: ignore the reason -->\n"
GROWING = {
    "unclosed comments.html": ("", "<!--", ""),
    "unclosed CDATA.html": ("", "<![CDATA[", ""),
    "unclosed instructions.html": ("", "<?", ""),
    "unclosed declarations.html": ("", "<!", ""),
    "unclosed tags.html": ("", "<a ", ""),
    "unclosed values.html": ("", '<a x="', ""),
    "unclosed end tags.html": ("", "</a ", ""),
    "quotes of two kinds.html": ("", "<a x=\"<a y='", ">"),
    "templates that nothing closes.html": ("<template>" * 5000, "</nav>", ""),
    "tags in a tag.html": ("", "<a<b", ""),
    "unclosed suppressions.html": ("", "<!-- passageguard: ", ""),
    "unclosed suppressions.md": ("", "<!-- passageguard: ", ""),
    "many suppressions.md": ("", "<!-- passageguard: ignore x -->\n", ""),
    "many suppressions.txt": ("", "passageguard: ignore x\n", ""),
    "suppressions before a paragraph.rst": ("", ".. passageguard: ignore x\n\na\n\n", ""),
    "backticks of all lengths.md": ("", "BACKTICKS", NOTE),
    "blank lines.rst": ("", "\n", "x"),
    "colons.rst": ("", ":a", ""),
    "spaces in a role.rst": (":a:`", " ", "x"),
    "spaces in a link.rst": ("`a", " ", "x"),
    "simple tables without an end.rst": ("", "== ==\na  b\n", "x"),
    "a row of a grid table.rst": ("+---+\n", "| a |\n", ""),
    "a cell of a list table.rst": (".. list-table::\n\n   * - a\n", "       b\n", ""),
    "spaces in front matter.md": ("---\na: x", " ", "y\n---\nz"),
    "a long cell.csv": ("a,$", "1.", " aaaaaaaaaaaaaaaa\nc,d\n"),
    "opening brackets.json": ("", "[", ""),
}


@pytest.mark.parametrize("name", GROWING)
def test_reading_grows_no_faster_than_the_file(tmp_path, name):
    before, repeated, behind = GROWING[name]

    def seconds(size):
        body = "".join("`" * n + " " for n in range(int((2 * size) ** 0.5))) if repeated == "BACKTICKS" else ""
        path = tmp_path / f"{size}{Path(name).suffix}"
        path.write_text(before + (body or repeated * (size // len(repeated))) + behind)
        begun = time.process_time()
        with suppress(InputError):
            read(path, name)
        return time.process_time() - begun

    assert seconds(200_000) < 8 * seconds(50_000) + 0.3, "four times as much takes sixteen times as long"


def test_a_file_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    def endless(text):
        while True:
            try:
                time.sleep(0.01)
            except Exception:  # what a library may do with an interruption
                continue

    monkeypatch.setattr(readers.webpage, "blocks", endless)
    monkeypatch.setattr(limits.time_limit.__wrapped__, "__defaults__", (0.2,))
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(InputError, match=r"a\.html: takes longer than 0\.2 seconds to read"):
        reads(tmp_path, "a.html", "<p>Words.")
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_reading_works_in_a_thread_too(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(reads(tmp_path, "a.md", "Words.")))
    thread.start()
    thread.join()
    assert found[0].passages[0].text == "Words."


# Size


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_200_megabytes_are_refused_at_once(tmp_path, suffix):
    path = tmp_path / f"huge{suffix}"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    begun = time.process_time()
    with pytest.raises(InputError, match=rf"^huge\{suffix}: larger than 50 MB; split the file$"):
        read(path, path.name)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "\n" * 2_000_001, "a.txt: more than 2,000,000 lines; split the file"),
        ("a.html", "<p>" * 2_000_001, "a.html: more than 2,000,000 tags"),
        ("a.json", "[" + "1," * 500_000 + "1]", "a.json: more than 500,000 entries"),
        ("a.json", '{"a": [' + "1," * 2_000_001 + "1]}", "a.json: more than 2,000,000 lines and fields"),
        ("a.md", "# a\nb\n" * 500_001, "a.md: more than 500,000 passages"),
    ],
)
def test_more_pieces_than_a_machine_holds_are_refused(tmp_path, name, content, message):
    with pytest.raises(InputError) as raised:
        reads(tmp_path, name, content)
    assert str(raised.value).startswith(message)


def test_a_pipe_is_read_and_an_endless_one_is_not(tmp_path):
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("Words from a pipe."))
    writer.start()
    assert read(pipe).passages[0].text == "Words from a pipe."
    writer.join()
    with pytest.raises(InputError, match="larger than 50 MB"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("substitutions.rst", ".. |a| replace:: " + "b" * 200_000 + "\n\n" + "|a| " * 50_000),
        ("a long fence.md", "`" * 200_000 + "\n" + "word.\n" * 40_000),
        ("a long language.md", "```" + "a" * 200_000 + "\n" + "word.\n" * 40_000),
        ("a long rule.md", "| a | b |\n|" + "-" * 200_000 + "|\n" + "| c | d |\n" * 20_000),
        ("a long name.json", json.dumps({"k" * 200_000: list(range(20_000))})),
        ("many keys.md", "---\n" + "".join(f"k{n}: v\n" for n in range(20_000)) + "---\n" + "word.\n\n" * 40_000),
    ],
)
def test_what_is_repeated_for_every_passage_is_short(tmp_path, name, content):
    tracemalloc.start()
    try:
        document = reads(tmp_path, name, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 120_000_000 and sum(len(p.text) for p in document.passages) < 30 * len(content)


def test_the_keys_that_matter_stay_among_many(tmp_path):
    keys = "".join(f"k{n}: v\n" for n in range(500))
    (passage,) = reads(tmp_path, "a.md", f"---\n{keys}date: 2024-05-01\n---\nWords.").passages
    assert passage.metadata["date"] == "2024-05-01" and len(passage.metadata) < 120


# Word


def docx(path, body, more=()):
    import docx as python_docx

    made = path.with_suffix(".made")
    python_docx.Document().save(made)
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            if part != "word/document.xml":
                new.writestr(part, old.read(part))
        new.writestr("word/document.xml", body.replace("<w:document>", f"<w:document {space}>"))
        for name, content in more:
            new.writestr(name, content)
    return path


def paragraph(text):
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_a_docx_that_unpacks_to_more_than_is_read_is_refused_unread(tmp_path):
    body = f"<w:document><w:body>{paragraph('x')}</w:body></w:document>"
    bomb = docx(tmp_path / "a.docx", body, [("word/more.xml", b"\0" * 60_000_000)])
    assert bomb.stat().st_size < 200_000
    begun = time.process_time()
    with pytest.raises(InputError, match=r"a\.docx: larger than 50 MB unpacked \(text and markup\)"):
        read(bomb, "a.docx")
    assert time.process_time() - begun < 1


def test_entities_of_a_docx_are_not_expanded(tmp_path):
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    body = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
    body += f"<w:document><w:body>{paragraph('So &l9; it is.')}</w:body></w:document>"
    bomb = docx(tmp_path / "a.docx", body)
    begun = time.process_time()
    try:
        document = read(bomb, "a.docx")
    except InputError as error:
        assert "a broken docx" in str(error)
    else:
        assert len(document.passages[0].text) < 100
    assert time.process_time() - begun < 5


def test_a_file_outside_is_not_read_through_an_entity_of_a_docx(tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    body = f'<!DOCTYPE x [<!ENTITY f SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'
    body += f"<w:document><w:body>{paragraph('It is &f;.')}</w:body></w:document>"
    try:
        assert "secret" not in read(docx(tmp_path / "a.docx", body), "a.docx").passages[0].text
    except InputError as error:
        assert "the secret" not in str(error)


def test_boxes_in_boxes_are_read_once(tmp_path):
    """Each level of a box within a box once doubled the text of those inside."""
    inner = paragraph("Innermost.")
    for n in range(30):
        inner = f"<w:p><w:r><w:t>Box {n}.</w:t></w:r><w:txbxContent>{inner}</w:txbxContent></w:p>"
    document = read(docx(tmp_path / "a.docx", f"<w:document><w:body>{inner}</w:body></w:document>"), "a.docx")
    text = "\n".join(p.text for p in document.passages)
    assert text.count("Innermost.") == 1 and all(text.count(f"Box {n}.") == 1 for n in range(30))


def test_a_docx_nested_too_deeply_is_refused_and_one_with_a_password_named(tmp_path):
    deep = "<w:sdt>" * 5000 + "</w:sdt>" * 5000
    with pytest.raises(InputError, match=r"a\.docx: a broken docx"):
        read(docx(tmp_path / "a.docx", f"<w:document><w:body>{deep}</w:body></w:document>"), "a.docx")
    path = docx(tmp_path / "b.docx", f"<w:document><w:body>{paragraph('x')}</w:body></w:document>")
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:  # the flag of encryption in every entry of the directory
        content[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 4)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"b\.docx: an encrypted docx; save it without a password"):
        read(path, "b.docx")


# PDF


def pdf(path, *pages):
    from fpdf import FPDF

    made = FPDF()
    for text in pages:
        made.add_page()
        made.set_font("Helvetica", size=11)
        made.cell(text=text)
    made.output(str(path))
    return path


def test_a_pdf_whose_pages_go_in_a_circle_is_refused(tmp_path):
    objects = (b"1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n2 0 obj <</Type/Pages/Kids[3 0 R]/Count 9>> endobj\n"
               b"3 0 obj <</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 9>> endobj\n")  # fmt: skip
    with pytest.raises(InputError, match=r"a\.pdf: a (broken PDF|PDF without text)"):
        reads(tmp_path, "a.pdf", b"%PDF-1.4\n" + objects + b"trailer <</Root 1 0 R/Size 4>>\n%%EOF")


def test_a_pdf_with_a_stream_that_unpacks_to_more_than_is_read_is_refused(tmp_path):
    import zlib

    packed = zlib.compress(b"(x) Tj " * 40_000_000, 9)  # 280 MB
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed),
    ]  # fmt: skip
    body = b"".join(b"%d 0 obj %s endobj\n" % (n, each) for n, each in enumerate(objects, 1))
    with pytest.raises(InputError, match=r"a\.pdf: a (broken PDF|PDF without text)"):
        reads(tmp_path, "a.pdf", b"%PDF-1.4\n" + body + b"trailer <</Root 1 0 R/Size 5>>\n%%EOF")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One good file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    texts = {
        ".txt": "It lasts 14 days.\n", ".md": "# Trial\n\nIt lasts 14 days.\n", ".rst": "Trial\n=====\n\nIt lasts.\n",
        ".html": "<h1>Trial</h1><p>It lasts 14 days.</p>", ".json": '[{"text": "It lasts 14 days."}]',
        ".jsonl": '{"text": "It lasts."}\n', ".csv": "what,days\ntrial,14\n", ".tsv": "what\tdays\ntrial\t14\n",
    }  # fmt: skip
    made = {suffix: text.encode() for suffix, text in texts.items()}
    made[".pdf"] = pdf(folder / "a.pdf", "It lasts 14 days.", "And more.").read_bytes()
    body = f"<w:document><w:body>{paragraph('It lasts 14 days.')}</w:body></w:document>"
    made[".docx"] = docx(folder / "a.docx", body).read_bytes()
    return made


@pytest.mark.parametrize("kind", [".pdf", ".docx"])
def test_a_file_cut_off_anywhere_is_read_or_refused(whole, tmp_path, kind):
    for size in range(0, len(whole[kind]), max(1, len(whole[kind]) // 60)):
        try:
            document = reads(tmp_path, f"cut{kind}", whole[kind][:size])
        except InputError as error:
            assert str(error).startswith(f"cut{kind}: ")
        else:
            assert document.passages


@pytest.mark.parametrize("named", [".txt", ".md", ".rst", ".html", ".pdf", ".docx", ".json", ".jsonl", ".csv", ".tsv"])
def test_a_file_of_another_kind_than_its_name_says_is_read_or_named(whole, tmp_path, named):
    others = {**whole, ".gz": gzip.compress(b"words"), ".png": b"\x89PNG\r\n\x1a\n\0\0", ".exe": b"MZ\x90\0\3\0"}
    for kind, content in others.items():
        try:
            document = reads(tmp_path, f"a{named}", content)
        except InputError as error:
            assert str(error).startswith(f"a{named}: ") and "\n" not in str(error)
            assert kind != named
        else:
            assert document.passages and kind not in (".gz", ".png", ".exe")
            assert kind == named or kind in TEXTS, "a binary file is no text"


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([".pdf", ".docx"]))
def test_a_damaged_pdf_or_docx_is_read_or_refused(whole, tmp_path_factory, data, kind):
    content = bytearray(whole[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=6))
    path = tmp_path_factory.getbasetemp() / f"damaged{kind}"
    path.write_bytes(content)
    try:
        read(path, "damaged")
    except InputError as error:
        assert str(error).startswith("damaged: ")


# HTML


PIECES = st.lists(
    st.sampled_from(
        "<p> </p> <table> <tr> <td> </table> <script> </script> <style> <title> </title> <!-- --> <![CDATA[ ]]> "
        "<![foo[ <? <! </ < > / \" ' = &#99999999999; &amp &lt; x <a <br/> <pre> <li> <nav> <h1> \n \x00".split(" ")
    ),
    max_size=30,
)


@settings(max_examples=500, deadline=None)
@given(PIECES.map("".join))
def test_tags_take_any_text_with_true_lines(text):
    last = 1
    for tag in tags(text):
        assert last <= tag.line <= text.count("\n") + 1
        last = tag.line


WORDS = st.lists(st.sampled_from(["one", "two", "<", "< ", "<3", "&", "&amp;", '"', "'", "="]), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(WORDS.map(" ".join))
def test_text_without_tags_stays_as_it_is(text):
    assert "".join(tag.text for tag in tags(text)) == text.replace("&amp;", "&")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<a href='x>y' b>t", [("a", {"href": "x>y", "b": ""}), "t"]),
        ('<a href="x>t', [("a", {"href": '"x'}), "t"]),
        ("<p CLASS=a class=b>", [("p", {"class": "a"})]),
        ("a<!-- <p> -->b", ["a", "b"]),
        ("a<!-->b", ["a", "b"]),
        ("a<!-- never closed <p>b", ["a", " never closed ", ("p", {}), "b"]),
        ("<script><p></script x>b", [("script", {}), "/script", "b"]),
        ("<style>p{}", [("style", {})]),
        ("<![CDATA[<p>]]>", ["<p>"]),
        ("1 < 2 <3 &#x110000; &#99999999999999999999;>", ["1 ", "< 2 ", "<3 \ufffd \ufffd>"]),
        ("cut <p off", ["cut <p off"]),
        ("<b>cut <p off", [("b", {}), "cut <p off"]),
    ],
)
def test_tags(text, found):
    seen = [t.text or (f"/{t.name}" if t.closes else (t.name, dict(t.attributes))) for t in tags(text)]
    assert seen == found


# Folders


def test_globs_and_folders_do_not_follow_links_into_a_loop(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.md").write_text("Words.")
    for name in ("x", "y", "z"):  # followed, three loops make 3 to the power of 40 paths
        (tmp_path / "a" / name).symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.md").symlink_to(tmp_path / "self.md")
    for pattern in (tmp_path, tmp_path / "**" / "*.md", tmp_path / "**"):
        found = find_files([pattern])
        assert [p.name for p in found] == ["self.md", "one.md"]
    with pytest.raises(InputError, match=r"self\.md: cannot be read"):
        read(tmp_path / "self.md")


def test_globs_find_what_fits(tmp_path):
    for name in ("a.md", "b.txt", "sub/c.md", "sub/deep/d.md", "sub/.hidden/e.md", ".f.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("Words.")

    def found(pattern):
        return [p.relative_to(tmp_path).as_posix() for p in find_files([tmp_path / pattern])]

    assert found("*.md") == ["a.md"]
    assert found("**/*.md") == ["a.md", "sub/c.md", "sub/deep/d.md"]
    assert found("sub/**/?.md") == ["sub/c.md", "sub/deep/d.md"]
    assert found("*/*.md") == ["sub/c.md"] and found("[ab].*") == ["a.md", "b.txt"]
    assert found("su*/**/deep/*") == ["sub/deep/d.md"]
    for nothing in ("*.pdf", "none/*.md", "*/*/*/*.md"):
        with pytest.raises(InputError, match="no such file or directory, or none of it is read"):
            find_files([tmp_path / nothing])


def test_folders_deeper_than_python_calls_are_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(300):
        os.mkdir("d")
        os.chdir("d")
    Path("deep.md").write_text("Words.")
    os.chdir(tmp_path)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        (found,) = find_files([Path(".")])
    finally:
        sys.setrecursionlimit(limit)
    assert found.name == "deep.md" and read(found).passages
    subprocess.run(["rm", "-rf", "d"], cwd=tmp_path, check=True)


def test_a_folder_that_may_be_listed_but_not_entered_is_told(tmp_path, monkeypatch):
    """As with mode 0o444: names are known, and nothing can be learned of what they name."""
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "a.md").write_text("Words.")
    (tmp_path / "b.md").write_text("Words.")
    real = os.stat

    def guarded(path, *rest, **named):
        if isinstance(path, (str, os.PathLike)) and Path(path).parent.name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest, **named)

    monkeypatch.setattr(os, "stat", guarded)
    found = find_files([tmp_path])
    assert [p.name for p in found] == ["b.md", "a.md"]
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        read(found[1])


# The command


def test_every_bad_file_of_a_folder_is_named_and_the_rest_is_audited(whole, cli, tmp_path, monkeypatch):
    class Silent:
        is_cautious = False

        def __init__(self, *rest):
            pass

        def check(self, passages, progress=None):
            return Verdict(Status.CLEAN, (), Action.REPORT, (), (), ())

    monkeypatch.setattr("guard.audit.engine.AuditGuard", Silent)
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/good.md").write_text("It lasts 14 days.")
    bad = {
        "empty.md": b"", "latin.txt": b"caf\xe9", "cut.json": b'["a', "deep.json": b"[" * 100_000,
        "cut.pdf": whole[".pdf"][:100], "cut.docx": whole[".docx"][:100], "odd.csv": b'"open,1\n', "bin.rst": b"\0\1",
        "picture.html": b"\x89PNG\r\n", "line.jsonl": b'{"a"\n', "many.json": b"[" + b"1," * 500_000 + b"1]",
    }  # fmt: skip
    for name, content in bad.items():
        Path("docs", name).write_bytes(content)
    ran = cli("audit", "docs")
    named = [line for line in ran.out.splitlines() if line.startswith("not read: docs/")]
    assert ran.code == 1 and ran.err == "" and ran.out.endswith("1 document, 1 passage, 0 findings, 11 unread files\n")
    assert sorted(line.split(":")[1].strip() for line in named) == sorted(f"docs/{name}" for name in bad)


def test_no_input_ends_in_a_traceback(whole, tmp_path):
    """The real command, in a process of its own, on a file that is all wrong."""
    (tmp_path / "a.pdf").write_bytes(whole[".docx"])
    code = "from guard.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", code, "audit", "a.pdf"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("passageguard: error: a.pdf: not a PDF") and ran.stderr.count("\n") == 1


def test_the_limits_are_those_the_page_names():
    page = (Path(__file__).parent.parent / "docs" / "audit.md").read_text(encoding="utf-8")
    for said in (
        f"{limits.MAX_BYTES // 1_000_000} MB", f"{limits.MAX_LINES:,} lines", f"{limits.MAX_PASSAGES:,} passages",
        f"docx {limits.MAX_XML_BYTES // 1_000_000} MB", f"{limits.MAX_SECONDS // 60} minutes",
    ):  # fmt: skip
        assert said in page, said
    assert office.MAX_UNPACKED_BYTES > limits.MAX_XML_BYTES
