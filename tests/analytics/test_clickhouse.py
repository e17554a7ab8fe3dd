"""The ledger in ClickHouse: shipped exactly once, added up after deduplication, fed by the Collector, too."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.analytics.ledgers import NOON, Server, entry, evaluation, rows_of, varied, write

from genops import semconv
from genops.analytics import Filters, Replica, open_source
from genops.analytics.entries import entries_of
from genops.analytics.rows import CALLS, EVALUATIONS
from genops.core.attributes import log_attributes
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry
from genops.stores import LedgerReader

clickhouse = pytest.importorskip("genops.analytics.clickhouse")

GUIDE = Path(__file__).parents[2] / "docs/guides/scale.md"
# What contrib's exporter makes, v0.161.0, but for indexes, codecs and comments.
OTEL_LOGS = """
CREATE TABLE otel_logs (
    Timestamp DateTime64(9), TraceId String, SpanId String, TraceFlags UInt8, SeverityText LowCardinality(String),
    SeverityNumber UInt8, ServiceName LowCardinality(String), Body String, ResourceSchemaUrl LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String), ScopeSchemaUrl LowCardinality(String), ScopeName String,
    ScopeVersion LowCardinality(String), ScopeAttributes Map(LowCardinality(String), String),
    LogAttributes Map(LowCardinality(String), String), EventName String
) ENGINE = MergeTree PARTITION BY toDate(Timestamp)
ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
"""


@pytest.fixture
def client(clickhouse_url: str) -> Any:
    found = clickhouse.connect(clickhouse_url)
    clickhouse.migrate(found)
    yield found
    found.close()


def _stored(client: Any) -> tuple[int, Decimal]:
    """Rows as they lie there, duplicates included, and what they add up to when each call counts once."""
    rows = client.query("SELECT count(*) FROM calls").result_rows[0][0]
    return rows, client.query("SELECT sum(cost) FROM calls FINAL").result_rows[0][0]


def _entries(count: int, start: int = 0) -> list[LedgerEntry]:
    return [entry(f"{number:026}") for number in range(start, start + count)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_insert_that_breaks_is_sent_again_and_counts_once(
    tmp_path: Path, client: Any, clickhouse_server: Server, when: str
) -> None:
    """Whether the connection breaks before or after ClickHouse has stored a batch, each call is there once."""
    directory = write(tmp_path, *_entries(25), evaluation())
    waits: list[float] = []
    clickhouse_server.fail(**{when: 2})

    assert (25, 1) == clickhouse.ship(client, directory, batch=10, sleep=waits.append)
    assert (25, Decimal("0.25")) == _stored(client)
    assert len(waits) >= (2 if when == "before" else 1)
    assert (0, 0) == clickhouse.ship(client, directory, batch=10)


def test_batch_that_has_grown_counts_its_calls_once(tmp_path: Path, client: Any) -> None:
    """What was stored but not written down as arrived is sent again, with more: the call id tells."""
    directory = write(tmp_path, *_entries(5))
    clickhouse.ship(client, directory)
    client.command("TRUNCATE TABLE shipments")
    write(directory, *_entries(3, start=5))

    assert 8 == clickhouse.ship(client, directory).calls
    assert (13, Decimal("0.08")) == _stored(client)


def test_shipping_goes_on_after_kill(tmp_path: Path, client: Any, clickhouse_url: str) -> None:
    """A shipper that is killed in the middle loses nothing and doubles nothing."""
    directory = write(tmp_path / "ledger", *_entries(600))
    code = (
        "import sys; from pathlib import Path; from genops.analytics import clickhouse as c\n"
        "client = c.connect(sys.argv[1]); print('ready', flush=True); c.ship(client, Path(sys.argv[2]), batch=20)"
    )
    for _ in range(3):
        shipper = subprocess.Popen(
            [sys.executable, "-c", code, clickhouse_url, str(directory)], stdout=subprocess.PIPE, text=True
        )
        assert shipper.stdout is not None
        shipper.stdout.readline()
        reached = client.query("SELECT max(calls) FROM shipments").result_rows[0][0]
        while shipper.poll() is None and client.query("SELECT max(calls) FROM shipments").result_rows[0][0] <= reached:
            pass
        shipper.send_signal(signal.SIGKILL)
        shipper.wait()
        shipper.stdout.close()
    clickhouse.ship(client, directory, batch=20)

    assert Decimal("6.00") == _stored(client)[1]
    assert 600 == client.query("SELECT count(*) FROM calls FINAL").result_rows[0][0]


def test_clickhouse_that_stays_away_is_an_error_with_a_fix(
    tmp_path: Path, client: Any, clickhouse_server: Server
) -> None:
    """After some tries the command gives up, says so, and the next run goes on."""
    directory = write(tmp_path, *_entries(3))
    clickhouse_server.fail(before=6)

    with pytest.raises(ConfigurationError, match=r"stayed away over 6 tries(.|\n)*fix: run it again"):
        clickhouse.ship(client, directory, sleep=lambda _: None)
    clickhouse_server.fail(before=0)
    assert 3 == clickhouse.ship(client, directory).calls


def test_aggregates_come_after_deduplication(tmp_path: Path, clickhouse_url: str, client: Any) -> None:
    """The same rows in other batches, without a token: a view that adds up counts them twice, the queries once."""
    client.command(
        "CREATE MATERIALIZED VIEW naive ENGINE = SummingMergeTree ORDER BY provider "
        "AS SELECT provider, count(*) AS calls FROM calls GROUP BY provider"
    )
    directory = write(tmp_path, *_entries(10))
    clickhouse.ship(client, directory)
    client.command("INSERT INTO calls SELECT * FROM calls LIMIT 7")
    source = clickhouse.ClickHouse(clickhouse_url)

    assert 17 == client.query("SELECT sum(calls) FROM naive").result_rows[0][0]
    assert (10, Decimal("0.1")) == tuple(source.query("totals")[0][name] for name in ("calls", "cost"))
    source.close()


def test_money_is_no_integer(client: Any) -> None:
    """Why: the engine's sum of Int64 wraps to a negative number without a word; that of Decimal(38, 12) is right."""
    big = "SELECT {} AS v UNION ALL SELECT {}"
    wrapped = client.query(f"SELECT sum(v) FROM ({big.format(*['toInt64(9000000000000000000)'] * 2)})").result_rows
    exact = client.query(f"SELECT sum(v) FROM ({big.format(*['toDecimal128(9000000, 12)'] * 2)})").result_rows
    kinds = dict(client.query("SELECT name, type FROM system.columns WHERE table = 'calls'").result_rows)

    assert wrapped[0][0] < 0
    assert exact[0][0] == 18_000_000
    money = [name for name, kind in CALLS.items() if kind == "DECIMAL(38,12)"]
    assert {"Nullable(Decimal(38, 12))"} == {kinds[name] for name in money}


def test_tables_have_the_columns_of_the_replica(client: Any) -> None:
    """Column by column, in the same order; `precedence` is ClickHouse's own."""
    for table, columns, own in (("calls", CALLS, ["precedence"]), ("evaluations", EVALUATIONS, [])):
        found = [row[0] for row in client.query(f"DESCRIBE TABLE {table}").result_rows]
        assert [*columns, *own] == found


def test_migrating_again_changes_nothing(tmp_path: Path, client: Any) -> None:
    """Also after half a migration."""
    clickhouse.ship(client, write(tmp_path, *_entries(2)))
    client.command("TRUNCATE TABLE genops_migrations")

    assert [1] == clickhouse.migrate(client)
    assert [] == clickhouse.migrate(client)
    assert 2 == _stored(client)[0]


def _log_record(each: LedgerEntry) -> dict[str, Any]:
    """The record as the exporter stores it: attributes as text."""
    fields = {name: getattr(each, name) for name in semconv.LEDGER_ATTRIBUTES}
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in log_attributes(fields).items()
    }
    return {
        "Timestamp": each.started_at.isoformat(" ").partition("+")[0],
        "TraceId": each.trace_id or "",
        "SpanId": each.span_id or "",
        "EventName": semconv.EVENT_USAGE_RECORDED,
        "LogAttributes": attributes,
    }


def test_what_the_collector_writes_is_the_same_ledger(
    tmp_path: Path, client: Any, clickhouse_url: str, clickhouse_server: Server
) -> None:
    """Records of the exporter's table are rows of the ledger, exact, once each, however often they are inserted."""
    client.command(OTEL_LOGS)
    clickhouse.make_collector_view(client)
    entries = varied(40)
    lines = "\n".join(json.dumps(_log_record(each)) for each in entries)
    other = json.dumps({"Timestamp": "2026-11-23 12:00:00", "EventName": "something.else", "LogAttributes": {}})
    for _ in range(2):
        client.raw_insert("otel_logs", insert_block=f"{lines}\n{other}\n", fmt="JSONEachRow")

    replica, source = Replica(write(tmp_path, *entries)), clickhouse.ClickHouse(clickhouse_url)
    replica.advance()
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("totals", {}),
        ("spend_by", {"by": ("team", "model", "tag:release")}),
        ("usage_by_model", {}),
        ("calls", {"limit": 40}),
        ("unit_economics", {}),
    )
    for name, parameters in asked:
        assert rows_of(replica.query(name, **parameters)) == rows_of(source.query(name, **parameters)), name
    replica.close()
    source.close()


def test_of_two_statements_the_ledgers_own_counts(tmp_path: Path, client: Any) -> None:
    """A call that both the Collector and a shipper tell is one row, as the process that made it says."""
    client.command(OTEL_LOGS)
    clickhouse.make_collector_view(client)
    own = entry("01", team="search", cost=Decimal("0.010000000001"))
    clickhouse.ship(client, write(tmp_path, own))
    told = json.dumps(_log_record(entry("01", team=None, cost=Decimal("0.01"))))
    client.raw_insert("otel_logs", insert_block=f"{told}\n", fmt="JSONEachRow")

    assert [("search", own.cost)] == client.query("SELECT team, cost FROM calls FINAL").result_rows


def test_view_without_the_exporters_table_says_what_to_do(client: Any) -> None:
    """The exporter makes its table, so it goes first."""
    with pytest.raises(ConfigurationError, match="start the Collector"):
        clickhouse.make_collector_view(client)


def test_database_without_tables_says_how_they_are_made(tmp_path: Path, clickhouse_url: str) -> None:
    """A report from a ClickHouse that nobody has shipped to, and shipping without `migrate`."""
    source = clickhouse.ClickHouse(clickhouse_url)
    empty = clickhouse.connect(clickhouse_url)

    for ask in (lambda: source.query("totals"), lambda: clickhouse.ship(empty, write(tmp_path, entry()))):
        with pytest.raises(ConfigurationError, match=r"ClickHouse says: (.|\n)*fix: genops ship"):
            ask()
    source.close()
    empty.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "clickhouse://",
        "clickhouse:/x",
        "clickhouse://host:port/x",
        "clickhouse://user:secret@127.0.0.1:1/x",
    ],
)
def test_url_that_leads_nowhere_says_so_without_its_password(url: str) -> None:
    """The scheme, the host, or nobody there."""
    with pytest.raises(ConfigurationError) as raised:
        clickhouse.connect(url)

    assert "clickhouse://user:password@host:8123/database" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_sql_of_the_guide_runs(tmp_path: Path, client: Any) -> None:
    """Retention and the roll-up, as docs/guides/scale.md has them; a storage policy is the server's."""
    clickhouse.ship(client, write(tmp_path, *varied(40)))
    client.command("INSERT INTO calls SELECT * FROM calls LIMIT 9")
    for block in re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.S):
        for statement in block.split(";\n"):
            if statement.strip() and "'cold'" not in block[: block.index(statement) + len(statement)]:
                client.command(re.sub(r"^--.*$", "", statement, flags=re.M))
    day = "WHERE toDate(started_at) = '2026-11-23'"
    rolled = client.query("SELECT sum(calls), sum(cost) FROM spend_by_hour").result_rows

    assert rolled == client.query(f"SELECT count(*), sum(cost) FROM calls FINAL {day}").result_rows
    assert rolled[0][0] > 0


def test_entries_come_back_as_they_went(
    tmp_path: Path, client: Any, clickhouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole and in order, page by page, from either engine: what an export is made from."""
    monkeypatch.setattr("genops.analytics.entries._PAGE", 7)
    directory = write(tmp_path, *varied(40), entry("same-moment", started_at=varied(1)[0].started_at))
    clickhouse.ship(client, directory)
    expected = list(LedgerReader(directory).entries())
    since = Filters(since=NOON + timedelta(hours=3), where=(("team", "search"),))
    for source in (open_source(directory), clickhouse.ClickHouse(clickhouse_url)):
        with closing(source):
            assert sorted(expected, key=lambda each: (each.started_at, each.call_id)) == list(entries_of(source))
            wanted = {each.call_id for each in expected if each.started_at >= since.since and each.team == "search"}
            assert wanted == {each.call_id for each in entries_of(source, since)}


def test_focus_file_is_the_same_from_clickhouse(tmp_path: Path, client: Any, clickhouse_url: str) -> None:
    """`genops export focus --from` writes the rows that it writes from the ledger directory."""
    directory = write(tmp_path / "ledger", *varied(30))
    clickhouse.ship(client, directory)
    run = [sys.executable, "-c", "from genops.cli import main; main()", "export", "focus", "--where", "team=search"]
    here, there = (
        subprocess.run([*run, *where], capture_output=True, text=True, check=True, cwd=tmp_path)
        for where in (("--ledger", str(directory)), ("--from", clickhouse_url))
    )

    assert 5 < len(here.stdout.splitlines())
    assert sorted(here.stdout.splitlines()) == sorted(there.stdout.splitlines())
    assert here.stderr == there.stderr
