"""A ledger entry and its JSON schema say the same."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from genops.core.ledger import LedgerEntry, Outcome

SCHEMA = json.loads((Path(__file__).parents[2] / "spec/schema/ledger-entry.schema.json").read_text())
ENTRY = LedgerEntry(
    call_id="01M84VJ5CDTESEAPMB2QTH49BR",
    started_at=datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC),
    duration_ms=3.5,
    outcome=Outcome.COMPLETED,
    provider="openai",
    api="chat_completions",
    operation="chat",
    operation_type="inference",
    policy_result="ALLOWED",
    cost=Decimal("0.000000000001"),
    usage={"input": 3, "audio_seconds": Decimal("1.5")},
    tags={"tier": "gold"},
)


def test_schema_names_every_field() -> None:
    """A field of the entry is a property of the schema, and the other way round."""
    assert {field.name for field in fields(LedgerEntry)} | {"schema_version"} == set(SCHEMA["properties"])


def test_entry_is_valid() -> None:
    """What is written passes the schema."""
    jsonschema.validate(ENTRY.to_dict(), SCHEMA)


@pytest.mark.parametrize("change", [{"cost": 0.1}, {"outcome": "lost"}, {"prompt": "hello"}, {"usage": {"input": -1}}])
def test_schema_can_fail(change: dict[str, object]) -> None:
    """Float money, unknown outcomes, content and negative usage are refused."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(ENTRY.to_dict() | change, SCHEMA)


def test_later_schema_is_refused() -> None:
    """An entry of a newer version is not read as if it were known."""
    with pytest.raises(ValueError, match="schema 99"):
        LedgerEntry.from_dict(ENTRY.to_dict() | {"schema_version": 99})
