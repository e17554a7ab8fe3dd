"""Reports in the terminal: tables with bars, and what the sums rest on below them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from genops.analytics.report_html import change, period_of, words
from genops.analytics.reporting import Report, Row
from genops.cli._tables import coverage_line, printable
from genops.core.totals import Coverage

__all__ = ["coverage_of", "print_report"]

_PER = (("cost_per_call", "per call"), ("cost_per_request", "per request"), ("cost_per_success", "per success"))
_NARROW = 100  # columns of a terminal; below that bars are short


def coverage_of(report: Report) -> str:
    """What the totals rest on, in one sentence."""
    return coverage_line(Coverage(report.by_status, report.unpriced_models, report.total.blocked))


def print_report(console: Console, report: Report) -> None:
    """Print a report, its parts one below the other; parts without anything in them are left out."""
    writer = _Writer(report, bar=24 if console.width >= _NARROW else 8)
    console.print(printable(period_of(report)), style="dim", highlight=False, soft_wrap=True)
    for table in writer.tables():
        console.print(table)
    told = f"{coverage_of(report)}. {writer.rounding}"
    console.print(printable(told), style="dim", highlight=False, soft_wrap=True)


class _Writer:
    """Makes the tables of one report, with as many places as its largest amount leaves sense in."""

    def __init__(self, report: Report, bar: int) -> None:
        self._report, self._bar_width = report, bar
        self._places = next(places for least, places in _PLACES if report.total.cost >= least)
        exact = report.total.cost.normalize().as_tuple().exponent
        rounded = isinstance(exact, int) and -exact > self._places
        self.rounding = f"Amounts are rounded to {self._places} places; --format json has all." if rounded else ""

    def tables(self) -> Iterator[Table]:
        report = self._report
        yield self._spend()
        if report.over_time:
            most = max(row["cost"] for row in report.over_time)
            yield _table(
                f"Per {report.request.every}",
                ("from", "calls", f"cost {report.currency}", " "),
                [
                    [words(row["bucket"]), f"{row['calls']:,}", self._money(row["cost"]), self._bar(row["cost"], most)]
                    for row in report.over_time
                ],
            )
        if report.units and report.overall is not None:
            yield self._units(report.overall)
        saved = [(cause, value) for cause, value in report.savings.items() if value]
        if saved:
            most = max(value for _, value in saved)
            yield _table(
                "Saved, against the list price without it",
                ("by", report.currency, " "),
                [[cause, self._money(value), self._bar(value, most)] for cause, value in saved],
            )

    def _spend(self) -> Table:
        report = self._report
        by, compared = report.request.by, report.request.compare
        figures = ["calls", f"cost {report.currency}", *(["before", "change"] if compared else ["tokens"])]
        unpriced = ["unpriced"] if report.total.unpriced else []
        lines = [[*map(words, row.key), *self._figures(row), self._share(row)] for row in report.rows]
        foot = ["total", *[""] * (len(by) - 1), *self._figures(report.total), ""]
        return _table(f"Spend by {', '.join(by)}", [*by, *figures, *unpriced, "share"], lines, foot, texts=len(by))

    def _figures(self, row: Row) -> list[str]:
        found = [f"{row.calls:,}", "-" if row.unpriced and row.unpriced == row.calls else self._money(row.cost)]
        if self._report.request.compare:
            found += [self._money(row.previous), change(row.change)]
        else:
            found.append(_short(row.input_tokens + row.output_tokens))
        return found + ([f"{row.unpriced:,}" if row.unpriced else ""] if self._report.total.unpriced else [])

    def _units(self, overall: Mapping[str, Any]) -> Table:
        lines = [
            [words(row["value"]), f"{row['requests']:,}", f"{row['successes']:,}"]
            + ["-" if row[name] is None else f"{row[name]:.6f}" for name, _ in _PER]
            for row in [{**overall, "value": "all"}, *self._report.units]
        ]
        names = (self._report.request.unit, "requests", "successes", *(label for _, label in _PER))
        return _table("Unit economics", names, lines)

    def _money(self, value: Decimal | None) -> str:
        return "-" if value is None else f"{value:,.{self._places}f}"

    def _share(self, row: Row) -> str:
        share = self._report.share(row)
        return f"{'█' * round(share * self._bar_width)} {share:.0%}"

    def _bar(self, value: Decimal, most: Decimal) -> str:
        return "█" * round(value / most * self._bar_width) if most > 0 and value > 0 else ""


_PLACES = ((Decimal(100), 2), (Decimal(1), 4), (Decimal("0.01"), 6), (Decimal(0), 12))


def _short(count: int) -> str:
    """A count with three figures and its magnitude."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)


def _table(
    title: str, names: Sequence[str], lines: Iterable[Sequence[str]], foot: Sequence[str] = (), *, texts: int = 1
) -> Table:
    """A table whose first columns are text, and whose last is one if it is a bar."""
    table = Table(title=printable(title), title_justify="left", show_edge=False, pad_edge=False)
    for number, name in enumerate(names):
        text = number < texts or name in ("share", " ")
        table.add_column(printable(name), justify="left" if text else "right", overflow="fold", no_wrap=number >= texts)
    for line in lines:
        table.add_row(*map(printable, line))
    if foot:
        table.add_section()
        table.add_row(*map(printable, foot))
    return table
