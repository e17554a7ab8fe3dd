"""`genops report` and `genops ship`, as people type them."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from tests.analytics.ledgers import entry, varied, write
from typer.testing import CliRunner, Result

from genops.cli.main import make_app
from genops.core.errors import ConfigurationError
from genops.stores.sqlite import connect

pytest.importorskip("duckdb")


def run(*words: str, width: int = 120) -> Result:
    return CliRunner().invoke(make_app(), list(words), env={"COLUMNS": str(width)}, catch_exceptions=False)


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return str(write(tmp_path / "kept", *varied(60)))


def test_report_shows_spend_units_savings_and_what_they_rest_on(ledger: str) -> None:
    """The coverage line is always the last one."""
    found = run("report", "--ledger", ledger, "--by", "team,model", "--every", "day")

    assert 0 == found.exit_code
    for words in ("Spend by team, model", "Per day", "Unit economics", "Saved", "(none)", "total", "█"):
        assert words in found.output
    assert "priced" in found.output.strip().splitlines()[-1]
    assert "without a price: " in found.output


def test_report_fits_a_narrow_terminal(ledger: str) -> None:
    """No line is wider, and no figure is cut."""
    found = run("report", "--ledger", ledger, "--since", "2026-11-23", "--until", "2026-11-25", "--compare", width=80)
    tables = [line for line in found.output.splitlines() if "│" in line]

    assert tables
    assert max(map(len, tables)) <= 80
    assert "…" not in found.output


def test_values_are_shown_and_do_nothing(tmp_path: Path) -> None:
    """Markup and control characters of a terminal are text."""
    directory = write(tmp_path / "kept", entry(team="[red]x[/red]\x1b[2J"))
    for command in ("report", "costs"):
        found = run(command, "--ledger", str(directory))

        assert "[red]x[/red]\\x1b[2J" in found.output
        assert "\x1b[2J" not in found.output


def test_conditions_may_ask_for_what_is_not_stated(ledger: str) -> None:
    """--where team= is the calls without a team."""
    found = json.loads(run("report", "--ledger", ledger, "--where", "team=", "--format", "json").output)

    assert [None] == [row["team"] for row in found["rows"]]
    assert 20 == found["total"]["calls"] + found["total"]["blocked"]


@pytest.mark.parametrize("command", ["report", "costs", "export focus", "forecast"])
@pytest.mark.parametrize(("damage", "says"), [("head", "not a database"), ("middle", "malformed")])
def test_damaged_ledger_says_how_to_save_the_rest(tmp_path: Path, command: str, damage: str, says: str) -> None:
    """Nobody has to read a traceback for it."""
    directory = write(tmp_path, *varied(200))
    file = directory / "ledger.db"
    with closing(connect(directory)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as stream:
        stream.seek(0 if damage == "head" else 4096)
        stream.write(b"\xff" * (100 if damage == "head" else file.stat().st_size - 8192))
    with pytest.raises(ConfigurationError, match=f"damaged: .*{says}(.|\n)*fix: .*sqlite3 ledger.db .recover"):
        run(*command.split(), "--ledger", str(directory))


@pytest.mark.parametrize("command", ["report", "costs", "export focus", "whatif --model openai/gpt-4o"])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--since 2026-11-20 --until 2026-11-10", "--since 2026-11-10 --until 2026-11-20"),
        ("--since 2026-11-20 --until 2026-11-20", "leave --until out"),
        ("--since 99999999999d", "--since 7d"),
    ],
)
def test_period_that_is_none_is_refused(ledger: str, command: str, given: str, says: str) -> None:
    """An empty answer would say that nothing was spent."""
    with pytest.raises(ConfigurationError, match=f"fix: {says}"):
        run(*command.split(), "--ledger", ledger, *given.split())


def test_costs_are_never_added_up_over_currencies(tmp_path: Path) -> None:
    """One of them is chosen, and named in the head."""
    directory = str(write(tmp_path, entry("1"), entry("2", cost=Decimal(7), currency="EUR")))
    with pytest.raises(ConfigurationError, match=r"EUR and USD(.|\n)*--where currency=EUR"):
        run("costs", "--ledger", directory)
    found = run("costs", "--ledger", directory, "--where", "currency=EUR").output

    assert "cost EUR" in found
    assert "7.0000" in found


@pytest.mark.parametrize("form", ["json", "csv", "html", "parquet", "table"])
def test_report_is_written_to_a_file(ledger: str, tmp_path: Path, form: str) -> None:
    """Whole, and said so on the other stream."""
    file = tmp_path / f"report.{form}"
    found = run("report", "--ledger", ledger, "--format", form, "-o", str(file))

    assert file.stat().st_size > 200
    assert "wrote" in found.stderr
    assert "" == found.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--by", "tem"), "Did you mean 'team'"),
        (("--where", "team"), "--where team=search"),
        (("--since", "yesterday"), "--since 7d"),
        (("--compare",), "--since 7d --compare"),
        (("--format", "parquet"), "-o report.parquet"),
        (("--zone", "Berlin", "--every", "day"), "no time zone"),
        (("--format", "csv", "-o", "/nowhere/x.csv"), "cannot be written"),
        (("--from", "http://host"), "clickhouse://user:password@host"),
    ],
)
def test_mistake_has_its_fix(ledger: str, words: tuple[str, ...], says: str) -> None:
    """What was wrong, and what to type."""
    with pytest.raises(ConfigurationError) as raised:
        run("report", "--ledger", ledger, *words)

    assert says in str(raised.value)


def test_report_without_its_packages_says_what_to_install(ledger: str) -> None:
    """duckdb comes with an extra; `genops costs` needs none."""
    code = (
        "import sys; sys.modules['duckdb'] = sys.modules['pyarrow'] = None\n"
        "from genops.cli.main import run; sys.exit(run())"
    )
    asked = [sys.executable, "-c", code]
    report = subprocess.run([*asked, "report", "--ledger", ledger], capture_output=True, text=True, check=False)
    costs = subprocess.run([*asked, "costs", "--ledger", ledger], capture_output=True, text=True, check=False)

    assert (2, True) == (report.returncode, "pip install 'genops-ai[analytics]'" in report.stderr)
    assert 0 == costs.returncode


def test_ship_sends_each_call_once_and_report_reads_there(ledger: str, clickhouse_url: str) -> None:
    """The same report from the ledger and from ClickHouse."""
    first = run("ship", "--to", clickhouse_url, "--ledger", ledger)
    again = run("ship", "--to", clickhouse_url, "--ledger", ledger)

    assert "applied migration 1\n60 calls and 0 evaluations sent\n" == first.output
    assert "0 calls and 0 evaluations sent\n" == again.output
    there = json.loads(run("report", "--from", clickhouse_url, "--format", "json").output)
    here = json.loads(run("report", "--ledger", ledger, "--format", "json").output)
    assert here == there
    assert Decimal(here["total"]["cost"]) > 0


def test_collector_needs_the_exporters_table(ledger: str, clickhouse_url: str) -> None:
    """The Collector goes first."""
    with pytest.raises(ConfigurationError, match="start the Collector"):
        run("ship", "--to", clickhouse_url, "--ledger", ledger, "--collector")
