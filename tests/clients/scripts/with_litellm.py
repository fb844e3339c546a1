"""LiteLLM: its SDK over the server; its proxy over the server, with PassageGuard as its guardrail."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import httpx
import litellm

BASE = f"{os.environ['SERVER']}/v1"
DOCUMENTS = [{"id": "terms", "text": "Refunds take 14 days."}, {"id": "faq", "text": "Refunds take 30 days."}]
LETTER = [{"id": "letter", "text": "The firm Iris Energy is based in Gulthorpe."}]
ASKED = [{"role": "user", "content": "How long does a refund take?"}]
SEAT = [{"role": "user", "content": "Where is the seat of Iris Energy?"}]
CONTEXT = "<context>\nRefunds take 14 days.\n\nRefunds take 30 days.\n</context>\n\nHow long?"
CONFIG = """
model_list:
  - model_name: any
    litellm_params: {{model: openai/any, api_base: {base}, api_key: sk-test}}
  - model_name: local
    litellm_params: {{model: openai/local/small_lm, api_base: {base}, api_key: sk-test}}
  - model_name: bare
    litellm_params: {{model: openai/any, api_base: {upstream}/v1, api_key: sk-test}}
guardrails:
  - guardrail_name: passageguard
    litellm_params:
      guardrail: generic_guardrail_api
      mode: pre_call
      api_base: {server}
      api_key: none
      default_on: true
      additional_provider_specific_params: {{on_conflict: {action}}}
litellm_settings: {{drop_params: false}}
"""


def completion(name, messages, **more):
    return litellm.completion(model=f"openai/{name}", messages=messages, api_base=BASE, api_key="sk-test", **more)


# the SDK
answer = completion("any", ASKED, extra_body={"documents": DOCUMENTS})
assert answer.choices[0].message.content == "3 notes"
assert answer._hidden_params["additional_headers"]["llm_provider-x-passageguard-verdict"] == "annotated"
stream = completion("any", ASKED, extra_body={"documents": DOCUMENTS}, stream=True)
assert "".join(c.choices[0].delta.content or "" for c in stream) == "3 notes"
try:
    completion("any", ASKED, extra_body={"documents": DOCUMENTS, "passageguard": {"on_conflict": "block"}})
except litellm.BadRequestError as error:
    assert "contradict" in str(error)
else:
    raise AssertionError("not blocked")
local = completion("local/small_lm", SEAT, extra_body={"documents": LETTER})
assert local.choices[0].message.content == "Gulthorpe" and local.usage.completion_tokens == 3
traced = {"documents": LETTER, "passageguard": {"include_verdict": True, "include_trace": True}}
stream = completion("local/small_lm", SEAT, extra_body=traced, stream=True, stream_options={"include_usage": True})
chunks = list(stream)
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Gulthorpe"


# the proxy
def proxied(action, port, ask):
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(
            CONFIG.format(base=BASE, server=os.environ["SERVER"], upstream=os.environ["UPSTREAM"], action=action)
        )
        log = (Path(folder) / "log").open("w")
        command = [str(Path(sys.executable).with_name("litellm")), "--config", str(config), "--port", str(port)]
        environment = {**os.environ, "LITELLM_MASTER_KEY": "sk-master", "NO_PROXY": "*"}
        process = subprocess.Popen([*command, "--host", "127.0.0.1"], env=environment, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                client.headers["Authorization"] = "Bearer sk-master"
                wait_for(client, process)
                ask(client)
        except BaseException:
            print((Path(folder) / "log").read_text()[-6000:])
            raise
        finally:
            process.terminate()
            process.wait()


def wait_for(client, process):
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/health/liveliness").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError("litellm does not answer")


def said(client, name, messages, **more):
    answer = client.post("/v1/chat/completions", json={"model": name, "messages": messages, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


def annotated(client):
    assert said(client, "any", ASKED, documents=DOCUMENTS) == "3 notes"
    assert said(client, "local", SEAT, documents=LETTER) == "Gulthorpe"
    assert said(client, "bare", [{"role": "user", "content": CONTEXT}]) == "3 notes"  # by the guardrail alone
    assert said(client, "bare", ASKED) == "0 notes"
    asked = {"model": "local", "messages": SEAT, "documents": LETTER, "stream": True}
    streamed = client.post("/v1/chat/completions", json=asked).text
    assert '"content":"Gul"' in streamed and "[DONE]" in streamed, streamed


def blocked(client):
    asked = {"model": "bare", "messages": [{"role": "user", "content": CONTEXT}]}
    answer = client.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 400 and "contradict" in answer.text, answer.text


port = int(os.environ["CHROMA_PORT"]) + 1
proxied("annotate", port, annotated)
proxied("block", port + 1, blocked)
