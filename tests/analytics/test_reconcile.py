"""Reconciliation: planted differences between an invoice and the ledger are found, with their causes."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genops.analytics.invoices import InvoiceLine, Kind, model_key, read_invoice
from genops.analytics.reconcile import Booked, reconcile
from genops.core.errors import ConfigurationError

SAMPLES = Path(__file__).parent / "invoices"
DAY = date(2026, 11, 2)


def _booked(day: int, model: str, cost: str, **more: int) -> Booked:
    facts = {"calls": 10, "unpriced": 0, "estimated": 0} | more
    return Booked(day=DAY + timedelta(days=day), model=model, project="shop", cost=Decimal(cost), **facts)


def _causes(lines: list[InvoiceLine], ledger: list[Booked]) -> dict[tuple[date | None, str | None], str | None]:
    return {(row.day, row.model): row.cause for row in reconcile(lines, ledger).rows}


def test_openai_export() -> None:
    """Empty days are passed over; the model stands before the comma; each planted difference has its cause."""
    found, lines = read_invoice(SAMPLES / "openai-costs.csv")
    ledger = [_booked(0, "gpt-4o", "3.5"), _booked(1, "gpt-4o-mini", "0.10", unpriced=4), _booked(1, "gpt-4.1", "1")]
    causes = _causes(lines, ledger)

    assert ("openai", 4, "shop") == (found.name, len(lines), lines[0].project)
    assert {
        (DAY, "gpt-4o"): None,
        (DAY + timedelta(days=1), "gpt-4o-mini"): "unpriced",
        (DAY + timedelta(days=1), "gpt-4.1"): "not invoiced",
        (DAY + timedelta(days=1), "o3-2025-04-16"): "missing calls",
    } == causes


def test_anthropic_export_at_a_lower_rate() -> None:
    """Three days 10 percent below the ledger are a rate, not three accidents; names are matched as they are written."""
    found, lines = read_invoice(SAMPLES / "anthropic-cost.csv")
    ledger = [_booked(day, "claude-haiku-4-5-20251001", str(day + 1)) for day in range(3)]
    ledger.append(_booked(2, "claude-sonnet-4-5", "15"))
    result = reconcile(lines, ledger)

    assert "anthropic" == found.name
    assert ["rates"] * 3 + [None] == [row.cause for row in sorted(result.rows, key=lambda row: (row.model, row.day))]
    assert "10.0 % below" in result.differing[0].why


def test_aws_export_with_credits_tax_and_another_currency() -> None:
    """Only Bedrock counts; credits and taxes are beside it; euros need a rate, and agree with one."""
    found, lines = read_invoice(SAMPLES / "aws-cur.csv")
    ledger = [
        _booked(0, "anthropic.claude-3-5-sonnet-20241022-v2:0", "4.5"),
        _booked(1, "amazon.nova-2-pro-v1:0", "1.1"),
    ]
    without = reconcile(lines, ledger)
    converted = reconcile(lines, ledger, by=("day",), rates={"EUR": Decimal("1.1")})

    assert ("aws-cur", 5) == (found.name, len(lines))
    assert {Kind.CREDIT: Decimal("-0.5"), Kind.TAX: Decimal("0.855")} == without.other
    assert ({"EUR": Decimal(1)}, False) == (without.unconverted, without.agrees)
    assert converted.agrees


def test_aws_cost_explorer_has_a_column_for_each_usage_type() -> None:
    """Totals are not counted a second time."""
    found, lines = read_invoice(SAMPLES / "aws-cost-explorer.csv")

    assert ("aws-cost-explorer", Decimal("7.5")) == (found.name, sum(line.cost for line in lines))


def test_days_cut_at_another_hour_are_told_apart_from_missing_calls() -> None:
    """What one day lacks the next one has."""
    lines = [
        InvoiceLine(day=DAY + timedelta(days=d), cost=Decimal(c), model="m") for d, c in ((0, 12), (1, 8), (2, 10))
    ]
    ledger = [_booked(0, "m", "10"), _booked(1, "m", "10"), _booked(2, "m", "10")]

    assert ["day boundary", "day boundary", None] == [row.cause for row in reconcile(lines, ledger).rows]


def test_a_file_of_another_kind_is_read_with_the_users_column_names(tmp_path: Path) -> None:
    """Columns can be named; without names the fix says so; a wrong one is answered with the nearest."""
    (tmp_path / "bill.csv").write_text("Day,Amount,Name\n2026-11-02,$1,gpt-4o\n")

    with pytest.raises(ConfigurationError, match="no column is known to hold the date and the cost") as error:
        read_invoice(tmp_path / "bill.csv")
    assert "--map date=COLUMN" in str(error.value)
    with pytest.raises(ConfigurationError, match="Did you mean 'Amount'"):
        read_invoice(tmp_path / "bill.csv", None, {"cost": "Amuont"})
    columns = {"date": "Day", "cost": "Amount", "model": "Name"}
    assert [InvoiceLine(day=DAY, cost=Decimal(1), model="gpt-4o")] == read_invoice(
        tmp_path / "bill.csv", None, columns
    )[1]


@pytest.mark.parametrize(
    ("text", "problem"), [("Day,1\nyesterday,1\n", "no date"), ("Day,1\n2026-11-02,NaN\n", "no amount")]
)
def test_a_value_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    """File, line and what was expected."""
    (tmp_path / "bill.csv").write_text(text)

    with pytest.raises(ConfigurationError, match=rf"bill.csv:2: .* {problem}"):
        read_invoice(tmp_path / "bill.csv", None, {"date": "Day", "cost": "1"})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Claude Haiku 4.5", "claude-haiku-4-5-20251001", True),
        ("Claude3.5Sonnet", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", True),
        ("Claude3Sonnet", "claude-3-5-sonnet", False),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4.1", "gpt-4", False),
        ("USE1-Claude4.5Haiku-cache-read-input-token-count", "claude-haiku-4-5", True),
    ],
)
def test_model_names_of_invoices_and_ledgers(one: str, other: str, same: bool) -> None:
    """One model under two names is one; two models are two."""
    assert same is (model_key(one) == model_key(other))


AMOUNTS = st.integers(100, 10**9).map(lambda cents: Decimal(cents) / 100)


@settings(max_examples=100, deadline=None)
@given(
    ledger=st.dictionaries(
        st.tuples(st.integers(0, 6), st.sampled_from(["gpt-4o", "o3", "gpt-4.1"])), AMOUNTS, min_size=1
    ),
    planted=st.decimals("0.05", "10", places=2),
    which=st.integers(0, 10**6),
)
def test_a_planted_difference_is_found_and_nothing_else(
    ledger: dict[tuple[int, str], Decimal], planted: Decimal, which: int
) -> None:
    """An invoice that says what the ledger says agrees; one changed line is the one that differs, by just that much."""
    booked = [_booked(day, model, str(cost)) for (day, model), cost in ledger.items()]
    lines = [InvoiceLine(day=each.day, cost=each.cost, model=each.model) for each in booked]
    assert reconcile(lines, booked).agrees

    place = which % len(lines)
    extra = lines[place].cost * planted
    lines.append(InvoiceLine(day=lines[place].day, cost=extra, model=lines[place].model))
    result = reconcile(lines, booked)

    assert [(lines[place].day, lines[place].model, extra)] == [(r.day, r.model, r.difference) for r in result.differing]
