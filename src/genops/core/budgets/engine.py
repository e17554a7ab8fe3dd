"""The budget engine: from a call to its reservation before it runs, and from what it used to its settlement.

Every budget that matches a call is a leg of one reservation, made at once or not at all. A reservation that nobody ends
expires and is charged; the budget is not held up by it. While the store does not answer, `on_store_error` decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from genops.core._guarding import contained
from genops.core.budgets import findings as say
from genops.core.budgets.alerts import BudgetAlert, alert_of
from genops.core.budgets.model import Budget, Estimator, OnStoreError, OnUnpriced, by_name
from genops.core.budgets.outage import Outage, Owed
from genops.core.budgets.plans import Amounts, BudgetCall, Plan, Planner, reduced
from genops.core.budgets.store import BudgetStore, Crossing, Ended, Granted, Refused
from genops.core.budgets.units import amount_of
from genops.core.decision import Result, Violation
from genops.core.errors import BudgetStoreError, GenOpsBlocked, RateLimited, ReservationConflict

__all__ = ["Admission", "BudgetEngine", "BudgetReservation"]

_log = logging.getLogger("genops.budgets")
_SWEEP_EVERY_S = 1.0
_SWEEP_AGAIN_S = 0.1  # after a refusal, which an expired reservation may be the cause of
_FITTINGS = 3  # attempts to fit a request while others take from the same budget
_OWED_AT_ONCE = 20  # settlements told to the store by one call, after it was away


class BudgetReservation(NamedTuple):
    """What is reserved for one call. The leg with the smallest share left stands for all in telemetry.

    `counted` is False if the store knows nothing of it yet, because it did not answer.
    """

    id: str
    plan: Plan
    amounts: tuple[int, ...]
    place: int
    left: int
    expires_at: float
    counted: bool = True

    @property
    def budget(self) -> Budget:
        return self.plan.budgets[self.place]

    @property
    def unit(self) -> str:
        return self.budget.unit

    @property
    def amount(self) -> Decimal:
        """What is reserved of `budget`, in its unit."""
        return amount_of(self.amounts[self.place], self.unit)

    @property
    def remaining(self) -> Decimal:
        """What is left of `budget` beside this reservation; below 0 past a soft limit."""
        return amount_of(self.left, self.unit) if self.left >= 0 else -amount_of(-self.left, self.unit)

    @property
    def consumed(self) -> Decimal:
        """What of `budget` is spent or reserved, this reservation included."""
        return self.budget.limit - self.remaining

    @property
    def period(self) -> str:
        return self.plan.spans[self.place].label


class Admission(NamedTuple):
    """The answer to a call. `findings` are what budgets object to; one that blocks means that nothing is reserved.

    `reservation` is None, too, when no budget matches. `max_output_tokens` is the lower limit that the request must be
    sent with, if it was made to fit.
    """

    reservation: BudgetReservation | None = None
    findings: tuple[Violation, ...] = ()
    retry_after_s: float | None = None
    max_output_tokens: int | None = None

    @property
    def refused(self) -> bool:
        return any(finding.result in (Result.BLOCKED, Result.RATE_LIMITED) for finding in self.findings)

    def raise_if_refused(self) -> None:
        """Raise `BudgetBlocked` or `RateLimited` if the call must not be sent."""
        for finding in self.findings:
            if finding.result in (Result.BLOCKED, Result.RATE_LIMITED):
                raise self.refusal(finding)

    def refusal(self, finding: Violation) -> GenOpsBlocked:
        """The exception that `finding` is raised as."""
        error = finding.refusal(finding.message, reason_code=finding.reason_code, rule=finding.rule, fix=finding.fix)
        if isinstance(error, RateLimited):
            error.retry_after_s = self.retry_after_s
        return error


_FREE = Admission()


class _Request(NamedTuple):
    """A call on its way through the engine."""

    id: str
    call: BudgetCall
    plan: Plan
    amounts: Amounts
    warnings: tuple[Violation, ...]
    now: float


class BudgetEngine:
    """Reserves and settles against `budgets` in `store`.

    A reservation lives `expires_after_s` seconds: the longest a call may take, with some grace; `extend` lets a long
    stream live longer. `alert` gets every `BudgetAlert` and must not wait. The time is the store's, or that of `clock`.
    """

    def __init__(
        self,
        budgets: Iterable[Budget],
        store: BudgetStore,
        clock: Callable[[], float] | None = None,
        *,
        alert: Callable[[BudgetAlert], None] | None = None,
        expires_after_s: float = 660.0,
        outage: Outage | None = None,
    ) -> None:
        self.budgets = tuple(budgets)
        self.store = store
        self.expires_after_s = expires_after_s
        self.outage = outage or Outage()
        self._clock = clock or store.clock
        self._alert = alert
        self._by_name = by_name(self.budgets)
        self._planner = Planner(self.budgets)
        self._swept = 0.0

    # -- before the call -----------------------------------------------------------------------------------------------

    def reserve(self, reservation_id: str, call: BudgetCall) -> Admission:
        """Reserve what `call` may take from every budget that matches it, or from none.

        Raises `ReservationConflict` if the id was used for a call that has ended.
        """
        now = self._clock()
        plan = self._planner.plan(call, now)
        if not plan.legs:
            return _FREE
        amounts = plan.amounts(call)
        warnings = _unknown(plan, amounts) if amounts.unknown else ()
        if warnings and any(warning.result is Result.BLOCKED for warning in warnings):
            return Admission(None, warnings)
        request = _Request(reservation_id, call, plan, amounts, warnings, now)
        if self.outage.failing and self.outage.leave_alone():
            return self._without_store(request, asked=False)
        try:
            if self.outage.owed or not self._swept <= now < self._swept + _SWEEP_EVERY_S:
                self._tidy(now)
            answer = self._ask(request)
            if type(answer) is Refused:
                return self._second_try(request, answer)
        except BudgetStoreError as error:
            self._failed(error)
            return self._without_store(request, asked=True)
        return self._granted(request, answer)  # type: ignore[arg-type]  # no Refused gets here

    def fit(self, call: BudgetCall) -> int | None:
        """Return the most output tokens, up to those asked for, with which `call` would fit; None if nothing fits.

        Raises `BudgetStoreError` if the store does not answer.
        """
        plan = self._planner.plan(call, self._clock())
        return plan.fit(call, self._left(plan)) if plan.legs else call.output_tokens

    def remaining(self, call: BudgetCall) -> dict[str, Decimal]:
        """What is left of every budget that matches `call`, by its name. Below 0 past a soft limit."""
        plan = self._planner.plan(call, self._clock())
        left = self._left(plan)
        return {
            budget.name: amount_of(abs(each), budget.unit).copy_sign(Decimal(each))
            for budget, each in zip(plan.budgets, left, strict=True)
        }

    def _ask(self, request: _Request) -> Granted | Refused:
        now, amounts = request.now, request.amounts
        times = (now, now + self.expires_after_s)
        answer = self.store.reserve(request.id, request.plan.legs, amounts.reserved, amounts.on_expiry, times)
        if self.outage.failing:
            self.outage.end()
        return answer

    def _granted(self, request: _Request, answer: Granted, output_tokens: int | None = None) -> Admission:
        plan, warnings = request.plan, request.warnings
        if answer.over:
            warnings += tuple([say.soft_limit(plan, place) for place in answer.over])
        expires_at = request.now + self.expires_after_s
        reserved = request.amounts.reserved
        reservation = BudgetReservation(request.id, plan, reserved, answer.tightest, answer.remaining, expires_at)
        return Admission(reservation, warnings, None, output_tokens)

    def _second_try(self, request: _Request, answer: Refused) -> Admission:
        """What a refused call may still get: what expired reservations held, or a lower output limit."""
        if not self._swept <= request.now < self._swept + _SWEEP_AGAIN_S and self._sweep(request.now):
            again = self._ask(request)
            if isinstance(again, Granted):
                return self._granted(request, again)
            answer = again
        for _ in range(_FITTINGS):
            if request.plan.budgets[answer.place].estimator is not Estimator.FIT or not request.call.reducible:
                break
            output_tokens = request.plan.fit(request.call, self._left(request.plan))
            if output_tokens is None:
                break
            call = reduced(request.call, output_tokens)
            smaller = request._replace(amounts=request.plan.amounts(call))
            again = self._ask(smaller)
            if isinstance(again, Granted):
                return self._granted(smaller, again, output_tokens)
            answer = again
        refusal = say.refused(request.plan, answer, request.amounts.reserved[answer.place])
        return Admission(None, (refusal, *request.warnings), answer.retry_after_s)

    def _left(self, plan: Plan) -> list[int]:
        keys = [key for leg in plan.legs for key in (leg.key, *leg.also)]
        used = {counter.key: counter.spent + counter.reserved for counter in self.store.usage(keys)}
        return [leg.limit - sum(used[key] for key in (leg.key, *leg.also)) for leg in plan.legs]

    # -- after the call ------------------------------------------------------------------------------------------------

    def settle(self, reservation: BudgetReservation, used: Mapping[str, Decimal | int]) -> Ended | None:
        """Charge what the call `used`, by unit, in the windows that were reserved; a unit not told of as reserved.

        None while the store does not answer: it is told as soon as it does. Raises `ReservationConflict` if the
        reservation has ended with other amounts; nothing changes then.
        """
        return self._end(reservation, reservation.plan.actuals(reservation.amounts, used), release=False)

    def release(self, reservation: BudgetReservation) -> Ended | None:
        """Give back everything: the call never ran. Otherwise as `settle`."""
        return self._end(reservation, (0,) * len(reservation.amounts), release=True)

    def charge(self, call_id: str, call: BudgetCall, used: Mapping[str, Decimal | int]) -> Ended | None:
        """Charge what was spent without a reservation, in the windows that run now; over the limit, too.

        Otherwise as `settle`. A unit that `used` does not tell of is charged nothing.
        """
        now = self._clock()
        plan = self._planner.plan(call, now)
        if not plan.legs:
            return None
        nothing = (0,) * len(plan.legs)
        reservation = BudgetReservation(call_id, plan, nothing, 0, 0, now)
        return self._end(reservation, plan.actuals(nothing, used), release=False)

    def extend(self, reservation: BudgetReservation, seconds: float | None = None) -> bool:
        """Let a call that still runs live longer, by `seconds` from this moment; False if it has ended or expired."""
        if self.outage.leave_alone():
            return False
        try:
            return self.store.extend(reservation.id, self._clock() + (seconds or self.expires_after_s))
        except BudgetStoreError as error:
            self._failed(error)
            return False

    def expire(self) -> tuple[Ended, ...]:
        """Charge reservations whose time is over, of any process. Done now and then by `reserve`, too."""
        return self._sweep(self._clock())

    def close(self) -> None:
        """Tell the store what it has yet to be told, as far as it answers, and let go of it."""
        try:
            while self.outage.owed:
                self._tidy(self._clock())
        except BudgetStoreError as error:
            _log.warning("%d settlements could not be told to the budget store.\n  %s", len(self.outage.owed), error)
        self.store.close()

    def _end(self, reservation: BudgetReservation, actuals: tuple[int, ...], *, release: bool) -> Ended | None:
        now = self._clock()
        if not reservation.counted:
            self.outage.give_back(reservation.plan, reservation.amounts, actuals)
        owed = Owed(reservation.id, reservation.plan.legs, actuals, release)
        if self.outage.failing and self.outage.leave_alone():
            self.outage.owe(owed)
            return None
        try:
            if self.outage.owed:
                self._tidy(now)
            ended = self.store.settle(reservation.id, reservation.plan.legs, actuals, now, release=release)
        except BudgetStoreError as error:
            self._failed(error)
            self.outage.owe(owed)
            return None
        if self.outage.failing:
            self.outage.end()
        if ended.crossings:
            self._give_alerts(ended.crossings, now)
        return ended

    # -- in between ----------------------------------------------------------------------------------------------------

    def _tidy(self, now: float) -> None:
        """Tell the store what it missed, and charge what expired."""
        for _ in range(min(_OWED_AT_ONCE, len(self.outage.owed))):
            try:
                owed = self.outage.owed.popleft()
            except IndexError:
                break  # another thread told it
            try:
                ended = self.store.settle(owed.id, owed.legs, owed.actuals, now, release=owed.release)
            except BudgetStoreError:
                self.outage.owed.appendleft(owed)
                raise
            except ReservationConflict as error:
                _log.warning("%s", error)
                continue
            self._give_alerts(ended.crossings, now)
        self.outage.told()
        if not self._swept <= now < self._swept + _SWEEP_EVERY_S:
            self._sweep(now)

    def _sweep(self, now: float) -> tuple[Ended, ...]:
        self._swept = now
        ended = self.store.expire_due(now)
        for each in ended:
            _log.info("reservation %s expired and was charged %s", each.id, each.charged)
            self._give_alerts(each.crossings, now)
        return ended

    def _give_alerts(self, crossings: Iterable[Crossing], now: float) -> None:
        for crossing in crossings:
            alert = alert_of(crossing, self._by_name, now)
            if alert is not None and self._alert is not None:
                with contained(_log, "a budget alert"):
                    self._alert(alert)

    def _failed(self, error: BudgetStoreError) -> None:
        """Leave the store alone for a moment."""
        if not self.outage.failing:
            _log.warning("the budget store does not answer; on_store_error of each budget applies.\n  %s", error)
        self.outage.begin(error)

    def _without_store(self, request: _Request, *, asked: bool) -> Admission:
        """Answer a call by `on_store_error` of its budgets.

        A store that was asked may have reserved all the same; if the call is refused, that is to be released.
        """
        admission = self._by_store_error(request)
        if asked and admission.reservation is None:
            self.outage.owe(Owed(request.id, request.plan.legs, (0,) * len(request.plan.legs), True))
        return admission

    def _by_store_error(self, request: _Request) -> Admission:
        plan, reason = request.plan, self.outage.reason
        closed = [
            place
            for place, budget in enumerate(plan.budgets)
            if budget.on_store_error is OnStoreError.FAIL_CLOSED and budget.hard
        ]
        if closed:
            return Admission(None, (say.store_refuses(plan, closed[0], reason), *request.warnings))
        exhausted = self.outage.exhausted(plan, request.amounts.reserved)
        if exhausted is not None:
            return Admission(None, (say.store_refuses(plan, exhausted, reason, used_up=True), *request.warnings))
        warnings = tuple(
            say.store_warns(plan, place, reason, local=budget.on_store_error is OnStoreError.LOCAL_ALLOWANCE)
            for place, budget in enumerate(plan.budgets)
        )
        amounts = request.amounts.reserved
        expires_at = request.now + self.expires_after_s
        reservation = BudgetReservation(request.id, plan, amounts, 0, 0, expires_at, counted=False)
        return Admission(reservation, (*request.warnings, *warnings))


def _unknown(plan: Plan, amounts: Amounts) -> tuple[Violation, ...]:
    """What is said to a call with no known amount, by each budget that has no flat amount for it."""
    found = [(place, plan.budgets[place].on_unpriced) for place in amounts.unknown]
    return tuple(
        say.unpriced(plan, place, blocks=choice is OnUnpriced.BLOCK)
        for place, choice in found
        if isinstance(choice, OnUnpriced)
    )
