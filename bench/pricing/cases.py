"""What every library prices: four usages for speed, and the golden cases that are tokens only for correctness.

A usage is the same for all: `input` covers cached and written tokens, as OpenAI reports it; each library's worker turns it
into that library's own object before the clock starts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

__all__ = ["SPEED", "Case", "golden"]

GOLDEN = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "cost" / "golden.json"
# meters of the golden file: the bucket they fill here
BUCKETS = {
    "input": "input",
    "input_uncached": "input",
    "cache_miss_input": "input",
    "cache_read": "cache_read",
    "cache_hit_input": "cache_read",
    "cache_write_5m": "cache_write",
    "cache_write_1h": "cache_write_1h",
    "output": "output",
    "output_incl_thoughts": "output",
    "output_incl_reasoning": "output",
}
MORE_THAN_TOKENS = ("anthropic-batch", "anthropic-fast-mode", "vertex-claude-regional-endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call; the buckets are disjoint."""

    name: str
    provider: str
    model: str
    api: str = "chat_completions"
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    tier: str | None = None
    at: str = "2026-11-20T15:00:00Z"
    expected: Decimal | None = None

    @property
    def prompt(self) -> int:
        """All input tokens."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h


SPEED = (
    Case(name="plain", provider="openai", model="gpt-4o-mini", input=1000, output=500),
    Case(name="cached", provider="openai", model="gpt-5", input=10000, cache_read=10000, output=3000),
    Case(
        name="cache read and write",
        provider="anthropic",
        api="messages",
        model="claude-sonnet-4-5",
        input=2000,
        cache_read=50000,
        cache_write=10000,
        output=1000,
    ),
    Case(name="unknown model", provider="openai", model="acme-llm-9", input=10000, output=1000),
)


def golden() -> list[Case]:
    """The golden cases whose lines are tokens of the buckets above and that need nothing but model, tier and time.

    Left out: rates of the user's, batches, fast mode and regional factors, for which not every library has an argument.
    """
    cases = []
    for case in json.loads(GOLDEN.read_text())["cases"]:
        lines = case.get("price_lines") or []
        plain = case["expected_status"] == "priced" and not any(
            case.get(key) for key in ("config", "context", "multiplier")
        )
        if (
            case["id"] in MORE_THAN_TOKENS
            or not plain
            or not lines
            or not all(line["meter"] in BUCKETS for line in lines)
        ):
            continue
        buckets = dict.fromkeys(BUCKETS.values(), 0)
        for line in lines:
            buckets[BUCKETS[line["meter"]]] += int(line["quantity"])
        answer = case["response"]
        usage = answer.get("usage") if isinstance(answer, dict) else None
        tier = answer.get("service_tier") if isinstance(answer, dict) else None
        cases.append(
            Case(
                name=case["id"],
                provider=case["provider"],
                api=case["api"],
                model=(answer.get("model") if isinstance(answer, dict) else None) or case["model"],
                tier=tier or (usage or {}).get("service_tier"),
                at=case["request_time"],
                expected=Decimal(case["expected_cost_usd"]),
                **buckets,
            )
        )
    return cases
