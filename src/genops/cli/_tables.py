"""Tables of the command line: costs by any column, and how much of the calls they cover."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genops.core.ledger import LedgerEntry
from genops.core.totals import Coverage, Total, coverage, totals

__all__ = ["coverage_line", "money", "print_costs", "printable"]

_BAR = 24


def money(amount: Decimal) -> str:
    """An exact amount: no rounding, at least four decimals so that columns can be compared."""
    text = format(amount.normalize(), "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:<04}" if len(decimals) < 4 else text


def printable(text: str) -> Text:
    """Text as it is: neither Rich's markup nor a terminal's control characters in it do anything."""
    return Text("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def coverage_line(found: Coverage) -> str:
    """What the totals rest on, in one sentence."""
    parts = [f"{count} {status}" for status, count in sorted(found.by_status.items())]
    line = f"{found.calls} calls: {', '.join(parts)}" if parts else "no calls"
    if found.unpriced_models:
        models = ", ".join(f"{model} ({count})" for model, count in sorted(found.unpriced_models.items()))
        line += f"; without a price: {models}"
    return f"{line}; {found.blocked} refused before they were sent" if found.blocked else line


def print_costs(
    console: Console, entries: list[LedgerEntry], by: tuple[str, ...], top: int | None = None, currency: str = "USD"
) -> None:
    """Print one table of costs, all in `currency`, and the coverage line below it."""
    rows = totals(entries, by)
    spent = sum((row.cost for row in rows), Decimal(0))
    table = Table(title=printable(f"Cost by {', '.join(by)}"), title_justify="left", show_edge=False, pad_edge=False)
    for column in by:
        table.add_column(printable(column), overflow="fold")
    for column in ("calls", "input", "output", f"cost {currency}", "share"):
        table.add_column(column, justify="left" if column == "share" else "right", no_wrap=True)
    for row in rows[:top]:
        table.add_row(*map(printable, _cells(row, spent)))
    table.add_section()
    calls, tokens_in = sum(row.calls for row in rows), sum(row.input_tokens for row in rows)
    output = sum(row.output_tokens for row in rows)
    table.add_row("total", *[""] * (len(by) - 1), str(calls), f"{tokens_in:,}", f"{output:,}", money(spent), "")
    console.print(table)
    console.print(printable(coverage_line(coverage(entries))), style="dim", highlight=False, soft_wrap=True)


def _cells(row: Total, spent: Decimal) -> list[str]:
    share = row.cost / spent if spent else Decimal(0)
    bar = "█" * round(share * _BAR) + f" {share:.0%}"
    cost = money(row.cost) + (f" +{row.unpriced} unpriced" if row.unpriced else "")
    if row.unpriced and row.unpriced == row.calls:
        cost = "unpriced"
    names = [value if value is not None else "(none)" for value in row.key]
    return [*names, str(row.calls), f"{row.input_tokens:,}", f"{row.output_tokens:,}", cost, bar]
