"""Every configuration of deploy/collector is one that the built Collector takes."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.collector.conftest import ROOT, Collector, call

DEPLOY = ROOT / "deploy/collector"
EXPORTERS = sorted((DEPLOY / "exporters").glob("*.yaml"))
HEADERS = {
    "datadog": ("dd-api-key", "secret"),
    "honeycomb": ("x-honeycomb-team", "secret"),
    "newrelic": ("api-key", "secret"),
    "grafana-cloud": ("authorization", "Basic secret"),
    "dynatrace": ("authorization", "Api-Token secret"),
    "splunk": ("x-sf-token", "secret"),
    "instana": ("x-instana-key", "secret"),
    "highlight": ("x-highlight-project", "secret"),
    "traceloop": ("authorization", "Bearer secret"),
    "elastic": ("authorization", "ApiKey secret"),
    "signoz": ("signoz-ingestion-key", "secret"),
    "tempo": ("x-scope-orgid", "secret"),
}


def _environment(tmp_path: Path, *files: Path) -> dict[str, str]:
    """Every variable that the files name and that has no default, with a value."""
    named = {name for file in files for name in re.findall(r"\$\{env:(\w+)(?::-[^}]*)?\}", file.read_text())}
    kept = {"HOSTNAME"} | {name for name in named if name.startswith(("GENOPS_", "OTEL_", "CLICKHOUSE_"))}
    chosen = {
        name: "secret" for name in named - kept if not name.endswith(("ENDPOINT", "URL", "ZONE", "REALM", "SITE"))
    }
    own = {"GENOPS_STATE": str(tmp_path / "state"), "GENOPS_POLICIES": str(ROOT / "examples/policies/*.yaml")}
    return os.environ | own | chosen


def _validate(binary: Path, tmp_path: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [str(binary), "validate", *(f"--config={file}" for file in files)]
    environment = _environment(tmp_path, *files)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("*.yaml")), ids=lambda file: file.stem)
def test_configuration_is_valid(binary: Path, tmp_path: Path, file: Path) -> None:
    """As it stands, with its defaults."""
    result = _validate(binary, tmp_path, file)

    assert 0 == result.returncode, result.stderr


@pytest.mark.parametrize("file", EXPORTERS, ids=lambda file: file.stem)
def test_exporter_is_valid_over_the_agent(binary: Path, tmp_path: Path, file: Path) -> None:
    """Each backend's file, laid over agent.yaml."""
    result = _validate(binary, tmp_path, DEPLOY / "agent.yaml", file)

    assert 0 == result.returncode, result.stderr


def test_mistake_in_the_configuration_is_named(binary: Path, tmp_path: Path) -> None:
    """What the user wrote, and what to write."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "processors: {genops_cost: {prices: {discount: []}}}\nconnectors: {genops_ledger: {dimensions: [tem]}}"
    )
    result = _validate(binary, tmp_path, DEPLOY / "quickstart.yaml", wrong)

    assert 1 == result.returncode
    assert "unknown key 'discount' among the prices. Did you mean 'discounts'?" in result.stderr
    assert "'tem' is none. Did you mean 'team'?" in result.stderr


class _Backend(BaseHTTPRequestHandler):
    received: list[tuple[str, dict[str, str]]]

    def log_message(self, format: str, *args: object) -> None: ...

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.received.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


@pytest.fixture
def backend() -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A backend on loopback that takes everything; its address and what it received."""
    received: list[tuple[str, dict[str, str]]] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Backend", (_Backend,), {"received": received})) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


def _on(url: str, line: str) -> str:
    """The line with its address on `url`, the path as it is."""
    if "endpoint:" not in line:
        return line
    address = re.sub(r"\$\{env:\w+(?::-([^}]*))?\}", r"\1", line.partition("endpoint:")[2].strip().strip('"'))
    return f'{line.partition(":")[0]}: "{url}{urlsplit(address).path}"\n'


@pytest.mark.parametrize("name", HEADERS)
def test_backend_gets_spans_where_and_as_it_wants_them(
    binary: Path, tmp_path: Path, backend: tuple[str, list[tuple[str, dict[str, str]]]], name: str
) -> None:
    """The vendor's file with its address on loopback: the path, the key, binary protobuf, compressed."""
    url, received = backend
    vendor = DEPLOY / "exporters" / f"{name}.yaml"
    local = tmp_path / "local.yaml"
    local.write_text("".join(_on(url, line) for line in vendor.read_text().splitlines(keepends=True)))
    settings = _environment(tmp_path, DEPLOY / "agent.yaml", vendor)
    settings |= {"GENOPS_HEALTH": "127.0.0.1:0", "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    running = Collector(binary, [DEPLOY / "agent.yaml", local], tmp_path, **settings)
    try:
        assert 200 == running.send(call(1)).status_code
    finally:
        running.stop()

    traces = [(path, headers) for path, headers in received if "trace" in path]
    assert traces, running.log.read_text()
    path, headers = traces[0]
    assert path.endswith(("/v1/traces", "/v2/trace/otlp"))
    assert "application/x-protobuf" == headers["content-type"]
    assert "gzip" == headers["content-encoding"]
    key, value = HEADERS[name]
    assert value == headers[key]
