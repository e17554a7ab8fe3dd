"""The audit of budget counters: what they should say according to the ledger, and where they say something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from genops.core.attribution_values import ATTRIBUTION_FIELDS
from genops.core.budgets.model import TAG, Budget, parse_key
from genops.core.budgets.plans import BudgetCall, Planner
from genops.core.budgets.store import Counter
from genops.core.budgets.units import REQUESTS, TOKENS, amount_of, as_counted, is_money
from genops.core.ledger import LedgerEntry, Outcome

__all__ = ["Drift", "auditable", "find_drift", "spent_by_ledger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A counter that differs from the ledger: what it says, and what the entries add up to."""

    key: str
    unit: str
    counted: int
    recorded: int

    @property
    def difference(self) -> Decimal:
        """What the counter has too much; below 0 what it lacks."""
        more = self.counted - self.recorded
        return amount_of(abs(more), self.unit).copy_sign(Decimal(more))


def auditable(budget: Budget) -> bool:
    """Whether ledger entries say what a call took of `budget`: they do of money, tokens and requests."""
    return budget.unit in (TOKENS, REQUESTS) or is_money(budget.unit)


def spent_by_ledger(entries: Iterable[LedgerEntry], budgets: Sequence[Budget]) -> dict[str, int]:
    """What the counter of each key should say, by the entries. Amounts are rounded as settlements are, one by one."""
    planner = Planner([budget for budget in budgets if auditable(budget)])
    found: dict[str, int] = {}
    for entry in entries:
        if not _ran(entry):
            continue
        plan = planner.plan(_call(entry), entry.started_at.timestamp())
        for leg in plan.legs:
            found[leg.key] = found.get(leg.key, 0) + as_counted(_used(entry, leg.unit), leg.unit)
    return found


def find_drift(
    recorded: Mapping[str, int], counters: Iterable[Counter], budgets: Sequence[Budget], since: float | None = None
) -> list[Drift]:
    """The counters of `budgets` that differ from what is `recorded`, by key.

    A counter whose window began before `since` is not judged: the ledger no longer has all of its entries.
    """
    known = {budget.name: budget for budget in budgets if auditable(budget)}
    counted = {counter.key: counter.spent for counter in counters}
    found = []
    for key in sorted({*recorded, *counted}):
        name, _, series, start = parse_key(key)
        budget = known.get(name)
        if budget is None or budget.window.series != series:
            continue
        if since is not None and start < since:
            continue
        says, should = counted.get(key, 0), recorded.get(key, 0)
        if says != should:
            found.append(Drift(key=key, unit=budget.unit, counted=says, recorded=should))
    return found


def _ran(entry: LedgerEntry) -> bool:
    """Whether the call was settled, and not refused by us or by the provider."""
    if entry.outcome is Outcome.BLOCKED:
        return False
    return entry.outcome is not Outcome.ERROR or bool(entry.usage) or bool(entry.cost)


def _call(entry: LedgerEntry) -> BudgetCall:
    attributes: dict[str, str | None] = {name: getattr(entry, name) for name in ATTRIBUTION_FIELDS}
    attributes |= {f"{TAG}{key}": value for key, value in entry.tags.items()}
    return BudgetCall(attributes, entry.provider, entry.request_model, entry.operation)


def _used(entry: LedgerEntry, unit: str) -> Decimal | int:
    """What a call used of `unit`; what was reserved for it where that is all anybody knows."""
    if unit == REQUESTS:
        return 1
    if unit == TOKENS and (entry.input_tokens is not None or entry.output_tokens is not None):
        return (entry.input_tokens or 0) + (entry.output_tokens or 0)
    if entry.cost is not None and entry.currency == unit:
        return entry.cost
    if entry.accounting_unit == unit:
        known = entry.actual if entry.actual is not None else entry.reserved
        return known if known is not None else Decimal(0)
    return Decimal(0)
