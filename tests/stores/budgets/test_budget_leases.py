"""Leased slices: answers without a round trip, the limit all the same, and nothing held back for good."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget
from genops.core.budgets.plans import BudgetCall
from genops.core.budgets.windows import Window, WindowKind
from genops.core.errors import BudgetStoreError
from genops.stores.budgets.leases import LeasingStore
from genops.stores.budgets.memory import MemoryBudgetStore

TOTAL = Window(kind=WindowKind.TOTAL)
CALL = BudgetCall({}, cost=Decimal("0.01"))


class Counting(MemoryBudgetStore):
    """A shared store that counts what is asked of it, and can be switched off."""

    def __init__(self) -> None:
        self.now = 1_764_000_000.0
        super().__init__(lambda: self.now)
        self.asked, self.down = 0, False

    def reserve(self, *arguments):
        self._note()
        return super().reserve(*arguments)

    def settle(self, *arguments, **options):
        self._note()
        return super().settle(*arguments, **options)

    def _note(self) -> None:
        self.asked += 1
        if self.down:
            raise BudgetStoreError("switched off")


def budget(limit: str = "1", slice_: str = "0.1", **more: object) -> Budget:
    return Budget(name="shared", limit=Decimal(limit), slice=Decimal(slice_), window=TOTAL, **more)  # type: ignore[arg-type]


def engine(shared: Counting, *budgets: Budget) -> BudgetEngine:
    return BudgetEngine(budgets or (budget(),), LeasingStore(shared))


def spend(one: BudgetEngine, name: str, cost: str = "0.01") -> bool:
    admission = one.reserve(name, CALL)
    if admission.reservation is None:
        return False
    one.settle(admission.reservation, {"USD": Decimal(cost)})
    return True


def total(shared: Counting) -> tuple[int, int]:
    (counter,) = shared.counters("shared")
    return counter.spent, counter.reserved


def test_calls_within_a_slice_ask_nobody():
    """Ten calls, one lease and one settlement of it."""
    shared = Counting()
    one = engine(shared)

    assert all(spend(one, str(number)) for number in range(10))
    assert 2 == shared.asked
    assert (100_000_000, 0) == total(shared)


def test_limit_holds_over_processes_and_is_used_to_the_end():
    """When no whole slice is left, what is lacking is leased."""
    shared = Counting()
    processes = [engine(shared, budget(slice_="0.15")) for _ in range(4)]
    spent = sum(spend(processes[number % 4], str(number)) for number in range(400))

    for each in processes:
        each.store.give_back()
    assert (spent * 10_000_000, 0) == total(shared)
    assert 85 <= spent <= 100
    assert all(spend(processes[0], f"rest{number}") for number in range(100 - spent))
    assert not spend(processes[0], "one too many")


def test_unused_part_is_given_back():
    """A process that pauses does not hold its slice."""
    shared = Counting()
    one = engine(shared)
    spend(one, "a", "0.004")
    assert (0, 100_000_000) == total(shared)
    one.store.beat()  # still busy: renewed
    assert (0, 100_000_000) == total(shared)
    one.store.beat()

    assert (4_000_000, 0) == total(shared)
    assert spend(one, "b")


def test_slice_with_a_call_in_flight_is_kept_and_renewed():
    """The lease outlives its time as long as the process beats."""
    shared = Counting()
    one = engine(shared)
    reservation = one.reserve("a", CALL).reservation
    for _ in range(5):
        shared.now += 40
        one.store.beat()
        assert () == shared.expire_due(shared.now)
    one.settle(reservation, {"USD": Decimal("0.01")})
    one.store.give_back()

    assert (10_000_000, 0) == total(shared)


@pytest.mark.parametrize(("cost", "charged"), [("0.004", 1), ("0.01", 1), ("0.03", 3)])
def test_call_in_flight_at_the_end_is_charged_what_it_reserved(cost, charged):
    """A process that ends amid a call gives the rest of the slice back; the call may still end, and add to it."""
    shared = Counting()
    one = engine(shared)
    held = one.reserve("in flight", CALL).reservation
    assert held is not None
    one.close()
    assert (10_000_000, 0) == total(shared)
    one.settle(held, {"USD": Decimal(cost)})

    assert (charged * 10_000_000, 0) == total(shared)


def test_dead_process_is_charged_its_slice_and_no_more():
    """What it may have spent; settled to the truth if it comes back."""
    shared = Counting()
    one = engine(shared)
    spend(one, "a")
    shared.now += 61
    shared.expire_due(shared.now)
    assert (100_000_000, 0) == total(shared)

    one.store.give_back()
    assert (10_000_000, 0) == total(shared)


def test_call_that_uses_more_than_it_reserved_is_charged_for_it():
    """Also past the slice."""
    shared = Counting()
    one = engine(shared)
    spend(one, "a", "0.5")
    one.store.give_back()

    assert (500_000_000, 0) == total(shared)


def test_call_in_flight_whose_slice_is_gone_is_charged_too():
    """Another call used up the slice it stands on."""
    shared = Counting()
    one = engine(shared, budget(slice_="0.02"))
    reservation = one.reserve("a", CALL).reservation
    spend(one, "b", "0.02")
    one.settle(reservation, {"USD": Decimal("0.007")})

    assert (27_000_000, 0) == total(shared)


def test_slice_is_good_while_the_store_is_down():
    """Then the store is missed; afterwards everything is posted."""
    shared = Counting()
    one = engine(shared)
    spend(one, "a")
    shared.down = True
    assert all(spend(one, f"down{number}") for number in range(9))
    assert not spend(one, "too many")
    shared.down = False
    one.store.give_back()

    assert (100_000_000, 0) == total(shared)


def test_refusal_says_what_is_left_here_too():
    """Nothing left: BUDGET_EXCEEDED; less than asked for: BUDGET_RESERVATION_FAILED."""
    shared = Counting()
    one = engine(shared, budget("0.015", "0.015"))
    assert spend(one, "a")
    (first,) = one.reserve("b", CALL).findings
    assert "BUDGET_RESERVATION_FAILED" == first.reason_code
    assert "0.005 USD of 0.015 USD left" in first.message


def test_budget_without_a_slice_beside_it_is_asked_for_each_call():
    """All legs are reserved at one place."""
    shared = Counting()
    one = engine(shared, budget(), Budget(name="exact", limit=Decimal("0.02"), window=TOTAL))

    assert [True, True, False] == [spend(one, str(number)) for number in range(3)]
    assert (20_000_000, 0) == total(shared)


def test_alerts_are_those_of_the_shared_store():
    """Given when a lease is settled, once over all processes."""
    shared, alerts = Counting(), []
    processes = [BudgetEngine([budget(thresholds=(10,))], LeasingStore(shared), alert=alerts.append) for _ in range(2)]
    for number in range(40):
        spend(processes[number % 2], str(number))

    assert [10] == [alert.threshold for alert in alerts]


def test_threads_share_the_slices(store):
    """On every shared store: the limit exactly, with all given back."""
    leasing = LeasingStore(store)
    one = BudgetEngine([budget("0.40", "0.05")], leasing)
    granted: list[bool] = []

    def work(number: int) -> None:
        granted.extend(spend(one, f"{number}-{call}") for call in range(10))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leasing.give_back()

    (counter,) = store.counters("shared")
    assert (40, 400_000_000, 0) == (sum(granted), counter.spent, counter.reserved)
    leasing.close()


def test_heartbeat_runs_by_itself():
    """A thread renews and gives back; closing ends it."""
    shared = Counting()
    leasing = LeasingStore(shared, lease_s=0.06)
    spend(BudgetEngine([budget()], leasing), "a")
    thread = leasing._heart._thread
    given_back = threading.Event()
    for _ in range(200):
        if total(shared) == (10_000_000, 0):
            given_back.set()
            break
        threading.Event().wait(0.02)

    assert given_back.is_set()
    leasing.close()
    assert thread is not None
    assert not thread.is_alive()


@pytest.mark.parametrize("way", ["settle", "release"])
def test_ends_are_idempotent_here_too(way):
    """As everywhere."""
    shared = Counting()
    one = engine(shared)
    reservation = one.reserve("a", CALL).reservation
    end = one.release if way == "release" else lambda held: one.settle(held, {"USD": Decimal("0.002")})
    end(reservation)

    assert end(reservation).repeated
