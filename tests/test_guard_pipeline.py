"""The whole path with the bundled model, and its properties."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from detectors import nli, scoring
from detectors.candidates import candidate_pairs, neighbours
from detectors.evidence import Passage
from detectors.segment import segment
from guard import ConfigError, Guard, GuardConfig, InputError, ModelError, Policy
from guard.audit.readers import find_files, read

ROOT = Path(__file__).parent.parent
LEAVE = [
    Passage("a", "Employees receive 25 days of annual leave."),
    Passage("b", "Employees receive 30 days of annual leave."),
    Passage("c", "The canteen opens at half past seven."),
]


@pytest.fixture(scope="module")
def guard():
    return Guard()


def test_a_value_conflict_is_found_quoted_and_annotated(guard):
    verdict = guard.check(LEAVE)
    assert verdict.status == "conflict" and len(verdict.conflicts) == 1
    conflict = verdict.conflicts[0]
    assert conflict.type == "value" and "25 days" in conflict.explanation and "30 days" in conflict.explanation
    assert [p.id for p in verdict.passages] == ["a", "b", "c"]
    assert json.loads(json.dumps(verdict.to_dict()))["status"] == "conflict"


def test_order_does_not_change_the_conflicts_and_an_unrelated_passage_neither(guard):
    forward, backward = guard.check(LEAVE).conflicts, guard.check(LEAVE[::-1]).conflicts
    assert forward == backward
    more = [*LEAVE, Passage("d", "Granite forms when magma cools slowly below the surface.")]
    assert [(c.a, c.b) for c in guard.check(more).conflicts] == [(c.a, c.b) for c in forward]


def test_scores_cover_every_pair_and_each_passage_alone(guard):
    scores = guard.scores(LEAVE)
    assert set(scores) == {("a", "a"), ("a", "b"), ("a", "c"), ("b", "b"), ("b", "c"), ("c", "c")}
    assert scores["a", "b"] > 0.9 > scores["a", "c"]


def test_a_self_contradiction_has_the_passage_on_both_sides(guard):
    text = "The device must be serviced every 12 months. Keep it dry. The device must be serviced every 24 months."
    (conflict,) = guard.check([Passage("p", text)]).conflicts
    assert conflict.is_self_contradiction
    assert all(text[s.start : s.end] == s.text for s in (conflict.a, conflict.b))


def test_the_deadline_counts_from_the_start_and_what_is_left_is_named(guard):
    class Slow:
        def encode(self, texts):
            time.sleep(0.3)
            return guard._encoder.encode(texts)

    late = Guard(GuardConfig(deadline_s=0.2), encoder=Slow(), scorer=guard.scorer).check(LEAVE)
    assert late.status == "unverified" and not late.conflicts
    assert [u.subject for u in late.unverified] == ["pairs", "stance", "conditional"]
    assert all("deadline reached" in u.reason for u in late.unverified)


def test_the_clock_is_looked_at_between_chunks(guard, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 4)
    passages = [Passage(f"p{i}", f"Employees of office {i} receive {20 + i} days of annual leave.") for i in range(6)]

    class Slow(nli.NLIModel):
        def score(self, pairs, on_batch=None):
            time.sleep(0.3)
            return super().score(pairs, on_batch)

    late = Guard(GuardConfig(deadline_s=0.25), scorer=Slow.like(guard.scorer)).check(passages)
    pairs = late.stats["pairs"]
    assert (
        pairs > 4 and late.unverified[0].reason == f"deadline reached: {pairs - 4} of {pairs} sentence pairs not scored"
    )


def test_a_yes_no_question_exposes_opposite_answers(guard):
    passages = [
        Passage("y", "Yes, a pear would float in water, because it is less dense than water."),
        Passage("n", "A pear would not float in water. It is heavier than water and sinks at once."),
    ]
    assert guard.check(passages, "Would a pear float in water?").status == "conflict"


def test_unknown_language_budget_and_failing_scorer_are_unverified_never_clean():
    german = [Passage("g", "Der Vertrag ist nicht gültig und wird mit dem Ende des Jahres aufgelöst."), LEAVE[2]]
    assert Guard().check(german).status == "unverified"
    calm = [
        Passage("a", "The red gate is open in the morning."),
        Passage("b", "The red gate is open in the evening, too."),
        Passage("c", "In the evening the red gate is green and open."),
    ]
    over = Guard(GuardConfig(max_pairs=1, threshold=1.0)).check(calm)
    assert over.status == "unverified" and "max_pairs" in over.unverified[0].reason

    class Broken:
        def score(self, pairs, on_batch=None):
            raise RuntimeError("out of memory")

    broken = Guard(GuardConfig(threshold=1.0, detectors=("nli",)), scorer=Broken()).check(calm)
    assert broken.status == "unverified" and "out of memory" in broken.unverified[0].reason


def test_cached_equals_uncached_and_batched_equals_single():
    pairs = [(p.text, q.text) for p in LEAVE for q in LEAVE if p is not q]
    model = nli.NLIModel.like(nli.load())
    batched = model.score(pairs)
    assert np.array_equal(batched, model.score(pairs))
    single = np.concatenate([nli.NLIModel.like(model).score([pair]) for pair in pairs])
    assert np.abs(batched - single).max() < 0.02  # bfloat16 rounds by batch shape
    assert np.allclose(batched.sum(1), 1, atol=1e-5)


def test_text_beyond_the_limit_is_windowed_to_its_end():
    model = nli.NLIModel.like(nli.load())
    pair = ("The garden was quiet. " * 300 + "The trial lasts 14 days.", "The trial does not last 14 days.")
    whole = model.score([pair])
    assert model.calls > 1
    parts = model._windows(pair)
    assert parts[-1][0].endswith("The trial lasts 14 days.")
    best = model.score(parts)[:, nli.CONTRADICTION].max()
    assert abs(float(best) - float(whole[0, nli.CONTRADICTION])) < 0.02


def test_faiss_equals_brute_force():
    vectors = np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    _, indices = neighbours(vectors, 5)
    assert np.array_equal(indices, np.argsort(-(vectors @ vectors.T), axis=1)[:, :5])


def test_pairs_grow_with_the_number_of_sentences_not_its_square():
    def pairs(n):
        rng = np.random.default_rng(1)
        sentences = [s for i in range(n) for s in segment(Passage(str(i), f"Item w{i} weighs x{i} and costs y{i}."))]
        vectors = rng.normal(size=(n, 8)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return len(candidate_pairs(sentences, vectors, min_similarity=0.0))

    assert pairs(400) < 3 * pairs(200)


@pytest.mark.parametrize(
    ("passages", "message"),
    [
        ([], "no passages"),
        ([LEAVE[0], LEAVE[0]], "duplicate passage id 'a'"),
        ([Passage("x", 5)], "text must be a string"),
        ([Passage("", "text")], "id must be"),
        ([Passage("big", "x" * 10_000_000)], "max_passage_chars"),
        ("text", "list of Passage"),
    ],
)
def test_bad_passages_are_named(guard, passages, message):
    with pytest.raises(InputError, match=message):
        guard.check(passages)


@pytest.mark.parametrize(
    "settings",
    [{"detectors": ("telepathy",)}, {"detectors": ("stance",)}, {"threshold": 2}, {"max_pairs": 0}, {"deadline_s": -1}],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ConfigError):
        GuardConfig(**settings)
    with pytest.raises(ConfigError):
        Policy(min_passages=-1)


def test_models_that_cannot_serve_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no model directory"):
        nli.load(str(tmp_path / "missing"))
    with pytest.raises(ModelError, match="no contradiction label"):
        nli.columns_of({0: "LABEL_0", 1: "LABEL_1"})
    for file in nli.BUNDLED.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot load"):
        nli.load(str(tmp_path))


def test_importing_guard_loads_neither_torch_nor_fastapi():
    code = "import guard, sys; assert not {'torch', 'fastapi', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_examples_planted_conflicts_and_near_misses(guard):
    plan = json.loads((ROOT / "examples" / "planted.json").read_text())
    passages = [p for f in find_files([ROOT / "examples" / "documents"]) for p in read(f).passages]
    conflicts = guard.check(passages).conflicts

    def norm(text):
        return " ".join(text.split()).strip(" .|")

    def reported(row):
        quotes = {norm(row["a"]["quote"]), norm(row["b"]["quote"])}
        return any(
            all(any(q in norm(s.text) or norm(s.text) in q for s in (c.a, c.b)) for q in quotes) for c in conflicts
        )

    missed = [row["note"] for row in plan["planted"] if not reported(row)]
    flagged = [row["why_not"] for row in plan["near_misses"] if reported(row)]
    assert not missed and not flagged
