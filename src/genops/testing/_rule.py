"""What a conformance rule is, and how a function becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genops import semconv as s
from genops.testing._spans import Event, Span

__all__ = ["Check", "Finding", "Found", "Rule", "carriers", "per_span", "quoted", "result_of", "was_executed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a rule is broken; `span` is None if it is the telemetry as a whole that breaks it."""

    span: Span | None
    found: str
    expected: str


Check = Callable[[Sequence[Span]], Iterator[Finding]]
Found = Iterator[tuple[str, str]]  # what was found, what was expected


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the specification. `full_only` ones demand the accounting that *partial* leaves out."""

    id: str
    text: str
    check: Check
    full_only: bool = False


def per_span(check: Callable[[Span], Found]) -> Check:
    """Make a check of one span a check of all."""

    def of_all(spans: Sequence[Span]) -> Iterator[Finding]:
        for span in spans:
            for found, expected in check(span):
                yield Finding(span, found, expected)

    return of_all


def carriers(span: Span) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The span and its governance events, each as a prefix for messages and its attributes."""
    yield "", span.attributes
    for event in span.events:
        if event.name.startswith(f"{s.NAMESPACE}."):
            yield f"event {event.name}: ", event.attributes


def quoted(attributes: Mapping[str, Any], *names: str) -> str:
    """The attributes as `name=value`; one that is absent is said to be absent."""
    return ", ".join(f"{name}={attributes[name]!r}" if name in attributes else f"no {name}" for name in names)


def result_of(span: Span) -> Any:
    """The decision: the span's own, else that of its first decision event."""
    decisions: tuple[Event, ...] = span.events_named(s.EVENT_POLICY_EVALUATED)
    stated = span.attributes.get(s.GENOPS_POLICY_RESULT)
    return decisions[0].attributes.get(s.GENOPS_POLICY_RESULT) if stated is None and decisions else stated


def was_executed(span: Span) -> bool:
    """Whether the work was done. Allowed work was; rate-limited work was, if it left an actual."""
    result = result_of(span)
    if result in ("ALLOWED", "WARNING"):
        return True
    accounted = s.GENOPS_ACCOUNTING_ACTUAL in span.attributes or span.events_named(s.EVENT_BUDGET_RECONCILIATION)
    return result != "BLOCKED" and bool(accounted)
