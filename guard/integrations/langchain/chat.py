"""A chat model over the local decoder: retrieved passages are checked, then decoded with and without.

Passages are the documents of tool messages (their artifact, or else their text) and those of the argument
``documents``.  Where the verdict leaves open which of them are right, none is boosted (`guard.answer_gate`): trust is 0
then, which is plain decoding with context.  Without passages the model decodes plainly.

A conversation goes through the model's chat template, each turn in its role, and the passages stand in front of the
last question.  A model without a template reads it as a transcript.  Knows nothing about the formulas.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Event as Flag
from typing import Any, NoReturn, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ChatMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field

from decoding import GrowingText, PromptPair, Settings, chat_prompts, plain_prompts, stream
from detectors.errors import ConfigError, InputError
from guard.answer_gate import gate
from guard.integrations.documents import KEY, context_text, note_in
from guard.integrations.errors import NotSupportedError
from guard.integrations.slots import Slots

from .guarded import Guarded, Outcome

DECODINGS_AT_ONCE = 2  # of those awaited, in one event loop
ROLES = {"human": "user", "ai": "assistant", "tool": "user"}  # what a failed tool says is told to the model

_DECODINGS = Slots(DECODINGS_AT_ONCE)


class ChatPassageGuard(Guarded, BaseChatModel):
    """Answers from passages with adaptive contrastive decoding.

    model, tokenizer: a causal language model of transformers in eval mode, and its tokenizer.  Deep copies share both.
    max_tokens: the most tokens to generate.  stop: strings that end an answer, left out of it.
    temperature, top_p, top_k, formula, options: see `decoding.Settings`; seed and trust: `decoding.stream`.
    guard, on_verdict: see `Guarded`; the guard checks the passages of every call.

    All but the first two and the last two are also arguments of ``invoke``, and so is ``documents``, a list of
    `Document`.  The answer's ``response_metadata["passageguard"]`` has the verdict, the pairs of ids in conflict, the
    trust and the number of tokens that the contrast changed.  Tokens of the prompt with context are counted as input.

    Raises `ContextBlockedError` where the policy blocks, `InputError` for messages that are no text or end with no
    question, `ConfigError` for an unknown argument, and `decoding.DecodingError` for what cannot be decoded.
    """

    model: Any = Field(repr=False, exclude=True)
    tokenizer: Any = Field(repr=False, exclude=True)
    max_tokens: int = 256
    stop: list[str] | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    trust: float = 1.0
    formula: str = "adacad"
    options: Mapping[str, float] = Field(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "passageguard"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model_name": self._model_name, **self._settings({})}

    @property
    def _model_name(self) -> str:
        return self.model.config.name_or_path or type(self.model).__name__

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_model_name"] = kwargs.get("model", self._model_name)
        return params

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> NoReturn:
        """Raise `NotSupportedError`: the model reads what tools returned, and calls none."""
        raise NotSupportedError(
            "ChatPassageGuard calls no tools and writes no structured output: it answers from what tools returned. "
            "Let another model call them and pass the messages on, or give it documents=…"
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._chunks(messages, stop, kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        """Decode in a worker thread, which stops at the next token when the caller has gone."""
        gone = Flag()
        try:
            chunks = self._chunks(messages, stop, kwargs, gone.is_set)
            return await _DECODINGS.run(generate_from_stream, chunks)
        finally:
            gone.set()

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages, stop, kwargs):
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        """`_stream`, each piece decoded in a worker thread, so that streams take turns."""
        gone = Flag()
        try:
            chunks = self._chunks(messages, stop, kwargs, gone.is_set)
            while (chunk := await _DECODINGS.run(next, chunks, None)) is not None:
                if run_manager is not None:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            gone.set()

    def _chunks(
        self,
        messages: Sequence[BaseMessage],
        stop: list[str] | None,
        given: Mapping[str, Any],
        is_gone: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatGenerationChunk]:
        """Yield the answer's text as it grows; the last chunk carries usage and metadata."""
        request = _Request.read(messages, given.get("documents", ()))
        settings = self._settings({k: v for k, v in given.items() if k != "documents"})
        stops = (self.stop or []) if stop is None else stop
        answer, flipped = GrowingText(self.tokenizer, stops), 0
        outcome = self.judge(request.documents, request.question)
        self.call_back(outcome)
        trust = gate(outcome.unless_blocked().verdict, None).trust * settings["trust"]
        prompts = self._prompts(request, outcome)
        for event in stream(
            self.model, [prompts.context_ids], [prompts.prior_ids], self._decoding(settings, stops),
            trust=trust, seed=settings["seed"], tokenizer=self.tokenizer, cancelled=lambda _: is_gone(),
        ):  # fmt: skip
            flipped += event.step is not None and event.step.flipped
            if new := answer.grown(event):
                yield ChatGenerationChunk(message=AIMessageChunk(content=new))
        told = {**_verdict(outcome), "trust": trust, "flipped": flipped}
        said = {"model_name": self._model_name, "finish_reason": answer.reason, KEY: told}
        usage = _usage(len(prompts.context_ids), len(answer.token_ids))
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", usage_metadata=usage, response_metadata=said, chunk_position="last")
        )

    def _settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _SETTINGS}
        if unknown := given.keys() - own:
            names = ", ".join(("documents", "stop", *own))
            raise ConfigError(f"unknown argument {min(unknown)!r} of the chat model; known: {names}")
        return {**own, **given}

    def _decoding(self, settings: Mapping[str, Any], stops: Sequence[str]) -> Settings:
        named = {name: settings[name] for name in ("temperature", "top_p", "top_k", "formula", "options")}
        ends = getattr(self.model.generation_config, "eos_token_id", None)
        ends = self.tokenizer.eos_token_id if ends is None else ends
        return Settings(max_new_tokens=settings["max_tokens"], eos_token_id=ends, stop_strings=stops, **named)

    def _prompts(self, request: _Request, outcome: Outcome) -> PromptPair:
        """Return the prompts with the context and without; without passages both are the one without."""
        passages = _passages(outcome)
        given = passages or ["-"]
        make = chat_prompts if self.tokenizer.chat_template else plain_prompts
        made = make(self.tokenizer, request.question, given, request.instructions, request.history)
        return made if passages else PromptPair(made.prior_text, made.prior_text, made.prior_ids, made.prior_ids)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        memo.update({id(shared): shared for shared in (self.model, self.tokenizer)})
        return super().__deepcopy__(memo)


_SETTINGS = ("max_tokens", "temperature", "top_p", "top_k", "seed", "trust", "formula", "options")


@dataclass(frozen=True)
class _Request:
    """What messages ask: the system's instructions, the turns before the question, the question, the passages."""

    instructions: str
    history: list[tuple[str, str]]
    question: str
    documents: list[Document]

    @classmethod
    def read(cls, messages: Sequence[BaseMessage], documents: Sequence[Document]) -> _Request:
        """Read a conversation; what one side says in several messages is one turn."""
        if isinstance(documents, str) or not isinstance(documents, Sequence):
            raise InputError(f"documents must be a list of Document, not {type(documents).__name__}")
        instructions, said, found = list[str](), list[tuple[str, str]](), list(documents)
        for i, message in enumerate(messages):
            if isinstance(message, ToolMessage) and message.status != "error":
                found += _retrieved(message, i)
            elif _role(message) == "system":
                instructions.append(_text(message, i))
            elif (text := _text(message, i).strip()) and not _calls_tools(message):
                said.append((_role(message), f"Tool: {text}" if isinstance(message, ToolMessage) else text))
        turns = [(role, "\n\n".join(text for _, text in turn)) for role, turn in groupby(said, key=lambda s: s[0])]
        if not turns or turns[-1][0] != "user":
            last = f"the last turn is of the role {turns[-1][0]!r}" if turns else "the messages hold no question"
            raise InputError(f"{last}: end with a HumanMessage with text; only results of tools may follow it")
        return cls("\n\n".join(instructions), turns[:-1], turns[-1][1], _once(found))


def _retrieved(message: ToolMessage, number: int) -> list[Document]:
    """Return the documents that a tool returned; its whole text is one where it has no other."""
    artifact = message.artifact
    if isinstance(artifact, list) and artifact and all(isinstance(d, Document) for d in artifact):
        return artifact
    text = _text(message, number)
    return [Document(text, id=message.tool_call_id or None)] if text.strip() else []


def _role(message: BaseMessage) -> str:
    return message.role if isinstance(message, ChatMessage) else ROLES.get(message.type, message.type)


def _calls_tools(message: BaseMessage) -> bool:
    """Whether a message is a step towards passages, and no turn: its text, if any, announces the call."""
    return isinstance(message, AIMessage) and bool(message.tool_calls or message.invalid_tool_calls)


def _once(documents: Iterable[Document]) -> list[Document]:
    """Return documents with text, those that several tool calls found only once."""
    kept: dict[tuple[str | None, str], Document] = {}
    for i, document in enumerate(documents):
        if not isinstance(document, Document):
            raise InputError(f"documents[{i}] must be a Document, not {type(document).__name__}")
        if document.page_content.strip():
            kept.setdefault((document.id, document.page_content), document)
    return list(kept.values())


def _text(message: BaseMessage, number: int) -> str:
    """Return a message's text.  Raises `InputError` for pictures and the like; a model's own other blocks are left."""
    if not isinstance(message.content, str) and not isinstance(message, AIMessage):
        for block in message.content:
            if isinstance(block, dict) and block.get("type") != "text":
                raise InputError(f"messages[{number}] has content of type {block.get('type')!r}; only text can be read")
    return str(message.text)


def _passages(outcome: Outcome) -> list[str]:
    """Return the texts, and where one has a note, each under its id below the notice."""
    documents = outcome.documents
    if not any(note_in(d.metadata) for d in documents):
        return [d.page_content for d in documents]
    return [context_text(((d.id or "", d.page_content, note_in(d.metadata)) for d in documents), outcome.notice)]


def _usage(input_tokens: int, output_tokens: int) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=input_tokens + output_tokens
    )


def _verdict(outcome: Outcome) -> dict[str, Any]:
    verdict = outcome.verdict
    if verdict is None:
        return {}
    pairs = [[c.a.passage_id, c.b.passage_id] for c in verdict.conflicts]
    return {"verdict": verdict.status.value, "conflicts": pairs}
