"""The chat model over the decoder, on a seeded random model of two layers and a tokenizer of a few words.

What it says must be what `decoding.generate` says for the same prompts.
"""

import asyncio
import copy
import functools
import pickle
import threading

import pytest
import torch
from integrating import SameForAll, guard_for
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from random_models import llama
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from decoding import DecodingError, chat_prompts, generate, plain_prompts
from guard import Action, ConfigError, Guard, InputError
from guard.integrations.langchain import KEY, ChatPassageGuard, ContextBlockedError, PassageGuardCompressor

QUESTION = "How many days of annual leave?"
EOS = 2
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer(template=None):
    """One token a printable character; "^" opens a text and "~" ends it."""
    vocab = {"~": EOS, "?": 1, "\n": 0, "^": 3}
    vocab |= {c: i for i, c in enumerate((chr(n) for n in range(32, 126) if chr(n) not in "?^"), start=4)}
    core = Tokenizer(models.WordLevel(vocab, unk_token="?"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    core.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="^", eos_token="~")
    made.chat_template = template
    return made


def model():
    """Its answers are long, and the contrast changes some tokens."""
    return llama(100, 2048, seed=13, num_key_value_heads=4, eos_token_id=EOS, bos_token_id=3)


def chat(template=None, action=Action.ANNOTATE, **settings):
    given = {"model": model(), "tokenizer": tokenizer(template), "guard": guard_for(action), "max_tokens": 24}
    return ChatPassageGuard(**{**given, **settings})


def leave(days, id):
    return Document(f"Employees receive {days} days of annual leave.", id=id)


def decoded(passages, question=QUESTION, instructions="", template=None, **settings):
    make = chat_prompts if template else plain_prompts
    pair = make(tokenizer(template), question, passages, instructions)
    wanted = {"max_new_tokens": 24, "eos_token_id": EOS, "tokenizer": tokenizer(), **settings}
    return generate(model(), [pair.context_ids], [pair.prior_ids], **wanted)[0]


A, B = leave(25, "a"), leave(30, "b")
PORTAL = Document("Leave is booked in the portal.", id="portal")


# ---------------------------------------------------------------- what is decoded


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_the_answer_is_that_of_the_decoder(template):
    messages = [SystemMessage("Answer in one word."), HumanMessage(QUESTION)]
    expected = decoded([A.page_content], instructions="Answer in one word.", template=template)
    message = chat(template).invoke(messages, documents=[A])
    assert message.content == expected.text and expected.text
    flipped = sum(step.flipped for step in expected.trace)
    assert message.response_metadata[KEY] == {"verdict": "clean", "conflicts": [], "trust": 1.0, "flipped": flipped}
    assert message.content != chat(template).invoke(messages).content


def test_settings_are_those_of_the_decoder_when_built_and_when_called():
    for settings in (
        {"temperature": 1.5, "seed": 7}, {"temperature": 1.0, "top_k": 5, "top_p": 0.9, "seed": 1}, {"trust": 0.0},
        {"formula": "cad", "options": {"alpha": 2.0}}, {"formula": "greedy"}, {"max_tokens": 5},
    ):  # fmt: skip
        wanted = {**settings, "max_new_tokens": settings.get("max_tokens", 24)}
        wanted.pop("max_tokens", None)
        expected = decoded([A.page_content], **wanted).text
        assert chat(**settings).invoke(QUESTION, documents=[A]).content == expected
        assert chat().invoke(QUESTION, documents=[A], **settings).content == expected
    assert len({chat(temperature=1.5, seed=n).invoke(QUESTION, documents=[A]).content for n in range(4)}) == 4


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_without_passages_it_decodes_plainly(template):
    made = chat(template)
    (turn,) = [{"role": "user", "content": QUESTION}]
    text = f"Question: {QUESTION}\nAnswer:"
    if template:
        text = tokenizer(template).apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
    ids = tokenizer()(text, add_special_tokens=not template)["input_ids"]
    out = model().generate(
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), do_sample=False, max_new_tokens=24, pad_token_id=0
    )
    expected = tokenizer().decode(out[0, len(ids) :], skip_special_tokens=True)
    for message in (made.invoke(QUESTION), made.invoke(QUESTION, documents=[Document("")])):
        assert message.content == expected and message.response_metadata[KEY]["flipped"] == 0


def test_tool_messages_are_passages():
    call = AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1", "type": "tool_call"}])
    expected = decoded([A.page_content, "Leave is booked in the portal."]).text
    portal = Document("Leave is booked in the portal.")
    by_artifact = ToolMessage("two documents", artifact=[A, portal], tool_call_id="1")
    by_text = [ToolMessage(d.page_content, tool_call_id=f"call-{i}") for i, d in enumerate([A, portal])]
    for tools in ([by_artifact], by_text):
        assert chat().invoke([HumanMessage(QUESTION), call, *tools]).content == expected
    mixed = chat().invoke([HumanMessage(QUESTION), call, by_text[0]], documents=[portal])
    assert mixed.content == decoded(["Leave is booked in the portal.", A.page_content]).text


CALL = AIMessage("Let me look.", tool_calls=[{"name": "search", "args": {}, "id": "1", "type": "tool_call"}])


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_an_agents_steps_are_no_turns_and_what_several_calls_found_is_read_once(template):
    found = [ToolMessage("…", artifact=documents, tool_call_id="1") for documents in ([A, PORTAL], [PORTAL, A])]
    message = chat(template).invoke([HumanMessage(QUESTION), CALL, found[0], CALL, found[1]])
    assert message.content == decoded([A.page_content, PORTAL.page_content], template=template).text


def test_a_failed_tool_call_is_told_and_no_passage():
    failed = ToolMessage("The index is down.", status="error", tool_call_id="1")
    question = f"{QUESTION}\n\nTool: The index is down."
    message = chat().invoke([HumanMessage(QUESTION), CALL, failed], documents=[A])
    assert message.content == decoded([A.page_content], question).text


EARLIER = [
    SystemMessage("Be brief."), HumanMessage("Hi."), HumanMessage("Are you there?"), AIMessage("Yes."),
    ChatMessage("Ask me.", role="assistant"), HumanMessage([{"type": "text", "text": QUESTION}]),
]  # fmt: skip


def test_a_conversation_keeps_its_roles_in_the_models_template():
    """The prompt is written here by hand; the passage stands in front of the last question alone."""
    before = "<|system|>Be brief.<|end|><|user|>Hi.\n\nAre you there?<|end|><|assistant|>Yes.\n\nAsk me.<|end|><|user|>"
    after = f"{QUESTION}<|end|><|assistant|>"
    context, prior = f"{before}Context:\n{A.page_content}\n\n{after}", before + after
    ids = [tokenizer()(text, add_special_tokens=False)["input_ids"] for text in (context, prior)]
    expected = generate(model(), ids[:1], ids[1:], max_new_tokens=24, eos_token_id=EOS, tokenizer=tokenizer())[0]
    made = chat(TEMPLATE)
    message = made.invoke(EARLIER, documents=[A])
    spoken = [ChatMessage("Be brief.", role="system"), *EARLIER[1:]]
    assert made.invoke(spoken, documents=[A]).content == message.content
    assert message.content == expected.text and message.usage_metadata["input_tokens"] == len(ids[0])
    assert message.content != chat(TEMPLATE).invoke(QUESTION, documents=[A]).content


def test_a_conversation_is_a_transcript_for_a_model_without_a_template():
    before = "Be brief.\n\nQuestion: Hi.\n\nAre you there?\nAnswer: Yes.\n\nAsk me.\n\n"
    after = f"Question: {QUESTION}\nAnswer:"
    context, prior = f"{before}Context:\n{A.page_content}\n\n{after}", before + after
    ids = [tokenizer()(text)["input_ids"] for text in (context, prior)]
    expected = generate(model(), ids[:1], ids[1:], max_new_tokens=24, eos_token_id=EOS, tokenizer=tokenizer())[0]
    message = chat().invoke(EARLIER, documents=[A])
    assert message.content == expected.text and message.usage_metadata["input_tokens"] == len(ids[0])


def test_a_template_that_refuses_the_roles_is_an_error_that_says_so():
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}" + TEMPLATE
    assert chat(strict).invoke(EARLIER[1:], documents=[A]).content
    with pytest.raises(DecodingError, match="template refuses messages of system, user, assistant, user: No system"):
        chat(strict).invoke(EARLIER, documents=[A])


def test_the_guard_is_asked_the_last_question():
    asked = []

    class Asked(Guard):
        def check(self, passages, question=None, progress=None):
            asked.append(question)
            return super().check(passages, question, progress)

    made = chat(guard=Asked(guard_for().config, encoder=SameForAll()))
    made.invoke(EARLIER, documents=[A])
    assert asked == [QUESTION]


@tool
def weather(place: str) -> str:
    """Says what the weather is."""
    return "sunny"


def test_tools_and_structured_output_are_refused_by_an_error_that_frameworks_know():
    for ask in (lambda: chat().bind_tools([weather]), lambda: chat().with_structured_output({"title": "x"})):
        with pytest.raises(NotImplementedError, match=r"calls no tools and writes no structured output.*documents="):
            ask()
        with pytest.raises(ConfigError):
            ask()


# ---------------------------------------------------------------- what is checked


def context(*documents):
    """Return the passages as the prompt should show them, with the notes of the guard."""
    notes = [f"Passage '{d.id}': {d.page_content}\n[This passage conflicts with '{o}' (value).]" for d, o in documents]
    advice = "Do not treat either side as settled; where the answer depends on it, say that they disagree."
    return "\n\n".join([f"Some passages below contradict each other: 'a' and 'b' (value). {advice}", *notes])


def test_passages_in_conflict_are_annotated_and_none_is_boosted():
    told = []
    message = chat(on_verdict=told.append).invoke(QUESTION, documents=[A, B])
    assert message.content == decoded([context((A, "b"), (B, "a"))], trust=0.0).text
    said = message.response_metadata[KEY]
    assert said == {"verdict": "conflict", "conflicts": [["a", "b"]], "trust": 0.0, "flipped": 0}
    assert [v.status.value for v in told] == ["conflict"]
    silent = chat(action=Action.REPORT).invoke(QUESTION, documents=[A, B])
    assert silent.content == decoded([A.page_content, B.page_content], trust=0.0).text


def test_what_is_left_by_declared_trust_is_boosted_and_by_rank_or_number_is_not():
    newer = Document(B.page_content, id="b", metadata={"date": "2025-01-01"})
    older = Document(A.page_content, id="a", metadata={"date": "2024-01-01"})
    message = chat(action=Action.DROP, trust=0.8).invoke(QUESTION, documents=[older, newer])
    assert message.content == decoded([B.page_content], trust=0.8).text
    assert message.response_metadata[KEY]["trust"] == 0.8
    for documents in ([A, B], [A, Document(A.page_content, id="again"), B]):
        message = chat(action=Action.DROP).invoke(QUESTION, documents=documents)
        assert message.content == decoded([A.page_content] * (len(documents) - 1), trust=0.0).text
        assert message.response_metadata[KEY]["trust"] == 0.0


def test_what_could_not_be_checked_is_read_and_not_boosted():
    foreign = Document("Работники получают двадцать пять дней отпуска в год.", id="ru")
    message = chat().invoke(QUESTION, documents=[foreign])
    assert message.response_metadata[KEY]["verdict"] == "unverified"
    assert message.content == decoded([foreign.page_content], trust=0.0).text


def test_a_blocked_context_is_not_answered():
    with pytest.raises(ContextBlockedError):
        chat(action=Action.BLOCK).invoke(QUESTION, documents=[A, B])


def test_documents_that_were_checked_before_say_the_same():
    once = PassageGuardCompressor(guard=guard_for()).compress_documents([A, B], QUESTION)
    assert chat().invoke(QUESTION, documents=once).content == chat().invoke(QUESTION, documents=[A, B]).content
    assert KEY not in A.metadata


# ---------------------------------------------------------------- streaming, stop, usage, callbacks


class Listener(BaseCallbackHandler):
    def __init__(self):
        self.tokens, self.ends = [], []

    def on_llm_new_token(self, token, *, chunk=None, **kwargs):
        self.tokens.append(token)

    def on_llm_end(self, response, **kwargs):
        self.ends.append(response.generations[0][0].message)


def streamed(made, **settings):
    chunks = list(made.stream(QUESTION, documents=[A], **settings))
    return chunks, functools.reduce(lambda a, b: a + b, chunks)


def test_streams_add_up_to_the_answer_in_more_than_one_piece():
    made, listener = chat(), Listener()
    whole = made.invoke(QUESTION, documents=[A])
    chunks, added = streamed(made, config={"callbacks": [listener]})
    assert sum(bool(c.content) for c in chunks) > 5
    for message in (added, listener.ends[0]):
        assert message.content == whole.content and message.usage_metadata == whole.usage_metadata
        assert message.response_metadata[KEY] == whole.response_metadata[KEY]
    assert "".join(listener.tokens) == whole.content

    async def awaited():
        pieces = [chunk async for chunk in made.astream(QUESTION, documents=[A])]
        return functools.reduce(lambda a, b: a + b, pieces), await made.ainvoke(QUESTION, documents=[A])

    for message in asyncio.run(awaited()):
        assert message.content == whole.content and message.usage_metadata == whole.usage_metadata


def test_a_stop_string_ends_the_answer_is_left_out_and_never_shown():
    text = chat().invoke(QUESTION, documents=[A]).content
    stop = text[4:7]
    expected = text[: text.index(stop)]
    for made, given in ((chat(stop=[stop]), {}), (chat(stop=["no"]), {"stop": [stop, "zzz"]})):
        message = made.invoke(QUESTION, documents=[A], **given)
        assert message.content == expected and message.response_metadata["finish_reason"] == "stop"
        assert streamed(made, **given)[1].content == expected
    assert chat(stop=[stop]).invoke(QUESTION, documents=[A], stop=[]).content == text


def test_what_could_be_the_beginning_of_a_stop_string_is_held_back_until_it_is_not():
    text = chat().invoke(QUESTION, documents=[A]).content
    chunks, added = streamed(chat(), stop=[text[3:6] + "\x00"])
    shown = {"".join(c.content for c in chunks[:n]) for n in range(len(chunks) + 1)}
    assert added.content == text and {text[:3], text[:7]} <= shown and not {text[:4], text[:5], text[:6]} & shown


def test_usage_and_the_reason_of_the_end():
    expected = decoded([A.page_content], max_new_tokens=9)
    pair = plain_prompts(tokenizer(), QUESTION, [A.page_content])
    message = chat(max_tokens=9).invoke(QUESTION, documents=[A])
    used = {"input_tokens": len(pair.context_ids), "output_tokens": len(expected.token_ids)}
    assert message.usage_metadata == {**used, "total_tokens": sum(used.values())}
    assert message.response_metadata["finish_reason"] == expected.finish.value == "length"
    expected = decoded([A.page_content], max_new_tokens=400, temperature=2.0)
    ended = chat(max_tokens=400, temperature=2.0).invoke(QUESTION, documents=[A])
    assert expected.token_ids[-1] == EOS and ended.response_metadata["finish_reason"] == "stop"
    assert ended.usage_metadata["output_tokens"] == len(expected.token_ids) and "~" not in ended.content


def test_a_caller_who_goes_away_ends_the_decoding():
    began, steps = threading.Event(), []
    slow = copy.deepcopy(model())
    slow.generation_config.eos_token_id = 9999  # of no token: only the limit of 1500 would end it

    def step(*_):
        steps.append(1)
        began.set()

    slow.register_forward_pre_hook(step)

    async def whole():
        await chat(model=slow, max_tokens=1500, formula="greedy").ainvoke(QUESTION)

    async def pieces():
        async for _ in chat(model=slow, max_tokens=1500, formula="greedy").astream(QUESTION):
            pass

    async def leave_early(call):
        task = asyncio.create_task(call())
        await asyncio.to_thread(began.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for call in (whole, pieces):
        began.clear()
        asyncio.run(leave_early(call))  # returns once the worker thread has ended
    assert 1 < len(steps) < 400


# ---------------------------------------------------------------- use in chains, copies, many at once


def test_it_is_a_step_of_a_chain():
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{question}")])
    chain = prompt | chat().bind(documents=[A], max_tokens=8) | StrOutputParser()
    expected = decoded([A.page_content], instructions="Be brief.", max_new_tokens=8).text
    assert chain.invoke({"question": QUESTION}) == expected
    assert chain.batch([{"question": QUESTION}] * 3) == [expected] * 3


def test_deep_copies_share_the_models_and_pickles_hold_them():
    made = chat(stop=["zzz"])
    for copied in (copy.deepcopy(made), copy.copy(made), made.model_copy()):
        assert copied.model is made.model and copied.tokenizer is made.tokenizer and copied.guard is made.guard
    again = pickle.loads(pickle.dumps(made))
    assert again.invoke(QUESTION, documents=[A]).content == made.invoke(QUESTION, documents=[A]).content
    assert "weight" not in repr(made) and len(repr(made)) < 500


def test_200_at_once_equal_one_by_one():
    made = chat(max_tokens=2)
    calls = [{"documents": [leave(n, "a"), leave(n + (n % 3 == 0), "b")]} for n in range(200)]
    expected = [made.invoke(QUESTION, **call).content for call in calls]
    assert len(set(expected)) > 5

    async def all_at_once():
        return await asyncio.gather(*(made.ainvoke(QUESTION, **call) for call in calls))

    async def streamed_at_once():
        async def one(call):
            return "".join([chunk.content async for chunk in made.astream(QUESTION, **call)])

        return await asyncio.gather(*(one(call) for call in calls[:20]))

    assert [message.content for message in asyncio.run(all_at_once())] == expected
    assert asyncio.run(streamed_at_once()) == expected[:20]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("messages", "given", "error", "message"),
    [
        ([], {}, InputError, "no question"),
        ([SystemMessage("Be brief.")], {}, InputError, "no question"),
        ([HumanMessage("  ")], {}, InputError, "no question"),
        ([HumanMessage("Hi."), AIMessage("Well,")], {}, InputError, "last turn is of the role 'assistant'"),
        ([HumanMessage([{"type": "image_url", "image_url": "x"}])], {}, InputError, "content of type 'image_url'"),
        (QUESTION, {"documents": "text"}, InputError, "documents must be a list of Document, not str"),
        (QUESTION, {"documents": ["text"]}, InputError, r"documents\[0\] must be a Document"),
        (QUESTION, {"maxtokens": 3}, ConfigError, "unknown argument 'maxtokens'"),
        (QUESTION, {"trust": 2.0}, DecodingError, "trust is 2"),
        (QUESTION, {"temperature": -1}, DecodingError, "temperature is -1"),
        (QUESTION, {"max_tokens": 5000}, DecodingError, "exceed the model's limit"),
    ],
)
def test_what_cannot_be_answered_is_named(messages, given, error, message):
    given, made = {"documents": [A], **given}, chat()
    for call in (
        lambda: made.invoke(messages, **given),
        lambda: list(made.stream(messages, **given)),
        lambda: asyncio.run(made.ainvoke(messages, **given)),
    ):
        with pytest.raises(error, match=message):
            call()


def test_repeated_and_missing_ids_empty_content_and_odd_metadata():
    odd = Document("Leave is booked in the portal.", metadata={"raw": b"\xff", 5: object()})
    message = chat().invoke(QUESTION, documents=[leave(25, "x"), leave(30, "x"), odd, Document("")])
    assert message.response_metadata[KEY]["conflicts"] == [["x", "x#2"]]
    assert set(odd.metadata) == {"raw", 5} and odd.id is None
