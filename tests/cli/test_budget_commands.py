"""`genops budgets`: against a real store and a real ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from genops.config.budgets import budget_settings
from genops.config.files import read_file
from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.plans import BudgetCall
from genops.core.ledger import LedgerEntry, Outcome
from genops.stores import open_ledger
from genops.stores.budgets import open_budget_store

FILE = """\
budgets:
  - {name: org, limit: 100}
  - {name: customers, group_by: customer_id, limit: 2, match: {team: search}}
  - {name: tokens, limit: 100000, unit: tokens, window: {rolling: 24h}}
  - {name: calls, limit: 1000, unit: requests, window: total}
rate_limits:
  - {name: flying, limit: 4, unit: concurrent}
budget_store: {url: "sqlite:STORE"}
"""
ENTRY = LedgerEntry(
    call_id="",
    started_at=datetime.now(UTC),
    duration_ms=1.0,
    outcome=Outcome.COMPLETED,
    provider="openai",
    api="chat_completions",
    operation="chat",
    operation_type="inference",
    request_model="gpt-4o",
    team="search",
    customer_id="acme",
    usage={"input": 100, "output": 20},
    cost=Decimal("0.123456789123"),
    policy_result="ALLOWED",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten calls, settled in a store and written to a ledger; one refused by us and one by the provider."""
    (tmp_path / "genops.yaml").write_text(FILE.replace("STORE", str(tmp_path / "budgets.db")))
    found = budget_settings(read_file(tmp_path / "genops.yaml"))
    store = open_budget_store(str(found.store))
    engine = BudgetEngine(found.budgets, store)
    ledger = open_ledger(tmp_path / "ledger")
    for number in range(10):
        entry = replace(ENTRY, call_id=f"c{number}", customer_id="acme" if number % 2 else "zeta")
        call = BudgetCall({"team": "search", "customer_id": entry.customer_id}, cost=Decimal("0.2"), input_tokens=200)
        reservation = engine.reserve(entry.call_id, call).reservation
        assert reservation is not None
        engine.settle(reservation, {"USD": entry.cost or 0, "tokens": 120})
        ledger.append(entry)
    ledger.append(
        replace(ENTRY, call_id="refused", outcome=Outcome.BLOCKED, usage={}, cost=None, policy_result="BLOCKED")
    )
    ledger.append(replace(ENTRY, call_id="failed", outcome=Outcome.ERROR, usage={}, cost=Decimal(0)))
    ledger.close()
    store.close()
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "genops"), "budgets", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "COLUMNS": "160"}, capture_output=True, text=True, check=False
    )


def rows(folder: Path) -> dict[tuple[str, str | None], dict[str, object]]:
    found = json.loads(run(folder, "list", "--json").stdout)
    return {(row["budget"], row["group"].get("customer_id")): row for row in found}


def test_list_says_what_is_left_of_each_budget(folder):
    """By budget and group, in exact amounts."""
    found = rows(folder)

    assert ("1.2345679", "98.7654321") == (found["org", None]["spent"], found["org", None]["left"])
    assert {"acme", "zeta"} == {group for name, group in found if name == "customers"}
    assert ("1200", "10", "4") == (
        found["tokens", None]["spent"],
        found["calls", None]["spent"],
        found["flying", None]["left"],
    )
    assert "customer_id=acme" in run(folder, "list").stdout


def test_show_says_when_a_budget_will_be_used_up(folder):
    """One budget with its groups; an unknown name gets a suggestion."""
    shown = run(folder, "show", "customers")
    unknown = run(folder, "show", "custmers")

    assert "for team search" in shown.stdout
    assert (2, "there is no budget 'custmers'. Did you mean 'customers'?") == (
        unknown.returncode,
        unknown.stderr.splitlines()[0],
    )


def test_verify_agrees_with_the_ledger_to_the_last_unit(folder):
    """What was settled is what the ledger adds up to; refused and failed calls count nowhere."""
    verified = run(folder, "verify")

    assert (0, True) == (verified.returncode, "5 counters checked, 0 differ" in verified.stdout)
    assert "not checked: flying counts concurrent" in verified.stdout


def test_drift_is_reported_and_repaired(folder):
    """A counter set to something else; reconcile sets it back."""
    before = rows(folder)
    assert 0 == run(folder, "set", "customers", "1.75", "--group", "customer_id=acme").returncode
    assert "1.75" == rows(folder)["customers", "acme"]["spent"]

    verified = run(folder, "verify")
    assert 1 == verified.returncode
    assert "customers customer_id=acme: counter 1.75, ledger 0.61728395 USD" in verified.stdout
    assert "set" in run(folder, "reconcile").stdout
    assert 0 == run(folder, "verify").returncode
    assert before["customers", "acme"]["spent"] == rows(folder)["customers", "acme"]["spent"]


def test_lost_store_is_rebuilt_from_the_ledger(folder):
    """Every counter comes back."""
    before = {name: row["spent"] for name, row in rows(folder).items()}
    (folder / "budgets.db").unlink()
    for name in ("budgets.db-wal", "budgets.db-shm"):
        (folder / name).unlink(missing_ok=True)

    assert 0 == run(folder, "reconcile").returncode
    assert before == {name: row["spent"] for name, row in rows(folder).items()}


def test_set_asks_for_the_group(folder):
    """And says how to give it."""
    missing = run(folder, "set", "customers", "1")

    assert 2 == missing.returncode
    assert "genops budgets set customers 1 --group customer_id=..." in missing.stderr


def test_folder_without_a_file_says_what_to_do(tmp_path):
    """Exit code 2, and no traceback."""
    missing = run(tmp_path, "list")

    assert (2, True) == (missing.returncode, "fix: genops budgets list --config" in missing.stderr)
