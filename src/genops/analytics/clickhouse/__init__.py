"""The ledger in ClickHouse: its tables, what fills them, and the same answers as here."""

from genops.analytics.clickhouse.client import ClickHouse, connect, migrate
from genops.analytics.clickhouse.collecting import make_collector_view
from genops.analytics.clickhouse.shipping import Shipped, ship

__all__ = ["ClickHouse", "Shipped", "connect", "make_collector_view", "migrate", "ship"]
