"""Plans: what all calls of one kind for one payer have in common, worked out at the first of them.

Applications make the same few kinds of calls over and over. What depends only on the kind of call and on whom it is for
(span attributes, ledger fields, what the policies say) is looked up for every call after the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from genops.core.attributes import DATA_CLASSIFICATION, closing_attributes, log_attributes, opening_attributes
from genops.core.attribution import ATTRIBUTION_FIELDS, Attribution
from genops.core.budget import Reservation
from genops.core.cost import Cost, CostStatus, Unpriced
from genops.core.decision import Decision
from genops.core.ledger import Outcome, SharedFields
from genops.core.policy import Ruling
from genops.core.rules.ruleset import Scope
from genops.core.usage import Reading

__all__ = ["CallFacts", "CallPlan", "Ending", "Plans"]

_PLANS_KEPT = 1024
_ENDINGS_KEPT = 64  # per plan


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What is known of a call before it is made. Names as in `LedgerEntry`."""

    provider: str
    api: str
    operation: str
    operation_type: str
    operation_name: str
    request_model: str | None = None
    server_address: str | None = None
    server_port: int | None = None
    region: str | None = None
    streamed: bool = False
    processing: str | None = None  # batch


class CallPlan:
    """What calls with these facts and this attribution share."""

    __slots__ = (
        "_endings",
        "_inputs",
        "attributes",
        "attribution",
        "budgeted",
        "facts",
        "fields",
        "kind",
        "original_model",
        "rerouted",
        "ruling",
        "scope",
        "span_name",
    )

    def __init__(self, facts: CallFacts, attribution: Attribution) -> None:
        self.facts = facts
        self.attribution = attribution
        self.span_name = f"{facts.operation} {facts.request_model}" if facts.request_model else facts.operation
        self.attributes = opening_attributes(facts, attribution)
        self.fields: dict[str, Any] = {
            "provider": facts.provider,
            "api": facts.api,
            "operation": facts.operation,
            "operation_type": facts.operation_type,
            "request_model": facts.request_model,
            "streamed": facts.streamed,
            "server_address": facts.server_address,
            "team": attribution.team,
            "project": attribution.project,
            "environment": attribution.environment,
            "customer_id": attribution.customer_id,
            "cost_center": attribution.cost_center,
            "feature": attribution.feature,
            "session_id": attribution.session_id,
            "tags": attribution.tags,
        }
        self.budgeted: dict[str, str | None] = {
            **{name: getattr(attribution, name) for name in ATTRIBUTION_FIELDS},
            **{f"tag.{key}": value for key, value in attribution.tags.items()},
        }
        self.kind = (facts.provider, facts.request_model, attribution.feature)  # whose habits its calls have
        self.ruling: Ruling | None = None  # of the runtime's policies; made again when they change
        self.scope: Scope | None = None  # of the policy files; made again when they change
        self.rerouted: dict[str, CallFacts] = {}  # the same call, sent to another model
        self.original_model: str | None = None  # that the application asked for, if it is another
        self._inputs: dict[str, Any] | None = None
        self._endings: dict[tuple[Any, ...], Ending] = {}

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What policies may know of every call of this plan, by the names of `genops.core.rules.inputs`."""
        if self._inputs is None:
            facts, attribution = self.facts, self.attribution
            self._inputs = {
                **{name: getattr(attribution, name) for name in ATTRIBUTION_FIELDS},
                "tags": dict(attribution.tags),
                "data_classification": attribution.tags.get(DATA_CLASSIFICATION),
                "provider": facts.provider,
                "operation": facts.operation,
                "operation_type": facts.operation_type,
                "model": facts.request_model,
                "region": facts.region,
                "host": facts.server_address,
                "streamed": facts.streamed,
            }
        return self._inputs

    def ending(
        self,
        how: tuple[Outcome, str | None],
        decision: Decision,
        reading: Reading,
        priced: Cost | Unpriced | None,
        reservation: Reservation | None,
    ) -> Ending:
        """What calls of this plan that end alike have in common: all but ids, times, quantities and amounts.

        `how` is the outcome with the type of the error, if there was one.
        """
        usage = reading.usage
        key = (
            how,
            decision,
            reading[2:5],  # model, tier, region
            priced[2:] if isinstance(priced, Cost) else priced,  # all but the amounts
            reservation[1:3] if reservation is not None else None,  # unit and budget
            (usage.source, usage.flags) if usage is not None else None,
        )
        ending = self._endings.get(key)
        if ending is None:
            fields = {
                **self.fields,
                "outcome": how[0],
                "error_type": how[1],
                "response_model": reading.response_model,
                "service_tier": reading.service_tier,
                "region": reading.region or self.facts.region,
                "policy_result": decision.result.value,
                "policy_reason_code": decision.reason_code,
                "policy_name": decision.policy_name,
                "usage_source": usage.source.value if usage is not None else None,
                "usage_flags": usage.flags if usage is not None else (),
                "accounting_unit": reservation.unit if reservation is not None else None,
                "budget_name": reservation.budget if reservation is not None else None,
                **_price_fields(priced),
            }
            if len(self._endings) >= _ENDINGS_KEPT:
                self._endings.clear()
            ending = self._endings[key] = Ending(fields)
        return ending


class Ending:
    """What calls that end alike share, in the forms it is written in."""

    __slots__ = ("attributes", "dimensions", "fields", "log_attributes")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = SharedFields(fields)
        self.attributes = closing_attributes(fields)
        self.log_attributes = log_attributes(fields)
        self.dimensions: Any = None  # of the metrics; made by them


def _price_fields(priced: Cost | Unpriced | None) -> dict[str, Any]:
    if priced is None:
        return {"currency": "USD"}
    if isinstance(priced, Unpriced):
        return {
            "cost_status": CostStatus.UNPRICED.value,
            "unpriced_reason": priced.reason,
            "price_data_version": priced.price_data_version,
            "currency": "USD",
        }
    return {
        "cost_status": priced.status.value,
        "cost_source": priced.source.value,
        "currency": priced.currency,
        "priced_model": priced.priced_model,
        "price_data_version": priced.price_data_version,
        "missing_meters": priced.missing_meters,
    }


class Plans:
    """The plans of a runtime. Facts and attributions are told apart by identity: both are kept and reused."""

    def __init__(self) -> None:
        self._plans: dict[tuple[int, int], CallPlan] = {}

    def of(self, facts: CallFacts, attribution: Attribution) -> CallPlan:
        """The plan for calls with `facts` on behalf of `attribution`."""
        plan = self._plans.get((id(facts), id(attribution)))
        if plan is None:
            plan = CallPlan(facts, attribution)
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            self._plans[id(facts), id(attribution)] = plan  # which keeps both alive, so their ids stay theirs
        return plan

    def rerouted(self, plan: CallPlan, model: str) -> CallPlan:
        """The plan for the calls of `plan` when they are sent to `model`."""
        facts = plan.rerouted.get(model)
        if facts is None:
            facts = plan.rerouted[model] = replace(plan.facts, request_model=model)
        found = self.of(facts, plan.attribution)
        found.original_model = plan.facts.request_model
        return found
