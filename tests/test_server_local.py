"""The model of the server's own process over real sockets: the small one of the examples, and one that never ends."""

import inspect
import json
from pathlib import Path

import httpx
import pytest
from random_models import llama
from serving import ASKED, CHAT, DOCUMENTS, FIXTURES, MARK, NEW, OLD, FakeGuard, answering, counts, eventually, verdict

from decoding import generate, plain_prompts
from detectors.errors import ModelError
from guard import LanguageModel
from server.context import Outcome
from server.conversation import conversation
from server.errors import Refusal
from server.extractors import EXTRACTORS, find

serve, upstream, shared_upstream, logged = FIXTURES

SMALL = str(Path(__file__).parent.parent / "examples" / "small_lm")
MODEL = "local/small_lm"
QUESTION = "Where is the seat of Iris Energy?"
LETTER = "The firm Iris Energy is based in Gulthorpe."
CHATS = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}
READ = {**CHATS, "documents": [{"id": "letter", "text": LETTER}]}


@pytest.fixture(scope="module")
def small():
    return LanguageModel.load(SMALL)


@pytest.fixture
def local(serve, small, monkeypatch):
    """Return a function that starts a server with the small model, or another one, and waits until it is loaded."""

    def start(guard=None, model=small, **settings):
        monkeypatch.setattr(LanguageModel, "load", classmethod(lambda cls, name: model))
        client = serve(guard, **{"upstream": None, "local_model": SMALL, **settings})
        eventually(lambda: client.get("/readyz").status_code == 200)
        return client

    return start


@pytest.fixture(scope="module")
def endless(small):
    """A model of random weights that goes on and on."""
    model = llama(small.model.config.vocab_size, 100_000, seed=1)
    model.generation_config.eos_token_id = None
    model.lm_head.weight.data[0] = 0.0  # the tokenizer's own end token
    return LanguageModel(model, small.tokenizer, "endless")


@pytest.fixture
def spied(monkeypatch):
    """The conversations that the model was asked."""
    seen = []
    monkeypatch.setattr("server.local.conversation", lambda *given: seen.append(conversation(*given)) or seen[-1])
    return seen


def oracle(small, question, passages, trust, **settings):
    """The answer by the decoding library itself."""
    pair = plain_prompts(small.tokenizer, question, passages or ["-"])
    prompts = (pair.context_ids if passages else pair.prior_ids), pair.prior_ids
    wanted = {"max_new_tokens": 40, "eos_token_id": small.end_tokens, "stop_strings": ("\n",), **settings}
    [made] = generate(small.model, [prompts[0]], [prompts[1]], trust=trust, tokenizer=small.tokenizer, **wanted)
    return made, prompts[0]


def events(response):
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines) and lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


# answers


def test_passages_are_read_and_boosted(local, small):
    body = local().post(CHAT, json=READ).json()
    made, context = oracle(small, QUESTION, [LETTER], 1.0)
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Gulthorpe", "refusal": None}
    assert made.text.strip() == "Gulthorpe" and choice["finish_reason"] == "stop"
    used = {"prompt_tokens": len(context), "completion_tokens": len(made.token_ids)}
    assert body["usage"] == {**used, "total_tokens": sum(used.values())}
    assert body["object"] == "chat.completion" and body["model"] == MODEL and body["id"].startswith("chatcmpl-")


def test_without_passages_the_model_says_what_it_knows(local):
    response = local().post(CHAT, json=CHATS)
    assert response.json()["choices"][0]["message"]["content"] == "Wilthorpe" and verdict(response) == ("none", 0)


def test_an_open_conflict_is_annotated_and_no_side_is_boosted(local, small, spied):
    asked = {**CHATS, "documents": DOCUMENTS, "passageguard": {"include_verdict": True, "include_trace": True}}
    response = local().post(CHAT, json=asked)
    shown = response.json()["passageguard"]
    assert verdict(response) == ("annotated", 1) and shown["trust"] == 0.0 and "nothing settles" in shown["reason"]
    made, context = oracle(small, QUESTION, spied[0].passages, 0.0)
    assert response.json()["usage"]["prompt_tokens"] == len(context) and shown["conflicts"][0]["type"] == "value"
    assert [step["token_id"] for step in shown["choices"][0]["trace"]] == made.token_ids
    assert {step["alpha"] for step in shown["choices"][0]["trace"]} == {0.0}


def test_the_notice_and_notes_stand_before_the_passages(local, spied):
    local().post(CHAT, json={**CHATS, "messages": ASKED, "documents": DOCUMENTS})
    first, second, third = spied[0].passages
    (mark,) = set(MARK.findall(first + second))
    assert first.startswith(f"[PassageGuard {mark}: Some passages below") and first.endswith(OLD)
    assert second == f"[PassageGuard {mark}: 'new': This passage conflicts with 'old' (value).]\n{NEW}"
    assert third == DOCUMENTS[2]["text"]


def test_what_is_dropped_is_not_read(local, spied):
    asked = {**CHATS, "documents": DOCUMENTS, "passageguard": {"on_conflict": "drop"}}
    assert verdict(local().post(CHAT, json=asked)) == ("dropped", 1)
    assert spied[0].passages == (OLD, DOCUMENTS[2]["text"])


def test_a_blocked_context_is_not_decoded(local):
    response = local(on_conflict="block").post(CHAT, json={**CHATS, "documents": DOCUMENTS})
    assert response.status_code == 400 and response.json()["error"]["code"] == "context_conflict"


def test_a_check_that_failed_is_skipped_and_boosts_nothing(local):
    def failing():
        raise RuntimeError

    client = local(FakeGuard(failing))
    response = client.post(CHAT, json={**READ, "passageguard": {"include_verdict": True}})
    assert verdict(response) == ("skipped", 0)
    shown = response.json()["passageguard"]
    assert shown["trust"] == 0.0 and "could not be checked" in shown["reason"]


# streams


def test_a_stream_says_the_same_piece_by_piece(local):
    client = local()
    asked = {**READ, "stream": True, "stream_options": {"include_usage": True}}
    response = client.post(CHAT, json={**asked, "passageguard": {"include_verdict": True}})
    *parts, last = events(response)
    assert response.headers["content-type"].startswith("text/event-stream") and verdict(response) == ("clean", 0)
    deltas = [part["choices"][0]["delta"] for part in parts]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "Gul"}, {"content": "thorpe"}, {}]
    assert [part["choices"][0]["finish_reason"] for part in parts] == [None, None, None, "stop"]
    assert [part["usage"] for part in parts] == [None] * 4 and last["choices"] == []
    assert last["usage"] == client.post(CHAT, json=READ).json()["usage"]
    assert len({part["id"] for part in (*parts, last)}) == 1
    assert ["passageguard" in part for part in parts] == [True, False, False, False]


def test_tokens_come_one_by_one(local, endless):
    client = local(model=endless, local_max_tokens=50_000)
    with client.stream("POST", CHAT, json={**CHATS, "stream": True}) as response:
        lines = [line for line, _ in zip(response.iter_lines(), range(20), strict=False) if line]
    assert len(lines) == 10  # while the answer is far from its end


# settings


def test_stop_strings_and_the_number_of_tokens_end_an_answer(local):
    client = local()
    for extra, text, reason in (
        ({"stop": "thorpe"}, "Gul", "stop"),
        ({"stop": ["zz", "ul"]}, "G", "stop"),
        ({"max_tokens": 1}, "Gul", "length"),
        ({"max_completion_tokens": 1, "max_tokens": 9}, "Gul", "length"),
        ({"max_tokens": 9999}, "Gulthorpe", "stop"),
    ):
        (choice,) = client.post(CHAT, json={**READ, **extra}).json()["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == (text, reason), extra
        streamed = events(client.post(CHAT, json={**READ, **extra, "stream": True}))
        assert "".join(e["choices"][0]["delta"].get("content", "") for e in streamed) == text, extra


def test_samples_depend_on_their_seed_and_choices_differ(local, endless):
    client = local(model=endless)
    asked = {**CHATS, "temperature": 2.0, "seed": 5, "max_tokens": 12, "n": 3}
    first, again = (client.post(CHAT, json=asked).json()["choices"] for _ in range(2))
    assert first == again and [c["index"] for c in first] == [0, 1, 2]
    assert len({c["message"]["content"] for c in first}) == 3
    parts = events(client.post(CHAT, json={**asked, "stream": True}))
    streamed = ["", "", ""]
    for choice in (part["choices"][0] for part in parts):
        streamed[choice["index"]] += choice["delta"].get("content", "")
    assert streamed == [c["message"]["content"] for c in first]


def test_the_trace_says_how_each_token_was_chosen(local, small):
    client = local()
    made, _ = oracle(small, QUESTION, [LETTER], 1.0)
    asked = {**READ, "passageguard": {"include_trace": True}}
    whole = client.post(CHAT, json=asked).json()["passageguard"]
    (choice,) = whole["choices"]
    assert [step["token"] for step in choice["trace"]] == [" Gul", "thorpe", "</s>"]
    assert [s["alpha"] for s in choice["trace"]] == pytest.approx([s.alpha for s in made.trace], abs=1e-5)
    assert [s["flipped"] for s in choice["trace"]] == [True, False, False]
    streamed = events(client.post(CHAT, json={**asked, "stream": True}))
    assert [part["passageguard"] for part in streamed if "passageguard" in part] == [whole]
    by_header = client.post(CHAT, json=READ, headers={"X-Passageguard-Include-Trace": "true"})
    assert by_header.json()["passageguard"] == whole


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        ({"tools": [{"type": "function"}]}, "tools", "unsupported_parameter"),
        ({"functions": [{}]}, "functions", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "unsupported_parameter"),
        ({"model": "local/other"}, "model", "model_not_found"),
        ({"model": "gpt"}, "model", "model_not_found"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"n": 99}, "n", "invalid_value"),
        ({"stop": [""]}, "stop[0]", "invalid_value"),
        ({"stop": 5}, "stop", "invalid_value"),
        ({"temperature": "warm"}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": ["hi"]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_value"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content", "invalid_value"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "messages", "invalid_value"),
        ({"messages": [{"role": "user", "content": "word " * 600}]}, "messages", "context_length_exceeded"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(local, wrong, param, code):
    response = local().post(CHAT, json={**READ, **wrong})
    error = response.json()["error"]
    assert response.status_code == (404 if code == "model_not_found" else 400)
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")


def test_what_asks_for_nothing_special_is_taken(local):
    calm = {
        "tools": [],
        "response_format": {"type": "text"},
        "logprobs": False,
        "logit_bias": {},
        "user": "u",
        "n": None,
    }
    assert local().post(CHAT, json={**READ, **calm}).status_code == 200


# its place


def test_it_stands_beside_an_upstream(local, upstream):
    listed = {"object": "list", "data": [{"id": "m", "object": "model"}], "more": 1}
    upstream.script = answering(json.dumps(listed).encode())
    client = local(upstream=upstream.url)
    models = client.get("/v1/models").json()
    assert [m["id"] for m in models["data"]] == ["m", MODEL] and models["more"] == 1
    assert client.get(f"/v1/models/{MODEL}").json()["id"] == MODEL and len(upstream.received) == 1
    assert client.post(CHAT, json=CHATS).json()["choices"][0]["message"]["content"] == "Wilthorpe"
    assert len(upstream.received) == 1
    assert client.post(CHAT, json={**CHATS, "model": "m"}).json() == listed and len(upstream.received) == 2
    assert client.post(CHAT, json={**CHATS, "model": "local/x"}).json()["error"]["code"] == "model_not_found"
    upstream.script = answering(b"[1]")
    assert client.get("/v1/models").json() == [1]


def test_alone_it_is_the_only_model(local):
    client = local()
    assert [m["id"] for m in client.get("/v1/models").json()["data"]] == [MODEL]
    for path in ("/v1/embeddings", "/v2/chat", "/v1/rerank"):
        assert client.post(path, json=READ).json()["error"]["code"] == "no_upstream"
    for method, path, allowed in (("GET", CHAT, "POST"), ("DELETE", "/v1/models", "GET")):
        response = client.request(method, path)
        assert response.status_code == 405 and response.headers["allow"] == allowed


def test_a_name_of_its_own(local):
    client = local(local_model=f"clerk={SMALL}")
    assert client.post(CHAT, json={**CHATS, "model": "local/clerk"}).status_code == 200


def test_until_it_is_loaded_it_asks_for_patience(serve, monkeypatch):
    def load(cls, name):
        raise ModelError("no such model")

    monkeypatch.setattr(LanguageModel, "load", classmethod(load))
    client = serve(upstream=None, local_model=SMALL)
    response = client.post(CHAT, json=CHATS)
    assert response.status_code == 503 and response.headers["retry-after"] == "1"
    eventually(lambda: "could not be loaded" in client.get("/readyz").text)


def test_a_client_that_leaves_ends_its_decoding(local, endless):
    client = local(model=endless, local_max_tokens=50_000, local_slots=1)
    with client.stream("POST", CHAT, json={**CHATS, "stream": True}) as response:
        next(response.iter_lines())
    answer = client.post(CHAT, json={**CHATS, "max_tokens": 3})  # the one slot is free again
    assert answer.json()["usage"]["completion_tokens"] == 3
    counts(client, 'passageguard_requests_total{route="chat",status="499"} 1')


@pytest.mark.parametrize(("passes", "status"), [(0, 500), (1, 500), (6, 200)])
def test_a_model_that_fails_is_an_error_or_breaks_the_stream_off(local, endless, monkeypatch, passes, status):
    client, forward, left = local(model=endless), endless.model.forward, iter(range(passes))

    def failing(*args, **kwargs):
        if next(left, None) is None:
            raise RuntimeError("out of order")
        return forward(*args, **kwargs)

    failing.__signature__ = inspect.signature(forward)
    monkeypatch.setattr(endless.model, "forward", failing)
    with client.stream("POST", CHAT, json={**CHATS, "stream": True}) as response:
        assert response.status_code == status
        if status == 500:
            error = json.loads(response.read())["error"]
            assert error["code"] == "decoding_failed" and error["type"] == "server_error"
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                response.read()
    monkeypatch.undo()
    assert client.post(CHAT, json={**CHATS, "max_tokens": 3}).status_code == 200


def test_no_text_is_logged_or_counted(local, logged):
    canary = "canary7xq"
    client = local()
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": canary}],
        "documents": [{"text": f"{canary} {OLD}"}],
    }
    client.post(CHAT, json=asked)
    client.post(CHAT, json={**asked, "temperature": canary})
    eventually(lambda: len(logged) >= 2)
    assert canary not in str(logged) and canary not in client.get("/metrics").text
    assert 'passageguard_tokens_total{kind="prompt"}' in client.get("/metrics").text


# what is asked


def said(*messages):
    chat = {"messages": list(messages)}
    return conversation(chat, Outcome(chat, "clean", found=find(chat, EXTRACTORS)))


def user(content):
    return {"role": "user", "content": content}


def test_turns_instructions_and_tools_are_told_apart():
    got = said(
        {"role": "system", "content": "Be brief."},
        user("Hello"),
        {"role": "assistant", "content": "Hi."},
        user("Days?"),
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": OLD},
    )
    assert got.instructions == "Be brief." and got.question == "Days?" and got.passages == (OLD,)
    assert got.history == (("user", "Hello"), ("assistant", "Hi."))


def test_a_context_in_a_message_is_taken_out_of_it():
    text = f'Use this.\n<context>\n<source id="1" name="a">{OLD}</source>\n</context>\n\nHow long?'
    got = said(user(text), {"role": "assistant", "content": "14."}, user("And now?"))
    assert got.passages == (OLD,) and got.question == "And now?" and OLD not in str(got.history)
    assert said({"role": "system", "content": text}, user("Q?")).instructions == "How long?"


def test_a_tool_that_nobody_checked_is_still_read():
    chat = {"messages": [user("Days?"), {"role": "tool", "content": OLD}]}
    got = conversation(chat, Outcome(chat, "none", found=find(chat, ["documents"])))
    assert got.passages == () and got.history == (("user", OLD),)


def test_half_a_surrogate_is_no_failure():
    got = said(user("a\ud800b"), {"role": "assistant", "content": "c\udc00"}, user("d\ud800"))
    assert "\ud800" not in repr(got) and got.question == "d\ufffd"


def test_a_chat_without_a_question_is_refused():
    for messages in ([user("  ")], [{"role": "assistant", "content": "x"}]):
        with pytest.raises(Refusal, match="no user message"):
            said(*messages)
