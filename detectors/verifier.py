"""A second opinion on the few pairs that matter, from a language model behind an OpenAI-compatible endpoint.

Off unless a `VerifierConfig` is given.  The pairs whose calibrated score lies in a band are sent, the highest first,
one request a pair; `judgement` says what is asked and what an answer changes.  Whatever goes wrong leaves a pair's
score as it is and is named in `Unverified`, in words that hold no text of passages or replies, and no key.  Knows
nothing about policies or the command line.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import ConfigError
from .evidence import ScoredPair, Unverified
from .judgement import FORMS, VERIFIER, Answer, Unanswered, adjusted, message, parse, request

if TYPE_CHECKING:
    import httpx

CONCURRENCY = 4
MAX_MESSAGE_CHARS = 8_000
MAX_REPLY_BYTES = 262_144
CACHED_ANSWERS = 10_000
REFUSED_FORM = (400, 422)  # what endpoints answer to a response_format that they do not know
URL = re.compile(r"[!-~]+")  # printable ASCII
NO_ADDRESS = "verifier: base_url must be an address such as http://localhost:8000/v1"
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VerifierConfig:
    """Which endpoint to ask, about what, and how often.

    base_url: what stands before ``/chat/completions``, such as ``http://localhost:8000/v1``; ``/v1`` is added to a
        bare host.
    model: the name that the endpoint knows.
    api_key_env: the environment variable that holds the key; None sends none.
    max_calls: most requests of one check; cached answers are free.
    deadline_s: seconds for all requests of one check.
    band: least and highest calibrated score of the pairs that are asked about, 0..1.
    weight: log-odds of an answer; 3.0 is what one is worth that is right about 19 times of 20.
    """

    base_url: str
    model: str
    api_key_env: str | None = None
    max_calls: int = 20
    deadline_s: float = 10.0
    band: tuple[float, float] = (0.3, 1.0)
    weight: float = 3.0

    def __post_init__(self) -> None:
        _require_url(self.base_url)
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError("verifier: model must be the name of a model at the endpoint")
        if self.api_key_env is not None and not VARIABLE.fullmatch(str(self.api_key_env)):
            raise ConfigError(
                "verifier: api_key_env must be the name of an environment variable in capitals, not the key itself"
            )
        if not isinstance(self.max_calls, int) or isinstance(self.max_calls, bool) or self.max_calls < 1:
            raise ConfigError(f"verifier: max_calls must be a whole number of at least 1, not {self.max_calls!r}")
        for name in ("deadline_s", "weight"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value < math.inf:
                raise ConfigError(f"verifier: {name} must be a positive number, not {value!r}")
        if not isinstance(self.band, tuple) or len(self.band) != 2 or not all(map(_is_number, self.band)):
            raise ConfigError(f"verifier: band must be two numbers, not {self.band!r}")
        if not 0 <= self.band[0] <= self.band[1] <= 1:
            raise ConfigError(f"verifier: band must be two rising scores in 0..1, not {self.band!r}")

    @property
    def endpoint(self) -> str:
        """The address that is posted to."""
        base = self.base_url.rstrip("/")
        return f"{base}/chat/completions" if urlsplit(base).path else f"{base}/v1/chat/completions"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _require_url(url: str) -> None:
    """Raise `ConfigError`, which does not repeat the address: it may hold a key."""
    try:
        parts = urlsplit(url if URL.fullmatch(url) else "")
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except (ValueError, TypeError) as error:
        raise ConfigError(NO_ADDRESS) from error
    if not usable:
        raise ConfigError(NO_ADDRESS)
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError("verifier: base_url must hold no user, key or query; name the key's variable in api_key_env")


class Verifier:
    """Asks about pairs.  Remembers answers, and the form of request that the endpoint took, as long as it lives.

    Safe to use from several threads.  Raises `ConfigError` where the key's variable is not set.
    """

    def __init__(self, config: VerifierConfig) -> None:
        self.config = config
        self._cache: dict[str, Answer] = {}
        self._form, self._is_settled = 0, False
        _headers(config)

    def verify(
        self, scored: Sequence[ScoredPair], question: str | None = None, left_s: float = math.inf
    ) -> tuple[list[ScoredPair], tuple[Unverified, ...]]:
        """Return the pairs in the given order, those in the band adjusted, and which of these were not verified.

        ``left_s`` are the seconds that the caller has left.
        """
        low, high = self.config.band
        inside = sorted((s for s in scored if low <= s.score <= high), key=lambda s: -s.score)
        sent = {found: message(found, question) for found in inside}
        answers = self._answers(list(dict.fromkeys(sent.values())), min(left_s, self.config.deadline_s))
        heard = {found: answers[text] for found, text in sent.items()}
        result = [
            adjusted(s, said, self.config.weight) if isinstance(said := heard.get(s), Answer) else s for s in scored
        ]
        return result, tuple(_unverified((s, said) for s, said in heard.items() if isinstance(said, str)))

    def _answers(self, messages: Sequence[str], seconds: float) -> dict[str, Answer | str]:
        """Return for each message its answer, or why there is none."""
        found: dict[str, Answer | str] = {m: self._cache[m] for m in messages if m in self._cache}
        found |= {m: "too long to be sent" for m in messages if len(m) > MAX_MESSAGE_CHARS}
        missing = [m for m in messages if m not in found]
        if not missing:
            return found
        if seconds <= 0:
            return found | dict.fromkeys(missing, "deadline reached")
        try:
            with ThreadPoolExecutor(1) as thread:  # the caller's thread may have an event loop of its own
                fresh = thread.submit(asyncio.run, self._ask_all(missing, seconds)).result()
        except ConfigError:
            raise
        except Exception as error:  # a verifier that fails must not look like "no conflict"
            return found | dict.fromkeys(missing, f"failed: {type(error).__name__}")
        self._remember({m: answer for m, answer in fresh.items() if isinstance(answer, Answer)})
        return found | fresh

    def _remember(self, answers: Mapping[str, Answer]) -> None:
        kept = {**self._cache, **answers}
        self._cache = dict(list(kept.items())[-CACHED_ANSWERS:])

    async def _ask_all(self, messages: Sequence[str], seconds: float) -> dict[str, Answer | str]:
        """Ask about all at once, but for the first of all, which settles the form of request for the others."""
        import httpx

        end = asyncio.get_running_loop().time() + seconds
        gate, budget = asyncio.Semaphore(CONCURRENCY), iter(range(self.config.max_calls))

        async def ask(message: str) -> Answer | str:
            try:
                async with asyncio.timeout_at(end), gate:
                    return parse(await self._reply(client, message, budget))
            except TimeoutError:
                return "deadline reached"
            except httpx.HTTPError as error:  # its own words may repeat the request
                return f"the endpoint cannot be reached or broke off ({type(error).__name__})"
            except Unanswered as error:
                return str(error)

        async with httpx.AsyncClient(headers=_headers(self.config), follow_redirects=False, timeout=None) as client:
            alone = 0 if self._is_settled else 1
            answers = [await ask(m) for m in messages[:alone]]
            answers += await asyncio.gather(*map(ask, messages[alone:]))
        return dict(zip(messages, answers, strict=True))

    async def _reply(self, client: httpx.AsyncClient, message: str, budget: Iterator[int]) -> bytes:
        """Post the message in the strictest form that the endpoint takes.  Raises `Unanswered`."""
        forms = list(FORMS)
        for form in range(self._form, len(forms)):
            if next(budget, None) is None:
                raise Unanswered(f"budget of {self.config.max_calls} calls spent")
            status, reply = await self._post(client, request(self.config.model, message, forms[form]))
            if status == 200:
                if form > self._form:
                    log.warning("verifier: the endpoint refused %s; it is asked in form %s", forms[0], forms[form])
                self._form, self._is_settled = form, True
                return reply
            if status not in REFUSED_FORM:
                break
        redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""
        raise Unanswered(f"the endpoint answered {status}{redirect}")

    async def _post(self, client: httpx.AsyncClient, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Return the status, and the reply of a 200."""
        reply = bytearray()
        async with client.stream("POST", self.config.endpoint, json=body) as response:
            if response.status_code != 200:
                return response.status_code, b""
            async for chunk in response.aiter_raw():  # asked for uncompressed, so that its size is its size
                reply += chunk
                if len(reply) > MAX_REPLY_BYTES:
                    raise Unanswered(f"the reply is over {MAX_REPLY_BYTES:,} bytes")
        return 200, bytes(reply)


def _headers(config: VerifierConfig) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if config.api_key_env is not None:
        key = os.environ.get(config.api_key_env, "").strip()
        if not URL.fullmatch(key):
            raise ConfigError(
                f"verifier: the environment variable {config.api_key_env} holds no key; set it, or give no api_key_env"
            )
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _unverified(missed: Iterable[tuple[ScoredPair, str]]) -> Iterator[Unverified]:
    """Yield one entry for each reason, with all its pairs."""
    places: dict[str, list[str]] = {}
    for found, reason in missed:
        a, b = found.pair.a.span, found.pair.b.span
        place = f"{a.passage_id!r} {a.start}-{a.end} against {b.passage_id!r} {b.start}-{b.end}"
        places.setdefault(reason, []).append(place)
    for reason, pairs in places.items():
        yield Unverified(VERIFIER, f"{reason}; pairs that keep their score: {', '.join(dict.fromkeys(pairs))}")
