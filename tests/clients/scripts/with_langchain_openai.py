"""ChatOpenAI: invoke, stream, tools; headers reach the caller."""

import asyncio
import os

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

BASE = f"{os.environ['SERVER']}/v1"
DOCUMENTS = [{"id": "terms", "text": "Refunds take 14 days."}, {"id": "faq", "text": "Refunds take 30 days."}]
LETTER = [{"id": "letter", "text": "The firm Iris Energy is based in Gulthorpe."}]
QUESTION, ASKED = "How long does a refund take?", "Where is the seat of Iris Energy?"


def model(name, **body):
    return ChatOpenAI(
        model=name, base_url=BASE, api_key="sk-test", max_retries=0, include_response_headers=True, extra_body=body
    )


answer = model("any", documents=DOCUMENTS).invoke(QUESTION)
assert answer.content == "3 notes" and answer.response_metadata["headers"]["x-passageguard-verdict"] == "annotated"
shown = {"documents": DOCUMENTS, "passageguard": {"include_verdict": True}}
chunks = list(model("any", **shown).stream(QUESTION))
assert "".join(c.content for c in chunks) == "3 notes"
called = model("any").bind_tools([{"type": "function", "function": {"name": "search", "parameters": {}}}])
call = called.invoke(QUESTION).tool_calls[0]
results = [ToolMessage(d["text"], tool_call_id=call["id"]) for d in DOCUMENTS]
answer = called.invoke([HumanMessage(QUESTION), AIMessage("", tool_calls=[call]), *results])
assert answer.content == "3 notes" and answer.response_metadata["headers"]["x-passageguard-verdict"] == "annotated"
embedded = OpenAIEmbeddings(model="e", base_url=BASE, api_key="sk-test", check_embedding_ctx_length=False)
assert embedded.embed_query("a") == [0.5, 0.25]
try:
    model("any", documents=DOCUMENTS, passageguard={"on_conflict": "block"}).invoke(QUESTION)
except Exception as error:
    assert "contradict each other" in str(error), error
else:
    raise AssertionError("not blocked")

local = model("local/small_lm", documents=LETTER)
answer = local.invoke(ASKED)
assert answer.content == "Gulthorpe" and answer.usage_metadata["output_tokens"] == 3
traced = model("local/small_lm", documents=LETTER, passageguard={"include_verdict": True, "include_trace": True})
parts = [chunk for chunk in traced.stream(ASKED, stream_usage=True)]
assert [p.content for p in parts if p.content] == ["Gul", "thorpe"]
assert sum((p.usage_metadata or {}).get("output_tokens", 0) for p in parts) == 3
assert local.bind(stop=["thorpe"]).invoke(ASKED).content == "Gul"


async def awaited():
    answers = await asyncio.gather(*(local.ainvoke(ASKED) for _ in range(4)))
    assert {a.content for a in answers} == {"Gulthorpe"}
    assert "".join([chunk.content async for chunk in local.astream(ASKED)]) == "Gulthorpe"


asyncio.run(awaited())
