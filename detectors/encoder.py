"""The sentence encoder that finds candidate pairs.  The bundled one is a table of token vectors.

Similar is a reason to compare, never a verdict: embeddings do not see negation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .sources import from_source, require_device

BUNDLED = Path(__file__).parent / "models" / "encoder"

Vectors = npt.NDArray[np.float32]
"""(n_texts, dimension), rows of unit length (or zero for a text without a known token)."""


class Encoder(Protocol):
    """What the pipeline needs of an encoder."""

    def encode(self, texts: Sequence[str]) -> Vectors: ...


class SentenceEncoder:
    """A sentence-transformers model behind the `Encoder` protocol."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.nan_to_num(np.asarray(vectors, dtype=np.float32))


@lru_cache(maxsize=2)
def load(name: str | None = None, device: str | None = None) -> SentenceEncoder:
    """Load the bundled encoder, or any sentence-transformers model by path or hub name."""
    from sentence_transformers import SentenceTransformer

    require_device(device or "cpu")

    def open_model(source: str, local: bool) -> SentenceEncoder:
        return SentenceEncoder(SentenceTransformer(source, device=device or "cpu", local_files_only=local))

    return from_source(str(BUNDLED if name is None else name), "encoder", open_model)
