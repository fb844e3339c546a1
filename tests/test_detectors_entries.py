"""Sentences that need their heading, and pairs of them from different entries."""

import pytest

from detectors.comparison import Comparison
from detectors.entries import leans_on_heading
from detectors.evidence import Passage, SentencePair, WhyNot
from detectors.scope import shapes
from detectors.segment import segment


@pytest.mark.parametrize(
    ("text", "leans"),
    [
        ("Default: 4.", True),
        ("By default, this option is set to 3.", True),
        ("The current app instance.", True),
        ("Returns the number of seconds to wait.", True),
        ("Sent when a task fails.", True),
        ("It is optional.", True),
        ("Can be used with any broker.", True),
        ("Employees receive 25 days of annual leave.", False),
        ("The outage affected 12% of all hubs.", False),
        ("The handbook amendment takes effect on 1 April.", False),
        ("Unused leave may be carried over.", False),
        ("RabbitMQ doesn't expire results.", False),
    ],
)
def test_what_needs_its_heading(text, leans):
    assert leans_on_heading(text) is leans


def only(text, **metadata):
    """Return the last sentence of a passage."""
    return segment(Passage(repr((text, metadata)), text, metadata))[-1]


def why_not(one, two):
    found = shapes(Comparison(SentencePair(one, two)))
    assert found == shapes(Comparison(SentencePair(two, one)))
    return found


@pytest.mark.parametrize(
    ("one", "two", "is_other"),
    [
        ("# `broker_pool_limit`\n\nDefault: 10.", "# `task_max_retries`\n\nDefault: 3.", True),
        ("# `broker_pool_limit`\n\nDefault: 10.", "# `broker_pool_limit`\n\nDefault: 3.", False),
        ("# `broker_pool_limit`\n\nDefault: 10.", "`broker_pool_limit` is 3 by default.", False),
        ("# Annual leave\n\nCan be carried over to March.", "# Parking\n\nCan be carried over to no other car.", True),
        ("# Annual leave\n\nCan be carried over to March.", "Unused leave cannot be carried over.", False),
        ("# Leave\n\n## Notes\n\nCan be carried over.", "# Parking\n\n## Notes\n\nCannot be carried over.", True),
        # What has a subject of its own is not silenced by where it stands.
        ("# Benefits\n\nStaff get 30 days of leave.", "# Working time\n\nStaff get 25 days of leave.", False),
    ],
)
def test_sentences_of_different_entries_state_nothing_about_one_thing(one, two, is_other):
    assert (WhyNot.OTHER_TOPIC in why_not(only(one), only(two))) is is_other


def test_the_heading_that_a_document_declares_counts_as_one_above():
    one, two = only("Default: 10.", heading="Settings › `pool_limit`"), only("Default: 3.", heading="`max_retries`")
    assert WhyNot.OTHER_TOPIC in why_not(one, two)
    assert WhyNot.OTHER_TOPIC not in why_not(one, only("Default: 3.", heading="`pool_limit`"))


def test_sentences_that_differ_in_what_their_headings_name_are_about_sibling_things():
    one = only("# How to deploy with ASGI\n\nThe command sets up an ASGI configuration for the server.")
    two = only("# How to deploy with WSGI\n\nThe command sets up a WSGI configuration for the server.")
    assert WhyNot.DIFFERENT_SUBJECTS in why_not(one, two)
    same = only("# How to deploy with ASGI\n\nThe command sets up a WSGI configuration for the server.")
    assert WhyNot.DIFFERENT_SUBJECTS not in why_not(one, same)
