"""The context of a chat: its passages found, checked, and written back repaired.

Read `ContextGuard.repaired` from top to bottom.  Knows nothing about HTTP, or about how passages are found or checked.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from detectors.evidence import Passage
from guard.policy import Policy
from guard.verdict import Action, Verdict

from . import annotation, checks, extractors
from .checks import Checker, with_unread
from .config import ServerConfig
from .errors import Refusal
from .extractors import FIELD, Repair, Search

Chat = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model should get, and what is said of it.

    ``chat`` is the given object where nothing changes; ``found`` is where its passages were, ``repair`` what is to be
    written there.
    """

    chat: Chat
    headline: str
    passages: int = 0
    verdict: Verdict | None = None
    found: Search | None = None
    repair: Repair | None = None

    @property
    def conflicts(self) -> int:
        return len(self.verdict.conflicts) if self.verdict else 0

    @property
    def refusal(self) -> Refusal | None:
        """The answer where the passages are withheld."""
        if self.verdict is None or self.verdict.action is not Action.BLOCK:
            return None
        return annotation.blocked(self.verdict)


class ContextGuard:
    """Checks chats.  ``secret`` is what notes are marked under."""

    def __init__(self, config: ServerConfig, checker: Checker, secret: bytes) -> None:
        self._config, self._checker, self._secret = config, checker, secret

    async def repaired(self, chat: Chat, policy: Policy | None = None) -> Outcome:
        """Return the outcome.  A check that fails is ``skipped``, or raises `Refusal` where ``on_error`` is closed."""
        found: Search | None = None
        try:
            found = extractors.find(chat, self._config.extractors, self._config.passage_regex)
            if not found.passages:
                return Outcome(self._sent(chat, found, None), "unverified" if found.unread else "none", found=found)
            checked = await self._checker.check(found.passages, extractors.question(found), policy)
            verdict = with_unread(checked, found.unread)
            sent = chat if verdict.action is Action.BLOCK else self._sent(chat, found, verdict)
            repair = annotation.repair(verdict, self._sign(found))
            return Outcome(sent, annotation.headline(verdict), len(found.passages), verdict, found, repair)
        except Exception as error:  # our failure must look neither like "clean" nor like the client's
            self._checker.skipped(error)
            if self._config.on_error == "closed":
                raise checks.refusal(error) from error
            return Outcome(self._sent(chat, Search(chat), None), "skipped", found=found)

    def _sent(self, chat: Chat, found: Search, verdict: Verdict | None) -> Chat:
        """Return what the model gets; ``chat`` itself where that is the same."""
        sign = self._sign(found)
        sent = {k: v for k, v in chat.items() if k != FIELD} if FIELD in chat else chat
        if verdict is not None and (found.is_forged or annotation.changes(verdict, found.passages)):
            sent = _written(sent, found, annotation.repair(verdict, sign))
        if "documents" not in sent or self._config.documents == "native":
            return sent
        documents = sent["documents"]
        sent = {k: v for k, v in sent.items() if k != "documents"}
        if self._config.documents == "rendered":
            return extractors.with_context(sent, extractors.rendered(documents, sign))
        notice = annotation.repair(verdict, sign).notice if verdict else ""
        return extractors.with_context(sent, notice) if notice else sent

    def _sign(self, found: Search) -> str:
        return annotation.mark(self._secret, found.passages or [Passage("", secrets.token_hex())])


def _written(chat: Chat, found: Search, repair: Repair) -> Chat:
    """Return the chat with the repaired passages where they came from; the notice stands in the first place."""
    for place in found.places:
        chat = extractors.replaced(chat, place.path, place.rewritten(repair))
        repair = replace(repair, notice="")
    return chat
