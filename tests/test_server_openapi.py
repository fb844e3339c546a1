"""The OpenAPI document: every answer fits it, whatever is sent, and nothing that is sent is an error of the server."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from serving import FIXTURES, NEW, OLD, FakeGuard, eventually

from guard import LanguageModel

serve, upstream, shared_upstream, logged = FIXTURES

CHECK, BATCH, GUARDRAIL = "/v1/passageguard/check", "/v1/passageguard/check/batch", "/beta/litellm_basic_guardrail_api"
STATS = "/v1/passageguard/stats"
NAMES = ["passages", "question", "policy", "on_conflict", "by_type", "requests", "texts", "id", "text", "metadata",
         "structured_messages", "role", "content", "input_type", "additional_provider_specific_params"]  # fmt: skip
FLOATS = st.floats(allow_nan=False, allow_infinity=False)  # JSON has neither
VALUES = st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=8)
VALUES |= st.sampled_from([OLD, NEW, "drop", "block", "value", "request"])
TREES = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


def fits(document, path, method, response):
    """Validate an answer by the schema that the document has for it."""
    responses = document["paths"][path][method]["responses"]
    described = responses.get(str(response.status_code)) or responses["default"]
    kind = response.headers["content-type"].partition(";")[0]
    schema = {**described["content"][kind]["schema"], "components": document["components"]}
    Draft202012Validator(schema).validate(response.json() if kind == "application/json" else response.text)
    return True


@pytest.fixture
def client(serve):
    return serve(FakeGuard(), upstream=None)


def test_the_document_names_the_own_routes_and_no_error_of_the_framework(client):
    document = client.get("/openapi.json").json()
    assert {*document["paths"]} == {CHECK, BATCH, GUARDRAIL, STATS, "/healthz", "/readyz", "/metrics"}
    operations = [o for methods in document["paths"].values() for o in methods.values()]
    assert all("422" not in o["responses"] and o["description"] for o in operations)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (CHECK, {"passages": [OLD, {"id": "n", "text": NEW, "date": "2024"}], "question": "How long?"}, 200),
        (CHECK, {"passages": [OLD, NEW], "policy": {"on_conflict": "drop"}}, 200),
        (CHECK, {"passages": [OLD, NEW], "policy": {"on_conflict": "block"}}, 200),
        (CHECK, {"passages": []}, 400),
        (BATCH, {"requests": [{"passages": [OLD, NEW]}, {"passages": [{"text": OLD, "date": "soon"}]}]}, 200),
        (GUARDRAIL, {"texts": [f"<context>\n{OLD}\n\n{NEW}\n</context>"]}, 200),
        (GUARDRAIL, {"texts": "x"}, 400),
    ],
)
def test_answers_fit_the_document(client, path, body, status):
    response = client.post(path, json=body)
    assert response.status_code == status and fits(client.get("/openapi.json").json(), path, "post", response)


def test_answers_without_a_body_fit_the_document(client):
    document = client.get("/openapi.json").json()
    client.post(CHECK, json={"passages": [OLD, NEW]})
    for path in (STATS, "/healthz", "/readyz", "/metrics"):
        assert fits(document, path, "get", client.get(path))


CHATS, SMALL = "/v1/chat/completions", str(Path(__file__).parent.parent / "examples" / "small_lm")


@pytest.fixture(scope="module")
def libraries():
    """Import what loads a language model, which takes longer than a test should wait for."""
    return LanguageModel.load(SMALL)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 200),
        ({"documents": [OLD, NEW], "passageguard": {"include_verdict": True, "include_trace": True}}, 200),
        ({"n": 2, "max_tokens": 3}, 200),
        ({"stream": True}, 200),
        ({"model": "local/other"}, 404),
        ({"temperature": 9}, 400),
    ],
)
def test_chats_of_the_local_model_fit_the_document(serve, libraries, more, status):
    client = serve(FakeGuard(), upstream=None, local_model=SMALL)
    eventually(lambda: client.get("/readyz").status_code == 200)
    document = client.get("/openapi.json").json()
    asked = {"model": "local/small_lm", "messages": [{"role": "user", "content": "Where?"}]}
    response = client.post(CHATS, json={**asked, **more})
    assert response.status_code == status and fits(document, CHATS, "post", response)
    described = document["paths"][CHATS]["post"]["requestBody"]["content"]["application/json"]["schema"]
    is_valid = Draft202012Validator({**described, "components": document["components"]}).is_valid
    assert is_valid({**asked, **more}) is (status == 200)
    assert fits(document, "/v1/models", "get", client.get("/v1/models"))


def test_chats_that_an_upstream_answers_are_not_described(serve, upstream):
    client = serve(FakeGuard(), local_model=SMALL)
    assert CHATS not in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/v1/passageguard/check", "/openapi.json"])
def test_another_method_on_an_own_path_is_refused_and_goes_to_no_retriever(serve, upstream, path):
    routes = ({"preset": "qdrant", "upstream": upstream.url.removesuffix("/v1")},)
    client = serve(FakeGuard(), routes=routes)
    response = client.request("PATCH", path)
    assert response.status_code == 405 and response.json()["error"]["code"] == "method_not_allowed"
    assert response.headers["allow"] in ("GET", "POST", "GET, HEAD") and upstream.received == []
    assert client.request("PATCH", "/collections").status_code == 200 and len(upstream.received) == 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from([CHECK, BATCH, GUARDRAIL]), body=TREES)
def test_whatever_is_sent_is_no_error_of_the_server(client, path, body):
    response = client.post(path, json=body)
    assert response.status_code in (200, 400)
    assert fits(client.get("/openapi.json").json(), path, "post", response)


def test_a_passage_may_be_a_string_says_the_document(client):
    document = client.get("/openapi.json").json()
    schema = {**document["components"]["schemas"]["CheckRequest"], "components": document["components"]}
    valid = Draft202012Validator(schema).is_valid
    assert valid({"passages": [OLD, {"text": NEW}]}) and not valid({"passages": [5]}) and not valid({"passages": []})
