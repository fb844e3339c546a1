"""Text that is handed out is never taken back, whatever the pieces in which tokens bring it."""

from hypothesis import given
from hypothesis import strategies as st

from decoding import Event, Finish, GrowingText, Step


class Bytes:
    """A tokenizer with one token a byte, so that characters come in pieces."""

    def decode(self, token_ids, skip_special_tokens):
        return bytes(token_ids).decode(errors="replace")


def event(byte, finish=None):
    return Event(0, Step(byte, 0.0, 0.0, 0.0, 0.0, 0, 0, False), finish)


def pieces(text, stops=(), reason=Finish.LENGTH):
    growing, data = GrowingText(Bytes(), stops), text.encode()
    told = [growing.grown(event(byte, reason if at == len(data) else None)) for at, byte in enumerate(data, 1)]
    return told, growing


def test_a_character_comes_once_it_is_whole():
    told, growing = pieces("aé€!")
    assert told == ["a", "", "é", "", "", "€", "!"] and growing.text == "aé€!" and growing.reason == "length"


def test_a_begun_stop_string_is_held_back_and_never_shown():
    assert pieces("say STOP", ["STOP"], Finish.STOP)[0] == ["s", "a", "y", " ", "", "", "", ""]
    told, growing = pieces("STAY", ["STOP"])
    assert told == ["", "", "STA", "Y"] and growing.text == "STAY"
    assert pieces("ST", ["STOP"], Finish.EOS)[0] == ["", "ST"]  # the end shows what was held back


def test_an_answer_that_was_cancelled_keeps_what_it_has():
    growing = GrowingText(Bytes())
    assert growing.grown(event(ord("a"))) == "a"
    assert growing.grown(Event(0, None, Finish.CANCELLED)) == "" and growing.reason == "cancelled"
    assert growing.token_ids == [ord("a")]


@given(st.text(alphabet="ab€", max_size=12), st.lists(st.text(alphabet="ab€", min_size=1, max_size=3), max_size=3))
def test_pieces_add_up_to_the_text_before_the_first_stop_string(text, stops):
    cut = min((text.split(stop, 1)[0] for stop in stops), key=len, default=text)
    told, growing = pieces(text, stops)
    assert "".join(told) == growing.text == (cut if text else "")
