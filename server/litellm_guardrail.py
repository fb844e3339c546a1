"""PassageGuard inside LiteLLM's proxy, as a `CustomGuardrail`.  The one module that imports litellm.

LiteLLM loads guardrails from a file beside its configuration; two lines are enough there::

    # passageguard_guardrail.py
    from server.litellm_guardrail import PassageGuardrail

    # config.yaml
    guardrails:
      - guardrail_name: passageguard
        litellm_params: {guardrail: passageguard_guardrail.PassageGuardrail, mode: pre_call, default_on: true}

Settings come from ``PASSAGEGUARD_*`` variables, as those of ``passageguard serve``.  Knows nothing about the server.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

from fastapi import HTTPException
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.types.guardrails import GuardrailEventHooks

from guard import Guard

from .checks import WARM_UP, Checker, Checks
from .config import ServerConfig, load
from .context import ContextGuard
from .errors import Refusal
from .extractors import FIELD
from .metrics import Metrics
from .schemas import chat_options

CHATS = ("completion", "acompletion")  # LiteLLM's names for calls with messages


class PassageGuardrail(CustomGuardrail):
    """Checks the passages of chats, ``documents`` included, before LiteLLM sends them on."""

    def __init__(self, config: ServerConfig | None = None, guard: Checks | None = None, **kwargs: Any) -> None:
        """Build it with settings of one's own, or those of the environment, and load the models.

        Raises `ConfigError`, and `ModelError` for a model that cannot be loaded.
        """
        super().__init__(**{"supported_event_hooks": [GuardrailEventHooks.pre_call], **kwargs})
        self._settings = config or load({}, os.environ)
        loaded = guard or Guard(self._settings.guard_config())
        loaded.check(WARM_UP)  # the first request must not wait for it
        checker = Checker(loaded, self._settings, Metrics())
        self._context = ContextGuard(self._settings, checker, secrets.token_bytes(32))

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> Any:
        """Return the request with its context repaired.  Raises `HTTPException` for what is blocked or refused."""
        if call_type not in CHATS or not self.should_run_guardrail(data=data, event_type=GuardrailEventHooks.pre_call):
            return data
        try:
            policy = chat_options(data.get(FIELD) or {}).policy(self._settings, FIELD)
            outcome = await self._context.repaired(data, policy)
        except Refusal as refusal:
            raise _as_http(refusal) from refusal
        if outcome.refusal is not None:
            raise _as_http(outcome.refusal)
        return dict(outcome.chat)


def _as_http(refusal: Refusal) -> HTTPException:
    return HTTPException(refusal.status, detail=refusal.body(), headers=refusal.headers or None)
