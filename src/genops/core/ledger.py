"""The ledger: one frozen, serialisable entry per settled call. Everything else reads it.

Source of the field list: spec/schema/ledger-entry.schema.json, which `tests/core/test_ledger.py` holds against this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

__all__ = ["LEDGER_SCHEMA_VERSION", "LedgerEntry", "LedgerSink", "Outcome"]

LEDGER_SCHEMA_VERSION = 1


class Outcome(StrEnum):
    """How a call ended."""

    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"  # the awaiting task was cancelled
    CLOSED_EARLY = "closed_early"  # the application stopped reading a stream
    ABANDONED = "abandoned"  # a stream was garbage-collected unread
    BLOCKED = "blocked"  # refused before execution: no usage, no cost


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One call, settled.

    Money is an exact decimal with at most 12 places, or None when unknown; times are aware UTC; durations are in the unit
    their name says. Content (prompts, completions) is never part of an entry.
    """

    call_id: str  # ULID; the idempotency key of every store
    parent_call_id: str | None = None
    trace_id: str | None = None  # 32 hex digits
    span_id: str | None = None  # 16 hex digits
    started_at: datetime
    duration_ms: float
    time_to_first_chunk_ms: float | None = None
    outcome: Outcome
    error_type: str | None = None

    # what was called
    provider: str  # gen_ai.provider.name: who sends the bill
    api: str  # shape of the exchange: chat_completions, messages, ...
    operation: str  # gen_ai.operation.name: chat, embeddings, ...
    operation_type: str  # genops.operation.type: inference, embedding, ...
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    streamed: bool = False
    service_tier: str | None = None
    region: str | None = None
    server_address: str | None = None

    # for whom
    team: str | None = None
    project: str | None = None
    environment: str | None = None
    customer_id: str | None = None
    cost_center: str | None = None
    feature: str | None = None
    session_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    # how much
    usage: Mapping[str, int | Decimal] = field(default_factory=dict)  # meter -> quantity, disjoint
    usage_source: str | None = None  # reported | estimated
    usage_flags: tuple[str, ...] = ()
    reasoning_tokens: int | None = None

    # at what cost
    cost_status: str | None = None  # CostStatus; None when blocked
    cost_source: str | None = None
    cost: Decimal | None = None
    list_cost: Decimal | None = None
    currency: str = "USD"
    priced_model: str | None = None
    price_data_version: str | None = None
    unpriced_reason: str | None = None
    missing_meters: tuple[str, ...] = ()

    # was it allowed
    policy_result: str  # ALLOWED | WARNING | BLOCKED | RATE_LIMITED
    policy_reason_code: str | None = None
    policy_name: str | None = None
    reserved: Decimal | None = None
    actual: Decimal | None = None
    accounting_unit: str | None = None  # USD, tokens, requests
    budget_name: str | None = None


class LedgerSink(Protocol):
    """Takes settled calls. `append` must return without waiting for a network."""

    def append(self, entry: LedgerEntry) -> None: ...
