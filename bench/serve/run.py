"""What the receiver of `genops serve` takes: spans and records a second, until they are durable.

python bench/serve/run.py                    short: 20,000 of each kind
python bench/serve/run.py --records 200000   at size

One server process, one sender process, loopback. Every request is answered after its transaction is on disk. `seen` is
until the last entry is in the answer to a query. Writes bench/results/serve.json with --write.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.server.telling import USED, logs, message, record, sdk_span, span, traces  # noqa: E402

from genops.analytics import open_source  # noqa: E402

RESULTS = ROOT / "bench/results/serve.json"
SENDERS = 2
_SOMEBODY = 2**62  # the parent of every span: none of those that are sent, for a parent is no leaf


def bodies(kind: str, count: int, size: int) -> list[tuple[str, bytes]]:
    """Requests of `size` records each, made before the clock starts."""
    made = []
    for first in range(0, count, size):
        numbers = range(first + 1, first + 1 + min(size, count - first))
        said = {"gen_ai.response.id": "chatcmpl-{:012}"}
        if kind == "records":
            request: dict[str, Any] = logs(*(record(f"R{n}", number=n, trace=n) for n in numbers))
        elif kind == "spans of the SDK":
            request = traces(*(sdk_span(f"S{n}", number=n, trace=n) for n in numbers), scope="genops")
        else:
            request = traces(
                *(
                    span(n, {**USED, **{k: v.format(n) for k, v in said.items()}}, trace=n, parent=_SOMEBODY)
                    for n in numbers
                )
            )
        signal_name, found = message(request)
        made.append((f"/v1/{signal_name}", found.SerializeToString()))
    return made


def send(port: int, requests: list[tuple[str, bytes]]) -> None:
    """Send them over one connection, each answered before the next."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for path, body in requests:
        connection.request("POST", path, body, {"content-type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    connection.close()


@contextlib.contextmanager
def served(directory: Path):
    """A server of its own."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    command = ["-c", "from genops.cli import main; main()", "serve", "--ledger", str(directory), "--port", str(port)]
    process = subprocess.Popen([sys.executable, *command, "--grpc-port", "0"], stdout=subprocess.DEVNULL)
    while not (directory / "serve.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    try:
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(kind: str, count: int, size: int) -> dict[str, Any]:
    requests = bodies(kind, count, size)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (port, pid):
        began = time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(lambda part: send(port, part), [requests[each::SENDERS] for each in range(SENDERS)]))
        durable = time.perf_counter() - began
        source = open_source(Path(folder))
        while source.query("totals")[0]["calls"] < count:
            time.sleep(0.1)
        seen = time.perf_counter() - began
        return {
            "kind": kind,
            "records": count,
            "in a request": size,
            "per second, durable": round(count / durable),
            "seconds until seen": round(seen, 1),
            "server MiB": round(resident_mib(pid)),
        }


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--records", type=int, default=20_000)
    arguments.add_argument("--write", action="store_true")
    chosen = arguments.parse_args()
    found = []
    for kind in ("records", "spans of the SDK", "spans of others"):
        for size in (512, 16):
            found.append(measure(kind, chosen.records if size == 512 else chosen.records // 10, size))
            print(found[-1], flush=True)
    if chosen.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
