"""The dashboard on the ledger in ClickHouse: every query, on the real engine, with exact amounts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from tests.dashboards.test_names import DASHBOARDS

from genops.core.ledger import LedgerEntry

chdb = pytest.importorskip("chdb.session", reason="chdb, ClickHouse's engine, is not installed.  fix: pip install chdb")

# What the table has beside the fields of an entry.
ADDED = {"model", "input_tokens", "output_tokens", "cached_tokens"}
_TYPES = {
    "call_id": "String",
    "started_at": "DateTime64(6, 'UTC')",
    "duration_ms": "Float64",
    "time_to_first_chunk_ms": "Nullable(Float64)",
    **dict.fromkeys(("cost", "list_cost", "reserved", "actual"), "Nullable(Decimal(38, 12))"),
    **dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"), "Nullable(Int64)"),
    "streamed": "Bool",
    "tags": "Map(String, String)",
    "usage": "Map(String, Decimal(38, 12))",
    "usage_flags": "Array(String)",
    "missing_meters": "Array(String)",
}
COLUMNS = [*(each.name for each in fields(LedgerEntry)), *sorted(ADDED)]
ROWS = [
    {"call_id": "1", "team": "search", "model": "gpt-5.4", "cost": "0.008250000001", "cost_status": "priced",
     "duration_ms": 800, "time_to_first_chunk_ms": 200, "input_tokens": 1200, "output_tokens": 350},
    {"call_id": "2", "team": "ads", "model": "gpt-5.4-mini", "cost": "0.000000000001", "cost_status": "priced",
     "duration_ms": 100, "input_tokens": 10, "output_tokens": 5, "customer_id": "acme"},
    {"call_id": "3", "team": None, "model": "my-finetune", "cost_status": "unpriced", "duration_ms": 100,
     "unpriced_reason": "no price for my-finetune", "input_tokens": 1, "output_tokens": 1},
    {"call_id": "4", "team": "search", "model": "gpt-5.4", "outcome": "blocked", "duration_ms": 0,
     "policy_name": "one-request", "policy_reason_code": "POLICY_VIOLATION"},
    {"call_id": "5", "team": "search", "model": "gpt-5.4", "outcome": "error", "duration_ms": 5},
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """ClickHouse with five calls in the table `calls`."""
    session = chdb.Session(str(tmp_path_factory.mktemp("chdb") / "data"))
    session.query("CREATE DATABASE IF NOT EXISTS dashboards")
    columns = ", ".join(f"{name} {_TYPES.get(name, 'Nullable(String)')}" for name in COLUMNS)
    session.query(f"CREATE TABLE dashboards.calls ({columns}) ENGINE = ReplacingMergeTree ORDER BY call_id")
    common = {
        "started_at": "2026-11-27 08:00:00",
        "provider": "openai",
        "outcome": "completed",
        "currency": "USD",
        "environment": "production",
    }
    rows = "\n".join(json.dumps(common | row) for row in ROWS)
    for _ in range(2):  # a batch that is sent again
        session.query(f"INSERT INTO dashboards.calls FORMAT JSONEachRow {rows}")
    yield session
    session.close()


def queries() -> dict[str, str]:
    """Every query by the title of its panel, and those of the variables."""
    dashboard = json.loads((DASHBOARDS / "grafana/ledger.json").read_text())
    of_panels = {panel["title"]: panel["targets"][0]["rawSql"] for panel in dashboard["panels"]}
    variables = {each["name"]: each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"}
    return of_panels | variables


def as_grafana_asks(sql: str) -> str:
    """The query with macros and variables as Grafana fills them: all teams, over the whole of time."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= toDateTime(0) AND \1 <= toDateTime(4000000000)", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 60 second)", sql)
    values = {
        "${team:singlequote}": "'search','ads',''",
        "${environment:singlequote}": "'production'",
        "${currency}": "USD",
    }
    for name, value in values.items():
        sql = sql.replace(name, value)
    return sql.replace("FROM calls", "FROM dashboards.calls")


def ask(engine: Any, sql: str) -> list[dict[str, Any]]:
    """The rows of a query. Numbers that JSON would round are text."""
    options = "FORMAT JSON SETTINGS output_format_json_quote_decimals = 1, output_format_json_quote_64bit_integers = 0"
    return json.loads(engine.query(f"{as_grafana_asks(sql)} {options}").bytes())["data"]


@pytest.mark.parametrize("title", queries())
def test_every_panel_has_rows(engine: Any, title: str) -> None:
    """The engine takes the query, and it gives something."""
    assert ask(engine, queries()[title])


def test_amounts_are_exact(engine: Any) -> None:
    """To the twelfth place, over all teams, those without a name included; what was sent twice counts once."""
    assert [{"value": "0.008250000002"}] == ask(engine, queries()["Spend"])
    assert [{"value": 5}] == ask(engine, queries()["Calls"])
    assert [{"value": 0.2}] == ask(engine, queries()["Refused"])


def test_split_is_of_what_it_says(engine: Any) -> None:
    """The largest first; a customer that is not stated is one without a name."""
    spent = {(row["provider"], row["model"]): row["value"] for row in ask(engine, queries()["Spend by model"])}

    assert "0.008250000001" == spent["openai", "gpt-5.4"]
    assert "0.000000000001" == spent["openai", "gpt-5.4-mini"]
    assert {"acme", ""} == {row["customer_id"] for row in ask(engine, queries()["Spend by customer"])}


def test_what_has_no_price_and_what_was_refused_is_named(engine: Any) -> None:
    """With the reason, and the rule."""
    (unpriced,) = ask(engine, queries()["Calls without a price"])
    (refused,) = ask(engine, queries()["Refused, by rule"])

    assert ("my-finetune", "no price for my-finetune", 1) == (unpriced["model"], unpriced["reason"], unpriced["calls"])
    assert ("one-request", "POLICY_VIOLATION", 1) == (refused["rule"], refused["reason"], refused["calls"])
