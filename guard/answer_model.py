"""A causal language model with its tokenizer: loaded by path or name, asked with and without passages.

Any causal model of transformers; encoder-decoder models are refused.  A model with a chat template gets
`decoding.chat_prompts`, another one `decoding.plain_prompts`, and stops at the end of its line.  What `decoding`
refuses comes back as `ModelError`, so that one kind of error leaves the guard.  Knows nothing about verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detectors.errors import ModelError
from detectors.sources import from_source, require_device

if TYPE_CHECKING:
    from decoding import Generation, PromptPair

WHAT = "language model"
Prompts = tuple[Sequence[int], Sequence[int]]
"""Token ids with the context and without."""


@dataclass(frozen=True)
class LanguageModel:
    """A loaded model; `load` makes one.  ``name`` is what it was loaded by."""

    model: Any
    tokenizer: Any
    name: str

    @classmethod
    def load(cls, name: str, device: str | None = None) -> LanguageModel:
        """Load a model by path or hub name, in the precision of its file (float32 on a CPU).  Raises `ModelError`."""
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        require_device(chosen)

        def open_model(source: str, local: bool) -> LanguageModel:
            if AutoConfig.from_pretrained(source, local_files_only=local).is_encoder_decoder:
                raise ModelError(
                    f"{name!r} is an encoder-decoder model, which cannot be asked with and without context in one "
                    "batch; give a causal language model, such as Llama, Qwen, Mistral or GPT-2"
                )
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
            dtype = torch.float32 if chosen == "cpu" else "auto"
            model = AutoModelForCausalLM.from_pretrained(source, local_files_only=local, dtype=dtype)
            return cls(model.to(chosen).eval(), tokenizer, name)

        return from_source(name, WHAT, open_model)

    @property
    def chats(self) -> bool:
        """Whether the model has a chat template."""
        return bool(self.tokenizer.chat_template)

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end an answer: the end of its line, where the model has no chat template."""
        return () if self.chats else ("\n",)

    def prompts(
        self, question: str, passages: Sequence[str], instructions: str = "", history: Sequence[tuple[str, str]] = ()
    ) -> PromptPair:
        """Return both prompts; ``passages`` must hold text.  ``history`` holds earlier turns.  Raises `ModelError`."""
        from decoding import chat_prompts, plain_prompts

        with _as_model_error(self.name):
            make = chat_prompts if self.chats else plain_prompts
            return make(self.tokenizer, question, passages, instructions, history)

    def prior(self, question: str, instructions: str = "", history: Sequence[tuple[str, str]] = ()) -> list[int]:
        """Return the prompt without passages, as token ids."""
        return self.prompts(question, ["(any)"], instructions, history).prior_ids

    def without_each(self, question: str, passages: Sequence[str], instructions: str = "") -> list[list[int]]:
        """Return, for each passage, the prompt that lacks it, as token ids.  Raises `ModelError`."""
        from decoding import chat_prompts, plain_prompts, without_each

        with _as_model_error(self.name):
            make = chat_prompts if self.chats else plain_prompts
            return without_each(self.tokenizer, question, passages, instructions, prompts=make) if passages else []

    def decode(self, prompts: Sequence[Prompts], **settings: Any) -> list[Generation]:
        """Decode one answer for each pair of prompts; settings as for `decoding.generate`.  Raises `ModelError`."""
        from decoding import generate

        settings.setdefault("stop_strings", self.stops)
        with _as_model_error(self.name):
            return generate(
                self.model, [list(c) for c, _ in prompts], [list(r) for _, r in prompts],
                tokenizer=self.tokenizer, eos_token_id=self.end_tokens, **settings,
            )  # fmt: skip

    def text(self, answer: Generation) -> str:
        """Return the answer's text."""
        return (answer.text or "").strip()

    def pieces(self, token_ids: Sequence[int]) -> list[str]:
        """Return each token as text, with the space that it brings along."""
        return [str(self.tokenizer.decode([token_id])) for token_id in token_ids]

    @property
    def end_tokens(self) -> list[int]:
        """The tokens that end an answer: the tokenizer's, and those of the model's own configuration."""
        own = getattr(self.model.generation_config, "eos_token_id", None)
        ends = [self.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
        return list(dict.fromkeys(end for end in ends if end is not None))


@contextmanager
def _as_model_error(name: str) -> Iterator[None]:
    """Turn what decoding refuses, a full GPU among it, into `ModelError`."""
    from decoding import DecodingError

    try:
        yield
    except DecodingError as error:
        raise ModelError(f"{WHAT} {name!r}: {error}") from error
