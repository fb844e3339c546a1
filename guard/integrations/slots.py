"""Work that computes, run in threads for an event loop, a few at the same time.

On the same machine more of them gain nothing, and each thread that waits for the interpreter keeps the loop waiting for
another switch interval (5 ms).  Knows nothing about what is computed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
R = TypeVar("R")


class Slots:
    """At most ``count`` calls of `run` compute at the same time in one event loop; the others wait for their turn."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return ``work(*args, **kwargs)``, run in a thread.  Who gives up waiting starts nothing."""
        async with self._free.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self.count)):
            return await asyncio.to_thread(work, *args, **kwargs)
