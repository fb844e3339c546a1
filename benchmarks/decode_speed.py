"""Speed of contrastive decoding beside plain ``generate`` of transformers, on a model with random weights.

    python benchmarks/decode_speed.py [--batches 1 16] [--contexts 512 4096] [--tokens 64] [--static]
                                      [--compile [BACKEND]] [--out FILE]

Speed does not depend on the values of the weights.  On a GPU the model has the shape of Llama 3 8B, in bfloat16; on a
CPU it is a small one in float32, and only the ratios mean anything.  For each batch size and length of context:

- plain: ``model.generate``, greedy, on the prompts with context;
- two: the same on the prompts with context and, in a second call, on those without, which is what contrast costs
  where the rows are not coupled;
- AdaCAD: ``decoding.generate``.

Prompts without context are 32 tokens long.  A token's time is that of a run of ``--tokens`` tokens less that of a run
of one, divided by the difference, so that reading the prompts is not in it; the best of ``--repeats`` runs.  On a CPU
it is the time of one thread of this process, whatever else the machine does.  "choosing" is the share of a turn that
is spent on the logits (divergence, formula, gate by trust, choice, trace), "formula" that of `contrast.adjust` alone
(divergence, formula, gate), "JSD" that of `contrast.measure` alone.
Peak memory is the GPU's, over all of a call, weights included.

``--static`` gives plain ``generate`` the static cache of transformers, which compiles it on a GPU; ``--compile``
compiles the model's forward pass for AdaCAD, whose shapes change, with inductor or another backend of torch.compile.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from decoding import Settings, generate
from decoding.batch import Batch, Request
from decoding.contrast import adjust, measure

PRIOR = 32
EIGHT_BILLION = {
    "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8,
}  # fmt: skip
SMALL = {
    "vocab_size": 8000, "hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 6,
    "num_attention_heads": 6, "num_key_value_heads": 2,
}  # fmt: skip


def model_on(device: str, positions: int) -> Any:
    """Return a model with random weights, in the precision and size that suit the device."""
    shape, precision = (EIGHT_BILLION, torch.bfloat16) if device == "cuda" else (SMALL, torch.float32)
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(precision)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(LlamaConfig(**shape, max_position_embeddings=positions))
    finally:
        torch.set_default_dtype(usual)
    model.generation_config.eos_token_id = None
    return model.eval()


def synchronised() -> float:
    """Return the time in seconds once the GPU has done its work; on a CPU that of this process alone."""
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """Return the best time of some runs after one that warms up."""
    call()
    best = float("inf")
    for _ in range(repeats):
        started = synchronised()
        call()
        best = min(best, synchronised() - started)
    return best


def a_token(run: Callable[[int], Any], tokens: int, repeats: int) -> float:
    """Return the seconds that one token takes all rows, without reading the prompts."""
    one, many = (seconds(partial(run, count), repeats) for count in (1, tokens))
    return (many - one) / (tokens - 1)


def plain(model: Any, prompts: Sequence[Sequence[int]], static: bool, tokens: int) -> None:
    """Decode with transformers alone; all prompts have the same length."""
    ids = torch.tensor(prompts, device=model.device)
    model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens,
        pad_token_id=0, **({"cache_implementation": "static"} if static else {}),
    )  # fmt: skip


def contrastive(
    model: Any, compiled: Any, contexts: Sequence[Sequence[int]], priors: Sequence[Sequence[int]], tokens: int
) -> None:
    """Decode with AdaCAD, with the model's compiled forward pass where there is one."""
    if compiled is not None:
        model.forward = compiled
    try:
        generate(model, contexts, priors, max_new_tokens=tokens, eos_token_id=None)
    finally:
        vars(model).pop("forward", None)


@torch.inference_mode()
def shares(model: Any, contexts: Sequence[Sequence[int]], priors: Sequence[Sequence[int]], tokens: int) -> list[float]:
    """Return which share of a turn goes to choosing, to the formula alone, and to the divergence alone."""
    settings = Settings(max_new_tokens=tokens, eos_token_id=None)
    batch = Batch(model)
    pairs = zip(contexts, priors, strict=True)
    batch.join([Request(i, pair, settings, 1.0, random.Random(0)) for i, pair in enumerate(pairs)])
    choosing = feeding = formula = jsd = 0.0
    while batch.rows is not None:
        c, q = batch.rows.logits[0::2], batch.rows.logits[1::2]
        started = synchronised()
        measure(c.float(), q.float())
        measured = synchronised()
        adjust(c, q)
        adjusted = synchronised()
        batch.choose()
        chosen = synchronised()
        batch.advance()
        jsd += measured - started
        formula += adjusted - measured
        choosing += chosen - adjusted
        feeding += synchronised() - chosen
    return [part / (choosing + feeding) for part in (choosing, formula, jsd)]


def peak(call: Callable[[], Any]) -> float | None:
    """Return the GPU's greatest use of memory during a call, in GiB."""
    if not torch.cuda.is_available():
        return None
    torch.cuda.reset_peak_memory_stats()
    call()
    return torch.cuda.max_memory_allocated() / 2**30


def measured(model: Any, compiled: Any, batch: int, context: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one batch size and length of context; all times are of this one run."""
    draw = random.Random(batch * context)
    ids = partial(draw.randrange, 3, model.config.vocab_size)
    contexts = [[ids() for _ in range(context)] for _ in range(batch)]
    priors = [prompt[-PRIOR:] for prompt in contexts]
    ours = partial(contrastive, model, compiled, contexts, priors)
    single = partial(plain, model, contexts, options.static)
    times = {
        "plain": a_token(single, options.tokens, options.repeats),
        "prior": a_token(partial(plain, model, priors, options.static), options.tokens, options.repeats),
        "adacad": a_token(ours, options.tokens, options.repeats),
    }
    two = times["plain"] + times["prior"]
    choosing, formula, jsd = shares(model, contexts, priors, options.tokens)
    return {
        "batch": batch,
        "context": context,
        "plain_ms": 1000 * times["plain"],
        "two_ms": 1000 * two,
        "adacad_ms": 1000 * times["adacad"],
        "plain_tokens_s": batch / times["plain"],
        "adacad_tokens_s": batch / times["adacad"],
        "slower_than_plain": times["adacad"] / times["plain"],
        "throughput_of_two": two / times["adacad"],
        "choosing": choosing,
        "formula": formula,
        "jsd": jsd,
        "plain_peak_gib": peak(partial(single, options.tokens)),
        "adacad_peak_gib": peak(partial(ours, options.tokens)),
    }


def line(row: dict[str, Any]) -> str:
    """Return one row of the table."""
    memory = "" if row["plain_peak_gib"] is None else f" {row['plain_peak_gib']:6.1f} {row['adacad_peak_gib']:6.1f} GiB"
    return (
        f"{row['batch']:5} {row['context']:7} {row['plain_ms']:9.2f} {row['two_ms']:9.2f} {row['adacad_ms']:9.2f} "
        f"{row['plain_tokens_s']:8.0f} {row['adacad_tokens_s']:8.0f} {row['slower_than_plain']:8.2f} "
        f"{row['throughput_of_two']:8.2f} {row['choosing']:9.1%} {row['formula']:8.1%} {row['jsd']:6.1%}{memory}"
    )


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    gpu = device == "cuda"
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16] if gpu else [1, 4])
    parser.add_argument("--contexts", type=int, nargs="+", default=[512, 4096] if gpu else [128, 1024])
    parser.add_argument("--tokens", type=int, default=64 if gpu else 24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--static", action="store_true", help="static cache for plain generate")
    parser.add_argument(
        "--compile", nargs="?", const="inductor", metavar="BACKEND", help="compile the forward pass of AdaCAD's rows"
    )
    parser.add_argument("--out", help="write the figures here as JSON")
    options = parser.parse_args()
    if not gpu:
        torch.set_num_threads(1)
    model = model_on(device, max(options.contexts) + options.tokens)
    compiled = torch.compile(model.forward, dynamic=True, backend=options.compile) if options.compile else None
    name = torch.cuda.get_device_name() if gpu else f"{platform.processor() or platform.machine()} CPU"
    print(f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}, {model.dtype}, "
          f"{sum(p.numel() for p in model.parameters()) / 1e6:.0f} million parameters")  # fmt: skip
    print("                  ms a token                   tokens a second      AdaCAD / ...      share of a turn")
    print("batch context     plain       two    AdaCAD    plain   AdaCAD    plain      two  choosing  formula    JSD")
    rows: list[dict[str, Any]] = []
    for batch in options.batches:
        for context in options.contexts:
            rows.append(measured(model, compiled, batch, context, options))
            print(line(rows[-1]), flush=True)
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump({"device": name, "torch": torch.__version__, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
