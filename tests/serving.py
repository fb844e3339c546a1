"""What the tests of the server share: a fake guard, an upstream that listens, and a server in front of it.

A test module takes over its `FIXTURES`.
"""

import asyncio
import contextlib
import json
import logging
import re
import threading
import time
from dataclasses import dataclass, field

import httpx
import pytest

from detectors.evidence import Conflict, ConflictType, Span
from guard import Action, Policy, Status, Verdict
from server.app import create_app
from server.checks import decided
from server.command import listener
from server.config import ServerConfig
from server.door import JsonLines

CHAT = "/v1/chat/completions"
OLD, NEW, OTHER = "Refunds take 14 days.", "Refunds take 30 days.", "Send us a photo."
DOCUMENTS = [{"id": "old", "text": OLD}, {"id": "new", "text": NEW}, {"id": "photo", "text": OTHER}]
ASKED = [{"role": "user", "content": "How long does a refund take?"}]
ANSWER = b'{"id": "c1", "object": "chat.completion",  "choices": [{"index": 0, "message": {"content": "Hi"}}]}'
MARK = re.compile(r"\[PassageGuard ([0-9a-f]{10}): ")


@dataclass
class FakeGuard:
    """Passages that name different numbers of days conflict.  ``hook`` runs first, in the worker thread."""

    hook: object = None
    policy: Policy = field(default_factory=Policy)
    questions: list = field(default_factory=list)
    unverified: tuple = ()

    def check(self, passages, question=None):
        self.questions.append(question)
        if self.hook and passages[0].id != "a":  # not for the warm-up
            self.hook()
        days = [(p, m) for p in passages if (m := re.search(r"\d+ days", p.text))]
        found = tuple(
            Conflict(ConflictType.VALUE, 0.9, _span(p, m), _span(q, n), "days differ", ("values",))
            for i, (p, m) in enumerate(days)
            for q, n in days[i + 1 :]
            if m[0] != n[0]
        )
        status = Status.CONFLICT if found else Status.UNVERIFIED if self.unverified else Status.CLEAN
        return decided(Verdict(status, found, Action.REPORT, (), (), self.unverified), passages, self.policy)


def _span(passage, match):
    return Span(passage.id, *match.span(), match[0])


@dataclass
class Received:
    head: str
    headers: list
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return [v for k, v in self.headers if k.lower() == name]


class Upstream:
    """Listens on loopback, keeps what it receives, and answers as ``script(reader, writer)`` says."""

    def __init__(self):
        self.received, self.gone, self.script = [], threading.Event(), answering(ANSWER)
        self.test = 0  # connections of an earlier test may end later
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        async def main():
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self.server.sockets[0].getsockname()[1]
            started.set()

        def run():
            self.loop.run_until_complete(main())
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        started.wait(5)
        self.url = f"http://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader, writer):
        test = None
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.received.append(await self._request(reader))
                test = self.test
                await self.script(reader, writer)
                await writer.drain()
        if test == self.test:
            self.gone.set()
        writer.close()

    async def _request(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head[1:] if line]
        length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
        return Received(head[0], headers, await reader.readexactly(length))

    def stop(self):
        async def end():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self.loop)


def answering(body, status="200 OK", headers=("Content-Type: application/json",), close=False):
    async def script(reader, writer):
        head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
        writer.write("\r\n".join(head).encode("latin-1") + body)

    return script


def streaming(*parts, pause_s=0.0, end=True, headers=("Content-Type: text/event-stream",)):
    async def script(reader, writer):
        writer.write("\r\n".join(["HTTP/1.1 200 OK", *headers, "Transfer-Encoding: chunked", "", ""]).encode())
        for part in parts:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(pause_s)
        if end:
            writer.write(b"0\r\n\r\n")

    return script


@pytest.fixture(scope="module")
def shared_upstream():
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture
def upstream(shared_upstream):
    shared_upstream.test += 1
    shared_upstream.received.clear()
    shared_upstream.gone.clear()
    shared_upstream.script = answering(ANSWER)
    return shared_upstream


@pytest.fixture
def serve(upstream):
    """Return a function that starts a server and returns a client for it."""
    with contextlib.ExitStack() as stack:

        def start(guard=None, **settings):
            settings = {"upstream": upstream.url, "port": 0, "deadline_s": 5.0, "shutdown_timeout_s": 1.0, **settings}
            config = ServerConfig(**settings)
            server = listener(create_app(config, guard or FakeGuard(policy=config.policy)), config)
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            stack.callback(setattr, server, "should_exit", True)  # it ends beside the next test
            deadline = time.monotonic() + 5
            while not server.started:
                assert thread.is_alive() and time.monotonic() < deadline
                time.sleep(0.005)
            port = server.servers[0].sockets[0].getsockname()[1]
            client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False)
            return stack.enter_context(client)

        yield start


@pytest.fixture
def logged():
    """Yield the lines that the server logs, as text."""
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(JsonLines().format(record))

    handler, loggers = Keep(), [logging.getLogger(n) for n in ("server", "uvicorn", "httpcore")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield lines
    for logger, level in zip(loggers, before, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def verdict(response):
    return response.headers["x-passageguard-verdict"], int(response.headers["x-passageguard-conflicts"])


def eventually(condition):
    deadline = time.monotonic() + 3
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def counts(client, line):
    """A request is counted when it is over, a moment after its answer."""
    eventually(lambda: line in client.get("/metrics").text.splitlines())


FIXTURES = serve, upstream, shared_upstream, logged
