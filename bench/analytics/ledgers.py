"""Synthetic ledgers: deterministic entries over 30 days, as a journal that folds into a ledger directory.

python bench/analytics/ledgers.py ROWS DIRECTORY
"""

import random
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from genops.core.cost import Cost
from genops.core.ids import new_id
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.usage import Usage
from genops.stores import fold_journals

BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
MODELS = (
    ("openai", "gpt-5.4", None), ("openai", "gpt-5.4-mini", None), ("openai", "gpt-4o", "batch"), ("openai", "gpt-5.4", "flex"),
    ("anthropic", "claude-sonnet-4-5", None), ("anthropic", "claude-haiku-4-5", None), ("gcp.gemini", "gemini-2.5-flash", None),
    ("mistral_ai", "mistral-large-latest", None), ("nobody", "private-1", None),
)  # fmt: skip
FILE_ROWS = 20_000


def entries(rows, seed=7):
    """So many entries, in the order of their start."""
    rng, book = random.Random(seed), PriceBook.default()
    step = timedelta(days=30) / rows
    prices = {}
    for number in range(rows):
        at = BEGAN + step * number
        team = min(int(rng.expovariate(0.15)), 39)
        provider, model, tier = MODELS[min(int(rng.expovariate(0.5)), len(MODELS) - 1)]
        outcome = rng.choices((Outcome.COMPLETED, Outcome.ERROR, Outcome.BLOCKED), (96, 3, 1))[0]
        usage = {"input": int(rng.lognormvariate(7, 1)) // 10 * 10, "output": int(rng.lognormvariate(5, 1)) // 10 * 10}
        if rng.random() < 0.3:
            usage["cache_read"] = usage["input"] // 2
        cost = None
        if outcome is not Outcome.BLOCKED:
            key = (model, tier, tuple(usage.items()))
            if key not in prices:
                query = PriceQuery(provider=provider, at=BEGAN, request_model=model, service_tier=tier)
                prices[key] = book.price(Usage(usage), query, lines=False)
            cost = prices[key]
        priced = cost if isinstance(cost, Cost) else None
        yield LedgerEntry(
            call_id=new_id(int(at.timestamp() * 1000)), trace_id=f"{number // 3 + 1:032x}", span_id=f"{number + 1:016x}", started_at=at,
            duration_ms=round(rng.lognormvariate(7, 0.6), 3), outcome=outcome, error_type="TimeoutError" if outcome is Outcome.ERROR else None,
            provider=provider, api="chat_completions", operation="chat", operation_type="inference", request_model=model,
            response_model=model, service_tier=tier, team=f"team-{team:02}", project=f"project-{team * 5 + rng.randrange(5):03}",
            environment=rng.choice(("production", "staging", "development")), customer_id=f"customer-{int(rng.paretovariate(0.8)) % 20000}",
            tags={"release": f"v{rng.randrange(5)}"}, usage=usage if outcome is not Outcome.BLOCKED else {}, usage_source="reported",
            cost_status=None if cost is None else priced.status.value if priced else "unpriced",
            cost_source=priced.source.value if priced else None, cost=priced.amount if priced else None,
            list_cost=priced.list_amount if priced else None, priced_model=priced.priced_model if priced else None,
            price_data_version=book.version, unpriced_reason=None if priced or cost is None else cost.reason,
            policy_result="BLOCKED" if outcome is Outcome.BLOCKED else "ALLOWED",
            policy_name="cap" if outcome is Outcome.BLOCKED else None, reserved=Decimal("0.01"), actual=priced.amount if priced else None,
            accounting_unit="USD", budget_name=f"team-{team:02}",
        )  # fmt: skip


def make(rows, directory):
    """Write and fold a ledger of so many entries."""
    journal = Path(directory) / "journal"
    journal.mkdir(parents=True, exist_ok=True)
    held = []
    for number, entry in enumerate(entries(rows), 1):
        held.append(entry.to_json())
        if len(held) == FILE_ROWS or number == rows:
            (journal / f"{number:012}-0-bench.jsonl").write_bytes(b"\n".join(held) + b"\n")
            held.clear()
            fold_journals(Path(directory))


if __name__ == "__main__":
    make(int(sys.argv[1]), sys.argv[2])
