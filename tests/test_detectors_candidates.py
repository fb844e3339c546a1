"""What is no candidate: sentences that state nothing."""

import pytest

from detectors.candidates import NO_STATEMENT


@pytest.mark.parametrize(
    "text",
    [
        "Given a project with no workspaces, e.g.:",
        "See [the other page][] for more information.",
        "<https://example.org/a>",
        "[`:not(<selector>)`](https://example.org/not)",
    ],
)
def test_announcements_and_links_state_nothing(text):
    assert NO_STATEMENT.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    ["The ratio is 3:1 at most.", "Seeds are sown in May.", "[Docs](https://example.org) are built every night."],
)
def test_statements_are_kept(text):
    assert not NO_STATEMENT.fullmatch(text)
