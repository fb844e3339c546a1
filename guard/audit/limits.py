"""How much of anything is read, so that no file takes all of a machine: bytes, lines, entries, seconds.

Ordinary text of 49 MB takes 204 (json) to 429 MiB (rst) at its peak, libraries included, and at most 9 seconds of
processor time; a docx of 45 MB of XML 221 MiB.  The worst file of 1 MB that was found takes 285 MB and 5 seconds; the
worst at the limits was not measured.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from detectors.errors import InputError

MAX_BYTES = 50_000_000  # of a file
MAX_LINES = 2_000_000  # of a file of text; tags of a page, fields of JSON
MAX_PASSAGES = 500_000  # of a file; entries of JSON
MAX_UNPACKED_BYTES = 500_000_000  # of all parts of a docx
MAX_XML_BYTES = 50_000_000  # of those of them that are XML
MAX_SECONDS = 600  # for one file


def require(count: int, limit: int, what: str, name: str) -> None:
    """Raise `InputError` where a file has more of something than is read."""
    if count > limit:
        raise InputError(f"{name}: more than {limit:,} {what}; split the file")


class _Overdue(BaseException):
    """Not an `Exception`, so that no library takes it for a failure of its own and goes on."""


@contextmanager
def time_limit(name: str, seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Raise `InputError` after that time, in the main thread of a system with alarms; elsewhere there is no limit."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Overdue

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Overdue as error:
        raise InputError(f"{name}: takes longer than {seconds:g} seconds to read; split or export it again") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
