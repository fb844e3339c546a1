"""`guard.answer` with the small model of the examples: whom it trusts, when it keeps quiet, what it reports."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from random_models import t5
from transformers import AutoModelForCausalLM

import guard
from detectors.errors import ConfigError, InputError, ModelError
from guard import Action, Guard, GuardConfig, Knowledge, LanguageModel, Passage, Policy, Source
from guard.answer_knowledge import agreement, classify, closed_book

ROOT = Path(__file__).parent.parent
SMALL = ROOT / "examples" / "small_lm"
FACTS = [json.loads(line) for line in (ROOT / "benchmarks/compare_decoding/questions.jsonl").read_text().splitlines()]


def row(context, number=0):
    [found] = [r for r in FACTS if r["id"] == f"{number}-{context}"]
    return found["question"], [Passage(p["id"], p["text"], p.get("metadata", {})) for p in found["passages"]], found


@pytest.fixture(scope="module")
def small():
    return LanguageModel.load(str(SMALL))


def test_importing_guard_loads_no_torch_and_answer_is_the_function():
    code = (
        "import sys, guard; assert 'torch' not in sys.modules and 'transformers' not in sys.modules;"
        "import guard.answering; from guard import answer; assert callable(answer) and guard.answer is answer"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_agreeing_passages_are_read_and_trusted(small):
    question, passages, told = row("agreeing")
    found = guard.answer(question, passages, small)
    assert found.text == told["answers"][0] and found.abstention == ""
    assert (found.gate.source, found.gate.trust) == (Source.CONTEXT, 1)
    assert found.verdict.status == "clean" and found.knowledge.knowledge is Knowledge.KNOWS


def test_the_summary_is_that_of_the_trace_and_reliance_is_what_the_passages_add(small):
    question, passages, _ = row("conflicting")
    found = guard.answer(question, passages, small)
    trace = found.generation.trace
    assert found.summary.mean_alpha == pytest.approx(sum(s.alpha for s in trace) / len(trace))
    assert found.summary.flipped == sum(s.flipped for s in trace) / len(trace)
    pair = small.prompts(question, [p.text for p in passages])
    total = 0.0
    for number, token in enumerate(found.generation.token_ids):  # one token at a time, without a cache
        for sign, ids in ((1, pair.context_ids), (-1, pair.prior_ids)):
            fed = torch.tensor([[*ids, *found.generation.token_ids[:number]]])
            with torch.inference_mode():
                total += sign * small.model(fed).logits[0, -1].double().log_softmax(-1)[token].item()
    assert found.summary.context_reliance == pytest.approx(total / len(trace), abs=1e-4)
    assert found.summary.prior_strength == found.knowledge.prior_strength <= 0


def test_an_open_conflict_is_answered_from_memory_as_without_passages(small):
    question, passages, told = row("self_contradicting")
    found = guard.answer(question, passages, small)
    assert (found.gate.source, found.gate.trust) == (Source.MEMORY, 0)
    assert found.text == guard.answer(question, [], small).text == told["answers"][0]
    assert found.summary.context_reliance == 0 and found.summary.mean_alpha == 0


@pytest.mark.parametrize("settings", [{"memory": False}, {"samples": 0}])
def test_otherwise_it_keeps_quiet_and_names_the_conflict(small, settings):
    question, passages, _ = row("poisoned")
    found = guard.answer(question, passages, small, **settings)
    assert found.text is None and found.generation is None and found.summary is None
    assert found.gate.source is Source.NEITHER and found.verdict.status == "conflict"
    assert "'forum-0'" in found.abstention and "'register'" in found.abstention


def test_a_conflict_that_authority_settles_is_answered_from_the_authority(small):
    question, passages, _ = row("poisoned", 9)
    found = guard.answer(question, passages, small)
    assert [p.id for p in found.verdict.passages] == ["register"]
    assert (found.gate.source, found.gate.trust) == (Source.CONTEXT, 1)
    alone = guard.answer(question, [p for p in passages if p.id == "register"], small)
    assert found.generation.token_ids == alone.generation.token_ids


def test_a_policy_that_only_reports_reads_without_boosting(small):
    question, passages, _ = row("poisoned")
    quiet = Guard(GuardConfig(policy=Policy(Action.REPORT)))
    found = guard.answer(question, passages, small, guard=quiet)
    greedy = guard.answer(question, passages, small, guard=quiet, formula="greedy")
    assert found.gate.trust == 0 and found.summary.mean_alpha == 0
    assert found.generation.token_ids == greedy.generation.token_ids
    blocked = guard.answer(question, passages, small, guard=Guard(GuardConfig(policy=Policy(Action.BLOCK))))
    assert blocked.text is None and "blocks" in blocked.abstention


def test_the_answer_as_json_is_plain_and_complete(small):
    question, passages, _ = row("conflicting")
    found = guard.answer(question, passages, str(SMALL)).to_dict()
    again = json.loads(json.dumps(found))
    assert again == found and again["knowledge"]["state"] == "knows" and again["verdict"]["version"] == 1
    assert set(again["summary"]) == {"mean_alpha", "flipped", "context_reliance", "prior_strength"}


def test_each_passage_is_named_with_what_it_did_to_each_token(small):
    """Against full forward passes of the prompts that lack a passage, one token at a time, without a cache."""
    question, passages, _ = row("poisoned")
    quiet = Guard(GuardConfig(policy=Policy(Action.REPORT)))
    plain = guard.answer(question, passages, small, guard=quiet)
    found = guard.answer(question, passages, small, guard=quiet, explain=True)
    assert plain.attribution is None and found.generation.token_ids == plain.generation.token_ids
    assert "".join(found.tokens).removesuffix("</s>").strip() == found.text
    assert [one.passage for one in found.attribution] == [p.id for p in passages]
    texts = [p.text for p in passages]
    whole = small.prompts(question, texts).context_ids
    for place, one in enumerate(found.attribution):
        lacking = small.prompts(question, [t for t in texts if t != texts[place]]).context_ids
        for number, token in enumerate(found.generation.token_ids):
            log_p, without = (
                small.model(torch.tensor([[*ids, *found.generation.token_ids[:number]]])).logits[0, -1].log_softmax(-1)
                for ids in (whole, lacking)
            )
            assert one.tokens[number] == pytest.approx((log_p[token] - without[token]).item(), abs=1e-3)
        assert one.nats == pytest.approx(sum(one.tokens))
    assert max(abs(one.nats) for one in found.attribution) > 0.05
    told = json.loads(json.dumps(found.to_dict()))
    assert told["tokens"] == list(found.tokens) and [len(one["tokens"]) for one in told["attribution"]] == [
        len(told["tokens"])
    ] * len(passages)


def test_only_what_was_read_is_explained_and_it_costs_rows_where_asked_alone(small):
    rows = []
    hook = small.model.register_forward_hook(lambda module, given, output: rows.append(len(output.logits)))
    try:
        question, passages, _ = row("poisoned", 9)
        for explain, width in ((False, 2), (True, 3)):  # of three passages the register alone is left
            rows.clear()
            found = guard.answer(question, passages, small, samples=0, explain=explain)
            assert max(rows) == width
        [one] = found.attribution
        assert one.passage == "register"
        assert one.nats / len(one.tokens) == pytest.approx(found.summary.context_reliance, abs=1e-3)
    finally:
        hook.remove()
    question, passages, _ = row("self_contradicting")
    for given in (passages, []):  # answered from memory
        assert guard.answer(question, given, small, explain=True).attribution == ()


def test_samples_tell_what_is_known_from_what_is_not(small):
    strong, _, _ = row("absent")
    known = closed_book(small, strong, samples=5)
    unknown = closed_book(small, "Which river flows through Nowhere?", samples=8)
    assert known.knowledge is Knowledge.KNOWS and len(set(known.samples)) == 1
    assert unknown.knowledge is not Knowledge.KNOWS and unknown.prior_strength < known.prior_strength
    assert closed_book(small, strong, samples=3, seed=4) == closed_book(small, strong, samples=3, seed=4)


def test_knowledge_by_hand():
    assert agreement("14 days", ["the 14 days.", "14 Days", "30 days", ""]) == 0.5
    assert [classify(n / 4).value for n in range(5)] == ["ignorant", "ignorant", "unsure", "unsure", "knows"]


def test_prior_strength_is_the_mean_over_tokens_of_what_sampling_uses(small):
    question, _, _ = row("absent")
    known = closed_book(small, question)
    ids, answer = small.prior(question), small.tokenizer(f" {known.text}")["input_ids"] + [small.tokenizer.eos_token_id]
    strength = 0.0
    for number, token in enumerate(answer):
        with torch.inference_mode():
            logits = small.model(torch.tensor([[*ids, *answer[:number]]])).logits[0, -1]
        strength += math.log(logits.double().softmax(-1)[token].item()) / len(answer)
    assert known.prior_strength == pytest.approx(strength, abs=1e-4)


@pytest.mark.parametrize(
    ("question", "settings", "error"),
    [
        ("", {}, InputError),
        (None, {}, InputError),
        ("Where?", {"samples": -1}, ConfigError),
        ("Where?", {"formula": "none"}, ModelError),
        ("Where?", {"max_new_tokens": 600}, ModelError),
        ("Where? " * 400, {}, ModelError),
    ],
)
def test_what_cannot_be_asked_is_refused(small, question, settings, error):
    with pytest.raises(error):
        guard.answer(question, [Passage("a", "The pump is red.")], small, **settings)


def test_models_that_cannot_be_used_are_refused_with_advice(tmp_path):
    with pytest.raises(ModelError, match="check the path"):
        LanguageModel.load("./nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"must hold config\.json"):
        LanguageModel.load(str(tmp_path / "empty"))
    t5().save_pretrained(tmp_path / "t5")
    with pytest.raises(ModelError, match=r"encoder-decoder.*causal"):
        LanguageModel.load(str(tmp_path / "t5"))


def test_a_full_gpu_is_named(small, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(small.model.model, "forward", full)
    with pytest.raises(ModelError, match="out of memory; give fewer"):
        guard.answer("Where?", [], small)


def test_a_chat_model_is_asked_through_its_template(small):
    from copy import deepcopy

    tokenizer = deepcopy(small.tokenizer)
    tokenizer.chat_template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"
    pair = LanguageModel(small.model, tokenizer, "chat").prompts("Where?", ["Here."], "Be brief.")
    assert pair.prior_text == "<system>Be brief.<user>Where?<assistant>" and "Here." in pair.context_text


def test_the_bundled_example_is_small_and_loads_in_half_precision():
    assert sum(f.stat().st_size for f in SMALL.iterdir()) < 12_000_000
    assert AutoModelForCausalLM.from_pretrained(SMALL, dtype="auto").dtype == torch.float16
