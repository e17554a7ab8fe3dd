"""Cost contexts: what the calls made inside a block cost together.

One structure for every provider, chain and workflow: `FrameworkCostSummary`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType

from genops.core.budgets.forks import new_lock
from genops.core.ledger import LedgerEntry, Outcome

__all__ = ["CostContext", "FrameworkCostSummary", "open_contexts"]

_OPEN: ContextVar[tuple[CostContext, ...]] = ContextVar("genops.cost_contexts", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkCostSummary:
    """What a set of calls cost.

    Amounts are exact decimals in `currency`. `unpriced_calls` have no known price and are in no amount, so a total is
    complete only when it is 0. `total_time` is the wall time of the block in seconds.
    """

    total_cost: Decimal = Decimal(0)
    currency: str = "USD"
    cost_by_provider: Mapping[str, Decimal] = field(default_factory=dict)
    cost_by_model: Mapping[str, Decimal] = field(default_factory=dict)
    unique_providers: frozenset[str] = frozenset()
    total_time: float = 0.0
    governance_attributes: Mapping[str, str] = field(default_factory=dict)
    calls: int = 0
    unpriced_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class CostContext:
    """Collects the ledger entries of calls started inside a `with` or `async with` block.

    Threads started by `genops.propagate` and tasks count, too. A context may be read at any time.
    """

    def __init__(self, name: str, governance_attributes: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._governance = dict(governance_attributes or {})
        self._entries: list[LedgerEntry] = []
        self._lock = new_lock()
        self._started = time.perf_counter()
        self._ended: float | None = None
        self._token: Token[tuple[CostContext, ...]] | None = None

    def __enter__(self) -> CostContext:
        self._started, self._ended = time.perf_counter(), None
        self._token = _OPEN.set((*_OPEN.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = time.perf_counter()
        _OPEN.set(tuple(context for context in _OPEN.get() if context is not self))

    async def __aenter__(self) -> CostContext:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def add(self, entry: LedgerEntry) -> None:
        """Count one settled call; entries of blocked calls are ignored."""
        if entry.outcome is not Outcome.BLOCKED:
            with self._lock:
                self._entries.append(entry)

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """The settled calls so far, in the order they settled."""
        with self._lock:
            return tuple(self._entries)

    def get_current_summary(self) -> FrameworkCostSummary:
        """Return what was spent so far."""
        return _summarise(self.entries, self._elapsed(), self._governance)

    def get_final_summary(self) -> FrameworkCostSummary:
        """Return what the block cost; call it after the block, or read it as what was spent so far."""
        return self.get_current_summary()

    def _elapsed(self) -> float:
        return (time.perf_counter() if self._ended is None else self._ended) - self._started


def open_contexts() -> tuple[CostContext, ...]:
    """The cost contexts around the running code, outermost first."""
    return _OPEN.get()


def _summarise(
    entries: tuple[LedgerEntry, ...], elapsed_s: float, governance: Mapping[str, str]
) -> FrameworkCostSummary:
    by_provider: dict[str, Decimal] = {}
    by_model: dict[str, Decimal] = {}
    for entry in entries:
        amount = entry.cost or Decimal(0)
        model = entry.response_model or entry.request_model or entry.operation
        by_provider[entry.provider] = by_provider.get(entry.provider, Decimal(0)) + amount
        by_model[model] = by_model.get(model, Decimal(0)) + amount
    return FrameworkCostSummary(
        total_cost=sum(by_provider.values(), Decimal(0)),
        cost_by_provider=by_provider,
        cost_by_model=by_model,
        unique_providers=frozenset(by_provider),
        total_time=elapsed_s,
        governance_attributes=governance,
        calls=len(entries),
        unpriced_calls=sum(entry.cost is None for entry in entries),
        input_tokens=sum(entry.input_tokens or 0 for entry in entries),
        output_tokens=sum(entry.output_tokens or 0 for entry in entries),
    )
