"""FOCUS: every row is a price times a quantity, and all rows together are the ledger."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.ledgers import entry
from tests.analytics.priced import NOON, priced

from genops.analytics.focus import FocusExport, FocusPeriod
from genops.analytics.focus_columns import EXTENSIONS, MANDATORY, FocusVersion, columns_of
from genops.analytics.focus_files import write_csv, write_parquet
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.rates import Rates
from genops.core.repricing import LedgerPrices, exact_sum

NEGOTIATED = Rates.parse(
    {
        "discounts": [{"provider": "anthropic", "percent": "12.5"}],
        "custom_rates": [
            {"provider": "openai", "model": "gpt-4o-mini", "unit": "input_1m_tokens", "usd": "0.11"},
            {"provider": "ollama", "model": "*", "unit": "compute_hour", "usd": "1.7"},
        ],
    }
)


def _rows(
    entries: list[LedgerEntry],
    version: FocusVersion = FocusVersion.V1_2,
    period: FocusPeriod = FocusPeriod.DAY,
    rates: Rates | None = None,
) -> tuple[list[dict[str, Any]], FocusExport]:
    export = FocusExport(version, LedgerPrices(rates), period)
    return list(export.of(sorted(entries, key=lambda each: each.started_at))), export


def _sum(rows: list[dict[str, Any]], column: str) -> Decimal:
    return exact_sum(row[column] for row in rows)


MODELS = st.sampled_from(
    [
        ("openai", "gpt-4o", None),
        ("openai", "gpt-4o-mini", None),
        ("openai", "gpt-4o", "priority"),
        ("openai", "gpt-5.4", "flex"),
        ("anthropic", "claude-sonnet-4-5", None),
        ("anthropic", "claude-haiku-4-5", None),
        ("ollama", "llama3.1", None),
        ("openai", "nobody-1", None),
        ("groq", "whisper-large-v3-turbo", None),
    ]
)
QUANTITIES = st.dictionaries(
    st.sampled_from(["input", "output", "cache_read", "cache_write", "web_searches"]),
    st.integers(0, 2_000_000),
    min_size=1,
)
ATTRIBUTES = st.fixed_dictionaries(
    {
        "team": st.sampled_from([None, "search", "ads", 'a "quoted", team']),
        "project": st.sampled_from([None, "shop"]),
        "customer_id": st.sampled_from([None, "acme", "=cmd()"]),
        "tags": st.sampled_from([{}, {"tier": "gold"}]),
    }
)


@st.composite
def ledger_entries(draw: Any) -> LedgerEntry:
    provider, model, tier = draw(MODELS)
    usage: dict[str, Any] = dict(draw(QUANTITIES))
    if provider == "ollama":
        usage["compute_seconds"] = Decimal(draw(st.integers(1, 100_000))) / 1000
    made = priced(
        f"{draw(st.integers(0, 10**9)):026}",
        usage,
        provider=provider,
        model=model,
        tier=tier,
        at=NOON + timedelta(minutes=draw(st.integers(0, 5_000))),
        rates=draw(st.sampled_from([None, NEGOTIATED])),
        operation_type=draw(st.sampled_from(["inference", "inference", "batch"])),
        **draw(ATTRIBUTES),
    )
    kind = draw(st.sampled_from(["as priced"] * 4 + ["reported", "manual", "blocked", "corrected"]))
    amount = Decimal(draw(st.integers(0, 10**12))) / 10**12
    changed = {
        "as priced": {},
        "reported": {"cost": amount, "cost_status": "provider_reported", "cost_source": "provider"},
        "manual": {"cost": amount, "cost_source": "manual", "list_cost": None, "currency": "EUR"},
        "blocked": {"outcome": Outcome.BLOCKED, "cost": None, "list_cost": None, "cost_status": None, "usage": {}},
        "corrected": {"cost": amount, "list_cost": amount},
    }[kind]
    return LedgerEntry(**{**vars(made), **changed})


@settings(max_examples=150, deadline=None)
@given(
    entries=st.lists(ledger_entries(), max_size=12),
    version=st.sampled_from(FocusVersion),
    period=st.sampled_from(FocusPeriod),
    rates=st.sampled_from([None, NEGOTIATED]),
)
def test_rows_are_the_ledger_exactly(
    entries: list[LedgerEntry], version: FocusVersion, period: FocusPeriod, rates: Rates | None
) -> None:
    """Whatever was called, at whatever rates, exported with whatever rates: the sums are those of the ledger."""
    rows, export = _rows(entries, version, period, rates)
    for currency in ("USD", "EUR"):
        mine = [row for row in rows if row["BillingCurrency"] == currency]
        costs = [each for each in entries if each.currency == currency and each.cost is not None]
        assert exact_sum(each.cost for each in costs) == _sum(mine, "BilledCost") == _sum(mine, "EffectiveCost")
        listed = exact_sum(each.list_cost if each.list_cost is not None else each.cost for each in costs)
        assert listed == _sum(mine, "ListCost")
    for row in rows:
        assert columns_of(version) == tuple(row)
        assert [] == [column for column in MANDATORY if row[column] is None]
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        if row["ChargeCategory"] == "Usage":
            assert row["ListUnitPrice"] * row["PricingQuantity"] == row["ListCost"]
            assert row["ContractedUnitPrice"] * row["PricingQuantity"] == row["ContractedCost"]
            assert None not in (row["SkuId"], row["SkuPriceId"], row["SkuMeter"], row["PricingUnit"])
        else:
            assert "Adjustment" == row["ChargeCategory"]
            assert abs(row["ListCost"]) + abs(row["BilledCost"]) <= Decimal(len(entries)) / 10**12
    unpriced = sum(each.cost is None and each.outcome is not Outcome.BLOCKED for each in entries)
    assert unpriced == sum(export.unpriced.values())


def test_each_version_has_its_columns() -> None:
    """57 in 1.2; 1.3 splits the provider and adds allocation; 1.4 drops the old two."""
    v12, v13, v14 = (set(columns_of(version)) - set(EXTENSIONS) for version in FocusVersion)

    assert (57, 65, 65) == (len(v12), len(v13), len(v14))
    assert {
        *("AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName"),
        *("AllocatedTags", "ContractApplied", "HostProviderName", "ServiceProviderName"),
    } == v13 - v12
    assert {"ProviderName", "PublisherName"} == v13 - v14
    assert {"CommitmentProgramEligibilityDetails", "InvoiceDetailId"} == v14 - v13


def test_cached_tokens_and_tiers_are_prices_of_their_own() -> None:
    """The cached price, the tier and the long-context price each show up in a row with its SKU price."""
    entries = [
        priced("1", {"input": 100, "cache_read": 900, "output": 50}, model="gpt-5.4", priced_model="gpt-5.4"),
        priced("2", {"input": 100, "output": 50}, model="gpt-5.4", tier="flex"),
        priced("3", {"input": 300_000}, model="gpt-5.4"),
    ]
    rows, _ = _rows(entries)
    prices = {(row["SkuMeter"], row["x_ServiceTier"], row["ListUnitPrice"]) for row in rows}

    assert {
        ("input", None, Decimal("0.0000025")),
        ("cache_read", None, Decimal("2.5E-7")),
        ("output", None, Decimal("0.000015")),
        ("input", "flex", Decimal("0.00000125")),
        ("output", "flex", Decimal("0.0000075")),
        ("input", None, Decimal("0.000005")),
    } == prices
    assert len(rows) == len({(row["SkuPriceId"]) for row in rows})
    assert {"read"} == {row["x_CacheAction"] for row in rows if row["SkuMeter"] == "cache_read"}


def test_negotiated_prices_stand_beside_list_prices() -> None:
    """List 3 USD a million, 12.5 percent off."""
    (row,), _ = _rows(
        [priced("1", {"input": 1000}, provider="anthropic", model="claude-sonnet-4-5", rates=NEGOTIATED)],
        rates=NEGOTIATED,
    )

    assert (Decimal("0.003"), Decimal("0.002625")) == (row["ListCost"], row["ContractedCost"])
    assert (Decimal("0.000003"), Decimal("0.000002625")) == (row["ListUnitPrice"], row["ContractedUnitPrice"])
    assert row["ContractedCost"] == row["BilledCost"] == row["EffectiveCost"]


def test_calls_whose_amount_the_prices_do_not_explain_are_rows_of_their_own() -> None:
    """A reported cost is one row for the call, not a wrong unit price."""
    (row,), _ = _rows([priced("1", {"input": 1000}, cost=Decimal("0.5"), cost_status="provider_reported")])

    assert ("call", Decimal(1), Decimal("0.5"), "Other") == (
        row["SkuMeter"],
        row["PricingQuantity"],
        row["BilledCost"],
        row["PricingCategory"],
    )


def test_what_is_unpriced_is_in_no_row_and_is_counted() -> None:
    """Unknown is never zero."""
    rows, export = _rows([priced("1", {"input": 5}, model="nobody-1"), entry("2", outcome=Outcome.BLOCKED, cost=None)])

    assert ([], {"nobody-1": 1}, 1, 1) == (rows, export.unpriced, export.calls, export.blocked)


def test_rows_come_while_entries_are_still_read() -> None:
    """No more than one day is held: the first day's rows are out before the third day is asked for."""
    seen: list[str] = []

    def entries() -> Iterator[LedgerEntry]:
        for day in range(3):
            seen.append(str(day))
            yield priced(str(day), {"input": 10}, at=NOON + timedelta(days=day))

    next(FocusExport(FocusVersion.V1_2, LedgerPrices()).of(entries()))

    assert ["0", "1"] == seen


def test_tags_carry_the_attribution() -> None:
    """Team, customer and the user's own tags; the project is the sub account."""
    (row,), _ = _rows([priced("1", {"input": 1}, team="search", project="shop", tags={"tier": "gold"})])

    assert {"team": "search", "project": "shop", "tier": "gold"} == json.loads(row["Tags"])
    assert ("shop", "shop", "Project") == (row["SubAccountId"], row["SubAccountName"], row["SubAccountType"])


def test_csv_and_parquet_hold_the_same_amounts(tmp_path: Path) -> None:
    """Both files add up to the ledger; quotes, commas and formulas in names survive."""
    pyarrow = pytest.importorskip("pyarrow.parquet")
    entries = [priced(str(number), {"input": number, "output": 7}, team='a "b", c') for number in range(1, 50)]
    expected = exact_sum(each.cost for each in entries)
    rows, _ = _rows(entries)
    columns, text = columns_of(FocusVersion.V1_2), io.StringIO()
    write_csv(rows, columns, text)
    write_parquet(rows, columns, tmp_path / "focus.parquet")
    read = list(csv.DictReader(io.StringIO(text.getvalue())))
    table = pyarrow.read_table(tmp_path / "focus.parquet")

    assert expected == sum(Decimal(row["BilledCost"]) for row in read)
    assert expected == sum(table["BilledCost"].to_pylist(), Decimal(0))
    assert {'a "b", c'} == {json.loads(row["Tags"])["team"] for row in read}
    assert all("." in row["PricingQuantity"] for row in read)
    assert {datetime(2026, 11, 1, tzinfo=UTC)} == set(table["BillingPeriodStart"].to_pylist())
