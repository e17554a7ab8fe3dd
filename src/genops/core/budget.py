"""Accounts: where a call reserves an upper bound before it runs, and settles what it used.

The accounting invariant of the GenOps specification: no execution without a reservation. A call that no budget matches
reserves against the account `unlimited`, which always grants and keeps no count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from genops.core._guarding import contained
from genops.core.budgets.engine import BudgetEngine, BudgetReservation
from genops.core.budgets.forks import Beat, call_after_fork
from genops.core.budgets.model import Estimator
from genops.core.budgets.plans import BudgetCall
from genops.core.decision import Decision
from genops.core.errors import BudgetStoreError, GenOpsBlocked

__all__ = ["UNLIMITED", "Account", "Grant", "Reservation"]

UNLIMITED = "unlimited"
_log = logging.getLogger("genops.budgets")


class Reservation(NamedTuple):
    """A granted upper bound: `amount` in `unit` (USD, tokens, requests) against the budget named `budget`."""

    amount: Decimal
    unit: str
    budget: str
    held: BudgetReservation | None = None  # what the engine knows it by


class Grant(NamedTuple):
    """What an account says to a call: a reservation or a refusal, and the decision that follows from it.

    No reservation and no refusal: no budget is about this call. `max_output_tokens` is the output limit to send the
    request with, if it was made to fit.
    """

    decision: Decision
    reservation: Reservation | None = None
    refusal: GenOpsBlocked | None = None
    max_output_tokens: int | None = None


class Account:
    """The budgets of a process, as the frame of a call meets them. `at_end` is called when it is closed.

    A call that runs longer than a reservation lives is kept alive: a heartbeat extends what is still open.
    """

    def __init__(self, engine: BudgetEngine, *, at_end: Callable[[], object] | None = None) -> None:
        self.engine = engine
        self._at_end = at_end
        self.adaptive = any(budget.estimator is Estimator.ADAPTIVE for budget in engine.budgets)
        self._heart = Beat(self._beat, engine.expires_after_s / 3, name="genops-budgets")
        self._start_over()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        """Also in a child process: the parent's calls are the parent's."""
        self._open: dict[str, BudgetReservation] = {}

    def _beat(self) -> None:
        with contained(_log, "extending reservations"):
            self.beat()

    def beat(self) -> None:
        """Let every call that is in flight live on."""
        for held in list(self._open.values()):
            self.engine.extend(held)

    def reserve(self, call_id: str, call: BudgetCall, decision: Decision) -> Grant:
        """Reserve for an allowed call; what budgets object to is laid over `decision`."""
        admission = self.engine.reserve(call_id, call)
        decision = decision.joined(admission.findings)
        if decision.blocked:
            refusing = next(finding for finding in decision.violations if finding.rule == decision.policy_name)
            return Grant(decision, refusal=admission.refusal(refusing))
        held = admission.reservation
        if held is None:
            return Grant(decision)
        self._open[held.id] = held
        self._heart.start()
        reservation = Reservation(held.amount, held.unit, held.budget.name, held)
        return Grant(decision, reservation, max_output_tokens=admission.max_output_tokens)

    def settle(self, reservation: Reservation, used: Mapping[str, Decimal | int]) -> None:
        """Charge what a call used, by unit. A unit left out is charged as reserved."""
        if reservation.held is not None:
            self._open.pop(reservation.held.id, None)
            with contained(_log, "settling a budget"):
                self.engine.settle(reservation.held, used)

    def release(self, reservation: Reservation) -> None:
        """Give everything back: the call never ran, or is accounted elsewhere."""
        if reservation.held is not None:
            self._open.pop(reservation.held.id, None)
            with contained(_log, "releasing a budget"):
                self.engine.release(reservation.held)

    def charge(self, call_id: str, call: BudgetCall, used: Mapping[str, Decimal | int]) -> None:
        """Charge what was spent without being asked for: results of a batch, a cost the application states."""
        with contained(_log, "charging a budget"):
            self.engine.charge(call_id, call, used)

    def used_share(self, call: BudgetCall) -> float | None:
        """How much is used of the fullest budget that matches `call`: 0.8 is 80 %. None if none does, or says it."""
        try:
            left = self.engine.remaining(call)
        except BudgetStoreError:
            return None
        limits = {budget.name: budget.limit for budget in self.engine.budgets}
        shares = [float(1 - each / limits[name]) if limits[name] else 1.0 for name, each in left.items()]
        return max(shares, default=None)

    def close(self) -> None:
        """Tell the store what it has yet to be told, and let go of it."""
        self._heart.stop()
        self.engine.close()
        if self._at_end is not None:
            self._at_end()
