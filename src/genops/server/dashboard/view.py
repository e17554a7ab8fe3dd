"""What a page is made from: the state of the server, the selection in the URL, and queries about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from genops.analytics import Filters, Source
from genops.config.settings import Settings
from genops.server.dashboard.figures import Stack, filled, stacked
from genops.server.dashboard.selection import Selection
from genops.stores import LedgerReader

__all__ = ["State", "View"]

Rows = list[dict[str, Any]]


class State(Protocol):
    """What the dashboard needs of the server. The ledger directory is that of the settings it was started with."""

    @property
    def source(self) -> Source: ...

    @property
    def directory(self) -> Path: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def health(self) -> Callable[[], Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class View:
    """One request for a page. `asked` are the keys of the URL that only this page reads.

    `currency` is that of every amount on the page, `currencies` are all there are to choose from.
    """

    state: State
    selection: Selection
    asked: Mapping[str, str]
    currency: str = "USD"
    currencies: tuple[str, ...] = ()

    @property
    def now(self) -> datetime:
        return self.selection.now

    def loading(self) -> bool:
        """Whether the ledger has calls and the source has none: a server loads them after it has started."""
        if not self.state.directory.is_dir() or self.state.source.query("sums")[0]["first_at"] is not None:
            return False
        return next(LedgerReader(self.state.directory).entries(), None) is not None

    def of_one_currency(self) -> View:
        """The same about the calls in one currency, because amounts of several are never added up.

        It is the one that is asked for, else the one in which most calls were booked.
        """
        others = tuple(each for each in self.selection.where if each[0] != "currency")
        everything = replace(self.selection, where=others)
        found = self._booked_in(everything.filters)
        asked = [value for column, value in self.selection.where if column == "currency" and value is not None]
        currency = (asked or list(found) or [self.currency])[0]
        chosen = everything.only((("currency", currency),)) if len(found) > 1 else self.selection
        return replace(self, selection=chosen, currency=currency, currencies=found)

    def _booked_in(self, filters: Filters) -> tuple[str, ...]:
        """The currencies of calls with a cost, the most used first. Calls without one say USD."""
        found = [row["value"] for row in self.rows("values", filters, column="currency")]
        if len(found) > 1:
            rows = self.rows("sums", filters, by=("currency",))
            priced = [row for row in rows if row["calls"] > row["unpriced"]]
            found = [row["currency"] for row in sorted(priced, key=lambda row: (-row["calls"], row["currency"]))]
        return tuple(found)

    def rows(self, query: str, filters: Filters | None = None, **parameters: Any) -> Rows:
        """The rows of a named query over the selected calls."""
        chosen = self.selection.filters if filters is None else filters
        return self.state.source.query(query, chosen, **parameters)

    def sums(self, filters: Filters | None = None) -> dict[str, Any]:
        """How many calls there are, what they cost, and when the first and the last one was."""
        return self.rows("sums", filters)[0]

    def over_time(self, query: str, first: datetime | None, measure: str, **parameters: Any) -> tuple[Rows, Stack]:
        """A query by bucket, as rows and as a chart; `parameters` may name the column of the series as `by`."""
        bucket = self.selection.bucket(first)
        name = parameters.pop("series", "value")
        rows = self.rows(query, bucket=bucket, **parameters)
        return rows, stacked(rows, self.buckets(rows, bucket, first), name, measure)

    def buckets(self, rows: Sequence[Mapping[str, Any]], bucket: str, first: datetime | None) -> tuple[datetime, ...]:
        """The starts of the buckets of a chart."""
        return filled([row["bucket"] for row in rows], bucket, self.selection.start(first), self.selection.end)
