"""Telemetry: bounded series, faults that are counted, and an application without OpenTelemetry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

import genops
from genops import semconv as s
from genops.core._guarding import never_raises
from genops.core.ledger import LedgerEntry
from genops.core.telemetry import Telemetry
from genops.testing.capture import Captured, capture


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


def spend(amount: str = "0.25", **more: str) -> LedgerEntry:
    entry = genops.track_cost(amount, provider="acme", model="m", **more)
    assert entry is not None
    return entry


def test_metrics_agree_with_the_ledger(captured: Captured) -> None:
    """Calls and cost, by attribution."""
    for team in ("a", "a", "b"):
        spend("0.25", team=team)
    points = captured.metrics()

    assert {"a": 2, "b": 1} == {point.attributes[s.GENOPS_TEAM]: point.value for point in points[s.METRIC_CALLS]}
    assert 0.75 == sum(point.value for point in points[s.METRIC_COST])


def test_series_over_the_limit_are_counted_together() -> None:
    """A customer id per request does not fill the backend; no call is missing from the sum."""
    with capture(cardinality_limit=3) as captured:
        for number in range(10):
            spend(customer_id=f"customer-{number}")
    calls = captured.metrics()[s.METRIC_CALLS]

    assert (4, 10) == (len(calls), sum(point.value for point in calls))
    assert 7 == next(point.value for point in calls if point.attributes == {"otel.metric.overflow": True})


def test_fault_of_ours_is_contained_and_counted(captured: Captured) -> None:
    """The application goes on, and a dashboard can see that something was wrong."""

    @never_raises
    def broken() -> int:
        return 1 // 0

    assert broken() is None
    counted = {point.attributes[s.ERROR_TYPE]: point.value for point in captured.metrics()[s.METRIC_SDK_ERRORS]}
    assert 1 <= counted["ZeroDivisionError"]


def test_log_record_says_what_the_entry_says(captured: Captured) -> None:
    """One `genops.usage.recorded` per settled call, with the ids of its span."""
    with genops.track("block", team="support", tags={"tier": "gold"}):
        entry = spend("0.10")
    (record,) = captured.logs

    assert (s.EVENT_USAGE_RECORDED, entry.span_id) == (record.event_name, format(record.span_id, "016x"))
    assert (entry.call_id, "0.10", "gold") == (
        record.attributes[s.LEDGER_ATTRIBUTES["call_id"]],
        record.attributes[s.LEDGER_ATTRIBUTES["cost"]],
        record.attributes[f"{s.LEDGER_ATTRIBUTES['tags']}.tier"],
    )


@pytest.mark.parametrize("amount", ["0.000000000001", "12345.678", "0"])
def test_line_of_the_journal_is_the_entry(amount: str, captured: Captured) -> None:
    """The quick way to write an entry says what the plain one says, and both are read back as it."""
    entry = spend(amount, team="support", feature='a "quoted" näme')
    line = json.loads(entry.to_json())

    assert entry.to_dict() == line
    assert (entry, Decimal(amount)) == (LedgerEntry.from_dict(line), LedgerEntry.from_dict(line).cost)


def test_calls_are_governed_without_an_sdk() -> None:
    """With the OpenTelemetry API alone there are no spans, and the same entries."""
    bare = Telemetry(with_metrics=False, with_logs=False)
    with capture() as captured:
        from genops.core.runtime import current_runtime

        runtime = current_runtime()
        assert runtime is not None
        runtime.telemetry = bare
        entry = spend()

    assert (None, None, Decimal("0.25")) == (entry.trace_id, entry.span_id, entry.cost)
    assert () == captured.spans
