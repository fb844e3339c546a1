"""Which passage a token came from: contexts that each lack one passage, decoded along in the same forward passes.

Give the prompts of `without_each` to `generate`, `stream` or `Engine.submit` as `without_ids`; each costs a row.
A step's `attribution` then has one number a passage, log p(token) − log p(token without the passage) in nats: above 0
the passage spoke for the token, below 0 against it.  Passages that say the same stand in for each other, so that
leaving out either changes little; the numbers therefore do not add up to what the whole context did.

Leaving out one input and comparing is occlusion (Zeiler and Fergus, arXiv 1311.2901, section 2).  Knows nothing of how
tokens are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .prompts import PromptPair, chat_prompts


def without_each(
    tokenizer: Any,
    question: str,
    passages: Sequence[str],
    instructions: str = "",
    *,
    prompts: Callable[..., PromptPair] = chat_prompts,
) -> list[list[int]]:
    """Return, for each passage, the token ids of the prompt that lacks it, otherwise as `prompts` makes it.

    Without the only passage that is the prompt without context.  Raises DecodingError as `prompts` does.
    """
    whole = prompts(tokenizer, question, passages, instructions)
    rest = [[*passages[:place], *passages[place + 1 :]] for place in range(len(passages))]
    return [
        prompts(tokenizer, question, others, instructions).context_ids
        if any(passage.strip() for passage in others)
        else whole.prior_ids
        for others in rest
    ]
