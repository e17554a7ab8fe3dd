"""The overview on a real Prometheus, fed by our metrics through the built Collector; the alert rules in promtool.

Debian's `prometheus` has both. Without it the tests are skipped, with the reason; in CI they never are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from tests.collector.conftest import Collector, binary, call, free_port
from tests.dashboards.test_names import DASHBOARDS, ROOT, expressions

from genops.core._guarding import never_raises
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.metrics import Metrics
from genops.core.plan import Ending

__all__ = ["binary"]

DEPLOY = ROOT / "deploy/collector"
PATIENCE_S = 60
RULES = DASHBOARDS / "prometheus"


def program(name: str) -> str:
    """The path of a program of Debian's package `prometheus`; skipped without it, loudly, and never in CI."""
    found = shutil.which(name)
    if found is None:
        assert not os.environ.get("CI"), f"{name} was not found, and CI never skips the dashboards."
        pytest.skip(f"{name} was not found, so nothing was asked of Prometheus.  fix: apt-get install prometheus")
    return found


def test_rules_do_what_their_tests_say() -> None:
    """promtool checks the rules and runs their unit tests."""
    promtool = program("promtool")
    checked = subprocess.run(
        [promtool, "check", "rules", "rules.yaml"], cwd=RULES, capture_output=True, text=True, check=False
    )
    tests = sorted(each.name for each in RULES.glob("*_test.yaml"))
    tested = subprocess.run([promtool, "test", "rules", *tests], cwd=RULES, capture_output=True, text=True, check=False)

    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert 0 == tested.returncode, tested.stdout + tested.stderr


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """The address of a Prometheus that takes remote writes, with our rules loaded."""
    command, url = program("prometheus"), f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "prometheus.yml"
    config.write_text(f"global: {{evaluation_interval: 1s}}\nrule_files: ['{RULES / 'rules.yaml'}']\n")
    options = [
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--web.enable-remote-write-receiver",
    ]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([command, *options], stdout=log, stderr=log)
    try:
        _until(lambda: httpx.get(f"{url}/-/ready", timeout=2).status_code == 200, "Prometheus is not ready")
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def collector(binary: Path, prometheus: str, tmp_path: Path) -> Iterator[Collector]:
    """The agent that writes to that Prometheus, as a user starts it."""
    quick = tmp_path / "quick.yaml"
    quick.write_text("connectors: {genops_ledger: {flush_interval: 200ms}}\n")
    state = {"GENOPS_STATE": str(tmp_path / "state"), "GENOPS_HEALTH": f"127.0.0.1:{free_port()}"}
    configs = [DEPLOY / "agent.yaml", DEPLOY / "exporters/prometheus.yaml", quick]
    running = Collector(binary, configs, tmp_path, PROMETHEUS_WRITE_URL=f"{prometheus}/api/v1/write", **state)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def _until(holds: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            found = holds()
        except httpx.TransportError:
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(what)


def ask(url: str, query: str) -> list[dict[str, Any]]:
    """What an instant query gives. Raises for one that Prometheus does not understand."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=10).json()
    assert "success" == answer["status"], (query, answer)
    return answer["data"]["result"]


def as_grafana_asks(expr: str) -> str:
    """The query with the variables as Grafana fills them: everything, over five minutes."""
    values = {"$__rate_interval": "1m", "$__range": "5m", "$team": ".*", "$environment": ".*", "$currency": "USD"}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def shown(url: str, title: str, **labels: str) -> float:
    """The number that a panel shows; of the series with these labels, if it shows several."""
    panels = json.loads((DASHBOARDS / "grafana/overview.json").read_text())["panels"]
    (expr,) = (target["expr"] for panel in panels for target in panel["targets"] if title == panel["title"])
    found = [each for each in ask(url, as_grafana_asks(expr)) if labels.items() <= each["metric"].items()]
    return float(found[0]["value"][1]) if found else 0.0


def settled(**fields: Any) -> LedgerEntry:
    """A settled call."""
    given = {
        "call_id": "01K0",
        "started_at": datetime.now(UTC),
        "duration_ms": 812.4,
        "time_to_first_chunk_ms": 240.9,
        "outcome": Outcome.COMPLETED,
        "provider": "openai",
        "api": "chat_completions",
        "operation": "chat",
        "operation_type": "inference",
        "request_model": "gpt-5.4",
        "team": "search",
        "environment": "production",
        "customer_id": "acme",
        "feature": "answers",
        "cost_center": "cc-1",
        "usage": {"input": 1200, "output": 350},
        "cost": Decimal("0.00825"),
        "cost_status": "priced",
        "policy_result": "ALLOWED",
    }
    return LedgerEntry(**(given | fields))


CALLS = (
    settled(),
    settled(team="ads", customer_id=None, request_model="gpt-5.4-mini"),
    settled(request_model="my-finetune", cost=None, cost_status="unpriced"),
    settled(outcome=Outcome.ERROR, cost=None, cost_status=None, time_to_first_chunk_ms=None),
    settled(outcome=Outcome.BLOCKED, cost=None, cost_status=None, usage={}, time_to_first_chunk_ms=None),
)


def test_every_panel_has_data(collector: Collector, prometheus: str) -> None:
    """The SDK's own metrics, through the Collector: each query of the overview gives something, and sums are exact."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{collector.url}/v1/metrics"), 3_600_000)
    provider = MeterProvider([reader])
    metrics = Metrics(provider, 2000)
    queries = list(map(as_grafana_asks, expressions()))
    empty, rounds = queries, 0

    def round_of_calls() -> bool:
        nonlocal empty, rounds
        rounds += 1
        for entry in CALLS:
            metrics.record(entry, Ending({"outcome": entry.outcome}))
        metrics.count_alert("team-monthly", 80)
        _fault()
        provider.force_flush()
        empty = [query for query in empty if not any(each["value"][1] != "NaN" for each in ask(prometheus, query))]
        return not empty

    try:
        _until(round_of_calls, "")
    except AssertionError:
        pytest.fail("no data for:\n" + "\n".join(empty) + "\n" + collector.log.read_text()[-2000:])
    finally:
        provider.shutdown()
    total = sum(entry.cost or 0 for entry in CALLS) * rounds
    _until(lambda: abs(shown(prometheus, "Spend") - float(total)) < 1e-9, f"Spend is not {total}")
    assert rounds == pytest.approx(shown(prometheus, "Calls without a price", gen_ai_request_model="my-finetune"))
    assert 1 / len(CALLS) == pytest.approx(shown(prometheus, "Refused"))
    groups = httpx.get(f"{prometheus}/api/v1/rules", timeout=10).json()["data"]["groups"]
    assert [] == [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]


@never_raises
def _fault() -> None:
    raise KeyError("a fault of ours, for the panel that counts them")


def test_spans_of_others_are_counted_to_the_cent(collector: Collector, prometheus: str) -> None:
    """Ten spans of another instrumentation, priced by the Collector: the counter on Prometheus is their cost."""
    assert 200 == collector.send(*(call(number) for number in range(10))).status_code
    query = 'sum(genops_cost_total{gen_ai_provider_name="openai",genops_cost_currency="USD"})'

    def total() -> str | None:
        found = ask(prometheus, query)
        return found[0]["value"][1] if found and float(found[0]["value"][1]) > 0.08 else None

    assert Decimal("0.0825") == Decimal(_until(total, f"no cost:\n{collector.log.read_text()}"))
