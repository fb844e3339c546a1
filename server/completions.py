"""OpenAI's chat completions as a wire format: what a request asks of a decoder, and what an answer looks like.

What the local decoder cannot do (tools, JSON schemas, log-probabilities) is refused by name, never ignored.  Knows
nothing about models.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .errors import Refusal
from .extractors import FIELD
from .schemas import json_bytes, parsed

MAX_CHOICES, MAX_STOPS = 8, 16
DONE = b"data: [DONE]\n\n"
Shown = Mapping[str, Any]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class StreamOptions(BaseModel):
    """How a stream should end."""

    include_usage: bool | None = None


class Asked(BaseModel):
    """The settings of a chat request, as far as they are read here."""

    model_config = ConfigDict(extra="ignore", strict=True)

    model: str
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    stop: Annotated[
        list[Annotated[str, Field(min_length=1)]] | None, Field(max_length=MAX_STOPS), BeforeValidator(_listed)
    ] = None
    seed: int | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens to generate, where the request says so."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def sampling(self) -> dict[str, Any]:
        """What `decoding.Settings` takes; what is not given is greedy."""
        return {
            "temperature": self.temperature or 0.0, "top_p": self.top_p or 1.0,
            "presence_penalty": self.presence_penalty or 0.0, "frequency_penalty": self.frequency_penalty or 0.0,
        }  # fmt: skip

    @property
    def seeds(self) -> list[int]:
        """One for each choice."""
        first = secrets.randbelow(2**31) if self.seed is None else self.seed
        return [first + i for i in range(self.n or 1)]

    @property
    def shows_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


def asked(chat: Mapping[str, Any]) -> Asked:
    """Return the settings of a request.  Raises `Refusal` naming the field that is wrong or cannot be served."""
    plain = {"type": "text"}
    refused = {
        "tools": chat.get("tools") and chat.get("tool_choice") != "none",
        "functions": chat.get("functions") and chat.get("function_call") != "none",
        "response_format": chat.get("response_format") not in (None, plain),
        "logprobs": chat.get("logprobs"),
        "logit_bias": chat.get("logit_bias"),
    }
    for name, is_asked in refused.items():
        if is_asked:
            raise Refusal(400, "unsupported_parameter", f"{name}: the local model cannot do this", param=name)
    return parsed(Asked, chat)


@dataclass(slots=True)
class Reply:
    """The frame of one answer, in pieces or as a whole.  ``shown`` is our own field, where asked for."""

    asked: Asked
    shown: Shown | None
    prompt_tokens: int
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, choices: Sequence[tuple[str, str]], completion_tokens: int, told: Shown | None) -> bytes:
        """Return the JSON body: a (text, reason) for each choice."""
        made = [
            {"index": i, "message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": None,
             "finish_reason": reason}
            for i, (text, reason) in enumerate(choices)
        ]  # fmt: skip
        own = {FIELD: {**(self.shown or {}), **(told or {})}} if self.shown is not None or told is not None else {}
        return json_bytes({**self._head(""), "choices": made, "usage": self._usage(completion_tokens), **own})

    def opening(self, index: int) -> bytes:
        """Return the first event of a choice; our field stands in the first of all."""
        own = {FIELD: self.shown} if self.shown is not None and index == 0 else {}
        return self._event(index, {"role": "assistant", "content": ""}, None, own)

    def piece(self, index: int, text: str) -> bytes:
        return self._event(index, {"content": text}, None, {})

    def end(self, index: int, reason: str, told: Shown | None) -> bytes:
        """Return the last event of a choice, with its trace where asked for."""
        return self._event(index, {}, reason, {} if told is None else {FIELD: told})

    def closing(self, completion_tokens: int) -> bytes:
        """Return what ends the stream: the usage where it was asked for, and the mark."""
        if not self.asked.shows_usage:
            return DONE
        last = {**self._head(".chunk"), "choices": [], "usage": self._usage(completion_tokens)}
        return b"data: " + json_bytes(last) + b"\n\n" + DONE

    def _event(self, index: int, delta: Mapping[str, Any], reason: str | None, own: Mapping[str, Any]) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self.asked.shows_usage else {}
        return b"data: " + json_bytes({**self._head(".chunk"), "choices": [choice], **usage, **own}) + b"\n\n"

    def _head(self, suffix: str) -> dict[str, Any]:
        return {
            "id": self.id, "object": f"chat.completion{suffix}", "created": self.created, "model": self.asked.model,
        }  # fmt: skip

    def _usage(self, completion_tokens: int) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens, "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
        }  # fmt: skip
