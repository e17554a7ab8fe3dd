"""Conformance rules on the AI Workload Unit itself: what it must say of itself, in which form."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from genops import semconv as s
from genops.core.attribution_values import is_placeholder
from genops.testing._currencies import CURRENCIES
from genops.testing._registry import ATTRIBUTE_TYPES, EVENT_REQUIRED, REQUIRED
from genops.testing._rule import Finding, Found, Rule, carriers, per_span, quoted
from genops.testing._spans import Span

__all__ = ["RULES"]

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_CHECKED_VERSIONS = s.SPEC_VERSION.rpartition(".")[0] + "."
_IDENTITIES = ((32, "trace id"), (16, "span id"))
_MEANINGFUL = frozenset(
    {s.GENOPS_TEAM, s.GENOPS_PROJECT, s.GENOPS_ENVIRONMENT, s.GENOPS_OPERATION_NAME, s.GENOPS_OPERATION_TYPE}
    | {s.GENOPS_ACCOUNTING_UNIT}
)
_ATTRIBUTION = (
    *(s.GENOPS_TEAM, s.GENOPS_PROJECT, s.GENOPS_ENVIRONMENT, s.GENOPS_CUSTOMER_ID, s.GENOPS_FEATURE),
    *(s.GENOPS_SESSION_ID, s.GENOPS_COST_CENTER),
)
_NOT_NEGATIVE = (
    *(s.GENOPS_COST_TOTAL, s.GENOPS_COST_LIST, s.GENOPS_ACCOUNTING_RESERVED, s.GENOPS_ACCOUNTING_ACTUAL),
    *(s.GENOPS_BUDGET_ALLOCATED, s.GENOPS_BUDGET_CONSUMED),
    *(s.GENOPS_TOKENS_INPUT, s.GENOPS_TOKENS_OUTPUT, s.GENOPS_TOKENS_TOTAL),
)
_SLA = (s.GENOPS_SLA_TIER, s.GENOPS_SLA_LATENCY_TARGET_MS, s.GENOPS_SLA_ACTUAL_LATENCY_MS, s.GENOPS_SLA_MET)
_PYTHON_TYPES: dict[str, type] = {"string": str, "int": int, "double": float, "boolean": bool}


def _something_governed(spans: Sequence[Span]) -> Iterator[Finding]:
    if not spans:
        yield Finding(None, "no governed spans found", f"at least one span with {s.GENOPS_SPEC_VERSION}")


def _required(span: Span) -> Found:
    for name in REQUIRED:
        if name not in span.attributes:
            yield f"no {name}", f"{name} on every unit"


def _meaningful(span: Span) -> Found:
    for where, attributes in carriers(span):
        for name, value in attributes.items():
            if not name.startswith(f"{s.NAMESPACE}."):
                continue
            if value is None or (isinstance(value, str) and not value.strip()):
                yield f"{where}{name}={value!r}", "a value, or no attribute"
            elif name in _MEANINGFUL and isinstance(value, str) and is_placeholder(value):
                yield f"{where}{name}={value!r}", "what it is, not a placeholder"


def _types(span: Span) -> Found:
    for where, attributes in carriers(span):
        for name, value in attributes.items():
            expected = _type_expected(name)
            if expected is not None and value is not None and not _has_type(value, expected):
                yield f"{where}{name}={value!r} ({type(value).__name__})", expected


def _type_expected(name: str) -> str | None:
    return "string" if name.startswith(f"{s.GENOPS_TAG}.") else ATTRIBUTE_TYPES.get(name)


def _has_type(value: Any, expected: str) -> bool:
    if expected.endswith("[]"):
        return isinstance(value, list | tuple) and all(_has_type(item, expected[:-2]) for item in value)
    return type(value) is _PYTHON_TYPES[expected]


def _version(span: Span) -> Found:
    version = span.attributes.get(s.GENOPS_SPEC_VERSION)
    if not isinstance(version, str) or not version.strip():
        return
    if not _VERSION.fullmatch(version):
        yield quoted(span.attributes, s.GENOPS_SPEC_VERSION), "MAJOR.MINOR.PATCH"
    elif not version.startswith(_CHECKED_VERSIONS):
        yield quoted(span.attributes, s.GENOPS_SPEC_VERSION), f"{_CHECKED_VERSIONS}x, the version that is checked here"


def _identified(span: Span) -> Found:
    for (digits, what), identity in zip(_IDENTITIES, (span.trace_id, span.span_id), strict=True):
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", identity) or not identity.strip("0"):
            yield f"{what} {identity!r}", f"{digits} hexadecimal digits, not all of them 0"


def _never_reused(spans: Sequence[Span]) -> Iterator[Finding]:
    first: dict[tuple[str, str], Span] = {}
    for span in spans:
        earlier = first.setdefault((span.trace_id, span.span_id), span)
        if earlier != span:
            yield Finding(span, f"another span, {earlier.name!r}, has the same identity", "one unit per identity")


def _unchanging(span: Span) -> Found:
    for name in span.contradictions:
        if name.startswith(f"{s.NAMESPACE}."):
            yield f"{name} is given twice, with different values", "one value"
    for where, attributes in carriers(span):
        for name in _ATTRIBUTION:
            if name in attributes and attributes[name] != span.attributes.get(name, attributes[name]):
                yield f"{where}{name}={attributes[name]!r}", f"{span.attributes[name]!r}, as on the span"


def _event_attributes(span: Span) -> Found:
    for event in span.events:
        for name in EVENT_REQUIRED.get(event.name, ()):
            if name not in event.attributes:
                yield f"event {event.name}: no {name}", f"{name} on every such event"


def _amounts(span: Span) -> Found:
    for where, attributes in carriers(span):
        for name in _NOT_NEGATIVE:
            value = attributes.get(name)
            if isinstance(value, int | float) and not (value >= 0 and math.isfinite(value)):
                yield f"{where}{name}={value!r}", "a finite amount, 0 or more"


def _currency(span: Span) -> Found:
    for where, attributes in carriers(span):
        currency = attributes.get(s.GENOPS_COST_CURRENCY)
        if isinstance(currency, str) and currency.strip() and currency not in CURRENCIES:
            yield f"{where}{s.GENOPS_COST_CURRENCY}={currency!r}", "a code of ISO 4217, in capitals"


def _cost_agrees(span: Span) -> Found:
    calculated = span.events_named(s.EVENT_COST_CALCULATED)
    for event in calculated[-1:]:  # a cost may be refined; the last one stands
        for name in (s.GENOPS_COST_TOTAL, s.GENOPS_COST_CURRENCY):
            stated, told = span.attributes.get(name), event.attributes.get(name)
            if stated is not None and told is not None and stated != told:
                yield f"event {event.name}: {name}={told!r}", f"{stated!r}, as on the span"


def _sla_complete(span: Span) -> Found:
    missing = [name for name in _SLA if name not in span.attributes]
    if missing and len(missing) < len(_SLA):
        yield f"no {', '.join(missing)}", "all four attributes of a service level, or none"


def _sla_met(span: Span) -> Found:
    target, actual, met = (span.attributes.get(name) for name in _SLA[1:])
    if isinstance(target, int) and isinstance(actual, int) and isinstance(met, bool) and met != (actual <= target):
        yield quoted(span.attributes, *_SLA[1:]), f"{s.GENOPS_SLA_MET}={actual <= target}"


RULES = (
    Rule("AWU001", "The telemetry has at least one governed unit.", _something_governed),
    Rule("AWU002", "Every unit carries the required attributes.", per_span(_required)),
    Rule("AWU003", "Values are meaningful: not null, empty or a placeholder.", per_span(_meaningful)),
    Rule("AWU004", "Attributes have the type that the specification gives them.", per_span(_types)),
    Rule("AWU005", "The version of the specification is MAJOR.MINOR.PATCH.", per_span(_version)),
    Rule("AWU006", "A unit has an identity: a trace id and a span id.", per_span(_identified)),
    Rule("AWU007", "The identity of a unit is never reused.", _never_reused),
    Rule("AWU008", "Attribution never changes within a unit.", per_span(_unchanging)),
    Rule("EVT001", "Events carry their required attributes.", per_span(_event_attributes)),
    Rule("NUM001", "Costs, tokens and amounts are finite and not negative.", per_span(_amounts)),
    Rule("CST001", "A currency is a code of ISO 4217.", per_span(_currency)),
    Rule("CST002", "The cost of the event is the cost of the span.", per_span(_cost_agrees)),
    Rule("SLA001", "A service level is stated whole.", per_span(_sla_complete)),
    Rule("SLA002", "A service level is met exactly if the actual latency is at most the target.", per_span(_sla_met)),
)
