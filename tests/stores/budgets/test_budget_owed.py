"""What a process owes the store survives it, and another process tells the store, once."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget, OnStoreError
from genops.core.budgets.outage import Outage, Owed
from genops.core.budgets.plans import BudgetCall
from genops.stores.budgets import MemoryBudgetStore
from genops.stores.budgets.owed import FileOwedJournal

BUDGET = "Budget(name='shared', limit=Decimal(1), on_store_error=OnStoreError.FAIL_OPEN)"
DIES = f"""
import os, signal, sys
from decimal import Decimal
from pathlib import Path
from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget, OnStoreError
from genops.core.budgets.outage import Outage
from genops.core.budgets.plans import BudgetCall
from genops.stores.budgets import RedisBudgetStore
from genops.stores.budgets.owed import FileOwedJournal

outage = Outage(journal=FileOwedJournal(Path(sys.argv[1])))
engine = BudgetEngine([{BUDGET}], RedisBudgetStore("redis://127.0.0.1:1", timeout_s=0.1), outage=outage)
for number in range(3):
    reservation = engine.reserve(f"r{{number}}", BudgetCall({{}}, cost=Decimal("0.1"))).reservation
    engine.settle(reservation, {{"USD": Decimal("0.07")}})
os.kill(os.getpid(), signal.SIGKILL)
"""


def heir(folder: Path, store: MemoryBudgetStore) -> BudgetEngine:
    budget = Budget(name="shared", limit=Decimal(1), on_store_error=OnStoreError.FAIL_OPEN)
    return BudgetEngine([budget], store, outage=Outage(journal=FileOwedJournal(folder)))


def test_spend_of_a_killed_process_is_told_by_the_next_one(tmp_path):
    """kill -9 while the store is down: three settlements of 0.07 arrive under their ids."""
    ended = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, check=False)
    assert -9 == ended.returncode, ended.stderr
    store = MemoryBudgetStore()
    one = heir(tmp_path, store)
    assert 3 == len(one.outage.owed)
    one.reserve("mine", BudgetCall({}, cost=Decimal("0.1")))

    (counter,) = store.counters("shared")
    assert (210_000_000, 100_000_000) == (counter.spent, counter.reserved)
    assert [] == list(tmp_path.glob("*"))


def test_journal_of_a_living_process_is_left_alone(tmp_path):
    """And one that was adopted is not adopted again; a torn line is passed over."""
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, check=False)
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'["r9", "[[')
    first, second = FileOwedJournal(tmp_path), FileOwedJournal(tmp_path)

    assert ["r0", "r1", "r2"] == [owed.id for owed in first.adopt()]
    assert [] == second.adopt()
    first.clear()
    assert [] == list(tmp_path.glob("*"))


def test_directory_that_cannot_be_written_is_warned_of_once(tmp_path, caplog):
    """The application goes on."""
    (tmp_path / "file").write_text("")
    journal = FileOwedJournal(tmp_path / "file" / "owed")
    owed = Owed("a", (), (), False)
    journal.append(owed)
    journal.append(owed)

    assert 1 == caplog.text.count("cannot be kept")
    assert [] == journal.adopt()
