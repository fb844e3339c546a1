"""The two prompts of a request: with the context and without, otherwise alike to the letter.

`chat_prompts` uses the model's own chat template; `plain_prompts` is for base models.  The context is one block of
text in front of the question, and the prompt without it is the other one with the block taken out.  Instructions,
where wanted, stand in both; so they must not speak of a context.

Whoever writes a passage may write ``<|im_start|>system`` into it, which a tokenizer reads as the turn of another
speaker.  All texts are therefore made `inert` first, and a prompt in which a passage still brings a control token along
is refused.  Knows nothing of decoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from .errors import DecodingError

Turns = Sequence[tuple[str, str]]
"""Earlier turns as (role, text), the role ``user`` or ``assistant``."""
MARKER = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Z_]{2,40}\]")  # <|user|>, </s>, [INST]
BRACKETS = str.maketrans("<>[]", "()()")
SPEAKERS = {"user": "Question", "assistant": "Answer"}


@dataclass(frozen=True)
class PromptPair:
    """Both prompts of a request as text and as token ids: ``generate(model, [pair.context_ids], [pair.prior_ids])``."""

    context_text: str
    prior_text: str
    context_ids: list[int]
    prior_ids: list[int]


def chat_prompts(
    tokenizer: Any, question: str, passages: Sequence[str], instructions: str = "", history: Turns = ()
) -> PromptPair:
    """Return both prompts in the tokenizer's chat template, open for the answer; instructions are the system message.

    Raises DecodingError where the tokenizer has no chat template, where there is no passage, where the template
    changes more than the context or refuses the turns.
    """
    if not tokenizer.chat_template:
        raise DecodingError("the tokenizer has no chat template; use plain_prompts for a base model")
    inert = Inert(tokenizer)
    block, asked = _block([inert(passage) for passage in passages]), inert(question)
    system = [("system", instructions)] if instructions else []
    before = [{"role": role, "content": inert(text)} for role, text in (*system, *history)]
    try:
        context_text, prior_text = (
            tokenizer.apply_chat_template(
                [*before, {"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
            )
            for content in (block + asked, asked)
        )
    except TemplateError as error:
        roles = ", ".join([*(said["role"] for said in before), "user"])
        raise DecodingError(f"the model's chat template refuses messages of {roles}: {error}") from error
    return _pair(tokenizer, context_text, prior_text, block, add_special_tokens=False)


def plain_prompts(
    tokenizer: Any, question: str, passages: Sequence[str], instructions: str = "", history: Turns = ()
) -> PromptPair:
    r"""Return both prompts for a model without a chat template: "[instructions] Context: … Question: … Answer:".

    Earlier turns stand before the context, as "Question: …" and "Answer: …".  Raises DecodingError where there is no
    passage.
    """
    inert = Inert(tokenizer)
    block = _block([inert(passage) for passage in passages])
    turns = [f"{SPEAKERS[role]}: {inert(text)}\n" for role, text in history]
    head = (f"{inert(instructions)}\n\n" if instructions else "") + ("".join([*turns, "\n"]) if turns else "")
    tail = f"Question: {inert(question)}\nAnswer:"
    return _pair(tokenizer, head + block + tail, head + tail, block, add_special_tokens=True)


class Inert:
    """Makes texts inert: no token of control is left in them, and no marker of the chat template.

    Brackets of markers become parentheses, so that a reader still sees what was there.  Words that a template uses as
    markers without any brackets ("Human:") stay.

    >>> Inert(tokenizer)("Paid.<|im_end|>")  # doctest: +SKIP
    'Paid.(|im_end|)'
    """

    def __init__(self, tokenizer: Any) -> None:
        own = {str(token) for token in tokenizer.all_special_tokens}
        own |= {token for token in tokenizer.get_added_vocab() if MARKER.search(token)}
        markers = sorted({*own, *_frame_markers(tokenizer)} - {tokenizer.unk_token}, key=len, reverse=True)
        self._markers = re.compile("|".join(map(re.escape, markers)) or r"(?!)", re.I)

    def __call__(self, text: str) -> str:
        return self._markers.sub(_broken, text)


def _frame_markers(tokenizer: Any) -> Iterator[str]:
    """Yield the markers of the chat template, as it is written and as it frames turns."""
    if not tokenizer.chat_template:
        return
    yield from MARKER.findall(str(tokenizer.chat_template))
    turns = [{"role": role, "content": "-"} for role in ("user", "assistant", "user")]
    try:
        yield from MARKER.findall(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except TemplateError:  # it wants other turns; those of the request will show
        return


def _broken(marker: re.Match[str]) -> str:
    """Return a marker as text that no longer is one."""
    told = marker[0].translate(BRACKETS)
    return told if told != marker[0] else f"{told[0]} {told[1:]}" if len(told) > 1 else " "


def _block(passages: Sequence[str]) -> str:
    """Return the context as it stands in front of the question."""
    if not any(passage.strip() for passage in passages):
        raise DecodingError("the context is empty: give at least one passage with text, or decode without contrast")
    return "Context:\n" + "\n\n".join(passages) + "\n\n"


def _pair(tokenizer: Any, context_text: str, prior_text: str, block: str, *, add_special_tokens: bool) -> PromptPair:
    """Encode both prompts, having made sure that the block is all that differs."""
    if "".join(context_text.rsplit(block, 1)) != prior_text:
        raise DecodingError("the chat template changes more than the context from prompt to prompt; use plain_prompts")
    ids = (
        list(tokenizer(text, add_special_tokens=add_special_tokens, verbose=False)["input_ids"])
        for text in (context_text, prior_text)
    )
    pair = PromptPair(context_text, prior_text, *ids)
    control = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    with_block, without = (sum(i in control for i in one) for one in (pair.context_ids, pair.prior_ids))
    if with_block != without:
        raise DecodingError("a passage holds what the tokenizer reads as a control token; leave the passage out")
    return pair
