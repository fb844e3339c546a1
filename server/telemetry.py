"""OpenTelemetry, where it is installed and set up: a span for each request, and one for each check inside it.

Only the API is used (extra ``otel``); which SDK and exporter there are is the user's own choice, as with
``opentelemetry-instrument passageguard serve``.  Without them everything here does nothing.  All names are in this
module.  Attributes come from closed sets and counts; they hold no text of requests.  Knows nothing about routes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

try:
    from opentelemetry import propagate, trace
except ImportError:  # the extra is not installed
    HAS_API = False
else:
    HAS_API = True

REQUEST, CHECK = "passageguard.request", "passageguard.check"
NAMES = {
    "method": "http.request.method", "status": "http.response.status_code", "route": "passageguard.route",
    "verdict": "passageguard.verdict", "conflicts": "passageguard.conflicts", "passages": "passageguard.passages",
    "operation": "gen_ai.operation.name",
}  # fmt: skip
OPERATIONS = {"chat": "chat", "rerank": "rerank", "retrieval": "retrieval"}  # routes that are operations on models


@contextmanager
def span(name: str, headers: Mapping[bytes, bytes] | None = None) -> Iterator[dict[str, Any]]:
    """Run the block in a span; what the block puts into the yielded facts, under the keys of `NAMES`, is told.

    ``headers`` may name the client's span (``traceparent``), which then is the parent.
    """
    facts: dict[str, Any] = {}
    if not HAS_API:
        yield facts
        return
    carrier = {k.decode("latin-1"): v.decode("latin-1") for k, v in (headers or {}).items()}
    parent = propagate.extract(carrier) if headers is not None else None
    with trace.get_tracer("passageguard").start_as_current_span(name, parent, record_exception=False) as current:
        try:
            yield facts
        finally:
            for key, attribute in NAMES.items():
                if facts.get(key) is not None:
                    current.set_attribute(attribute, facts[key])
