"""In front of a retriever: what it returned is checked before the client gets it.

Read `Retrieval.answer` from top to bottom: it is the path of a request.  An answer that needs no change is passed on
byte for byte.  Knows nothing about where passages sit in an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import Send

from detectors.errors import PassageGuardError
from guard.policy import Policy
from guard.verdict import Action, Status, Verdict

from . import annotation, checks, relay
from .checks import Checker, with_unread
from .config import ServerConfig
from .door import Visit
from .errors import Refusal
from .extractors import FIELD, Repair
from .routes import Endpoint
from .schemas import json_bytes, request_options
from .shapes import Hits, Shape
from .upstream import Answer, Upstream, once, without_encodings

MILDEST_FIRST = ("none", "clean", "unverified", "reported", "annotated", "reranked", "dropped", "blocked")


class Unreadable(PassageGuardError):
    """An answer whose passages cannot be read."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one list of hits, as its headline, and as what a client may want to show."""

    headline: str
    summary: Mapping[str, Any]


class Retrieval:
    """Checks the answers of one upstream's endpoints."""

    def __init__(
        self, config: ServerConfig, checker: Checker, upstream: Upstream, secret: bytes, mount: str = ""
    ) -> None:
        self._config, self._checker, self._upstream = config, checker, upstream
        self._secret, self._mount = secret, mount

    async def answer(self, request: Request, endpoint: Endpoint, send: Send) -> None:
        """Ask the upstream, check the passages of its answer, and send what is left of them to the client."""
        visit: Visit = request.state.visit
        visit.route, visit.verdict = endpoint.kind, "none"
        body = await request.body()
        asked = _parsed(body)
        own = asked.get(FIELD) if isinstance(asked, dict) else None
        options = request_options(request.headers, own)
        policy = options.policy(self._config, FIELD)
        if own is not None:
            body = json_bytes({k: v for k, v in asked.items() if k != FIELD})
        answer = await relay.ask(self._upstream, request, body, without_encodings(request.headers.raw), self._mount)
        if answer.status == 200:
            query = unquote(request.headers.get("x-passageguard-query", "")) or None
            answer = await self._checked(answer, asked, query, endpoint.shape, policy, options.include_verdict, visit)
        await relay.send_on(answer, send)

    async def _checked(
        self, answer: Answer, asked: Any, query: str | None, shape: Shape, policy: Policy | None, shows: bool,
        visit: Visit,
    ) -> Answer:  # fmt: skip
        """Return the answer, repaired where it must be.  Raises `Refusal` for what is blocked."""
        held, is_whole = await relay.held(answer.chunks, self._config.max_body_bytes)
        answer = replace(answer, chunks=once(held) if is_whole else relay.chained(held, answer.chunks))
        try:
            if not is_whole or not answer.is_json:
                raise Unreadable("the answer is too large (max_body_bytes), compressed, or no JSON")
            given = json.loads(held)
            judged, repaired = await self._judged(given, shape.hits(asked, given), query, shape, policy, visit)
            if shows and isinstance(repaired, dict):
                repaired = {**repaired, FIELD: _shown(judged, visit)}
            return answer if repaired is given else answer.with_body(json_bytes(repaired))
        except Refusal:
            raise
        except Exception as error:  # our failure must not look like "clean"
            visit.verdict, visit.conflicts = "skipped", 0
            visit.facts["check_error"] = type(error).__name__
            self._checker.skipped(error)
            if self._config.on_error == "closed":
                raise checks.refusal(error) from error
            return answer

    async def _judged(
        self, given: Any, lists: Sequence[Hits], query: str | None, shape: Shape, policy: Policy | None, visit: Visit
    ) -> tuple[list[Judged], Any]:
        """Check every list of hits; return what is said of each, and the answer, itself where nothing changes."""
        judged: list[Judged] = []
        answer = given
        if shape.keeps_all:
            policy = _softened(policy or self._config.policy)
        for hits in lists:
            visit.facts["passages"] = visit.facts.get("passages", 0) + len(hits.passages)
            said, answer = await self._list(answer, hits, query or hits.question, shape, policy, visit)
            judged.append(said)
            visit.conflicts += len(said.summary["conflicts"])
        visit.verdict = max((j.headline for j in judged), key=MILDEST_FIRST.index, default="none")
        return judged, answer

    async def _list(
        self, answer: Any, hits: Hits, question: str | None, shape: Shape, policy: Policy | None, visit: Visit
    ) -> tuple[Judged, Any]:
        if not hits.passages:
            nothing = Verdict(Status.UNVERIFIED, (), Action.REPORT, (), (), tuple(hits.search.unread))
            if hits.search.is_forged:
                answer, _ = shape.rewritten(answer, hits, nothing, Repair((), {}))
            return Judged("unverified", annotation.summary(nothing)), answer
        verdict = with_unread(await self._checker.check(hits.passages, question, policy), hits.search.unread)
        if verdict.action is Action.BLOCK:
            visit.verdict, visit.conflicts = "blocked", len(verdict.conflicts)
            raise annotation.blocked(verdict)
        headline = annotation.headline(verdict)
        sign = annotation.mark(self._secret, hits.passages)
        if hits.search.is_forged or annotation.changes(verdict, hits.passages):
            answer, is_written = shape.rewritten(answer, hits, verdict, annotation.repair(verdict, sign))
            if headline == "annotated" and not is_written:
                headline = "reported"
        return Judged(headline, annotation.summary(verdict)), answer


def _softened(policy: Policy) -> Policy:
    """Return the policy for answers that keep all their hits: what would be dropped is moved behind the others."""

    def soft(action: Action) -> Action:
        return Action.RERANK if action is Action.DROP else action

    return replace(policy, action=soft(policy.action), by_type={t: soft(a) for t, a in policy.by_type.items()})


def _shown(judged: Sequence[Judged], visit: Visit) -> dict[str, Any]:
    lists = {name: [x for j in judged for x in j.summary[name]] for name in ("conflicts", "removed", "unverified")}
    return {"request_id": visit.id, "verdict": visit.verdict, **lists}


def _parsed(body: bytes) -> Any:
    """Return a body as JSON, or None: the upstream may judge it."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
