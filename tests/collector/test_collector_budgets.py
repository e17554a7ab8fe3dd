"""Budgets through the built Collector: charged, told of, shared with Python, and asked for before a call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import httpx
import jsonschema
import pytest
import yaml
from tests.collector.conftest import ROOT, Collector, _lines, call, free_port, plain

from genops.config.budgets import parse_budgets
from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.plans import BudgetCall
from genops.stores.budgets import RedisBudgetStore

OPENAPI = yaml.safe_load((ROOT / "spec/decision/openapi.yaml").read_text())
SCRIPT = ROOT / "deploy/collector/decision.sh"
TOKEN = "a-token-of-the-test"
COST = Decimal("0.00825")  # of one span of `call`


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a redis-server of the test's own."""
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "redis-server was not found, and CI never skips it."
        pytest.skip("redis-server was not found.  fix: apt-get install redis-server")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


@pytest.fixture
def decision(collector: Callable[..., Collector]) -> Callable[..., Decision]:
    """Starts a Collector with deploy/collector/decision.yaml."""

    def start(**environment: str) -> Decision:
        return Decision(collector, environment)

    return start


class Decision:
    """A decision endpoint, as a client sees it."""

    def __init__(self, collector: Callable[..., Collector], environment: dict[str, str]) -> None:
        self.environment = {
            "GENOPS_DECISION_HTTP": f"127.0.0.1:{free_port()}",
            "GENOPS_DECISION_GRPC": f"127.0.0.1:{free_port()}",
            "GENOPS_DECISION_TOKEN": TOKEN,
            **environment,
        }
        self.collector = collector("decision.yaml", **self.environment)
        self.client = httpx.Client(
            base_url=f"http://{self.environment['GENOPS_DECISION_HTTP']}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )

    def reserve(self, name: str, amount: str = "0.01", team: str = "search") -> dict[str, Any]:
        body = {"id": name, "attribution": {"team": team}, "estimate": {"amount": amount}}
        return dict(self.client.post("/v1/reservations", json=body).raise_for_status().json())

    def settle(self, name: str, cost: str) -> dict[str, Any]:
        answer = self.client.post(f"/v1/reservations/{name}/settle", json={"usage": {"cost": cost}})
        return dict(answer.raise_for_status().json())

    def consumed(self, team: str = "search") -> Decimal:
        (budget,) = self.client.get("/v1/budgets", params={"team": team}).raise_for_status().json()["budgets"]
        return Decimal(budget["consumed"])


def _alerts(collector: Collector) -> list[dict[str, Any]]:
    return [
        record | {"attributes": plain(record)}
        for line in _lines(collector.out / "alerts.jsonl")
        for resource in line.get("resourceLogs", ())
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def _last_gauges(collector: Collector) -> dict[tuple[str, str], float]:
    """What the last metrics said, by name and budget."""
    return {
        (metric["name"], plain(point)["genops.budget.name"]): point["asDouble"]
        for line in _lines(collector.out / "metrics.jsonl")
        for resource in line["resourceMetrics"]
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
        if "gauge" in metric
        for point in metric["gauge"]["dataPoints"]
    }


def test_spans_are_charged_once_and_thresholds_told_once(collector: Callable[..., Collector]) -> None:
    """Each call counts once though it comes twice; the span, the alert and the metrics say the same."""
    running = collector("budgets.yaml", GENOPS_BUDGET_INTERVAL="200ms")
    for number in [0, 1, 1, 0, 2]:
        running.send(call(number, **{"genops.customer_id": "acme"})).raise_for_status()
    time.sleep(0.5)
    running.stop()

    by_span = {span["spanId"]: span["attributes"] for span in reversed(running.spans())}  # the first time it came
    assert [0.00825, 0.0165, 0.02475] == [each["genops.budget.consumed"] for _, each in sorted(by_span.items())]
    assert {"per-customer"} == {each["genops.budget.name"] for each in by_span.values()}
    alerts = _alerts(running)
    assert [50, 80, 100] == sorted(each["attributes"]["genops.budget.threshold"] for each in alerts)
    assert {"genops.budget.alert"} == {each["eventName"] for each in alerts}
    assert {"acme"} == {each["attributes"]["genops.customer_id"] for each in alerts}
    assert f"{3:032x}" in {each["traceId"] for each in alerts}
    gauges = _last_gauges(running)
    assert 0.02475 == pytest.approx(gauges["genops.budget.consumed", "per-customer"])
    assert 500 - 0.02475 == pytest.approx(gauges["genops.budget.remaining", "team-monthly"])


def test_python_and_the_collector_count_on_one_redis_budget(collector: Callable[..., Collector], redis: str) -> None:
    """What either charges the other sees, with the same keys; a call that Python settled is not charged again."""
    declared = [{"name": "team-monthly", "group_by": ["team"], "limit": 500, "window": "month"}]
    soft = {"name": "per-customer", "group_by": ["customer_id"], "limit": "0.02", "window": "day", "mode": "soft"}
    alerts: list[Any] = []
    python = BudgetEngine(parse_budgets([*declared, soft]), RedisBudgetStore(redis), alert=alerts.append)
    acme = BudgetCall({"team": "search", "customer_id": "acme"}, cost=Decimal("0.01"))
    running = collector("budgets.yaml", GENOPS_BUDGET_STORE=redis, GENOPS_BUDGET_CHARGE="all")

    running.send(call(0, **{"genops.customer_id": "acme"})).raise_for_status()
    left = python.remaining(acme)
    assert {"team-monthly": 500 - COST, "per-customer": Decimal("0.02") - COST} == left

    reserved = python.reserve("by-python", acme).reservation
    assert reserved is not None
    python.settle(reserved, {"USD": Decimal("0.005")})
    assert {50} == {alert.threshold for alert in alerts}  # of all that both spent, 0.01325 of 0.02
    settled = {"genops.call.id": "by-python", "genops.cost.role": "account", "genops.cost.total": 0.005}
    settled |= {"genops.ledger.cost": "0.005", "genops.call.outcome": "completed", "genops.customer_id": "acme"}
    running.send(call(1, **settled), scope="genops").raise_for_status()
    running.send(call(2, **{"genops.customer_id": "acme"})).raise_for_status()

    assert 500 - 2 * COST - Decimal("0.005") == python.remaining(acme)["team-monthly"]
    running.stop()
    assert [80, 100] == sorted(each["attributes"]["genops.budget.threshold"] for each in _alerts(running))
    python.close()


def test_collector_killed_loses_no_charge_that_it_acknowledged(
    collector: Callable[..., Collector], tmp_path: Path
) -> None:
    """The file store after `kill -9`, three times: every span that was answered is counted, none twice."""
    environment = {"GENOPS_BUDGET_STORE": f"file:{tmp_path / 'budgets'}", "GENOPS_BUDGET_INTERVAL": "100ms"}
    running = collector("budgets.yaml", **environment)
    for round_ in range(3):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda number: running.send(call(number)), range(round_ * 20, round_ * 20 + 20)))
        assert all(answer.status_code == 200 for answer in answers)
        running.stop(signal.SIGKILL)
        (running.out / "metrics.jsonl").unlink(missing_ok=True)
        running.start()
        running.send(call(0)).raise_for_status()  # sent again: charged already
    time.sleep(0.5)
    running.stop()

    assert float(60 * COST) == pytest.approx(_last_gauges(running)["genops.budget.consumed", "team-monthly"])


def _script(asked: Decision, *arguments: str) -> subprocess.CompletedProcess[str]:
    """deploy/collector/decision.sh, run as it stands."""
    environment = os.environ | asked.environment
    command = [str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_curl_example_reserves_and_settles(decision: Callable[..., Decision]) -> None:
    """The script of the guide, run as it stands; without the token it is not answered."""
    asked = decision()
    done = _script(asked)

    assert 0 == done.returncode, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer, schema in zip(answers, ("ReserveResponse", "SettleResponse", "BudgetsResponse"), strict=True):
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{schema}", "components": OPENAPI["components"]})
    assert ("ALLOWED", "settled") == (answers[0]["decision"], answers[1]["state"])
    assert Decimal("0.0054") == asked.consumed()
    assert 401 == httpx.get(f"{asked.client.base_url}/v1/budgets").status_code
    asked.reserve("all-that-is-left", "0.0446")
    again = subprocess.run(
        [str(SCRIPT), "other"],
        env=os.environ | asked.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert 1 == again.returncode
    assert "not allowed: do not call the model" in again.stderr


def test_many_clients_of_two_collectors_never_overspend(decision: Callable[..., Decision], redis: str) -> None:
    """Two endpoints on one Redis, eight clients: five reservations of 0.01 fit 0.05, however they race."""
    endpoints = [decision(GENOPS_BUDGET_STORE=redis) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: endpoints[number % 2].reserve(f"call-{number}"), range(40)))

    allowed = [answer for answer in answers if answer["decision"] == "ALLOWED"]
    assert 5 == len(allowed)
    assert {"BLOCKED"} == {answer["decision"] for answer in answers if answer not in allowed}
    name = allowed[0]["reservation"]["id"]
    assert "settled" == endpoints[1].settle(name, "0.002")["state"]  # any of them settles
    assert Decimal("0.042") == endpoints[0].consumed()


def test_span_settles_the_reservation_that_its_service_made(decision: Callable[..., Decision]) -> None:
    """A service that only reserves: its span, priced by the Collector, ends the reservation."""
    asked = decision()
    asked.reserve("order-1", "0.03")
    asked.collector.send(call(0, **{"genops.budget.reservation_id": "order-1"})).raise_for_status()

    assert COST == asked.consumed()


def test_grpc_answers_as_http_does(decision: Callable[..., Decision]) -> None:
    """The messages of spec/decision/decision.proto, built by hand: id is field 1, a decision field 1."""
    asked = decision()
    asked.reserve("a", "0.02")
    with grpc.insecure_channel(asked.environment["GENOPS_DECISION_GRPC"]) as channel:
        release = channel.unary_unary("/genops.decision.v1.Decisions/Release")
        answer = release(b"\x0a\x01a", metadata=(("authorization", f"Bearer {TOKEN}"),), timeout=10)
        with pytest.raises(grpc.RpcError) as caught:
            release(b"\x0a\x01a", timeout=10)

    assert b"released" in answer
    assert grpc.StatusCode.UNAUTHENTICATED == caught.value.code()
    assert Decimal(0) == asked.consumed()


def test_endpoint_that_others_reach_does_not_start_without_authentication(binary: Path, tmp_path: Path) -> None:
    """It says which endpoint, and what to write."""
    text = (ROOT / "deploy/collector/decision.yaml").read_text()
    open_ = re.sub(r"http: \{.*\}", 'http: {endpoint: "0.0.0.0:4319"}', text)
    (tmp_path / "open.yaml").write_text(open_)
    done = subprocess.run(
        [str(binary), "validate", f"--config={tmp_path / 'open.yaml'}"], capture_output=True, text=True
    )

    assert 1 == done.returncode
    assert "http: endpoint 0.0.0.0:4319 is reached from elsewhere, and nobody is asked who they are" in done.stderr
    assert "fix: endpoint: 127.0.0.1:4319, or auth" in done.stderr
