"""The two prompts of a request: with the context and without, otherwise alike to the letter.

`chat_prompts` uses the model's own chat template; `plain_prompts` is for base models.  The context is one block of
text in front of the question, behind what was said before, and the prompt without it is the other one with the block
taken out.  Instructions,
where wanted, stand in both; so they must not speak of a context.  Knows nothing of decoding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import DecodingError


@dataclass(frozen=True)
class PromptPair:
    """Both prompts of a request as text and as token ids: ``generate(model, [pair.context_ids], [pair.prior_ids])``."""

    context_text: str
    prior_text: str
    context_ids: list[int]
    prior_ids: list[int]


def chat_prompts(
    tokenizer: Any,
    question: str,
    passages: Sequence[str],
    instructions: str = "",
    history: Sequence[Mapping[str, str]] = (),
) -> PromptPair:
    """Return both prompts in the tokenizer's chat template, open for the answer; instructions are the system message.

    history: what was said before the question, as ``{"role": "user", "content": "Hello."}``.
    Raises DecodingError where the tokenizer has no chat template, where there is no passage, where the template
    changes more than the context, or where it refuses the roles.
    """
    if not tokenizer.chat_template:
        raise DecodingError("the tokenizer has no chat template; use plain_prompts for a base model")
    block = _block(passages)
    said = [{"role": "system", "content": instructions}] if instructions else []
    context_text, prior_text = (
        _templated(tokenizer, [*said, *history, {"role": "user", "content": content}])
        for content in (block + question, question)
    )
    return _pair(tokenizer, context_text, prior_text, block, add_special_tokens=False)


def plain_prompts(tokenizer: Any, question: str, passages: Sequence[str], instructions: str = "") -> PromptPair:
    r"""Return both prompts for a model without a chat template: "[instructions] Context: … Question: … Answer:".

    Raises DecodingError where there is no passage.
    """
    block = _block(passages)
    head = f"{instructions}\n\n" if instructions else ""
    tail = f"Question: {question}\nAnswer:"
    return _pair(tokenizer, head + block + tail, head + tail, block, add_special_tokens=True)


def _templated(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
    from jinja2 import TemplateError  # comes with transformers' chat templates; decoding works without

    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise DecodingError(f"the model's chat template refuses messages of {roles}: {error}") from error


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
        list(tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"]) for text in (context_text, prior_text)
    )
    return PromptPair(context_text, prior_text, *ids)
