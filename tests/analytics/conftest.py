"""Both engines, for every test of analytics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.analytics.ledgers import Server


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real engine of ClickHouse; skipped where it is not installed."""
    pytest.importorskip("chdb", reason="chdb, ClickHouse's engine, is not installed")
    pytest.importorskip("clickhouse_connect")
    server = Server(tmp_path_factory.mktemp("clickhouse"))
    yield server
    server.close()


@pytest.fixture
def clickhouse_url(clickhouse_server: Server) -> str:
    """A database of its own for this test."""
    return clickhouse_server.database()
