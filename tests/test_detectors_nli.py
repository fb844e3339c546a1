"""Any NLI cross-encoder by path: DeBERTa-v2/v3 and sentence-transformers directories, against a plain forward pass."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import CrossEncoder
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DebertaV2TokenizerFast,
)

from detectors import calibration, nli
from detectors.calibration import features
from detectors.candidates import candidate_pairs
from detectors.comparison import Comparison
from detectors.encoder import load as load_encoder
from detectors.evidence import Passage
from detectors.segment import segment
from guard import Guard, GuardConfig

SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
LABELS = {0: "contradiction", 1: "entailment", 2: "neutral"}
LIMIT = 96  # tokens
PASSAGES = [
    Passage("a", "Employees receive 25 days of annual leave."),
    Passage("b", "Employees receive 30 days of annual leave."),
    Passage("c", "The gate is not open at night, and nobody may enter."),
]
PAIRS = [(p.text, q.text) for p in PASSAGES for q in PASSAGES]


def tokenizer():
    """A Unigram tokenizer of a few pieces, as DeBERTa-v2 and v3 have it: words of the passages, and letters."""
    text = " ".join(p.text for p in PASSAGES)
    words = [(f"▁{word}", -2.0) for word in sorted(set(text.lower().split()))]
    letters = [(letter, -6.0) for letter in sorted(set(text) | {"▁"} - {" "})]
    vocabulary = [(piece, 0.0) for piece in SPECIAL] + words + letters
    return DebertaV2TokenizerFast(vocab=vocabulary, unk_id=SPECIAL.index("[UNK]"))


@pytest.fixture(scope="module")
def deberta(tmp_path_factory):
    """A tiny DeBERTa-v3 of random weights, its labels in another order than the bundled model's."""
    pieces = tokenizer()
    config = DebertaV2Config(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=LIMIT, type_vocab_size=0, relative_attention=True, pos_att_type=["p2c", "c2p"],
        position_biased_input=False, position_buckets=16, norm_rel_ebd="layer_norm", share_att_key=True,
        pad_token_id=pieces.pad_token_id, initializer_range=0.3,
        id2label=LABELS, label2id={label: column for column, label in LABELS.items()},
    )  # fmt: skip
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("deberta")
    model = DebertaV2ForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias.copy_(torch.tensor([0.8, -0.8, 0.0]))
    model.save_pretrained(folder)
    pieces.save_pretrained(folder)
    return folder


def plainly(folder, pairs):
    """The oracle: one plain forward pass a pair, columns put in order by the labels of the config."""
    pieces = AutoTokenizer.from_pretrained(folder)
    precision = getattr(torch, nli.load(str(folder)).precision)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=precision).eval()
    stored = json.loads((folder / "config.json").read_text())["id2label"]
    order = [
        int(next(k for k, v in stored.items() if v == name)) for name in ("entailment", "neutral", "contradiction")
    ]
    rows = []
    for premise, hypothesis in pairs:
        encoded = pieces(premise, hypothesis, return_tensors="pt")
        assert encoded["input_ids"].shape[1] <= LIMIT
        with torch.inference_mode():
            rows.append(model(**encoded).logits[0].float().softmax(-1).numpy()[order])
    return np.array(rows)


def test_a_deberta_checkpoint_scores_as_a_plain_forward_pass(deberta):
    expected = plainly(deberta, PAIRS)
    assert np.diff(np.sort(expected.mean(0))).min() > 0.1  # columns that were exchanged would be told apart,
    assert np.ptp(expected, axis=0).max() > 0.1  # and so would rows
    scored = Guard(GuardConfig(model=str(deberta))).scorer.score(PAIRS)
    assert np.abs(scored - expected).max() < 0.02


def test_a_guard_with_a_deberta_model_calibrates_what_that_model_says(deberta):
    sentences = [s for p in PASSAGES for s in segment(p)]
    pairs = candidate_pairs(sentences, load_encoder().encode([s.text for s in sentences]))
    (found,) = (p for p in pairs if {p.a.passage_id, p.b.passage_id} == {"a", "b"})
    forward, backward = plainly(deberta, [(found.a.text, found.b.text), (found.b.text, found.a.text)])
    (expected,) = calibration.load().scores(features([Comparison(found)], forward[None], backward[None]))
    scores = Guard(GuardConfig(model=str(deberta))).scores(PASSAGES)
    assert scores["a", "b"] == pytest.approx(expected, abs=0.02)


def test_text_beyond_a_deberta_models_limit_is_windowed_to_its_end(deberta):
    model = nli.load(str(deberta))
    text = PASSAGES[0].text + " The gate is open." * 20 + " zq9 #!" * 30 + " Nobody may leave."
    pair = (text, PASSAGES[2].text)
    windows = model._windows(pair)
    assert model.max_tokens == LIMIT and len(windows) > 3
    assert text.startswith(windows[0][0]) and text.endswith(windows[-1][0])
    rows = plainly(deberta, windows)  # asserts that each fits
    assert np.ptp(rows[:, nli.CONTRADICTION]) > 0.1
    assert np.abs(model.score([pair])[0] - rows[rows[:, nli.CONTRADICTION].argmax()]).max() < 0.02


@pytest.mark.parametrize("bundled", [False, pytest.param(True, marks=pytest.mark.model)])
def test_a_steady_model_gives_a_pair_the_same_bits_in_any_company(deberta, bundled):
    loaded = nli.load() if bundled else nli.load(str(deberta))
    long = " ".join(p.text for p in PASSAGES) * 2
    pairs = [(p[: len(p) - cut], q) for p, q in [*PAIRS, (long, PASSAGES[0].text)] for cut in range(0, 16, 3)]
    together = nli.NLIModel.like(loaded, steady=True).score(pairs)
    assert np.abs(together - nli.NLIModel.like(loaded).score(pairs)).max() < 0.02
    assert len(np.unique(together, axis=0)) > len(pairs) / 2, "scores tell the pairs apart"
    for step in (1, 7, 20):
        parts = nli.NLIModel.like(loaded, steady=True)
        order = np.argsort([hash(pair) for pair in pairs])
        for at in range(0, len(order), step):
            some = order[at : at + step]
            assert np.array_equal(parts.score([pairs[i] for i in some]), together[some])


@given(st.lists(st.integers(1, 512)), st.sampled_from([nli.PADDING_PER_BATCH, math.inf]))
def test_batches_hold_every_window_once_and_little_padding(lengths, most):
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    batches = nli._batches(order, lengths, most)
    assert [i for batch in batches for i in batch] == order
    for batch in filter(None, batches):
        filled = len(batch) * max(lengths[i] for i in batch)
        assert filled <= nli.TOKENS_PER_BATCH and filled - sum(lengths[i] for i in batch) <= most


def test_a_cross_encoder_directory_scores_as_sentence_transformers_does(deberta, tmp_path):
    saved = CrossEncoder(str(deberta), device="cpu")
    saved.save_pretrained(str(tmp_path))
    assert (tmp_path / "modules.json").exists()
    predicted = CrossEncoder(str(tmp_path), device="cpu").predict(PAIRS, apply_softmax=True)
    order = [1, 2, 0]  # entailment, neutral, contradiction in LABELS
    scored = Guard(GuardConfig(model=str(tmp_path))).scorer.score(PAIRS)
    assert np.abs(scored - predicted[:, order]).max() < 0.02
