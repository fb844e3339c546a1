"""Cohere's chat in front of a scripted upstream: documents in the request, named events in the stream."""

import json

from serving import DOCUMENTS, FIXTURES, MARK, NEW, OLD, FakeGuard, answering, streaming, verdict

serve, upstream, shared_upstream, logged = FIXTURES

CHAT = "/v2/chat"
MESSAGES = [{"role": "user", "content": "How long does a refund take?"}]
REPLY = {"id": "c", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text"}]}}
EVENTS = [
    b'event: message-start\ndata: {"id":"c","type":"message-start","delta":{"message":{"role":"assistant"}}}\n\n',
    b'event: content-delta\ndata: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"H"}}}}\n\n',
    b'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}\n\n',
]


def asked(documents, **more):
    return {"model": "command", "messages": MESSAGES, "documents": documents, **more}


def test_documents_are_checked_and_forwarded_in_their_shape(serve, upstream):
    upstream.script, guard = answering(json.dumps(REPLY).encode()), FakeGuard()
    documents = [OLD, {"id": "new", "data": {"title": "t", "text": NEW}}, {"data": "Send a photo."}]
    response = serve(guard).post(CHAT, json=asked(documents), headers={"Authorization": "Bearer co"})
    (got,) = upstream.received
    assert got.head == "POST /v2/chat HTTP/1.1" and got.header("authorization") == ["Bearer co"]
    first, second, third = got.json["documents"]
    assert verdict(response) == ("annotated", 1) and guard.questions[-1] == MESSAGES[0]["content"]
    assert MARK.match(first) and first.endswith(f"]\n{OLD}") and second["data"]["text"].endswith(f"]\n{NEW}")
    assert (second["id"], second["data"]["title"], third) == ("new", "t", documents[2])


def test_documents_that_a_tool_returned_are_checked(serve, upstream):
    parts = [{"type": "document", "document": {"id": f"d{n}", "data": {"text": t}}} for n, t in enumerate((OLD, NEW))]
    messages = [*MESSAGES, {"role": "tool", "tool_call_id": "1", "content": parts}]
    response = serve().post(CHAT, json={"messages": messages})
    one, two = (p["document"] for p in upstream.received[0].json["messages"][1]["content"])
    assert verdict(response) == ("annotated", 1) and one["id"] == "d0"
    assert MARK.match(one["data"]["text"]) and two["data"]["text"].endswith(NEW)


def test_a_stream_of_named_events_passes_as_it_comes_with_one_field_where_asked_for(serve, upstream):
    upstream.script, client = streaming(*EVENTS), serve()
    plain = client.post(CHAT, json=asked(DOCUMENTS, stream=True))
    assert plain.content == b"".join(EVENTS) and verdict(plain) == ("annotated", 1)
    options = {"include_verdict": True}
    shown = client.post(CHAT, json=asked(DOCUMENTS, stream=True, passageguard=options)).content
    assert shown.endswith(b"".join(EVENTS[1:])) and shown.startswith(b"event: message-start\ndata: {")
    first = json.loads(shown.split(b"\n\n")[0].partition(b"data: ")[2])
    assert first.pop("passageguard")["verdict"] == "annotated"
    assert first == json.loads(EVENTS[0].partition(b"data: ")[2])


def test_the_verdict_is_put_into_an_answer_where_asked_for(serve, upstream):
    upstream.script = answering(json.dumps(REPLY).encode())
    got = serve().post(CHAT, json=asked(DOCUMENTS, passageguard={"include_verdict": True})).json()
    assert got.pop("passageguard")["verdict"] == "annotated" and got == REPLY


def test_other_paths_of_version_two_pass_and_an_address_with_a_version_is_read(serve, upstream):
    client = serve(upstream=upstream.url.replace("/v1", "/api/v1"))
    for path, reached in (("/v2/embed", "/api/v2/embed"), ("/v2/chat", "/api/v2/chat"), ("/v1/chat", "/api/v1/chat"),
                          ("/rerank", "/api/rerank")):  # fmt: skip
        client.post(path, json=asked(DOCUMENTS[1:]))
        assert upstream.received[-1].head == f"POST {reached} HTTP/1.1"
