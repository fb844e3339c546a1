"""The benchmark of decoding runs with every option, and the answers that it times are the decoder's."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

import decoding


@pytest.fixture
def speed(monkeypatch):
    """The benchmark as a module, with a model as small as it gets."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    module = importlib.import_module("decode_speed")
    shape = {
        "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }  # fmt: skip
    monkeypatch.setattr(module, "SMALL", shape)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    yield module
    sys.modules.pop("decode_speed")


@pytest.mark.parametrize("options", [[], ["--static"], ["--compile", "eager"]])
def test_every_option_runs_and_the_shares_are_of_a_turn(speed, options, monkeypatch, tmp_path, capsys):
    made = []
    generate = decoding.generate
    monkeypatch.setattr(speed, "generate", lambda *given, **more: made.append(generate(*given, **more)))
    args = ["--batches", "1", "3", "--contexts", "40", "--tokens", "4", "--repeats", "1", "--out", str(tmp_path / "o")]
    monkeypatch.setattr(sys, "argv", ["decode_speed.py", *args, *options])
    speed.main()
    rows = json.loads((tmp_path / "o").read_text())["rows"]
    assert [(row["batch"], row["context"]) for row in rows] == [(1, 40), (3, 40)]
    assert all(0 < row["jsd"] < 1 and 0 < row["formula"] < 1 and 0 < row["choosing"] < 1 for row in rows)
    assert len(capsys.readouterr().out.splitlines()) == 3 + 2
    assert {len(answers) for answers in made} == {1, 3}
    assert {len(answer.token_ids) for answers in made for answer in answers} == {1, 4}


def test_a_compiled_forward_pass_decodes_the_same_tokens(speed, monkeypatch):
    model = speed.model_on("cpu", 64)
    prompts = [[5, 6, 7, 8, 9], [10, 11]]
    made = []
    generate = decoding.generate
    monkeypatch.setattr(speed, "generate", lambda *given, **more: made.append(generate(*given, **more)))
    for compiled in (None, torch.compile(model.forward, dynamic=True, backend="eager")):
        speed.contrastive(model, compiled, prompts, [p[-1:] for p in prompts], 6)
    assert [a.token_ids for a in made[0]] == [a.token_ids for a in made[1]] and "forward" not in vars(model)
