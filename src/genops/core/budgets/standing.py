"""Where budgets stand: what is spent, reserved and left in the window that runs now, and where that is heading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from genops.core.budgets.alerts import Projection, project
from genops.core.budgets.model import Budget, parse_key
from genops.core.budgets.store import BudgetStore, Counter
from genops.core.budgets.units import amount_of, as_counted
from genops.core.budgets.windows import Span

__all__ = ["Standing", "standings"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One counter of the window that runs now. `spent`, `reserved` and `limit` are counted units."""

    budget: Budget
    group: dict[str, str]
    span: Span
    spent: int
    reserved: int

    @property
    def limit(self) -> int:
        return as_counted(self.budget.limit, self.budget.unit)

    @property
    def used(self) -> Decimal:
        return amount_of(self.spent + self.reserved, self.budget.unit)

    @property
    def left(self) -> Decimal:
        return self.budget.limit - self.used

    def heading(self, now: float) -> Projection | None:
        """Where the spend leads at the pace of this window so far; None where no window says what the pace is."""
        elapsed = Decimal(now - self.span.buckets[-1])
        if self.span.end is None or elapsed <= 0 or self.budget.rate:
            return None
        spent = amount_of(self.spent, self.budget.unit)
        return project(spent, self.budget.limit, spent / elapsed * 3600, now, self.span.end)


def standings(budgets: Iterable[Budget], store: BudgetStore) -> Iterator[Standing]:
    """The counters of the windows that run now; one of zeros for a budget that nothing was counted in.

    Raises `BudgetStoreError` when the store does not answer.
    """
    now = store.clock()
    for budget in budgets:
        span = budget.window.at(now)
        found: dict[tuple[tuple[str, str], ...], list[Counter]] = {}
        for counter in store.counters(budget.name):
            _, group, series, start = parse_key(counter.key)
            if series == budget.window.series and start in span.buckets:
                found.setdefault(tuple(group.items()), []).append(counter)
        if not found and not budget.group_by:
            found[()] = []
        for group_items, counters in sorted(found.items()):
            spent, reserved = sum(each.spent for each in counters), sum(each.reserved for each in counters)
            yield Standing(budget, dict(group_items), span, spent, reserved)
