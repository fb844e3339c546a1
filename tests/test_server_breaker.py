"""The circuit breaker, by a clock of one's own and in front of an upstream that stops answering."""

import time

from serving import ANSWER, ASKED, CHAT, FIXTURES, answering, counts

from server.breaker import Breaker

serve, upstream, shared_upstream, logged = FIXTURES


def test_it_opens_after_failures_in_a_row_and_lets_one_try_at_a_time():
    now = 0.0
    breaker = Breaker(failures=2, cooldown_s=10, clock=lambda: now)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.wait_s() == 0
    breaker.failed()
    assert breaker.wait_s() == 10
    now = 4.0
    assert breaker.wait_s() == 6
    now = 10.0
    assert breaker.wait_s() == 0 and breaker.wait_s() == 10  # one tries, the others wait
    breaker.failed()
    now = 25.0
    assert breaker.wait_s() == 0
    breaker.succeeded()
    assert breaker.wait_s() == 0 and breaker.wait_s() == 0


def test_an_upstream_that_does_not_answer_is_left_alone_for_a_while(serve, upstream):
    async def breaking_off(reader, writer):
        writer.close()

    upstream.script = breaking_off
    client = serve(breaker_failures=3, breaker_cooldown_s=0.3)
    statuses = [client.post(CHAT, json={"messages": ASKED}).status_code for _ in range(5)]
    assert statuses == [502, 502, 502, 503, 503] and len(upstream.received) == 3
    refused = client.get("/v1/models")
    assert refused.headers["retry-after"] == "1" and refused.json()["error"]["code"] == "upstream_down"
    assert client.get("/healthz").status_code == 200
    counts(client, 'passageguard_upstream_errors_total{kind="open"} 3')
    upstream.script = answering(ANSWER, "500 Oops")
    time.sleep(0.35)
    assert [client.post(CHAT, json={"messages": ASKED}).status_code for _ in range(3)] == [500, 500, 500]
