"""``passageguard`` with an NLI model and an encoder simple enough to be their own oracle; also run as a program.

    python tests/faked_audit.py DELAY_S audit docs …

Each call of the model takes DELAY_S seconds.  As a program it ends with a line on stderr: how many pairs it scored,
and whether torch was loaded.
"""

import re
import sys
import time
from zlib import crc32

import numpy as np


class Words:
    """Counts hashed words."""

    def encode(self, texts):
        vectors = np.zeros((len(texts), 256), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"[a-z]+", text.lower()):
                vectors[row, crc32(word.encode()) % 256] += 1
        norm = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norm == 0, 1, norm)


class Numbers:
    """Two sentences contradict each other if they are alike but for a number; how surely depends on their words."""

    revision = "numbers"

    def __init__(self, delay_s=0.0):
        self.delay_s, self.calls, self.seen = delay_s, 0, []

    def score(self, pairs, on_batch=None):
        time.sleep(self.delay_s)
        self.calls += len(pairs)
        self.seen += pairs
        rows = np.zeros((len(pairs), 3), dtype=np.float32)
        for row, (premise, hypothesis) in enumerate(pairs):
            alike = re.sub(r"\d+", "#", premise) == re.sub(r"\d+", "#", hypothesis)
            p = (0.9 if alike else 0.0) + crc32(f"{premise}|{hypothesis}".encode()) % 1000 / 12000
            rows[row] = ((1 - p) / 4, 3 * (1 - p) / 4, p)
        return rows


def documents(folder, n, changed=()):
    """Write n documents on things of which each is spoken of in three; those in ``changed`` say another number."""
    folder.mkdir(exist_ok=True)
    names = [f"{a}{b}" for a in ("bor", "cal", "dun", "fel", "gar", "hol", "kin", "lar", "mos", "nor") for b in
             ("ado", "ebri", "ika", "onis", "urst", "yx", "alm", "enn", "ipo", "oth", "ulla", "yrn")]  # fmt: skip
    for i in range(n):
        a, b = names[i // 3 % len(names)], names[(i * 7 + 1) // 3 % len(names)]
        days = 90 if i in changed else 10 + i % 3
        claims = f"The {a} warranty lasts {days} days.", f"The {b} licence of the {a} unit costs {i % 5 + 2} euros."
        (folder / f"d{i:03}.md").write_text("\n\n".join(["# Terms", *claims]) + "\n")


if __name__ == "__main__":
    import detectors.encoder
    import guard.audit.cache
    from guard.cli import main

    model = Numbers(float(sys.argv.pop(1)))
    guard.audit.cache.steady_model = lambda config: model
    detectors.encoder.load = lambda *_: Words()
    import detectors.scoring

    detectors.scoring.CHUNK = 16
    try:
        main()
    finally:
        sys.stderr.write(f"{model.calls} {'torch' in sys.modules}\n")
