"""What a sentence speaks of, and when two sentences speak of different things."""

import pytest

from detectors.comparison import Comparison
from detectors.evidence import Passage, SentencePair, WhyNot
from detectors.scope import shapes
from detectors.segment import segment
from detectors.subjects import opening_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Morland Prize is awarded by the city.", "morland prize"),
        ("Tiraqui Chico is a stratovolcano.", "tiraqui chico"),
        ("Vantor is an open-source web server.", "vantor"),
        ("Harlan Voss (born 3 May 1978) is a Canadian executive.", "harlan voss"),
        ("Nervane Retard 40 tablets contain forty milligrams.", "nervane retard 40"),
        ("The Bank of Westmarch opens at nine.", "bank westmarch"),
        ("Existing notebooks are left as they are.", ""),
        ("Templates are supported.", ""),
        ("It has no heating.", ""),
        ("In June Harlan Voss left.", ""),
        ("Last March was cold.", ""),
        ("Nobody was hurt.", ""),
        ("Again, Harlan Voss left.", ""),
        ("", ""),
    ],
)
def test_the_name_that_a_sentence_opens_with(text, name):
    assert opening_name(text) == frozenset(name.split())


def test_a_sentence_without_a_name_goes_on_with_the_last_one_and_a_reference_entry_with_its_heading():
    text = (
        "Velmar Park is a stadium. It has no heating. Ossett Lane opened later. The pitch is heated.\n\n"
        "# `fs.open()`\n\nThe default is 5.\n\n# `fs.close()`\n\nThe default is 6."
    )
    found = [(sorted(s.subject), s.names_subject) for s in segment(Passage("p", text)) if s.kind == "prose"]
    assert found == [
        (["park", "velmar"], True),
        (["park", "velmar"], False),
        (["lane", "ossett"], True),
        (["lane", "ossett"], False),
        (["fs.open()"], False),
        (["fs.close()"], False),
    ]


@pytest.mark.parametrize(
    ("a", "b", "differ"),
    [
        ("Velmar Park is a stadium. The pitch is heated.", "Ossett Lane is a stadium. The pitch has no heating.", True),
        ("Velmar Park is a stadium. The pitch is heated.", "Velmar Park is old. The pitch has no heating.", False),
        ("Velmar Park is a stadium. The pitch is heated.", "There is a stadium. The pitch has no heating.", False),
        ("Ada Voss is a chemist. She was born in 1951.", "Voss is a chemist. She was born in 1961.", False),
        ("Rain fell. Tiraqui Chico is 4,975 metres high.", "Rain fell. Tiraqui Grande is 5,612 metres high.", True),
        ("Rain fell. Ada Voss won the cup in 1998.", "Rain fell. Bo Lind won the cup in 1998.", False),
        ("The Rovers are a club. They won the 1998 cup.", "It rained. Bo Lind beat the Rovers in 1998.", False),
    ],
)
def test_sentences_on_different_things_are_an_other_topic(a, b, differ):
    left, right = segment(Passage("a", a))[-1], segment(Passage("b", b))[-1]
    for pair in (SentencePair(left, right), SentencePair(right, left)):
        assert (WhyNot.OTHER_TOPIC in shapes(Comparison(pair))) is differ
