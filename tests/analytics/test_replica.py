"""The replica: a copy of the ledger that is never more, less or older than it, and quick to ask."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.analytics.ledgers import NOON, entry, evaluation, varied, write

from genops.analytics import Filters, Replica, open_source
from genops.analytics import replica as module
from genops.analytics.registry import QUERIES
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.totals import totals
from genops.stores import LedgerReader
from genops.stores.sqlite import prune


def ids(replica: Replica) -> list[str]:
    return sorted(row["call_id"] for row in replica.query("calls", limit=10_000))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 7)


def test_sums_are_those_of_the_ledger(tmp_path: Path) -> None:
    """Calls, refusals, unpriced calls, tokens and money, exact, by two columns."""
    directory = write(tmp_path, *varied(200))
    source = open_source(directory)
    found = {(row["team"], row["model"]): row for row in source.query("spend_by", by=("team", "model"))}

    for total in totals(LedgerReader(directory).entries(), ("team", "model")):
        row = found.pop(total.key)
        names = ("calls", "blocked", "unpriced", "input_tokens", "output_tokens", "cost", "list_cost")
        assert [getattr(total, name) for name in names] == [row[name] for name in names]
    assert {} == found
    source.close()


def test_every_field_of_an_entry_is_a_column(tmp_path: Path) -> None:
    """What was booked is what is shown, to the last place and microsecond."""
    whole = varied(8)[7]
    source = open_source(write(tmp_path, whole))
    (row,) = source.query("call", call_id=whole.call_id)

    for name, value in vars(whole).items():
        shown = list(row[name]) if isinstance(row[name], list) else row[name]
        assert (list(value) if isinstance(value, tuple) else value) == shown, name
    assert ("gpt-4o", whole.input_tokens) == (row["model"], row["input_tokens"])
    source.close()


@pytest.mark.usefixtures("small_batches")
def test_advancing_loads_what_came_in_late_too(tmp_path: Path) -> None:
    """By number, not by time; nothing twice."""
    replica = Replica(write(tmp_path, *varied(20)))
    assert 20 == replica.advance()
    write(tmp_path, entry("late", started_at=datetime(2020, 1, 1, tzinfo=UTC)), *varied(20), evaluation())

    assert 2 == replica.advance()
    assert 0 == replica.advance()
    assert 21 == len(ids(replica))
    assert 1 == replica.query("evaluations")[0]["count"]
    replica.close()


@pytest.mark.usefixtures("small_batches")
def test_load_that_is_cut_off_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and number are one transaction: an interrupted load neither loses nor doubles a call."""
    directory, file = write(tmp_path / "ledger", *varied(30)), tmp_path / "analytics.duckdb"
    replica = Replica(directory, file)
    taken: list[int] = []

    def interrupted(cursor: object, table: str, lines: list[tuple[int, str]]) -> str:
        if len(taken) == 2:
            raise KeyboardInterrupt
        taken.append(len(lines))
        return RowMaker.take(replica._rows, cursor, table, lines)

    RowMaker = module.RowMaker
    monkeypatch.setattr(replica._rows, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replica.advance()
    replica.close()
    again = Replica(directory, file)

    assert 14 == len(ids(again))
    assert 16 == again.advance()
    assert 30 == len(set(ids(again)))
    again.close()


def test_file_keeps_what_was_loaded(tmp_path: Path) -> None:
    """Opened again, a replica goes on from its number."""
    directory, file = write(tmp_path / "ledger", *varied(10)), tmp_path / "analytics.duckdb"
    for expected in (10, 0):
        replica = Replica(directory, file)
        assert expected == replica.advance()
        assert 10 == len(ids(replica))
        replica.close()


def test_replica_of_another_ledger_starts_over(tmp_path: Path) -> None:
    """The ledger's directory was removed and made anew: its numbers mean other calls."""
    file = tmp_path / "analytics.duckdb"
    replica = Replica(write(tmp_path / "one", *varied(10)), file)
    replica.advance()
    replica.close()
    replica = Replica(write(tmp_path / "two", entry("other")), file)

    assert 1 == replica.advance()
    assert ["other"] == ids(replica)
    replica.close()


@pytest.mark.parametrize("content", [b"no database at all" * 999, b""])
def test_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """It is a copy: nothing is lost with it."""
    file = tmp_path / "analytics.duckdb"
    file.write_bytes(content)
    replica = Replica(write(tmp_path / "ledger", entry()), file)

    assert 1 == replica.advance()
    replica.close()


def test_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    """Only one process may have it: the second is told so, and the first loses nothing."""
    directory, file = write(tmp_path / "ledger", entry()), tmp_path / "analytics.duckdb"
    code = (
        "import sys; from pathlib import Path; from genops.analytics import Replica\n"
        "replica = Replica(Path(sys.argv[1]), Path(sys.argv[2])); print(replica.advance(), flush=True)\n"
        "sys.stdin.read(); print(replica.query('totals')[0]['calls'], flush=True); replica.close()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(directory), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert "1\n" == owner.stdout.readline()
    with pytest.raises(ConfigurationError, match="in use by another process"):
        Replica(directory, file)

    assert "1\n" == owner.communicate()[0]
    replica = Replica(directory, file)
    assert 0 == replica.advance()
    replica.close()


def test_what_retention_deletes_is_gone_from_the_replica(tmp_path: Path) -> None:
    """And an old call that comes in again afterwards stays until the next time."""
    old = datetime.now(UTC) - timedelta(days=40)
    directory = write(tmp_path, entry("old", started_at=old), entry("new", started_at=datetime.now(UTC)))
    replica = Replica(directory)
    replica.advance()
    prune(directory, 30)
    replica.advance()
    assert ["new"] == ids(replica)
    write(directory, entry("old", started_at=old))
    replica.advance()
    replica.advance()

    assert ["new", "old"] == ids(replica)
    replica.close()


def test_threads_ask_while_the_replica_advances(tmp_path: Path) -> None:
    """Each answer is of one moment: the sums of one query fit together."""
    directory = write(tmp_path, *varied(50))
    replica, problems = Replica(directory), []
    replica.advance()

    def ask() -> None:
        for _ in range(20):
            (row,) = replica.query("totals")
            if (row["calls"] + row["blocked"]) % 50:
                problems.append(row)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(4):
        write(directory, *(_again(each, number) for each in varied(50)))
        replica.advance()
    for thread in threads:
        thread.join()

    assert [] == problems
    assert 250 == len(ids(replica))
    replica.close()


def _again(each: LedgerEntry, number: int) -> LedgerEntry:
    return LedgerEntry(**(vars(each) | {"call_id": f"{each.call_id}-{number}"}))


# -- savings -----------------------------------------------------------------------------------------------------------


def savings(directory: Path, **facts: object) -> dict[str, Decimal]:
    source = open_source(write(directory, entry("one", **facts)))
    found = {row["cause"]: row["amount"] for row in source.query("savings")}
    source.close()
    return {cause: amount for cause, amount in found.items() if amount}


def test_cache_saves_the_difference_to_fresh_input(tmp_path: Path) -> None:
    """gpt-4o: 2.50 USD per million of input, 1.25 USD of cached input."""
    assert {"cache": Decimal("0.00125")} == savings(tmp_path, usage={"input": 50, "cache_read": 1000})


def test_cache_that_is_written_and_not_read_costs_more(tmp_path: Path) -> None:
    """claude-sonnet-4-5: writing costs 3.75 USD per million, input 3 USD."""
    facts = {"provider": "anthropic", "request_model": "claude-sonnet-4-5", "usage": {"cache_write": 1000}}

    assert {"cache": Decimal("-0.00075")} == savings(tmp_path, **facts)


def test_batch_saves_half(tmp_path: Path) -> None:
    """gpt-4o in a batch: 1.25 USD per million of input, not 2.50 USD."""
    assert {"batch": Decimal("0.0025")} == savings(tmp_path, service_tier="batch", usage={"input": 2000})


def test_model_under_a_users_own_name_saves_too(tmp_path: Path) -> None:
    """A deployment's name is no model; the entry says which row priced it."""
    facts = {"request_model": "our-deployment", "priced_model": "gpt-4o", "usage": {"cache_read": 1000}}

    assert {"cache": Decimal("0.00125")} == savings(tmp_path, **facts)


def test_contract_saves_what_the_list_price_is_more(tmp_path: Path) -> None:
    """Negotiated is the list price less what was paid."""
    facts = {"cost": Decimal("0.008"), "cost_source": "contract", "usage": {"input": 10}}

    assert {"negotiated": Decimal("0.002")} == savings(tmp_path, **facts)


def test_free_and_unpriced_calls_save_nothing(tmp_path: Path) -> None:
    """There is no price that the cache could have spared."""
    usage = {"cache_read": 1000}

    assert {} == savings(tmp_path / "a", usage=usage, cost_status="free", cost=Decimal(0), list_cost=Decimal(0))
    assert {} == savings(tmp_path / "b", usage=usage, cost_status="unpriced", cost=None, list_cost=None)


# -- questions ---------------------------------------------------------------------------------------------------------


def test_pages_of_calls_have_no_gap_and_no_overlap(tmp_path: Path) -> None:
    """From page to page by the last row's value and id, by time and by cost, ties included."""
    source = open_source(write(tmp_path, *varied(23), *(entry(f"tie-{n}") for n in range(5))))
    for order in ("started_at", "cost"):
        seen: list[str] = []
        before = None
        while page := source.query("calls", limit=4, order=order, before=before):
            seen += [row["call_id"] for row in page]
            before = (page[-1][order], page[-1]["call_id"])
        assert 28 == len(seen) == len(set(seen)), order
    source.close()


def test_request_succeeds_if_its_last_call_did_and_nobody_judged_otherwise(tmp_path: Path) -> None:
    """Three requests of one customer: a retry that worked, a failure, and a bad answer."""
    facts = {"customer_id": "acme"}
    directory = write(
        tmp_path,
        entry("1", trace_id="a" * 32, outcome=Outcome.ERROR, **facts),
        entry("2", trace_id="a" * 32, started_at=NOON + timedelta(seconds=1), **facts),
        entry("3", trace_id="b" * 32, outcome=Outcome.ERROR, **facts),
        entry("4", trace_id="c" * 32, **facts),
        evaluation("e", call_id="4", passed=False),
    )
    source = open_source(directory)
    (row,) = source.query("unit_economics")

    assert (4, 3, 1, Decimal("0.04")) == tuple(row[name] for name in ("calls", "requests", "successes", "cost"))
    assert Decimal("0.013333333333") == row["cost_per_request"]
    assert Decimal("0.04") == row["cost_per_success"]
    source.close()


def test_days_are_those_of_the_zone(tmp_path: Path) -> None:
    """23:30 UTC is the next day in Berlin; the day that loses an hour begins at its own midnight."""
    moments = (datetime(2026, 3, 27, 23, 30, tzinfo=UTC), datetime(2026, 3, 29, 21, 59, tzinfo=UTC))
    source = open_source(write(tmp_path, *(entry(str(n), started_at=at) for n, at in enumerate(moments))))
    days = [row["day"] for row in source.query("daily", zone="Europe/Berlin")]

    assert [datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC)] == days
    source.close()


def test_values_beyond_the_top_are_one(tmp_path: Path) -> None:
    """And what is not stated stays apart."""
    calls = [entry(f"{team}{n}", team=team) for team, times in (("a", 3), ("b", 2), ("c", 1)) for n in range(times)]
    source = open_source(write(tmp_path, *calls, entry("x", team=None)))
    rows = source.query("spend_over_time", by="team", top=1)

    assert {"a": 3, "(other)": 3, None: 1} == {row["value"]: row["calls"] for row in rows}
    source.close()


def test_empty_ledger_answers_every_query(tmp_path: Path) -> None:
    """Zero where it is a count or a sum, nothing where it is a list, None where it is unknown."""
    source = open_source(write(tmp_path, entry()))
    nobody = Filters(where=(("team", "nobody"),))
    needed = {"values": {"column": "team"}, "call": {"call_id": "x"}}
    found = {name: source.query(name, nobody, **needed.get(name, {})) for name in QUERIES}

    assert (0, Decimal(0), None) == tuple(found["totals"][0][name] for name in ("calls", "cost", "first_at"))
    answered = {"totals", "sums", "spend_by", "savings", "attribution_coverage", "reservations"}
    assert answered == {name for name, rows in found.items() if rows}
    source.close()


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("spent_by", {}, "no query 'spent_by'. Did you mean 'spend_by'"),
        ("spend_by", {"by": "tem"}, "no column 'tem'. Did you mean 'team'"),
        ("spend_by", {"by": ("team; DROP TABLE calls",)}, "there is no column"),
        ("spend_by", {"limit": 0}, "no number of rows"),
        ("spend_by", {"limt": 3}, "no parameter 'limt'. Did you mean 'limit'"),
        ("daily", {"zone": "Berlin"}, "no time zone 'Berlin'"),
        ("spend_over_time", {"bucket": "dya"}, "Did you mean 'day'"),
        ("calls", {"before": "x"}, "is no position"),
        ("calls", {"before": ("x", "y")}, "is no started_at"),
        ("values", {"column": None}, "there is no column"),
    ],
)
def test_question_that_cannot_be_asked_says_what_can(tmp_path: Path, name: str, parameters: dict, says: str) -> None:
    """Unknown queries, columns, parameters and values."""
    replica = Replica(tmp_path)
    with pytest.raises(ConfigurationError, match="fix: ") as raised:
        replica.query(name, **parameters)
    replica.close()

    assert says in str(raised.value)


def test_filter_without_a_time_zone_is_refused() -> None:
    """A day is another one elsewhere."""
    with pytest.raises(ConfigurationError, match="has no time zone"):
        Filters(since=datetime(2026, 1, 1))


def test_directory_without_a_ledger_says_what_to_do(tmp_path: Path) -> None:
    """The command has a hint."""
    with pytest.raises(ConfigurationError, match="genops demo"):
        open_source(tmp_path / "nowhere")
