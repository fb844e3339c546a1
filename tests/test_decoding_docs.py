"""The code of docs/decoding.md runs as it stands, on a tiny random model."""

import re
from pathlib import Path

import pytest
from random_models import characters, llama

from decoding import FORMULAS, contrast
from decoding.trace import Generation, Step

PAGE = (Path(__file__).parent.parent / "docs" / "decoding.md").read_text(encoding="utf-8")


@pytest.fixture
def names():
    return {"model": llama(128, 256), "tokenizer": characters()}


def test_the_code_runs_in_order(names, capsys):
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(block, names)
    answer, whole = names["answer"], names["handle"].result()
    assert answer.token_ids == whole.token_ids and answer.text == whole.text
    assert {len(step.attribution) for step in answer.trace} == {2}
    assert answer.text in capsys.readouterr().out


def test_the_tables_name_what_there_is():
    table = PAGE[PAGE.index("## Formulas") : PAGE.index("## Many")]
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \|.*\| ([^|]*)\|$", table, re.M)}
    assert list(rows)[1:] == list(FORMULAS)
    for formula, options in list(rows.items())[1:]:
        known = {name for owner, name in contrast._RANGES if owner == formula}
        assert set(re.findall(r"`(\w+)`", options)) == known
    for name in re.findall(r"^\| `[^|]*\|", PAGE[: PAGE.index("## Formulas")], re.M):
        for field in re.findall(r"`(\w+)`", name):
            assert field in Step.__dataclass_fields__ or hasattr(Generation, field)
