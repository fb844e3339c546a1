"""LlamaIndex's OpenAI-like model: chat, streamed chat, awaited."""

import asyncio
import os

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

DOCUMENTS = [{"id": "terms", "text": "Refunds take 14 days."}, {"id": "faq", "text": "Refunds take 30 days."}]
LETTER = [{"id": "letter", "text": "The firm Iris Energy is based in Gulthorpe."}]
QUESTION = [ChatMessage(role="user", content="How long does a refund take?")]
ASKED = [ChatMessage(role="user", content="Where is the seat of Iris Energy?")]


def model(name, **body):
    return OpenAILike(
        model=name, api_base=f"{os.environ['SERVER']}/v1", api_key="sk-test", is_chat_model=True, max_retries=0,
        additional_kwargs={"extra_body": body},
    )  # fmt: skip


answer = model("any", documents=DOCUMENTS).chat(QUESTION)
assert answer.message.content == "3 notes", answer
shown = {"documents": DOCUMENTS, "passageguard": {"include_verdict": True}}
*_, last = model("any", **shown).stream_chat(QUESTION)
assert last.message.content == "3 notes"
fenced = "Context information is below.\n---------------------\nRefunds take 14 days.\n\nRefunds take 30 days.\n"
fenced += "---------------------\nGiven the context information, answer the query.\nQuery: How long?\nAnswer: "
assert model("any").complete(fenced).text == "3 notes"

local = model("local/small_lm", documents=LETTER)
assert local.chat(ASKED).message.content == "Gulthorpe"
parts = list(model("local/small_lm", documents=LETTER, passageguard={"include_trace": True}).stream_chat(ASKED))
assert parts[-1].message.content == "Gulthorpe" and [p.delta for p in parts if p.delta] == ["Gul", "thorpe"]


async def awaited():
    assert (await local.achat(ASKED)).message.content == "Gulthorpe"
    *_, end = [part async for part in await local.astream_chat(ASKED)]
    assert end.message.content == "Gulthorpe"


asyncio.run(awaited())
