"""The page for people, and the counts that it shows.  One file, no other request than to this server.

Its Content-Security-Policy allows the file's own script and style by their hashes and nothing else.  Knows nothing
about checks.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse, Response

from . import openapi
from .config import ServerConfig
from .door import PAGE
from .metrics import Metrics

FILE = Path(__file__).with_name("page.html")


def add_routes(app: FastAPI, config: ServerConfig, counted: Metrics) -> None:
    """Add the page, at ``/`` too unless a retriever is there, and the counts."""

    text = FILE.read_text(encoding="utf-8")

    def page() -> Response:
        """Show the page."""
        return HTMLResponse(text, headers=headers(text))

    for path in [PAGE] if config.has_root_route else [PAGE, "/"]:
        app.get(path, include_in_schema=False)(page)

    @app.get("/v1/passageguard/stats", responses=openapi.answers(openapi.STATS, "The counts."))
    async def stats() -> Response:
        """Return counts since the start, and facts of the latest requests; no text of any."""
        return JSONResponse(statistics(counted), headers={"cache-control": "no-store"})


def statistics(counted: Metrics) -> dict[str, Any]:
    """Return the counts as JSON."""
    by_name = {
        "verdicts": counted.verdicts, "conflicts": counted.conflicts, "check_failures": counted.failures,
        "upstream_errors": counted.upstream_errors,
    }  # fmt: skip
    counts = {name: {key[0]: int(n) for key, n in counter.values()} for name, counter in by_name.items()}
    requests = [
        {"route": route, "status": int(status), "count": int(n)} for (route, status), n in counted.requests.values()
    ]
    return {"uptime_s": counted.uptime_s, "requests": requests, **counts, "recent": [*counted.recent][::-1]}


def headers(text: str) -> dict[str, str]:
    """Return the page's security headers."""
    hashes = {tag: _hash(re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)) for tag in ("script", "style")}
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }  # fmt: skip


def _hash(found: list[str]) -> str:
    (text,) = found
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
