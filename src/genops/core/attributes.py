"""Attributes: what spans, events and log records say, made out of facts, decisions and ledger entries.

Facts use the `gen_ai.*` names of OpenTelemetry, governance uses ours. Written by `genops.core.telemetry` alone.

Source: spec/registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genops import semconv as s
from genops.core.attribution import Attribution
from genops.core.budgets.engine import BudgetReservation
from genops.core.cost import CostStatus
from genops.core.decision import Decision, Notes, Result
from genops.core.ledger import LedgerEntry, Outcome, plain

if TYPE_CHECKING:
    from genops.core.plan import CallFacts
    from genops.core.runtime import RedactedRequest

__all__ = [
    "DATA_CLASSIFICATION",
    "OF_FIELD",
    "attribution_attributes",
    "budget_attributes",
    "closing_attributes",
    "decision_attributes",
    "log_attributes",
    "measured_attributes",
    "note_attributes",
    "opening_attributes",
    "redaction_attributes",
]

DATA_CLASSIFICATION = "data_classification"  # the tag that says what kind of data a call handles
_ALLOWED: dict[str, Any] = {s.GENOPS_POLICY_RESULT: Result.ALLOWED.value}


def attribution_attributes(attribution: Attribution) -> dict[str, Any]:
    """The attribution as span attributes; what is not given is absent."""
    attributes: dict[str, Any] = {
        name: value
        for name, value in (
            (s.GENOPS_TEAM, attribution.team),
            (s.GENOPS_PROJECT, attribution.project),
            (s.GENOPS_ENVIRONMENT, attribution.environment),
            (s.GENOPS_CUSTOMER_ID, attribution.customer_id),
            (s.GENOPS_COST_CENTER, attribution.cost_center),
            (s.GENOPS_FEATURE, attribution.feature),
            (s.GENOPS_SESSION_ID, attribution.session_id),
        )
        if value is not None
    }
    for key, value in attribution.tags.items():
        attributes[f"{s.GENOPS_TAG}.{key}"] = value
    if DATA_CLASSIFICATION in attribution.tags:
        attributes[s.GENOPS_DATA_CLASSIFICATION] = attribution.tags[DATA_CLASSIFICATION]
    return attributes


def opening_attributes(facts: CallFacts, attribution: Attribution) -> dict[str, Any]:
    """The attributes that all calls of a kind start with."""
    attributes = attribution_attributes(attribution)
    attributes[s.GEN_AI_OPERATION_NAME] = facts.operation
    attributes[s.GEN_AI_PROVIDER_NAME] = facts.provider
    attributes[s.GENOPS_SPEC_VERSION] = s.SPEC_VERSION
    attributes[s.GENOPS_OPERATION_NAME] = facts.operation_name
    attributes[s.GENOPS_OPERATION_TYPE] = facts.operation_type
    if facts.request_model is not None:
        attributes[s.GEN_AI_REQUEST_MODEL] = facts.request_model
    if facts.server_address is not None:
        attributes[s.SERVER_ADDRESS] = facts.server_address
    if facts.server_port is not None:
        attributes[s.SERVER_PORT] = facts.server_port
    return attributes


def closing_attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of the end of a call that follow from what its ledger entry shares with others."""
    outcome = fields["outcome"]
    attributes: dict[str, Any] = {s.GENOPS_CALL_OUTCOME: outcome.value}
    if outcome is not Outcome.BLOCKED:
        attributes[s.GENOPS_COST_ROLE] = "account"
    for attribute, field in _CLOSING:
        value = fields.get(field)
        if value is not None and value != ():
            attributes[attribute] = value
    if fields.get("cost_status") not in (None, CostStatus.UNPRICED):
        attributes[s.GENOPS_COST_CURRENCY] = fields["currency"]
        attributes[s.GENOPS_COST_PROVIDER] = fields["provider"]
        attributes[s.GENOPS_COST_MODEL] = fields["priced_model"] or fields["request_model"] or fields["operation"]
    return attributes


# Attributes of the end that are fields of the entry as they are.
_CLOSING = (
    (s.GENOPS_COST_STATUS, "cost_status"),
    (s.ERROR_TYPE, "error_type"),
    (s.GEN_AI_RESPONSE_MODEL, "response_model"),
    (s.GENOPS_SERVICE_TIER, "service_tier"),
    (s.GENOPS_REGION, "region"),
    (s.GENOPS_COST_SOURCE, "cost_source"),
    (s.GENOPS_COST_PRICE_DATA_VERSION, "price_data_version"),
    (s.GENOPS_COST_UNPRICED_REASON, "unpriced_reason"),
    (s.GENOPS_USAGE_SOURCE, "usage_source"),
    (s.GENOPS_COST_MISSING_METERS, "missing_meters"),
    (s.GENOPS_USAGE_FLAGS, "usage_flags"),
)


def log_attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Ledger fields as attributes of the log record; where a field is a mapping, its name prefixes the keys."""
    attributes: dict[str, Any] = {}
    for name, value in fields.items():
        attribute = s.LEDGER_ATTRIBUTES.get(name)  # none for trace and span id: the record carries them by itself
        if attribute is None or value is None or value == ():
            continue
        if isinstance(value, Mapping):
            attributes |= {f"{attribute}.{key}": plain(item) for key, item in value.items()}
        else:
            attributes[attribute] = plain(value)
    return attributes


def budget_attributes(held: BudgetReservation) -> dict[str, Any]:
    """Where the tightest budget of a call stands, with the call's reservation counted."""
    return {
        s.GENOPS_BUDGET_ALLOCATED: float(held.budget.limit),
        s.GENOPS_BUDGET_CONSUMED: float(held.consumed),
        s.GENOPS_BUDGET_REMAINING: float(held.remaining),
        s.GENOPS_BUDGET_PERIOD: held.period,
    }


OF_FIELD = {
    "team": s.GENOPS_TEAM,
    "project": s.GENOPS_PROJECT,
    "environment": s.GENOPS_ENVIRONMENT,
    "customer_id": s.GENOPS_CUSTOMER_ID,
    "cost_center": s.GENOPS_COST_CENTER,
    "feature": s.GENOPS_FEATURE,
    "session_id": s.GENOPS_SESSION_ID,
    "provider": s.GEN_AI_PROVIDER_NAME,
    "model": s.GEN_AI_REQUEST_MODEL,
    "operation": s.GEN_AI_OPERATION_NAME,
}


def decision_attributes(decision: Decision) -> dict[str, Any]:
    if not decision.violations:
        return _ALLOWED
    decided: dict[str, Any] = {s.GENOPS_POLICY_RESULT: decision.result.value}
    if decision.reason_code is not None:
        decided[s.GENOPS_POLICY_REASON_CODE] = decision.reason_code
    if decision.policy_name is not None:
        decided[s.GENOPS_POLICY_NAME] = decision.policy_name
    if decision.reason is not None:
        decided[s.GENOPS_POLICY_REASON] = decision.reason
    if len(decision.violations) > 1:
        decided[s.GENOPS_POLICY_RULES_VIOLATED] = tuple(dict.fromkeys(each.rule for each in decision.violations))
    return decided


def note_attributes(notes: Notes) -> dict[str, Any]:
    """What there is to tell of a decision besides its result."""
    told: tuple[tuple[str, Any], ...] = (
        (s.GENOPS_POLICY_VERSION, notes.version),
        (s.GENOPS_POLICY_SHADOW, notes.shadow),
        (s.GENOPS_POLICY_ERRORS, notes.errors),
        (s.GENOPS_POLICY_EXCEPTIONS, notes.exceptions),
        (s.GENOPS_POLICY_ACTIONS, notes.actions.described() if notes.actions is not None else None),
    )
    return {name: value for name, value in told if value}


def redaction_attributes(redacted: RedactedRequest) -> dict[str, Any]:
    """How many of each kind were taken out of the request; never what they were."""
    counts = redacted.counts
    return {
        s.GENOPS_REDACTION_COUNT: sum(counts.values()),
        s.GENOPS_REDACTION_ENTITIES: tuple(f"{kind}={count}" for kind, count in sorted(counts.items())),
    }


def measured_attributes(entry: LedgerEntry) -> dict[str, Any]:
    """The ids, quantities and amounts of one call."""
    attributes: dict[str, Any] = {}
    if entry.response_id is not None:
        attributes[s.GEN_AI_RESPONSE_ID] = entry.response_id
    if (tokens := entry.input_tokens) is not None:
        attributes[s.GEN_AI_USAGE_INPUT_TOKENS] = attributes[s.GENOPS_TOKENS_INPUT] = tokens
    if (tokens := entry.output_tokens) is not None:
        attributes[s.GEN_AI_USAGE_OUTPUT_TOKENS] = attributes[s.GENOPS_TOKENS_OUTPUT] = tokens
    if entry.reasoning_tokens is not None:
        attributes[s.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS] = entry.reasoning_tokens
    usage = entry.usage
    if "cache_read" in usage:
        attributes[s.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage["cache_read"]
    if "cache_write" in usage:
        attributes[s.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS] = usage["cache_write"]
    if entry.cost is not None:
        attributes[s.GENOPS_COST_TOTAL] = float(entry.cost)
        if entry.list_cost is not None and entry.list_cost != entry.cost:
            attributes[s.GENOPS_COST_LIST] = float(entry.list_cost)
    if entry.time_to_first_chunk_ms is not None:
        attributes[s.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = entry.time_to_first_chunk_ms / 1000
    return attributes
