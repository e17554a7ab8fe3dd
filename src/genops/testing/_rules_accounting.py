"""Conformance rules on accounting: reserve, execute, reconcile, in this order and with figures that agree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from genops import semconv as s
from genops.testing._rule import Found, Rule, carriers, per_span, quoted, result_of, was_executed
from genops.testing._spans import Event, Span

__all__ = ["RULES"]

_RESERVATION = (s.GENOPS_ACCOUNTING_RESERVED, s.GENOPS_ACCOUNTING_UNIT)
_OUTCOME = (s.GENOPS_ACCOUNTING_ACTUAL, s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA)
_FIGURES = (s.GENOPS_ACCOUNTING_RESERVED, s.GENOPS_ACCOUNTING_UNIT, s.GENOPS_ACCOUNTING_ACTUAL)
_FLAG = "ACCOUNTING_INVARIANT_VIOLATION"
# The difference of two doubles, each the nearest to an exact amount, is off by at most two units in the last place of
# the larger; 4 leaves room for a delta that is itself rounded.
_TOLERANCE = 4 * 2.0**-52


def _reserved(span: Span) -> Found:
    if not (was_executed(span) or span.events_named(s.EVENT_BUDGET_RESERVATION)):
        return
    for name in _RESERVATION:
        if name not in span.attributes:
            yield f"no {name}", f"{name}, as a reservation comes before execution"


def _reservation_recorded(span: Span) -> Found:
    reached = was_executed(span) or s.GENOPS_ACCOUNTING_RESERVED in span.attributes
    if reached and not span.events_named(s.EVENT_BUDGET_RESERVATION):
        yield f"no event {s.EVENT_BUDGET_RESERVATION}", "the reservation as an event"


def _actual(span: Span) -> Found:
    if was_executed(span) and not _flagged(span) and s.GENOPS_ACCOUNTING_ACTUAL not in span.attributes:
        yield f"no {s.GENOPS_ACCOUNTING_ACTUAL}", f"what was used, or the reason code {_FLAG} if that is unknown"


def _reconciled(span: Span) -> Found:
    if was_executed(span) and not _flagged(span) and not span.events_named(s.EVENT_BUDGET_RECONCILIATION):
        yield f"no event {s.EVENT_BUDGET_RECONCILIATION}", "the reconciliation as an event"


def _flagged(span: Span) -> bool:
    """Whether the runtime says of itself that the actual is unknown."""
    return span.attributes.get(s.GENOPS_POLICY_REASON_CODE) == _FLAG


def _not_executed(span: Span) -> Found:
    if result_of(span) != "BLOCKED":
        return
    for name in _OUTCOME:
        if name in span.attributes:
            yield quoted(span.attributes, name), "none, as a blocked unit is not executed"
    if span.events_named(s.EVENT_BUDGET_RECONCILIATION):
        yield f"event {s.EVENT_BUDGET_RECONCILIATION}", "none, as a blocked unit is not executed"


def _ordered(span: Span) -> Found:
    """Nothing of a later phase is recorded before something of an earlier one."""
    phases = (s.EVENT_POLICY_EVALUATED, s.EVENT_BUDGET_RESERVATION, s.EVENT_BUDGET_RECONCILIATION)
    recorded = [(name, span.events_named(name)) for name in phases]
    present = [(name, events) for name, events in recorded if events]
    for (earlier, before), (later, after) in pairwise(present):
        end, begin = max(event.time_ns for event in before), min(event.time_ns for event in after)
        if end > begin:
            yield f"event {later} {end - begin} ns before {earlier}", f"{earlier} first"
    for name, events in recorded[:2]:
        late = max((event.time_ns - span.end_ns for event in events), default=0)
        if span.end_ns and late > 0:
            yield f"event {name} {late} ns after the end of the span", "it before execution"


def _difference(span: Span) -> Found:
    for where, attributes in carriers(span):
        actual, reserved = attributes.get(s.GENOPS_ACCOUNTING_ACTUAL), attributes.get(s.GENOPS_ACCOUNTING_RESERVED)
        delta = attributes.get(s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA)
        if not (isinstance(actual, float) and isinstance(reserved, float) and isinstance(delta, float)):
            continue
        tolerance = _TOLERANCE * max(abs(actual), abs(reserved))
        if not abs(delta - (actual - reserved)) <= tolerance:
            yield f"{where}{quoted(attributes, *_OUTCOME, *_RESERVATION[:1])}", f"a delta of {actual - reserved!r}"


def _agreeing(span: Span) -> Found:
    """With several budgets there is an event per budget; the span states the figures of one of them."""
    reservations = span.events_named(s.EVENT_BUDGET_RESERVATION)
    reconciliations = span.events_named(s.EVENT_BUDGET_RECONCILIATION)
    for event in reconciliations:
        if reservations and not any(_agree(event.attributes, other.attributes) for other in reservations):
            yield f"event {event.name}: {quoted(event.attributes, *_RESERVATION)}", "what was reserved"
    for events in (reservations, reconciliations):
        if events and not any(_agree(event.attributes, span.attributes) for event in events):
            found = f"event {events[0].name}: {quoted(events[0].attributes, *_stated(events[0]))}"
            yield found, f"{quoted(span.attributes, *_stated(events[0]))}, as on the span"


def _stated(event: Event) -> tuple[str, ...]:
    return tuple(name for name in _FIGURES if name in event.attributes)


def _agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in _FIGURES if name in one and name in other)


def _unchanging(span: Span) -> Found:
    for kind in (s.EVENT_BUDGET_RESERVATION, s.EVENT_BUDGET_RECONCILIATION):
        first: dict[Any, Event] = {}
        for event in span.events_named(kind):
            budget = event.attributes.get(s.GENOPS_BUDGET_NAME)
            earlier = first.setdefault(budget, event)
            if not _agree(earlier.attributes, event.attributes):
                found = f"event {kind}: {quoted(event.attributes, *_stated(event))}"
                yield found, f"{quoted(earlier.attributes, *_stated(event))}, as recorded before"


RULES = (
    Rule("ACC001", "A reservation states amount and unit.", per_span(_reserved), full_only=True),
    Rule("ACC002", "A reservation is recorded as an event.", per_span(_reservation_recorded), full_only=True),
    Rule("ACC003", "Executed work states what it used, or is flagged.", per_span(_actual), full_only=True),
    Rule("ACC004", "Executed work is reconciled in an event, or is flagged.", per_span(_reconciled), full_only=True),
    Rule("ACC005", "A blocked unit has no actual and no reconciliation.", per_span(_not_executed)),
    Rule("ACC006", "Decision, reservation and reconciliation are recorded in this order.", per_span(_ordered)),
    Rule("ACC007", "The reconciliation delta is actual less reserved.", per_span(_difference)),
    Rule("ACC008", "Events and span state the same amounts in the same unit.", per_span(_agreeing)),
    Rule("ACC009", "A reservation or reconciliation, once recorded, never changes.", per_span(_unchanging)),
)
