"""Parallel parts of one document are no contradiction; what clashes about one thing in it still is."""

import pytest

from detectors.comparison import Comparison
from detectors.evidence import Passage, SentencePair, WhyNot
from detectors.scope import shapes
from detectors.segment import segment


def last(id, text, path, heading=""):
    return segment(Passage(id, text, {"path": path, "heading": heading} if path else {}))[-1]


def is_sibling(a, b, paths=("guide.md", "guide.md"), headings=("", "")):
    left, right = last("a", a, paths[0], headings[0]), last("b", b, paths[1], headings[1])
    found = {WhyNot.SIBLINGS in shapes(Comparison(SentencePair(*pair))) for pair in ((left, right), (right, left))}
    assert len(found) == 1, "the order of the sides changes the answer"
    return found.pop()


PARALLEL = [
    ("Add them to the security team.", "Remove them from the security team."),
    ("Returns the size of the file.", "Clears the size of the file."),
    ("Lock down the build servers before the release.", "Unlock the build servers after the release."),
    ("The output file is kept when the build fails.", "The byproduct file is deleted when the build fails."),
    ("The endfunction command takes a name.", "The endmacro command takes no name."),
    ("The basic plan holds 10 GB of mail.", "The premium plan holds 50 GB of mail."),
    ("If the pattern matches, the line is kept.", "If the pattern does not match, the line is dropped."),
    ("If the path is found, it is returned.", "Otherwise, an error is raised."),
    ("- `32` Query the 32-bit registry.", "- `64` Query the 64-bit registry."),
    ("Default: 5 seconds.", "Default: 10 seconds."),
    ("This builder makes one page.", "This builder makes no page."),
    ("Ensures that the method is on one line.", "Ensures that the macro is on one line."),
]
CLASHES = [
    ("Keep the receipt for five years.", "Keep the receipt for three years."),
    ("Send the form to the tax office.", "Do not send the form to the tax office."),
    ("The finance team approves the travel costs.", "The people team approves the travel costs."),
    ("If no branch is given, then the default branch is used.", "If no branch is given, then `master` is used."),
    ("The cache is kept in Redis.", "The cache is kept in Memcached."),
    ("Most guests arrive by train.", "All guests arrive by train."),
    ("The library is closed on Mondays.", "The library is open on Mondays."),
    ("It must be paid within 30 days.", "It must be paid within 14 days."),
    ("The current fee is 10 EUR.", "The current fee is 12 EUR."),
]


@pytest.mark.parametrize(("a", "b"), PARALLEL)
def test_parallel_parts_of_one_document_are_siblings(a, b):
    assert is_sibling(a, b)


@pytest.mark.parametrize(("a", "b"), CLASHES)
def test_what_is_said_of_one_thing_is_not(a, b):
    assert not is_sibling(a, b)


@pytest.mark.parametrize(("a", "b"), PARALLEL)
@pytest.mark.parametrize("paths", [("guide.md", "wiki.md"), ("", ""), ("guide.md", "")])
def test_two_documents_or_unknown_ones_may_contradict_each_other_in_one_word(a, b, paths):
    assert not is_sibling(a, b, paths)


def test_pages_made_from_one_form_are_siblings_where_each_holds_what_it_is_about():
    a, b = "Adds a library target to the build.", "Adds an executable target to the build."
    paths = ("help/add_library.rst", "help/add_executable.rst")
    assert is_sibling(a, b, paths) and not is_sibling(a, b, ("help/one.rst", "help/two.rst"))
    assert is_sibling(a, b, ("one.md", "two.md"), ("Library targets", "Executable targets"))


def test_notes_on_two_releases_are_siblings_and_numbered_sections_are_not():
    a, b = "The minimum supported version of the server is 3.7.", "The minimum supported version of the server is 3.9."
    one_page = "News › Release 2.0 (2020-03-03)", "News › Release 2.1 (2020-04-03)"
    assert is_sibling(a, b, headings=one_page) and not is_sibling(a, b, headings=one_page[:1] * 2)
    assert is_sibling(a, b, ("docs/releases/v6.2.0.rst", "docs/releases/v6.5.0.rst"))
    assert not is_sibling(a, b, headings=("2.1 Servers", "3.2 Versions"))


def test_each_document_speaks_of_itself():
    a, b = "The purpose of this guide is to teach writing.", "It is not meant to teach writing."
    assert is_sibling(a, b, ("guide.md", "tooling.md")) and not is_sibling(a, b)
    assert not is_sibling("Teaching is its purpose, says this guide.", b, ("guide.md", "tooling.md"))


def test_rows_of_one_document_are_siblings_unless_both_are_about_the_same():
    table = "| plan | storage |\n| --- | --- |\n| {} | {} GB |"
    assert is_sibling(table.format("basic", 10), table.format("premium", 50))
    assert not is_sibling(table.format("basic", 10), table.format("basic", 50))
