"""The built Collector in front of `genops serve`: the spans it priced and the records it wrote are one entry a call."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import httpx
from tests.collector.conftest import Collector, binary, call, collector
from tests.server.conftest import Server
from tests.server.telling import traces

from genops.stores import LedgerReader

__all__ = ["binary", "collector"]  # fixtures
APP = Path(__file__).with_name("apps") / "governed.py"
WITHIN_S = 60


def _received(server: Server, at_least: int) -> int:
    """Wait until the server has that many records; return how many it has."""
    give_up_at = time.monotonic() + WITHIN_S
    while (found := httpx.get(f"{server.url}/api/health").json()["received"]) < at_least:
        assert time.monotonic() < give_up_at, f"{found} of {at_least}"
        time.sleep(0.1)
    return int(found)


def test_span_and_record_of_the_collector_are_one_entry(
    serve: Callable[..., Server], collector: Callable[..., Collector]
) -> None:
    """The Collector prices foreign spans; it sends them and their records, also once more raw to the server itself."""
    server = serve()
    running = collector("serve.yaml", GENOPS_SERVE=server.url)
    spans = [call(number) for number in range(100)]
    assert 200 == running.send(*spans).status_code
    assert 200 == server.send(traces(*spans)).status_code
    running.stop()
    _received(server, 300)
    server.stop()

    entries = server.entries()
    assert 100 == len({entry.call_id for entry in entries}) == len(entries)
    assert Decimal("0.825") == sum(entry.cost or 0 for entry in entries)
    assert {("search", "shop", "span")} == {(entry.team, entry.project, entry.cost_source) for entry in entries}


def test_governed_application_behind_a_collector_has_its_own_ledger_twice(
    serve: Callable[..., Server], collector: Callable[..., Collector], tmp_path: Path
) -> None:
    """SDK to Collector to server: the SDK's records pass, and the Collector's own of the same calls add nothing."""
    server = serve()
    running = collector("serve.yaml", GENOPS_SERVE=server.url)
    given = {**os.environ, "GENOPS_LEDGER_DIR": str(tmp_path / "own"), "OTEL_EXPORTER_OTLP_ENDPOINT": running.url}
    subprocess.run([sys.executable, str(APP)], check=True, timeout=300, capture_output=True, env=given)
    running.stop()
    own = {entry.call_id: entry.cost for entry in LedgerReader(tmp_path / "own").entries()}
    _received(server, 3 * len(own))
    server.stop()

    assert own == {entry.call_id: entry.cost for entry in server.entries()}
