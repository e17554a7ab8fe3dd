"""Sources: what reports, pages and exports read their numbers from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from genops.analytics.filters import Filters
from genops.analytics.registry import Rows
from genops.analytics.replica import Replica

__all__ = ["Source", "open_source"]


class Source(Protocol):
    """Answers named queries: a replica, a ClickHouse, a server. Money is Decimal, times are aware UTC."""

    def query(self, name: str, /, filters: Filters = ..., **parameters: Any) -> Rows:
        """The rows of a query of `genops.analytics.registry`. Raises `ConfigurationError` for what it does not know."""

    def close(self) -> None:
        """Let go of what is held."""


def open_source(directory: Path) -> Source:
    """A source over a ledger directory, up to this moment. Raises `ConfigurationError` where there is no ledger."""
    replica = Replica(directory)
    try:
        replica.advance()
    except BaseException:
        replica.close()
        raise
    return replica
