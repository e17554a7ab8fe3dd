"""ClickHouse's engine, for the commands that talk to one."""

from __future__ import annotations

from tests.analytics.conftest import clickhouse_server, clickhouse_url

__all__ = ["clickhouse_server", "clickhouse_url"]
