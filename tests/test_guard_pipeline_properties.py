"""Properties of the whole path, with an encoder and a scorer simple enough to be their own oracle."""

import re
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import nli
from detectors.candidates import candidate_pairs
from detectors.duplicates import near_duplicates
from detectors.evidence import Passage, ScoredPair, Unverified
from detectors.segment import segment
from guard import Action, ConfigError, Guard, GuardConfig, Policy

SUBJECTS = (
    "warranty of the pump",
    "trial of the suite",
    "lease of the crane",
    "cover of the boat",
    "permit of the lab",
)
VERBS = ("lasts", "runs for", "was extended to")
FAR = ("Granite forms when magma cools.", "Owls hunt at dusk.", "Copper conducts heat well.", "Rivers carve valleys.")


class BagOfWords:
    """Counts hashed words; unrelated sentences share none."""

    def encode(self, texts):
        vectors = np.zeros((len(texts), 512), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"[a-z]+", text.lower()):
                vectors[row, crc32(word.encode()) % 512] += word not in ("the", "of", "for", "to")
        norm = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norm == 0, 1, norm)


def clash(premise, hypothesis):
    """The oracle: the same sentence with another number."""
    masked = [re.sub(r"\d+", "#", t) for t in (premise, hypothesis)]
    return masked[0] == masked[1] and premise != hypothesis


class Oracle:
    calls = 0

    def score(self, pairs, on_batch=None):
        self.calls += len(pairs)
        rows = np.full((len(pairs), 3), (0.05, 0.94, 0.01), dtype=np.float32)
        for row, pair in enumerate(pairs):
            if clash(*pair):
                rows[row] = (0.01, 0.01, 0.98)
        return rows


def guard(**settings):
    return Guard(GuardConfig(**settings), encoder=BagOfWords(), scorer=Oracle())


claims = st.builds(
    lambda s, v, n, u: f"The {s} {v} {n} {u}.",
    st.sampled_from(SUBJECTS), st.sampled_from(VERBS), st.integers(2, 90), st.sampled_from(("days", "weeks")),
)  # fmt: skip
texts = st.lists(st.one_of(claims, st.sampled_from(FAR)), min_size=1, max_size=5).map(" ".join)
sets = st.lists(texts, min_size=2, max_size=5).map(lambda ts: [Passage(f"p{i}", t) for i, t in enumerate(ts)])


def found(verdict):
    return {(c.type, c.a, c.b, round(c.score, 6)) for c in verdict.conflicts}


@given(sets, st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_passages_changes_no_conflict(passages, random):
    shuffled = list(passages)
    random.shuffle(shuffled)
    assert found(guard().check(passages)) == found(guard().check(shuffled))


@given(sets)
@settings(max_examples=40, deadline=None)
def test_offsets_slice_back_in_conflicts_and_in_the_context(passages):
    verdict = guard().check(passages)
    by_id = {p.id: p.text for p in passages}
    for conflict in verdict.conflicts:
        for span in (conflict.a, conflict.b):
            assert by_id[span.passage_id][span.start : span.end] == span.text
    assert sorted(p.id for p in (*verdict.passages, *verdict.removed)) == sorted(by_id)
    assert all(by_id[p.id] == p.text for p in (*verdict.passages, *verdict.removed))


@given(sets, st.sampled_from(FAR))
@settings(max_examples=40, deadline=None)
def test_an_unrelated_passage_changes_no_conflict(passages, far):
    before = guard().check([p for p in passages if p.text])
    after = guard().check([*passages, Passage("unrelated", f"Meanwhile, {far.lower()}")])
    assert found(before) == {f for f in found(after) if "unrelated" not in (f[1].passage_id, f[2].passage_id)}


@given(sets)
@settings(max_examples=40, deadline=None)
def test_every_clash_of_the_oracle_is_reported_and_nothing_that_it_does_not_see(passages):
    sentences = [s for p in passages for s in segment(p)]
    wanted = {
        frozenset((a.span, b.span))
        for i, a in enumerate(sentences) for b in sentences[i + 1 :] if clash(a.text, b.text)
    }  # fmt: skip
    assert {frozenset((c.a, c.b)) for c in guard(detectors=("nli",)).check(passages).conflicts} == wanted


@given(sets)
@settings(max_examples=20, deadline=None)
def test_scores_agree_with_check(passages):
    one = guard()
    verdict, scores = one.check(passages), one.scores(passages)
    ids = [p.id for p in passages]
    for conflict in verdict.conflicts:
        key = tuple(sorted((conflict.a.passage_id, conflict.b.passage_id), key=ids.index))
        assert scores[key] >= conflict.score >= one.threshold
    assert {k for k, s in scores.items() if s >= one.threshold} == {
        tuple(sorted((c.a.passage_id, c.b.passage_id), key=ids.index)) for c in verdict.conflicts
    }


@given(sets)
@settings(max_examples=20, deadline=None)
def test_dropping_leaves_a_context_without_conflict(passages):
    kept = guard(policy=Policy(Action.DROP, min_passages=0)).check(passages).passages
    if kept:
        assert not guard().check([Passage(p.id, p.text) for p in kept]).conflicts


def test_candidates_are_those_of_brute_force():
    passages = [
        Passage(str(i), f"The {s} {v} {n} days.")
        for i, (s, v, n) in enumerate((s, v, n) for s in SUBJECTS for v in VERBS for n in (7, 9))
    ]
    sentences = [s for p in passages for s in segment(p)]
    vectors = BagOfWords().encode([s.text for s in sentences])
    similar = vectors @ vectors.T
    pairs = {(p.a.passage_id, p.b.passage_id) for p in candidate_pairs(sentences, vectors, k=29, min_similarity=0.6)}
    wanted = {
        (a.passage_id, b.passage_id)
        for i, a in enumerate(sentences) for j, b in enumerate(sentences) if i < j and similar[i, j] >= 0.6
    }  # fmt: skip
    assert wanted <= pairs  # and a few more that share rare words


def test_a_detector_of_another_package_is_heard_and_its_failure_is_told(monkeypatch):
    class Shouting:
        def find(self, material):
            yield ScoredPair(material.pairs[0], 0.99, ("shouting",))
            yield Unverified("shouting", "looked at one pair only")

    class Broken:
        def find(self, material):
            raise RuntimeError("no luck")

    calm = [Passage("a", "Owls hunt at dusk in June."), Passage("b", "Owls hunt at dusk in May, too.")]
    one = guard()
    one.__dict__["_detectors"] = {"shouting": Shouting(), "broken": Broken()}
    verdict = one.check(calm)
    assert verdict.conflicts[0].detectors == ("shouting",)
    assert {u.subject for u in verdict.unverified} == {"shouting", "broken"}
    assert "no luck" in verdict.unverified[-1].reason
    with pytest.raises(ConfigError, match="unknown detector"):
        GuardConfig(detectors=("nli", "shouting"))


def test_a_deadline_leaves_everything_unscored_and_says_so():
    clashing = [
        Passage("a", "The lease of the crane lasts 3 days."),
        Passage("b", "The lease of the crane lasts 4 days."),
    ]
    verdict = guard(deadline_s=1e-9).check(clashing)
    assert verdict.status == "unverified" and not verdict.conflicts
    assert {u.subject for u in verdict.unverified} == {"pairs", "stance", "conditional"}


def test_near_copies_are_one_cluster_unless_they_conflict():
    text = "The warranty of the pump lasts 14 days and covers all moving parts, seals, valves, gauges and hoses. "
    texts = {"a": text + "It starts at delivery.", "b": text + "It starts at delivery.", "c": text.replace("14", "30")}
    passages = [Passage(i, t) for i, t in texts.items()] + [Passage("d", FAR[0])]
    assert near_duplicates(passages, [])[0][:2] == ("a", "b")
    verdict = guard().check(passages)
    assert verdict.clusters == (("a", "b"),)
    assert all("c" in (c.a.passage_id, c.b.passage_id) for c in verdict.conflicts) and verdict.conflicts


def test_two_passages_may_conflict_only_given_a_third():
    passages = [
        Passage("rule", "Every Tier 2 supplier is audited after 12 months."),
        Passage("fact", "Brandt GmbH is audited after 36 months."),
        Passage("bridge", "Brandt GmbH is a Tier 2 supplier."),
    ]

    class Reads(Oracle):
        def score(self, pairs, on_batch=None):
            rows = np.full((len(pairs), 3), (0.05, 0.94, 0.01), dtype=np.float32)
            for row, pair in enumerate(pairs):
                if all("Brandt GmbH is audited" in text for text in pair) and pair[0] != pair[1]:
                    rows[row] = (0.01, 0.01, 0.98)
            return rows

    def check(given):
        return Guard(encoder=BagOfWords(), scorer=Reads()).check(given)

    (conflict,) = (c for c in check(passages).conflicts if c.given)
    assert conflict.type == "conditional" and conflict.given.text == passages[2].text
    assert {conflict.a.text, conflict.b.text} == {p.text for p in passages[:2]}
    assert not check(passages[:2]).conflicts


@pytest.mark.model
def test_in_float32_a_batch_gives_what_single_pairs_give_and_the_cache_what_was_computed():
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(nli.BUNDLED)
    exact = AutoModelForSequenceClassification.from_pretrained(nli.BUNDLED, dtype=torch.float32).eval()
    sides = [*FAR, "The lease of the crane lasts 3 days.", "A lease may last for as long as both sides want it to."]
    pairs = [(a, b) for a in sides for b in sides if a != b]
    model = nli.NLIModel(exact, tokenizer, "test")
    batched = model.score(pairs)
    single = np.concatenate([nli.NLIModel.like(model).score([pair]) for pair in pairs])
    assert np.abs(batched - single).max() < 1e-5
    calls = model.calls
    assert np.array_equal(model.score(pairs[::-1]), batched[::-1]) and model.calls == calls
