"""Many processes on one budget: it is never overspent, wholly usable, and not held up by those that die in mid-call."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import uuid
from decimal import Decimal
from pathlib import Path

import pytest

from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.plans import BudgetCall
from genops.core.budgets.units import amount_of
from genops.stores.budgets import open_budget_store

from .workers import ESTIMATE, EXPIRES_AFTER_S, ONE_DOLLAR

WORKER = Path(__file__).with_name("workers.py")
PROCESSES, CALLS = 8, 200


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A store that processes can share: URL and namespace."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'budgets.db'}", "default"
    return request.getfixturevalue("redis_server").url, uuid.uuid4().hex


def start(place: tuple[str, str], name: str, hold_s: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), *place, name, str(CALLS), str(hold_s)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line_of(worker: subprocess.Popen[str]) -> list[str]:
    assert worker.stdout is not None
    return worker.stdout.readline().split()


def go(workers: list[subprocess.Popen[str]]) -> None:
    assert all(["ready"] == line_of(worker) for worker in workers)
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()


def finish(workers: list[subprocess.Popen[str]]) -> Decimal:
    """Wait for them; what they settled together."""
    total = Decimal(0)
    for worker in workers:
        said, amount, _ = line_of(worker)
        assert "settled" == said
        total += Decimal(amount)
    close(workers)
    return total


def close(workers: list[subprocess.Popen[str]]) -> None:
    for worker in workers:
        worker.wait(timeout=60)
        for pipe in (worker.stdin, worker.stdout):
            assert pipe is not None
            pipe.close()


def counted(place: tuple[str, str]) -> tuple[Decimal, Decimal]:
    store = open_budget_store(place[0], namespace=place[1])
    (counter,) = store.counters("shared")
    store.close()
    return amount_of(counter.spent, "USD"), amount_of(counter.reserved, "USD")


def test_eight_processes_spend_one_dollar_and_no_more(place):
    """8 x 200 calls that may take 0.01 each: at most the limit is settled, at least 99 % of it can be."""
    workers = [start(place, f"w{number}") for number in range(PROCESSES)]
    go(workers)
    total = finish(workers)

    assert (total, Decimal(0)) == counted(place)
    assert Decimal("0.99") <= total <= ONE_DOLLAR.limit


def test_killed_processes_neither_overspend_nor_pin_the_budget(place):
    """kill -9 of four of eight that hold reservations: those expire and are charged, the rest stays usable."""
    workers = [start(place, f"w{number}", hold_s=0.0 if number % 2 else 30.0) for number in range(PROCESSES)]
    doomed, living = workers[::2], workers[1::2]
    go(doomed)
    assert all(["mid-call"] == line_of(worker) for worker in doomed)
    for worker in doomed:
        worker.kill()
    close(doomed)
    spent, reserved = counted(place)
    assert len(doomed) * ESTIMATE == reserved

    time.sleep(EXPIRES_AFTER_S)  # the lease of the dead
    go(living)
    total = finish(living)

    lost = len(doomed) * ESTIMATE
    assert (spent + lost + total, Decimal(0)) == counted(place)
    assert Decimal("0.99") <= spent + lost + total <= ONE_DOLLAR.limit


@pytest.mark.parametrize("seed", range(3))
def test_processes_killed_at_any_moment_leave_the_counters_right(place, seed):
    """kill -9 between any two steps: never over the limit, and nothing reserved once the dead have expired."""
    draw = random.Random(seed)
    workers = [start(place, f"{seed}w{number}", hold_s=0.001) for number in range(PROCESSES)]
    doomed, living = workers[::2], workers[1::2]
    go(workers)
    for worker in doomed:
        time.sleep(draw.uniform(0, 0.05))
        worker.kill()
    close(doomed)
    finish(living)
    spent, reserved = counted(place)
    assert spent + reserved <= ONE_DOLLAR.limit

    store = open_budget_store(place[0], namespace=place[1])
    store.expire_due(store.clock() + EXPIRES_AFTER_S + 1)
    store.close()
    assert (True, Decimal(0)) == (spent <= counted(place)[0] <= spent + reserved, counted(place)[1])


def test_budget_is_free_again_for_the_first_call_after_expiry(place):
    """No sweeper has to run, and no process of those that died."""
    engine = BudgetEngine([ONE_DOLLAR], open_budget_store(place[0], namespace=place[1]), expires_after_s=0.2)
    assert not engine.reserve("dies", BudgetCall({}, cost=Decimal(1), input_cost=Decimal(0))).refused
    assert engine.reserve("waits", BudgetCall({}, cost=ESTIMATE)).refused
    time.sleep(0.25)
    late = engine.reserve("comes", BudgetCall({}, cost=ESTIMATE))

    assert late.refused  # a strict budget charges what a lost call may have spent
    assert (Decimal(1), Decimal(0)) == counted(place)
    engine.store.close()
