"""What each processor costs a Collector: spans a second of one core, beside none and beside contrib's own processors.

python bench/collector/run.py                          every pipeline, 10 s each: a quarter of an hour
python bench/collector/run.py --soak 600               all four and the ledger over a million customers, resident memory as it goes,
                                                       twice: budgets of teams alone, and of each customer, too

The built Collector (`make collector`) on one core, and a sender on the other that posts batches of 512 spans over OTLP/HTTP.
A rate is spans over the CPU time of the Collector's process, so the sender's speed does not count. `plain` spans are calls with
16 attributes; `content` ones carry 2 KB of messages without findings besides; `other` are spans of no call. A pipeline ends in
the exporter `nop`, which encodes nothing; `exported` ones send on what they get by OTLP/HTTP; those `as deployed` have the memory
limiter, the queue on disk and the batches of deploy/collector/agent.yaml besides, and are charged until the queue is empty.
"""

from __future__ import annotations

import argparse
import copy
import http.client
import http.server
import itertools
import json
import multiprocessing
import os
import random
import signal
import subprocess
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from spans import MARKS, batch

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "collector/dist/genops-collector"
RESULTS = ROOT / "bench/results/collector.json"
PIPELINES = json.loads(Path(__file__).with_name("pipelines.json").read_text())
CONSTANTS = "contrib attributes, 23 constants"
EXPORTED, DEPLOYED = ", exported", ", as deployed"
NAMES = [
    *PIPELINES,
    *(f"{name}{how}" for how in (EXPORTED, DEPLOYED) for name in ("passthrough", "all", CONSTANTS, "contrib both")),
]
KINDS = ("plain", "content", "other")
ALL = frozenset({"teams", "customers"})  # the budgets in pipelines.json
CUSTOMERS = 1_000_000
TICKS = os.sysconf("SC_CLK_TCK")


class Sink:
    """A backend in a process of its own, on the sender's core: reads what is sent and says yes."""

    def __init__(self) -> None:
        parent, child = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_swallow, args=(child,), daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{parent.recv()}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


class _Yes(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on standard error for each request."""


def _as_deployed(url: str) -> dict[str, Any]:
    """The exporter of deploy/collector/agent.yaml, whose queue is small enough to be emptied soon."""
    agent = yaml.safe_load((ROOT / "deploy/collector/agent.yaml").read_text())
    queue: dict[str, Any] = agent["exporters"]["otlp_http/backend"]
    return queue | {"endpoint": url, "sending_queue": queue["sending_queue"] | {"queue_size": 64 << 20}}


def _swallow(started: Connection) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Yes) as server:
        started.send(server.server_port)
        server.serve_forever()


class Running:
    """One Collector with the processors of a pipeline, on core 0."""

    def __init__(self, name: str, folder: Path, budgets: frozenset[str] = ALL) -> None:
        pipeline = copy.deepcopy(PIPELINES[name.removesuffix(EXPORTED).removesuffix(DEPLOYED)])
        if state := pipeline.get("extensions", {}).get("genops_state"):
            state["budgets"] = [each for each in state["budgets"] if each["name"] in budgets]
        self.deployed = name.endswith(DEPLOYED)
        self.sink = Sink() if name.endswith((EXPORTED, DEPLOYED)) else None
        exporters: dict[str, Any] = {"nop": {}}
        if self.sink:  # without a queue: what is acknowledged is sent
            exporters = {"otlp_http": {"endpoint": self.sink.url, "sending_queue": {"enabled": False}}}
        if self.deployed and self.sink:
            exporters = {"otlp_http": _as_deployed(self.sink.url)}
            limiter = {"memory_limiter": {"check_interval": "1s", "limit_mib": 1024, "spike_limit_mib": 256}}
            pipeline["processors"] = limiter | pipeline.get("processors", {})
            storage = {"file_storage": {"directory": str(folder / "queue"), "create_directory": True, "fsync": True}}
            pipeline["extensions"] = storage | pipeline.get("extensions", {})
        policies = Path(__file__).with_name("policies.yaml")
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:24318"}}}},
            "processors": pipeline.get("processors", {}),
            "connectors": pipeline.get("connectors", {}),
            "extensions": pipeline.get("extensions", {}),
            "exporters": exporters | {"nop": {}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
                "extensions": list(pipeline.get("extensions", {})),
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": list(pipeline.get("processors", {})),
                        "exporters": [*exporters, *pipeline.get("connectors", {})],
                    },
                    **pipeline.get("pipelines", {}),
                },
            },
        }
        path = folder / f"{name}.yaml"
        path.write_text(json.dumps(config).replace("POLICIES", str(policies)))  # JSON is YAML
        environment = os.environ | {"GOMAXPROCS": "1", "GOMEMLIMIT": "1GiB"}
        self._log = (folder / f"{name}.log").open("wb")
        command = ["taskset", "-c", "0", str(BINARY), f"--config={path}"]
        self.process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=self._log)
        for _ in range(200):
            if self.process.poll() is not None:
                raise SystemExit(f"{name} does not start:\n{(folder / f'{name}.log').read_text()[-2000:]}")
            try:
                self.connection = http.client.HTTPConnection("127.0.0.1", 24318, timeout=30)
                self.post(ExportTraceServiceRequest().SerializeToString())
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{name} takes no spans")

    def post(self, body: bytes) -> None:
        """Send one batch; anything but an acknowledgement ends the benchmark."""
        self.connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise SystemExit(f"answered {answer.status}: {said[:200]!r}")

    def cpu_s(self) -> float:
        """User and system time of the process so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wait_until_idle(self) -> None:
        """Until nothing is queued any more: the process uses no time for a second."""
        before = -1.0
        while (now := self.cpu_s()) - before > 0.02:
            before = now
            time.sleep(1.2)

    def resident_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()
        if self.sink:
            self.sink.stop()


_number = itertools.count(1)


def fresh(body: bytes) -> bytes:
    """A batch whose trace ids, response ids and customers no earlier one had."""
    own = b"%08x" % next(_number)
    for mark in MARKS:
        body = body.replace(mark, own)
    return body


def rate(running: Running, kind: str, seconds: float) -> dict[str, float]:
    """Spans for each CPU second of the Collector, over so many seconds."""
    body, spans = batch(kind)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        running.post(fresh(body))
    if running.deployed:
        running.wait_until_idle()
    cpu, sent, deadline = running.cpu_s(), 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        running.post(fresh(body))
        sent += spans
    if running.deployed:
        running.wait_until_idle()
    used = running.cpu_s() - cpu
    return {"spans_per_core": round(sent / used), "us_per_span": round(used / sent * 1e6, 2)}


def in_turns(names: list[str], seconds: float, rounds: int, folder: Path) -> dict[str, Any]:
    """Every pipeline in every round, in another order each; the median of the rounds."""
    rows: dict[str, dict[str, list[dict[str, float]]]] = {name: {kind: [] for kind in KINDS} for name in names}
    for round_number in range(rounds):
        random.Random(round_number).shuffle(names)
        for name in names:
            running = Running(name, folder)
            try:
                for kind in KINDS:
                    rows[name][kind].append(rate(running, kind, seconds / rounds))
            finally:
                running.stop()
            print(f"{time.strftime('%H:%M:%S')} {name}: {rows[name]}", flush=True)
    return {
        name: {
            kind: sorted(found, key=lambda each: each["us_per_span"])[len(found) // 2] for kind, found in kinds.items()
        }
        for name, kinds in rows.items()
    }


def soak(seconds: float, folder: Path, budgets: frozenset[str]) -> list[dict[str, float]]:
    """Resident memory while customers keep coming that were never seen, a million over that time."""
    running, samples = Running("all, and the ledger", folder, budgets), []
    body, spans = batch("customers")
    started, sent, look = time.monotonic(), 0, 0.0
    try:
        while (now := time.monotonic() - started) < seconds:
            if now >= look:
                samples.append({"s": round(now), "customers": sent, "mib": round(running.resident_mib(), 1)})
                print(samples[-1], flush=True)
                look += seconds / 12
            if sent > CUSTOMERS * now / seconds:
                time.sleep(0.01)
                continue
            running.post(fresh(body))
            sent += spans
        samples.append({"s": round(now), "customers": sent, "mib": round(running.resident_mib(), 1)})
    finally:
        running.stop()
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=10, help="of each kind of span in each pipeline, over all rounds"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", action="append", metavar="PIPELINE", help="one of them; may be given again")
    parser.add_argument("--soak", type=float, default=0, help="seconds of the memory test, in place of rates")
    args = parser.parse_args()
    if not BINARY.exists():
        parser.error("genops-collector is not built.   fix: make collector")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the sender's core
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="bench-collector-") as folder:
        if args.soak:
            found["soak"] = {
                "teams": soak(args.soak, Path(folder), frozenset({"teams"})),
                "customers": soak(args.soak, Path(folder), ALL),
            }
        else:
            names = [name for name in NAMES if not args.only or name in args.only]
            found["rates"] = found.get("rates", {}) | in_turns(names, args.seconds, args.rounds, Path(folder))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
