"""The price book: golden cases, and what must hold for every price."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import genops
from genops.core.cost import Cost, CostStatus, Unpriced
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.rates import Rates
from genops.core.usage import METERS, Usage

CASES = json.loads((Path(__file__).parents[2] / "spec/vectors/cost/golden.json").read_text())["cases"]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOK = PriceBook.default()


def _query(model: str, provider: str = "openai", **more: Any) -> PriceQuery:
    return PriceQuery(provider=provider, request_model=model, at=more.pop("at", NOON), **more)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_golden_case_costs_exactly_what_was_computed_by_hand(case: dict[str, Any]) -> None:
    """Amount at 12 places and status agree with spec/vectors/cost."""
    cost = genops.price_response(
        case["provider"],
        case["api"],
        case["response"],
        model=case["model"],
        request=case.get("request"),
        at=datetime.fromisoformat(case["request_time"]),
        context=case.get("context"),
        config=case.get("config"),
    )
    if case["expected_cost_usd"] is None:
        assert isinstance(cost, Unpriced)
        return
    assert isinstance(cost, Cost)
    assert (Decimal(case["expected_cost_usd"]), case["expected_status"]) == (cost.amount, cost.status)


@pytest.mark.parametrize(
    ("model", "provider", "more", "meter", "quantity", "amount"),
    [
        ("gpt-5.4", "openai", {"service_tier": "flex"}, "cache_read", 1_000_000, "0.25"),
        ("gpt-5.4", "openai", {"service_tier": "flex"}, "cache_read", 100_000, "0.013"),
        ("gpt-4.1", "openai", {"service_tier": "priority"}, "input", 1_000_000, "3.5"),
        ("gpt-6.1-sol", "openai", {"region": "eu"}, "output", 1000, "0.011"),
        ("gpt-4.1", "openai", {"region": "eu"}, "input", 1_000_000, "2"),
        ("claude-sonnet-5-5", "anthropic", {"region": "us"}, "input", 1_000_000, "2.2"),
        ("claude-sonnet-5-5", "anthropic", {"region": "us"}, "web_searches", 1000, "10"),
        ("o3", "openai", {"at": datetime(2025, 6, 1, tzinfo=UTC)}, "input", 1_000_000, "10"),
        ("claude-sonnet-5-5", "anthropic", {"at": datetime(2026, 10, 1, tzinfo=UTC)}, "cache_read", 1_000_000, "0.2"),
        ("grok-4.7", "x_ai", {}, "input", 199_999, "0.399998"),
        ("grok-4.7", "x_ai", {}, "input", 200_000, "0.8"),
        ("gpt-6.1-sol", "openai", {}, "input", 272_000, "0.544"),
        ("gpt-6.1-sol", "openai", {}, "cache_write_12h", 1_000_000, "10"),
        ("ft:gpt-4.1-mini-2025-04-14:acme::x", "openai", {}, "input", 1_000_000, "0.8"),
        ("whisper-large-v3-turbo", "groq", {}, "audio_seconds", 4, "0.000111111111"),
        ("deepseek-v4-pro", "deepseek", {"at": datetime(2026, 11, 20, 2, tzinfo=UTC)}, "input", 1_000_000, "1.32"),
    ],
)
def test_special_rate_holds(
    model: str, provider: str, more: dict[str, Any], meter: str, quantity: int, amount: str
) -> None:
    """Tiers, regions, dates, thresholds and minimums, each with a figure from the published price."""
    cost = BOOK.price(Usage({meter: quantity}), _query(model, provider, **more))

    assert isinstance(cost, Cost)
    assert Decimal(amount) == cost.amount


def test_unknown_model_is_unpriced_not_free() -> None:
    """A model without a price yields Unpriced with its name."""
    outcome = BOOK.price(Usage({"input": 10}), _query("nobody-1"))

    assert isinstance(outcome, Unpriced)
    assert outcome.reason == "no price for nobody-1"


def test_unknown_tier_is_not_silently_standard() -> None:
    """A tier the book has no price for leaves the call unpriced."""
    outcome = BOOK.price(Usage({"input": 10}), _query("gpt-4o", service_tier="warp"))

    assert isinstance(outcome, Unpriced)
    assert "'warp'" in outcome.reason


def test_fine_tuned_model_never_takes_the_base_price() -> None:
    """A fine-tuned model nobody has a price for is unpriced."""
    assert isinstance(BOOK.price(Usage({"input": 10}), _query("ft:gpt-99:acme::x")), Unpriced)


def test_meter_without_a_price_makes_the_cost_partial() -> None:
    """What is priced is priced, and what is missing is named."""
    cost = BOOK.price(Usage({"input": 10, "code_sessions": 1}), _query("gpt-4o"))

    assert isinstance(cost, Cost)
    assert (CostStatus.PARTIAL, ("code_sessions",)) == (cost.status, cost.missing_meters)


def test_provisioned_deployment_has_no_marginal_cost() -> None:
    """Tokens of a provisioned deployment are free; the hour is billed elsewhere."""
    rates = Rates.parse(
        {"model_aliases": {"azure.ai.openai/ptu": {"model": "gpt-4o", "deployment_type": "provisioned"}}}
    )
    cost = PriceBook.default(rates).price(Usage({"input": 10}), _query("ptu", "azure.ai.openai"))

    assert isinstance(cost, Cost)
    assert (CostStatus.FREE, 0) == (cost.status, cost.amount)


def test_rate_with_an_unknown_unit_says_what_to_write() -> None:
    """A typo in genops.yaml is refused with the nearest unit."""
    with pytest.raises(genops.ConfigurationError, match="Did you mean 'compute_hour'"):
        Rates.parse({"custom_rates": [{"provider": "ollama", "unit": "compute_hours", "usd": "1"}]})


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.integers(0, 50_000))
def test_cost_is_additive_below_the_first_tier(left: int, right: int, output: int) -> None:
    """Two calls cost what one with their sum costs, to the last place."""
    together = BOOK.price(Usage({"input": left + right, "output": output}), _query("gpt-4o"))
    first = BOOK.price(Usage({"input": left, "output": output}), _query("gpt-4o"))
    second = BOOK.price(Usage({"input": right}), _query("gpt-4o"))

    assert isinstance(together, Cost)
    assert isinstance(first, Cost)
    assert isinstance(second, Cost)
    assert together.amount == first.amount + second.amount


@given(
    st.sampled_from(CASES),
    st.dictionaries(st.sampled_from(sorted(METERS)), st.integers(0, 400_000), max_size=5),
    st.sampled_from([None, "flex", "priority", "batch"]),
)
def test_a_cost_without_its_lines_is_the_same_cost(
    case: dict[str, Any], used: dict[str, int], tier: str | None
) -> None:
    """Leaving the lines out changes nothing but the lines."""
    query = _query(case["model"], case["provider"], service_tier=tier)
    full, short = BOOK.price(Usage(used), query), BOOK.price(Usage(used), query, lines=False)

    assert full._replace(lines=()) == short._replace(lines=()) if isinstance(full, Cost) else full == short


def test_the_hour_of_a_price_is_not_that_of_the_wall_clock() -> None:
    """One in the morning in Berlin is still the day before, for a price that changes at midnight UTC."""
    changed = datetime(2026, 1, 2, 1, tzinfo=UTC)
    row = {"id": "m", "match": {"equals": "m"}, "prices": [_from("2026-01-01", "1"), _from("2026-01-02", "2")]}
    book = PriceBook({"version": "t", "currency": "USD", "providers": {"p": {"models": [row], "fallback": []}}})
    for zone, amount in ((UTC, 2), (timezone(timedelta(hours=2)), 1)):
        cost = book.price(Usage({"input": 1}), _query("m", "p", at=changed.replace(tzinfo=zone)))
        assert isinstance(cost, Cost)
        assert amount == cost.amount


def _from(day: str, price: str) -> dict[str, Any]:
    return {"when": {"from": day}, "meters": {"input": {"price": price, "per": 1}}}


def test_a_hundred_thousand_tiny_calls_lose_nothing() -> None:
    """The sum of many small amounts is exact."""
    cost = BOOK.price(Usage({"input": 3, "output": 1}), _query("gpt-6-luna"))

    assert isinstance(cost, Cost)
    assert Decimal("0.08") == sum((cost.amount for _ in range(100_000)), Decimal(0))


def test_amount_that_a_provider_reports_has_twelve_places() -> None:
    """Ledger entries hold 12 places, whoever states the amount."""
    outcome = BOOK.price(Usage({"input": 1}), _query("gpt-5.4", reported_cost=Decimal("0.0123456789012345")))

    assert isinstance(outcome, Cost)
    assert Decimal("0.012345678901") == outcome.amount


def test_cases_for_the_collector_are_those_of_this_price_book() -> None:
    """spec/vectors/cost/agreement.json, which Go must agree with, is what Python computes today."""
    tool = Path(__file__).parents[2] / "tools/build_price_vectors.py"

    assert 0 == subprocess.run([sys.executable, str(tool), "--check"], check=False).returncode
