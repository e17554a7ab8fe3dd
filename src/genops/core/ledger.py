"""The ledger: one frozen, serialisable entry per settled call. Everything else reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Protocol

from genops.core.usage import INPUT_METERS, OUTPUT_METERS

__all__ = ["LEDGER_SCHEMA_VERSION", "LedgerEntry", "LedgerSink", "Outcome", "SharedFields", "entry_of", "plain"]

LEDGER_SCHEMA_VERSION = 1


class Outcome(StrEnum):
    """How a call ended."""

    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"  # the awaiting task was cancelled
    CLOSED_EARLY = "closed_early"  # the application stopped reading a stream
    ABANDONED = "abandoned"  # a stream was garbage-collected unread
    BLOCKED = "blocked"  # refused before execution: no usage, no cost


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One call, settled.

    Money is an exact decimal with at most 12 places, or None when unknown; times are aware UTC; durations are in the
    unit their name says. Content (prompts, completions) is never part of an entry.
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

    @property
    def input_tokens(self) -> int | None:
        """All input tokens, cached and written ones included; None if none were stated."""
        return _total(self.usage, _INPUT)

    @property
    def output_tokens(self) -> int | None:
        """All output tokens, reasoning included; None if none were stated."""
        return _total(self.usage, _OUTPUT)

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready values: decimals as plain strings, times as ISO 8601 with Z, nothing for None."""
        found: dict[str, Any] = {"schema_version": LEDGER_SCHEMA_VERSION}
        for name, value in zip(_FIELDS, _read_fields(self), strict=True):
            kind = type(value)
            if kind is str or kind is float or kind is bool:
                found[name] = value
            elif value is not None and (value or value == 0) and value != ():
                found[name] = plain(value)
        return found

    def to_json(self) -> bytes:
        """The entry as one line of JSON, without a line end: what `to_dict` says, five times as fast."""
        parts = [_HEAD]
        for name, value in self.own_fields().items():
            if value is None:
                continue
            text = encode_basestring(value) if type(value) is str else _written(value)
            if text is not None:
                parts.append(_KEYS[name])
                parts.append(text)
        made_of = vars(self).get("_parts")
        parts.append(f"{made_of[0].json}}}" if made_of is not None else "}")
        return "".join(parts).encode(errors="replace")

    def own_fields(self) -> Mapping[str, Any]:
        """The fields this entry does not share with others of its kind; all of them where it shares none."""
        parts = vars(self).get("_parts")
        own: Mapping[str, Any] = parts[1] if parts is not None else vars(self)
        return own

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> LedgerEntry:
        """Read what `to_dict` made. Raises `ValueError` for a later schema, `KeyError` or `TypeError` for no entry."""
        if found.get("schema_version", 0) > LEDGER_SCHEMA_VERSION:
            raise ValueError(
                f"ledger entry of schema {found['schema_version']}; this version reads {LEDGER_SCHEMA_VERSION}"
            )
        values = {name: value for name, value in found.items() if name in _FIELDS}
        values["started_at"] = datetime.fromisoformat(values["started_at"])
        values["outcome"] = Outcome(values["outcome"])
        for name in _MONEY:
            if name in values:
                values[name] = Decimal(values[name])
        for name in ("usage_flags", "missing_meters"):
            values[name] = tuple(values.get(name, ()))
        values["usage"] = {
            meter: Decimal(quantity) if isinstance(quantity, str) else quantity
            for meter, quantity in values.get("usage", {}).items()
        }
        return cls(**values)


_FIELDS = tuple(item.name for item in fields(LedgerEntry))
_read_fields = attrgetter(*_FIELDS)
_INPUT, _OUTPUT = frozenset(INPUT_METERS), frozenset(OUTPUT_METERS)
_MONEY = ("cost", "list_cost", "reserved", "actual")


def _total(usage: Mapping[str, int | Decimal], meters: frozenset[str]) -> int | None:
    total = None
    for meter, quantity in usage.items():
        if meter in meters:
            total = int(quantity) + (total or 0)
    return total


def plain(value: Any) -> Any:
    """A field as a JSON-ready value."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        return f"{moment.replace(tzinfo=None).isoformat()}Z"
    if isinstance(value, Outcome):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


# -- the quick way, for the call path ----------------------------------------------------------------------------------

_HEAD = f'{{"schema_version":{LEDGER_SCHEMA_VERSION}'
_KEYS = {name: f',"{name}":' for name in _FIELDS}


class SharedFields:
    """Fields that many entries have in common, with their JSON made once."""

    __slots__ = ("json", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        written = ((name, _written(value)) for name, value in values.items() if value is not None)
        self.json = "".join(f"{_KEYS[name]}{text}" for name, text in written if text is not None)


def entry_of(shared: SharedFields, own: dict[str, Any]) -> LedgerEntry:
    """The entry of these fields, without the constructor, which would take as long as all else of an entry.

    What is left out has its default. Only for values that are right by construction.
    """
    entry = object.__new__(LedgerEntry)
    found = vars(entry)
    found.update(shared.values)
    found.update(own)
    found["_parts"] = shared, own
    return entry


def _written(value: Any) -> str | None:
    """A field as JSON; None for one that is left out because it is empty."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    found = plain(value)
    return json.dumps(found, ensure_ascii=False) if found or found == 0 else None


def _write_moment(moment: datetime) -> str:
    return f'"{plain(moment)}"'


def _write_amount(amount: Decimal) -> str:
    text = str(amount)
    return f'"{text}"' if "E" not in text else f'"{amount:f}"'


def _write_mapping(mapping: Mapping[str, Any]) -> str | None:
    if not mapping:
        return None
    return "{" + ",".join([f"{encode_basestring(key)}:{_written(item)}" for key, item in mapping.items()]) + "}"


_WRITERS: Mapping[type, Callable[[Any], str | None]] = {
    str: encode_basestring,
    int: repr,
    float: repr,
    bool: lambda flag: "true" if flag else "false",
    Decimal: _write_amount,
    datetime: _write_moment,
    Outcome: lambda outcome: f'"{outcome.value}"',
    dict: _write_mapping,
}


class LedgerSink(Protocol):
    """Takes settled calls. `append` must return without waiting for a network."""

    def append(self, entry: LedgerEntry) -> None: ...
