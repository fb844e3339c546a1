"""What an audit of a folder leaves out, against git's own ignoring of the same tree; globs."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.errors import InputError
from guard.audit.ignore import NAME
from guard.audit.readers import find_files

FILES = ["a.md", "b.txt", "old/a.md", "old/b.txt", "docs/a.md", "docs/old/a.md", "docs/new/b.txt", "docs/new/old/c.md"]
PATTERNS = st.lists(
    st.sampled_from(["*.md", "!a.md", "old/", "/old", "docs/**/old", "docs/new/", "!docs/new/b.txt", "b.*", "# no",
                     "**/c.md"]),
    max_size=4,
)  # fmt: skip


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in FILES:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("Words.")
    return tmp_path


def found(*paths, exclude=()):
    return {p.as_posix() for p in find_files(map(Path, paths or ["."]), exclude)}


@pytest.mark.skipif(not shutil.which("git"), reason="no git")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATTERNS, PATTERNS)
def test_the_files_kept_are_those_that_git_would_keep(tree, outer, inner):
    for folder, patterns in ((".", outer), ("docs", inner)):
        for name in (NAME, ".gitignore"):
            Path(folder, name).write_text("\n".join(patterns) + "\n")
    subprocess.run(["git", "init", "-q"], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    assert found() == {f for f in listed.stdout.split() if f in FILES}


def test_patterns_of_the_current_folder_count_for_one_below_and_a_file_named_outright_is_kept(tree):
    Path(NAME).write_text("docs/old/\n*.txt\n")
    assert found("docs") == {"docs/a.md", "docs/new/old/c.md"}
    assert found("docs/old/a.md", "b.txt") == {"docs/old/a.md", "b.txt"}


def test_a_folder_elsewhere_has_its_own_file_only(tree, monkeypatch):
    (tree / "docs" / NAME).write_text("old/\n")
    (tree / NAME).write_text("*\n")
    monkeypatch.chdir(tree / "old")
    assert found(tree / "docs") == {f"{tree}/docs/a.md", f"{tree}/docs/new/b.txt"}


def test_exclude_wins_over_every_file(tree):
    Path("docs", NAME).write_text("!a.md\n")
    assert found("docs", exclude=["*.md", "new"]) == set()
    assert found("docs", exclude=["/docs/new"]) == {"docs/a.md", "docs/old/a.md"}


def test_a_glob_finds_readable_files_that_are_not_ignored(tree):
    Path("docs/new/x.png").write_bytes(b"")
    Path(NAME).write_text("old/\n")
    assert found("docs/**/*") == {"docs/a.md", "docs/new/b.txt"}
    assert found(f"{tree}/*.md") == {f"{tree}/a.md"}
    with pytest.raises(InputError, match="no such file"):
        found("docs/**/*.pdf")


def test_a_pattern_that_is_none_names_its_file(tree):
    Path("docs", NAME).write_text("!\n")
    with pytest.raises(InputError, match=r"docs/\.passageguardignore: not a pattern"):
        found()
    with pytest.raises(InputError, match="--exclude: not a pattern"):
        found(exclude=["!"])
