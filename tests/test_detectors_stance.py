"""What passages answer to a yes/no question, read by a scorer that says what the test wants."""

import numpy as np
import pytest

from detectors.calibration import Calibration
from detectors.evidence import Passage
from detectors.nli import CONTRADICTION, ENTAILMENT, NEUTRAL
from detectors.protocols import Material
from detectors.segment import segment
from detectors.stance import Stance, answers

QUESTION = "Does the cover include theft?"
YES, NO = "Theft is part of the cover.", "The cover leaves out theft."
ASIDES = ["Bikes are popular.", "Roads are wide.", "Shops open early.", "Trains run late."]


class Reader:
    """Yes or no where a text of at most ``span`` sentences says so; neutral, as long arguments are read, otherwise."""

    def __init__(self, span):
        self.span, self.read = span, []

    def score(self, pairs):
        rows = np.zeros((len(pairs), 3), dtype=np.float32)
        for row, (text, question) in zip(rows, pairs, strict=True):
            assert question == QUESTION
            self.read.append(text)
            is_short = text.count(".") <= self.span
            said = ENTAILMENT if is_short and YES in text else CONTRADICTION if is_short and NO in text else NEUTRAL
            row[said] = 1.0
        return rows


def passage(id, *sentences):
    return Passage(id, " ".join(sentences))


def answered(reader, *passages):
    return answers(passages, QUESTION, [s for p in passages for s in segment(p)], reader)


@pytest.mark.parametrize("at", range(5))
def test_the_clearest_part_of_a_long_argument_counts_as_much_as_the_whole(at):
    long = passage("long", *ASIDES[:at], YES, *ASIDES[at:])
    (found,) = answered(Reader(span=3), long)
    assert (found.yes, found.no) == (0.5, 0.0)
    assert YES in [s.text for s in found.sentences]


def test_windows_cover_every_sentence_and_hold_three():
    long, reader = passage("long", *ASIDES, YES), Reader(span=3)
    answered(reader, long)
    whole, *windows = reader.read
    assert whole == long.text
    assert [w.count(".") for w in windows] == [3, 3]
    assert all(any(s in w for w in windows) for s in (*ASIDES, YES))


def test_a_short_passage_is_read_as_it_stands():
    reader = Reader(span=3)
    assert [(a.yes, a.no) for a in answered(reader, passage("a", YES), passage("b", NO))] == [(1.0, 0.0), (0.0, 1.0)]
    assert set(reader.read) == {YES, NO}


def test_the_quotes_are_the_sentences_that_speak_of_the_question():
    a, b = passage("a", *ASIDES[:3], YES, ASIDES[3], "Claims take a week."), passage("b", ASIDES[0], NO)
    sentences = [s for p in (a, b) for s in segment(p)]
    calibration = Calibration(np.zeros(0), 0.0, 0.5, (1.0, 0.0), {})
    material = Material([a, b], QUESTION, sentences, [], Reader(span=3), calibration, lambda pairs: [])
    (found,) = Stance().find(material)
    assert (found.pair.a.text, found.pair.b.text) == (YES, NO)
    assert found.score == pytest.approx(0.5)  # 0.5 for yes times 1 for no, on a line of slope 1 through 0
    assert found.detectors == ("stance",)


@pytest.mark.parametrize("question", [None, "When does it end?", "Is it theft or loss?"])
def test_other_questions_are_not_answered(question):
    calibration = Calibration(np.zeros(0), 0.0, 0.5, (1.0, 0.0), {})
    pair = [passage("a", YES), passage("b", NO)]
    sentences = [s for p in pair for s in segment(p)]
    assert not [*Stance().find(Material(pair, question, sentences, [], Reader(3), calibration, lambda pairs: []))]
