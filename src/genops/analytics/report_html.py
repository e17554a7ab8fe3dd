"""Reports as a page of HTML: one file without scripts or anything from elsewhere, that prints well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any

from genops.analytics.reporting import Report

__all__ = ["as_html", "period_of", "words"]

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e6e8eb); --dim: light-dark(#59636e, #9aa4ae);
  --line: light-dark(#d8dee4, #353b42); --bar: light-dark(#2f6f9f, #5fa8dc); --paper: light-dark(#fff, #14171a); }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; } h2 { margin: 2.25rem 0 .5rem; font-size: 1.05rem; }
p { margin: .25rem 0; } .dim { color: var(--dim); }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; margin: 1.5rem 0 .5rem; }
.figures div { display: flex; flex-direction: column; } .figures b { font-size: 1.35rem; font-weight: 600; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--dim); font-weight: 500; } td { overflow-wrap: anywhere; } .n { text-align: right; }
tfoot td { border-bottom: 0; font-weight: 600; }
.bar { min-width: 7rem; } .bar i { display: block; height: .7rem; margin-top: .4rem; background: var(--bar); }
@media print { body { max-width: none; padding: 0; font-size: 11px; } h2 { break-after: avoid; }
  tr { break-inside: avoid; }
  .bar i { print-color-adjust: exact; } }
"""
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
"""
_PER = (("cost_per_call", "per call"), ("cost_per_request", "per request"), ("cost_per_success", "per success"))


def as_html(report: Report, coverage: str) -> str:
    """The page. `coverage` is the sentence about what the sums rest on."""
    title = f"Spend by {', '.join(report.request.by)}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(period_of(report))}</p>',
        _headline(report),
        f'<p class="dim">{escape(coverage)}</p>',
        _rows(report),
        _over_time(report),
        _units(report),
        _savings(report),
        f'<p class="dim">Made {report.made_at:%Y-%m-%d %H:%M} UTC by GenOps. Amounts are exact.</p>',
    ]
    body = "\n".join(part for part in parts if part)
    return f"{_HEAD}<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"


def period_of(report: Report) -> str:
    """Which calls a report is about, in words."""
    filters = report.request.filters
    until = filters.until or (report.made_at if filters.since is not None else report.last_at)
    first, last = filters.since or report.first_at, until
    found = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC" if first and last else "no calls"
    conditions = [f"{column} = {words(value)}" for column, value in filters.where]
    return ", ".join([found, *conditions])


def words(value: Any) -> str:
    """A value of a column as a person reads it."""
    if value is None:
        return "(none)"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.hour == value.minute == 0 else f"{value:%Y-%m-%d %H:%M}"
    return str(value)


def aligned(values: Sequence[Decimal | None]) -> list[str]:
    """Amounts with all their places, and all with as many; a dash where one is unknown."""
    exponents = [value.normalize().as_tuple().exponent for value in values if value is not None]
    places = max((-exponent for exponent in exponents if isinstance(exponent, int)), default=2)
    return ["-" if value is None else f"{value:,.{max(places, 2)}f}" for value in values]


def quotient(value: Decimal | None) -> str:
    """An amount per something, to six places: it has no exact ones."""
    return "-" if value is None else f"{value:.6f}"


def change(value: Decimal | None) -> str:
    """A change in percent; `new` where there was nothing before."""
    return "new" if value is None else f"{value:+.0%}"


def _headline(report: Report) -> str:
    total = report.total
    cost, previous = aligned([total.cost, total.previous])
    figures = [("cost", f"{cost} {report.currency}")]
    if total.previous is not None:
        figures += [("period before", previous), ("change", change(total.change))]
    figures += [("calls", f"{total.calls:,}"), ("refused", f"{total.blocked:,}")]
    if report.overall is not None:
        figures += [(label, quotient(report.overall[name])) for name, label in _PER]
    inside = "".join(f'<div><span class="dim">{label}</span><b>{escape(value)}</b></div>' for label, value in figures)
    return f'<div class="figures">{inside}</div>'


def _rows(report: Report) -> str:
    compared, texts = report.request.compare, len(report.request.by)
    names = [*report.request.by, "calls", "input", "output", "cost"]
    names += ["before", "change"] if compared else []
    names += [*(["unpriced"] if report.total.unpriced else []), ""]
    shown = [*report.rows, report.total]
    costs, before = aligned([row.cost for row in shown]), aligned([row.previous for row in shown])
    most = max((row.cost for row in report.rows), default=Decimal(0))
    lines = []
    for row, cost, previous in zip(shown, costs, before, strict=True):
        line = [f"{row.calls:,}", f"{row.input_tokens:,}", f"{row.output_tokens:,}"]
        line.append("-" if row.unpriced and row.unpriced == row.calls else cost)
        line += [previous, change(row.change)] if compared else []
        line += [f"{row.unpriced:,}" if row.unpriced else ""] if report.total.unpriced else []
        lines.append([*map(words, row.key), *line, _bar(row.cost, most)])
    foot = ["total", *[""] * (texts - 1), *lines.pop()[:-1], ""]
    return f"<h2>{escape('By ' + ', '.join(report.request.by))}</h2>" + _table(names, lines, texts, foot)


def _over_time(report: Report) -> str:
    if not report.over_time:
        return ""
    most = max(row["cost"] for row in report.over_time)
    costs = aligned([row["cost"] for row in report.over_time])
    lines = [
        [words(row["bucket"]), f"{row['calls']:,}", cost, _bar(row["cost"], most)]
        for row, cost in zip(report.over_time, costs, strict=True)
    ]
    name = f"Per {report.request.every}"
    return f"<h2>{escape(name)}</h2>" + _table(["", "calls", "cost", ""], lines, 1)


def _units(report: Report) -> str:
    if not report.units:
        return ""
    costs = aligned([row["cost"] for row in report.units])
    lines = [
        [words(row["value"]), f"{row['calls']:,}", f"{row['requests']:,}", f"{row['successes']:,}", cost]
        + [quotient(row[name]) for name, _ in _PER]
        for row, cost in zip(report.units, costs, strict=True)
    ]
    names = [report.request.unit, "calls", "requests", "successes", "cost", *(label for _, label in _PER)]
    return "<h2>Unit economics</h2>" + _table(names, lines, 1)


def _savings(report: Report) -> str:
    lines = list(zip(report.savings, aligned(list(report.savings.values())), strict=True))
    return "<h2>Saved, against the list price without it</h2>" + _table(["cause", report.currency], lines, 1)


class _Markup(str):
    """HTML of ours."""


def _bar(value: Decimal, most: Decimal) -> _Markup:
    percent = max(Decimal(0), value / most * 100) if most else Decimal(0)
    return _Markup(f'<i style="width:{percent:.1f}%"></i>')


def _table(names: Sequence[str], lines: Iterable[Sequence[str]], texts: int, foot: Sequence[str] = ()) -> str:
    """A table whose first columns are text and whose others are figures; a last one without a name is a bar."""

    def cells(tag: str, values: Sequence[str]) -> str:
        made = []
        for number, value in enumerate(values):
            bar = number == len(values) - 1 and names[number] == ""
            kind = ' class="bar"' if bar else ' class="n"' if number >= texts else ""
            made.append(f"<{tag}{kind}>{value if isinstance(value, _Markup) else escape(value)}</{tag}>")
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(cells("td", line) for line in lines)
    tail = f"<tfoot>{cells('td', foot)}</tfoot>" if foot else ""
    return f"<table><thead>{cells('th', names)}</thead><tbody>{body}</tbody>{tail}</table>"
