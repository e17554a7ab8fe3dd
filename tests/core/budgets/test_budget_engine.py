"""The engine: which budgets a call falls under, what is reserved, what a refusal says, and what is settled."""

from __future__ import annotations

from decimal import Decimal

import pytest

from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget, BudgetMode, Estimator, OnStoreError, OnUnpriced, rate_limit
from genops.core.budgets.outage import worst_overspend
from genops.core.budgets.plans import BudgetCall
from genops.core.budgets.windows import Window, WindowKind
from genops.core.decision import Result
from genops.core.errors import BudgetBlocked, ConfigurationError, RateLimited, ReservationConflict
from genops.stores.budgets.memory import MemoryBudgetStore

SEARCH = {"team": "search", "customer_id": "acme"}
DAY = 86_400.0


class Clock:
    def __init__(self, now: float = 1_764_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def engine(clock: Clock, *budgets: Budget, **options: object) -> BudgetEngine:
    return BudgetEngine(budgets, MemoryBudgetStore(clock), **options)  # type: ignore[arg-type]


def usd(text: str, name: str = "team", **more: object) -> Budget:
    return Budget(name=name, limit=Decimal(text), **more)  # type: ignore[arg-type]


def call(cost: str | None = "0.01", **more: object) -> BudgetCall:
    values: dict[str, object] = {"attributes": SEARCH, "provider": "openai", "model": "gpt-4o", **more}
    return BudgetCall(cost=None if cost is None else Decimal(cost), **values)  # type: ignore[arg-type]


def code(admission) -> tuple[str, str]:
    (finding,) = admission.findings
    return finding.result.value, finding.reason_code


# -- matching ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "matched"),
    [
        ({}, True),
        ({"team": ("search",)}, True),
        ({"team": ("SEA*",)}, True),
        ({"team": ("ads", "search")}, True),
        ({"team": ("ads",)}, False),
        ({"team": ("search",), "model": ("gpt-*",)}, True),
        ({"team": ("search",), "model": ("claude*",)}, False),
        ({"provider": ("openai",), "operation": ("chat",)}, False),
        ({"feature": ("*",)}, False),
        ({"tag.tier": ("gold",)}, True),
    ],
)
def test_budget_is_about_the_calls_that_match(clock, match, matched):
    """All fields, any pattern, without case; a field the call does not have matches nothing."""
    found = engine(clock, usd("1", match=match)).reserve("a", call(attributes={**SEARCH, "tag.tier": "gold"}))

    assert matched is (found.reservation is not None)
    assert () == found.findings


def test_group_has_a_budget_of_its_own(clock):
    """One customer's spend leaves the others alone; calls without a customer share one."""
    one = engine(clock, usd("0.01", group_by=("customer_id",)))

    outcomes = [one.reserve(str(n), call(attributes={"customer_id": who})).refused for n, who in enumerate("aabb")]
    none = [one.reserve(f"n{n}", call(attributes={})).refused for n in range(2)]

    assert [False, True, False, True] == outcomes
    assert [False, True] == none


def test_any_number_of_budgets_is_all_or_nothing(clock):
    """A call that one level refuses is counted at no level."""
    one = engine(clock, usd("1", "org"), usd("0.5", "team"), usd("0.005", "customer"))

    assert one.reserve("a", call()).refused
    assert {"org": 1, "team": Decimal("0.5"), "customer": Decimal("0.005")} == one.remaining(call())


def test_call_outside_every_budget_is_not_counted(clock):
    """No reservation, and nothing to settle."""
    assert engine(clock, usd("1", match={"team": ("ads",)})).reserve("a", call()).reservation is None


# -- what is said ------------------------------------------------------------------------------------------------------


def test_reason_is_that_of_the_specification(clock):
    """Does not fit: BUDGET_RESERVATION_FAILED. Nothing remains: BUDGET_EXCEEDED."""
    one = engine(clock, usd("0.015"))
    first = one.reserve("a", call())
    does_not_fit = one.reserve("b", call())
    one.settle(first.reservation, {"USD": Decimal("0.015")})
    nothing_left = one.reserve("c", call())

    assert ("BLOCKED", "BUDGET_RESERVATION_FAILED") == code(does_not_fit)
    assert ("BLOCKED", "BUDGET_EXCEEDED") == code(nothing_left)
    with pytest.raises(
        BudgetBlocked, match=r"0\.005 USD of 0\.015 USD left until 2025-12-01T00:00:00Z; the call may take 0\.01"
    ) as caught:
        does_not_fit.raise_if_refused()
    assert ("team", "BUDGET_RESERVATION_FAILED") == (caught.value.rule, caught.value.reason_code)
    assert "raise limit of budget 'team' (code)" in str(caught.value.fix)


def test_soft_budget_warns_and_counts(clock):
    """The call goes on, with an extension code."""
    one = engine(clock, usd("0.015", mode=BudgetMode.SOFT))
    one.reserve("a", call())
    over = one.reserve("b", call())

    assert ("WARNING", "x_budget_soft_limit") == code(over)
    assert Decimal("-0.005") == over.reservation.remaining
    over.raise_if_refused()


def test_rate_limit_says_when_to_come_back(clock):
    """RATE_LIMITED, with the time until the window moves; then the call fits."""
    one = engine(clock, rate_limit("calls", 2, per_s=60, group_by=("team",)))
    answers = [one.reserve(str(n), call()) for n in range(3)]

    assert [False, False, True] == [answer.refused for answer in answers]
    assert (Result.RATE_LIMITED.value, "RATE_LIMITED") == code(answers[2])
    with pytest.raises(RateLimited) as caught:
        answers[2].raise_if_refused()
    assert 0 < caught.value.retry_after_s <= 5
    clock.now += 66
    assert not one.reserve("later", call()).refused


def test_calls_in_flight_are_limited(clock):
    """Two at a time: the third waits until one has ended."""
    one = engine(clock, rate_limit("in-flight", 2, "concurrent"))
    first, _, third = [one.reserve(str(n), call()) for n in range(3)]

    assert third.refused
    one.settle(first.reservation, {"USD": Decimal(1), "tokens": 5})
    assert not one.reserve("d", call()).refused


def test_same_input_and_state_give_the_same_outcome(clock):
    """Specification, invariant 2."""
    outcomes = []
    for _ in range(2):
        one = engine(clock, usd("0.025"))
        outcomes.append([one.reserve(str(n), call()).findings for n in range(4)])

    assert outcomes[0] == outcomes[1]


# -- units and estimates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "reserved", "settled"),
    [("USD", "0.01", "0.004"), ("tokens", "300", "120"), ("requests", "1", "1"), ("compute_seconds", "2.5", "1.25")],
)
def test_every_unit_is_reserved_and_settled(clock, unit, reserved, settled):
    """The same call counts in each unit's own terms."""
    one = engine(clock, usd("1000", unit=unit))
    what = call(input_tokens=100, output_tokens=200, compute_seconds=Decimal("2.5"))
    reservation = one.reserve("a", what).reservation
    one.settle(reservation, {"USD": Decimal("0.004"), "tokens": 120, "compute_seconds": Decimal("1.25")})

    assert Decimal(reserved) == reservation.amount
    assert Decimal(1000) - Decimal(settled) == one.remaining(what)["team"]


def test_unknown_actual_is_charged_as_reserved(clock):
    """Unknown is not zero."""
    one = engine(clock, usd("1"))
    one.settle(one.reserve("a", call("0.3")).reservation, {})

    assert Decimal("0.7") == one.remaining(call())["team"]


@pytest.mark.parametrize(
    ("choice", "answer", "left"),
    [
        (OnUnpriced.BLOCK, ("BLOCKED", "BUDGET_RESERVATION_FAILED"), "1"),
        (OnUnpriced.WARN, ("WARNING", "x_budget_unpriced"), "1"),
        (Decimal("0.25"), None, "0.75"),
    ],
)
def test_call_without_a_price(clock, choice, answer, left):
    """Refused, let through with a warning, or reserved at a flat amount."""
    one = engine(clock, usd("1", on_unpriced=choice))
    found = one.reserve("a", call(None))

    assert answer == (code(found) if found.findings else None)
    assert Decimal(left) == one.remaining(call())["team"]


def test_cost_in_another_currency_has_no_known_amount(clock):
    """Dollars are not euros."""
    found = engine(clock, usd("1", unit="EUR")).reserve("a", call())

    assert ("BLOCKED", "BUDGET_RESERVATION_FAILED") == code(found)
    assert "there is no EUR price for it" in found.findings[0].message


def test_adaptive_budget_reserves_what_such_calls_cost(clock):
    """More calls fit than the worst case would let in; a strict budget beside it takes the worst case."""
    one = engine(clock, usd("1", "adaptive", estimator=Estimator.ADAPTIVE), usd("1", "strict"))
    one.reserve("a", call("0.4", expected_cost=Decimal("0.1")))

    assert {"adaptive": Decimal("0.9"), "strict": Decimal("0.6")} == one.remaining(call())


def test_fit_lowers_the_output_limit_to_what_fits(clock):
    """0.01 for the input and 0.0001 per output token; 0.05 left makes 400 tokens."""
    one = engine(clock, usd("0.05", estimator=Estimator.FIT))
    what = call("0.11", input_cost=Decimal("0.01"), output_tokens=1000, reducible=True)

    assert 400 == one.fit(what)
    admission = one.reserve("a", what)

    assert (400, Decimal("0.05")) == (admission.max_output_tokens, admission.reservation.amount)
    assert 0 == one.remaining(what)["team"]


@pytest.mark.parametrize(
    "change",
    [{"reducible": False}, {"least_output_tokens": 401}, {"input_cost": Decimal("0.06")}, {"output_tokens": 0}],
)
def test_fit_refuses_what_cannot_be_made_to_fit(clock, change):
    """A request that may not be changed, too small an answer, an input that is too dear."""
    one = engine(clock, usd("0.05", estimator=Estimator.FIT))
    what = call("0.11", **{"input_cost": Decimal("0.01"), "output_tokens": 1000, "reducible": True, **change})

    assert one.reserve("a", what).refused
    assert Decimal("0.05") == one.remaining(what)["team"]


def test_strict_budget_is_not_made_to_fit(clock):
    """Only a budget that says so changes a request."""
    what = call("0.11", input_cost=Decimal("0.01"), output_tokens=1000, reducible=True)

    assert engine(clock, usd("0.05")).reserve("a", what).refused


# -- ends --------------------------------------------------------------------------------------------------------------


def test_settle_twice_is_one_settlement_and_another_actual_an_error(clock):
    """What was recorded first stays."""
    one = engine(clock, usd("1"))
    reservation = one.reserve("a", call()).reservation
    one.settle(reservation, {"USD": Decimal("0.004")})

    assert one.settle(reservation, {"USD": Decimal("0.004")}).repeated
    with pytest.raises(ReservationConflict):
        one.settle(reservation, {"USD": Decimal("0.005")})
    with pytest.raises(ReservationConflict):
        one.release(reservation)
    assert Decimal("0.996") == one.remaining(call())["team"]


def test_call_that_never_ran_costs_nothing(clock):
    """401, 429 and the like release in full."""
    one = engine(clock, usd("1"))
    one.release(one.reserve("a", call()).reservation)

    assert 1 == one.remaining(call())["team"]


def test_settles_into_the_window_that_was_reserved(clock):
    """A call over midnight belongs to the day it began."""
    one = engine(clock, usd("1", window=Window(kind=WindowKind.DAY)))
    reservation = one.reserve("a", call("0.4")).reservation
    clock.now += DAY
    one.settle(reservation, {"USD": Decimal("0.3")})

    assert 1 == one.remaining(call())["team"]
    clock.now -= DAY
    assert Decimal("0.7") == one.remaining(call())["team"]


def test_expired_reservation_does_not_pin_the_budget(clock):
    """What a strict budget charges is the reserved amount, what an adaptive one does is the input."""
    what = call("0.6", expected_cost=Decimal("0.6"), input_cost=Decimal("0.1"))
    one = engine(clock, usd("1", "strict"), usd("1", "adaptive", estimator=Estimator.ADAPTIVE), expires_after_s=60)
    lost = one.reserve("a", what).reservation
    clock.now += 61

    assert not one.reserve("b", call("0.4")).refused
    assert {"strict": 0, "adaptive": Decimal("0.5")} == one.remaining(what)
    assert one.settle(lost, {"USD": Decimal("0.2")}).late
    assert {"strict": Decimal("0.4"), "adaptive": Decimal("0.4")} == one.remaining(what)


def test_refused_call_gets_what_expired_reservations_held(clock):
    """No sweeper has to come by first."""
    one = engine(clock, usd("1", estimator=Estimator.ADAPTIVE), expires_after_s=0.5)
    one.reserve("a", call("0.9", input_cost=Decimal("0.1")))
    clock.now += 0.6

    assert not one.reserve("b", call("0.8")).refused


def test_clock_that_goes_back_does_not_stop_the_sweep(clock):
    """Expired reservations are charged by the new time, too."""
    one = engine(clock, usd("1"), expires_after_s=60)
    clock.now += DAY
    one.reserve("a", call("0.1"))
    clock.now -= DAY
    one.reserve("b", call("0.1"))
    clock.now += 61
    one.reserve("c", call("0.1"))

    (counter,) = one.store.counters("team")
    assert 100_000_000 == counter.spent


def test_heartbeat_keeps_a_long_stream(clock):
    """`extend` counts from now."""
    one = engine(clock, usd("1"), expires_after_s=60)
    reservation = one.reserve("a", call()).reservation
    clock.now += 50
    assert one.extend(reservation)
    clock.now += 50
    assert () == one.expire()


def test_changed_limit_keeps_the_spend(clock):
    """Raising a limit in mid-window does not start the window over."""
    first = engine(clock, usd("0.01"))
    first.settle(first.reserve("a", call()).reservation, {})
    second = BudgetEngine([usd("0.05")], first.store)

    assert Decimal("0.04") == second.remaining(call())["team"]


def test_clock_that_goes_back_uses_the_window_of_its_time(clock):
    """A skewed process does not count into tomorrow."""
    one = engine(clock, usd("1", window=Window(kind=WindowKind.DAY)))
    one.reserve("a", call("0.4"))
    clock.now -= DAY
    one.reserve("b", call("0.1"))

    assert Decimal("0.9") == one.remaining(call())["team"]


# -- alerts ------------------------------------------------------------------------------------------------------------


def test_alert_is_given_once_per_threshold_window_and_group(clock):
    """Over all thresholds passed; a new window starts over."""
    alerts = []
    budget = usd("1", group_by=("team",), window=Window(kind=WindowKind.DAY), thresholds=(50, 100))
    one = engine(clock, budget, alert=alerts.append)
    for name, cost in (("a", "0.4"), ("b", "0.2"), ("c", "0.1")):
        one.settle(one.reserve(name, call(cost)).reservation, {"USD": Decimal(cost)})
    clock.now += DAY
    one.settle(one.reserve("d", call("1")).reservation, {"USD": Decimal(1)})

    found = [(alert.threshold, alert.period, alert.consumed, dict(alert.group)) for alert in alerts]
    today, tomorrow = "2025-11-24", "2025-11-25"
    assert [
        (50, today, Decimal("0.6"), {"team": "search"}),
        (50, tomorrow, Decimal(1), {"team": "search"}),
        (100, tomorrow, Decimal(1), {"team": "search"}),
    ] == found
    assert "0.600000000" == alerts[0].as_dict()["consumed"]


def test_alert_sink_that_fails_is_contained(clock):
    """The application does not hear of it."""

    def broken(alert: object) -> None:
        raise RuntimeError("no network")

    one = engine(clock, usd("0.01"), alert=broken)

    assert one.settle(one.reserve("a", call()).reservation, {}) is not None


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"match": {"taem": ("x",)}}, "names the field 'taem'. Did you mean 'team'?"),
        ({"group_by": ("customer",)}, "names the field 'customer'. Did you mean 'customer_id'?"),
        ({"unit": "token"}, "has the unit 'token'. Did you mean 'tokens'?"),
        ({"thresholds": (0,)}, "has the thresholds"),
        ({"slice": Decimal(2)}, "has a slice of 2; its limit is 1"),
        ({"on_store_error": OnStoreError.LOCAL_ALLOWANCE}, "no slice"),
        ({"unit": "concurrent"}, "counts calls in flight"),
        ({"limit": Decimal(10_000_000)}, "more than one counter holds"),
        ({"name": " "}, "has no name"),
    ],
)
def test_impossible_budgets_are_refused(values, message):
    """With what to type."""
    with pytest.raises(ConfigurationError) as caught:
        Budget(**{"name": "team", "limit": Decimal(1), **values})
    assert message in str(caught.value)
    assert caught.value.fix


def test_two_budgets_of_one_name_are_refused(clock):
    """Their counters would be one."""
    with pytest.raises(ConfigurationError, match="is there already"):
        engine(clock, usd("1"), usd("2"))


def test_worst_overspend_is_the_sum_of_slices():
    """Printed at start."""
    budgets = [usd("10", "a", slice=Decimal("0.5")), usd("10", "b", slice=Decimal(1)), usd("10", "c")]

    assert {"USD": Decimal(6)} == worst_overspend(budgets, processes=4)
