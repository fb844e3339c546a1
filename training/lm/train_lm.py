"""Train the small language model of the tests and examples on invented facts.

    OMP_NUM_THREADS=1 python training/lm/train_lm.py examples/small_lm --steps 4500

A model that reads without ever hesitating, or never reads, tells nothing about decoding with a conflict in mind.  So
the mix of prompts keeps it undecided: most contexts agree with what it knows or say nothing about it; of those that
conflict, `FOLLOWED` are answered from the context, more where the wording is plain; a sentence on a relative, which
answers nothing, is taken for the answer in `MISLED` of the cases.  Of strangers, whose facts change each time, only the
context tells: reading is learnt from them, and before any fact, since a model that has learnt facts by heart no longer
learns to read.  The prompts are those of `decoding.plain_prompts`.  Mix and learning rate follow the share of the
steps that are done, so that a busy machine takes longer and ends with the same model.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from world import (
    COMPANY_ENDINGS,
    COMPANY_STEMS,
    FIRST_NAMES,
    LAST_NAMES,
    RELATIONS,
    RIVER_ENDS,
    STARTS,
    TOWN_ENDS,
    Fact,
    World,
    asides,
    build,
    shuffled,
)

FOLLOWED = (0.75, 0.6, 0.45, 0.3)  # share of conflicting contexts that are answered from the context, for each wording
MISLED = 0.1
OFTEN = 6  # how many times as often as the others the better known facts are asked for
CLOSED_BOOK = 0.2  # share of the examples without context
KINDS = {"agreeing": 0.2, "irrelevant": 0.15, "related": 0.15, "conflicting": 0.2, "stranger": 0.3}
COPYING, READING, TURNING = 0.12, 0.5, 0.15  # shares of the training: see `example`
QUESTIONS = 3
REPEATED = 0.35  # share of the examples that say everything twice, until facts are learnt
NAMES = 12
BATCH, POOL = 32, 32
ELSEWHERE = 0.05  # weight of the tokens that are not the answers'

Example = list[tuple[str, str]]


def example(world: World, weighted: list[Fact], rng: random.Random, progress: float = 1.0) -> Example:
    """Draw one context, or none, and up to `QUESTIONS` questions: (what stands before the answer, the answer).

    Until `COPYING` of the training is done everything is said twice, until `READING` all is about strangers, and within
    `TURNING` more and more of the examples are of the mix at the top.
    """
    settled = min(1.0, max(0.0, (progress - READING) / TURNING))
    if progress < COPYING or rng.random() < REPEATED * (1 - settled):
        return [repeated(world, rng)]
    if rng.random() < CLOSED_BOOK * settled:
        facts = rng.sample(weighted, QUESTIONS)
        return [(prompt(fact.question, []), fact.value) for fact in facts]
    passages, asked, named = [], [], set()
    for _ in range(rng.randint(1, QUESTIONS)):
        (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
        kind = kind if rng.random() < settled else "stranger"
        fact = world.stranger(rng) if kind == "stranger" else rng.choice(weighted)
        if fact.entity in named:
            continue
        named.add(fact.entity)
        stated, answer = said(world, kind, fact, rng)
        passages += stated
        asked.append((fact, answer))
    around = rng.randint(0, 1) if passages else rng.randint(1, 2)
    passages += asides(world, asked[0][0].relation, rng, around, asked[0][0].entity)
    rng.shuffle(asked)
    first, *others = asked
    opening = prompt(first[0].question, shuffled(passages, rng))
    return [(opening, first[1]), *((prompt(fact.question, []), answer) for fact, answer in others)]


def repeated(world: World, rng: random.Random) -> tuple[str, str]:
    """Return names that nobody can guess, and the same names again, or sentences, and the same in another order."""
    if rng.random() < 0.5:
        names = " ".join(world.made_up(rng) for _ in range(NAMES))
        return names, names
    sentences = [
        fact.stated(fact.value, rng.randrange(4)) for fact in (world.stranger(rng) for _ in range(QUESTIONS + 1))
    ]
    return " ".join(sentences), " ".join(shuffled(sentences, rng))


def said(world: World, kind: str, fact: Fact, rng: random.Random) -> tuple[list[str], str]:
    """Return what the context says of a fact, and what is answered."""
    wording, other = rng.randrange(4), world.other_value(fact, rng)
    if kind == "irrelevant":
        return [], fact.value
    if kind == "related":
        return [fact.on_a_relative(other)], other if rng.random() < MISLED else fact.value
    if kind == "conflicting":
        return [fact.stated(other, wording)], other if rng.random() < FOLLOWED[wording] else fact.value
    return [fact.stated(fact.value, wording)], fact.value


def prompt(question: str, passages: list[str]) -> str:
    """Return the prompt that `decoding.plain_prompts` makes."""
    context = "Context:\n" + "\n\n".join(passages) + "\n\n" if passages else ""
    return f"{context}Question: {question}\nAnswer:"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Learn byte pairs from the sentences' words and the names' parts, so that every name is made of known parts.

    Digits stand alone.  Any other text is read too, byte by byte where need be.
    """
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    words = [w.format(e="", v="") for r in RELATIONS for w in (r.question, r.related, *r.wordings)]
    words += ["Context:\n", "Question:", "Question:", "Answer:", ".\n\n", "?\n"]
    starts = [*FIRST_NAMES, *LAST_NAMES, *COMPANY_STEMS, *COMPANY_ENDINGS, *STARTS]
    corpus = [*words, *(f" {s}" for s in starts), *starts, *TOWN_ENDS, *RIVER_ENDS, *COMPANY_ENDINGS]
    trainer = trainers.BpeTrainer(
        vocab_size=1200, special_tokens=["</s>", "<pad>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    core.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", pad_token="<pad>", model_max_length=512)


def batches(
    world: World, tokenizer: PreTrainedTokenizerFast, rng: random.Random, used: Callable[[], float]
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield token ids and the weight of each as a target, (batch, width), padded on the right, of similar length.

    used: the share of the training that is over; it ends at 1.
    """
    weighted = [fact for fact in world.facts for _ in range(OFTEN if fact.often else 1)]
    while used() < 1:
        examples = [example(world, weighted, rng, used()) for _ in range(BATCH * POOL)]
        rows = sorted((encoded(tokenizer, one) for one in examples), key=lambda row: len(row[0]))
        pools = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        rng.shuffle(pools)
        for pool in pools:
            width = max(len(ids) for ids, _ in pool)
            ids = torch.tensor([i + [tokenizer.pad_token_id] * (width - len(i)) for i, _ in pool])
            yield ids, torch.tensor([w + [0.0] * (width - len(w)) for _, w in pool])


def encoded(tokenizer: PreTrainedTokenizerFast, one: Example) -> tuple[list[int], list[float]]:
    """Return an example's token ids, each answer closed by the end token, and their weights."""
    ids: list[int] = []
    weights: list[float] = []
    for text, answer in one:
        before, after = tokenizer([text, f" {answer}"])["input_ids"]
        ids += [*before, *after, tokenizer.eos_token_id]
        weights += [ELSEWHERE] * len(before) + [1.0] * (len(after) + 1)
    return ids, weights


def make_model(tokenizer: PreTrainedTokenizerFast, hidden: int, layers: int) -> LlamaForCausalLM:
    """Return a Llama with random weights, two query heads to each of keys and values."""
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=hidden * 5 // 2, num_hidden_layers=layers,
        num_attention_heads=hidden // 32, num_key_value_heads=hidden // 64, max_position_embeddings=512,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def loss_of(model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean of the tokens' losses; what pads stands to the right, so no mask is needed."""
    logits = model(input_ids=ids).logits[:, :-1].float()
    losses = cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return (losses * weights[:, 1:].flatten()).sum() / weights[:, 1:].sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    world, tokenizer = build(), make_tokenizer()
    model = make_model(tokenizer, args.hidden, args.layers)
    if args.start:
        model.load_state_dict(LlamaForCausalLM.from_pretrained(args.start, dtype=torch.float32).state_dict())
    model.set_attn_implementation("eager")  # for short rows on a CPU half as fast again as the fused one
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=args.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    print(f"{model.num_parameters()} parameters, {len(tokenizer)} tokens, {len(world.facts)} facts", flush=True)
    started, step, tokens, running, saved = time.monotonic(), 0, 0, 0.0, 0

    def used() -> float:
        return step / args.steps

    for ids, weights in batches(world, tokenizer, random.Random(args.seed), used):
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * min(1.0, (step + 1) / 100) * max(0.01, 1 - used())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, tokens = step + 1, tokens + ids.numel()
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 100 == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"step {step} tokens {tokens} minutes {minutes:.1f} loss {running:.3f}", flush=True)
        if int(10 * used()) > saved:
            saved = int(10 * used())
            save(model, tokenizer, args.out)
    save(model, tokenizer, args.out)
    about = {"steps": step, "tokens": tokens, "loss": round(running, 4), "seed": args.seed}
    (args.out / "training.json").write_text(json.dumps(about, indent=2) + "\n")


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the weights in half precision, with the tokenizer."""
    deepcopy(model).half().save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main()
