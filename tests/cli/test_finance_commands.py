"""The commands for finance as a user meets them: an ordinary month, one odd day, and every way to ask wrongly."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.analytics.ledgers import write
from tests.analytics.priced import priced

from genops.cli import main
from genops.core.ledger import LedgerEntry
from genops.stores import LedgerReader

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WEEK = (10, 10, 10, 10, 10, 4, 4)


def _genops(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in this process: starting one for each would take most of the time."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(cwd or "."),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", ["genops", *arguments])
        patch.setattr(logging, "raiseExceptions", False)  # a handler of another test may have lost its stream
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five weeks up to now, quieter at weekends; yesterday the prompts of team search were ten times as long."""
    entries: list[LedgerEntry] = []
    for ago in range(35, -1, -1):
        day = TODAY - timedelta(days=ago)
        for number in range(WEEK[day.weekday()]):
            usage: dict[str, int | Decimal] = {"input": 20_000 if ago == 1 and number % 2 else 2_000, "output": 100}
            entries.append(
                priced(
                    f"{ago:03}{number:03}",
                    usage,
                    at=day + timedelta(minutes=number),
                    team="search" if number % 2 else "ads",
                    cost_center="cc-1",
                    project="shop",
                )
            )
    return write(tmp_path_factory.mktemp("finance") / "ledger", *entries)


def test_focus_file_adds_up_to_the_ledger(ledger: Path, tmp_path: Path) -> None:
    """The file's sum is the ledger's; standard error says what it covers."""
    result = _genops("export", "focus", "--ledger", str(ledger), "--output", str(tmp_path / "focus.csv"))
    rows = list(csv.DictReader((tmp_path / "focus.csv").read_text().splitlines()))
    spent = sum((each.cost or Decimal(0) for each in LedgerReader(ledger).entries()), Decimal(0))

    assert 0 == result.returncode, result.stderr
    assert spent == sum(Decimal(row["BilledCost"]) for row in rows)
    assert f"{len(rows)} rows" in result.stderr


@pytest.mark.parametrize("version", ["1.3", "1.4"])
def test_focus_goes_to_standard_output_in_every_version(ledger: Path, version: str) -> None:
    """So that it can be piped."""
    result = _genops("export", "focus", "--version", version, "--ledger", str(ledger), "--account", "openai=org-1")
    head, first = result.stdout.splitlines()[:2]

    assert (
        "ServiceProviderName" in head,
        "ProviderName," in head.replace("ServiceProviderName,", "").replace("HostProviderName,", ""),
    ) == (
        True,
        version == "1.3",
    )
    assert "org-1" in first


def test_forecast_names_a_range_and_when_the_budget_ends(ledger: Path, tmp_path: Path) -> None:
    """Ninety percent, weekdays told apart, and a budget that is nearly used up."""
    (tmp_path / "genops.yaml").write_text("budgets: [{name: org, limit: 0.5, window: total}]\n")
    shown = _genops("forecast", "--ledger", str(ledger), "--days", "14", cwd=tmp_path)
    found = json.loads(_genops("forecast", "--ledger", str(ledger), "--json", cwd=tmp_path).stdout)
    (one,), (budget,) = found["forecasts"], found["budgets"]

    assert 0 == shown.returncode, shown.stderr
    assert "90% of what may come" in shown.stdout
    assert "org: " in shown.stdout
    assert (35, True, 30) == (one["days_used"], one["weekly"], len(one["days"]))
    assert Decimal(one["low"]) < Decimal(one["expected"]) < Decimal(one["high"])
    assert budget["expected"] is not None


def test_forecast_refuses_less_than_a_week(ledger: Path) -> None:
    """With how many days there are and how many are needed."""
    result = _genops("forecast", "--ledger", str(ledger), "--since", "3d")

    assert (2, True) == (result.returncode, "7 are needed" in result.stderr)


def test_anomaly_is_found_and_taken_apart(ledger: Path) -> None:
    """Yesterday's long prompts of one team: mostly rate, exit 1; nothing at a high threshold, exit 0."""
    result = _genops("anomalies", "--ledger", str(ledger), "--json")
    (found,) = json.loads(result.stdout)
    change = {name: Decimal(amount) for name, amount in found["change"].items()}
    quiet = _genops("anomalies", "--ledger", str(ledger), "--threshold", "100000")

    assert (1, "search") == (result.returncode, found["team"])
    assert "rate" == max(("volume", "mix", "rate", "price"), key=lambda part: change[part])
    assert change["total"] == change["volume"] + change["mix"] + change["rate"] + change["price"]
    assert (0, True) == (quiet.returncode, "stands out" in quiet.stdout)


def test_whatif_prints_a_range_and_why(ledger: Path) -> None:
    """Cheaper, by how much at least and at most."""
    result = _genops("whatif", "--model", "openai/gpt-4o-mini", "--ledger", str(ledger))

    assert 0 == result.returncode, result.stderr
    assert "a change of -9" in result.stdout
    assert "0.8 to 1.3 times as long" in result.stdout


def test_recommend_says_what_to_do(ledger: Path) -> None:
    """Batch for what can wait; caching for prompts of that length."""
    result = _genops("recommend", "--ledger", str(ledger), "--json", "--since", "60d")
    kinds = {row["kind"] for row in json.loads(result.stdout)}

    assert {"batch", "cache"} <= kinds
    assert "how:" in _genops("recommend", "--ledger", str(ledger)).stdout


def test_statement_as_text_json_and_page(ledger: Path, tmp_path: Path) -> None:
    """The three say the same amount."""
    month = f"{TODAY - timedelta(days=1):%Y-%m}"
    common = (
        "statement",
        "--cost-center",
        "cc-1",
        "--month",
        month,
        "--ledger",
        str(ledger),
        "--adjust",
        "credit=-0.01",
    )
    found = json.loads(_genops(*common, "--format", "json").stdout)
    shown = _genops(*common).stdout
    page = tmp_path / "statement.html"
    _genops(*common, "--format", "html", "--output", str(page))

    assert Decimal(found["charged"]) == Decimal(found["usage"]) - Decimal("0.01")
    assert f"to book: {Decimal(found['charged']).normalize():f}" in shown
    assert f"exactly {found['charged']} USD" in page.read_text()


def test_reconcile_exits_by_whether_it_agrees(ledger: Path, tmp_path: Path) -> None:
    """An invoice that says the same agrees; one with a call more does not."""
    lines = ["Day,Amount,Model"]
    days: dict[str, Decimal] = {}
    for each in LedgerReader(ledger).entries():
        day = each.started_at.date().isoformat()
        days[day] = days.get(day, Decimal(0)) + (each.cost or Decimal(0))
    lines += [f"{day},{amount},gpt-4o-2024-08-06" for day, amount in days.items()]
    (tmp_path / "same.csv").write_text("\n".join(lines))
    (tmp_path / "more.csv").write_text("\n".join([*lines, f"{min(days)},3,o3"]))
    maps = ("--map", "date=Day", "--map", "cost=Amount", "--map", "model=Model", "--ledger", str(ledger))
    same = _genops("reconcile", str(tmp_path / "same.csv"), *maps, "--provider", "openai")
    more = _genops("reconcile", str(tmp_path / "more.csv"), *maps, "--json")

    assert (0, True) == (same.returncode, "36 of 36 rows agree" in same.stdout), same.stdout + same.stderr
    assert 1 == more.returncode
    assert ["missing calls"] == [row["cause"] for row in json.loads(more.stdout)["rows"] if row["cause"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export", "focus", "--format", "parquet"), "--output costs.parquet"),
        (("export", "focus", "--account", "openai"), "--account openai=org-4711"),
        (("statement", "--cost-center", "cc-1", "--month", "November"), "--month 2026-11"),
        (("statement", "--cost-center", "nobody"), "--cost-center cc-1"),
        (("statement", "--cost-center", "cc-1", "--adjust", "credit"), "shared capacity=120.00"),
        (("whatif", "--model", "gpt-4o"), "openai/gpt-4o-mini"),
        (("whatif", "--model", "openai/nope"), "no price for nope"),
        (("whatif", "--model", "openai/gpt-4o", "--input-ratio", "x"), "--input-ratio 0.9-1.2"),
        (("anomalies", "--by", "teem"), "Did you mean 'team'?"),
        (("anomalies", "--since", "0d"), "--since 7d"),
        (("forecast", "--by", "teem"), "Did you mean 'team'?"),
        (("reconcile", "nowhere.csv"), "name the file you exported"),
        (("reconcile", "."), "name the file you exported"),
        (("reconcile", sys.executable), "export it as CSV"),
        (("export", "focus", "--output", "/nowhere/focus.csv"), "name another file"),
        (("export", "focus", "--output", "/nowhere/focus.parquet", "--format", "parquet"), "name another file"),
        (("export", "focus", "--from", "http://nowhere"), "clickhouse://user:password@host"),
        (("export", "focus", "--from", "clickhouse://127.0.0.1:1/x"), "nobody listens there"),
        (("statement", "--cost-center", "cc-1", "--output", "/nowhere/x.txt"), "name another file"),
        (("recommend", "--where", "team"), "--where team=search"),
    ],
)
def test_mistakes_say_what_to_type(ledger: Path, arguments: tuple[str, ...], told: str) -> None:
    """One line and a fix, exit 2, no traceback."""
    result = _genops(*arguments, "--ledger", str(ledger))

    assert (2, True) == (result.returncode, told in result.stderr), result.stderr
    assert "Traceback" not in result.stderr
