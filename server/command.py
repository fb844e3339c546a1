"""``passageguard serve``.  Loads nothing heavy until it is run.  Knows nothing about requests."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from .config import ServerConfig

LISTEN, GATEWAY, POLICY, DETECTION, LIMITS = "Where to listen", "Gateway", "Policy", "Detection", "Limits"
VERIFIER = "Verifier (off unless given)"


def serve(
    config: Annotated[Path | None, typer.Option(help="TOML or YAML file with any of the settings below.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).", rich_help_panel=LISTEN)] = None,
    port: Annotated[int | None, typer.Option(help="Port (8780); 0 takes a free one.", rich_help_panel=LISTEN)] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible endpoint to stand in front of: http://localhost:8000/v1.", rich_help_panel=GATEWAY
        ),
    ] = None,
    local_model: Annotated[
        str | None,
        typer.Option(
            help="Language model of this process, a path or hub name, asked for as local/NAME; or NAME=PATH.",
            rich_help_panel=GATEWAY,
        ),
    ] = None,
    retriever: Annotated[
        str | None,
        typer.Option(
            help="Retriever to stand in front of, PRESET=ADDRESS: elasticsearch=http://localhost:9200. Presets: "
            "elasticsearch, opensearch, qdrant, chroma, rerank, dify, vector_store.",
            rich_help_panel=GATEWAY,
        ),
    ] = None,
    documents: Annotated[
        str | None,
        typer.Option(
            help="What the upstream gets of a documents field: native (the field), rendered (text), stripped.",
            rich_help_panel=GATEWAY,
        ),
    ] = None,
    extractors: Annotated[
        list[str] | None,
        typer.Option(
            help="Where to look for passages, repeatable (all): documents, tools, openwebui, anythingllm, context, "
            "llamaindex, regex.",
            rich_help_panel=GATEWAY,
        ),
    ] = None,
    passage_regex: Annotated[
        str | None,
        typer.Option(help="Pattern of your own with a group (?P<text>…), and ?P<id>.", rich_help_panel=GATEWAY),
    ] = None,
    on_conflict: Annotated[
        str | None,
        typer.Option(help="report, annotate (default), rerank, drop or block.", rich_help_panel=POLICY),
    ] = None,
    allow_on_conflict: Annotated[
        list[str] | None,
        typer.Option(help="What a request may ask for instead, repeatable (all).", rich_help_panel=POLICY),
    ] = None,
    on_error: Annotated[
        str | None,
        typer.Option(
            help="When a check fails: open forwards with the verdict skipped (default), closed answers 503.",
            rich_help_panel=POLICY,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="NLI model: a path or hub name (the bundled one).", rich_help_panel=DETECTION),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="File of passageguard calibrate.", rich_help_panel=DETECTION)
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Least calibrated score of a conflict, 0..1.", rich_help_panel=DETECTION)
    ] = None,
    max_pairs: Annotated[
        int | None, typer.Option(help="Most sentence pairs to score (5000).", rich_help_panel=DETECTION)
    ] = None,
    verify_url: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible endpoint that is sent the sentence pairs that matter: http://localhost:8000/v1.",
            rich_help_panel=VERIFIER,
        ),
    ] = None,
    verify_model: Annotated[
        str | None, typer.Option(help="The model to ask for there.", rich_help_panel=VERIFIER)
    ] = None,
    verify_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the key.", rich_help_panel=VERIFIER)
    ] = None,
    verify_max_calls: Annotated[
        int | None, typer.Option(help="Most requests of one check (20).", rich_help_panel=VERIFIER)
    ] = None,
    deadline_s: Annotated[
        float | None,
        typer.Option(help="Seconds until scoring stops; the rest is unverified (5).", rich_help_panel=LIMITS),
    ] = None,
    read_timeout_s: Annotated[
        float | None, typer.Option(help="Seconds the upstream may be silent (600).", rich_help_panel=LIMITS)
    ] = None,
    connect_timeout_s: Annotated[
        float | None, typer.Option(help="Seconds to connect to the upstream (5).", rich_help_panel=LIMITS)
    ] = None,
    max_body_bytes: Annotated[
        int | None, typer.Option(help="Largest request body (16777216).", rich_help_panel=LIMITS)
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(help="Requests at once; one more gets 503 (100).", rich_help_panel=LIMITS)
    ] = None,
    check_threads: Annotated[
        int | None, typer.Option(help="Checks that run at once (2).", rich_help_panel=LIMITS)
    ] = None,
) -> None:
    """Serve checks over HTTP, alone or in front of a model or a retriever.

    \b
    Alone, with a page at http://localhost:8780/:
      passageguard serve
      curl localhost:8780/v1/passageguard/check --json \\
        '{"passages": ["The trial lasts 14 days.", "The trial lasts 30 days."]}'

    \b
    As a gateway: clients change their base_url, and nothing else.
      passageguard serve --upstream http://localhost:8000/v1
      passageguard serve --upstream https://api.openai.com --documents rendered
      passageguard serve --upstream http://localhost:11434 --on-conflict block

    \b
    With a language model of this process, which is asked as "model": "local/NAME":
      passageguard serve --local-model ./models/NAME

    \b
    In front of a retriever: its hits are checked.
      passageguard serve --retriever elasticsearch=http://localhost:9200

    \b
    Passages of /v1/chat/completions and /v2/chat are checked before it is
    forwarded, results of /rerank, /retrieval and vector stores before they
    are returned; all else under /v1/ and /v2/ passes through. Every checked
    answer has the headers
      x-passageguard-verdict    none, clean, reported, annotated, reranked,
                                dropped, blocked, unverified or skipped
      x-passageguard-conflicts  how many
      x-request-id              in the log, too
    A request may hold "passageguard": {"on_conflict": "drop", "by_type":
    {"date": "report"}, "include_verdict": true}; it is not forwarded.

    \b
    Settings come from flags, then PASSAGEGUARD_* variables, then --config:
      PASSAGEGUARD_KEY=… passageguard serve    clients send X-Passageguard-Key
      passageguard serve --config server.toml  upstream = "http://…"
                                               \\[by_type]
                                               date = "report"
    Others: key, by_type, routes, max_context_chars, body_timeout_s,
    shutdown_timeout_s, breaker_failures, breaker_cooldown_s, local_slots,
    local_max_tokens.

    \b
    Operations: /healthz, /readyz (models loaded), /metrics (Prometheus). Logs
    are JSON lines on stderr, without passages, queries and keys. SIGTERM lets
    requests finish.
    """
    flags = {k: v for k, v in locals().items() if k != "config" and v is not None and v != []}

    from .config import load

    run(load(flags, os.environ, config))


def run(config: ServerConfig) -> None:
    """Listen until told to stop.  Raises what kept the models from loading."""
    from .app import create_app

    _require_free(config)
    failures: list[Exception] = []

    def stop(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    _log_to_stderr()
    server = listener(create_app(config, on_load_error=stop), config)
    server.run()
    if failures:
        raise failures[0]


def listener(app: FastAPI, config: ServerConfig) -> uvicorn.Server:
    """Return the HTTP server, not yet running.  h11 refuses ambiguous requests; headers of an upstream stay as is."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app, host=config.host, port=config.port, http="h11", ws="none", access_log=False, log_config=None,
            server_header=False, date_header=False, timeout_graceful_shutdown=round(config.shutdown_timeout_s),
        )
    )  # fmt: skip


def _require_free(config: ServerConfig) -> None:
    """Raise `ConfigError` where nothing can listen at host and port; the HTTP server would end without saying which."""
    from detectors.errors import ConfigError

    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        socket.create_server((config.host, config.port), family=family).close()
    except OSError as error:
        raise ConfigError(f"cannot listen on {config.host}:{config.port} (host, port): {error.strerror}") from error


def _log_to_stderr() -> None:
    from .door import JsonLines

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.captureWarnings(True)  # a library's warning is a line of JSON, too
    for name in ("server", "uvicorn", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
