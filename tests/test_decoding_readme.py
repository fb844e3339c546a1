"""The decoding example of the README runs as it stands, here with a tiny random model in place of one from a path."""

import re
from pathlib import Path

from random_models import characters, llama
from transformers import AutoModelForCausalLM, AutoTokenizer

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


def test_the_example_runs_and_prints_an_answer_with_its_trace(monkeypatch, capsys):
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda name: llama(128, 256))
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda name: characters(TEMPLATE))
    [example] = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "from decoding" in block]
    names = {}
    exec(example, names)
    answer = names["answer"]
    assert answer.token_ids and len(answer.trace) == len(answer.token_ids)
    assert any(step.alpha > 0 for step in answer.trace)
    assert capsys.readouterr().out == f"{answer.text} {[step.alpha for step in answer.trace]}\n"
