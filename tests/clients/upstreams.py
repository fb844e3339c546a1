"""An upstream that really listens, for tests with real clients: models and retrievers, scripted.

Chats are answered with the number of PassageGuard's notes in the request, so that a client can tell what the model was
given; a chat that offers tools gets a call first.  Searches return two documents that contradict each other, and one
that does not.  The wire formats are those of OpenAI, Cohere, Elasticsearch and Qdrant.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXTS = {"terms": "Refunds take 14 days.", "faq": "Refunds take 30 days.", "photo": "Send us a photo of the parcel."}
NOTE = re.compile(r"PassageGuard [0-9a-f]{10}:")
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
Found = tuple[str, bytes]  # content type, body


class Scripted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = next((a for pattern, a in ANSWERS if re.fullmatch(pattern, self.path.partition("?")[0])), None)
        if answer is None:
            self._send(404, "application/json", b'{"error": {"message": "no such path", "type": "x", "code": "y"}}')
        else:
            self._send(200, *answer(_object(body), body))

    do_GET = do_PUT = do_POST

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-Elastic-Product", "Elasticsearch")  # its client insists on it
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def start() -> ThreadingHTTPServer:
    """Listen on a free port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _object(body: bytes) -> Any:
    """Return the body as JSON; one of several lines, or compressed, is none."""
    try:
        return json.loads(body)
    except ValueError:
        return {}


def _json(value: Any, kind: str = "application/json") -> Found:
    return kind, json.dumps(value).encode()


def _events(values: Sequence[Mapping[str, Any]], end: str = "", named: bool = False) -> Found:
    lines = (
        f"event: {v['type']}\ndata: {json.dumps(v)}\n\n" if named else f"data: {json.dumps(v)}\n\n" for v in values
    )
    return "text/event-stream", ("".join(lines) + end).encode()


# OpenAI


def chat(asked: Mapping[str, Any], body: bytes) -> Found:
    said = f"{len(NOTE.findall(body.decode()))} notes"
    answered = any(m.get("role") == "tool" for m in asked["messages"])
    calls = [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"q": "x"}'}}
    ]
    calls = calls if asked.get("tools") and not answered else []
    reason = "tool_calls" if calls else "stop"
    head = {"id": "chatcmpl-1", "created": 1, "model": asked.get("model", "any")}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": None if calls else said, **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return _json({**head, "object": "chat.completion", "choices": [choice], "usage": USAGE})
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"tool_calls": calls}] if calls else [{"content": character} for character in said]
    parts = [*({"index": 0, "delta": d, "finish_reason": None} for d in deltas),
             {"index": 0, "delta": {}, "finish_reason": reason}]  # fmt: skip
    chunks = [{**head, "object": "chat.completion.chunk", "choices": [part]} for part in parts]
    if (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    return _events(chunks, "data: [DONE]\n\n")


def models(_: Mapping[str, Any], __: bytes) -> Found:
    return _json({"object": "list", "data": [{"id": "any", "object": "model", "created": 1, "owned_by": "x"}]})


def embeddings(asked: Mapping[str, Any], _: bytes) -> Found:
    given = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [{"object": "embedding", "index": i, "embedding": [0.5, 0.25]} for i, _ in enumerate(given)]
    return _json({"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 1, "total_tokens": 1}})


def vector_store(_: Mapping[str, Any], __: bytes) -> Found:
    data = [
        {"file_id": i, "filename": f"{i}.md", "score": 0.9, "attributes": {}, "content": [{"type": "text", "text": t}]}
        for i, t in TEXTS.items()
    ]
    page = {"object": "vector_store.search_results.page", "search_query": ["x"], "has_more": False, "next_page": None}
    return _json({**page, "data": data})


# Cohere


def cohere_chat(asked: Mapping[str, Any], body: bytes) -> Found:
    said = f"{len(NOTE.findall(body.decode()))} notes"
    usage = {"tokens": {"input_tokens": 5, "output_tokens": 2}}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": [{"type": "text", "text": said}]}
        return _json({"id": "c", "finish_reason": "COMPLETE", "message": message, "usage": usage})
    start = {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant", "content": []}}}
    pieces = [
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": character}}}}
        for character in said
    ]
    opened = {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
    end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}}
    return _events([start, opened, *pieces, {"type": "content-end", "index": 0}, end], named=True)


def rerank(asked: Mapping[str, Any], _: bytes) -> Found:
    results = [{"index": i, "relevance_score": 0.9 - 0.1 * i} for i, _ in enumerate(asked["documents"])]
    return _json({"id": "r", "results": results, "meta": {"api_version": {"version": "2"}}})


# retrievers


def _hits() -> Iterator[dict[str, Any]]:
    for n, (name, text) in enumerate(TEXTS.items()):
        yield {"_index": "faq", "_id": name, "_score": 1.0 - n / 10, "_source": {"text": text, "page": n}}


def _found() -> dict[str, Any]:
    hits = {"total": {"value": 3, "relation": "eq"}, "max_score": 1.0, "hits": list(_hits())}
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    return {"took": 1, "timed_out": False, "_shards": shards, "hits": hits, "status": 200}


ELASTIC = "application/vnd.elasticsearch+json;compatible-with=9"


def search(_: Mapping[str, Any], __: bytes) -> Found:
    return _json(_found(), ELASTIC)


def searches(_: Mapping[str, Any], body: bytes) -> Found:
    return _json({"took": 1, "responses": [_found() for _ in range(len(body.strip().splitlines()) // 2)]}, ELASTIC)


def info(_: Mapping[str, Any], __: bytes) -> Found:
    version = {"number": "9.0.0", "build_flavor": "default", "lucene_version": "10"}
    named = {"name": "n", "cluster_name": "c", "cluster_uuid": "u", "tagline": "t"}
    return _json({**named, "version": version, "title": "qdrant"}, ELASTIC)


def _points() -> list[dict[str, Any]]:
    return [
        {"id": n, "version": 1, "score": 0.9 - n / 10, "payload": {"text": text, "source": name}}
        for n, (name, text) in enumerate(TEXTS.items())
    ]


def _qdrant(result: Any) -> Found:
    return _json({"result": result, "status": "ok", "time": 0.1})


def points(_: Mapping[str, Any], __: bytes) -> Found:
    return _qdrant({"points": _points()})


def points_batch(asked: Mapping[str, Any], _: bytes) -> Found:
    return _qdrant([{"points": _points()} for _ in asked["searches"]])


def points_groups(_: Mapping[str, Any], __: bytes) -> Found:
    return _qdrant({"groups": [{"id": "g", "hits": _points()}]})


def scrolled(_: Mapping[str, Any], __: bytes) -> Found:
    kept = [{"id": p["id"], "payload": p["payload"]} for p in _points()]
    return _qdrant({"points": kept, "next_page_offset": None})


ANSWERS = (
    (r"/v1/chat/completions", chat), (r"/v1/models", models), (r"/v1/embeddings", embeddings),
    (r"/v1/vector_stores/[^/]+/search", vector_store), (r"/v2/chat", cohere_chat), (r"/v[12]/rerank", rerank),
    (r"(?:/[^/]+)?/_search", search), (r"/_msearch", searches), (r"/", info),
    (r"/collections/[^/]+/points/query", points), (r"/collections/[^/]+/points/query/batch", points_batch),
    (r"/collections/[^/]+/points/query/groups", points_groups), (r"/collections/[^/]+/points/scroll", scrolled),
)  # fmt: skip
