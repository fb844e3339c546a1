"""What the gateway adds to a request: against the same upstream asked directly, in one run.

    python benchmarks/proxy_overhead.py [--requests 300] [--checked 21] [--clients 64] [--seconds 60] [--threads 2]
        [--out proxy.json]

The upstream is a process that answers every chat at once; the server is ``passageguard serve`` with the bundled model
in another; this process asks, over connections that stay open.  Five parts:

plain: requests without passages, direct and through the gateway in turn: p50 and p99 of both, what is added, and the
    processor time that the server spends on one, which a busy machine changes less.
ten: requests with ten passages of about 100 words (`check_latency.request`), no set twice: p50 and p99, and the shares
    of the check, of the upstream and of the rest, by the server's own histograms.
alone: one client for a third of the time, each request one set of the suite that this server has not seen in this
    wording: errors, requests a second, p50 and p99, processor time of a request.
load: the same with many clients at once, and how many times the throughput of one that is.
known: the same with many clients for a third of the time, the sets always in one wording, so that scores are found in
    the cache that all requests share.

``longest_gap_s`` is the longest time in which nobody was answered: a long one is the machine's, not one request's.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from check_latency import SUITE, request

ROOT = Path(__file__).parent.parent
ANSWER = json.dumps({
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}],
}).encode()  # fmt: skip
START = "from server.command import run; from server.config import ServerConfig; run(ServerConfig(**{settings}))"
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
def running(settings: dict[str, Any]) -> Iterator[tuple[int, int, int]]:
    """Run upstream and server; yield their ports, and the server's process id."""
    ports = free_port(), free_port()
    upstream = multiprocessing.get_context("spawn").Process(target=answer_chats, args=(ports[0],), daemon=True)
    upstream.start()
    given = {"port": ports[1], "upstream": f"http://127.0.0.1:{ports[0]}/v1", **settings}
    command = [sys.executable, "-c", START.format(settings=given)]
    server = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while get(ports[1], "/readyz")[0] != 200:
            time.sleep(0.2)
        yield *ports, server.pid
    finally:
        server.terminate()
        server.wait()
        upstream.kill()


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


class Client:
    """One open connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, body: bytes) -> tuple[float, int, str | None]:
        """Return seconds, status and verdict."""
        started = time.perf_counter()
        self._connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        answer.read()
        return time.perf_counter() - started, answer.status, answer.getheader("x-passageguard-verdict")


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def plain(upstream: int, server: int, pid: int, n: int) -> dict[str, Any]:
    body = json.dumps(ASKED).encode()
    direct, through = Client(upstream), Client(server)
    seconds: dict[str, list[float]] = {"direct": [], "gateway": []}
    for client in (direct, through):
        client.ask(body)
    before = cpu_s(pid)
    for _ in range(n):
        seconds["direct"].append(direct.ask(body)[0])
        seconds["gateway"].append(through.ask(body)[0])
    told = {name: quantiles(values) for name, values in seconds.items()}
    added = told["gateway"]["p50_ms"] - told["direct"]["p50_ms"]
    return {**told, "added_p50_ms": added, "server_cpu_ms": 1e3 * (cpu_s(pid) - before) / n}


def ten(server: int, requests: Sequence[bytes]) -> dict[str, Any]:
    client = Client(server)
    before = sums(server)
    results = [client.ask(body) for body in requests]
    spent = {name: value - before[name] for name, value in sums(server).items()}
    shares = {name: spent[name] / spent["request"] for name in ("check", "upstream")}
    verdicts = sorted({verdict or "" for _, _, verdict in results})
    told = quantiles([s for s, _, _ in results])
    return {**told, "verdicts": verdicts, "shares": {**shares, "rest": 1 - sum(shares.values())}}


def load(
    server: int, pid: int, clients: int, seconds: float, sets: Sequence[dict[str, Any]], wording: str
) -> dict[str, Any]:
    """Ask for a while; ``wording`` is what each passage ends in, with the number of the request as ``{}``."""
    results: list[tuple[float, int, str | None]] = []
    ends: list[float] = []
    numbers, started, before = count(), time.perf_counter(), cpu_s(pid)
    end = started + seconds

    def work() -> None:
        client = Client(server)
        while time.perf_counter() < end:
            number = next(numbers)
            own = sets[number % len(sets)]
            documents = [{"id": p["id"], "text": f"{p['text']} {wording.format(number)}"} for p in own["passages"]]
            results.append(client.ask(json.dumps({**ASKED, "documents": documents}).encode()))
            ends.append(time.perf_counter())

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = sum(status != 200 or verdict == "skipped" for _, status, verdict in results)
    took = time.perf_counter() - started
    gaps = np.diff([started, *sorted(ends)])
    return {
        "clients": clients, "seconds": took, "requests": len(results), "errors_or_skipped": failed,
        "requests_per_s": len(results) / took, "server_cpu_ms": 1e3 * (cpu_s(pid) - before) / len(results),
        **quantiles([s for s, _, _ in results]), "longest_gap_s": gaps.max(),
    }  # fmt: skip


def sums(server: int) -> dict[str, float]:
    text = get(server, "/metrics")[1]
    return {name: float(re.findall(rf"passageguard_{name}_seconds_sum (\S+)", text)[0]) for name in
            ("check", "upstream", "request")}  # fmt: skip


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{q}_ms": 1e3 * float(np.percentile(seconds, q)) for q in (50, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--checked", type=int, default=21)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2, help="check_threads")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sets = [s for s in map(json.loads, SUITE.open()) if s["half"] == "tune"]
    chosen = [i for i, s in enumerate(sets) if s["kind"] == "pair"][: args.checked]
    checked = [request(sets, i, 10)[0] for i in chosen]
    bodies = [
        json.dumps({**ASKED, "documents": [{"id": p.id, "text": p.text} for p in passages]}).encode()
        for passages in checked
    ]
    settings = {"deadline_s": 60.0, "max_requests": 2 * args.clients, "check_threads": args.threads}
    with running(settings) as (upstream, server, pid):
        figures: dict[str, Any] = {
            "machine": {"cpus": os.cpu_count(), "load_average": os.getloadavg()[0]},
            "plain": plain(upstream, server, pid, args.requests),
            "ten": ten(server, bodies),
            "alone": load(server, pid, 1, args.seconds / 3, sets, "One case {}."),
            "load": load(server, pid, args.clients, args.seconds, sets, "Case {}."),
            "known": load(server, pid, args.clients, args.seconds / 3, sets, "Known."),
        }
    for name in ("load", "known"):
        figures[name]["times_alone"] = figures[name]["requests_per_s"] / figures["alone"]["requests_per_s"]
    text = json.dumps(figures, indent=2, default=lambda x: round(float(x), 3))
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
