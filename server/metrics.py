"""Counters and histograms in Prometheus' text format, version 0.0.4.

Labels come from closed sets (routes, statuses, verdicts, conflict types), never from requests.  Knows nothing about
what is counted.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RECENT = 50  # requests of which facts are kept
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counter:
    """Counts by label values."""

    kind = "counter"

    def __init__(self, name: str, help: str, *labels: str) -> None:
        self.name, self.help, self.labels = name, help, labels
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
        self._lock = threading.Lock()

    def add(self, *values: str, by: float = 1) -> None:
        """Add ``by`` under these label values, given in the order of ``labels``."""
        with self._lock:
            self._values[values] = self._values.get(values, 0.0) + by

    def values(self) -> list[tuple[tuple[str, ...], float]]:
        """Return (label values, count), sorted."""
        with self._lock:
            return sorted(self._values.items())

    def lines(self) -> Iterator[str]:
        for key, value in self.values():
            yield f"{self.name}{_braces(zip(self.labels, key, strict=True))} {value:g}"


class Gauge(Counter):
    """Counts what goes up and down."""

    kind = "gauge"

    @property
    def value(self) -> float:
        """The count of a gauge without labels."""
        return self._values[()]


class Histogram:
    """Counts durations in seconds under upper bounds."""

    kind = "histogram"

    def __init__(self, name: str, help: str) -> None:
        self.name, self.help = name, help
        self._counts, self._sum = [0] * (len(BUCKETS_S) + 1), 0.0
        self._lock = threading.Lock()

    def observe(self, seconds: float) -> None:
        with self._lock:
            self._counts[bisect_left(BUCKETS_S, seconds)] += 1
            self._sum += seconds

    def lines(self) -> Iterator[str]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        for i, bound in enumerate((*map(str, BUCKETS_S), "+Inf")):
            yield f'{self.name}_bucket{{le="{bound}"}} {sum(counts[: i + 1])}'
        yield f"{self.name}_sum {total:g}"
        yield f"{self.name}_count {sum(counts)}"


class Metrics:
    """All that is counted by one server."""

    def __init__(self) -> None:
        self.requests = Counter("passageguard_requests_total", "Requests by route and status.", "route", "status")
        self.in_flight = Gauge("passageguard_requests_in_flight", "Requests being handled.")
        self.checks_in_flight = Gauge("passageguard_checks_in_flight", "Checks that run or wait for a thread.")
        self.verdicts = Counter("passageguard_verdicts_total", "Verdicts of checked requests.", "verdict")
        self.conflicts = Counter("passageguard_conflicts_total", "Conflicts found, by type.", "type")
        self.failures = Counter("passageguard_check_failures_total", "Checks that failed, by reason.", "reason")
        self.upstream_errors = Counter("passageguard_upstream_errors_total", "Upstream failures, by kind.", "kind")
        self.tokens = Counter("passageguard_tokens_total", "Tokens of the local model, by kind.", "kind")
        self.check_s = Histogram("passageguard_check_seconds", "Seconds of one check, its wait included.")
        self.upstream_s = Histogram("passageguard_upstream_seconds", "Seconds until an upstream's headers came.")
        self.request_s = Histogram("passageguard_request_seconds", "Seconds of one request, upstream included.")
        self.recent: deque[Mapping[str, Any]] = deque(maxlen=RECENT)  # facts of the latest requests, without text
        self._started = time.monotonic()

    @property
    def uptime_s(self) -> float:
        return round(time.monotonic() - self._started, 1)

    def text(self) -> str:
        """Return everything in the exposition format."""
        lines: list[str] = []
        for metric in (m for m in vars(self).values() if isinstance(m, (Counter, Histogram))):
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
        return "\n".join(lines) + "\n"


def _braces(pairs: Iterator[tuple[str, str]] | zip[tuple[str, str]]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in pairs)
    return f"{{{inside}}}" if inside else ""
