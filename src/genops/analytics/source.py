"""Sources: what reports, pages and exports read their numbers from."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Protocol

from genops.analytics.filters import Filters
from genops.analytics.registry import Rows
from genops.analytics.replica import Replica
from genops.analytics.served import find_server

__all__ = ["Source", "open_source"]


class Source(Protocol):
    """Answers named queries: a replica, a ClickHouse, a server. Money is Decimal, times are aware UTC."""

    def query(self, name: str, /, filters: Filters = ..., **parameters: Any) -> Rows:
        """The rows of a query of `genops.analytics.registry`. Raises `ConfigurationError` for what it does not know."""

    def close(self) -> None:
        """Let go of what is held."""


def open_source(directory: Path) -> Source:
    """A source over a ledger directory, up to this moment: the `genops serve` that runs there, or a replica in memory.

    Raises `ConfigurationError` where there is no ledger.
    """
    return find_server(directory, partial(_replica, directory)) or _replica(directory)


def _replica(directory: Path) -> Replica:
    replica = Replica(directory)
    try:
        replica.advance()
    except BaseException:
        replica.close()
        raise
    return replica
