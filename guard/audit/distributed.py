"""Embeddings and scores that the workers of a Ray cluster compute: Ray Data, with the results in Parquet files.

`Workers` stands in for both models where the cache lacks something.  It cuts texts into pieces, to which workers apply
the functions that one process applies to all of them, so that a report has the same bytes.

Results are kept in the cache's folder ``ray``, which all workers must see: a run that was killed goes on with the
pieces that are left.
A worker that dies is replaced and its piece begun again, `RETRIES` times; then, or when one raises, the audit ends with
`ModelError`.  Knows nothing about documents.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from platform import node
from types import TracebackType
from typing import Any

import numpy as np

from detectors import encoder, nli
from detectors.encoder import Vectors
from detectors.errors import ConfigError, ModelError
from detectors.nli import Scores
from detectors.store import key, make_folder
from guard.config import GuardConfig

from .cache import Spaces
from .engine import steady_model

LOCAL = "local"
PIECE = 1024  # texts, or pairs of texts, that a worker takes at a time: a second or two of scoring
PIECES_AT_ONCE = 4  # for each worker, before the audit goes on with what was scored
RETRIES = 3
CONNECT_S = 10.0


def embed(texts: Sequence[Any], config: GuardConfig) -> Vectors:
    """Return the vectors of texts; see `detectors.encoder.Vectors`."""
    return encoder.load(config.encoder, config.device).encode(texts)


def score(pairs: Sequence[Any], config: GuardConfig) -> Scores:
    """Return the scores of pairs of texts; see `detectors.nli.Scores`."""
    return steady_model(config).score([(premise, hypothesis) for premise, hypothesis in pairs])


class Workers:
    """The CPUs of the cluster at ``address``; ``local`` starts one of this machine's, ``auto`` takes the one it is in.

    An `Encoder` and a `Scorer` inside a ``with``, which leaves results in the folder where it ends in an error.
    Raises `ConfigError` where there is no Ray or no cluster.
    """

    def __init__(self, address: str, cache_folder: Path, config: GuardConfig) -> None:
        self.calls = 0
        self.revision = nli.revision_of(config.model)
        self._address, self._folder = address, cache_folder.absolute() / "ray"
        model, encoder = _from_anywhere(config.model), _from_anywhere(config.encoder)
        self._config = replace(config, model=model, encoder=encoder, verifier=None)
        self._open = ExitStack()

    def __enter__(self) -> Workers:
        ray = _ray()
        make_folder(self._folder.parent)
        self._open.enter_context(_alone_in(self._folder))
        own = {"include_dashboard": False} if self._address == LOCAL else {}
        try:
            _require_reachable(self._address)
            ray.init(self._address, log_to_driver=False, logging_level="ERROR", **own)
        except (OSError, RuntimeError, ValueError) as error:
            self._open.close()
            raise ConfigError(f"--ray {self._address}: no Ray cluster there: {error}") from error
        self._open.callback(ray.shutdown)
        self._open.enter_context(redirect_stdout(sys.stderr))  # on which Ray tells of workers that died
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._open.close()

    @cached_property
    def pairs_at_once(self) -> int:
        """How many pairs to ask for at a time, so that all workers have enough to do."""
        return int(_ray().cluster_resources().get("CPU", 1)) * PIECE * PIECES_AT_ONCE

    @cached_property
    def spaces(self) -> Spaces:
        """What results depend on where they are computed, as one worker has it; the others are held to it."""
        ray = _ray()
        try:
            found: Spaces = ray.get(ray.remote(_spaces).remote(self._config))
        except ray.exceptions.RayError as error:
            raise _failure(error) from error
        return found

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors; see `detectors.encoder.Vectors`.  Raises `ModelError`."""
        return self._computed(embed, texts, self.spaces.vectors)

    def score(self, pairs: Sequence[tuple[str, str]], on_batch: Callable[[int], None] | None = None) -> Scores:
        """Return an (n, 3) array for n pairs; see `detectors.nli.Scores`.  Raises `ModelError`."""
        self.calls += len(pairs)
        return self._computed(score, pairs, self.spaces.scores)

    def _computed(self, compute: Callable[..., Vectors], items: Sequence[Any], space: str | None) -> Vectors:
        """Return a row for each item: those in the folder as they are, the others computed by workers."""
        import pyarrow as pa

        folder = self._folder / key(repr(space), *map(repr, items)).hex()
        done = _done(folder)
        left = [at for at in range(len(items)) if at not in done]
        if left:
            table = pa.table({"at": left, "item": [items[at] for at in left]})
            self._run(compute, [table.slice(start, PIECE) for start in range(0, len(left), PIECE)], folder)
            done = _done(folder)
        if missing := len(items) - len(done):
            raise ModelError(f"{folder}: {missing} of {len(items)} results of workers are missing; run it again")
        return np.stack([done[at] for at in range(len(items))])

    def _run(self, compute: Callable[..., Vectors], pieces: Sequence[Any], folder: Path) -> None:
        """Apply ``compute`` to the pieces, and write each to the folder when it is done.  Raises `ModelError`."""
        ray = _ray()
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"compute": compute, "config": self._config, "spaces": self.spaces}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of max_retries; without it there is no end
                ray.data.from_arrow(pieces).map_batches(
                    _piece, fn_kwargs=settings, batch_format="pyarrow", batch_size=None, max_retries=RETRIES
                ).write_parquet(str(folder))
        except ray.exceptions.RayError as error:
            raise _failure(error) from error


def _spaces(config: GuardConfig) -> Spaces:
    return Spaces.of(config)


def _piece(table: Any, compute: Callable[..., Vectors], config: GuardConfig, spaces: Spaces) -> Any:
    """Return the results for one piece.  Runs on a worker."""
    import pyarrow as pa

    if Spaces.of(config) != spaces:
        raise ModelError(
            f"the worker on {node()} would score otherwise than the others: another processor, model, or version of "
            "PassageGuard or its libraries; make them alike"
        )
    return pa.table({"at": table["at"], "row": list(compute(table["item"].to_pylist(), config))})


def _done(folder: Path) -> dict[int, Vectors]:
    """Return the rows in the folder by position.  A file that a killed worker began is taken out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[int, Vectors] = {}
    for file in folder.glob("*.parquet"):
        try:
            table = pq.read_table(file)
        except (pa.ArrowInvalid, OSError):
            file.unlink(missing_ok=True)
            continue
        values = np.asarray(table["row"].combine_chunks().flatten(), dtype=np.float32).reshape(len(table), -1)
        rows.update(zip(table["at"].to_pylist(), values, strict=True))
    return rows


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, until the process ends at the latest.  Raises `ConfigError` where another one holds it."""
    folder.mkdir(exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(opened)
        reason = f"another audit with --ray uses {folder}; wait for it, or give another --cache-dir"
        raise ConfigError(reason) from error
    try:
        yield
    finally:
        os.close(opened)


def _require_reachable(address: str) -> None:
    """Raise `OSError` where nothing listens at HOST:PORT, where Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_S).close()


def _from_anywhere(name: str | None) -> str | None:
    """Return a path that does not depend on a worker's current folder; a name of the hub as it is."""
    return os.path.abspath(name) if name is not None and Path(name).is_dir() else name


def _ray() -> Any:
    """Return the library, which neither sends statistics nor logs.  Raises `ConfigError`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")
    try:
        import ray.data
    except ImportError as error:
        raise ConfigError(f"--ray needs the extra: pip install 'passageguard[ray]' ({error})") from error
    return ray


def _failure(error: Exception) -> ModelError:
    """Return what ended the work, as the worker said it, and that nothing is lost."""
    said = re.search(r"^(?:\w+\.)*\w+(?:Error|Exception): (?!UDF)(.+)$", str(error), re.M)
    reason = said[1] if said else str(error).partition("\n")[0]
    return ModelError(f"Ray's workers failed: {reason} (what is done is kept; run it again to go on)")
