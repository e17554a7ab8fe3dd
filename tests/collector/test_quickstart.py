"""The two commands of collector/README.md: build, run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

from tests.collector.conftest import ROOT, free_port

SCRIPT = ROOT / "deploy/collector/quickstart.sh"


def _run(out: Path, port: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GENOPS_OUT": str(out), "GENOPS_OTLP_HTTP": f"127.0.0.1:{port}"}
    environment["GENOPS_OTLP_GRPC"] = f"127.0.0.1:{free_port()}"
    return subprocess.run([str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_quickstart_ends_with_a_priced_span(binary: Path, tmp_path: Path) -> None:
    """A span of OpenLLMetry's comes out priced and attributed, and the screen says so."""
    result = _run(tmp_path, free_port())

    assert 0 == result.returncode, result.stdout + result.stderr
    for shown in ("genops.ledger.cost", "0.00825", "genops.team", "search"):
        assert shown in result.stdout
    span = json.loads((tmp_path / "spans.jsonl").read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert {"key": "genops.cost.total", "value": {"doubleValue": 0.00825}} in span["attributes"]


def test_quickstart_says_what_is_in_the_way(binary: Path, tmp_path: Path) -> None:
    """A port that is taken ends the script with what to type."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        result = _run(tmp_path, held.getsockname()[1])

    assert 1 == result.returncode
    assert "address already in use" in result.stderr
    assert "genops-collector ended" in result.stdout
