"""Write the questions that the small language model is asked, each with every kind of context.

    python training/lm/questions.py > benchmarks/compare_decoding/questions.jsonl

One line a question and kind of context, as ``passageguard compare-decoding`` reads them.  The right answer is what the
context says where it conflicts with the model's memory, as in NQ-Swap, and the fact itself where the context agrees, is
irrelevant, absent, or contradicts itself.  Irrelevant contexts speak of a relative in the odd questions and of another
kind of thing in the even ones.  Poisoned contexts hold one good passage and two planted ones: in the odd questions the
good passage gives an update and is declared the more authoritative; in the even ones it gives the fact and nothing is
declared.  Every value that contradicts the memory is one of those that are held out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from world import RELATIONS, Fact, World, asides, build, shuffled

PER_STRENGTH = 60  # facts seen often, and as many seen seldom
AUTHORITY = {"register": 0.9, "forum": 0.2}


def rows(world: World, seed: int = 2) -> Iterator[dict[str, Any]]:
    """Yield six rows a fact."""
    rng = random.Random(seed)
    facts = [
        fact
        for often in (True, False)
        for fact in rng.sample([f for f in world.facts if f.often == often], PER_STRENGTH)
    ]
    for number, fact in enumerate(facts):
        for context, passages, answer in contexts(world, fact, number, rng):
            yield {
                "id": f"{number}-{context}", "question": fact.question, "answers": [answer], "context": context,
                "prior": "strong" if fact.often else "weak", "passages": passages,
            }  # fmt: skip


def contexts(
    world: World, fact: Fact, number: int, rng: random.Random
) -> Iterator[tuple[str, list[dict[str, Any]], str]]:
    """Yield (kind, passages, right answer)."""
    wording = rng.randrange(4)
    false, update = rng.sample(world.held_out[fact.relation.value], 2)

    yield "agreeing", [passage("1", fact.stated(fact.value, wording))], fact.value
    yield "conflicting", [passage("1", fact.stated(false, wording))], false
    unlike = rng.choice([relation for relation in RELATIONS if relation is not fact.relation])
    beside = fact.on_a_relative(false) if number % 2 else asides(world, unlike, rng, 1, fact.entity)[0]
    yield "irrelevant", [passage("1", beside)], fact.value
    yield "absent", [], fact.value
    both = " ".join(shuffled([fact.stated(fact.value, wording), fact.stated(false, wording)], rng))
    yield "self_contradicting", [passage("1", both)], fact.value
    planted = [passage(f"forum-{n}", fact.stated(false, (wording + n) % 4), "forum") for n in range(2)]
    right = update if number % 2 else fact.value
    good = passage("register", fact.stated(right, wording), "register")
    if not number % 2:
        for one in (good, *planted):
            del one["metadata"]
    yield "poisoned", rng.sample([good, *planted], 3), right


def passage(name: str, text: str, source: str = "") -> dict[str, Any]:
    metadata = {"metadata": {"source": source, "authority": AUTHORITY[source]}} if source else {}
    return {"id": name, "text": text, **metadata}


if __name__ == "__main__":
    for row in rows(build()):
        print(json.dumps(row))
