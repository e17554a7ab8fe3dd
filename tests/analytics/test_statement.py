"""Statements: what a cost centre is charged adds up and says what it leaves out; the page runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.analytics.ledgers import entry, write
from tests.analytics.priced import NOON, priced

from genops.analytics import Source, open_source
from genops.analytics.statement import Adjustment, Statement, as_dict, as_html, make_statement
from genops.core.rates import Rates

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    mine = {"cost_center": "cc-1", "team": "search"}
    rates = Rates.parse({"discounts": [{"provider": "anthropic", "percent": "50"}]})
    found = open_source(
        write(
            tmp_path_factory.mktemp("ledger"),
            priced("1", {"input": 1_000_000}, project=HOSTILE, **mine),
            priced("2", {"input": 100_000}, provider="anthropic", model="claude-sonnet-4-5", rates=rates, **mine),
            priced("3", {"input": 5}, model="nobody-1", **mine),
            priced("4", {"input": 1_000_000}, cost_center="cc-2"),
            priced("5", {"input": 1_000_000}, at=NOON + timedelta(days=30), **mine),
            entry("6", cost=Decimal(7), currency="EUR", **mine),
        )
    )
    yield found
    found.close()


@pytest.fixture
def made(source: Source) -> Statement:
    return make_statement(source, "cc-1", SINCE, UNTIL, adjustments=[Adjustment(name="credit", amount=Decimal("-0.5"))])


def test_charge_is_usage_and_adjustments(made: Statement) -> None:
    """2.50 and half of 0.30, less a credit; not December's, not another cost centre's, not euros."""
    assert (Decimal("2.65"), Decimal("2.15")) == (made.usage, made.charged)


def test_every_breakdown_adds_up(made: Statement) -> None:
    """What is not stated is a row, not a gap."""
    for rows in made.breakdowns.values():
        assert made.usage == sum((row["cost"] for row in rows), Decimal(0))


def test_what_has_no_price_is_named(made: Statement) -> None:
    """In the JSON as on the page."""
    found = as_dict(made)

    assert (3, 1) == (found["calls"], found["unpriced"])
    assert "1 have no price and are not charged: nobody-1 (1)" in found["coverage"]
    assert "0.15" == found["savings"]["negotiated"]
    json.dumps(found)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]


def test_page_needs_nothing_else_and_runs_nothing(made: Statement) -> None:
    """No script, no address, and a project's name is text whatever it says."""
    page = as_html(made)
    found = _Tags()
    found.feed(page)

    assert "script" not in found.tags
    assert [] == found.addresses
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "2.15 USD" in page
    assert "default-src 'none'" in page


def test_amounts_below_a_cent_are_not_shown_as_nothing(tmp_path: Path) -> None:
    """A ten thousandth of a dollar is shown as one."""
    found = open_source(write(tmp_path, priced("1", {"input": 40}, cost_center="cc-1")))
    page = as_html(make_statement(found, "cc-1", SINCE, UNTIL))
    found.close()

    assert "0.0001 USD" in page
