"""Entries: the ledger's own lines, whole and in order, from whatever source has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from genops.analytics.filters import Filters
from genops.analytics.source import Source
from genops.core.ledger import LedgerEntry, Outcome

__all__ = ["entries_of"]

_PAGE = 10_000  # entries held at once
_FIELDS = tuple(field.name for field in fields(LedgerEntry))


def entries_of(source: Source, filters: Filters = Filters()) -> Iterator[LedgerEntry]:  # noqa: B008 - frozen
    """The entries that `filters` ask for, oldest first, as `genops.stores.LedgerReader` gives those of a directory."""
    after = None
    while rows := source.query("entries", filters, after=after, limit=_PAGE):
        yield from map(_entry, rows)
        after = rows[-1]["started_at"], rows[-1]["call_id"]


def _entry(row: Mapping[str, Any]) -> LedgerEntry:
    values: dict[str, Any] = {name: tuple(row[name]) if isinstance(row[name], list) else row[name] for name in _FIELDS}
    return LedgerEntry(**values | {"outcome": Outcome(row["outcome"])})
