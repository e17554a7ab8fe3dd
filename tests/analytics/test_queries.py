"""The texts of the queries: both dialects parse, name only what is there, and hold no value of a user's."""

from __future__ import annotations

from importlib import resources

import pytest
from tests.analytics.ledgers import NOON
from tests.analytics.test_engines_agree import QUESTIONS

from genops.analytics import Filters
from genops.analytics.dialects import CLICKHOUSE, DUCKDB, Dialect
from genops.analytics.registry import QUERIES, find_query
from genops.analytics.rows import CALLS, EVALUATIONS
from genops.analytics.statements import render

sqlglot = pytest.importorskip("sqlglot")

HOSTILE = "x'); DROP TABLE calls; --"
FILTERS = Filters(NOON, NOON, (("team", HOSTILE), ("team", None), (f"tag:{HOSTILE}", HOSTILE), ("model", HOSTILE)))
DIALECTS = (DUCKDB, CLICKHOUSE)
KNOWN = {"c": {*CALLS}, "e": {*EVALUATIONS}}
OWN = {"duckdb": {"request"}, "clickhouse": set()}  # what of a call only one engine has


def statements(name: str, dialect: Dialect) -> list[str]:
    query = find_query(name)
    return [render(name, dialect, FILTERS, query.checked(parameters)).sql for parameters in QUESTIONS.get(name, ({},))]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", QUERIES)
def test_text_parses_and_names_only_what_is_there(name: str, dialect: Dialect) -> None:
    """One statement that reads; its tables and qualified columns are those of the ledger."""
    for sql in statements(name, dialect):
        (tree,) = sqlglot.parse(sql, read=dialect.name)
        made_here = {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)}

        assert isinstance(tree, sqlglot.exp.Select)
        assert {"calls", "evaluations"} >= {table.name for table in tree.find_all(sqlglot.exp.Table)} - made_here
        for column in tree.find_all(sqlglot.exp.Column):
            if column.table in KNOWN and column.name not in ("meter", "*"):
                assert column.name in KNOWN[column.table] | OWN[dialect.name], column.sql()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", QUERIES)
def test_text_holds_no_value(name: str, dialect: Dialect) -> None:
    """What a user gave, a tag's key included, is bound."""
    assert not [sql for sql in statements(name, dialect) if "DROP" in sql]


def test_clickhouse_reads_deduplicated_rows_only() -> None:
    """Without FINAL a batch that was sent again would count twice."""
    for name in QUERIES:
        for sql in statements(name, CLICKHOUSE):
            reads = sql.count("FROM calls") + sql.count("FROM evaluations")
            assert reads == sql.count(" FINAL") > 0, name


def test_every_text_belongs_to_a_query() -> None:
    """And every query has one."""
    files = [each.name for each in (resources.files("genops.analytics") / "queries").iterdir()]

    assert set(QUERIES) == {name.partition(".")[0] for name in files}


def test_texts_can_be_read_by_warehouses() -> None:
    """A best effort: BigQuery, Snowflake and Spark get the DuckDB text, transpiled."""
    for name in QUERIES:
        for warehouse in ("bigquery", "snowflake", "spark"):
            assert sqlglot.transpile(statements(name, DUCKDB)[0], read="duckdb", write=warehouse)
