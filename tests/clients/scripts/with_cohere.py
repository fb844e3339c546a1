"""Cohere's client, version 2: chat, streamed chat, rerank."""

import os

import cohere

DOCUMENTS = [
    {"id": "terms", "data": {"text": "Refunds take 14 days."}},
    {"id": "faq", "data": {"text": "Refunds take 30 days."}},
]
ASKED = {"model": "any", "messages": [{"role": "user", "content": "How long does a refund take?"}]}
client = cohere.ClientV2(api_key="co-test", base_url=os.environ["SERVER"])

answer = client.chat(**ASKED, documents=DOCUMENTS)
assert answer.message.content[0].text == "3 notes" and answer.finish_reason == "COMPLETE"
raw = client.with_raw_response.chat(**ASKED, documents=DOCUMENTS)
assert raw.headers["x-passageguard-verdict"] == "annotated"
assert client.chat(**ASKED).message.content[0].text == "0 notes"
pieces = [
    event.delta.message.content.text
    for event in client.chat_stream(**ASKED, documents=DOCUMENTS)
    if event.type == "content-delta"
]
assert "".join(pieces) == "3 notes"
options = {"additional_body_parameters": {"passageguard": {"on_conflict": "block"}}}
try:
    client.chat(**ASKED, documents=DOCUMENTS, request_options=options)
except cohere.BadRequestError as error:
    assert error.body["error"]["code"] == "context_conflict"
else:
    raise AssertionError("not blocked")

texts = [d["data"]["text"] for d in DOCUMENTS] + ["Send us a photo."]
ranked = client.with_raw_response.rerank(model="any", query="How long?", documents=texts)
assert ranked.headers["x-passageguard-verdict"] == "annotated"
assert [r.index for r in ranked.data.results] == [0, 1, 2]
moved = client.rerank(
    model="any", query="How long?", documents=texts,
    request_options={"additional_headers": {"X-Passageguard-On-Conflict": "drop"}},
)  # fmt: skip
assert [r.index for r in moved.results] == [0, 2, 1] and moved.results[-1].relevance_score == 0
