"""The command line in this process: arguments and stdin in, exit code and both streams out.

The bundled models stay loaded between calls, as `detectors.nli.load` and `detectors.encoder.load` keep them.
"""

import io
import sys
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch, tmp_path_factory):
    """Return a function that runs ``passageguard`` with arguments and stdin (text, bytes, or None: closed).

    Audits of one test share a cache, which begins empty.
    ``stderr`` may be a stream of one's own, such as a terminal; then ``err`` stays empty.
    """
    from guard.cli import main

    monkeypatch.setenv("PASSAGEGUARD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))

    def run(*args, stdin="", stderr=None):
        given = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["passageguard", *map(str, args)])
            patch.setattr(sys, "stdin", None if given is None else io.TextIOWrapper(io.BytesIO(given)))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", stderr or err)
            with pytest.raises(SystemExit) as end:
                main()
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())
        return Ran(end.value.code, *texts)

    return run
