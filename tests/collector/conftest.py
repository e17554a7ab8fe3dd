"""A real genops-collector, built once from this tree, run in processes of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "collector/dist/genops-collector"
BUILD_S = 1200


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """genops-collector, built if it is not there or older than its sources; skipped without Go, loudly."""
    with (Path(tmp_path_factory.getbasetemp()).parent / "collector.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not DIST.exists() or DIST.stat().st_mtime < _newest_source():
            if shutil.which("go") is None:
                assert not os.environ.get("CI"), "Go was not found, and CI never skips the Collector."
                pytest.skip("Go was not found, so the Collector was not built.  fix: install Go 1.26 or later")
            subprocess.run(["make", "collector"], cwd=ROOT, check=True, capture_output=True, timeout=BUILD_S)
    return DIST


def _newest_source() -> float:
    sources = [*(ROOT / "collector").rglob("*.go"), *(ROOT / "collector/internal/data").glob("*.json")]
    sources += [ROOT / "collector/builder-config.yaml", ROOT / "collector/go.mod"]
    return max(path.stat().st_mtime for path in sources if "dist" not in path.parts)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Collector:
    """One running Collector, with what it writes."""

    def __init__(self, binary: Path, configs: Sequence[Path], out: Path, **environment: str) -> None:
        self._command = [str(binary), *(f"--config={config}" for config in configs)]
        self.out, self.port = out, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | {
            "GENOPS_OUT": str(out),
            "GENOPS_OTLP_HTTP": f"127.0.0.1:{self.port}",
            "GENOPS_OTLP_GRPC": f"127.0.0.1:{free_port()}",
            **environment,
        }
        self.log = out / "collector.log"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it takes spans."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        for _ in range(300):
            assert self.process.poll() is None, self.log.read_text()
            try:
                httpx.post(f"{self.url}/v1/traces", json={"resourceSpans": []}, timeout=2)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"it takes no spans:\n{self.log.read_text()}")

    def send(self, *spans: dict[str, Any], scope: str = "opentelemetry.instrumentation.openai") -> httpx.Response:
        """Send spans as OTLP JSON."""
        resource = {"attributes": attributes({"service.name": "shop", "service.namespace": "search"})}
        scoped = [{"scope": {"name": scope}, "spans": list(spans)}]
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": scoped}]}
        return httpx.post(f"{self.url}/v1/traces", json=body, timeout=30)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; by SIGTERM it writes down what it has."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)

    def spans(self) -> list[dict[str, Any]]:
        """Every span it wrote, attributes as a dictionary, with the name of its scope."""
        return [
            span | {"attributes": plain(span), "scope": scope.get("scope", {}).get("name")}
            for line in _lines(self.out / "spans.jsonl")
            for resource in line.get("resourceSpans", ())
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def ledger(self) -> list[dict[str, Any]]:
        """The attributes of every ledger event it wrote."""
        return [
            plain(record)
            for line in _lines(self.out / "ledger.jsonl")
            for resource in line.get("resourceLogs", ())
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def attributes(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP JSON has them."""
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in given.items()]


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """OTLP JSON attributes as a dictionary."""
    found = {}
    for each in record.get("attributes", ()):
        ((kind, value),) = each["value"].items() if each["value"] else (("stringValue", ""),)
        found[each["key"]] = int(value) if kind == "intValue" else value
    return found


def call(number: int, **more: Any) -> dict[str, Any]:
    """A span of one call to gpt-5.4 that costs 0.00825 USD."""
    given = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-5.4",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 350,
    }
    return {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "name": "openai.chat",
        "kind": 3,
        "startTimeUnixNano": "1795186800000000000",
        "endTimeUnixNano": "1795186801200000000",
        "attributes": attributes(given | more),
    }


@pytest.fixture
def collector(binary: Path, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Starts collectors with a configuration of deploy/collector; they end with the test."""
    started: list[Collector] = []

    def start(config: str | Path = "quickstart.yaml", **environment: str) -> Collector:
        out = tmp_path / f"out{len(started)}"
        out.mkdir()
        started.append(Collector(binary, [ROOT / "deploy/collector" / config], out, **environment))
        return started[-1]

    yield start
    for each in started:
        each.stop(signal.SIGKILL)
