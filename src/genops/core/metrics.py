"""Metrics: the counters and histograms of settled calls, with a bound on how many series they make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from genops import semconv as s
from genops._version import __version__
from genops.core._guarding import errors_by_type
from genops.core.budgets.forks import new_lock
from genops.core.ledger import LedgerEntry

if TYPE_CHECKING:
    from genops.core.plan import Ending

__all__ = ["Metrics"]

_DIMENSIONS = (
    (s.GENOPS_TEAM, "team"),
    (s.GENOPS_PROJECT, "project"),
    (s.GENOPS_ENVIRONMENT, "environment"),
    (s.GENOPS_CUSTOMER_ID, "customer_id"),
    (s.GENOPS_COST_CENTER, "cost_center"),
    (s.GENOPS_FEATURE, "feature"),
    (s.GEN_AI_PROVIDER_NAME, "provider"),
    (s.GEN_AI_REQUEST_MODEL, "request_model"),
    (s.GEN_AI_OPERATION_NAME, "operation"),
    (s.GENOPS_CALL_OUTCOME, "outcome"),
)
_FIELDS = tuple(field for _, field in _DIMENSIONS)


class Metrics:
    """The counters and histograms of settled calls."""

    def __init__(self, meter_provider: metrics.MeterProvider | None, cardinality_limit: int) -> None:
        meter = metrics.get_meter("genops", __version__, meter_provider)
        self._cost = meter.create_counter(s.METRIC_COST, unit="{currency}", description="Cost of settled calls.")
        self._tokens = meter.create_counter(s.METRIC_TOKENS, unit="{token}", description="Tokens of settled calls.")
        self._calls = meter.create_counter(s.METRIC_CALLS, unit="{call}", description="Governed calls, by outcome.")
        self._duration = meter.create_histogram(s.METRIC_CALL_DURATION, unit="s", description="Duration of calls.")
        self._first_chunk = meter.create_histogram(
            s.METRIC_CALL_TIME_TO_FIRST_CHUNK, unit="s", description="Time from request to the first streamed chunk."
        )
        self._alerts = meter.create_counter(
            s.METRIC_BUDGET_ALERTS, unit="{alert}", description="Thresholds of budgets that were passed."
        )
        meter.create_observable_counter(
            s.METRIC_SDK_ERRORS, [_observe_errors], unit="{error}", description="Faults of GenOps that were contained."
        )
        self._limit = cardinality_limit
        self._sets: dict[tuple[Any, ...], _AttributeSet] = {}
        self._overflow = _AttributeSet({"otel.metric.overflow": True})
        self._lock = new_lock()

    def record(self, entry: LedgerEntry, ending: Ending) -> None:
        dimensions = ending.dimensions
        if dimensions is None:
            dimensions = ending.dimensions = self._dimensions(entry)
        self._calls.add(1, dimensions.call)
        self._duration.record(entry.duration_ms / 1000, dimensions.call)
        if entry.time_to_first_chunk_ms is not None:
            self._first_chunk.record(entry.time_to_first_chunk_ms / 1000, dimensions.call)
        if entry.cost is not None:
            self._cost.add(float(entry.cost), dimensions.cost(entry.currency))
        if (tokens := entry.input_tokens) is not None:
            self._tokens.add(tokens, dimensions.input)
        if (tokens := entry.output_tokens) is not None:
            self._tokens.add(tokens, dimensions.output)

    def count_alert(self, budget: str, threshold: int) -> None:
        self._alerts.add(1, {s.GENOPS_BUDGET_NAME: budget, s.GENOPS_BUDGET_THRESHOLD: threshold})

    def _dimensions(self, entry: LedgerEntry) -> _AttributeSet:
        key = tuple(str(value) if value is not None else None for value in map(entry.__getattribute__, _FIELDS))
        found = self._sets.get(key)
        if found is not None:
            return found
        with self._lock:
            if len(self._sets) >= self._limit:
                return self._overflow
            names = [name for name, _ in _DIMENSIONS]
            made = _AttributeSet({name: value for name, value in zip(names, key, strict=True) if value is not None})
            return self._sets.setdefault(key, made)


def _observe_errors(options: CallbackOptions) -> Iterable[Observation]:
    for name, count in errors_by_type().items():
        yield Observation(count, {s.ERROR_TYPE: name})


class _AttributeSet:
    """The attributes of one combination of dimensions, made once."""

    __slots__ = ("_costs", "call", "input", "output")

    def __init__(self, call: dict[str, Any]) -> None:
        self.call = call
        self.input = call | {s.GENOPS_TOKEN_TYPE: "input"}
        self.output = call | {s.GENOPS_TOKEN_TYPE: "output"}
        self._costs: dict[str, dict[str, Any]] = {}

    def cost(self, currency: str) -> dict[str, Any]:
        found = self._costs.get(currency)
        if found is None:
            found = self._costs[currency] = self.call | {s.GENOPS_COST_CURRENCY: currency}
        return found
