"""Ledgers to ask, and ClickHouse's engine in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from genops.core.evaluation import Evaluation
from genops.core.ledger import LedgerEntry, Outcome
from genops.stores import open_ledger

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def entry(call_id: str = "01", **more: object) -> LedgerEntry:
    """A call that cost 0.01 USD, or what `more` says."""
    facts: dict[str, object] = {
        "started_at": NOON,
        "duration_ms": 12.5,
        "outcome": Outcome.COMPLETED,
        "provider": "openai",
        "api": "chat_completions",
        "operation": "chat",
        "operation_type": "inference",
        "policy_result": "ALLOWED",
        "request_model": "gpt-4o",
        "cost_status": "priced",
        "cost_source": "list",
        "cost": Decimal("0.01"),
        "list_cost": Decimal("0.01"),
        "usage": {"input": 100, "output": 10},
    }
    return LedgerEntry(call_id=call_id, **(facts | more))  # type: ignore[arg-type]


def evaluation(evaluation_id: str = "e1", **more: object) -> Evaluation:
    facts: dict[str, object] = {"evaluated_at": NOON, "name": "accuracy", "score": 0.9, "passed": True}
    return Evaluation(evaluation_id=evaluation_id, **(facts | more))  # type: ignore[arg-type]


def write(directory: Path, *entries: LedgerEntry | Evaluation) -> Path:
    """Append to the ledger in `directory`, and return it."""
    ledger = open_ledger(directory)
    for each in entries:
        if isinstance(each, Evaluation):
            ledger.append_evaluation(each)
        else:
            ledger.append(each)
    ledger.close()
    return directory


def varied(count: int) -> list[LedgerEntry]:
    """Calls that differ in everything reports look at, spread over three days."""
    models = (("openai", "gpt-4o", None), ("openai", "gpt-4o", "batch"), ("anthropic", "claude-sonnet-4-5", None))
    made = []
    for number in range(count):
        provider, model, tier = models[number % 3]
        blocked, unpriced = number % 11 == 5, number % 7 == 3
        cost = None if blocked or unpriced else Decimal(number + 1) / 1_000_000_000
        made.append(
            entry(
                f"{number:026}",
                trace_id=f"{number // 2:032x}",
                started_at=NOON + timedelta(minutes=43 * number, microseconds=number),
                duration_ms=number * 1.25,
                time_to_first_chunk_ms=number / 2 if number % 2 else None,
                outcome=Outcome.BLOCKED if blocked else Outcome.ERROR if number % 13 == 4 else Outcome.COMPLETED,
                error_type="TimeoutError" if number % 13 == 4 else None,
                provider=provider,
                request_model=model,
                service_tier=tier,
                team=("search", "ads", None)[number % 3],
                customer_id=f"customer-{number % 5}" if number % 4 else None,
                tags={"release": f"v{number % 2}"} if number % 3 else {},
                usage={} if blocked else {"input": number * 10, "cache_read": 1000, "audio_seconds": Decimal("1.5")},
                cost_status=None if blocked else "unpriced" if unpriced else "priced",
                cost=cost,
                list_cost=None if cost is None else cost * 2 if number % 5 == 0 else cost,
                cost_source="contract" if number % 5 == 0 else "list",
                unpriced_reason="no price" if unpriced else None,
                policy_result="BLOCKED" if blocked else "ALLOWED",
                policy_name="cap" if blocked else None,
                budget_name="monthly" if number % 2 else None,
                price_data_version="2026.1",
            )
        )
    return made


class Server:
    """ClickHouse's engine behind HTTP, in a process of its own."""

    def __init__(self, directory: Path) -> None:
        program = Path(__file__).with_name("clickhouse_server.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._databases = 0

    def database(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"ledger_{self._databases}"
        self.post("/", f"CREATE DATABASE {name}".encode())
        return f"clickhouse://127.0.0.1:{self.port}/{name}"

    def fail(self, **counts: int) -> None:
        """Break the connection of the next inserts: `before` or `after` the engine has done them."""
        self.post("/_fail?" + "&".join(f"{when}={count}" for when, count in counts.items()), b"")

    def post(self, path: str, body: bytes) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body)
        with urllib.request.urlopen(request) as answer:
            found: bytes = answer.read()
            return found

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def rows_of(answer: list[dict[str, object]]) -> list[str]:
    """An answer as lines that can be compared: floats to twelve digits, everything else exact."""
    plain: Callable[[object], object] = lambda v: float(f"{v:.12g}") if isinstance(v, float) else v  # noqa: E731
    return [json.dumps({name: plain(value) for name, value in row.items()}, default=str) for row in answer]
