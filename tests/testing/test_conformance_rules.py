"""Every conformance rule: telemetry that breaks it, and nothing else, is told from telemetry that keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conformance_traces import (
    RESERVED,
    TRACE,
    decided,
    executed,
    having,
    lacking,
    refused,
    with_event,
    with_event_lacking,
    with_one_more,
    without_event,
)
from hypothesis import given
from hypothesis import strategies as st

from genops import semconv as s
from genops.core.errors import ConfigurationError
from genops.testing.conformance import RULES, Event, Span, check

Spans = list[Span]
POLICY, RESERVATION, RECONCILIATION = (
    s.EVENT_POLICY_EVALUATED,
    s.EVENT_BUDGET_RESERVATION,
    s.EVENT_BUDGET_RECONCILIATION,
)
CODE, RESULT = s.GENOPS_POLICY_REASON_CODE, s.GENOPS_POLICY_RESULT


def one(change: Callable[[Span], Span], span: Callable[[], Span] = executed) -> Callable[[], Spans]:
    """A conformant unit with one change."""
    return lambda: [change(span())]


def both(change: Callable[[Span], Span]) -> Callable[[], Spans]:
    """A conformant unit, and beside it the same with one change."""
    return lambda: [executed(), change(executed())]


def with_both(span: Span, name: str, value: float, *, event: str) -> Span:
    """`span` with this attribute on itself and on its event."""
    return with_event(having(span, {name: value}), event, {name: value})


def anonymous_decision(span: Span) -> Span:
    return decided(span, {RESULT: "WARNING"})


BREAKING: list[tuple[str, str, Callable[[], Spans]]] = [
    ("AWU001", "no span at all", list),
    ("AWU001", "no governed span", lambda: [replace(executed(), attributes={"gen_ai.operation.name": "x"}, events=())]),
    ("AWU002", "no team", one(lambda x: lacking(x, s.GENOPS_TEAM))),
    ("AWU002", "no project", one(lambda x: lacking(x, s.GENOPS_PROJECT))),
    ("AWU002", "no environment", one(lambda x: lacking(x, s.GENOPS_ENVIRONMENT))),
    ("AWU002", "no operation name", one(lambda x: lacking(x, s.GENOPS_OPERATION_NAME))),
    ("AWU002", "no operation type", one(lambda x: lacking(x, s.GENOPS_OPERATION_TYPE))),
    ("AWU002", "no version", one(lambda x: lacking(x, s.GENOPS_SPEC_VERSION))),
    ("AWU002", "no result", one(lambda x: lacking(x, RESULT))),
    ("AWU003", "null", one(lambda x: having(x, {s.GENOPS_TEAM: None}))),
    ("AWU003", "empty", one(lambda x: having(x, {s.GENOPS_FEATURE: ""}))),
    ("AWU003", "blank", one(lambda x: having(x, {s.GENOPS_PROJECT: " "}))),
    *(
        ("AWU003", f"placeholder {word!r}", one(lambda x, word=word: having(x, {s.GENOPS_ENVIRONMENT: word})))
        for word in ("unknown", "N/A", "none", "null", "default", "TODO", "-", " tbd ")
    ),
    ("AWU003", "empty in an event", one(lambda x: with_event(x, RESERVATION, {s.GENOPS_BUDGET_NAME: ""}))),
    (
        "AWU004",
        "integer for a double",
        one(lambda x: with_both(x, s.GENOPS_COST_TOTAL, 1, event="genops.cost.calculated")),
    ),
    ("AWU004", "double for an integer", one(lambda x: having(x, {s.GENOPS_TOKENS_INPUT: 12.0}))),
    ("AWU004", "boolean for an integer", one(lambda x: having(x, {s.GENOPS_TOKENS_OUTPUT: True}))),
    ("AWU004", "text for a boolean", one(lambda x: having(x, {s.GENOPS_EVAL_PASSED: "true"}))),
    ("AWU004", "number for text", one(lambda x: having(x, {s.GENOPS_COST_CENTER: 2210}))),
    ("AWU004", "number for a tag", one(lambda x: having(x, {f"{s.GENOPS_TAG}.build": 7}))),
    ("AWU004", "text for a list", one(lambda x: having(x, {s.GENOPS_USAGE_FLAGS: "total_mismatch"}))),
    ("AWU004", "text in an event", one(lambda x: with_event(x, s.EVENT_BUDGET_ALERT, {s.GENOPS_BUDGET_CONSUMED: "9"}))),
    *(
        ("AWU005", f"version {version!r}", one(lambda x, version=version: having(x, {s.GENOPS_SPEC_VERSION: version})))
        for version in ("0.1", "v0.1.0", "0.1.0-draft", "00.1.0", "0.2.0")
    ),
    ("AWU006", "no span id", one(lambda x: replace(x, span_id=""))),
    ("AWU006", "trace id of zeros", one(lambda x: replace(x, trace_id="0" * 32))),
    ("AWU006", "trace id in base 64", one(lambda x: replace(x, trace_id="CvdlGRbNQ92ESOshHIAxnA=="))),
    ("AWU007", "another name", both(lambda x: replace(x, name="chat again"))),
    ("AWU007", "another customer", both(lambda x: having(x, {s.GENOPS_CUSTOMER_ID: "other"}))),
    ("AWU008", "another team in an event", one(lambda x: with_event(x, RESERVATION, {s.GENOPS_TEAM: "ads"}))),
    ("AWU008", "an attribute given twice", one(lambda x: replace(x, contradictions=(s.GENOPS_TEAM,)))),
    (
        "EVT001",
        "reservation without amount",
        one(lambda x: with_event_lacking(x, RESERVATION, s.GENOPS_ACCOUNTING_RESERVED)),
    ),
    ("EVT001", "reservation without unit", one(lambda x: with_event_lacking(x, RESERVATION, s.GENOPS_ACCOUNTING_UNIT))),
    (
        "EVT001",
        "reconciliation without actual",
        one(lambda x: with_event_lacking(x, RECONCILIATION, s.GENOPS_ACCOUNTING_ACTUAL)),
    ),
    ("EVT001", "decision without result", one(lambda x: with_event_lacking(x, POLICY, RESULT))),
    (
        "EVT001",
        "cost without currency",
        one(lambda x: with_event_lacking(x, "genops.cost.calculated", s.GENOPS_COST_CURRENCY)),
    ),
    (
        "EVT001",
        "alert without budget",
        one(lambda x: with_event_lacking(x, s.EVENT_BUDGET_ALERT, s.GENOPS_BUDGET_NAME)),
    ),
    (
        "EVT001",
        "evaluation without score",
        one(lambda x: with_event_lacking(x, s.EVENT_EVALUATION_COMPLETE, s.GENOPS_EVAL_SCORE)),
    ),
    ("NUM001", "negative cost", one(lambda x: with_both(x, s.GENOPS_COST_TOTAL, -0.1, event="genops.cost.calculated"))),
    ("NUM001", "negative tokens", one(lambda x: having(x, {s.GENOPS_TOKENS_INPUT: -1}))),
    ("NUM001", "not a number", one(lambda x: having(x, {s.GENOPS_BUDGET_ALLOCATED: float("nan")}))),
    ("NUM001", "infinite", one(lambda x: having(x, {s.GENOPS_BUDGET_CONSUMED: float("inf")}))),
    *(
        (
            "CST001",
            f"currency {code!r}",
            one(lambda x, code=code: with_both(x, s.GENOPS_COST_CURRENCY, code, event="genops.cost.calculated")),
        )
        for code in ("usd", "US$", "BTC", "XXX")
    ),
    ("CST002", "another amount", one(lambda x: with_event(x, "genops.cost.calculated", {s.GENOPS_COST_TOTAL: 0.2}))),
    (
        "CST002",
        "another currency",
        one(lambda x: with_event(x, "genops.cost.calculated", {s.GENOPS_COST_CURRENCY: "EUR"})),
    ),
    ("SLA001", "no tier", one(lambda x: lacking(x, s.GENOPS_SLA_TIER))),
    ("SLA001", "target alone", lambda: [having(refused(), {s.GENOPS_SLA_LATENCY_TARGET_MS: 5})]),
    ("SLA002", "late and met", one(lambda x: having(x, {s.GENOPS_SLA_ACTUAL_LATENCY_MS: 2001}))),
    ("SLA002", "in time and not met", one(lambda x: having(x, {s.GENOPS_SLA_MET: False}))),
    ("POL001", "unknown result", one(lambda x: decided(x, {RESULT: "DENIED", CODE: "POLICY_DENY_MODEL"}), refused)),
    ("POL001", "lower case", one(lambda x: decided(x, {RESULT: "Blocked", CODE: "POLICY_DENY_MODEL"}), refused)),
    ("POL002", "warning without reason", one(anonymous_decision)),
    ("POL002", "refusal without reason", one(lambda x: decided(x, {RESULT: "BLOCKED"}), refused)),
    ("POL002", "no reason in the event", one(lambda x: with_event_lacking(x, POLICY, CODE), refused)),
    ("POL003", "reason for ALLOWED", one(lambda x: decided(x, {RESULT: "ALLOWED", CODE: "RATE_LIMITED"}))),
    ("POL003", "reason in the event alone", one(lambda x: with_event(x, POLICY, {CODE: "x_because"}))),
    *(
        ("POL004", f"code {code!r}", one(lambda x, code=code: decided(x, {RESULT: "BLOCKED", CODE: code}), refused))
        for code in ("TOO_EXPENSIVE", "budget_exceeded", "x_", "x_Upper", "X_OURS", "x_with-dash")
    ),
    ("POL005", "no decision event", one(lambda x: without_event(x, POLICY))),
    ("POL005", "no decision event of a refusal", one(lambda x: without_event(x, POLICY), refused)),
    (
        "POL006",
        "event and span differ",
        one(lambda x: with_event(x, POLICY, {RESULT: "WARNING", CODE: "RATE_LIMITED"})),
    ),
    ("POL006", "reason codes differ", one(lambda x: with_event(x, POLICY, {CODE: "POLICY_DENY_REGION"}), refused)),
    (
        "POL006",
        "decided again",
        one(lambda x: with_one_more(x, POLICY, {RESULT: "BLOCKED", CODE: "POLICY_DENY_CONTENT"})),
    ),
    ("POL007", "warned of a budget", one(lambda x: decided(x, {RESULT: "WARNING", CODE: "BUDGET_EXCEEDED"}))),
    (
        "POL007",
        "rate-limited by a budget",
        one(lambda x: decided(x, {RESULT: "RATE_LIMITED", CODE: "BUDGET_RESERVATION_FAILED"}), refused),
    ),
    ("POL008", "one call on two units", both(lambda x: replace(x, span_id="1" * 16))),
    ("ACC001", "no amount reserved", one(lambda x: lacking(x, s.GENOPS_ACCOUNTING_RESERVED))),
    ("ACC001", "no unit", one(lambda x: lacking(x, s.GENOPS_ACCOUNTING_UNIT))),
    (
        "ACC001",
        "refused after a reservation that the span does not state",
        lambda: [replace(refused(), events=(*refused().events, Event(RESERVATION, refused().end_ns, RESERVED)))],
    ),
    ("ACC002", "no reservation event", one(lambda x: without_event(x, RESERVATION))),
    ("ACC002", "reserved, then refused, no event", one(lambda x: having(x, RESERVED), refused)),
    ("ACC003", "no actual", one(lambda x: lacking(x, s.GENOPS_ACCOUNTING_ACTUAL))),
    ("ACC004", "no reconciliation event", one(lambda x: without_event(x, RECONCILIATION))),
    ("ACC005", "refused with an actual", one(lambda x: having(x, {s.GENOPS_ACCOUNTING_ACTUAL: 0.0}), refused)),
    (
        "ACC005",
        "refused with a reconciliation",
        one(
            lambda x: replace(
                x,
                events=(*x.events, Event(RECONCILIATION, x.end_ns, {**RESERVED, s.GENOPS_ACCOUNTING_ACTUAL: 0.1})),
            ),
            refused,
        ),
    ),
    ("ACC006", "reserved before the decision", one(lambda x: with_event(x, RESERVATION, {}, at=x.start_ns + 50))),
    (
        "ACC006",
        "reconciled before the reservation",
        one(lambda x: with_event(x, RECONCILIATION, {}, at=x.start_ns + 150)),
    ),
    ("ACC006", "decided after execution", one(lambda x: with_event(x, POLICY, {}, at=x.end_ns - 1))),
    ("ACC006", "decided after the end", one(lambda x: with_event(x, POLICY, {}, at=x.end_ns + 1), refused)),
    (
        "ACC007",
        "delta of the span",
        one(lambda x: having(x, {s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: 0.2})),
    ),
    (
        "ACC007",
        "delta of the event",
        one(lambda x: with_event(x, RECONCILIATION, {s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: -0.2000001})),
    ),
    (
        "ACC008",
        "span and reservation differ",
        one(lambda x: with_event(x, RESERVATION, {s.GENOPS_ACCOUNTING_RESERVED: 0.4})),
    ),
    ("ACC008", "units differ", one(lambda x: with_event(x, RECONCILIATION, {s.GENOPS_ACCOUNTING_UNIT: "tokens"}))),
    (
        "ACC008",
        "actuals differ",
        one(
            lambda x: with_event(
                x,
                RECONCILIATION,
                {s.GENOPS_ACCOUNTING_ACTUAL: 0.2, s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: 0.2 - 0.3},
            )
        ),
    ),
    ("ACC009", "reserved again", one(lambda x: with_one_more(x, RESERVATION, {s.GENOPS_ACCOUNTING_RESERVED: 0.4}))),
    (
        "ACC009",
        "reconciled again",
        one(
            lambda x: with_one_more(
                x,
                RECONCILIATION,
                {s.GENOPS_ACCOUNTING_ACTUAL: 0.2, s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: 0.2 - 0.3},
            )
        ),
    ),
]


@pytest.mark.parametrize(("rule", "spans"), [pytest.param(r, x, id=f"{r}-{what}") for r, what, x in BREAKING])
def test_what_breaks_one_rule_is_told_by_that_rule_alone(rule, spans):
    """Every violation names the rule that the telemetry breaks, and no other."""
    report = check(spans())

    assert {rule} == {violation.rule for violation in report.violations}, str(report)


def test_every_rule_has_telemetry_that_breaks_it():
    """A rule that cannot fail checks nothing."""
    assert set(RULES) == {rule for rule, _, _ in BREAKING}


def test_every_rule_is_in_the_specification():
    """spec/README.md lists the rules with their texts, the ones of level full marked."""
    readme = (Path(__file__).resolve().parents[2] / "spec" / "README.md").read_text(encoding="utf-8")

    for rule in RULES.values():
        assert f"| {rule.id}{' *' if rule.full_only else ''} | {rule.text} |" in readme


CONFORMANT: dict[str, Callable[[], Spans]] = {
    "executed": lambda: [executed()],
    "refused": lambda: [refused()],
    "both": lambda: [executed(), refused()],
    "same span exported twice": lambda: [executed(), executed()],
    "spans of others beside it": lambda: [executed(), Span(trace_id="", span_id="", name="", attributes={"": None})],
    "refused by a budget": lambda: [decided(refused(), {RESULT: "BLOCKED", CODE: "BUDGET_EXCEEDED"})],
    "extension code": lambda: [decided(refused(), {RESULT: "BLOCKED", CODE: "x_approval_required2"})],
    "warned and executed": lambda: [decided(executed(), {RESULT: "WARNING", CODE: "SLA_LATENCY_VIOLATION"})],
    "rate-limited, not executed": lambda: [decided(refused(), {RESULT: "RATE_LIMITED", CODE: "RATE_LIMITED"})],
    "rate-limited, then executed": lambda: [decided(executed(), {RESULT: "RATE_LIMITED", CODE: "RATE_LIMITED"})],
    "unknown actual, flagged": lambda: [
        without_event(
            lacking(
                decided(executed(), {RESULT: "WARNING", CODE: "ACCOUNTING_INVARIANT_VIOLATION"}),
                s.GENOPS_ACCOUNTING_ACTUAL,
                s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA,
            ),
            RECONCILIATION,
        )
    ],
    "two budgets": lambda: [
        with_one_more(
            executed(),
            RESERVATION,
            {s.GENOPS_BUDGET_NAME: "org", s.GENOPS_ACCOUNTING_UNIT: "tokens", s.GENOPS_ACCOUNTING_RESERVED: 900.0},
        )
    ],
    "negative rest of a budget": lambda: [having(executed(), {s.GENOPS_BUDGET_REMAINING: -3.5})],
    "no optional attribute": lambda: [lacking(executed(), s.GENOPS_CUSTOMER_ID, s.GENOPS_CALL_ID)],
    "the decision recorded twice alike": lambda: [with_one_more(executed(), POLICY, {})],
}


@pytest.mark.parametrize("spans", CONFORMANT.values(), ids=CONFORMANT)
def test_what_the_specification_allows_is_no_violation(spans):
    """Telemetry of each shape that the specification allows conforms at level full."""
    report = check(spans())

    assert report.ok, str(report)


@pytest.mark.parametrize("rule", [rule.id for rule in RULES.values() if rule.full_only])
def test_level_partial_demands_no_accounting(rule):
    """What breaks a rule of the accounting invariant conforms at level partial."""
    for broken, _, spans in BREAKING:
        if broken == rule:
            report = check(spans(), level="partial")
            assert report.ok, str(report)


def test_level_partial_keeps_the_other_rules():
    """A missing team is a violation at level partial too."""
    report = check([lacking(executed(), s.GENOPS_TEAM)], level="partial")

    assert [violation.rule for violation in report.violations] == ["AWU002"]


def test_a_level_that_does_not_exist_is_refused():
    """The message names both levels."""
    with pytest.raises(ConfigurationError, match='level="full" or level="partial"'):
        check([executed()], level="most")


def test_a_violation_says_where_what_and_what_instead():
    """Rule, its text, the span by name and ids, what was found and what is expected."""
    (violation,) = check([lacking(executed(), s.GENOPS_TEAM)]).violations

    assert (violation.rule, violation.span_name, violation.trace_id) == ("AWU002", "chat gpt-4o-mini", TRACE)
    assert violation.span_id == "b7ad6b7169203331"
    assert violation.found == "no genops.team"
    assert violation.expected == "genops.team on every unit"


def test_a_failed_report_prints_as_what_to_look_at():
    """`assert report.ok, report` shows verdict, rule, finding and span; without a span, the finding alone."""
    broken = str(check([lacking(executed(), s.GENOPS_TEAM)]))

    assert broken.startswith(
        "GenOps v0.1.0, full: does not conform, violations: 1 (1 governed of 1 spans)\n  AWU002 Every unit"
    )
    assert f"(span 'chat gpt-4o-mini', {TRACE}/b7ad6b7169203331)" in broken
    assert str(check([])).endswith("expected at least one span with genops.spec.version")
    assert "conforms (1 governed of 1 spans)" in str(check([executed()]))


@pytest.mark.parametrize(
    "mark",
    [
        {s.GENOPS_SPEC_VERSION: "0.1.0"},
        {s.GENOPS_OPERATION_TYPE: "inference"},
        {s.GENOPS_POLICY_NAME: "cap"},
        {s.GENOPS_ACCOUNTING_ACTUAL: 1.0},
    ],
)
def test_any_attribute_of_governance_makes_a_unit(mark):
    """A span cannot slip through by leaving most of it out."""
    assert check([Span(trace_id=TRACE, span_id="1" * 16, name="x", attributes=mark)]).governed == 1


@pytest.mark.parametrize("event", [s.EVENT_POLICY_EVALUATED, s.EVENT_BUDGET_ALERT])
def test_any_event_of_governance_makes_a_unit(event):
    """A decision or a budget event on a span without attributes is checked."""
    assert check([Span(trace_id=TRACE, span_id="1" * 16, name="x", events=(Event(event, 1, {}),))]).governed == 1


@given(
    reserved=st.floats(min_value=0, max_value=1e12, allow_subnormal=False),
    actual=st.floats(min_value=0, max_value=1e12, allow_subnormal=False),
)
def test_a_delta_as_near_as_doubles_allow_is_accepted_and_a_wrong_one_is_not(reserved, actual):
    """The delta of two doubles conforms; the negated delta does not, unless it is nothing beside the amounts."""
    figures = {s.GENOPS_ACCOUNTING_RESERVED: reserved, s.GENOPS_ACCOUNTING_ACTUAL: actual}
    delta = actual - reserved
    right = having(executed(), {**figures, s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: delta})
    wrong = having(right, {s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: -delta})

    assert "ACC007" not in {violation.rule for violation in check([right]).violations}
    if abs(delta) > 1e-9 * max(reserved, actual):
        assert "ACC007" in {violation.rule for violation in check([wrong]).violations}
