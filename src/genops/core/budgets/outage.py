"""What goes on while the budget store does not answer: nothing waits for it, and nothing that was used is forgotten.

After a failure the store is left alone for a moment. Calls are then answered by `on_store_error` of their budgets, and
what they use is kept here until the store takes it, under the ids it would have had.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from genops.core.budgets.forks import call_after_fork
from genops.core.budgets.model import Budget, Leg, OnStoreError
from genops.core.budgets.plans import Plan
from genops.core.budgets.units import as_counted
from genops.core.errors import BudgetStoreError

__all__ = ["Outage", "Owed", "OwedJournal", "worst_overspend"]

_MOST_OWED = 100_000  # about 50 MB; the oldest are dropped beyond it, and counted
_LEFT_ALONE_S = 1.0


class Owed(NamedTuple):
    """An end of a reservation that the store has yet to be told of."""

    id: str
    legs: tuple[Leg, ...]
    actuals: tuple[int, ...]
    release: bool


class OwedJournal(Protocol):
    """Keeps what is owed over the end of the process."""

    def append(self, owed: Owed) -> None: ...

    def adopt(self) -> list[Owed]:
        """Take over what processes that are gone still owed."""

    def clear(self) -> None:
        """Forget everything: the store was told."""


class Outage:
    """Whether the store is to be left alone, what was let through meanwhile, and what the store has yet to be told."""

    def __init__(
        self,
        left_alone_s: float = _LEFT_ALONE_S,
        clock: Callable[[], float] = time.monotonic,
        journal: OwedJournal | None = None,
    ) -> None:
        self._left_alone_s = left_alone_s
        self._clock = clock
        self._journal = journal
        self._until = 0.0
        self._lock = threading.Lock()
        self._allowed: dict[str, int] = {}
        self.owed: deque[Owed] = deque(journal.adopt() if journal is not None else ())
        self.dropped = 0
        self.failing = False
        self.reason = ""
        call_after_fork(self._after_fork)

    def _after_fork(self) -> None:
        """In a child: what the parent owes, the parent tells the store."""
        self._lock = threading.Lock()
        self.owed = deque()

    def leave_alone(self) -> bool:
        """Whether not to ask the store. After each pause, one caller is let through to try it again."""
        if not self.failing:
            return False
        with self._lock:
            now = self._clock()
            if now < self._until:
                return True
            self._until = now + self._left_alone_s
            return False

    def begin(self, error: BudgetStoreError) -> None:
        """Note that the store failed with `error`."""
        self._until = self._clock() + self._left_alone_s
        self.reason = error.message.splitlines()[0]
        self.failing = True

    def end(self) -> None:
        """Note that the store answers."""
        self.failing = False

    def owe(self, owed: Owed) -> None:
        """Keep what the store has to be told."""
        self.owed.append(owed)
        if self._journal is not None:
            self._journal.append(owed)
        if len(self.owed) > _MOST_OWED:
            self.owed.popleft()
            self.dropped += 1

    def told(self) -> None:
        """Note that the store was told of some; of all, if nothing is left."""
        if self._journal is not None and not self.owed:
            self._journal.clear()

    def exhausted(self, plan: Plan, amounts: Sequence[int]) -> int | None:
        """Take `amounts` from the local allowances; the place of the first that has too little left, and None if none.

        An allowance is one slice per window and process, over all failures of the store, and never refilled.
        """
        places = [
            place for place, budget in enumerate(plan.budgets) if budget.on_store_error is OnStoreError.LOCAL_ALLOWANCE
        ]
        with self._lock:
            for place in places:
                key = plan.legs[place].key
                if self._allowed.get(key, 0) + amounts[place] > allowance(plan.budgets[place]):
                    return place
            for place in places:
                key = plan.legs[place].key
                self._allowed[key] = self._allowed.get(key, 0) + amounts[place]
        return None

    def give_back(self, plan: Plan, amounts: Sequence[int], actuals: Sequence[int]) -> None:
        """Put back what a call did not use of the local allowances."""
        with self._lock:
            for leg, amount, actual in zip(plan.legs, amounts, actuals, strict=True):
                if leg.key in self._allowed:
                    self._allowed[leg.key] += actual - amount


def allowance(budget: Budget) -> int:
    """What one process may let through while the store does not answer, in counted units."""
    return as_counted(budget.slice, budget.unit) if budget.slice is not None else 0


def worst_overspend(budgets: Iterable[Budget], processes: int = 1) -> dict[str, Decimal]:
    """The most that `processes` may spend past each budget if the store fails: one slice each. By unit.

    Budgets that fail open have no such bound and are not counted.
    """
    found: dict[str, Decimal] = {}
    for budget in budgets:
        if budget.slice is not None and budget.on_store_error is not OnStoreError.FAIL_OPEN:
            found[budget.unit] = found.get(budget.unit, Decimal(0)) + budget.slice * processes
    return found
