"""A ledger with something of everything that a page has to show, prices from the real book."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from genops.config import settings
from genops.config.settings import Settings
from genops.core.budgets.model import counter_key
from genops.core.cost import Cost
from genops.core.evaluation import Evaluation
from genops.core.ids import new_id
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.usage import Usage
from genops.stores import open_ledger
from genops.stores.budgets import open_budget_store

__all__ = ["CALLS", "HOSTILE", "settings_of", "write_sample"]

CALLS = 240
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
_MODELS = ("gpt-4.1", "gpt-4o-mini", "claude-sonnet-4-5", "text-embedding-3-small", "gpt-5-mini")
_TEAMS = ("support", "search", "growth")
_CUSTOMERS = ("acme", "globex", "initech", "umbrella", None)
_FEATURES = ("answer-ticket", "summarise", "rerank", "write-copy")
_BOOK = PriceBook.default()
_SETTINGS = """\
attribution: {project: shop, environment: production}
policy_files: [policies.yaml]
budgets:
  - {name: support-daily, match: {team: support}, limit: 0.50, window: day}
  - {name: customer-daily, group_by: [customer_id], limit: 0.20, window: day, mode: soft}
  - {name: tokens-daily, limit: 100000, unit: tokens, window: day}
rate_limits:
  - {name: copy-per-minute, match: {feature: write-copy}, limit: 40, per: 1m}
"""
_POLICIES = """\
rules:
  # Growth experiments run on small models.
  - name: growth-uses-small-models
    match: {team: growth}
    condition: model.startsWith("claude-opus")
"""


def write_sample(directory: Path) -> Path:
    """Write settings, policies, a ledger and budget counters into `directory`, and return it."""
    (directory / "genops.yaml").write_text(_SETTINGS)
    (directory / "policies.yaml").write_text(_POLICIES)
    ledger = open_ledger(directory / "ledger")
    for entry in _entries(datetime.now(UTC)):
        ledger.append(entry)
        if entry.feature == "answer-ticket" and entry.outcome is Outcome.COMPLETED:
            ledger.append_evaluation(_evaluation(entry))
    ledger.close()
    _fill_budgets(directory)
    return directory


def settings_of(ledger: Path, config: Path | None = None) -> Settings:
    """The settings of a server over `ledger`."""
    return settings.load({"ledger": {"dir": str(ledger)}}, config_file=config, environ={}, cwd=ledger.parent)


def _fill_budgets(directory: Path) -> None:
    loaded = settings_of(directory / "ledger", directory / "genops.yaml")
    store = open_budget_store(f"sqlite:{directory / 'ledger' / 'budgets.db'}")
    budgets = {budget.name: budget for budget in loaded.budgets.budgets}
    filled: list[tuple[str, dict[str, str], int]] = [
        ("support-daily", {}, 500_000_000),
        ("customer-daily", {"customer_id": "acme"}, 170_000_000),
        ("customer-daily", {"customer_id": HOSTILE}, 10_000_000),
        ("tokens-daily", {}, 42_000),
    ]
    for name, group, spent in filled:
        window = budgets[name].window
        store.adjust(counter_key(name, group, window.series, window.at(store.clock()).start), spent)
    store.close()


def _entries(now: datetime) -> Iterator[LedgerEntry]:
    chance = random.Random(11)
    for number in range(CALLS):
        yield _entry(number, now - timedelta(minutes=41 * number, seconds=chance.uniform(1, 60)), chance)
    yield from _special(now)


def _entry(number: int, at: datetime, chance: random.Random) -> LedgerEntry:
    model = _MODELS[number % len(_MODELS)]
    embedding = model.startswith("text-embedding")
    usage: dict[str, Any] = {"input": chance.randint(200, 4000)}
    if not embedding:
        usage |= {"cache_read": chance.randint(0, 1000), "output": chance.randint(20, 900)}
    provider = "anthropic" if model.startswith("claude") else "openai"
    return LedgerEntry(
        **_facts(at, provider, "embeddings" if embedding else "chat"),
        duration_ms=chance.lognormvariate(6, 0.6),
        outcome=Outcome.COMPLETED,
        request_model=model,
        response_model=model,
        team=_TEAMS[number % 3],
        project="shop",
        environment="production",
        customer_id=_CUSTOMERS[number % 5],
        feature=_FEATURES[number % 4],
        tags={"squad": "blue" if number % 2 else "green"},
        usage=usage,
        usage_source="reported",
        policy_result="WARNING" if number % 17 == 0 else "ALLOWED",
        policy_name="customer-daily" if number % 17 == 0 else None,
        budget_name="customer-daily",
        reserved=Decimal("0.05"),
        accounting_unit="USD",
        **_priced(provider, model, usage, at),
    )


def _facts(at: datetime, provider: str, operation: str) -> dict[str, Any]:
    return {
        "call_id": new_id(int(at.timestamp() * 1000)),
        "trace_id": f"{int(at.timestamp() * 1000):032x}",
        "span_id": "b7ad6b7169203331",
        "started_at": at,
        "provider": provider,
        "api": "chat_completions",
        "operation": operation,
        "operation_type": "inference",
    }


def _priced(provider: str, model: str, usage: dict[str, Any], at: datetime) -> dict[str, Any]:
    cost = _BOOK.price(Usage(usage), PriceQuery(provider=provider, at=at, request_model=model, response_model=model))
    assert isinstance(cost, Cost), (model, cost)
    return {
        "cost": cost.amount,
        "list_cost": cost.list_amount,
        "cost_status": str(cost.status),
        "cost_source": str(cost.source),
        "priced_model": cost.priced_model,
        "price_data_version": cost.price_data_version,
        "actual": cost.amount,
    }


def _special(now: datetime) -> Iterator[LedgerEntry]:
    """Refused, unpriced, estimated, failed, and one from somebody who means harm."""
    at = now - timedelta(minutes=3)
    known = {"duration_ms": 12.5, "policy_result": "ALLOWED", "project": "shop", "environment": "production"}
    done = known | {"outcome": Outcome.COMPLETED}
    yield LedgerEntry(
        **_facts(at, "anthropic", "chat"),
        **known | {"policy_result": "BLOCKED", "outcome": Outcome.BLOCKED},
        request_model="claude-opus-4-6",
        team="growth",
        policy_name="growth-uses-small-models",
        policy_reason_code="POLICY_DENY_MODEL",
    )
    yield LedgerEntry(
        **_facts(at, "openai", "chat"),
        **done,
        request_model="shop-7b",
        team="unpriced-team",
        usage={"input": 100},
        cost_status="unpriced",
        unpriced_reason="no price for shop-7b",
    )
    usage = {"input": 900, "output": 90}
    priced = _priced("openai", "gpt-4.1", usage, at) | {"cost_status": "estimated"}
    yield LedgerEntry(
        **_facts(at, "openai", "chat"), **done, request_model="gpt-4.1", team="support", usage=usage, **priced
    )
    reported = priced | {"cost": Decimal("0.9"), "cost_status": "provider_reported", "cost_source": "provider"}
    yield LedgerEntry(
        **_facts(at, "openai", "chat"), **done, request_model="gpt-4.1", team="search", usage=usage, **reported
    )
    yield LedgerEntry(
        **_facts(at, "openai", "chat"),
        **known | {"outcome": Outcome.ERROR},
        error_type="InternalServerError",
        request_model="gpt-4.1",
        team="support",
        cost=Decimal(0),
        cost_status="free",
    )
    yield LedgerEntry(
        **_facts(now - timedelta(minutes=1), "openai", "chat"),
        **known | {"outcome": Outcome.ERROR, "policy_result": "WARNING"},
        error_type=HOSTILE,
        request_model=HOSTILE,
        response_model=HOSTILE,
        response_id=HOSTILE,
        team=HOSTILE,
        customer_id=HOSTILE,
        feature=HOSTILE,
        tags={HOSTILE: HOSTILE},
        region=HOSTILE,
        policy_name=HOSTILE,
        policy_reason_code=HOSTILE,
        budget_name=HOSTILE,
        usage={"input": 5},
        cost_status="unpriced",
        unpriced_reason=HOSTILE,
        price_data_version=HOSTILE,
    )


def _evaluation(entry: LedgerEntry) -> Evaluation:
    score = 0.6 + entry.duration_ms % 400 / 1000
    return Evaluation(
        evaluation_id=new_id(int(entry.started_at.timestamp() * 1000)),
        evaluated_at=entry.started_at,
        name="helpfulness" if entry.call_id[-1] > "4" else HOSTILE,
        score=score,
        threshold=0.75,
        passed=score >= 0.75,
        call_id=entry.call_id,
        trace_id=entry.trace_id,
        team=entry.team,
    )
