"""Conformance rules on the decision: its values, its reason, its event, and that it never changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from genops import semconv as s
from genops.testing._rule import Finding, Found, Rule, carriers, per_span, quoted, result_of
from genops.testing._spans import Span

__all__ = ["RULES"]

_EXTENSION = re.compile(r"x_[a-z0-9_]+")
_BUDGET_REASONS = frozenset({"BUDGET_EXCEEDED", "BUDGET_RESERVATION_FAILED"})
_DECISION = (s.GENOPS_POLICY_RESULT, s.GENOPS_POLICY_REASON_CODE)


def _closed_set(span: Span) -> Found:
    for where, attributes in carriers(span):
        result = attributes.get(s.GENOPS_POLICY_RESULT)
        if isinstance(result, str) and result.strip() and result not in s.POLICY_RESULTS:
            yield f"{where}{s.GENOPS_POLICY_RESULT}={result!r}", f"one of {', '.join(sorted(s.POLICY_RESULTS))}"


def _reason_given(span: Span) -> Found:
    for where, attributes in carriers(span):
        result = attributes.get(s.GENOPS_POLICY_RESULT)
        explained = s.GENOPS_POLICY_REASON_CODE in attributes
        if _is(result, s.POLICY_RESULTS) and result != "ALLOWED" and not explained:
            yield f"{where}{quoted(attributes, *_DECISION)}", "a reason code, as the result is not ALLOWED"


def _reason_absent(span: Span) -> Found:
    for where, attributes in carriers(span):
        if attributes.get(s.GENOPS_POLICY_RESULT) == "ALLOWED" and s.GENOPS_POLICY_REASON_CODE in attributes:
            yield f"{where}{quoted(attributes, *_DECISION)}", "no reason code, as the result is ALLOWED"


def _reason_known(span: Span) -> Found:
    for where, attributes in carriers(span):
        code = attributes.get(s.GENOPS_POLICY_REASON_CODE)
        if not isinstance(code, str) or not code.strip() or code in s.REASON_CODES or _EXTENSION.fullmatch(code):
            continue
        yield (
            f"{where}{s.GENOPS_POLICY_REASON_CODE}={code!r}",
            f"one of {', '.join(sorted(s.REASON_CODES))}, or x_ and lowercase letters, digits, underscores",
        )


def _recorded(span: Span) -> Found:
    if not span.events_named(s.EVENT_POLICY_EVALUATED):
        yield f"no event {s.EVENT_POLICY_EVALUATED}", "the decision as an event"


def _unchanging(span: Span) -> Found:
    """Every event says what the span says; where the span is silent, what the first event says."""
    events = span.events_named(s.EVENT_POLICY_EVALUATED)
    for name in _DECISION:
        stated = [event.attributes[name] for event in events if name in event.attributes]
        first = span.attributes.get(name, stated[0] if stated else None)
        for told in stated:
            if told != first:
                yield f"event {s.EVENT_POLICY_EVALUATED}: {name}={told!r}", f"{first!r}, as recorded before"


def _budget_blocks(span: Span) -> Found:
    for where, attributes in carriers(span):
        code, result = attributes.get(s.GENOPS_POLICY_REASON_CODE), attributes.get(s.GENOPS_POLICY_RESULT)
        if _is(code, _BUDGET_REASONS) and result in ("WARNING", "RATE_LIMITED"):
            yield f"{where}{quoted(attributes, *_DECISION)}", "BLOCKED, as the reservation cannot be met"


def _of_one_unit(spans: Sequence[Span]) -> Iterator[Finding]:
    """A runtime that gives calls an id tells by it when one decision is on two units."""
    first: dict[str, Span] = {}
    for span in spans:
        call = span.attributes.get(s.GENOPS_CALL_ID)
        if not isinstance(call, str) or result_of(span) is None:
            continue
        earlier = first.setdefault(call, span)
        if (earlier.trace_id, earlier.span_id) != (span.trace_id, span.span_id):
            found = f"{s.GENOPS_CALL_ID}={call!r}, decided on span {earlier.span_id} too"
            yield Finding(span, found, "one unit per decision")


def _is(value: Any, members: frozenset[str]) -> bool:
    return isinstance(value, str) and value in members


RULES = (
    Rule("POL001", "The result is one of the closed set.", per_span(_closed_set)),
    Rule("POL002", "A result other than ALLOWED has a reason code.", per_span(_reason_given)),
    Rule("POL003", "ALLOWED has no reason code.", per_span(_reason_absent)),
    Rule("POL004", "A reason code is of the closed set, or an extension.", per_span(_reason_known)),
    Rule("POL005", "Every decision is recorded as an event.", per_span(_recorded)),
    Rule("POL006", "A decision, once recorded, never changes.", per_span(_unchanging)),
    Rule("POL007", "A reservation that cannot be met blocks the unit.", per_span(_budget_blocks)),
    Rule("POL008", "Every decision belongs to exactly one unit.", _of_one_unit),
)
