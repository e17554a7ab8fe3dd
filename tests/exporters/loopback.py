"""A server on loopback: an OTLP backend that keeps what it is sent, and the two places where clouds hand out tokens."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TOKEN = "token-of-the-cloud"


@dataclass(frozen=True)
class Sent:
    """One request as it came in. Names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw

    @property
    def spans(self) -> list:
        request = ExportTraceServiceRequest.FromString(self.body)
        return [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]

    @property
    def metrics(self) -> dict:
        request = ExportMetricsServiceRequest.FromString(self.body)
        return {m.name: m for each in request.resource_metrics for scope in each.scope_metrics for m in scope.metrics}

    @property
    def resource(self) -> dict[str, str]:
        request = ExportTraceServiceRequest.FromString(self.body)
        return {each.key: each.value.string_value for each in request.resource_spans[0].resource.attributes}


@dataclass
class Backend:
    """A running server."""

    url: str
    sent: list[Sent] = field(default_factory=list)
    status: int = 200
    says: bytes = b""

    @property
    def paths(self) -> set[str]:
        return {each.path for each in self.sent}

    def to(self, path: str) -> Sent:
        """What was sent to one path first."""
        return next(each for each in self.sent if each.path == path)


def _token(path: str) -> dict[str, object] | str | None:
    """What Google's metadata server and Azure's identity endpoint answer."""
    if path.startswith("/msi/token"):
        return {"access_token": TOKEN, "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"}
    if "/token" in path:
        return {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
    if path.startswith("/computeMetadata/v1/instance/service-accounts/default"):
        return {"email": "sa@example.iam", "scopes": ["a"], "aliases": ["default"]}
    if path.startswith("/computeMetadata/v1/project/project-id"):
        return "shop-123"
    return "" if path in ("/", "/computeMetadata/v1/universe/universe-domain") else None


@contextmanager
def backend() -> Iterator[Backend]:
    """Run one on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            running.sent.append(Sent(self.path, {name.lower(): text for name, text in self.headers.items()}, raw))
            self._answer(running.status, running.says)

        def do_GET(self) -> None:
            found = _token(self.path)
            body = b"" if found is None else found.encode() if isinstance(found, str) else json.dumps(found).encode()
            self._answer(404 if found is None else 200, body)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("metadata-flavor", "Google")
            self.send_header("content-type", "application/json" if body[:1] == b"{" else "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Backend(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield running
        server.shutdown()


def run(folder: Path, code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own, at home in `folder`, with nothing of ours or a cloud's but what is given."""
    of_others = ("OTEL_", "GENOPS_", "AWS_", "AZURE_", "GOOGLE_", "GCE_", "IDENTITY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(of_others)}
    governed = {
        "GENOPS_TEAM": "t",
        "GENOPS_PROJECT": "p",
        "GENOPS_ENVIRONMENT": "test",
        "GENOPS_LEDGER_DIR": str(folder / "ledger"),
        "HOME": str(folder),
    }
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, env=kept | governed | variables, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
