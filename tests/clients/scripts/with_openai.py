"""The openai client: plain, streamed, awaited, refused; in front of an upstream and of the local model."""

import asyncio
import os

import openai

BASE = f"{os.environ['SERVER']}/v1"
DOCUMENTS = [{"id": "terms", "text": "Refunds take 14 days."}, {"id": "faq", "text": "Refunds take 30 days."}]
ASKED = {"model": "any", "messages": [{"role": "user", "content": "How long does a refund take?"}]}
LOCAL = {"model": "local/small_lm", "messages": [{"role": "user", "content": "Where is the seat of Iris Energy?"}]}
LETTER = {"documents": [{"id": "letter", "text": "The firm Iris Energy is based in Gulthorpe."}]}
client = openai.OpenAI(base_url=BASE, api_key="sk-test", max_retries=0)
create = client.chat.completions.create


def text(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def refused(**asked):
    try:
        create(**asked)
    except openai.APIStatusError as error:
        return error
    raise AssertionError("not refused")


assert {m.id for m in client.models.list()} == {"any", "local/small_lm"}
assert client.models.retrieve("local/small_lm").owned_by == "passageguard"

# an upstream
raw = client.chat.completions.with_raw_response.create(**ASKED, extra_body={"documents": DOCUMENTS})
assert raw.headers["x-passageguard-verdict"] == "annotated" and raw.headers["x-passageguard-conflicts"] == "1"
assert raw.parse().choices[0].message.content == "3 notes"
assert create(**ASKED).choices[0].message.content == "0 notes"
assert text(create(**ASKED, stream=True, extra_body={"documents": DOCUMENTS})) == "3 notes"
shown = {"documents": DOCUMENTS, "passageguard": {"include_verdict": True}}
with client.chat.completions.stream(**ASKED, extra_body=shown) as stream:
    assert stream.get_final_completion().choices[0].message.content == "3 notes"
first = next(iter(create(**ASKED, stream=True, extra_body=shown)))
assert first.model_extra["passageguard"]["verdict"] == "annotated"
tools = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {}}}}]
called = create(**ASKED, tools=tools).choices[0].message
history = [*ASKED["messages"], called, {"role": "tool", "tool_call_id": "call_1", "content": DOCUMENTS[0]["text"]},
           {"role": "tool", "tool_call_id": "call_2", "content": DOCUMENTS[1]["text"]}]  # fmt: skip
raw = client.chat.completions.with_raw_response.create(model="any", messages=history, tools=tools)
assert raw.headers["x-passageguard-verdict"] == "annotated" and raw.parse().choices[0].message.content == "3 notes"
assert client.embeddings.create(model="e", input=["a"], encoding_format="float").data[0].embedding == [0.5, 0.25]
found = client.vector_stores.with_raw_response.search("vs_1", query="How long?")
assert found.headers["x-passageguard-verdict"] == "annotated"
assert "PassageGuard" in found.parse().data[0].content[0].text
blocked = refused(**ASKED, extra_body={"documents": DOCUMENTS, "passageguard": {"on_conflict": "block"}})
assert (
    isinstance(blocked, openai.BadRequestError) and blocked.code == "context_conflict" and blocked.param == "documents"
)
wrong = refused(**ASKED, extra_body={"passageguard": {"on_conflict": "explode"}})
assert wrong.param == "passageguard.on_conflict" and wrong.status_code == 400
assert refused(model="local/other", messages=ASKED["messages"]).code == "model_not_found"

# the local model
assert create(**LOCAL).choices[0].message.content == "Wilthorpe"
answer = create(**LOCAL, extra_body={**LETTER, "passageguard": {"include_verdict": True, "include_trace": True}})
assert answer.choices[0].message.content == "Gulthorpe" and answer.choices[0].finish_reason == "stop"
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 3
own = answer.model_extra["passageguard"]
assert own["verdict"] == "clean" and own["trust"] == 1.0 and own["choices"][0]["trace"][0]["flipped"]
chunks = list(create(**LOCAL, stream=True, stream_options={"include_usage": True}, extra_body=LETTER))
assert (
    text(chunks) == "Gulthorpe" and chunks[-1].usage == answer.usage and chunks[-2].choices[0].finish_reason == "stop"
)
with client.chat.completions.stream(**LOCAL, extra_body={**LETTER, "passageguard": {"include_trace": True}}) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_completion()
assert final.choices[0].message.content == "Gulthorpe" and "content.done" in kinds
assert create(**LOCAL, extra_body=LETTER, max_tokens=1).choices[0].finish_reason == "length"
assert create(**LOCAL, extra_body=LETTER, stop=["thorpe"]).choices[0].message.content == "Gul"
assert len(create(**LOCAL, n=2, temperature=1, seed=3).choices) == 2
assert refused(**LOCAL, tools=tools).code == "unsupported_parameter"
left = create(**LOCAL, stream=True, extra_body=LETTER)
next(iter(left))
left.close()


async def awaited():
    async with openai.AsyncOpenAI(base_url=BASE, api_key="sk-test") as other:
        whole = [other.chat.completions.create(**LOCAL, extra_body=LETTER) for _ in range(8)]
        assert {a.choices[0].message.content for a in await asyncio.gather(*whole)} == {"Gulthorpe"}
        streamed = await other.chat.completions.create(**ASKED, stream=True, extra_body={"documents": DOCUMENTS})
        assert text([chunk async for chunk in streamed]) == "3 notes"


asyncio.run(awaited())
