"""Throughput of the bundled NLI model by backend: torch, ONNX Runtime, OpenVINO; those that are installed.

    pip install onnx onnxruntime openvino        # optional
    python benchmarks/backends.py [--pairs 1024] [--rounds 3]

Pairs of about 40 tokens, tokenised before the clock starts, sorted by length, in batches of about 4096 tokens; the
order of the backends is shuffled in each round and the best round counts.  Prints pairs a second, the ratio to
CrossEncoder.predict with its defaults, and the largest difference from float32 probabilities.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from detectors import nli

Batch = dict[str, np.ndarray]
WORDS = (
    "the report says that pump valve sensor in Oslo was inspected by night shift and has run without any trouble "
    "since March while every machine of this kind must be checked again after thirty days of use"
).split()


def text_pairs(n: int) -> list[tuple[str, str]]:
    rng = random.Random(0)

    def side() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(12, 24)))

    return [(side(), side()) for _ in range(n)]


def batches(pairs: list[tuple[str, str]]) -> list[Batch]:
    tokenizer = AutoTokenizer.from_pretrained(nli.BUNDLED)
    encoded = tokenizer([a for a, _ in pairs], [b for _, b in pairs])
    order = sorted(range(len(pairs)), key=lambda i: len(encoded["input_ids"][i]))
    size = nli.TOKENS_PER_BATCH // 44
    groups = [order[i : i + size] for i in range(0, len(order), size)]
    return [dict(tokenizer.pad({k: [encoded[k][i] for i in g] for k in encoded}, return_tensors="np")) for g in groups]


def torch_backend(dtype: torch.dtype) -> Callable[[Batch], np.ndarray]:
    model = AutoModelForSequenceClassification.from_pretrained(nli.BUNDLED, dtype=dtype).eval()

    def run(batch: Batch) -> np.ndarray:
        with torch.inference_mode():
            return model(**{k: torch.from_numpy(v) for k, v in batch.items()}).logits.float().softmax(-1).numpy()

    return run


def export(folder: Path, batch: Batch) -> Path:
    model = AutoModelForSequenceClassification.from_pretrained(
        nli.BUNDLED, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    target = folder / "model.onnx"
    axes = {name: {0: "batch", 1: "length"} for name in names} | {"logits": {0: "batch"}}
    torch.onnx.export(
        model, tuple(torch.from_numpy(batch[n]) for n in names), str(target), input_names=names,
        output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    return target


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def onnx_backend(path: Path) -> Callable[[Batch], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = {i.name for i in session.get_inputs()}
    return lambda batch: softmax(session.run(None, {k: v for k, v in batch.items() if k in names})[0])


def openvino_backend(path: Path, precision: str) -> Callable[[Batch], np.ndarray]:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    )
    names = {name for i in compiled.inputs for name in i.get_names()}
    return lambda batch: softmax(compiled({k: v for k, v in batch.items() if k in names})[0])


def backends(folder: Path, batch: Batch) -> dict[str, Callable[[Batch], np.ndarray]]:
    found = {"torch float32": torch_backend(torch.float32), "torch bfloat16": torch_backend(torch.bfloat16)}
    try:
        path = export(folder, batch)
        from onnxruntime.quantization import QuantType, quantize_dynamic

        found["onnxruntime float32"] = onnx_backend(path)
        quantize_dynamic(path, folder / "int8.onnx", weight_type=QuantType.QInt8)
        found["onnxruntime int8"] = onnx_backend(folder / "int8.onnx")
    except ImportError as error:
        print(f"left out: onnxruntime ({error})")
    try:
        found["openvino float32"] = openvino_backend(folder / "model.onnx", "f32")
        found["openvino bfloat16"] = openvino_backend(folder / "model.onnx", "bf16")
    except (ImportError, RuntimeError) as error:
        print(f"left out: openvino ({error})")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    pairs = text_pairs(args.pairs)
    todo = batches(pairs)
    cross_encoder = CrossEncoder(str(nli.BUNDLED), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        found = backends(Path(folder), todo[0])
        exact = np.concatenate([found["torch float32"](b) for b in todo])
        best = {name: np.inf for name in ("CrossEncoder.predict", *found)}
        off = dict.fromkeys(best, 0.0)
        for turn in range(args.rounds):
            names = list(best)
            random.Random(turn).shuffle(names)
            for name in names:
                started = time.perf_counter()
                if name == "CrossEncoder.predict":
                    cross_encoder.predict(pairs, show_progress_bar=False)
                else:
                    rows = np.concatenate([found[name](b) for b in todo])
                    off[name] = float(np.abs(rows - exact).max())
                best[name] = min(best[name], time.perf_counter() - started)
    for name, seconds in sorted(best.items(), key=lambda item: item[1]):
        print(f"{name:22s} {args.pairs / seconds:6.0f} pairs/s  {best['CrossEncoder.predict'] / seconds:5.2f} x  "
              f"largest difference {off[name]:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
