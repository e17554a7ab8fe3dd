"""`genops serve` as a process: real senders, a real second server, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.server.conftest import Server, free_port
from tests.server.telling import COST, OPENAI, STARTED_NS, USED, attributes, logs, message, record, span, traces

from genops.analytics import Filters, Replica, open_source
from genops.analytics.served import Served
from genops.config import settings
from genops.core.errors import ConfigurationError
from genops.server.serving import Options
from genops.server.serving import serve as serve_here
from genops.stores import LedgerReader

APP = Path(__file__).with_name("apps") / "governed.py"
Serve = Callable[..., Server]


def run_governed(ledger: Path, **environment: str) -> None:
    """The demo's application on replayed traffic, with its ledger there."""
    given = {**os.environ, "GENOPS_LEDGER_DIR": str(ledger), **environment}
    subprocess.run([sys.executable, str(APP)], check=True, timeout=300, capture_output=True, env=given)


def test_application_that_exports_is_accounted_to_the_last_digit(serve: Serve, tmp_path: Path) -> None:
    """An SDK on replayed traffic, its ledger elsewhere, nothing but the endpoint set: the same entries in both."""
    server = serve()
    run_governed(tmp_path / "own", OTEL_EXPORTER_OTLP_ENDPOINT=server.url)
    server.stop()

    own = {entry.call_id: entry for entry in LedgerReader(tmp_path / "own").entries()}
    received = {entry.call_id: entry for entry in server.entries()}
    assert len(own) > 100
    assert own == received


@pytest.mark.parametrize("exports", [False, True])
def test_application_in_the_ledger_directory_needs_no_export(serve: Serve, exports: bool) -> None:
    """Whoever writes to the ledger shows up; whoever exports as well is counted once."""
    server = serve()
    run_governed(server.ledger, **({"OTEL_EXPORTER_OTLP_ENDPOINT": server.url} if exports else {}))
    source = open_source(server.ledger)
    assert isinstance(source, Served)
    (totals,) = source.query("totals")
    by_team = source.query("spend_by", Filters(where=(("team", "support"),)), by=("team",))

    entries = server.entries()
    assert sum(entry.cost or Decimal(0) for entry in entries) == totals["cost"] > 0
    assert len(entries) == totals["calls"] + totals["blocked"]
    assert ["support"] == [row["team"] for row in by_team]


@pytest.mark.parametrize("protocol", ["http", "http gzip", "grpc", "grpc gzip"])
def test_real_exporters_are_understood(serve: Serve, protocol: str) -> None:
    """OpenTelemetry's own exporters, of spans of an application that knows nothing of GenOps."""
    server = serve()
    packed = protocol.endswith("gzip")
    if protocol.startswith("http"):
        how = Compression.Gzip if packed else Compression.NoCompression
        exporter: Any = OverHttp(endpoint=f"{server.url}/v1/traces", compression=how)
    else:
        kind = grpc.Compression.Gzip if packed else None
        exporter = OverGrpc(endpoint=f"localhost:{server.grpc_port}", insecure=True, compression=kind)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer(OPENAI)
    for _ in range(50):
        with tracer.start_as_current_span("chat", attributes=USED):
            pass
    provider.shutdown()
    server.stop()

    assert 50 * Decimal(COST) == sum(entry.cost or 0 for entry in server.entries())


def test_metrics_are_accepted(serve: Serve) -> None:
    """An exporter of metrics finds nothing to complain about."""
    server = serve()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{server.url}/v1/metrics"))
    provider = MeterProvider([reader])
    provider.get_meter("genops").create_counter("genops.cost").add(1)

    assert provider.force_flush()
    provider.shutdown()


def _export(port: int, body: bytes, **metadata: str) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)]) as channel:
        method = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        answer: bytes = method(body, timeout=60, metadata=tuple(metadata.items()), compression=grpc.Compression.Gzip)
        return answer


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, b"\xff\xff\xff"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, b"\x00" * (64 << 20)),
    ],
    ids=["malformed", "a bomb"],
)
def test_grpc_refuses_what_cannot_be_read(serve: Serve, code: grpc.StatusCode, body: bytes) -> None:
    """With a status that says not to send it again, and the server goes on."""
    server = serve()
    with pytest.raises(grpc.RpcError) as refused:
        _export(server.grpc_port, body)

    assert code == refused.value.code()
    assert b"" == _export(server.grpc_port, message(traces(span(1, USED)))[1].SerializeToString())


def test_full_ledger_is_told_over_grpc_with_when_to_try_again(serve: Serve) -> None:
    """UNAVAILABLE, which may be sent again, with RetryInfo."""
    server = serve()
    blocker = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(server.ledger / "ledger.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert blocker.stdin is not None
    assert blocker.stdout is not None
    blocker.stdout.readline()
    with pytest.raises(grpc.RpcError) as refused:
        _export(server.grpc_port, message(traces(span(1, USED)))[1].SerializeToString())
    blocker.communicate(b"\n")

    assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
    said = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    hint = error_details_pb2.RetryInfo()
    assert status_pb2.Status.FromString(said).details[0].Unpack(hint)
    assert 2 == hint.retry_delay.seconds


_HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


def test_second_server_of_a_ledger_says_where_the_first_is(serve: Serve) -> None:
    """The analytics file has one owner; the second exits, with what to do."""
    server = serve()
    second = _run(server.ledger)

    assert 2 == second.returncode
    assert f"is being served already at {server.url}, process {server.process.pid}" in second.stderr
    assert "fix: open" in second.stderr


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_busy_port_is_said_with_another_to_use(tmp_path: Path, option: str) -> None:
    """Nothing is left behind, and nothing else is printed."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        found = _run(tmp_path / "ledger", option, str(port))

    assert 2 == found.returncode
    assert f"port {port} of 127.0.0.1 cannot be had: something listens there." in found.stderr
    assert f"fix: genops serve {option}" in found.stderr
    assert 2 == len(found.stderr.splitlines())
    assert not (tmp_path / "ledger/serve.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--token", "short"], "a token of 5 characters can be guessed"),
        (["--host", "nowhere.invalid"], "there is no host 'nowhere.invalid'"),
        (["--ledger", "/dev/null/ledger"], "the ledger directory /dev/null/ledger cannot be written"),
    ],
)
def test_what_cannot_be_served_is_said_with_a_fix(tmp_path: Path, arguments: list[str], said: str) -> None:
    """A short message and exit code 2."""
    found = _run(tmp_path / "ledger", *arguments)

    assert 2 == found.returncode
    assert said in found.stderr
    assert "fix: " in found.stderr


def _run(ledger: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    ports = ["--port", str(free_port()), "--grpc-port", "0"]
    command = ["-c", "from genops.cli import main; main()", "serve", "--ledger", str(ledger), *ports, *arguments]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_with_everything_written(serve: Serve, how: signal.Signals) -> None:
    """Ctrl-C and SIGTERM: what was held is booked, pages that listen are let go, and the address is gone."""
    server = serve()
    server.send(traces(span(1, USED)))
    with httpx.stream("GET", f"{server.url}/api/events", timeout=60) as listening:
        parts = listening.iter_text()
        next(parts)
        status = server.stop(how)
        list(parts)

    assert 0 == status
    assert "everything that was acknowledged is in the ledger" in server.said
    assert not (server.ledger / "serve.json").exists()
    assert 1 == len(server.entries())


def test_damaged_ledger_is_not_served(tmp_path: Path) -> None:
    """It is said at once, with how to save what can be read; the directory is free again afterwards."""
    (tmp_path / "ledger.db").write_bytes(b"\xff" * 4096)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"is damaged: (.|\n)*sqlite3 ledger.db .recover"):
            serve_here(Options(directory=tmp_path, port=0, grpc_port=None), settings.load({}), pytest.fail)


def test_address_that_a_killed_server_left_is_known_to_be_stale(serve: Serve) -> None:
    """Whoever asks reads the ledger by itself; and whoever asked the server goes on without it."""
    server = serve()
    server.send(logs(record("CALL")))
    asked = open_source(server.ledger)
    server.stop(signal.SIGKILL)

    assert (server.ledger / "serve.json").exists()
    assert isinstance(open_source(server.ledger), Replica)
    assert 1 == asked.query("totals")[0]["calls"]
    asked.close()


def test_mistakes_in_questions_come_back_as_they_are_here(serve: Serve) -> None:
    """A query that is none, and a column that is none, with the fix of the library."""
    server = serve()
    source = open_source(server.ledger)

    with pytest.raises(ConfigurationError, match="totals"):
        source.query("total")
    with pytest.raises(ConfigurationError, match="Did you mean 'team'"):
        source.query("spend_by", by=("tem",))
    for body in ('{"filters": 1}', '{"parameters": {"limit": {"decimal": "x"}}}', "[" * 10_000, "[]", "{", '{"x": 1}'):
        answer = httpx.post(f"{server.url}/api/query/totals", content=body)
        assert (400, True) == (answer.status_code, "error" in answer.json()), body


def test_listeners_are_told_of_what_comes_in(serve: Serve) -> None:
    """The stream of events says so when the ledger has gained a call, whoever wrote it."""
    server = serve()
    with httpx.stream("GET", f"{server.url}/api/events", timeout=60) as listening:
        assert "text/event-stream" in listening.headers["content-type"]
        lines = listening.iter_lines()
        assert "event: open" in (next(lines), next(lines))
        server.send(logs(record("CALL")))
        assert any(line == "event: change" for line in lines)


def test_pages_are_told_of_evaluations_that_arrive_alone(serve: Serve) -> None:
    """A judge may speak hours after the call."""
    server = serve()
    server.send(logs(record("CALL")))
    open_source(server.ledger).close()  # the server has looked at the ledger: the call is no news any more
    said = {"genops.eval.metric": "accuracy", "genops.eval.score": 0.9, "genops.eval.passed": True}
    judged = {
        "eventName": "genops.evaluation.complete",
        "timeUnixNano": str(STARTED_NS),
        "attributes": attributes(said),
    }
    with httpx.stream("GET", f"{server.url}/api/events", timeout=60) as listening:
        lines = listening.iter_lines()
        assert "event: open" in (next(lines), next(lines))
        server.send(logs(judged))
        assert any(line == "event: change" for line in lines)


def test_bound_elsewhere_it_wants_the_token_over_http_and_grpc(serve: Serve) -> None:
    """The token is made, printed, and kept where only the owner reads it; the command line finds it there."""
    server = serve(host="0.0.0.0")
    address = json.loads((server.ledger / "serve.json").read_text())
    body = message(traces(span(1, USED)))[1].SerializeToString()
    with pytest.raises(grpc.RpcError) as refused:
        _export(server.grpc_port, body)

    assert grpc.StatusCode.UNAUTHENTICATED == refused.value.code()
    assert 0o600 == os.stat(server.ledger / "serve.json").st_mode & 0o777
    assert address["token"] in server.said
    assert b"" == _export(server.grpc_port, body, authorization=f"Bearer {address['token']}")
    assert 401 == server.send(logs(record("NO"))).status_code
    assert 200 == server.send(logs(record("CALL")), authorization=f"Bearer {address['token']}").status_code
    assert 1 == open_source(server.ledger).query("totals")[0]["calls"]
