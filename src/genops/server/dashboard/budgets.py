"""Budgets: how full each is, how fast it fills, and when it will be at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from genops.core.budgets.alerts import Projection
from genops.core.budgets.model import BudgetMode
from genops.core.budgets.standing import Standing, standings
from genops.core.budgets.units import amount_of
from genops.core.errors import BudgetStoreError, ConfigurationError, NotInstalled
from genops.server.dashboard.figures import fraction
from genops.server.dashboard.view import View
from genops.stores.budgets import open_budget_store

__all__ = ["Gauge", "budgets", "gauges"]

_PATIENCE_S = 2.0
_REFUSED = ("BLOCKED", "RATE_LIMITED")
_MOST = 60  # gauges on the page: a budget with a group for each customer has many


@dataclass(frozen=True, slots=True)
class Gauge:
    """One budget, or one group of it, as drawn. Shares are of the limit, from 0 to 1; `full` may be above it."""

    standing: Standing
    heading: Projection | None
    full: float
    spent: float
    held: float
    pace: float | None  # how much of the window is over
    hue: str
    state: str
    anchor: bool = False  # the first of its budget: where links to the budget lead

    @property
    def amounts(self) -> dict[str, Decimal]:
        unit = self.standing.budget.unit
        return {"spent": amount_of(self.standing.spent, unit), "reserved": amount_of(self.standing.reserved, unit)}


def budgets(view: View) -> dict[str, Any]:
    """The gauges, the fullest first, and what each budget refused in the selected period."""
    found = view.state.settings.budgets
    spent = _spent(view)
    if not found.budgets:
        return {"gauges": [], "limits": [], "trouble": None, "spent": spent, "hidden": 0}
    url = found.store or f"sqlite:{view.state.directory / 'budgets.db'}"
    try:
        store = open_budget_store(url, namespace=found.namespace, timeout_s=_PATIENCE_S)
        try:
            now = store.clock()
            drawn = gauges([each for each in found.budgets if not each.rate], store, now)
        finally:
            store.close()
    except (BudgetStoreError, ConfigurationError, NotInstalled) as error:
        return {"gauges": [], "limits": [], "trouble": str(error), "spent": spent, "hidden": 0}
    return {
        "gauges": drawn[:_MOST],
        "hidden": max(0, len(drawn) - _MOST),
        "limits": [each for each in found.budgets if each.rate],
        "trouble": None,
        "spent": spent,
    }


def _spent(view: View) -> dict[str, dict[str, Any]]:
    """What calls under each budget cost, and how many it refused: those name it as the rule that decided."""
    rows = view.rows("budgets_spent")
    found = {row["budget_name"]: row | {"blocked": 0} for row in rows if row["budget_name"] is not None}
    names = {budget.name for budget in view.state.settings.budgets.budgets}
    for row in view.rows("decisions_by_rule"):
        name = row["policy_name"]
        if row["result"] not in _REFUSED or not (name in names or name in found):
            continue
        nothing = {"budget_name": name, "calls": 0, "blocked": 0, "cost": Decimal(0), "last_at": row["last_at"]}
        budget = found.setdefault(name, nothing)
        budget["blocked"] += row["calls"]
        budget["last_at"] = max(budget["last_at"], row["last_at"])
    return found


def gauges(chosen: Any, store: Any, now: float) -> list[Gauge]:
    """Every counter of the running windows as a gauge, the fullest first."""
    drawn = [_gauge(each, now) for each in standings(chosen, store)]
    drawn.sort(key=lambda each: (-each.full, each.standing.budget.name))
    seen: set[str] = set()
    for place, each in enumerate(drawn):
        name = each.standing.budget.name
        drawn[place] = replace(each, anchor=name not in seen)
        seen.add(name)
    return drawn


def _gauge(standing: Standing, now: float) -> Gauge:
    budget, heading = standing.budget, standing.heading(now)
    spent, held = fraction(standing.spent, standing.limit), fraction(standing.reserved, standing.limit)
    full = (standing.spent + standing.reserved) / standing.limit if standing.limit else 1.0
    span = standing.span
    pace = None
    if span.end is not None and heading is not None:
        start = span.buckets[-1]
        pace = fraction(now - start, span.end - start)
    ends = heading is not None and heading.exhausted_at is not None
    if full >= 1:
        hue, state = "s-bad", "used up" if budget.mode is BudgetMode.HARD else "over its limit"
    elif ends:
        hue, state = "s-warn", "will not last"
    elif full * 100 >= max((each for each in budget.thresholds if each < 100), default=100):
        hue, state = "s-warn", "nearly used up"
    else:
        hue, state = "s1", "in order"
    return Gauge(standing, heading, full, spent, min(held, 1 - spent), pace, hue, state)
