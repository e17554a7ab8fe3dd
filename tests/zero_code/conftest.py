"""Programs that know nothing of GenOps, started as a user starts them, against a replayed provider."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from genops import semconv as s
from genops.core.ledger import LedgerEntry
from genops.stores import LedgerReader
from genops.stores.budgets import open_budget_store
from genops.testing.replay import ReplayServer, load_recordings

BIN = Path(sys.executable).parent
GENOPS_RUN = (str(BIN / "genops"), "run", "--")
OPENTELEMETRY = (str(BIN / "opentelemetry-instrument"),)
CHAT, STREAM = "openai-chat-once-0b39ae08eb", "openai-chat-stream-b43ccf319f"
DEADLINE_S = 120  # of a busy machine; alone it takes a few seconds

# One call, as an application makes it. `ask()` is there for every program started here.
ASKING = """
import os, sys, openai

def ask(say="hello", **more):
    client = openai.OpenAI(api_key="test", base_url=os.environ["PROVIDER"] + "/v1", max_retries=0)
    return client.chat.completions.create(
        model="gpt-5.4-mini", messages=[{"role": "user", "content": say}], max_completion_tokens=100, **more
    )
"""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} within {DEADLINE_S:.0f} s")


class Collector:
    """An OTLP backend on loopback: the spans it was sent. `silent` makes it take requests and never answer."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.connections: set[int] = set()  # that spans came over
        self.alerts: list[dict[str, Any]] = []
        self.silent = threading.Event()
        self.closing = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections are kept

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if collector.silent.is_set():
                    collector.closing.wait()
                zipped = self.headers.get("content-encoding") == "gzip"
                if self.path == "/alerts":
                    collector.alerts.append(json.loads(body))
                if self.path == "/v1/traces":
                    collector.connections.add(self.client_address[1])
                    collector.bodies.append(gzip.decompress(body) if zipped else body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "600000",  # only what flushes at the end exports
        }

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def call_ids(self) -> list[str]:
        """Of the governed calls that have arrived, in order."""
        spans = [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(
            attribute.value.string_value
            for span in spans
            for attribute in span.attributes
            if attribute.key == s.GENOPS_CALL_ID
        )


LEASED = "budgets: [{name: cap, limit: 1, window: day, slice: 0.2}]\nlog_level: error\n"


class Place:
    """A folder to run programs in, the provider they talk to, and the ledger they leave behind."""

    def __init__(self, folder: Path, server: ReplayServer) -> None:
        self.folder, self.server = folder, server
        self.ledger = folder / "ledger"
        self.env = {
            **os.environ,
            "PROVIDER": server.url,
            "GENOPS_LEDGER_DIR": str(self.ledger),
            "GENOPS_TEAM": "search",
            "GENOPS_PROJECT": "shop",
            "GENOPS_ENVIRONMENT": "test",
            **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
            "PYTHONPATH": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        self.env.pop("PYTHONWARNINGS", None)
        (folder / "asking.py").write_text(ASKING)
        self._started: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            [str(each) for each in command],
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    def start(self, *command: str | Path, **env: str) -> subprocess.Popen[str]:
        """Start, in a process group of its own; its output goes to a file."""
        with (self.folder / "output.txt").open("a") as output:
            process = subprocess.Popen(
                [str(each) for each in command],
                cwd=self.folder,
                env={**self.env, **env},
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    @property
    def call_ids(self) -> list[str]:
        return sorted(entry.call_id for entry in self.entries)

    @property
    def reserved(self) -> int:
        """What is held of the budgets, in counted units: by calls in flight, and by leases."""
        store = open_budget_store(f"sqlite:{self.ledger / 'budgets.db'}")
        try:
            return sum(counter.reserved for counter in store.counters())
        finally:
            store.close()

    def stop_all(self) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def entries(self) -> list[LedgerEntry]:
        """What the ledger holds now, also of processes that still run."""
        return list(LedgerReader(self.ledger).entries()) if self.ledger.exists() else []


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    wanted = {CHAT, STREAM}
    recordings = [each for each in load_recordings(Path(__file__).parents[1] / "recordings") if each.id in wanted]
    assert len(wanted) == len(recordings)
    with ReplayServer(recordings, unique_ids=True) as server:
        made = Place(tmp_path, server)
        yield made
        made.stop_all()
