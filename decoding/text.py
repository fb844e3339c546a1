"""An answer's text as it grows, token by token: what is handed out is never taken back.

A token may end in the middle of a character, and a stop string may come in pieces; both are held back until more is
known.  Knows nothing of how tokens are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .trace import Event, Finish


class GrowingText:
    """The text of one answer.  ``stops`` end it and are left out of it.

    token_ids: its tokens so far.  text: what was handed out.  reason: why it ended, ``stop``, ``length`` or
    ``cancelled``; empty until then.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str] = ()) -> None:
        self._tokenizer, self._stops = tokenizer, stops
        self.token_ids: list[int] = []
        self.text = ""
        self.reason = ""

    def grown(self, event: Event) -> str:
        """Take in one event of the decoder and return the text that is new and sure to stay."""
        if event.step is not None:
            self.token_ids.append(event.step.token_id)
        if event.finish is not None:
            self.reason = "stop" if event.finish in (Finish.EOS, Finish.STOP) else event.finish.value
        text = str(self._tokenizer.decode(self.token_ids, skip_special_tokens=True))
        shown = _settled(text, self._stops, is_final=event.finish is not None)
        new, self.text = shown[len(self.text) :], max(shown, self.text, key=len)
        return new


def _settled(text: str, stops: Sequence[str], *, is_final: bool) -> str:
    """Return what of an answer's text no later token can take back: no begun character, no begun stop string."""
    text = min((text.split(stop, 1)[0] for stop in stops), key=len, default=text)
    if is_final:
        return text
    text = text.rstrip("\ufffd")
    begun = (n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n]))
    return text[: len(text) - max(begun, default=0)]
