"""Training rows for the bundled models, read from a folder of labelled JSON Lines files.

The folder holds ``SOURCES.json`` (source -> ``{"weights_may_ship": "yes" | "no" | "check"}``) and
``train/*.jsonl.gz``.  Only sources marked ``yes`` are read: weights trained on the others may not be
released.  Every row becomes one `Row`.  The bundled encoder finds the candidate pairs that are mined as
negatives; nothing here knows about the NLI model.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from detectors import encoder
from detectors.candidates import candidate_pairs
from detectors.evidence import Passage, Sentence, SentencePair
from detectors.segment import segment
from guard.evaluation import edits
from guard.evaluation.edits import EditKind

ENTAILMENT, NEUTRAL, CONTRADICTION, NOT_CONTRADICTION = range(4)
LABELS = {
    "entailment": ENTAILMENT,
    "neutral": NEUTRAL,
    "contradiction": CONTRADICTION,
    "not_contradiction": NOT_CONTRADICTION,
}
# Logic puzzles and templates teach little about prose, and the lower-cased one-label files teach their style:
# cap what each may contribute.
MAX_ROWS = {
    "frag_": 600, "conjnli_adv": 5000, "wikiresnli": 2000, "scone": 2000, "help": 2000, "infotabs": 9000,
    "snli_train_clcd": 1000, "mnli_train_clcd": 1000, "clcd_": 1000, "synth_same_passage": 12_000,
    "edited_negation": 1500, "edited_addition": 1000, "edited_omission": 2000, "edited_synonym": 3000,
}  # fmt: skip
# Rows of evidence against claim, and of edited passages, are what the model is for: show them more often.
COPIES = {"vitaminc": 2, "chatprotect": 2, "aligned_": 2, "self_": 2, "written_": 8}
GENERATED_FROM = 30_000  # sentences
LOSSY = (EditKind.ADDITION, EditKind.ROUNDING)  # the edited sentence says a little more, or something else
WRITTEN = Path(__file__).parent / "pairs"  # our own pairs
MINED_PER_SET = 4  # candidate pairs of a set that are known not to contradict
HELD_OUT_SETS = 0.2  # share of the groups of sets that no model sees: for the calibration
NEGATION = re.compile(r"\b(?:not|no|never|cannot|can't|nor|unable|none|impossible)\b|n't\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled pair.  ``label`` is 0 entailment, 1 neutral, 2 contradiction, 3 "not contradiction"."""

    premise: str
    hypothesis: str
    label: int
    source: str


def is_held_out(text: str, share: float = 0.03) -> bool:
    """Split by content, so that the same premise never stands on both sides."""
    return int(hashlib.sha1(text.encode()).hexdigest()[:8], 16) < share * 2**32


def is_held_out_set(record: dict[str, Any]) -> bool:
    """Split sets by the passage they were made from, so that no edit of it stands on both sides.

    The second part of an id numbers that passage, and sources named alike share the numbers.
    """
    family, number = record["source"].split("_")[0], record["id"].split("-")[1]
    return is_held_out(f"{family}-{number}", HELD_OUT_SETS)


def read(path: Path, allowed: set[str]) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from (row for row in map(json.loads, lines) if row["source"] in allowed)


def allowed_sources(root: Path) -> set[str]:
    sources = json.loads((root / "SOURCES.json").read_text())
    return {name for name, about in sources.items() if about["weights_may_ship"] == "yes"}


def load(root: Path, seed: int = 0) -> tuple[list[Row], list[Row]]:
    """Return (training rows, held-out rows), both shuffled by ``seed``."""
    allowed = allowed_sources(root)
    rows = [
        Row(r["premise"], r["hypothesis"], LABELS[r["label"]], r["source"])
        for name in ("nli_real", "nli_auto", "nli_synthetic", "nli_binary_aux")
        for r in read(root / "train" / f"{name}.jsonl.gz", allowed)
    ]
    for record in read(root / "train" / "passage_sets.jsonl.gz", allowed):
        if not is_held_out_set(record):
            rows.extend(_stance_rows(record) if record["source"] == "conflictqa_strategy" else _edited_rows(record))
            rows.extend(_mined_rows(record))
    for record in read(root / "train" / "self_contradiction.jsonl.gz", allowed):
        if record["source"] != "chatprotect" and not is_held_out_set(record):
            rows.extend(_self_rows(record))
    rows.extend(_generated_rows(root, allowed, random.Random(seed)))
    rows.extend(_written_rows())
    random.Random(seed).shuffle(rows)
    counts: Counter[str] = Counter()
    train, held_out = [], []
    for row in dict.fromkeys(rows):
        cap = next((n for prefix, n in MAX_ROWS.items() if row.source.startswith(prefix)), None)
        counts[row.source] += 1
        if cap is not None and counts[row.source] > cap:
            continue
        if is_held_out(row.premise, HELD_OUT_SETS if row.source == "chatprotect" else 0.03):
            held_out.append(row)
        else:
            train.extend([row] * next((n for prefix, n in COPIES.items() if row.source.startswith(prefix)), 1))
    return train, held_out


def _stance_rows(record: dict[str, Any]) -> Iterator[Row]:
    """A yes/no question read as a hypothesis: entailed by passages that answer yes, contradicted by those
    that answer no, neutral to passages about something else."""
    question, source = record["question"], "stance_" + record["source"]
    answers = {p["answer"] for p in record["passages"] if p.get("answer")}
    for passage in record["passages"]:
        answer = passage.get("answer")
        if not answer:
            yield Row(passage["text"], question, NEUTRAL, source)
            continue
        negated = bool(NEGATION.search(answer)) != bool(NEGATION.search(question))
        yield Row(passage["text"], question, CONTRADICTION if negated else ENTAILMENT, source)
        yield Row(passage["text"], answer, ENTAILMENT, source)
        for other in answers - {answer}:
            yield Row(passage["text"], other, CONTRADICTION, source)


def _edited_rows(record: dict[str, Any]) -> Iterator[Row]:
    """Aligned sentences of two edited copies of one passage: a conflict edit gives contradictions, a
    paraphrase gives entailments; sentences of the other passages of the set are neutral."""
    texts = [p["text"] for p in record["passages"]]
    source = "aligned_" + record["source"]
    edited = [tuple(pair) for pair in record["conflicts"] or []]
    for i, j in edited:
        for a, b in _changed_sentences(texts[i], texts[j]):
            yield Row(a, b, CONTRADICTION, source)
            yield Row(b, a, CONTRADICTION, source)
    if record["type"] == "paraphrase":
        close = [(i, j) for i in range(len(texts)) for j in range(i) if _overlap(texts[i], texts[j]) > 0.5]
        for i, j in close:
            for a, b in _changed_sentences(texts[i], texts[j]):
                yield Row(a, b, ENTAILMENT, source)
                yield Row(b, a, ENTAILMENT, source)
    used = {i for pair in edited for i in pair}
    rest = [i for i in range(len(texts)) if i not in used]
    if used and rest:
        rng = random.Random(record["id"])
        a, b = _sentences(texts[min(used)]), _sentences(texts[rng.choice(rest)])
        yield Row(rng.choice(a), rng.choice(b), NEUTRAL, source)


def _mined_rows(record: dict[str, Any]) -> Iterator[Row]:
    """Candidate pairs of passages that do not conflict: what the model is asked most often, and must not flag."""
    conflicting = {frozenset(pair) for pair in record["conflicts"] or []}
    sentences = [s for i, p in enumerate(record["passages"]) for s in segment(Passage(str(i), p["text"]))]
    calm = [
        pair for pair in _candidates(sentences)
        if frozenset((int(pair.a.passage_id), int(pair.b.passage_id))) not in conflicting
        and pair.a.passage_id != pair.b.passage_id
    ]  # fmt: skip
    for pair in calm[:MINED_PER_SET]:
        yield Row(pair.a.text, pair.b.text, NOT_CONTRADICTION, "mined_" + record["source"])


def _generated_rows(root: Path, allowed: set[str], rng: random.Random) -> Iterator[Row]:
    """Edits of real sentences that contradict them, and others that do not; half are restated once more."""
    texts = {
        p["text"]
        for record in read(root / "train" / "passage_sets.jsonl.gz", allowed)
        if not is_held_out_set(record)
        for p in record["passages"]
    }
    sentences = sorted({s.text for text in texts for s in segment(Passage("p", text))})
    for sentence in rng.sample(sentences, min(GENERATED_FROM, len(sentences))):
        wrong = edits.contradict(sentence, rng, rng.choice(list(edits.CONTRADICTING))) or edits.contradict(
            sentence, rng
        )
        right = edits.restate(sentence, rng, rng.choice(list(edits.CONTROLS)))
        if wrong:
            again = edits.restate(wrong.after, rng) if rng.random() < 0.5 else None
            yield Row(sentence, again.after if again else wrong.after, CONTRADICTION, f"edited_{wrong.kind.value}")
        if right:
            label = NOT_CONTRADICTION if right.kind in LOSSY else ENTAILMENT
            yield Row(sentence, right.after, label, f"edited_{right.kind.value}")


def _written_rows() -> Iterator[Row]:
    for path in sorted(WRITTEN.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            r = json.loads(line)
            yield Row(r["premise"], r["hypothesis"], LABELS[r["label"]], f"written_{path.stem}")


def _self_rows(record: dict[str, Any]) -> Iterator[Row]:
    """The two sentences that contradict each other in one text; or, where none do, its candidate pairs."""
    source = "self_" + record["source"]
    if record["contradiction"] and record.get("evidence"):
        a, b = (record["sentences"][i] for i in record["evidence"][:2])
        yield Row(a, b, CONTRADICTION, source)
        yield Row(b, a, CONTRADICTION, source)
    elif not record["contradiction"]:
        for pair in _candidates(segment(Passage("p", record["text"])))[:MINED_PER_SET]:
            yield Row(pair.a.text, pair.b.text, NOT_CONTRADICTION, source)


def _candidates(sentences: list[Sentence]) -> list[SentencePair]:
    if len(sentences) < 2:
        return []
    return candidate_pairs(sentences, encoder.load().encode([s.text for s in sentences]))


def _sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", text) if s] or [text]


def _overlap(a: str, b: str) -> float:
    one, two = set(a.lower().split()), set(b.lower().split())
    return len(one & two) / max(1, min(len(one), len(two)))


def _changed_sentences(a: str, b: str) -> Iterator[tuple[str, str]]:
    left, right = _sentences(a), _sentences(b)
    for tag, i, i2, j, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "replace":
            for one, two in zip(left[i:i2], right[j:j2], strict=False):
                if _overlap(one, two) > 0.3:
                    yield one, two
