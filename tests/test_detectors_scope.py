"""Benign shapes against a hand-made table: which hint each pair gives, in either order."""

import pytest

from detectors.comparison import Comparison
from detectors.evidence import Sentence, SentencePair, Span, WhyNot
from detectors.scope import shapes


def pair(a, b, kind="prose", ids=("a", "b")):
    one = Sentence(Span(ids[0], 0, len(a), a), "", kind)
    return SentencePair(one, Sentence(Span(ids[1], 1000, 1000 + len(b), b), "", kind), 0.8)


TABLE = [
    (WhyNot.SCOPE, "Full-time staff get 25 days of leave.", "Part-time staff get 15 days of leave."),
    (WhyNot.SCOPE, "In 2023 the plant shipped 3,100 hubs.", "In 2024 the plant shipped 3,900 hubs."),
    (WhyNot.SCOPE, "A permit in Norwold costs 40 euros.", "A permit in Estermark costs 65 euros."),
    (WhyNot.SCOPE, "If false, it never shows colours.", "If always is set, it always shows colours."),
    (WhyNot.SCOPE, "On Linux platforms, paths are long.", "On Apple platforms, paths are short."),
    (
        WhyNot.DIFFERENT_SUBJECTS,
        "This runs the `stop` script of a package.",
        "This runs the `test` script of a package.",
    ),
    (WhyNot.DIFFERENT_SUBJECTS, "The value of CMAKE_NETRC is used.", "The value of CMAKE_TLS_VERIFY is used."),
    (WhyNot.DIFFERENT_SUBJECTS, "`PUBLIC` items fill LINK_OPTIONS.", "`PUBLIC` items fill LINK_DIRECTORIES."),
    (WhyNot.DIFFERENT_SUBJECTS, "Clone it from https://a.example/x.", "Clone it from https://b.example/y."),
    (WhyNot.DIFFERENT_SUBJECTS, "Ticket 2041 was closed after an update.", "Ticket 2077 was closed after a repair."),
    (WhyNot.DIFFERENT_SUBJECTS, "The HX-200 weighs 3 kg.", "The HX-500 weighs 5 kg."),
    (WhyNot.NAME_ONLY, "Marta Lindqvist runs the Delft office.", "Marta Okafor answers tickets in Krakow."),
    (WhyNot.HYPOTHETICAL, "The housing is watertight.", "If the housing cracked, it would leak."),
    (WhyNot.REPORTED, "The outage deleted no data.", "One customer claims that the outage deleted data."),
    (WhyNot.OPINION, "The oven bakes evenly.", "Honestly, the oven bakes unevenly."),
    (WhyNot.TEMPORAL, "The release is planned for May.", "The release came out in July."),
    (WhyNot.TEMPORAL, "The firm used to sit in Turin.", "The firm sits in Genoa."),
    (WhyNot.PARTIAL, "Halden employs 312 people in total.", "Halden employs 84 people in Krakow."),
    (WhyNot.REFINEMENT, "The lab is in southern Germany.", "The lab is in Munich Pasing."),
    (WhyNot.EXCEPTION, "Visitors wear a badge, except fire inspectors.", "Fire inspectors wear no badge."),
    (WhyNot.LIST_VALUED, "The interface supports French.", "The interface supports German."),
    (WhyNot.RESTATEMENT, "The session lasts 1.5 h.", "The session lasts 90 minutes."),
]
CLASHES = [
    ("The default of `timeout` is `30`.", "The default of `timeout` is `60`."),
    ("By default `strict` is `true`.", "By default `strict` is `false`."),
    ("`npm audit` needs a lock file.", "`npm audit` works without a lock file."),
    ("Employees receive 25 days of leave.", "Employees receive 30 days of leave."),
    ("Audit logging is enabled by default.", "Audit logging is disabled by default."),
    ("The sensor head is covered by the warranty.", "The sensor head is not covered by the warranty."),
    ("Requests are approved by the Head of People.", "Requests are approved by the Security Officer."),
]


@pytest.mark.parametrize(("shape", "a", "b"), TABLE)
def test_the_shape_is_seen_in_both_orders(shape, a, b):
    assert shape in shapes(Comparison(pair(a, b)))
    assert shapes(Comparison(pair(a, b))) == shapes(Comparison(pair(b, a)))


@pytest.mark.parametrize(("a", "b"), CLASHES)
def test_a_plain_clash_has_no_shape(a, b):
    assert not shapes(Comparison(pair(a, b)))


def test_rows_of_one_table_are_a_shape_and_rows_of_two_are_not():
    one, two = "| Basic | 10 GB |", "| Pro | 50 GB |"
    assert WhyNot.TABLE_ROWS in shapes(Comparison(pair(one, two, "row", ("a", "a"))))
    assert WhyNot.TABLE_ROWS not in shapes(Comparison(pair(one, two, "row")))


def test_every_shape_is_in_the_table():
    elsewhere = {WhyNot.TABLE_ROWS, WhyNot.OTHER_TOPIC, WhyNot.SIBLINGS}  # tested here, in subjects and in siblings
    assert {shape for shape, _, _ in TABLE} | elsewhere == set(WhyNot)
