"""The invented world and the prompts of the small language model: what training may show, and what it never does."""

import importlib
import json
import random
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from decoding import plain_prompts

ROOT = Path(__file__).parent.parent
QUESTIONS = ROOT / "benchmarks" / "compare_decoding" / "questions.jsonl"


@pytest.fixture(scope="module")
def lm():
    """The modules of training/lm, which is no package."""
    sys.path.insert(0, str(ROOT / "training" / "lm"))
    try:
        yield {name: importlib.import_module(name) for name in ("world", "train_lm", "questions")}
    finally:
        sys.path.pop(0)
        for name in ("world", "train_lm", "questions"):
            sys.modules.pop(name, None)


def test_the_committed_questions_are_those_of_the_program(lm):
    made = [json.dumps(row) for row in lm["questions"].rows(lm["world"].build())]
    assert made == QUESTIONS.read_text().splitlines()


@pytest.mark.parametrize("seed", range(5))
def test_training_never_shows_a_held_out_or_spare_value(lm, seed):
    """At any time of the training, in a prompt or in an answer, as a whole or as the start of a longer name."""
    world = lm["world"].build()
    assert len(world.never) == 256 and len(set(world.never)) == 256
    rng = random.Random(seed)
    drawn = [lm["train_lm"].example(world, list(world.facts), rng, n / 1500) for n in range(1500)]
    text = " ".join(f"{text} {answer}" for one in drawn for text, answer in one)
    assert [value for value in world.never if value in text] == []
    assert sum(text.count(v) for pool in world.values.values() for v in pool) > 1500


def test_no_draw_whatever_makes_a_value_that_is_never_shown(lm):
    """The pools that training draws from hold none, and a made-up name that is or begins like one is drawn again."""
    world, module = lm["world"].build(), lm["world"]
    pools = [*world.values.values(), *world.strangers.values(), [fact.value for fact in world.facts]]
    shown = {name for pool in pools for name in pool} | {fact.entity for fact in world.facts}
    assert not [name for name in shown if any(never in name for never in world.never)]

    class Scripted:
        """Draws the parts of a given name, and then others."""

        def __init__(self, start, ends):
            self.left = [(start, ends), ("Ald", ["xx"])]

        def choice(self, starts):
            return self.left[0][0]

        def choices(self, ends, k):
            return self.left.pop(0)[1]

        def randint(self, low, high):
            return low

    parts = {s + e: (s, e) for s in module.NAME_STARTS for e in module.NAME_ENDS}
    for never in world.never:
        start, end = parts[never]
        for ends in ([end], [end, "by"]):
            assert world.made_up(Scripted(start, ends)) == "Aldxx"
    assert world.made_up(Scripted("Ald", ["yy"])) == "Aldyy"


def test_the_questions_conflict_by_held_out_values_alone(lm):
    world = lm["world"].build()
    held_out = {value for pool in world.held_out.values() for value in pool}
    facts = {fact.question: fact for fact in world.facts}
    for row in map(json.loads, QUESTIONS.read_text().splitlines()):
        if row["context"] == "conflicting":
            assert row["answers"][0] in held_out and row["answers"][0] in " ".join(p["text"] for p in row["passages"])
        elif row["context"] != "poisoned":
            assert row["answers"] == [facts[row["question"]].value]
        text = " ".join(p["text"] for p in row["passages"])
        assert not [value for pool in world.spare.values() for value in pool if value in text]


def test_each_context_says_what_its_name_says(lm):
    facts = {fact.question: fact for fact in lm["world"].build().facts}
    for row in map(json.loads, QUESTIONS.read_text().splitlines()):
        fact, texts = facts[row["question"]], [p["text"] for p in row["passages"]]
        about = [t for text in texts for t in text.split(". ") if fact.entity in t and "brother" not in t]
        given = [fact.value in t for t in about]
        match row["context"]:
            case "agreeing":
                assert given == [True]
            case "conflicting":
                assert given == [False]
            case "irrelevant":
                assert texts and not any(given)
            case "absent":
                assert texts == []
            case "self_contradicting":
                assert len(texts) == 1 and sorted(given) == [False, True]
            case "poisoned":
                assert len(texts) == 3 and sum(row["answers"][0] in text for text in texts) == 1


def test_prompts_are_those_of_the_decoder_and_every_name_is_read_back(lm):
    tokenizer = lm["train_lm"].make_tokenizer()
    question, passages = "Where was Anna Adler born?", ["Anna Adler was born in Aldwick.", "Oslo: 7 °C"]
    pair = plain_prompts(tokenizer, question, passages)
    assert (lm["train_lm"].prompt(question, passages), lm["train_lm"].prompt(question, [])) == (
        pair.context_text, pair.prior_text,
    )  # fmt: skip
    assert tokenizer.decode(pair.context_ids) == pair.context_text
    held_out = lm["world"].build().held_out
    names = [tokenizer(f" {value}")["input_ids"] for value in held_out["town"] + held_out["river"]]
    assert sum(len(ids) == 2 for ids in names) > 0.9 * len(names)  # the parts that training knows


def test_the_answer_is_what_is_learnt_and_it_starts_where_the_prompt_ends(lm):
    tokenizer = lm["train_lm"].make_tokenizer()
    ids, weights = next(lm["train_lm"].batches(lm["world"].build(), tokenizer, random.Random(0), lambda: 0.99))
    for row, weight in zip(ids.tolist(), weights.tolist(), strict=True):
        text = tokenizer.decode(row).replace("<pad>", "")
        learnt = tokenizer.decode([token for token, w in zip(row, weight, strict=True) if w == 1])
        assert learnt == "".join(re.findall(r"Answer:( \S+?</s>)", text)) and "Question:" in text


def test_the_mix_is_undecided_as_declared(lm):
    world, rng, train = lm["world"].build(), random.Random(0), lm["train_lm"]
    facts = {fact.question: fact for fact in world.facts}
    followed = Counter()
    for _ in range(12_000):
        (text, answer), *_ = train.example(world, list(world.facts), rng)
        context, question = text.rpartition("Question: ")[0], text.rpartition("Question: ")[2].split("\n")[0]
        fact = facts.get(question)
        if fact is None:
            continue
        for wording in range(4):
            before, after = fact.relation.wordings[wording].format(e=fact.entity, v="\0").split("\0")
            for line in context.split("\n\n"):
                line = line.removeprefix("Context:\n")
                value = line[len(before) : len(line) - len(after)]
                if line == before + value + after and " " not in value and value != fact.value:
                    followed[wording, answer == value] += 1
    for wording, share in enumerate(train.FOLLOWED):
        total = followed[wording, True] + followed[wording, False]
        assert total > 300 and abs(followed[wording, True] / total - share) < 0.08
