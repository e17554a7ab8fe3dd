"""Capture: run code under governance and look at the ledger entries and spans it leaves, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from genops.core.attribution import AttributionRules
from genops.core.budget import Account
from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget
from genops.core.ledger import LedgerEntry
from genops.core.policy import PolicySet
from genops.core.pricing import PriceBook
from genops.core.rates import Rates
from genops.core.runtime import RequestRedactor, RuleSource, Runtime, install_runtime
from genops.core.telemetry import Telemetry
from genops.providers._engine import registry
from genops.stores.budgets.memory import MemoryBudgetStore

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Captured", "capture"]


@dataclass(slots=True)
class Captured:
    """What governed calls left behind. `spans` are finished ones, in the order they ended."""

    entries: list[LedgerEntry] = field(default_factory=list)
    _spans: Any = None
    _logs: Any = None
    _metrics: Any = None

    def append(self, entry: LedgerEntry) -> None:
        """Take an entry: this object is a ledger sink."""
        self.entries.append(entry)

    @property
    def entry(self) -> LedgerEntry:
        """The one entry there is. Raises `AssertionError` if there is none, or more than one."""
        if len(self.entries) != 1:
            raise AssertionError(f"expected one ledger entry, found {len(self.entries)}: {self.entries}")
        return self.entries[0]

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return tuple(self._spans.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        """The one finished span there is. Raises `AssertionError` if there is none, or more than one."""
        if len(self.spans) != 1:
            raise AssertionError(f"expected one span, found {[span.name for span in self.spans]}")
        return self.spans[0]

    @property
    def logs(self) -> tuple[Any, ...]:
        """The log records of OpenTelemetry, each with its attributes."""
        return tuple(data.log_record for data in self._logs.get_finished_logs())

    def metrics(self) -> dict[str, list[Any]]:
        """The data points of every metric, by its name."""
        data = self._metrics.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found


@contextmanager
def capture(  # noqa: PLR0913  # a keyword for each thing that can be configured
    *,
    adapters: Iterable[str] = (),
    prices: Mapping[str, Any] | None = None,
    policies: PolicySet | None = None,
    rules: AttributionRules | None = None,
    sampled: bool = True,
    at: datetime | None = None,
    cardinality_limit: int = 2000,
    budgets: Iterable[Budget] = (),
    policy_rules: RuleSource | None = None,
    redactor: RequestRedactor | None = None,
) -> Iterator[Captured]:
    """Govern the calls made inside the block, with the adapters named, and collect what they leave.

    `prices` is what `genops.yaml` takes under `prices:`; `at` fixes the clock, for prices that change with time;
    `sampled=False` drops every span, as a sampler might; `cardinality_limit` bounds the series of the metrics;
    `budgets` are counted in memory; `policy_rules` are those of policy files, with `redactor` for what they redact.
    Needs the OpenTelemetry SDK. What was in force before is in force again afterwards.
    """
    captured = Captured()
    telemetry = _in_memory_telemetry(captured, sampled=sampled, cardinality_limit=cardinality_limit)
    limits = tuple(budgets)
    account = Account(BudgetEngine(limits, MemoryBudgetStore(), alert=telemetry.budget_alert)) if limits else None
    runtime = Runtime(
        book=PriceBook.default(Rates.parse(prices or {})),
        telemetry=telemetry,
        clock=(lambda: at) if at is not None else (lambda: datetime.now(UTC)),
        policies=policies or PolicySet(),
        rules=rules or AttributionRules(),
        sinks=(captured,),
        account=account,
        policy_rules=policy_rules,
        redactor=redactor,
    )
    names = list(adapters)
    previous = install_runtime(runtime)
    for name in names:
        registry.instrument(registry.adapter_named(name))
    try:
        yield captured
    finally:
        registry.uninstrument(names)
        install_runtime(previous)


def _in_memory_telemetry(captured: Captured, *, sampled: bool, cardinality_limit: int) -> Telemetry:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

    captured._spans = InMemorySpanExporter()
    captured._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # of OpenTelemetry
    captured._metrics = InMemoryMetricReader()
    tracers = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF, shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(captured._spans))
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(captured._logs))
    meters = MeterProvider([captured._metrics], shutdown_on_exit=False)
    return Telemetry(
        tracer_provider=tracers,
        meter_provider=meters,
        logger_provider=loggers,
        cardinality_limit=cardinality_limit,
    )
