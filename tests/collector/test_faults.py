"""What goes wrong around a Collector: a backend that is down, a kill, input that is no OTLP or no count."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.collector.conftest import ROOT, Collector, call, free_port

DOWN_S = float(os.environ.get("GENOPS_TEST_DOWN_S", "3"))  # 60 for the long form


class _Sink:
    """A backend that may be down; it remembers the spans it acknowledged."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.costs: dict[str, Any] = {}
        self.seen: Counter[str] = Counter()
        self._server: ThreadingHTTPServer | None = None

    def up(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None: ...

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path.endswith("/traces"):
                    sink.take(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.seen[span.span_id.hex()] += 1
                    found = {each.key: each.value for each in span.attributes}
                    self.costs[found["genops.call.id"].string_value] = found["genops.cost.total"].double_value

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def test_nothing_is_lost_while_the_backend_is_down_and_the_collector_is_killed(binary: Path, tmp_path: Path) -> None:
    """Spans acknowledged before, between and after two kills arrive, each priced once and to the same amount."""
    port = free_port()
    sink = _Sink(port)
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "GENOPS_STATE": str(tmp_path / "state"),
        "GENOPS_HEALTH": "127.0.0.1:0",
    }
    running = Collector(binary, [ROOT / "deploy/collector/agent.yaml"], tmp_path, **settings)
    sent = 0
    try:
        for _ in range(2):
            for _ in range(50):
                assert 200 == running.send(call(sent), call(sent + 1)).status_code
                sent += 2
            time.sleep(DOWN_S / 2)
            running.stop(signal.SIGKILL)
            running.start()
        assert 200 == running.send(call(sent)).status_code
        sent += 1
        sink.up()
        deadline = time.monotonic() + 60
        while len(sink.seen) < sent and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        running.stop()
        sink.down()

    assert sent == len(sink.seen), running.log.read_text()[-2000:]
    assert sent == len(sink.costs)  # a span that came twice has the same call id
    assert {0.00825} == set(sink.costs.values())


def test_a_gateway_keeps_what_its_samplers_do_not_take(binary: Path, tmp_path: Path) -> None:
    """No sampler is there, and the first tier is killed: later every dear trace comes out of the second, priced."""
    port, samplers = free_port(), free_port()
    sink = _Sink(port)
    sink.up()
    shared = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "GENOPS_HEALTH": "127.0.0.1:0",
        "GENOPS_SAMPLERS_PORT": str(samplers),
    }
    first, second, quick = tmp_path / "first", tmp_path / "second", tmp_path / "quick.yaml"
    first.mkdir()
    second.mkdir()
    quick.write_text(
        "receivers: {otlp: {protocols: {http: {endpoint: '${env:GENOPS_OTLP_HTTP}'}}}}\n"
        "processors: {tail_sampling: {decision_wait: 1s}}\n"
    )
    deploy = ROOT / "deploy/collector"
    running = [Collector(binary, [deploy / "gateway.yaml"], first, **shared, GENOPS_STATE=str(first / "state"))]
    try:
        for number in range(20):
            dear = call(number, **{"gen_ai.usage.input_tokens": 12_000})
            assert 200 == running[0].send(dear).status_code
        running[0].stop(signal.SIGKILL)
        running[0].start()
        changed = shared | {"GENOPS_OTLP_GRPC": f"127.0.0.1:{samplers}", "GENOPS_STATE": str(second / "state")}
        running.append(Collector(binary, [deploy / "sampling.yaml", quick], second, **changed))
        deadline = time.monotonic() + 90
        while len(sink.seen) < 20 and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        for each in running:
            each.stop()
        sink.down()

    assert 20 == len(sink.seen), "\n".join(each.log.read_text()[-2000:] for each in running)
    assert {0.03525} == set(sink.costs.values())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b'{"resourceSpans": 7}', "application/json"),
        (b"\x0a\xff\xff\xff\xff", "application/x-protobuf"),
        (b"hello", "text/plain"),
    ],
)
def test_what_is_no_otlp_is_refused(collector: Callable[..., Collector], body: bytes, kind: str) -> None:
    """A status of the 400s, and the next request is answered."""
    running = collector()
    answer = httpx.post(f"{running.url}/v1/traces", content=body, headers={"content-type": kind}, timeout=10)

    assert 400 <= answer.status_code < 500
    assert 200 == running.send(call(1)).status_code


def test_what_is_no_count_has_a_clear_status(collector: Callable[..., Collector]) -> None:
    """Negative, too large, text, and a megabyte of it: unpriced with a reason, beside a call that is priced."""
    running = collector()
    hostile = [-5, 2**63 - 1, "NaN", "9" * 1_000_000, 1e300]
    spans = [call(number, **{"gen_ai.usage.input_tokens": value}) for number, value in enumerate(hostile)]
    large = call(98)
    large["attributes"].append({"key": "gen_ai.input.messages", "value": {"stringValue": "x" * 1_000_000}})
    assert 200 == running.send(*spans, large, call(99)).status_code
    running.stop()

    status = {record["genops.call.id"]: record for record in running.ledger()}
    assert 7 == len(status)
    assert {"unpriced": 5, "priced": 2} == Counter(record["genops.cost.status"] for record in status.values())
    reasons = [record.get("genops.cost.unpriced_reason", "") for record in status.values()]
    assert all("no count of tokens" in reason and len(reason) < 200 for reason in reasons if reason)
    assert "panic" not in running.log.read_text()
