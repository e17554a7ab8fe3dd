"""A frame: one call in flight, from the decision to the ledger entry.

The guard opens it (attribution, policy, reservation; it may refuse before any spend), the meter settles it (usage,
price, entry). A frame settles once, however the call ends.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from typing import Any

from genops.core import acting, deciding, estimate
from genops.core.amounts import actual_of, estimated_usage, used_by
from genops.core.attribution import Attribution
from genops.core.budget import UNLIMITED, Account, Reservation
from genops.core.budgets.forks import Ticket
from genops.core.budgets.plans import BudgetCall
from genops.core.content import iterators_as_lists
from genops.core.cost import Cost, CostSource, CostStatus, Unpriced
from genops.core.cost_context import CostContext, open_contexts
from genops.core.decision import Decision
from genops.core.errors import GenOpsBlocked
from genops.core.ids import identifies, new_id
from genops.core.ledger import LedgerEntry, Outcome, entry_of
from genops.core.plan import CallFacts, CallPlan, Ending
from genops.core.pricing import PriceQuery
from genops.core.runtime import RedactedRequest, Runtime
from genops.core.searches import NONE, searches_of
from genops.core.usage import Reading, Usage, UsageSource

__all__ = ["CURRENT", "CallFacts", "Frame", "Scope", "open_frame"]

_SILENT, _NOTHING, _ONE = Reading(), Usage(), Decimal(1)
_NOT_BILLED = Cost(Decimal(0), Decimal(0), CostStatus.FREE, CostSource.LIST)
_TOKEN_OPERATIONS = frozenset({"inference", "embedding"})
_SPENT_ALREADY = frozenset({"batch", "manual"})  # charged to budgets, and never held up by them


class Scope:
    """A block of the application that groups calls; it has a place in the call tree and no cost of its own."""

    __slots__ = ("call_id", "parent")

    def __init__(self, call_id: str, parent: Scope | Frame | None) -> None:
        self.call_id = call_id
        self.parent = parent


CURRENT: ContextVar[Scope | Frame | None] = ContextVar("genops.frame", default=None)


class Frame:
    """One call in flight. Made by `open_frame`."""

    __slots__ = (
        *("_ticket", "answer", "call_id", "changeable", "changes", "child_accounted", "contexts", "decision"),
        *("ending", "entry", "estimate", "facts", "first_chunk_ns", "hide_usage_chunk", "input_estimate"),
        *("items_cost", "limit_key", "mirrored", "model_key", "output_bound", "owner", "parent", "plan", "redacted"),
        *("request", "reservation", "runtime", "searches", "span", "started_at", "started_ns", "upper_bound", "vault"),
    )

    def __init__(self, runtime: Runtime, plan: CallPlan, request: Mapping[str, Any]) -> None:
        self.runtime = runtime
        self.plan = plan
        self.facts: CallFacts = plan.facts
        self.request = request
        self.started_ns = time.time_ns()
        self.started_at: datetime = runtime.clock()
        self.call_id = new_id(self.started_ns // 1_000_000)
        self.parent: Scope | Frame | None = CURRENT.get()
        self.contexts: tuple[CostContext, ...] = open_contexts()
        self.child_accounted = False
        self.first_chunk_ns: int | None = None
        self.input_estimate = 0
        self.output_bound: int | None = None
        self.upper_bound: Decimal | None = None  # of the cost, in USD
        self.searches = NONE  # that the request may make, as `bound` found them
        self.estimate: tuple[Decimal, str] = (_ONE, "requests")  # what is reserved without a budget, and its unit
        self.changeable = False  # whether the caller sends the request with `changes` laid over it
        self.limit_key: str | None = None  # the argument of the request that limits its output
        self.model_key: str | None = None  # the argument of the request that names its model
        self.changes: dict[str, Any] = {}
        self.redacted: RedactedRequest | None = None
        self.vault: Any = None  # what redaction put tokens for, to be put back in the answer
        self.answer: list[dict[str, Any]] | None = None  # the messages of the answer, where content is turned on
        self.decision: Decision | None = None
        self.reservation: Reservation | None = None
        self.span: Any = None
        self.owner: object | None = None  # whose meter this frame waits for
        self.mirrored = False  # somebody else's span of this call says what was used
        self.hide_usage_chunk = False  # we asked for it, the application did not
        self.items_cost: Decimal | None = None  # of a batch: what its items cost so far
        self.entry: LedgerEntry | None = None
        self.ending: Ending | None = None  # what the entry shares with others
        self._ticket = Ticket()  # whoever takes it settles

    # -- guard ---------------------------------------------------------------------------------------------------------

    def admit(self) -> None:
        """Decide and reserve. Raises `GenOpsBlocked` before anything is sent."""
        self._estimate()
        self.decision = decision = acting.act(self, deciding.decide(self, self.upper_bound))
        amount, unit = self.estimate
        blocked: GenOpsBlocked | None = None
        if decision.blocked:
            blocked = decision.refusal()
        elif self.runtime.account is None or self.facts.operation_type in _SPENT_ALREADY:
            self.reservation = Reservation(amount, unit, UNLIMITED)
        else:
            grant = self.runtime.account.reserve(self.call_id, self._budget_call(self.runtime.account), decision)
            self.decision, blocked = grant.decision, grant.refusal
            if grant.max_output_tokens is not None:
                acting.limit_output(self, grant.max_output_tokens)
            if blocked is None:
                self.reservation = grant.reservation or Reservation(amount, unit, UNLIMITED)
        self.runtime.telemetry.start(self)
        if blocked is not None:
            blocked.decision = self.decision
            self._refuse(blocked)
            raise blocked

    def readable_request(self) -> Mapping[str, Any]:
        """The request with its content in lists, so that it can be read and still be sent."""
        lists = iterators_as_lists(self.request)
        if lists:
            self.changes.update(lists)
            self.request = {**self.request, **lists}
        return self.request

    def _budget_call(self, account: Account) -> BudgetCall:
        """The call as budgets see it: the most it can take, and what such calls take as a rule."""
        facts, runtime = self.facts, self.runtime
        if facts.operation_type not in _TOKEN_OPERATIONS:
            return self.budgeted()
        most, writes_cache = estimate.bound_input(self.request)
        tokens_out = self.output_tokens()
        query, cached = self.query(_SILENT), writes_cache or "cache_write"
        expected = self.input_estimate, tokens_out
        if account.adaptive:
            expected = runtime.habits.expected(self.plan.kind, *expected)
        return self.budgeted()._replace(
            input_tokens=most,
            output_tokens=tokens_out,
            cost=self._bound(query, most, tokens_out, cached),
            input_cost=self._bound(query, most, 0, cached),
            expected_cost=self._bound(query, *expected) if account.adaptive else self.upper_bound,
            expected_tokens=sum(expected),
            reducible=self.limit_key is not None,
        )

    def budgeted(self) -> BudgetCall:
        """The call as budgets match it."""
        facts = self.facts
        return BudgetCall(self.plan.budgeted, facts.provider, facts.request_model, facts.operation)

    def output_tokens(self) -> int:
        """The most tokens of output that are reserved for."""
        if self.facts.operation_type != "inference":
            return 0
        return self.output_bound or self.runtime.default_output_bound

    def _estimate(self) -> None:
        kind = self.facts.operation_type
        if kind in _TOKEN_OPERATIONS:
            self.input_estimate = estimate.estimate_input(self.request)
            if kind == "inference":
                self.output_bound = estimate.output_bound(self.request)
            self.bound()

    def bound(self) -> None:
        """Work out the reservation with its unit, and the upper bound in money where there is a price."""
        tokens_in, tokens_out = self.input_estimate, self.output_tokens()
        self.searches = searches_of(self.facts.provider, self.request)
        self.upper_bound = amount = self._bound(self.query(_SILENT), tokens_in, tokens_out)
        self.estimate = (Decimal(tokens_in + tokens_out), "tokens") if amount is None else (amount, "USD")

    def _bound(self, query: PriceQuery, tokens_in: int, tokens_out: int, cached: str | None = None) -> Decimal | None:
        return self.runtime.book.bound(query, tokens_in, tokens_out, cached, self.searches)

    def _refuse(self, refusal: GenOpsBlocked) -> None:
        self._ticket.take()
        self.entry = self.make_entry(_SILENT, None, Outcome.BLOCKED, type(refusal).__name__)
        self._publish(self.entry)

    # -- meter ---------------------------------------------------------------------------------------------------------

    def first_chunk(self) -> None:
        """Note that the first piece of the response is here."""
        if self.first_chunk_ns is None:
            self.first_chunk_ns = time.time_ns()

    def settle(
        self,
        reading: Reading | None,
        outcome: Outcome,
        *,
        error_type: str | None = None,
        executed: bool = True,
        generated_characters: int = 0,
    ) -> LedgerEntry | None:
        """Book the call and return its entry; None if it was booked before or a call inside it was.

        `executed` is False when the provider refused the request or never got it: nothing was consumed.
        """
        if not self._ticket.take():
            return None
        reading = reading or _SILENT
        if self.child_accounted or self._is_duplicate(reading):
            self.give_back()
            self.runtime.telemetry.finish_mirror(self, outcome, error_type)
            return None
        reading, cost = self._price(reading, executed, generated_characters)
        self.entry = self.make_entry(reading, cost, outcome, error_type)
        if executed:
            self._charge(reading, cost)
        else:
            self.give_back()
        self._publish(self.entry)
        return self.entry

    def _charge(self, reading: Reading, cost: Cost | Unpriced) -> None:
        account, reservation = self.runtime.account, self.reservation
        if account is None or reservation is None:
            return
        if self.facts.operation_type in _SPENT_ALREADY:
            account.charge(self.call_id, self.budgeted(), used_by(reading, cost))
        else:
            account.settle(reservation, used_by(reading, cost))
            usage = reading.usage
            if account.adaptive and usage is not None and usage.source is UsageSource.REPORTED:
                tokens = usage.input_tokens or 0, usage.output_tokens or 0
                self.runtime.habits.observe(self.plan.kind, self.input_estimate, *tokens)

    def give_back(self) -> None:
        """Return what was reserved: nothing was consumed, or a call inside this one reserves and books."""
        if self.runtime.account is not None and self.reservation is not None:
            self.runtime.account.release(self.reservation)

    def settle_at(self, reading: Reading, cost: Cost | Unpriced) -> LedgerEntry:
        """Book a call whose cost the application states."""
        self._ticket.take()
        self.entry = self.make_entry(reading, cost, Outcome.COMPLETED, None)
        self._charge(reading, cost)
        self._publish(self.entry)
        return self.entry

    def _is_duplicate(self, reading: Reading) -> bool:
        if not identifies(reading.response_id):
            return False
        return not self.runtime.seen.first(self.facts.provider, reading.response_id)

    def _price(self, reading: Reading, executed: bool, characters: int) -> tuple[Reading, Cost | Unpriced]:
        if reading.usage is None and reading.reported_cost is None:
            if not executed:
                return reading, _NOT_BILLED
            usage = estimated_usage(self.facts.operation_type, self.input_estimate, characters)
            if usage is None:
                return reading, self._price_unmetered(reading)
            reading = reading._replace(usage=usage)
        return reading, self.runtime.book.price(reading.usage or _NOTHING, self.query(reading), lines=False)

    def _price_unmetered(self, reading: Reading) -> Cost | Unpriced:
        """A completed call that consumes nothing countable is free where the book says so, and unpriced elsewhere."""
        cost = self.runtime.book.price(_NOTHING, self.query(reading), lines=False)
        if isinstance(cost, Cost) and cost.status is not CostStatus.FREE:
            return Unpriced("the response states no usage", cost.price_data_version)
        return cost

    def query(self, reading: Reading) -> PriceQuery:
        """What besides usage decides the price of this call."""
        facts, tier = self.facts, self.request.get("service_tier")
        return PriceQuery(
            provider=facts.provider,
            api=facts.api,
            request_model=facts.request_model,
            response_model=reading.response_model,
            at=self.started_at,
            service_tier=reading.service_tier or (tier if isinstance(tier, str) else None),
            processing=facts.processing,
            region=reading.region or facts.region,
            host=facts.server_address,
            reported_cost=reading.reported_cost,
        )

    def make_entry(
        self, reading: Reading, priced: Cost | Unpriced | None, outcome: Outcome, error_type: str | None
    ) -> LedgerEntry:
        """The entry of this call as it stands; booking it is the caller's."""
        usage, reservation, first_ns = reading.usage, self.reservation, self.first_chunk_ns
        assert self.decision is not None  # admit() decided
        trace_id, span_id = self.runtime.telemetry.ids(self.span)
        own: dict[str, Any] = {
            "call_id": self.call_id,
            "trace_id": trace_id,
            "span_id": span_id,
            "started_at": self.started_at,
            "duration_ms": (time.time_ns() - self.started_ns) / 1e6,
            "response_id": reading.response_id,
            "usage": usage.quantities if usage is not None else {},
        }
        if self.parent is not None:
            own["parent_call_id"] = self.parent.call_id
        if first_ns is not None:
            own["time_to_first_chunk_ms"] = (first_ns - self.started_ns) / 1e6
        if usage is not None and usage.reasoning_tokens is not None:
            own["reasoning_tokens"] = usage.reasoning_tokens
        if isinstance(priced, Cost):
            own["cost"] = priced.amount
            own["list_cost"] = priced.list_amount
        if reservation is not None:
            own["reserved"] = reservation.amount
            own["actual"] = actual_of(reservation, priced, usage)
        self.ending = self.plan.ending((outcome, error_type), self.decision, reading, priced, reservation)
        return entry_of(self.ending.fields, own)

    # -- batches -------------------------------------------------------------------------------------------------------

    def book_item(self, entry: LedgerEntry, reading: Reading, cost: Cost | Unpriced) -> None:
        """Book one answered request of a batch under this frame."""
        self.items_cost = (self.items_cost or Decimal(0)) + (entry.cost or Decimal(0))
        if self.runtime.account is not None:
            self.runtime.account.charge(entry.call_id, self.budgeted(), used_by(reading, cost))
        self._deliver(entry)
        self.runtime.telemetry.record(self, entry)

    def settle_batch(self, outcome: Outcome, error_type: str | None) -> None:
        """Close a batch: its items are booked, its span carries their sum. A batch without items leaves no trace."""
        if not self._ticket.take():
            return
        if self.items_cost is None and error_type is None:
            return
        cost = Cost(self.items_cost or Decimal(0), None, CostStatus.PRICED, CostSource.LIST)
        self.entry = self.make_entry(_SILENT, cost, outcome, error_type)
        self.runtime.telemetry.finish(self, self.entry)

    # -- publishing ----------------------------------------------------------------------------------------------------

    def _publish(self, entry: LedgerEntry) -> None:
        self._deliver(entry)
        self.runtime.telemetry.finish(self, entry)
        self.runtime.telemetry.record(self, entry)

    def _deliver(self, entry: LedgerEntry) -> None:
        for sink in self.runtime.sinks:
            sink.append(entry)
        for context in self.contexts:
            context.add(entry)
        if entry.outcome is not Outcome.BLOCKED:
            parent = self.parent
            while isinstance(parent, Frame):
                parent.child_accounted = True
                parent = parent.parent


def open_frame(
    runtime: Runtime,
    facts: CallFacts,
    request: Mapping[str, Any],
    attribution: Attribution,
    *,
    changeable: bool = False,
    limit_key: str | None = None,
    model_key: str | None = None,
) -> Frame:
    """Open a call: decide, reserve, start its span. Raises `GenOpsBlocked` when it must not be made.

    `request` holds the call's arguments; it is read for estimates and never kept beyond the call. If it is `changeable`
    the caller sends it with `Frame.changes` laid over it; see `Frame.limit_key` and `Frame.model_key`.
    """
    frame = Frame(runtime, runtime.plans.of(facts, attribution), request)
    frame.changeable, frame.limit_key, frame.model_key = changeable, limit_key, model_key
    frame.admit()
    return frame
