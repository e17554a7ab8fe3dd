"""The dashboard on the ledger in ClickHouse: every query, on the real engine, over a ledger that was shipped there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.analytics.conftest import clickhouse_server
from tests.analytics.ledgers import Server, entry, write
from tests.dashboards.test_names import DASHBOARDS

from genops.core.ledger import Outcome

__all__ = ["clickhouse_server"]

NOTHING = {"cost": None, "list_cost": None, "cost_source": None}
CALLS = (
    entry("1", team="search", request_model="gpt-5.4", cost=Decimal("0.008250000001"), time_to_first_chunk_ms=200.0),
    entry("2", team="ads", request_model="gpt-5.4-mini", cost=Decimal("0.000000000001"), customer_id="acme"),
    entry("3", request_model="mine", cost_status="unpriced", unpriced_reason="no price for mine", **NOTHING),
    entry(
        "4",
        team="search",
        outcome=Outcome.BLOCKED,
        usage={},
        cost_status=None,
        policy_result="BLOCKED",
        policy_name="one-request",
        policy_reason_code="POLICY_VIOLATION",
        **NOTHING,
    ),
    entry("5", team="search", outcome=Outcome.ERROR, usage={}, cost_status=None, **NOTHING),
)


@pytest.fixture(scope="module")
def engine(clickhouse_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of ClickHouse, where a ledger of five calls was shipped to, and one of its batches a second time."""
    from genops.analytics.clickhouse import connect, migrate, ship

    url = clickhouse_server.database()
    client = connect(url)
    migrate(client)
    ship(client, write(tmp_path_factory.mktemp("ledger"), *CALLS))
    client.command("INSERT INTO calls SELECT * FROM calls WHERE call_id = '1'")
    yield client
    client.close()


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
    values = {"${team:singlequote}": "'search','ads',''", "${environment:singlequote}": "''", "${currency}": "USD"}
    for name, value in values.items():
        sql = sql.replace(name, value)
    return sql


def ask(engine: Any, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, as Grafana sends it."""
    return list(engine.query(as_grafana_asks(sql)).named_results())


@pytest.mark.parametrize("title", queries())
def test_every_panel_has_rows(engine: Any, title: str) -> None:
    """The engine takes the query, and it gives something."""
    assert ask(engine, queries()[title])


def test_amounts_are_exact(engine: Any) -> None:
    """To the twelfth place, over all teams, those without a name included; what was stored twice counts once."""
    assert [{"value": Decimal("0.008250000002")}] == ask(engine, queries()["Spend"])
    assert [{"value": 5}] == ask(engine, queries()["Calls"])
    assert [{"value": 0.2}] == ask(engine, queries()["Refused"])


def test_split_is_of_what_it_says(engine: Any) -> None:
    """By the model that was priced; a customer that is not stated is one without a name."""
    spent = {(row["provider"], row["model"]): row["value"] for row in ask(engine, queries()["Spend by model"])}

    assert Decimal("0.008250000001") == spent["openai", "gpt-5.4"]
    assert Decimal("0.000000000001") == spent["openai", "gpt-5.4-mini"]
    assert {"acme", ""} == {row["customer_id"] for row in ask(engine, queries()["Spend by customer"])}


def test_what_has_no_price_and_what_was_refused_is_named(engine: Any) -> None:
    """With the reason, and the rule."""
    (unpriced,) = ask(engine, queries()["Calls without a price"])
    (refused,) = ask(engine, queries()["Refused, by rule"])

    assert ("mine", "no price for mine", 1) == (unpriced["model"], unpriced["reason"], unpriced["calls"])
    assert ("one-request", "POLICY_VIOLATION", 1) == (refused["rule"], refused["reason"], refused["calls"])
