"""The queue in front of the Guard: in order, and never longer than what a check may wait."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from serving import ASKED, CHAT, DOCUMENTS, FIXTURES, FakeGuard, counts

from detectors.evidence import Passage
from server import checks
from server.config import ServerConfig
from server.metrics import Metrics

serve, upstream, shared_upstream, logged = FIXTURES

PASSAGES = [Passage("old", "Refunds take 14 days."), Passage("new", "Refunds take 30 days.")]


def checker(guard, **settings):
    return checks.Checker(guard, ServerConfig(check_threads=1, **settings), Metrics())


def test_checks_begin_in_the_order_in_which_they_were_asked_for():
    guard = FakeGuard()
    one = checker(guard)

    async def ask():
        await asyncio.gather(*(one.check(PASSAGES, str(i)) for i in range(20)))

    asyncio.run(ask())
    assert guard.questions == [str(i) for i in range(20)]


def test_a_check_that_would_wait_too_long_is_given_up_at_once(monkeypatch):
    monkeypatch.setattr(checks, "LATEST", 1.0)
    guard = FakeGuard(lambda: time.sleep(0.1))
    one = checker(guard, deadline_s=2.0)  # a check may wait 4 s, so at most 40 of these

    async def ask():
        await one.check(PASSAGES, "first")
        asked = [asyncio.create_task(one.check(PASSAGES, str(i))) for i in range(100)]
        await asyncio.sleep(0)  # every one of them begins
        refused = [task.exception() for task in asked if task.done()]
        begun = len(guard.questions)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        return refused, begun

    refused, begun = asyncio.run(ask())
    assert 59 <= len(refused) < 100 and begun <= 2
    assert {(type(e), e.reason, e.retry_after_s) for e in refused} == {(checks.CheckFailed, "overloaded", 1)}


def test_a_server_with_too_long_a_queue_says_when_to_come_back(serve, upstream, monkeypatch):
    monkeypatch.setattr(checks, "LATEST", 1e6)  # all checks seem to take a million times as long as the first
    calls, begun, release = count(), threading.Event(), threading.Event()

    def hook():
        if next(calls):
            begun.set()
            release.wait(5)
        else:
            time.sleep(0.01)

    client = serve(FakeGuard(hook), check_threads=1, on_error="closed")
    asked = {"messages": ASKED, "documents": DOCUMENTS}
    assert client.post(CHAT, json=asked).status_code == 200
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.post, CHAT, json=asked)
        begun.wait(5)
        response = client.post(CHAT, json=asked)
        release.set()
        assert running.result().status_code == 200
    assert response.status_code == 503 and int(response.headers["retry-after"]) > 1000 and len(upstream.received) == 2
    assert response.json()["error"]["code"] == "check_failed"
    counts(client, 'passageguard_check_failures_total{reason="overloaded"} 1')
    counts(client, "passageguard_checks_in_flight 0")
