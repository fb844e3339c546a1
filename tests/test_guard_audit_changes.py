"""Which files git says changed: committed, staged, edited and new ones, since the work branched off."""

import shutil
import subprocess

import pytest

from detectors.errors import InputError
from guard.audit.changes import changed_files

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="no git")


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    for name in ("same.md", "edited.md", "staged.md", "committed.md", "gone.md"):
        (tmp_path / name).write_text("One.")
    (tmp_path / "docs ü").mkdir()
    (tmp_path / ".gitignore").write_text("ignored.md\n")
    git("add", "."), git("commit", "-q", "-m", "one"), git("checkout", "-q", "-b", "work")
    return tmp_path.resolve(), git


def test_all_that_changed_since_the_branch_and_nothing_that_others_did(repository):
    folder, git = repository
    (folder / "committed.md").write_text("Two.")
    git("commit", "-q", "-am", "two")
    git("checkout", "-q", "main")
    (folder / "same.md").write_text("By others.")
    git("commit", "-q", "-am", "others"), git("checkout", "-q", "work")
    (folder / "staged.md").write_text("Two.")
    git("add", "staged.md")
    (folder / "edited.md").write_text("Two.")
    (folder / "gone.md").unlink()
    (folder / "docs ü" / "new\nname.md").write_text("Two.")
    (folder / "ignored.md").write_text("Two.")
    names = {str(path.relative_to(folder)) for path in changed_files("main", folder / "docs ü")}
    assert names == {"committed.md", "staged.md", "edited.md", "gone.md", "docs ü/new\nname.md"}


def test_what_git_cannot_say_is_an_error_that_says_why(repository, tmp_path_factory):
    folder, _ = repository
    with pytest.raises(InputError, match="no revision 'nope'"):
        changed_files("nope", folder)
    with pytest.raises(InputError, match="no revision '--output=x'"):
        changed_files("--output=x", folder)
    assert not (folder / "x").exists()
    with pytest.raises(InputError, match="not in a git repository"):
        changed_files("HEAD", tmp_path_factory.mktemp("plain"))
