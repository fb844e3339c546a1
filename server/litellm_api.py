"""LiteLLM's generic guardrail API: it sends the texts of a request, and takes them back repaired.

``POST /beta/litellm_basic_guardrail_api`` (docs.litellm.ai, "Generic Guardrail API").  LiteLLM never sends the field
``documents`` there; `server.litellm_guardrail` sees it.  Knows nothing about how passages are found or checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from . import extractors, openapi
from .config import ServerConfig
from .context import ContextGuard
from .door import Visit
from .schemas import OPTIONS, chat_options

PATH = "/beta/litellm_basic_guardrail_api"
PARAMS = "additional_provider_specific_params"


class GuardrailRequest(BaseModel):
    """What LiteLLM sends, as far as it is read here."""

    model_config = ConfigDict(extra="ignore")

    texts: list[str] | None = None
    structured_messages: list[Any] | None = None
    input_type: Literal["request", "response"] = "request"
    additional_provider_specific_params: dict[str, Any] | None = None


def add_routes(app: FastAPI, config: ServerConfig, context: ContextGuard) -> None:
    """Add the one route."""

    @app.post(PATH, responses=openapi.answers(openapi.GUARDRAIL, "What is to be done."))
    async def litellm_guardrail(asked: GuardrailRequest, request: Request) -> Response:
        """Check the passages in the texts of a request to LiteLLM; answers of models are left alone."""
        visit: Visit = request.state.visit
        visit.route, visit.verdict = "litellm", "none"
        params = asked.additional_provider_specific_params or {}
        policy = chat_options({k: v for k, v in params.items() if k in OPTIONS}).policy(config, PARAMS)
        if asked.input_type == "response" or not asked.texts:
            return JSONResponse({"action": "NONE"})
        chat = {"messages": messages(asked.texts, asked.structured_messages or [])}
        outcome = await context.repaired(chat, policy)
        visit.verdict, visit.conflicts, visit.facts["passages"] = outcome.headline, outcome.conflicts, outcome.passages
        if outcome.refusal is not None:
            return JSONResponse({"action": "BLOCKED", "blocked_reason": str(outcome.refusal)})
        if outcome.chat is chat:
            return JSONResponse({"action": "NONE"})
        texts = [message["content"] for message in outcome.chat["messages"]]
        return JSONResponse({"action": "GUARDRAIL_INTERVENED", "texts": texts})


def messages(texts: Sequence[str], structured: Sequence[Any]) -> list[dict[str, str]]:
    """Return a message for each text, in its role where the structured messages hold just these texts, else a user's.

    >>> messages(["14 days."], [{"role": "tool", "content": [{"type": "text", "text": "14 days."}]}])
    [{'role': 'tool', 'content': '14 days.'}]
    """
    said = [
        (str(message.get("role")), text)
        for message in structured
        if isinstance(message, dict)
        for text in extractors.texts(message.get("content"))
    ]
    roles = [role for role, _ in said] if [text for _, text in said] == list(texts) else ["user"] * len(texts)
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
