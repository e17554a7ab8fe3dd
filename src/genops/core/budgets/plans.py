"""Plans: which counters a kind of call stands on, worked out once per attribution and window, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from genops.core.budgets.model import Budget, Estimator, Leg, counter_key, matches
from genops.core.budgets.units import CONCURRENT, REQUESTS, TOKENS, amount_of, as_counted, is_money
from genops.core.budgets.windows import Span

__all__ = ["Amounts", "BudgetCall", "Plan", "Planner", "reduced"]

_MOST_PLANS = 10_000  # about 10 MB; beyond it they are worked out anew
_CALL_FIELDS = ("provider", "model", "operation")
_FOREVER = float("inf")


class BudgetCall(NamedTuple):
    """A call as budgets see it: whose it is, and the most it can take.

    `attributes` has the attribution by field, and tags as `tag.<key>`. `cost` is the upper bound in `currency`, None if
    no price is known; `input_cost` is the part of it that does not depend on the output. The `expected_*` values are
    what such calls take as a rule; budgets with the adaptive estimator reserve those.
    """

    attributes: Mapping[str, str | None]
    provider: str | None = None
    model: str | None = None
    operation: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None
    currency: str = "USD"
    input_cost: Decimal | None = None
    expected_cost: Decimal | None = None
    expected_tokens: int | None = None
    compute_seconds: Decimal | None = None
    reducible: bool = False  # whether the output limit of the request may be lowered
    least_output_tokens: int = 1  # a lower limit than this is no use to the caller


class Amounts(NamedTuple):
    """What a call takes of each leg, what each is charged if the call is never heard of again, and what is not known.

    `unknown` are the places of legs for which the call has no known amount.
    """

    reserved: tuple[int, ...]
    on_expiry: tuple[int, ...]
    unknown: tuple[int, ...] = ()


class Plan:
    """The legs of one kind of call while none of its windows ends. Legs are in the order of the budgets."""

    __slots__ = ("_uniform", "budgets", "end", "groups", "legs", "spans", "start")

    def __init__(self, found: Sequence[tuple[Budget, Mapping[str, str], Span]]) -> None:
        self.budgets = tuple(budget for budget, _, _ in found)
        self.groups = tuple(group for _, group, _ in found)
        self.spans = tuple(span for _, _, span in found)
        self.legs = tuple(_leg(*each) for each in found)
        self.start = max((span.start for span in self.spans), default=0)
        self.end = min((span.end for span in self.spans if span.end is not None), default=_FOREVER)
        units = {budget.unit for budget in self.budgets}
        strict = all(budget.estimator is not Estimator.ADAPTIVE for budget in self.budgets)
        self._uniform = units.pop() if len(units) == 1 and strict else None

    def amounts(self, call: BudgetCall) -> Amounts:
        """Return what `call` takes of each leg. Raises `ConfigurationError` for an amount no counter holds."""
        unit, cost = self._uniform, call.cost
        if unit is not None and cost is not None and unit == call.currency:
            same = (as_counted(cost, unit),) * len(self.legs)
            return Amounts(same, same)
        reserved, on_expiry, unknown = [], [], []
        for place, budget in enumerate(self.budgets):
            most, expected, started = _measure(call, budget.unit)
            amount = expected if budget.estimator is Estimator.ADAPTIVE and expected is not None else most
            if amount is None:
                unknown.append(place)
                amount = budget.on_unpriced if isinstance(budget.on_unpriced, Decimal) else 0
            counted = as_counted(amount, budget.unit)
            reserved.append(counted)
            on_expiry.append(_lost(budget, counted, started))
        return Amounts(tuple(reserved), tuple(on_expiry), tuple(unknown))

    def actuals(self, reserved: Sequence[int], used: Mapping[str, Decimal | int]) -> tuple[int, ...]:
        """Return what each leg is charged for what a call `used` by unit; for a unit not told of, what is reserved."""
        if self._uniform is not None and self._uniform in used and self._uniform != CONCURRENT:
            return (as_counted(used[self._uniform], self._uniform),) * len(self.legs)
        charged = []
        for leg, amount in zip(self.legs, reserved, strict=True):
            known = used.get(leg.unit)
            if leg.unit == CONCURRENT:
                charged.append(0)
            else:
                charged.append(amount if known is None else as_counted(known, leg.unit))
        return tuple(charged)

    def fit(self, call: BudgetCall, left: Sequence[int]) -> int | None:
        """Return the most output tokens with which `call` takes at most `left` of each hard leg; None if none do."""
        if call.output_tokens <= 0:
            return None
        fitting = call.output_tokens
        for leg, available in zip(self.legs, left, strict=True):
            if leg.hard:
                found = _output_that_fits(call, leg.unit, available)
                if found is None:
                    return None
                fitting = min(fitting, found)
        return fitting if fitting >= max(1, call.least_output_tokens) else None


def _leg(budget: Budget, group: Mapping[str, str], span: Span) -> Leg:
    limit = as_counted(budget.limit, budget.unit)
    keys = [counter_key(budget.name, group, budget.window.series, start) for start in span.buckets]
    thresholds = tuple(-(-limit * percent // 100) for percent in budget.thresholds)
    leased = 0 if budget.slice is None else as_counted(budget.slice, budget.unit)
    return Leg(keys[0], budget.unit, limit, budget.hard, thresholds, tuple(keys[1:]), span.end, leased)


def _measure(call: BudgetCall, unit: str) -> tuple[Decimal | int | None, Decimal | int | None, Decimal | int | None]:
    """The most a call takes of `unit`, what it takes as a rule, and what it takes by being started; None if unknown."""
    if unit == TOKENS:
        return call.input_tokens + call.output_tokens, call.expected_tokens, call.input_tokens
    if unit == REQUESTS:
        return 1, None, 1
    if unit == CONCURRENT:
        return 1, None, 0
    if is_money(unit):
        return (call.cost, call.expected_cost, call.input_cost) if unit == call.currency else (None, None, None)
    return call.compute_seconds, None, None


def _lost(budget: Budget, reserved: int, started: Decimal | int | None) -> int:
    """What a leg is charged for a call that is never heard of again."""
    if budget.unit == CONCURRENT:
        return 0
    if budget.estimator is not Estimator.ADAPTIVE or started is None:
        return reserved
    return min(reserved, as_counted(started, budget.unit))


def _output_that_fits(call: BudgetCall, unit: str, available: int) -> int | None:
    most, _, fixed = _measure(call, unit)
    if most is None:
        return call.output_tokens
    whole, part = as_counted(most, unit), as_counted(fixed or 0, unit)
    if whole <= available:
        return call.output_tokens
    if part > available or unit in (REQUESTS, CONCURRENT) or whole <= part:
        return None
    return (available - part) * call.output_tokens // (whole - part)


def reduced(call: BudgetCall, output_tokens: int) -> BudgetCall:
    """Return `call` with a lower output limit, and its cost in proportion, rounded up."""
    if call.cost is None:
        return call._replace(output_tokens=output_tokens)
    whole = as_counted(call.cost, call.currency)
    part = as_counted(call.input_cost or 0, call.currency)
    cost = part - (-(whole - part) * output_tokens // call.output_tokens)
    return call._replace(output_tokens=output_tokens, cost=amount_of(cost, call.currency))


class Planner:
    """Finds the plan of a call. Plans are kept by what the budgets look at, until one of their windows ends."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets = budgets
        named = {field for budget in budgets for field in (*budget.match, *budget.group_by)}
        self._fields = tuple(sorted(named - set(_CALL_FIELDS)))
        self._asked = tuple(field for field in _CALL_FIELDS if field in named)
        self._plans: dict[tuple[str | None, ...], Plan] = {}

    def plan(self, call: BudgetCall, now: float) -> Plan:
        """The legs of `call` in the windows of the instant `now`."""
        get = call.attributes.get
        key = tuple([get(field) for field in self._fields])
        if self._asked:
            key += tuple([getattr(call, field) for field in self._asked])
        plan = self._plans.get(key)
        if plan is None or not plan.start <= now < plan.end:
            plan = self._make(call, now)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def _make(self, call: BudgetCall, now: float) -> Plan:
        def value_of(field: str) -> str | None:
            found = getattr(call, field) if field in _CALL_FIELDS else call.attributes.get(field)
            return found if found is None else str(found)

        return Plan(
            [
                (budget, _group(budget, value_of), budget.window.at(now))
                for budget in self._budgets
                if matches(budget.match, value_of)
            ]
        )


def _group(budget: Budget, value_of: Callable[[str], str | None]) -> dict[str, str]:
    """The values a budget is kept apart by; empty where a call has none, as no value is empty."""
    return {field: value_of(field) or "" for field in budget.group_by}
