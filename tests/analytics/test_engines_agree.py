"""DuckDB and ClickHouse give the same answer to every question, to the last decimal place."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.analytics.ledgers import NOON, Server, entry, evaluation, rows_of, varied, write

from genops.analytics import Filters, Replica
from genops.analytics.registry import QUERIES
from genops.core.ledger import LedgerEntry, Outcome

clickhouse = pytest.importorskip("genops.analytics.clickhouse")

HOSTILE = ("it's", 'a "quote"', "back\\slash", "tab\tnew\nline", "{x:String}", "$w_0_0", "--", "Zoë 🚀", "a;b")
# Every query, with parameters that reach every part of its text.
QUESTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "spend_by": ({}, {"by": ("team", "model")}, {"by": ("tag:release", "day"), "limit": 4}, {"by": ("month", "week")}),
    "sums": ({}, {"by": ("team", "tag:release"), "limit": 4}),
    "spend_over_time": ({"by": "team", "top": 1}, {"bucket": "hour", "by": "tag:release"}, {"bucket": "month"}),
    "latency_over_time": ({"bucket": "hour"}, {"bucket": "week", "zone": "America/New_York"}),
    "unit_economics": ({}, {"by": "team", "limit": 2}),
    "calls": (
        {"limit": 3},
        {"order": "cost", "limit": 5},
        {"before": (NOON + timedelta(days=1), "~"), "limit": 3},
        {"order": "cost", "before": (Decimal("0.00000001"), "~")},
    ),
    "call": ({"call_id": f"{7:026}"}, {"call_id": "nobody's"}),
    "entries": ({"limit": 3}, {"after": (NOON + timedelta(minutes=43 * 5, microseconds=5), "")}),
    "judgements": (
        {"call_id": f"{30:026}"},
        {"call_id": f"{8:026}", "trace_id": f"{4:032x}"},
        {"call_id": "nobody's"},
    ),
    "outcomes": ({}, {"by": ("team",)}),
    "values": ({"column": "team"}, {"column": "tag:release", "limit": 1}),
    "daily": ({}, {"by": "model", "zone": "Asia/Kolkata"}),
    "usage_by_model": ({}, {"by": ("team", "day")}),
    "reservations": ({}, {"by": ("model",)}),
    "unpriced_models": ({"limit": 1},),
    "decisions_by_rule": ({"limit": 1},),
    "decisions_over_time": ({"zone": "Europe/Berlin"}, {"bucket": "minute", "zone": "Europe/Berlin"}),
    "evaluations": ({}, {"bucket": "month", "name": "accuracy"}),
}
FILTERS = (
    Filters(),
    Filters(since=NOON + timedelta(hours=5), until=datetime(2026, 11, 25, tzinfo=UTC)),
    Filters(where=(("team", "search"), ("team", None), ("model", "gpt-4o"))),
    Filters(where=(("tag:release", "v1"),)),
    Filters(where=(("customer_id", "nobody"),)),
)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, clickhouse_server: Server) -> Any:
    directory = write(
        tmp_path_factory.mktemp("ledger"),
        *varied(97),
        evaluation("e1", trace_id=f"{4:032x}", passed=False, score=0.2),
        evaluation("e2", call_id=f"{30:026}", passed=False, team="search"),
        evaluation("e3", name="tone", passed=None, score=1.0, evaluated_at=NOON + timedelta(days=2)),
    )
    yield from _both(directory, clickhouse_server)


def _both(directory: Path, server: Server) -> Any:
    url = server.database()
    client = clickhouse.connect(url)
    clickhouse.migrate(client)
    clickhouse.ship(client, directory, batch=32)
    replica, remote = Replica(directory), clickhouse.ClickHouse(url)
    replica.advance()
    yield replica, remote
    replica.close()
    remote.close()
    client.close()


@pytest.mark.parametrize("filters", FILTERS, ids=("all", "time", "values", "tag", "none"))
@pytest.mark.parametrize("name", QUERIES)
def test_every_query_has_one_answer(engines: Any, name: str, filters: Filters) -> None:
    """Money to the last place, groups, order and times are the same; quantiles to nine places."""
    here, there = engines
    for parameters in QUESTIONS.get(name, ({},)):
        expected = rows_of(here.query(name, filters, **parameters))

        assert expected == rows_of(there.query(name, filters, **parameters)), parameters


def test_questions_reach_every_query_with_parameters() -> None:
    """A query that gains a parameter has to be asked with it here."""
    asked = {name: {key for parameters in QUESTIONS[name] for key in parameters} for name in QUESTIONS}
    missing = {name: set(query.parameters) - asked.get(name, set()) for name, query in QUERIES.items()}

    assert {} == {name: found for name, found in missing.items() if found - {"zone", "bucket"}}


MONEY = st.none() | st.decimals(0, 10**9, places=12)
TEXT = (
    st.none()
    | st.sampled_from(HOSTILE)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerEntry]:
    made = []
    for number in range(draw(st.integers(0, 8))):
        cost = draw(MONEY)
        made.append(
            entry(
                f"{number:026}",
                started_at=datetime(2026, 3, 28, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 10**7))),
                duration_ms=draw(st.floats(0, 10**6)),
                outcome=draw(st.sampled_from(tuple(Outcome))),
                team=draw(TEXT),
                customer_id=draw(TEXT),
                trace_id=draw(st.none() | st.sampled_from(("0" * 31 + "1", "0" * 31 + "2"))),
                tags=dict.fromkeys(draw(st.sets(st.sampled_from(HOSTILE), max_size=2)), "x"),
                cost=cost,
                cost_status="unpriced" if cost is None else "priced",
                list_cost=draw(MONEY),
                usage={"input": draw(st.integers(0, 10**12)), "pages": draw(st.decimals(0, 100, places=3))},
            )
        )
    return made


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=ledgers(), value=st.sampled_from(HOSTILE), zone=st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kolkata"))
)
def test_any_ledger_has_one_answer(clickhouse_server: Server, entries: Any, value: str, zone: str) -> None:
    """Whatever is in a ledger, hostile values and tag keys among it, both engines agree on it."""
    with tempfile.TemporaryDirectory() as folder:
        directory = write(Path(folder) / "ledger", entry("first", tags={value: value}, team=value), *entries)
        for here, there in _both(directory, clickhouse_server):
            for name, parameters, where in (
                ("totals", {}, ()),
                ("spend_by", {"by": ("team", f"tag:{value}")}, ()),
                ("spend_by", {"by": ("customer_id", "day")}, (("team", value),)),
                ("spend_over_time", {"by": "team", "top": 2, "zone": zone}, ()),
                ("daily", {"zone": zone}, ((f"tag:{value}", value),)),
                ("unit_economics", {}, ()),
                ("usage_by_model", {}, ()),
                ("calls", {"limit": 3, "order": "cost"}, ()),
            ):
                expected = rows_of(here.query(name, Filters(where=where), **parameters))
                assert expected == rows_of(there.query(name, Filters(where=where), **parameters)), name
            assert 1 <= len(here.query("calls", Filters(where=((f"tag:{value}", value),))))
