"""Plans: what all calls of one kind for one payer have in common, worked out at the first of them.

Applications make the same few kinds of calls over and over. What depends only on the kind of call and on whom it is for
(span attributes, ledger fields, what the policies say) is looked up for every call after the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genops.core.attribution import Attribution
from genops.core.ledger import SharedFields
from genops.core.policy import Ruling
from genops.core.telemetry import log_attributes, opening_attributes

__all__ = ["CallFacts", "CallPlan", "Plans"]

_PLANS_KEPT = 1024


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

    __slots__ = ("attributes", "attribution", "dimensions", "facts", "log_attributes", "ruling", "shared", "span_name")

    def __init__(self, facts: CallFacts, attribution: Attribution) -> None:
        self.facts = facts
        self.attribution = attribution
        self.span_name = f"{facts.operation} {facts.request_model}" if facts.request_model else facts.operation
        self.attributes = opening_attributes(facts, attribution)
        self.shared = SharedFields(
            provider=facts.provider,
            api=facts.api,
            operation=facts.operation,
            operation_type=facts.operation_type,
            request_model=facts.request_model,
            streamed=facts.streamed,
            server_address=facts.server_address,
            team=attribution.team,
            project=attribution.project,
            environment=attribution.environment,
            customer_id=attribution.customer_id,
            cost_center=attribution.cost_center,
            feature=attribution.feature,
            session_id=attribution.session_id,
            tags=attribution.tags,
        )
        self.log_attributes = log_attributes(self.shared.values)
        self.ruling: Ruling | None = None  # of the runtime's policies; made again when they change
        self.dimensions: dict[str, Any] = {}  # of the metrics, by outcome


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
