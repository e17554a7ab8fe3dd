"""Reports: exact, complete, beside the period before, and safe to open whatever a value says."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.analytics.ledgers import NOON, entry, varied, write

from genops.analytics import Filters, open_source
from genops.analytics.report_files import as_csv, as_json, write_parquet
from genops.analytics.report_html import as_html
from genops.analytics.reporting import Report, Request, make_report
from genops.core.errors import ConfigurationError

NOW = NOON + timedelta(days=3)
HOSTILE = "<script>alert(1)</script>\"'&"


def report(directory: Path, request: Request) -> Report:
    source = open_source(directory)
    try:
        return make_report(source, request, NOW)
    finally:
        source.close()


def test_rows_add_up_to_the_total(tmp_path: Path) -> None:
    """With all rows, and with the dearest and one for the others."""
    directory = write(tmp_path, *varied(80))
    for request in (Request(by=("team", "model")), Request(by=("customer_id",), top=2)):
        made = report(directory, request)

        for name in ("calls", "blocked", "unpriced", "cost", "list_cost", "input_tokens"):
            assert getattr(made.total, name) == sum(getattr(row, name) for row in made.rows), name
        assert 1 == sum(made.share(row) for row in made.rows).quantize(Decimal("0.000001"))
    assert ["(other, 4)"] == [row.key[0] for row in made.rows[2:]]
    assert sum(made.by_status.values()) == made.total.calls
    assert sum(made.unpriced_models.values()) == made.total.unpriced


def test_comparison_is_with_the_same_length_before(tmp_path: Path) -> None:
    """A group that is new, one that is gone, and one that doubled; the call at the border belongs to this period."""
    since = NOON
    directory = write(
        tmp_path,
        entry("1", team="same", started_at=since - timedelta(days=1), cost=Decimal("0.1")),
        entry("2", team="same", started_at=since, cost=Decimal("0.2")),
        entry("3", team="gone", started_at=since - timedelta(days=2), cost=Decimal("0.3")),
        entry("4", team="new", started_at=since + timedelta(days=1), cost=Decimal("0.4")),
        entry("5", team="older", started_at=since - timedelta(days=4), cost=Decimal(9)),
    )
    made = report(directory, Request(filters=Filters(since=since), compare=True))
    found = {row.key[0]: (row.previous, row.cost, row.change) for row in made.rows}

    assert {
        "new": (Decimal(0), Decimal("0.4"), None),
        "same": (Decimal("0.1"), Decimal("0.2"), Decimal(1)),
        "gone": (Decimal("0.3"), Decimal(0), Decimal(-1)),
    } == found
    assert Decimal("0.5") == made.total.change


def test_comparison_without_a_period_says_what_to_type(tmp_path: Path) -> None:
    """There is nothing before everything."""
    with pytest.raises(ConfigurationError, match="--since 7d --compare"):
        report(write(tmp_path, entry()), Request(compare=True))


def test_currencies_are_never_added_up(tmp_path: Path) -> None:
    """One has to be chosen."""
    directory = write(tmp_path, entry("1"), entry("2", currency="EUR"))
    with pytest.raises(ConfigurationError, match=r"EUR and USD(.|\n)*--where currency=EUR"):
        report(directory, Request())

    assert "EUR" == report(directory, Request(filters=Filters(where=(("currency", "EUR"),)))).currency


def test_files_hold_exact_amounts(tmp_path: Path) -> None:
    """JSON and CSV as text of all places, Parquet as decimals."""
    parquet = pytest.importorskip("pyarrow.parquet")
    made = report(write(tmp_path, *varied(40)), Request(by=("team", "day"), every="day"))
    write_parquet(made, tmp_path / "report.parquet")
    costs = [row.cost for row in made.rows]

    document = json.loads(as_json(made))
    assert costs == [Decimal(row["cost"]) for row in document["rows"]]
    assert made.total.cost == Decimal(document["total"]["cost"]) == sum(costs)
    assert costs == [Decimal(row["cost"]) for row in csv.DictReader(io.StringIO(as_csv(made)))]
    table = parquet.read_table(tmp_path / "report.parquet")
    assert costs == table.column("cost").to_pylist()
    assert "decimal128(38, 12)" == str(table.schema.field("cost").type)


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_value_is_no_formula_in_a_spreadsheet(tmp_path: Path, value: str) -> None:
    """What a customer named cannot be worked out by whoever opens the file."""
    made = report(write(tmp_path, entry(team=value)), Request())

    assert f"'{value}" == next(csv.DictReader(io.StringIO(as_csv(made))))["team"]


class Page(HTMLParser):
    """Which elements a page has, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "onload", "onclick")]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_page_needs_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    """A hostile team, model and customer are words; there is no script, and nothing is fetched."""
    hostile = {"team": HOSTILE, "request_model": HOSTILE, "customer_id": HOSTILE, "cost": None}
    directory = write(tmp_path, entry("1"), entry("2", cost_status="unpriced", **hostile))
    request = Request(by=("team", "model"), every="day", filters=Filters(NOON - timedelta(days=1)), compare=True)
    text = as_html(report(directory, replace(request, unit="team")), f"1 without a price: {HOSTILE}")
    page = Page(text)

    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert [] == page.links
    assert page.words.count(HOSTILE) >= 4
    assert "default-src 'none'" in text
    assert "@media print" in text


def test_empty_ledger_is_a_report_too(tmp_path: Path) -> None:
    """Of nothing: no division by zero in any form."""
    made = report(write(tmp_path, entry()), Request(filters=Filters(where=(("team", "nobody"),)), every="month"))

    assert (0, []) == (made.total.calls, made.rows)
    assert "no calls" in as_html(made, "")
    assert [] == json.loads(as_json(made))["rows"]
