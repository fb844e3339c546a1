"""LiteLLM's generic guardrail endpoint over a socket, and the in-process guardrail over a stand-in for its base."""

import asyncio
import sys
import types
from enum import StrEnum

import pytest
from serving import ASKED, DOCUMENTS, FIXTURES, MARK, NEW, OLD, FakeGuard, verdict

from server.config import ServerConfig

serve, upstream, shared_upstream, logged = FIXTURES

PATH = "/beta/litellm_basic_guardrail_api"
CONTEXT = f"<context>\n{OLD}\n\n{NEW}\n</context>\n\nHow long?"


def asked(texts, **more):
    """A request with all the fields that LiteLLM sends."""
    return {
        "input_type": "request", "texts": texts, "images": None, "tools": None, "tool_calls": None,
        "structured_messages": None, "request_data": {"user_api_key_hash": "h"}, "litellm_call_id": "c",
        "litellm_trace_id": None, "litellm_version": "1", "additional_provider_specific_params": {}, **more,
    }  # fmt: skip


def test_texts_come_back_repaired_as_many_as_were_sent(serve):
    guard = FakeGuard()
    response = serve(guard, upstream=None).post(PATH, json=asked(["You are helpful.", CONTEXT]))
    got = response.json()
    assert verdict(response) == ("annotated", 1) and guard.questions[-1] == "How long?"
    assert got["action"] == "GUARDRAIL_INTERVENED" and got["texts"][0] == "You are helpful." and len(got["texts"]) == 2
    assert MARK.search(got["texts"][1]) and got["texts"][1].endswith("\n</context>\n\nHow long?")


def test_what_needs_no_change_is_let_through(serve):
    client = serve(upstream=None, on_conflict="report")
    for body in (asked([CONTEXT]), asked(["Hi."]), asked([]), asked(None), asked([CONTEXT], input_type="response")):
        assert client.post(PATH, json=body).json() == {"action": "NONE"}


def test_a_conflict_can_block(serve):
    client = serve(upstream=None, allow_on_conflict=("block",))
    response = client.post(PATH, json=asked([CONTEXT], additional_provider_specific_params={"on_conflict": "block"}))
    got = response.json()
    assert response.status_code == 200 and got["action"] == "BLOCKED" and "withheld" in got["blocked_reason"]
    assert verdict(response) == ("blocked", 1)
    refused = client.post(PATH, json=asked([CONTEXT], additional_provider_specific_params={"on_conflict": "drop"}))
    assert refused.status_code == 400


def test_texts_have_the_roles_of_the_structured_messages_where_these_fit(serve):
    messages = [*ASKED, {"role": "tool", "content": OLD}, {"role": "tool", "content": [{"type": "text", "text": NEW}]}]
    texts = [ASKED[0]["content"], OLD, NEW]
    client = serve(upstream=None)
    assert verdict(client.post(PATH, json=asked(texts, structured_messages=messages))) == ("annotated", 1)
    assert verdict(client.post(PATH, json=asked(texts, structured_messages=messages[1:]))) == ("none", 0)


def test_a_failing_check_is_skipped_or_refused(serve):
    def failing():
        raise RuntimeError("x")

    response = serve(FakeGuard(failing), upstream=None).post(PATH, json=asked([CONTEXT]))
    assert response.json() == {"action": "NONE"} and verdict(response) == ("skipped", 0)
    closed = serve(FakeGuard(failing), upstream=None, on_error="closed").post(PATH, json=asked([CONTEXT]))
    assert closed.status_code == 503


def test_the_key_may_come_as_litellm_sends_it(serve):
    client = serve(upstream=None, key="s3cret")
    assert client.post(PATH, json=asked(["Hi."])).status_code == 401
    assert client.post(PATH, json=asked(["Hi."]), headers={"x-api-key": "wrong"}).status_code == 401
    assert client.post(PATH, json=asked(["Hi."]), headers={"x-api-key": "s3cret"}).status_code == 200
    other = client.post("/v1/passageguard/check", json={"passages": [OLD]}, headers={"x-api-key": "s3cret"})
    assert other.status_code == 401


# in LiteLLM's process


class Hooks(StrEnum):
    pre_call = "pre_call"


class Base:
    """Takes what LiteLLM's own base class takes."""

    def __init__(self, guardrail_name=None, supported_event_hooks=None, event_hook=None, default_on=False, **kwargs):
        assert event_hook is None or event_hook in supported_event_hooks
        self.guardrail_name, self.default_on = guardrail_name, default_on

    def should_run_guardrail(self, data, event_type):
        return self.default_on or self.guardrail_name in data.get("guardrails", ())


@pytest.fixture
def guardrail(monkeypatch):
    """Return a function that builds the guardrail over litellm's stand-in."""
    names = ("litellm", "litellm.integrations", "litellm.integrations.custom_guardrail", "litellm.types",
             "litellm.types.guardrails")  # fmt: skip
    modules = {name: types.ModuleType(name) for name in names}
    modules["litellm.integrations.custom_guardrail"].CustomGuardrail = Base
    modules["litellm.types.guardrails"].GuardrailEventHooks = Hooks
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "server.litellm_guardrail", raising=False)
    from server.litellm_guardrail import PassageGuardrail

    def built(**settings):
        config = ServerConfig(**settings)
        return PassageGuardrail(
            config, FakeGuard(policy=config.policy), guardrail_name="pg", event_hook="pre_call", default_on=True
        )

    yield built
    sys.modules.pop("server.litellm_guardrail", None)


def test_the_models_are_loaded_before_the_first_request(guardrail):
    assert guardrail()._context._checker._guard.questions == [None]


def hooked(guardrail, data, call_type="completion"):
    return asyncio.run(guardrail.async_pre_call_hook(None, None, data, call_type))


def test_the_guardrail_sees_documents(guardrail):
    data = {"model": "m", "messages": ASKED, "documents": DOCUMENTS, "metadata": {"k": 1}}
    got = hooked(guardrail(), data)
    assert MARK.match(got["documents"][0]["text"]) and {**got, "documents": 0} == {**data, "documents": 0}
    assert data["documents"] == DOCUMENTS
    calm = {"messages": ASKED}
    assert hooked(guardrail(), calm) == calm and hooked(guardrail(), data, "embeddings") is data


def test_the_guardrail_is_left_out_where_litellm_says_so(guardrail):
    made = guardrail()
    made.default_on = False
    data = {"messages": ASKED, "documents": DOCUMENTS}
    assert hooked(made, data) is data
    assert hooked(made, {**data, "guardrails": ["pg"]})["documents"] != DOCUMENTS


def test_the_guardrail_blocks_with_the_error_of_the_gateway(guardrail):
    from fastapi import HTTPException

    with pytest.raises(HTTPException) as caught:
        hooked(guardrail(on_conflict="block"), {"messages": ASKED, "documents": DOCUMENTS})
    assert caught.value.status_code == 400 and caught.value.detail["error"]["code"] == "context_conflict"
    with pytest.raises(HTTPException) as caught:
        hooked(guardrail(allow_on_conflict=()), {"messages": ASKED, "passageguard": {"on_conflict": "drop"}})
    assert caught.value.detail["error"]["code"] == "not_allowed"
