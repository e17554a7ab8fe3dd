"""Budgets in a process that forks: parent and child spend from one budget, and neither harms the other's store."""

from __future__ import annotations

import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path

import pytest

from genops.core.budgets.units import amount_of
from genops.stores.budgets import open_budget_store

FORKING = """
import os, signal, sqlite3, subprocess, sys
from decimal import Decimal
from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget
from genops.core.budgets.plans import BudgetCall
from genops.core.budgets.windows import Window, WindowKind
from genops.stores.budgets import open_budget_store
from genops.stores.budgets.leases import LeasingStore

signal.alarm(60)
url, namespace, slice_ = sys.argv[1:]
store = open_budget_store(url, namespace=namespace, timeout_s=20.0)
if slice_ != "none":
    store = LeasingStore(store)
budget = Budget(
    name="shared", limit=Decimal(1), window=Window(kind=WindowKind.TOTAL),
    slice=None if slice_ == "none" else Decimal(slice_),
)
engine = BudgetEngine([budget], store)

def spend(name):
    admission = engine.reserve(name, BudgetCall({}, cost=Decimal("0.05")))
    if admission.reservation is None:
        return 0
    engine.settle(admission.reservation, {"USD": Decimal("0.05")})
    return 1

def fork(action):
    pid = os.fork()
    if pid == 0:
        os._exit(action())
    return pid

def code(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'budgets.db'}", "default"
    return request.getfixturevalue("redis_server").url, uuid.uuid4().hex


def run(code: str, place: tuple[str, str], slice_: str = "none") -> str:
    result = subprocess.run(
        [sys.executable, "-c", FORKING + code, *place, slice_], capture_output=True, text=True, check=False, timeout=90
    )
    assert 0 == result.returncode, result.stderr
    return result.stdout.strip()


def counted(place: tuple[str, str]) -> tuple[Decimal, Decimal]:
    store = open_budget_store(place[0], namespace=place[1])
    (counter,) = store.counters("shared")
    store.close()
    return amount_of(counter.spent, "USD"), amount_of(counter.reserved, "USD")


def test_what_a_child_spends_is_not_lost_when_others_leave(tmp_path: Path) -> None:
    """A child that forked beside an open connection still locks its file: the last of the others removes no log."""
    place = f"sqlite:{tmp_path / 'budgets.db'}", "default"
    run(
        """
spend("parent")
ready, go = os.pipe(), os.pipe()
def child():
    spend("child before")
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    spend("child after")
    return 0
pid = fork(child)
os.read(ready[0], 1)
store.close()
other = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT 1 FROM counters'); db.close()"
subprocess.run([sys.executable, "-c", other, url.removeprefix("sqlite:")], check=True)
os.write(go[1], b"x")
assert code(pid) == 0
""",
        place,
    )

    assert (Decimal("0.15"), Decimal(0)) == counted(place)


@pytest.mark.parametrize("slice_", ["none", "0.1"])
def test_parent_and_children_stop_at_the_limit_together(place: tuple[str, str], slice_: str) -> None:
    """Forked while its threads spend: 1 USD is 20 calls, whoever makes them; what is not spent is given back."""
    granted = run(
        """
import threading
results = []
def work(n):
    results.append(sum(spend(f"t{n}-{i}") for i in range(4)))
threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for thread in threads:
    thread.start()
def child(n):
    got = sum(spend(f"c{n}-{i}") for i in range(6))
    engine.close()
    return got
pids = [fork(lambda n=n: child(n)) for n in range(4)]
for thread in threads:
    thread.join()
total = sum(results) + sum(code(pid) for pid in pids)
engine.close()
print(total)
""",
        place,
        slice_,
    )
    spent, reserved = counted(place)

    assert (Decimal("0.05") * int(granted), Decimal(0)) == (spent, reserved)
    assert Decimal("0.9") <= spent <= 1
