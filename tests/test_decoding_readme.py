"""The decoding example of the README runs as it stands, here with a tiny random model in place of one from a path."""

import re
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def tiny_tokenizer(name):
    core = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1} | {chr(i): i for i in range(32, 127)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    made.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    return made


def tiny_model(name):
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=128, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=256, initializer_range=0.5,
        )
    )  # fmt: skip


def test_the_example_runs_and_prints_an_answer_with_its_trace(monkeypatch, capsys):
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", tiny_model)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", tiny_tokenizer)
    [example] = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "from decoding" in block]
    names = {}
    exec(example, names)
    answer = names["answer"]
    assert answer.token_ids and len(answer.trace) == len(answer.token_ids)
    assert any(step.alpha > 0 for step in answer.trace)
    assert capsys.readouterr().out == f"{answer.text} {[step.alpha for step in answer.trace]}\n"
