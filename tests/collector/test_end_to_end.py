"""Real applications through the built Collector: every call counts once, to the last digit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.collector.conftest import Collector

from genops.core.ledger import LedgerEntry
from genops.stores import LedgerReader

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).with_name("apps")
PEERS = ROOT / ".venv-peers/newest/bin/python"
PLACES = Decimal("0.000000000001")


def _sum_of_spans(collector: Collector) -> Decimal:
    costs = [Decimal(str(span["attributes"].get("genops.cost.total", 0))) for span in collector.spans()]
    return sum((cost.quantize(PLACES) for cost in costs), Decimal(0))


def test_ledger_of_the_collector_is_that_of_the_application(
    collector: Callable[..., Collector], tmp_path: Path
) -> None:
    """The demo's application with GenOps: each call is in both ledgers, with the same exact amount."""
    running = collector()
    subprocess.run(
        [sys.executable, str(APPS / "governed.py"), running.url, str(tmp_path / "ledger")],
        check=True,
        timeout=120,
        capture_output=True,
    )
    running.stop()

    own = {entry.call_id: entry for entry in LedgerReader(tmp_path / "ledger").entries()}
    theirs = {record["genops.call.id"]: record for record in running.ledger()}
    assert len(running.ledger()) == len(theirs) > 100
    assert own.keys() == theirs.keys()
    for call_id, entry in own.items():
        found = theirs[call_id].get("genops.ledger.cost")
        assert entry.cost == (None if found is None else Decimal(found)), entry
        assert (entry.team, entry.outcome) == (theirs[call_id]["genops.team"], theirs[call_id]["genops.call.outcome"])
    assert sum(entry.cost or 0 for entry in own.values()) == _sum_of_spans(running)


@pytest.mark.parametrize("peers", ["openllmetry", "openinference", "openllmetry,openinference"])
def test_application_without_genops_is_accounted_as_one_with_it(
    collector: Callable[..., Collector], tmp_path: Path, peers: str
) -> None:
    """The same recorded calls under other instrumentations, one or both: one entry a call, at the price of the SDK.

    Two things that they tell otherwise than the provider are priced as they tell them: neither says for how long a
    cache was written, and OpenLLMetry counts the first output tokens of Anthropic's streams twice.
    """
    if not PEERS.exists():
        assert not os.environ.get("CI"), "CI builds the environments of the peers."
        pytest.skip("the peers are not installed.  fix: make test-coexistence")
    running = collector()
    said = subprocess.run(
        [str(PEERS), str(APPS / "peers.py"), peers, running.url],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    ).stdout
    running.stop()

    ledger, own = running.ledger(), _with_genops(tmp_path / "ledger")
    assert len(said.splitlines()) == len(ledger) == len(own)
    assert {"priced"} == {record["genops.cost.status"] for record in ledger}
    assert sum(Decimal(record["genops.ledger.cost"]) for record in ledger) == _sum_of_spans(running)
    for record, entry in zip(ledger, own, strict=True):
        assert record.get("gen_ai.response.model", entry.response_model) == entry.response_model
        told_otherwise = "cache_write_1h" in entry.usage or (entry.provider == "anthropic" and entry.streamed)
        if not told_otherwise or (peers == "openinference" and "cache_write_1h" not in entry.usage):
            assert entry.cost == Decimal(record["genops.ledger.cost"]), entry


def _with_genops(ledger: Path) -> list[LedgerEntry]:
    """The same calls under GenOps' own SDK."""
    program = (
        "import sys, genops; sys.path.insert(0, sys.argv[1]); import peers\n"
        "from genops.testing.replay import ReplayServer, load_recordings\n"
        "genops.auto_instrument(team='t', project='p', environment='e', ledger={'dir': sys.argv[2]})\n"
        "for exchange in load_recordings(peers.DEMO):\n"
        "    if exchange.path.endswith(('/chat/completions', '/messages')) and exchange.status == 200:\n"
        "        with ReplayServer() as server:\n"
        "            server.play(exchange)\n"
        "            peers.call(server.url, exchange.path.endswith('/messages'), exchange.request)\n"
        "genops.uninstrument()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(APPS), str(ledger)], check=True, timeout=120)
    return list(LedgerReader(ledger).entries())
