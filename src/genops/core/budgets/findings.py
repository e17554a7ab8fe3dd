"""What budgets say to a call, in the words of a decision: refusals, warnings, and how to go on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from genops.core.budgets.plans import Plan
from genops.core.budgets.store import Refused
from genops.core.budgets.units import REQUESTS, amount_of
from genops.core.decision import Result, Violation
from genops.core.errors import BudgetBlocked, RateLimited

__all__ = [
    "BUDGET_EXCEEDED",
    "BUDGET_RESERVATION_FAILED",
    "LOCAL_ALLOWANCE",
    "RATE_LIMITED",
    "SOFT_LIMIT",
    "STORE_UNAVAILABLE",
    "UNPRICED",
    "refused",
    "soft_limit",
    "store_refuses",
    "store_warns",
    "unpriced",
]

BUDGET_EXCEEDED, BUDGET_RESERVATION_FAILED = "BUDGET_EXCEEDED", "BUDGET_RESERVATION_FAILED"
RATE_LIMITED = Result.RATE_LIMITED.value
# Extension codes: the closed set of the specification has none for what is let through.
SOFT_LIMIT = "x_budget_soft_limit"
UNPRICED = "x_budget_unpriced"
STORE_UNAVAILABLE = "x_budget_store_unavailable"
LOCAL_ALLOWANCE = "x_budget_local_allowance"


def refused(plan: Plan, answer: Refused, wanted: int) -> Violation:
    """The refusal of a call that a hard budget has no room for."""
    budget = plan.budgets[answer.place]
    remaining = answer.limit - answer.used
    until = _until(plan, answer.place)
    takes, left = _said(wanted, budget.unit), _said(max(0, remaining), budget.unit)
    found = f"{left} of {_amount(budget.limit)} {budget.unit} left{until}; the call may take {takes}"
    fix = f"raise limit of budget {budget.name!r} ({budget.source})"
    if budget.rate:
        wait = "" if answer.retry_after_s is None else f"wait {answer.retry_after_s:.1f} s and try again, or "
        return _violation(plan, answer.place, RATE_LIMITED, found, f"{wait}{fix}", result=Result.RATE_LIMITED)
    if remaining <= 0:
        return _violation(plan, answer.place, BUDGET_EXCEEDED, found, f"{fix}, or wait for its next window")
    lower = "" if budget.unit == REQUESTS else "lower the output limit (max_tokens), send less, or "
    return _violation(plan, answer.place, BUDGET_RESERVATION_FAILED, found, f"{lower}{fix}")


def soft_limit(plan: Plan, place: int) -> Violation:
    """The warning for a call that takes a soft budget past its limit."""
    budget = plan.budgets[place]
    found = f"its limit of {_amount(budget.limit)} {budget.unit}{_until(plan, place)} is passed"
    fix = f"raise limit of budget {budget.name!r} ({budget.source}), or spend less"
    return _violation(plan, place, SOFT_LIMIT, found, fix, result=Result.WARNING)


def unpriced(plan: Plan, place: int, *, blocks: bool) -> Violation:
    """What is said to a call whose amount nobody knows."""
    budget = plan.budgets[place]
    found = f"a call that may take nobody knows how much: there is no {budget.unit} price for it"
    fix = (
        "give the model a rate under custom_rates in genops.yaml, or set on_unpriced of budget "
        f"{budget.name!r} ({budget.source}) to warn or to a flat amount"
    )
    if blocks and budget.hard:
        return _violation(plan, place, BUDGET_RESERVATION_FAILED, found, fix)
    return _violation(plan, place, UNPRICED, found, fix, result=Result.WARNING)


def store_refuses(plan: Plan, place: int, reason: str, *, used_up: bool = False) -> Violation:
    """The refusal of a call while the store does not answer: fail_closed, or a local allowance that is used up."""
    budget = plan.budgets[place]
    found = f"a budget store that does not answer ({reason})"
    if used_up:
        found += f", and a local allowance of {_amount(budget.slice or Decimal(0))} {budget.unit} that is used up"
    fix = f"bring the store back, or change on_store_error of budget {budget.name!r} ({budget.source})"
    return _violation(plan, place, BUDGET_RESERVATION_FAILED, found, fix)


def store_warns(plan: Plan, place: int, reason: str, *, local: bool) -> Violation:
    """The warning for a call let through while the store does not answer."""
    budget = plan.budgets[place]
    how = "on the local allowance of this process" if local else "uncounted for now"
    found = f"a budget store that does not answer ({reason}); the call goes on {how}"
    code = LOCAL_ALLOWANCE if local else STORE_UNAVAILABLE
    fix = f"bring the store back; on_store_error of budget {budget.name!r} is set in {budget.source}"
    return _violation(plan, place, code, found, fix, result=Result.WARNING)


def _violation(
    plan: Plan, place: int, code: str, found: str, fix: str, *, result: Result = Result.BLOCKED
) -> Violation:
    budget = plan.budgets[place]
    group = ", ".join(f"{name}={value or '(none)'}" for name, value in plan.groups[place].items())
    what = "rate limit" if budget.rate else "budget"
    whose = f" for {group}" if group else ""
    verb = {Result.BLOCKED: "refuses the call", Result.RATE_LIMITED: "holds the call up"}.get(result, "warns")
    return Violation(
        rule=budget.name,
        reason_code=code,
        message=f"{what} {budget.name!r}{whose} {verb}: {found}",
        fix=fix,
        result=result,
        refusal=RateLimited if result is Result.RATE_LIMITED else BudgetBlocked,
    )


def _until(plan: Plan, place: int) -> str:
    end = plan.legs[place].end
    return "" if end is None else f" until {datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _said(counted: int, unit: str) -> str:
    return f"{_amount(amount_of(counted, unit))} {unit}"


def _amount(amount: Decimal) -> str:
    text = format(amount, ",f")
    return text.rstrip("0").rstrip(".") if "." in text else text
