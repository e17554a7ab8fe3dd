"""Analytics: named questions about a ledger, answered by DuckDB or by ClickHouse with the same figures."""

from genops.analytics.filters import Filters
from genops.analytics.replica import Replica
from genops.analytics.source import Source, open_source

__all__ = ["Filters", "Replica", "Source", "open_source"]
