"""Spans over OpenTelemetry's API, by a tracer that keeps them; and a server that runs without the API."""

import contextlib

import pytest
from serving import ASKED, CHAT, DOCUMENTS, FIXTURES, eventually, verdict

from server import telemetry

serve, upstream, shared_upstream, logged = FIXTURES

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans(monkeypatch):
    """Yield the spans that ended: (name, attributes, trace id of the parent)."""
    trace = pytest.importorskip("opentelemetry.trace")
    kept = []

    class Kept(trace.NonRecordingSpan):
        def __init__(self, context):
            super().__init__(context)
            self.facts = {}

        def set_attribute(self, key, value):
            self.facts[key] = value

    class Tracer:
        @contextlib.contextmanager
        def start_as_current_span(self, name, context=None, record_exception=True):
            parent = trace.get_current_span(context).get_span_context()
            made = Kept(parent)
            with trace.use_span(made, record_exception=False):
                yield made
            kept.append((name, made.facts, f"{parent.trace_id:032x}"))

    monkeypatch.setattr(telemetry.trace, "get_tracer", lambda name: Tracer())
    return kept


def test_a_request_and_its_check_are_spans_of_the_clients_trace(serve, spans):
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    serve().post(CHAT, json={"messages": ASKED, "documents": DOCUMENTS}, headers=headers)
    eventually(lambda: len([s for s in spans if s[2] == TRACE]) == 2)
    check, request = (s for s in spans if s[2] == TRACE)
    assert check == ("passageguard.check", {"passageguard.passages": 3, "passageguard.conflicts": 1}, TRACE)
    assert request == ("passageguard.request", {
        "http.request.method": "POST", "http.response.status_code": 200, "passageguard.route": "chat",
        "passageguard.verdict": "annotated", "passageguard.conflicts": 1, "passageguard.passages": 3,
        "gen_ai.operation.name": "chat",
    }, TRACE)  # fmt: skip


def test_no_text_of_a_request_is_in_a_span(serve, spans):
    canary = "canary7xq"
    documents = [{"id": canary, "text": f"{canary} {DOCUMENTS[0]['text']}"}, DOCUMENTS[1]]
    serve().post(f"{CHAT}?q={canary}", json={"messages": [{"role": "user", "content": canary}], "documents": documents})
    eventually(lambda: any(name == telemetry.REQUEST for name, *_ in spans))
    assert canary not in str(spans)


def test_without_the_api_nothing_is_told(serve, monkeypatch):
    monkeypatch.setattr(telemetry, "HAS_API", False)
    assert verdict(serve().post(CHAT, json={"messages": ASKED, "documents": DOCUMENTS})) == ("annotated", 1)
