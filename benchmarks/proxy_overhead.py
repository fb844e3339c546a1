"""What the gateway adds to a request: against the same upstream asked directly, in one run.

    python benchmarks/proxy_overhead.py [--requests 300] [--checked 21] [--clients 64] [--seconds 60] [--rounds 3]
        [--out proxy.json]

The upstream is a process that answers every chat at once; each server is ``passageguard serve`` with the bundled model
in another; this process asks, over connections that stay open.  Four parts:

plain: requests without passages, direct and through the gateway in turn: p50 and p99 of both, what is added, and the
    processor time that the server spends on one, which a busy machine changes less.
ten: requests with ten passages of about 100 words (`check_latency.request`), no set twice: p50 and p99, and the shares
    of the check, of the upstream and of the rest, by the server's own histograms.
load: many clients at once; errors, requests a second, p50 and p99.  A request is one set of the suite, two to four
    short passages, each sentence worded as in no other request (`Traffic`), so that no score is known.
throughput: the same load in slices that alternate between servers, so that a busy machine is busy for all of them:
    ``pair_by_pair`` handles one request at a time and asks the model for one pair at a time; ``one_at_a_time`` handles
    one request at a time, its pairs batched; the others are the server as it comes, with 0%, 50% and 90% of the
    requests worded as one that was answered before.  Also the processor time of a request, and the ratios of both.

``longest_gap_s`` is the longest time in which nobody was answered: a long one is the machine's, not one request's.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, permutations
from pathlib import Path
from typing import Any

import numpy as np
from check_latency import SUITE, request

ROOT = Path(__file__).parent.parent
ANSWER = json.dumps({
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}],
}).encode()  # fmt: skip
START = """
import sys
sys.path.insert(0, "benchmarks")
from detectors import nli
from guard import Guard
from micro_batching import PairByPair
from server.app import create_app
from server.command import listener
from server.config import ServerConfig
config = ServerConfig(**{settings})
guard = Guard(config.guard_config(), scorer=PairByPair.like(nli.load())) if {pair_by_pair} else None
listener(create_app(config, guard), config).run()
"""
# No content words, negations or opposites: the pairs that are compared stay the same, and none has been scored before.
FILLERS = (
    "at by for from into of on through to upon with our their its these those this that your also both being".split()
)
SENTENCE_END = re.compile(r"(?<=\w)(?=[.!?](?:\s|$))")
SHARES = {"fresh": 0.0, "half_known": 0.5, "mostly_known": 0.9}  # of the requests, those that were answered before
SLICE_CLIENTS = 8  # enough that one always waits, and few to wait for when a slice ends
ASKED = {"model": "m", "messages": [{"role": "user", "content": "How long does it take?"}]}


def answer_chats(port: int) -> None:
    """Be the upstream."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n".encode()
        try:
            while True:
                sent = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", sent, re.I)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(head + ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", port, limit=2**22, backlog=512) as server:
            await server.serve_forever()

    asyncio.run(main())


@contextmanager
def answering() -> Iterator[int]:
    """Run the upstream; yield its port."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=answer_chats, args=(port,), daemon=True)
    process.start()
    try:
        yield port
    finally:
        process.kill()


@contextmanager
def serving(upstream: int, pair_by_pair: bool = False, **settings: Any) -> Iterator[Server]:
    """Run a server in front of the upstream; yield it once its models are loaded."""
    given = {"port": free_port(), "upstream": f"http://127.0.0.1:{upstream}/v1", "deadline_s": 60.0, **settings}
    command = [sys.executable, "-c", START.format(settings=given, pair_by_pair=pair_by_pair)]
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}  # as `server.command.run` has it
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        while get(given["port"], "/readyz")[0] != 200:
            time.sleep(0.2)
        yield Server(given["port"], process.pid)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int

    @property
    def cpu_s(self) -> float:
        """The processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def sums(self) -> dict[str, float]:
        """The seconds that it has spent in checks, waiting for the upstream, and in requests as a whole."""
        text = get(self.port, "/metrics")[1]
        return {name: float(re.findall(rf"passageguard_{name}_seconds_sum (\S+)", text)[0]) for name in
                ("check", "upstream", "request")}  # fmt: skip


class Client:
    """One open connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, body: bytes) -> tuple[float, int, str | None]:
        """Return seconds, status and verdict."""
        started = time.perf_counter()
        self._connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        answer.read()
        return time.perf_counter() - started, answer.status, answer.getheader("x-passageguard-verdict")


def plain(upstream: int, server: Server, n: int) -> dict[str, Any]:
    body = json.dumps(ASKED).encode()
    direct, through = Client(upstream), Client(server.port)
    seconds: dict[str, list[float]] = {"direct": [], "gateway": []}
    for client in (direct, through):
        client.ask(body)
    before = server.cpu_s
    for _ in range(n):
        seconds["direct"].append(direct.ask(body)[0])
        seconds["gateway"].append(through.ask(body)[0])
    told = {name: quantiles(values) for name, values in seconds.items()}
    added = told["gateway"]["p50_ms"] - told["direct"]["p50_ms"]
    return {**told, "added_p50_ms": added, "server_cpu_ms": 1e3 * (server.cpu_s - before) / n}


def ten(server: Server, requests: Sequence[bytes]) -> dict[str, Any]:
    client = Client(server.port)
    before = server.sums()
    results = [client.ask(body) for body in requests]
    spent = {name: value - before[name] for name, value in server.sums().items()}
    shares = {name: spent[name] / spent["request"] for name in ("check", "upstream")}
    verdicts = sorted({verdict or "" for _, _, verdict in results})
    told = quantiles([s for s, _, _ in results])
    return {**told, "verdicts": verdicts, "shares": {**shares, "rest": 1 - sum(shares.values())}}


class Traffic:
    """Requests without end: a share repeats one that was answered before, the others are new to all servers."""

    _numbers = count()  # of the whole run

    def __init__(self, sets: Sequence[dict[str, Any]]) -> None:
        self._sets = sets
        self._wordings = list(permutations(FILLERS, 2))
        self._answered: list[bytes] = []

    def request(self, repeated: float) -> bytes:
        number = next(self._numbers)
        rng = random.Random(number)
        if rng.random() < repeated and self._answered:
            return rng.choice(self._answered)
        return self._new(number)

    def answered(self, body: bytes) -> None:
        self._answered.append(body)

    def _new(self, number: int) -> bytes:
        own = self._sets[number % len(self._sets)]
        first, second = self._wordings[number // len(self._sets) % len(self._wordings)]
        texts = [SENTENCE_END.sub(f" {first} {second}", p["text"]) for p in own["passages"]]
        documents = [{"id": p["id"], "text": text} for p, text in zip(own["passages"], texts, strict=True)]
        return json.dumps({**ASKED, "documents": documents}).encode()


@dataclass(slots=True)
class Slice:
    """What was measured of a server under load; slices of one kind add up."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    longest_gap_s: float = 0.0
    results: list[tuple[float, int, str | None]] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return len(self.results) / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1e3 * self.cpu_s / len(self.results)

    def told(self) -> dict[str, Any]:
        failed = sum(status != 200 or verdict == "skipped" for _, status, verdict in self.results)
        return {
            "requests": len(self.results), "errors_or_skipped": failed, "requests_per_s": self.per_s,
            "server_cpu_ms": self.cpu_ms, **quantiles([s for s, _, _ in self.results]),
            "longest_gap_s": self.longest_gap_s,
        }  # fmt: skip


def load(server: Server, traffic: Traffic, clients: int, seconds: float, repeated: float, told: Slice) -> None:
    """Ask with so many clients for a while, and until all are answered; add what happened to ``told``."""
    started, before = time.perf_counter(), server.cpu_s
    ends = [started]

    def work() -> None:
        client = Client(server.port)
        while time.perf_counter() < started + seconds:
            body = traffic.request(repeated)
            told.results.append(client.ask(body))
            ends.append(time.perf_counter())
            traffic.answered(body)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.seconds += time.perf_counter() - started
    told.cpu_s += server.cpu_s - before
    told.longest_gap_s = max(told.longest_gap_s, *np.diff(sorted(ends)))


def throughput(
    servers: dict[str, Server], sets: Sequence[dict[str, Any]], clients: int, seconds: float, rounds: int
) -> dict[str, Any]:
    """Compare in slices that alternate."""
    kinds = {"pair_by_pair": 0.0, "one_at_a_time": 0.0, **SHARES}
    traffic = {kind: Traffic(sets) for kind in kinds}
    slices = {kind: Slice() for kind in kinds}
    for _ in range(rounds):
        for kind, repeated in kinds.items():
            load(servers.get(kind, servers["shipped"]), traffic[kind], clients, seconds, repeated, slices[kind])
    return {
        kind: {
            **found.told(),
            **{
                f"times_{base}": {"requests_per_s": found.per_s / slices[base].per_s,
                                  "cpu": slices[base].cpu_ms / found.cpu_ms}
                for base in ("pair_by_pair", "one_at_a_time")
            },
        }
        for kind, found in slices.items()
    }  # fmt: skip


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{q}_ms": 1e3 * float(np.percentile(seconds, q)) for q in (50, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--checked", type=int, default=21)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sets = [s for s in map(json.loads, SUITE.open()) if s["half"] == "tune"]
    chosen = [i for i, s in enumerate(sets) if s["kind"] == "pair"][: args.checked]
    bodies = [
        json.dumps({**ASKED, "documents": [{"id": p.id, "text": p.text} for p in request(sets, i, 10)[0]]}).encode()
        for i in chosen
    ]
    many = {"max_requests": 2 * args.clients}
    with ExitStack() as stack:
        upstream = stack.enter_context(answering())
        servers = {
            "shipped": stack.enter_context(serving(upstream, **many)),
            "one_at_a_time": stack.enter_context(serving(upstream, check_threads=1, **many)),
            "pair_by_pair": stack.enter_context(serving(upstream, pair_by_pair=True, check_threads=1, **many)),
        }
        shipped, under_load = servers["shipped"], Slice()
        figures: dict[str, Any] = {
            "machine": {"cpus": os.cpu_count(), "load_average": os.getloadavg()[0],
                        "threads": os.environ.get("OMP_NUM_THREADS")},
            "plain": plain(upstream, shipped, args.requests),
            "ten": ten(shipped, bodies),
        }  # fmt: skip
        figures["throughput"] = throughput(servers, sets, SLICE_CLIENTS, args.seconds / 10, args.rounds)
        load(shipped, Traffic(sets), args.clients, args.seconds, 0.0, under_load)
        figures["load"] = {"clients": args.clients, "seconds": under_load.seconds, **under_load.told()}
    text = json.dumps(figures, indent=2, default=lambda x: round(float(x), 3))
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
