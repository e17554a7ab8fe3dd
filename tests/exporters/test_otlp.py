"""OpenTelemetry set up from the standard variables: spans, metrics and logs arrive; what does not costs no entry."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from genops import semconv as s
from genops.stores import LedgerReader

APP = """
import logging, sys
logging.basicConfig(level=logging.WARNING)
import genops
genops.configure()
print(genops.status().exporting_to)
genops.track_cost("0.25", provider="acme", model="m")
"""


@pytest.fixture
def backend() -> Iterator[tuple[str, dict[str, list[bytes]]]]:
    """An OTLP backend on loopback, and what it was sent by path."""
    received: dict[str, list[bytes]] = defaultdict(list)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received[self.path].append(
                gzip.decompress(body) if "gzip" in self.headers.get_all("content-encoding", []) else body
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


def run(ledger: Path, code: str = APP, **variables: str) -> subprocess.CompletedProcess[str]:
    """An application in a process of its own, with nothing of ours in its environment but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "GENOPS_"))}
    governed = {
        "GENOPS_TEAM": "t",
        "GENOPS_PROJECT": "p",
        "GENOPS_ENVIRONMENT": "test",
        "GENOPS_LEDGER_DIR": str(ledger),
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        env=kept | governed | variables,
        cwd=ledger.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_everything_arrives_at_the_endpoint(backend: tuple[str, dict[str, list[bytes]]], tmp_path: Path) -> None:
    """`OTEL_EXPORTER_OTLP_ENDPOINT` is all there is to say."""
    url, received = backend
    done = run(tmp_path / "ledger", OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_SERVICE_NAME="shop")

    assert (0, url) == (done.returncode, done.stdout.strip())
    assert {"/v1/traces", "/v1/metrics", "/v1/logs"} == set(received)
    (request,) = (ExportTraceServiceRequest.FromString(body) for body in received["/v1/traces"])
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert 0.25 == next(x.value.double_value for x in span.attributes if x.key == s.GENOPS_COST_TOTAL)


def test_backend_that_is_down_loses_no_entry(tmp_path: Path) -> None:
    """The ledger does not depend on telemetry, and the application ends as it would have."""
    done = run(
        tmp_path / "ledger",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )

    assert 0 == done.returncode
    assert 1 == len(list(LedgerReader(tmp_path / "ledger").entries()))


def test_without_an_endpoint_nothing_is_set_up(tmp_path: Path) -> None:
    """No exporter, no thread, no complaint; the ledger is kept."""
    done = run(tmp_path / "ledger")

    assert ("None", "") == (done.stdout.strip(), done.stderr)
    assert 1 == len(list(LedgerReader(tmp_path / "ledger").entries()))


def test_console_shows_the_span(tmp_path: Path) -> None:
    """`telemetry: {console: true}` prints spans as they end."""
    done = run(tmp_path / "ledger", APP.replace("configure()", "configure(telemetry={'console': True})"))

    assert done.stdout.startswith("the console")
    assert s.GENOPS_COST_TOTAL in done.stdout


def test_own_providers_are_left_alone(tmp_path: Path) -> None:
    """An application that set OpenTelemetry up keeps what it has."""
    own = "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider\n"
    done = run(
        tmp_path / "ledger",
        own + "trace.set_tracer_provider(TracerProvider())\n" + APP,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )

    assert "the application's own OpenTelemetry providers" == done.stdout.strip()


def test_own_provider_needs_no_hash(tmp_path: Path) -> None:
    """Logfire's tracer provider is a dataclass that compares by value, so it cannot be a key."""
    own = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
class Comparing(TracerProvider):
    __hash__ = None
trace.set_tracer_provider(Comparing())
"""
    done = run(tmp_path / "ledger", own + APP)

    assert "the application's own OpenTelemetry providers" == done.stdout.strip(), done.stderr


def test_missing_exporter_says_what_to_install(tmp_path: Path) -> None:
    """An endpoint without the extra is a warning once, and calls go on."""
    hide = "import sys; sys.modules['opentelemetry.exporter.otlp.proto.http.trace_exporter'] = None\n"
    done = run(tmp_path / "ledger", hide + APP, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")

    assert 0 == done.returncode
    assert "pip install 'genops-ai[otlp]'" in done.stderr
    assert 1 == len(list(LedgerReader(tmp_path / "ledger").entries()))


def test_endpoint_in_code(backend: tuple[str, dict[str, list[bytes]]], tmp_path: Path) -> None:
    """`configure_otlp_exporter(endpoint, headers=...)` is the same from code."""
    url, received = backend
    code = f"import genops\nprint(genops.configure_otlp_exporter({url!r}, headers={{'x-key': '1'}}))\n" + APP
    done = run(tmp_path / "ledger", code)

    assert url in done.stdout
    assert 1 == len(received["/v1/traces"])
