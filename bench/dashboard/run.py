"""Server time of every page of the dashboard over a ledger of a million calls.

    .venv/bin/python bench/dashboard/run.py [--calls 1000000] [--rounds 5]

The calls are made inside DuckDB, in the layout of the replica: 90 days, 12 models, 40 teams, 5,000 customers. Each page
is asked for as a browser does, through the whole application; the median and the slowest of the rounds are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from starlette.testclient import TestClient

from genops.analytics import Replica
from genops.analytics.replica import inserted
from genops.analytics.rows import CALLS
from genops.config import settings
from genops.server.app import make_app
from genops.server.state import ServerState

PAGES = (
    "/",
    "/?period=90d",
    "/?period=all",
    "/explore",
    "/explore?period=all&by=team&by=model&by=feature",
    "/explore?period=all&team=team-7&by=customer_id",
    "/explore?period=all&order=cost",
    "/budgets?period=all",
    "/policy?period=all",
    "/customers?period=all",
    "/evals?period=all",
    "/compliance?period=all",
    "/setup",
)
GIVEN = {
    "seq": "i",
    "call_id": "printf('01J%023d', i)",
    "trace_id": "printf('%032x', i // 3)",
    "started_at": "CAST(now() AS TIMESTAMP) - to_microseconds(CAST(7776000000000.0 * (i / {n}) AS BIGINT))",
    "duration_ms": "200 + 4000 * random() * random()",
    "outcome": "CASE WHEN i % 97 = 0 THEN 'blocked' WHEN i % 53 = 0 THEN 'error' ELSE 'completed' END",
    "provider": "CASE WHEN i % 3 = 0 THEN 'anthropic' ELSE 'openai' END",
    "api": "'chat_completions'",
    "operation": "'chat'",
    "operation_type": "'inference'",
    "request_model": "'model-' || i % 12",
    "response_model": "'model-' || i % 12",
    "priced_model": "'model-' || i % 12",
    "model": "'model-' || i % 12",
    "streamed": "i % 2 = 0",
    "team": "'team-' || (hash(i) % 40)",
    "project": "'shop'",
    "environment": "'production'",
    "customer_id": "'customer-' || (hash(i + 1) % 5000)",
    "feature": "'feature-' || (hash(i + 2) % 20)",
    "tags": "MAP {{'squad': 'blue'}}",
    "usage": "MAP {{'input': CAST(1000 AS DECIMAL(38,12)), 'output': CAST(100 AS DECIMAL(38,12))}}",
    "input_tokens": "1000 + i % 700",
    "output_tokens": "100 + i % 90",
    "cost_status": "CASE WHEN i % 97 = 0 THEN NULL WHEN i % 41 = 0 THEN 'unpriced' ELSE 'priced' END",
    "cost_source": "'list'",
    "cost": "CASE WHEN i % 97 = 0 OR i % 41 = 0 THEN NULL ELSE CAST(0.0005 + (i % 997) / 90000.0 AS DECIMAL(38,12)) END",
    "list_cost": "CASE WHEN i % 97 = 0 OR i % 41 = 0 THEN NULL ELSE CAST(0.0005 + (i % 997) / 90000.0 AS DECIMAL(38,12)) END",
    "currency": "'USD'",
    "price_data_version": "'2026-11-20'",
    "policy_result": "CASE WHEN i % 97 = 0 THEN 'BLOCKED' WHEN i % 19 = 0 THEN 'WARNING' ELSE 'ALLOWED' END",
    "policy_name": "CASE WHEN i % 97 = 0 OR i % 19 = 0 THEN 'rule-' || i % 7 END",
    "budget_name": "'team-daily'",
    "saved_cache": "0",
    "saved_batch": "0",
    "saved_tier": "0",
}


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--calls", type=int, default=1_000_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--json", type=Path)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        replica = Replica(directory, directory / "analytics.duckdb")
        columns = ", ".join(f"{GIVEN.get(name, 'NULL')} AS {name}" for name in CALLS).format(n=given.calls)
        replica._connection.execute(inserted("calls", f"SELECT {columns} FROM range({given.calls}) AS t(i)"))
        loaded = settings.load({"ledger": {"dir": folder}}, environ={}, cwd=directory)
        state = ServerState(source=replica, directory=directory, settings=loaded)
        client = TestClient(make_app(state), base_url="http://127.0.0.1")
        measured = {page: _measure(client, page, given.rounds) for page in PAGES}
        replica.close()
    slowest = max(median for median, _ in measured.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{given.calls:,} calls, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {peak:,} MiB; ms, median and slowest of {given.rounds}"
    )
    for page, (median, worst) in measured.items():
        print(f"  {page:<52}{median:>8.0f}{worst:>8.0f}")
    if given.json is not None:
        given.json.write_text(json.dumps({"calls": given.calls, "pages": measured}, indent=2))
    sys.exit(0 if slowest < 300 else 1)


def _measure(client: TestClient, page: str, rounds: int) -> tuple[float, float]:
    found = []
    for _ in range(rounds + 1):  # the first one reads templates and the file
        start = time.perf_counter()
        answer = client.get(page)
        found.append((time.perf_counter() - start) * 1000)
        assert answer.status_code == 200, (page, answer.status_code)
    return statistics.median(found[1:]), max(found[1:])


if __name__ == "__main__":
    main()
