"""The NLI scorer: for (premise, hypothesis) pairs, how likely entailment, neutral and contradiction are.

Any transformers sequence-classification model (a sentence-transformers CrossEncoder is one) by path or hub
name.  Columns are found by label name in the model's config.  Pairs are batched by length, cached by content
and model revision, and windowed with overlap when they exceed the model's limit.  Knows nothing about
passages, conflicts or policies.

Arithmetic rounds differently in batches of different shapes, so a pair's score depends in its last digits (in bfloat16
up to 0.03 in a logit) on what else is scored.  A ``steady`` model computes in batches whose shape depends on a pair's
own length alone, filled up where pairs are missing: the same pair then has the same score, bit for bit.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import ModelError
from .segment import windows
from .sources import content_hash, from_source, require_device

BUNDLED = Path(__file__).parent / "models" / "nli"
ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
TOKENS_PER_BATCH = 4096
PADDING_PER_BATCH = 50  # tokens; on a CPU one more forward pass takes as long as about 40 (see `_batches`)
STEADY_TOKENS = 512  # of a batch of fixed shape; larger ones are filled up more often than they save
STEADY_STEP = 16  # lengths are rounded up to a multiple of this
CACHE_PAIRS = 100_000

Scores = npt.NDArray[np.float32]
"""(n_pairs, 3), rows sum to 1, columns entailment / neutral / contradiction."""


class Scorer(Protocol):
    """What the pipeline needs of an NLI model.  ``calls`` counts what was computed."""

    revision: str
    calls: int

    def score(self, pairs: Sequence[tuple[str, str]], on_batch: Callable[[int], None] | None = None) -> Scores: ...


def columns_of(id2label: dict[int, str]) -> tuple[int | None, int | None, int]:
    """Return the columns of (entailment, neutral, contradiction) by label name.

    >>> columns_of({0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"})
    (2, 1, 0)
    """
    found: dict[str, int] = {}
    for column, label in id2label.items():
        name = str(label).lower().replace("_", " ").replace("-", " ")
        for key in ("contradict", "entail", "neutral"):
            if key in name and not name.startswith(("not ", "non ")):
                found[key] = int(column)
    if "contradict" not in found:
        raise ModelError(
            f"the model has no contradiction label (its labels: {', '.join(map(str, id2label.values()))}); "
            "choose a model fine-tuned on three-way NLI"
        )
    return found.get("entail"), found.get("neutral"), found["contradict"]


def cpu_prefers_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 natively; elsewhere bfloat16 is slower than float32."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


class NLIModel:
    """A loaded cross-encoder.  Build it with `load`; ``score`` is the whole interface."""

    def __init__(self, model: Any, tokenizer: Any, revision: str, steady: bool = False) -> None:
        self.revision = revision
        self.steady = steady
        self._model = model
        self._tokenizer = tokenizer
        self._columns = columns_of(model.config.id2label)
        limit = int(getattr(model.config, "max_position_embeddings", 512))
        # Position tables with a padding offset (RoBERTa) hold two fewer than they say.
        self.max_tokens = min(int(tokenizer.model_max_length), limit if limit % 2 == 0 else limit - 2, 512)
        self._cache: OrderedDict[tuple[str, str], npt.NDArray[np.float32]] = OrderedDict()
        self.calls = 0

    @property
    def device(self) -> str:
        """Where the model runs: ``cpu``, ``cuda:0``, …"""
        return str(self._model.device)

    @property
    def _padding(self) -> float:
        return PADDING_PER_BATCH if self.device == "cpu" else math.inf

    @property
    def precision(self) -> str:
        """``bfloat16`` or ``float32``."""
        return str(self._model.dtype).removeprefix("torch.")

    @classmethod
    def like(cls, other: NLIModel, steady: bool = False) -> NLIModel:
        """Return the same model with an empty cache; see the module for ``steady``."""
        return cls(other._model, other._tokenizer, other.revision, steady)

    def score(self, pairs: Sequence[tuple[str, str]], on_batch: Callable[[int], None] | None = None) -> Scores:
        """Return an (n, 3) array for n pairs; see `Scores`.  ``on_batch(n)`` is called as pairs are done."""
        known = {pair: self._cache.get(pair) for pair in dict.fromkeys(pairs)}  # other threads may evict meanwhile
        fresh = self._score_uncached([pair for pair, row in known.items() if row is None], on_batch)
        result = np.zeros((len(pairs), 3), dtype=np.float32)
        for at, pair in enumerate(pairs):
            row = known[pair]
            result[at] = fresh[pair] if row is None else row
        self._cache.update(fresh)
        while len(self._cache) > CACHE_PAIRS:
            self._cache.popitem(last=False)
        return result

    def _score_uncached(
        self, pairs: Sequence[tuple[str, str]], on_batch: Callable[[int], None] | None
    ) -> dict[tuple[str, str], npt.NDArray[np.float32]]:
        """Score every window of every pair, then keep for a pair its most contradictory window."""
        jobs = [(owner, window) for owner, pair in enumerate(pairs) for window in self._windows(pair)]
        if not jobs:
            return {}
        encoded = self._tokenizer([w[0] for _, w in jobs], [w[1] for _, w in jobs], truncation=False)
        lengths = [len(ids) for ids in encoded["input_ids"]]
        order = sorted(range(len(jobs)), key=lengths.__getitem__)
        rows = np.zeros((len(jobs), 3), dtype=np.float32)
        for batch in _steady_batches(order, lengths) if self.steady else _batches(order, lengths, self._padding):
            height, width = _steady_shape(lengths[batch[0]]) if self.steady else (len(batch), None)
            filled = batch + batch[:1] * (height - len(batch))
            scored = self._forward({k: [encoded[k][i] for i in filled] for k in encoded}, width)
            rows[batch] = scored[: len(batch)]
            if on_batch:
                on_batch(len(batch))
        self.calls += len(jobs)
        best: dict[tuple[str, str], npt.NDArray[np.float32]] = {}
        for (owner, _), row in zip(jobs, rows, strict=True):
            pair = pairs[owner]
            if pair not in best or row[CONTRADICTION] > best[pair][CONTRADICTION]:
                best[pair] = row
        return best

    def _windows(self, pair: tuple[str, str]) -> list[tuple[str, str]]:
        budget = self.max_tokens - 4
        if len(pair[0]) + len(pair[1]) <= budget:  # a token is at least one character
            return [pair]
        counts = [self._count(text) for text in pair]
        if sum(counts) <= budget:
            return [pair]
        shorter = min(min(counts), budget // 2)
        sides = [
            [text[s:e] for s, e in windows(text, self._count, shorter if n <= shorter else budget - shorter)]
            for text, n in zip(pair, counts, strict=True)
        ]
        if all(n > budget // 2 for n in counts):
            sides = [[text[s:e] for s, e in windows(text, self._count, budget // 2)] for text in pair]
        return [(p, h) for p in sides[0] for h in sides[1]]

    def _count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _forward(self, inputs: dict[str, list[list[int]]], width: int | None = None) -> Scores:
        """Score encoded windows, padded to ``width`` tokens (None: to the longest)."""
        import torch

        padding = True if width is None else "max_length"
        batch = self._tokenizer.pad(inputs, padding=padding, max_length=width, return_tensors="pt")
        batch = batch.to(self._model.device)
        with torch.inference_mode():
            probabilities = self._model(**batch).logits.float().softmax(-1).cpu().numpy()
        entail, _, contradiction = self._columns
        rows = np.zeros((len(probabilities), 3), dtype=np.float32)
        rows[:, CONTRADICTION] = probabilities[:, contradiction]
        if entail is not None:
            rows[:, ENTAILMENT] = probabilities[:, entail]
        rows[:, NEUTRAL] = 1 - rows[:, CONTRADICTION] - rows[:, ENTAILMENT]
        return rows


def _batches(order: Sequence[int], lengths: Sequence[int], padding: float = math.inf) -> list[list[int]]:
    """Return the windows of ``order``, from short to long, in batches with at most ``padding`` tokens of padding each.

    On a CPU the time of a batch goes with its tokens, padding included.

    >>> _batches([0, 1, 2], [20, 22, 90], padding=50)
    [[0, 1], [2]]
    """
    batches: list[list[int]] = [[]]
    real = 0  # tokens of the last batch
    for i in order:
        filled = (len(batches[-1]) + 1) * lengths[i]
        if batches[-1] and (filled > TOKENS_PER_BATCH or filled - real - lengths[i] > padding):
            batches.append([])
            real = 0
        batches[-1].append(i)
        real += lengths[i]
    return batches


def _steady_shape(length: int) -> tuple[int, int]:
    """Return (rows, tokens) of the batch in which a window of that many tokens is computed.

    >>> _steady_shape(37)
    (10, 48)
    """
    width = -(-length // STEADY_STEP) * STEADY_STEP
    return max(1, STEADY_TOKENS // width), width


def _steady_batches(order: list[int], lengths: list[int]) -> list[list[int]]:
    batches: list[list[int]] = [[]]
    for i in order:
        rows, width = _steady_shape(lengths[i])
        if batches[-1] and (len(batches[-1]) == rows or _steady_shape(lengths[batches[-1][0]])[1] != width):
            batches.append([])
        batches[-1].append(i)
    return batches


@lru_cache(maxsize=2)
def load(name: str | None = None, device: str | None = None) -> NLIModel:
    """Load the bundled model, or any other by path or hub name.  Raises `ModelError`; `ConfigError` for a device."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    require_device(chosen)
    fast = chosen.startswith("cuda") or (chosen == "cpu" and cpu_prefers_bfloat16())
    dtype = torch.bfloat16 if fast else torch.float32

    def open_model(source: str, local: bool) -> NLIModel:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
        model = AutoModelForSequenceClassification.from_pretrained(source, local_files_only=local, dtype=dtype)
        return NLIModel(model.to(chosen).eval(), tokenizer, revision_of(source))

    return from_source(str(BUNDLED if name is None else name), "NLI model", open_model)


def revision_of(name: str | None = None) -> str:
    """Return the revision that `load` gives the model, without loading it: 16 hex digits of a hash of its files.

    For a hub name that is not in the local cache it is the name.
    """
    source = str(BUNDLED if name is None else name)
    found = content_hash(source)
    return found[:16] if found else source
