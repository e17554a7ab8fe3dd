"""A real `genops serve`, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from genops.core.ledger import LedgerEntry
from genops.stores import LedgerReader

STARTS_WITHIN_S = 60
_PROGRAM = "from genops.cli import main; main()"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Server:
    """One `genops serve` of one ledger directory, on ports of its own."""

    def __init__(self, ledger: Path, *arguments: str, host: str = "127.0.0.1") -> None:
        self.ledger = ledger
        self.port, self.grpc_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        ports = ["--port", str(self.port), "--grpc-port", str(self.grpc_port)]
        self._command = [sys.executable, "-c", _PROGRAM, "serve", "--ledger", str(ledger), "--host", host, *ports]
        self._command += arguments
        self._said = ledger.with_name(f"{ledger.name}.out")
        self.start()

    @property
    def said(self) -> str:
        """What it printed."""
        return self._said.read_text()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._said.open("ab") as said:
            self.process = subprocess.Popen(self._command, stdout=said, stderr=said, env={**os.environ})
        give_up_at = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < give_up_at:
            assert self.process.poll() is None, self.said
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/api/health", timeout=5).raise_for_status()
                return
            time.sleep(0.05)
        raise AssertionError(f"it does not answer:\n{self.said}")

    def send(self, request: dict[str, Any], **headers: str) -> httpx.Response:
        """Send spans or log records as OTLP JSON."""
        path = "traces" if "resourceSpans" in request else "logs"
        content = json.dumps(request).encode()
        kind = {"content-type": "application/json"}
        return httpx.post(f"{self.url}/v1/{path}", content=content, headers=kind | headers, timeout=60)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def entries(self) -> list[LedgerEntry]:
        """What is in the ledger."""
        return list(LedgerReader(self.ledger).entries())


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers; they end with the test."""
    started: list[Server] = []

    def start(*arguments: str, ledger: Path | None = None, **more: Any) -> Server:
        started.append(Server(ledger or tmp_path / "served", *arguments, **more))
        return started[-1]

    yield start
    for each in started:
        each.stop(signal.SIGKILL)
