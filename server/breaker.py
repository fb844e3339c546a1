"""A circuit breaker: an upstream that does not answer is left alone for a while.

After so many failures in a row it opens; then one request at a time, once a cool-down, is let through to try.  Knows
nothing about HTTP.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Breaker:
    """Counts failures in a row.  Not for use from several threads."""

    def __init__(self, failures: int, cooldown_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed, self._cooldown_s, self._clock = failures, cooldown_s, clock
        self._failed, self._next_try = 0, -math.inf

    def wait_s(self) -> float:
        """Return 0 for a request that may go on, or how many seconds it would have to wait.

        >>> breaker = Breaker(failures=1, cooldown_s=10, clock=lambda: 5.0)
        >>> breaker.wait_s(), breaker.failed(), breaker.wait_s()
        (0.0, None, 10.0)
        """
        left = self._next_try - self._clock()
        if self._failed < self._allowed:
            return 0.0
        if left > 0:
            return left
        self._next_try = self._clock() + self._cooldown_s  # this one tries; others wait for what it finds
        return 0.0

    def failed(self) -> None:
        """Say that a request got no answer."""
        self._failed += 1
        if self._failed >= self._allowed:
            self._next_try = self._clock() + self._cooldown_s

    def succeeded(self) -> None:
        """Say that a request got an answer, whatever its status."""
        self._failed = 0
