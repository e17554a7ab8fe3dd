"""Totals: entries added up by any column, exactly, with what is unknown beside them."""

from __future__ import annotations

from decimal import Decimal

import pytest

import genops
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry
from genops.core.totals import coverage, totals, value_of
from genops.testing.capture import capture


@pytest.fixture
def entries() -> list[LedgerEntry]:
    with capture() as captured, genops.attribution(project="shop", environment="test", tags={"tier": "gold"}):
        genops.track_cost("0.1", provider="openai", model="gpt-4o", team="search")
        genops.track_cost("0.2", provider="openai", model="gpt-4o", team="search")
        genops.track_cost(provider="openai", model="nobody-1", input_tokens=5, output_tokens=2, team="ads")
        with genops.enforce_policy(deny_models=["o3"]), pytest.raises(genops.PolicyBlocked):
            genops.track_cost("9", provider="openai", model="o3", team="ads")
    return captured.entries


def test_dearest_group_first_and_refused_calls_cost_nothing(entries: list[LedgerEntry]) -> None:
    """0.1 and 0.2 are 0.3."""
    first, second = totals(entries, ("team",))

    assert (("search",), 2, Decimal("0.3"), 0) == (first.key, first.calls, first.cost, first.blocked)
    assert (("ads",), 1, Decimal(0), 1, 1, 5) == (
        second.key,
        second.calls,
        second.cost,
        second.unpriced,
        second.blocked,
        second.input_tokens,
    )


def test_coverage_names_what_has_no_price(entries: list[LedgerEntry]) -> None:
    """How many calls the money covers."""
    found = coverage(entries)

    assert (3, 1, {"nobody-1": 1}) == (found.calls, found.blocked, found.unpriced_models)


def test_columns_of_time_and_tags(entries: list[LedgerEntry]) -> None:
    """Day and hour in UTC; a tag by its key; what is not given is None."""
    one = entries[0]

    assert one.started_at.date().isoformat() == value_of(one, "day")
    assert one.started_at.strftime("%Y-%m-%d %H:00") == value_of(one, "hour")
    assert ("gold", None, None) == (value_of(one, "tag:tier"), value_of(one, "tag:x"), value_of(one, "customer_id"))


def test_column_that_is_none_is_refused(entries: list[LedgerEntry]) -> None:
    """With what was meant."""
    with pytest.raises(ConfigurationError, match="Did you mean 'team'"):
        totals(entries, ("teem",))
