"""Write, or check, spec/vectors/cost/agreement.json: priced usage over every model of the price book.

The cases are drawn with a fixed seed and priced by `genops.core.pricing`, which the hand-computed cases of golden.json
hold to the truth. The Collector must come to the same amounts, statuses and reasons.

python tools/build_price_vectors.py            writes it
python tools/build_price_vectors.py --check    exits 1 if it differs
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from genops.core.cost import Cost
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.rates import Rates
from genops.core.usage import METERS, Usage, UsageSource

__all__ = ["main"]

TARGET = Path(__file__).resolve().parents[1] / "spec/vectors/cost/agreement.json"
PRICES = json.loads((Path(__file__).resolve().parents[1] / "src/genops/data/prices.json").read_bytes())
SEED = 20261124
RATES: list[dict[str, Any]] = [
    {},
    {"discounts": [{"provider": "open*", "percent": "12.5"}, {"model": "claude-*", "percent": 7}]},
    {"custom_rates": [{"provider": "*", "model": "*gpt*", "unit": "input_1m_tokens", "usd": "1.234567"}]},
    {"custom_rates": [{"provider": "*", "unit": "compute_hour", "usd": "2.50"}], "free": ["*/*embed*"]},
    {
        "custom_rates": [
            {"provider": "anthropic", "unit": "resource_unit_1k_tokens", "usd": "0.0007", "from": "2026-03-01"}
        ],
        "provisioned": [{"provider": "azure.ai.openai", "model": "gpt-5*", "to": "2026-06-01"}],
    },
    {"model_aliases": {"openai/mine": "gpt-5.4", "azure.ai.openai/ptu": {"model": "gpt-4o", "deployment_type": "ptu"}}},
]
TIERS = [*[None] * 20, "default", "flex", "priority", "batch", "standard", "fast", "ultrafast", "nobody"]
REGIONS = [None, None, None, "us", "eu", "global", "us-east-1"]


def cases() -> Iterator[dict[str, Any]]:
    """One case for each model, and two for those with dates, tiers or variants."""
    draw = random.Random(SEED)
    for provider, facts in PRICES["providers"].items():
        for row in facts["models"]:
            special = "variants" in row or len(row["prices"]) > 1
            for _ in range(1 + special):
                yield _case(draw, provider, row)
    for model in (
        "mine",
        "ptu",
        "nobody-1",
        "GPT-4o@2024",
        "models/gemini-2.5-pro",
        "publishers/google/models/gemini-2.5-pro",
    ):
        for provider in ("openai", "azure.ai.openai", "gcp.vertex_ai", "nobody"):
            yield _priced({"provider": provider, "request_model": model, "usage": {"input": 10, "output": 3}}, 5)


def _case(draw: random.Random, provider: str, row: dict[str, Any]) -> dict[str, Any]:
    meters = sorted({meter for price in row["prices"] for meter in price["meters"]} | {"input", "output"})
    meters = draw.sample(meters, min(len(meters), draw.randint(1, 5)))
    if draw.random() < 0.1:
        meters.append(draw.choice(sorted(METERS)))
    case: dict[str, Any] = {"provider": provider, draw.choice(("request_model", "response_model")): row["id"]}
    case["usage"] = {meter: _quantity(draw, meter) for meter in dict.fromkeys(meters)}
    case["at"] = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=draw.randrange(3 * 365 * 1440))).isoformat()
    chosen = {
        "service_tier": draw.choice(TIERS),
        "processing": draw.choice((*[None] * 12, "batch")),
        "region": draw.choice(REGIONS),
        "deployment_type": draw.choice((*[None] * 8, "data_zone_standard", "regional", "provisioned")),
        "reported_cost": draw.choice((*[None] * 20, "0.0123456789012345")),
        "estimated": draw.random() < 0.05 or None,
    }
    case |= {name: value for name, value in chosen.items() if value is not None}
    return _priced(case, draw.choice((0, 0, 0, 1, 2, 3, 4)))


def _quantity(draw: random.Random, meter: str) -> int | str:
    if METERS[meter] == "seconds" and draw.random() < 0.7:
        return str(Decimal(draw.randrange(1, 10**7)) / 1000)
    return draw.choice((0, 1, draw.randrange(1, 5000), draw.randrange(1, 2_000_000)))


def _priced(case: dict[str, Any], rates: int) -> dict[str, Any]:
    usage = Usage(
        {name: Decimal(value) if isinstance(value, str) else value for name, value in case["usage"].items()},
        source=UsageSource.ESTIMATED if case.get("estimated") else UsageSource.REPORTED,
    )
    case.setdefault("at", "2026-11-20T12:00:00+00:00")
    query = PriceQuery(
        provider=case["provider"],
        at=datetime.fromisoformat(case["at"]),
        reported_cost=Decimal(case["reported_cost"]) if "reported_cost" in case else None,
        **{
            name: case.get(name)
            for name in ("request_model", "response_model", "service_tier", "processing", "region", "deployment_type")
        },
    )
    cost = BOOKS[rates].price(usage, query, lines=False)
    expect: dict[str, Any] = {"status": "unpriced"}
    if isinstance(cost, Cost):
        expect = {"status": cost.status.value, "source": cost.source.value, "amount": f"{cost.amount:f}"}
        if cost.list_amount is not None:
            expect["list"] = f"{cost.list_amount:f}"
        if cost.missing_meters and cost.status != "provider_reported":
            expect["missing"] = list(cost.missing_meters)
    else:
        expect["reason"] = cost.reason
    return {**case, "rates": rates, "expect": expect}


BOOKS = [PriceBook.default(Rates.parse(rates)) for rates in RATES]


def render() -> str:
    """The file: the rates, and one case a line."""
    lines = ",\n".join(f"  {json.dumps(case)}" for case in cases())
    rates = ",\n".join(f"  {json.dumps(each)}" for each in RATES)
    return f'{{\n "rates": [\n{rates}\n ],\n "cases": [\n{lines}\n ]\n}}\n'


def main() -> int:
    """Run the command line; 1 if `--check` found a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file differs")
    options = parser.parse_args()
    text = render()
    if options.check:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"differs: {TARGET.name}\n  fix: make generate")
        return 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {text.count('expect')} cases, {len(text) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
