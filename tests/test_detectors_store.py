"""The store: what is put is got, whatever befalls the file; its scorer and encoder say what those behind them say."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from faked_audit import Numbers, Words

from detectors.store import Kind, Store, StoredEncoder, StoredScorer, key

ENTRIES = {key("entry", str(i)): bytes([i % 256]) * (i % 40) for i in range(1500)}
PAIRS = [(f"The trial lasts {i} days.", f"The trial lasts {j} days.") for i in range(6) for j in range(6)]
TEXTS = ["One text.", "Another text, longer.", "One text."]
WRITER = """
import sys
from pathlib import Path
from detectors.store import Kind, Store, key
store = Store(Path(sys.argv[1]), print)
for i in range(int(sys.argv[2]), int(sys.argv[3])):
    store.put(Kind.SCORES, {key("round", str(i), str(j)): bytes(12) for j in range(20)})
    print(i, flush=True)
"""


@pytest.fixture
def said():
    return []


@pytest.fixture
def store(tmp_path, said):
    return Store(tmp_path / "cache", said.append)


def database(folder):
    return folder / "cache" / "store" / "entries.sqlite3"


def reopened(store, said):
    store.close()
    return Store(store.folder, said.append)


def test_what_is_put_is_got_by_another_store_and_kinds_are_apart(store, said):
    assert store.get(Kind.SCORES, ENTRIES) == {}
    store.put(Kind.SCORES, ENTRIES)
    store.put(Kind.VECTORS, {key("entry", "1"): b"other"})
    again = reopened(store, said)
    assert again.get(Kind.SCORES, [*ENTRIES, key("none")]) == ENTRIES
    assert again.get(Kind.VECTORS, ENTRIES) == {key("entry", "1"): b"other"}
    assert store.get(Kind.SCORES, ENTRIES) == {} and said == [], "a closed store has nothing and says nothing"


def test_only_the_newest_stay_where_that_is_asked_for(store):
    for i in (0, 1, 2, 0, 3):
        store.put(Kind.VERDICTS, {key(str(i)): b"%d" % i}, keep=3)
    assert sorted(store.get(Kind.VERDICTS, [key(str(i)) for i in range(4)]).values()) == [b"0", b"2", b"3"]


def test_a_new_folder_is_hidden_from_git_and_one_that_is_somebodys_is_left_alone(store, tmp_path, said):
    store.put(Kind.SCORES, ENTRIES)
    assert (tmp_path / "cache" / ".gitignore").read_text().splitlines()[-1] == "*"
    own = tmp_path / "own"
    own.mkdir()
    (own / "notes.txt").write_text("mine")
    Store(own, said.append).put(Kind.SCORES, ENTRIES)
    assert {p.name for p in own.iterdir()} == {"notes.txt", "store"} and said == []


# Scorer and encoder


def test_a_stored_scorer_asks_for_each_pair_once_and_loads_no_model_for_what_it_has(store, said):
    model = Numbers()
    expected = Numbers().score(PAIRS)
    scorer = StoredScorer(store, "space", "r", lambda: model)
    assert np.array_equal(scorer.score(PAIRS[:10] + PAIRS[:4]), expected[[*range(10), *range(4)]])
    assert model.seen == PAIRS[:10] and scorer.calls == 10
    assert scorer.missing(PAIRS) == list(range(10, len(PAIRS)))
    assert np.array_equal(scorer.score(PAIRS[::-1]), expected[::-1])
    assert sorted(model.seen) == sorted(PAIRS)
    again = StoredScorer(reopened(store, said), "space", "r", lambda: pytest.fail("loaded"))
    assert np.array_equal(again.score(PAIRS), expected) and again.score([]).shape == (0, 3)
    other = StoredScorer(again._store, "another model", "r", Numbers)
    other.score(PAIRS)
    assert other.calls == len(PAIRS)


def test_a_stored_encoder_gives_the_vectors_of_the_encoder_behind_it(store, said):
    expected = Words().encode(TEXTS)
    assert np.array_equal(StoredEncoder(store, "space", Words).encode(TEXTS), expected)
    again = StoredEncoder(reopened(store, said), "space", lambda: pytest.fail("loaded"))
    assert np.array_equal(again.encode(TEXTS[::-1]), expected[::-1])
    longer = StoredEncoder(again._store, "space", Words).encode(["A third text.", *TEXTS])
    assert np.array_equal(longer, Words().encode(["A third text.", *TEXTS]))


# A file that is not as it was left


def truncated(file):
    os.truncate(file, file.stat().st_size // 2)


def cut_within_a_page(file):
    os.truncate(file, 5000)


def garbage(file):
    file.write_bytes(random.Random(0).randbytes(20_000))


def text(file):
    file.write_text("not a database\n" * 2000)


def zeros_within(file):
    content = bytearray(file.read_bytes())
    content[8192:40960] = bytes(32768)
    file.write_bytes(content)


def flipped_bit(file):
    """In a value, where sqlite does not notice."""
    content = bytearray(file.read_bytes())
    content[content.index(b"'" * 39) + 3] ^= 4  # entry 39 has the longest run of its byte
    file.write_bytes(content)


def another_version(file):
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def somebody_elses(file):
    file.unlink()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE scores (name TEXT)")
    db.close()


DAMAGES = [truncated, cut_within_a_page, garbage, text, zeros_within, flipped_bit, another_version, somebody_elses]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_with_one_warning_and_begun_anew(store, said, tmp_path, damage):
    store.put(Kind.SCORES, ENTRIES)
    store.close()
    damage(database(tmp_path))
    left = database(tmp_path).read_bytes()
    again = Store(store.folder, said.append)
    found = again.get(Kind.SCORES, ENTRIES)
    assert found == {}, "nothing is trusted any more"
    assert len(said) == 1 and "the cache is damaged" in said[0] and "begun anew" in said[0]
    assert (tmp_path / "cache" / "store.damaged" / "entries.sqlite3").read_bytes()[-100:] == left[-100:]
    again.put(Kind.SCORES, ENTRIES)
    assert reopened(again, said).get(Kind.SCORES, ENTRIES) == ENTRIES and len(said) == 1


def test_damage_while_it_is_open_is_noticed_when_it_is_read(store, said, tmp_path):
    store.put(Kind.SCORES, ENTRIES)
    other = Store(store.folder, said.append)
    assert other.get(Kind.SCORES, ENTRIES) == ENTRIES
    with sqlite3.connect(database(tmp_path)) as db:
        db.execute("UPDATE scores SET value = x'00' WHERE rowid = 7")
    assert other.get(Kind.SCORES, ENTRIES) == {} and "begun anew" in said[0]
    other.put(Kind.SCORES, {key("new"): b"new"})
    third = Store(store.folder, said.append)
    assert third.get(Kind.SCORES, [key("new")]) == {key("new"): b"new"}
    store._set_aside(Exception("noticed later, in the old file"))
    assert third.get(Kind.SCORES, [key("new")]) and database(tmp_path).exists(), "the new one stays"


# A place that cannot be written


def connecting(monkeypatch, change):
    real = sqlite3.connect
    monkeypatch.setattr("detectors.store.sqlite3.connect", lambda file, **k: change(real, file, k))


def test_where_no_folder_can_be_made_it_is_said_once_and_nothing_is_kept(tmp_path, said):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache", said.append)
    model = Numbers()
    for _ in range(2):
        assert np.array_equal(StoredScorer(store, "s", "r", lambda: model).score(PAIRS), Numbers().score(PAIRS))
    assert len(said) == 1 and "cannot be used" in said[0] and model.calls == 2 * len(PAIRS)


def test_a_full_disk_is_said_once_and_what_was_kept_before_is_still_read(tmp_path, said, monkeypatch):
    def small(connect, file, options):
        db = connect(file, **options)
        db.execute("PRAGMA max_page_count = 20")
        return db

    connecting(monkeypatch, small)
    store = Store(tmp_path / "cache", said.append)
    first = {k: ENTRIES[k] for k in list(ENTRIES)[:50]}
    store.put(Kind.SCORES, first)
    store.put(Kind.SCORES, ENTRIES)
    store.put(Kind.SCORES, ENTRIES)
    assert len(said) == 1 and "full" in said[0]
    assert store.get(Kind.SCORES, ENTRIES) == first, "the batch that did not fit left nothing behind"


def test_a_store_that_may_only_be_read_is_read(store, said, monkeypatch):
    store.put(Kind.SCORES, ENTRIES)
    connecting(monkeypatch, lambda connect, file, options: connect(f"file:{file}?mode=ro", uri=True, **options))
    reader = Store(store.folder, said.append)
    assert reader.get(Kind.SCORES, ENTRIES) == ENTRIES and said == []
    reader.put(Kind.SCORES, {key("new"): b"new"})
    assert len(said) == 1 and "readonly" in said[0] and reader.get(Kind.SCORES, ENTRIES) == ENTRIES


# Several processes, and one that is killed


def writer(folder, start, end):
    root = Path(__file__).parent.parent
    arguments = [sys.executable, "-c", WRITER, folder, str(start), str(end)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=root)


def rounds(numbers):
    return {key("round", str(i), str(j)) for i in numbers for j in range(20)}


def test_processes_that_begin_and_write_at_once_lose_nothing(tmp_path, said):
    ranges = [(0, 60), (30, 90), (80, 120)]
    running = [writer(tmp_path / "cache", *some) for some in ranges]
    printed = [process.communicate(timeout=120)[0].split() for process in running]
    assert printed == [[str(i) for i in range(*some)] for some in ranges], "no warning among the rounds"
    with sqlite3.connect(database(tmp_path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    everything = rounds(range(120))
    assert Store(tmp_path / "cache", said.append).get(Kind.SCORES, everything).keys() == everything and said == []


def test_what_a_killed_process_had_committed_is_there(tmp_path, said):
    dice, committed = random.Random(5), 0
    for start in range(0, 4000, 1000):
        process = writer(tmp_path / "cache", start, start + 1000)
        for _ in range(dice.randrange(1, 60)):
            committed = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].splitlines(keepends=True)
        committed = int([line for line in rest if line.endswith("\n")][-1]) if rest else committed
        assert start <= committed < start + 999, "it was killed while it wrote"
        wanted = rounds(range(start, committed + 1))
        store = Store(tmp_path / "cache", said.append)
        assert store.get(Kind.SCORES, wanted).keys() == wanted and said == []
        store.close()
