"""Scores and embeddings kept in a file: what was computed once is not computed again, in this run or a later one.

`Store` maps keys to bytes in a sqlite database; `StoredScorer` and `StoredEncoder` stand in for an NLI model and an
encoder, which are loaded only when something is missing.  A key is a hash of content and of ``space``, a text that
names everything else that a number depends on, such as the model.

Entries are committed as they are computed, so that a process that is killed loses only what it was computing, and
several processes may use a store at once (sqlite's write-ahead log).  Each entry has a checksum.  A store that is
damaged is set aside and begun anew; one that cannot be read or written is done without.
Knows nothing about documents.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import numpy as np

from .encoder import Encoder, Vectors
from .nli import Scorer, Scores

T = TypeVar("T")
FORM = (0x50474361, 1)  # sqlite's application_id and user_version: whose file it is, and the version of its tables
WAIT_S = 30.0  # for another process that is writing
READ_AT_ONCE = 500  # keys of one query
SUM_BYTES = 4
GITIGNORE = "# Written by passageguard, and computed again where it is missing.\n*\n"
CACHEDIR_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n"  # tells backups; https://bford.info/cachedir/


class Kind(StrEnum):
    """What is kept, each in a table of that name."""

    SCORES = "scores"
    VECTORS = "vectors"
    VERDICTS = "verdicts"


class Damaged(Exception):
    """A file that holds something else than what was written."""


def key(*parts: str) -> bytes:
    """Return 16 bytes that stand for these parts in this order.

    >>> key("ab", "c") == key("ab", "c"), key("ab", "c") == key("a", "bc")
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.digest()


class Store:
    """The entries in ``folder``, which is made with a .gitignore where it is missing.

    ``warn`` is told of what goes wrong; nothing is raised for it, since every entry can be computed again.
    Safe to use from several threads.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder = folder
        self._home = folder / "store"  # of its own, so that database and log are set aside in one step
        self._warn = warn
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._is_open = self._may_write = True
        self._inode = 0

    def get(self, kind: Kind, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return those entries of the keys that are there."""
        wanted = list(keys)
        return self._safely(lambda db: dict(_read(db, kind, wanted)), {})

    def put(self, kind: Kind, entries: Mapping[bytes, bytes], keep: int | None = None) -> None:
        """Commit the entries; of this kind only the newest ``keep`` stay, or all."""

        def write(db: sqlite3.Connection) -> None:
            try:
                _write(db, kind, entries, keep)
            except sqlite3.OperationalError as error:  # full, read-only, locked: what is there can still be read
                self._may_write = False
                self._warn(f"{self.folder}: the cache cannot be written ({error}); what is new is not kept")

        if entries and self._may_write:
            self._safely(write, None)

    def close(self) -> None:
        """Let go of the file; what is asked for later is not there."""
        with self._lock:
            self._is_open = False
            self._disconnect()

    def _safely(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do the work, a second time in a new file where this one turns out to be damaged."""
        with self._lock:
            for _ in range(2):
                try:
                    if self._is_open:
                        self._db = self._db or self._connect()
                        return work(self._db)
                except (OSError, sqlite3.OperationalError) as error:
                    self.close()
                    self._warn(f"{self.folder}: the cache cannot be used ({error}); nothing is kept")
                except (sqlite3.DatabaseError, Damaged) as error:
                    self._set_aside(error)
            return otherwise

    def _connect(self) -> sqlite3.Connection:
        make_folder(self.folder)
        self._home.mkdir(exist_ok=True)
        file = self._home / "entries.sqlite3"
        db = sqlite3.connect(file, timeout=WAIT_S, check_same_thread=False)
        try:
            _prepare(db)
        except BaseException:
            db.close()
            raise
        finally:
            self._inode = file.stat().st_ino if file.exists() else 0
        return db

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None

    def _set_aside(self, error: Exception) -> None:
        """Rename the damaged files, unless another process has done so."""
        self._disconnect()
        file, aside = self._home / "entries.sqlite3", self._home.with_name("store.damaged")
        try:
            if file.exists() and file.stat().st_ino == self._inode:
                shutil.rmtree(aside, ignore_errors=True)
                self._home.rename(aside)
        except OSError as second:
            self.close()
            self._warn(f"{self.folder}: the cache is damaged ({error}) and cannot be replaced ({second})")
        else:
            self._warn(f"{self.folder}: the cache is damaged ({error}); it was moved to {aside.name} and begun anew")


class StoredScorer:
    """`detectors.nli.Scorer` over a store.  ``load`` returns the model, and is called when a pair is missing.

    Scores must not depend on what else is scored, as those of a steady `NLIModel` do not.
    """

    def __init__(self, store: Store, space: str, revision: str, load: Callable[[], Scorer]) -> None:
        self.revision = revision
        self.calls = 0
        self._store, self._space, self._load = store, space, load
        self._model: Scorer | None = None

    def missing(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        """Return the positions of the pairs that are not in the store."""
        keys = [key(self._space, *pair) for pair in pairs]
        known = self._store.get(Kind.SCORES, keys)
        return [i for i, k in enumerate(keys) if k not in known]

    def score(self, pairs: Sequence[tuple[str, str]], on_batch: Callable[[int], None] | None = None) -> Scores:
        """Return an (n, 3) array for n pairs; see `detectors.nli.Scores`.  Raises `ModelError`."""

        def computed(fresh: list[tuple[str, str]]) -> Scores:
            self._model = self._model or self._load()
            rows = self._model.score(fresh, on_batch)
            self.calls = self._model.calls
            return rows

        return _through(self._store, Kind.SCORES, [key(self._space, *pair) for pair in pairs], pairs, computed)


class StoredEncoder:
    """`detectors.encoder.Encoder` over a store.  ``load`` returns the encoder, and is called when a text is missing."""

    def __init__(self, store: Store, space: str, load: Callable[[], Encoder]) -> None:
        self._store, self._space, self._load = store, space, load

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors; see `detectors.encoder.Vectors`.  Raises `ModelError`."""
        keys = [key(self._space, text) for text in texts]
        return _through(self._store, Kind.VECTORS, keys, texts, lambda fresh: self._load().encode(fresh))


def _through(
    store: Store, kind: Kind, keys: Sequence[bytes], items: Sequence[T], computed: Callable[[list[T]], Vectors]
) -> Vectors:
    """Return a row for each item: those in the store as they are, the others computed, each once, and kept."""
    known = store.get(kind, dict.fromkeys(keys))
    fresh = {k: item for k, item in zip(keys, items, strict=True) if k not in known}
    if fresh:
        rows = computed(list(fresh.values()))
        new = {k: row.tobytes() for k, row in zip(fresh, rows, strict=True)}
        store.put(kind, new)
        known |= new
    values = np.frombuffer(bytearray().join(known[k] for k in keys), dtype=np.float32)
    return values.reshape(len(keys), -1) if keys else values.reshape(0, 3)


def make_folder(folder: Path) -> None:
    """Make the folder of a store, marked for git and for backups as one that may be left out."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):  # a folder with something in it is somebody's, and may be tracked
        (folder / ".gitignore").write_text(GITIGNORE)
        (folder / "CACHEDIR.TAG").write_text(CACHEDIR_TAG)


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables where there are none.  Raises `Damaged` for the file of somebody else."""
    _patiently(lambda: db.execute("PRAGMA journal_mode = WAL"))
    db.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose what was committed last, and damages nothing
    if _form(db) == FORM:
        return
    db.execute("BEGIN IMMEDIATE")
    with db:
        if _form(db) == FORM:  # another process was faster
            return
        if _form(db) != (0, 0) or db.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            raise Damaged("it is of another version, or no cache at all")
        for kind in Kind:
            db.execute(f"CREATE TABLE {kind} (key BLOB PRIMARY KEY, value BLOB NOT NULL)")
        db.execute(f"PRAGMA application_id = {FORM[0]}")
        db.execute(f"PRAGMA user_version = {FORM[1]}")


def _form(db: sqlite3.Connection) -> tuple[int, int]:
    (owner,), (version,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version"))
    return owner, version


def _patiently(work: Callable[[], object]) -> None:
    """Do the work when no other process holds the file; switching to the log does not wait by itself."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.05)


def _read(db: sqlite3.Connection, kind: Kind, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for start in range(0, len(keys), READ_AT_ONCE):
        part = keys[start : start + READ_AT_ONCE]
        marks = ",".join("?" * len(part))
        for found, value in db.execute(f"SELECT key, value FROM {kind} WHERE key IN ({marks})", part):
            if value[:SUM_BYTES] != _sum(found, value[SUM_BYTES:]):
                raise Damaged("an entry does not have its checksum")
            yield found, value[SUM_BYTES:]


def _write(db: sqlite3.Connection, kind: Kind, entries: Mapping[bytes, bytes], keep: int | None) -> None:
    with db:
        rows = ((k, _sum(k, value) + value) for k, value in entries.items())
        db.executemany(f"INSERT OR REPLACE INTO {kind} VALUES (?, ?)", rows)
        if keep is not None:
            newest = f"SELECT rowid FROM {kind} ORDER BY rowid DESC LIMIT ?"
            db.execute(f"DELETE FROM {kind} WHERE rowid NOT IN ({newest})", (keep,))


def _sum(name: bytes, value: bytes) -> bytes:
    return zlib.crc32(name + value).to_bytes(SUM_BYTES, "big")
