"""What an audit keeps between runs: embeddings of sentences, scores of pairs, and verdicts on all that was compared.

Each is kept under everything that it depends on:

* an embedding and a score: the texts, every byte of the model, the code that runs it, the versions of the libraries,
  the device and the processor;
* a verdict: all passages, the settings, the same of both models, and the code of all detectors.

So a run over the same documents needs no model, and one over changed documents computes what is new in them.
Source of the format: `detectors.store`.  Knows nothing about options.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from glob import glob
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from detectors import calibration, encoder, nli, segment, sources
from detectors.encoder import Encoder
from detectors.evidence import Passage
from detectors.store import Kind, Store, StoredEncoder, StoredScorer, key
from guard.config import DETECTORS, GuardConfig
from guard.verdict import Verdict

from .engine import steady_model
from .run import Checker, Progress

if TYPE_CHECKING:
    from .distributed import Workers

VERDICTS = 16  # kept, the newest
LIBRARIES = ("torch", "transformers", "tokenizers", "sentence-transformers", "numpy", "faiss-cpu", "sentencex")
PASSING = re.compile(r"deadline reached|failed")  # reasons that need not hold the next time
PROCESSOR = re.compile(r"^(?:model name|flags|Features|CPU part)\b.*", re.M)


@dataclass(frozen=True, slots=True)
class Spaces:
    """Everything beside the texts that embeddings and scores depend on; no scores where no detector needs them."""

    vectors: str
    scores: str | None

    @classmethod
    def of(cls, config: GuardConfig) -> Spaces:
        """Return those of this machine.  Raises `ModelError`."""
        common = (config.device, versions(), machine())
        content = _content(config.encoder, encoder.BUNDLED, lambda: encoder.load(config.encoder, config.device))
        vectors = repr(("vectors", content, code(encoder.__file__), *common))
        if "nli" not in config.detectors:
            return cls(vectors, None)
        content = _content(config.model, nli.BUNDLED, lambda: steady_model(config))
        return cls(vectors, repr(("scores", content, code(nli.__file__, segment.__file__), *common)))


class AuditCache:
    """The cache in ``folder``, for audits with ``config``.  ``warn`` is told of what goes wrong with it.

    What is missing is computed by ``workers``; None is this process.
    """

    def __init__(
        self, folder: Path, config: GuardConfig, warn: Callable[[str], None], workers: Workers | None = None
    ) -> None:
        self._store = Store(folder, warn)
        self._config = config
        self._workers = workers

    @cached_property
    def scorer(self) -> StoredScorer | None:
        """The NLI model over the cache; None where no detector needs it.  Raises `ModelError`."""
        if self._spaces.scores is None:
            return None
        revision = nli.revision_of(self._config.model)
        return StoredScorer(self._store, self._spaces.scores, revision, self._load_scorer)

    @cached_property
    def encoder(self) -> StoredEncoder:
        """The encoder over the cache.  Raises `ModelError`."""
        return StoredEncoder(self._store, self._spaces.vectors, self._load_encoder)

    def checker(self, guard: Checker, focus: Collection[str] | None = None) -> Checker:
        """Return the guard, asked only where this cache has no verdict.  ``focus`` is that of the guard."""
        is_known = self._config.verifier is None and set(self._config.detectors) <= set(DETECTORS)
        return Remembering(guard, self._store, self._settings(focus)) if is_known else guard

    def close(self) -> None:
        self._store.close()

    def _load_scorer(self) -> nli.Scorer:
        return self._workers or steady_model(self._config)

    def _load_encoder(self) -> Encoder:
        return self._workers or encoder.load(self._config.encoder, self._config.device)

    @cached_property
    def _spaces(self) -> Spaces:
        return self._workers.spaces if self._workers else Spaces.of(self._config)

    def _settings(self, focus: Collection[str] | None) -> str:
        """Everything beside the passages that a verdict depends on."""
        config = replace(self._config, deadline_s=None)
        own = Path(config.calibration).read_text("utf-8") if config.calibration else None
        models = (self._spaces.vectors, self._spaces.scores)
        chosen = None if focus is None else sorted(focus)
        return repr(("verdict", config, own, models, all_code(), chosen))


class Remembering:
    """A `Checker` that asks ``guard`` what it was not asked before.

    Its verdicts hold no passages, for which an audit has no use.
    """

    def __init__(self, guard: Checker, store: Store, settings: str) -> None:
        self._guard, self._store, self._settings = guard, store, settings

    def check(self, passages: Sequence[Passage], *, progress: Progress | None = None) -> Verdict:
        """Return the verdict.  One that is cut short or suffered a failure is not kept."""
        name = key(self._settings, *(_written(p) for p in passages))
        kept = self._store.get(Kind.VERDICTS, [name]).get(name)
        if kept is None:
            verdict = replace(self._guard.check(passages, progress=progress), passages=(), removed=())
            kept = zlib.compress(json.dumps(verdict.to_dict()).encode(), 1)
            if not any(PASSING.match(u.reason) for u in verdict.unverified):
                self._store.put(Kind.VERDICTS, {name: kept}, VERDICTS)
        return Verdict.from_dict(json.loads(zlib.decompress(kept)))


def _written(passage: Passage) -> str:
    metadata = sorted((str(k), repr(v)) for k, v in passage.metadata.items())
    return repr((passage.id, passage.text, metadata))


def _content(name: str | None, bundled: Path, load: Callable[[], object]) -> str:
    """Identify a model by its bytes; one that is not here yet is loaded first, which fetches it."""
    source = str(bundled if name is None else name)
    found = sources.content_hash(source)
    if found is None:
        load()
        found = sources.content_hash(source)
    return found or source


@cache
def versions() -> tuple[str, ...]:
    """Return the versions of the libraries that compute."""
    return tuple(version(name) for name in LIBRARIES)


@cache
def machine() -> tuple[str, ...]:
    """Return what decides in which precision and with which instructions a model runs: processor and visible GPUs."""
    try:
        processor = PROCESSOR.findall(Path("/proc/cpuinfo").read_text("utf-8").partition("\n\n")[0])
    except OSError:
        processor = [platform.machine(), platform.processor()]
    return (*processor, *sorted(glob("/dev/nvidia[0-9]*")), os.environ.get("CUDA_VISIBLE_DEVICES", ""))


@cache
def all_code() -> str:
    """Return a hash of everything in ``detectors`` and ``guard`` that decides about a verdict, but for the models."""
    packages = (Path(calibration.__file__).parent, Path(__file__).parent.parent)
    modules = [str(file) for package in packages for file in sorted(package.rglob("*.py"))]
    return code(*modules, str(calibration.SHIPPED))


@cache
def code(*files: str) -> str:
    """Return a hash of the content of files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()
