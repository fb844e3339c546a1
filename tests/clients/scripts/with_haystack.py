"""Haystack's OpenAIChatGenerator: run, streamed, awaited."""

import asyncio
import os

from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

DOCUMENTS = [{"id": "terms", "text": "Refunds take 14 days."}, {"id": "faq", "text": "Refunds take 30 days."}]
LETTER = [{"id": "letter", "text": "The firm Iris Energy is based in Gulthorpe."}]
QUESTION = [ChatMessage.from_user("How long does a refund take?")]
ASKED = [ChatMessage.from_user("Where is the seat of Iris Energy?")]


def generator(name, callback=None, **body):
    return OpenAIChatGenerator(
        api_key=Secret.from_token("sk-test"), model=name, api_base_url=f"{os.environ['SERVER']}/v1", max_retries=0,
        streaming_callback=callback, generation_kwargs={"extra_body": body},
    )  # fmt: skip


def said(result):
    return result["replies"][0].text


assert said(generator("any", documents=DOCUMENTS).run(QUESTION)) == "3 notes"
pieces = []
shown = {"documents": DOCUMENTS, "passageguard": {"include_verdict": True}}
assert said(generator("any", lambda chunk: pieces.append(chunk.content), **shown).run(QUESTION)) == "3 notes"
assert "".join(pieces) == "3 notes"

local = generator("local/small_lm", documents=LETTER).run(ASKED)
assert said(local) == "Gulthorpe" and local["replies"][0].meta["usage"]["completion_tokens"] == 3
pieces.clear()
traced = {"documents": LETTER, "passageguard": {"include_verdict": True, "include_trace": True}}
streamed = generator("local/small_lm", lambda chunk: pieces.append(chunk.content), **traced).run(ASKED)
assert said(streamed) == "Gulthorpe" and [p for p in pieces if p] == ["Gul", "thorpe"]
assert said(asyncio.run(generator("local/small_lm", documents=LETTER).run_async(ASKED))) == "Gulthorpe"
