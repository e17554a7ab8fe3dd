"""A ClickHouse that holds a ledger: how it is reached, what is set for every statement, and its tables."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any
from urllib.parse import unquote, urlsplit

from genops.analytics.dialects import CLICKHOUSE
from genops.analytics.filters import Filters
from genops.analytics.optional import clickhouse_connect
from genops.analytics.registry import Rows, find_query
from genops.analytics.statements import render
from genops.core.errors import ConfigurationError

__all__ = ["ClickHouse", "connect", "explained", "migrate", "statements_of"]

_SCHEMES = {"clickhouse": ("http", 8123), "clickhouses": ("https", 8443)}
_FIX = "clickhouse://user:password@host:8123/database, or clickhouses:// for TLS"
_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS genops_migrations (version UInt32, applied_at DateTime DEFAULT now())
ENGINE = MergeTree ORDER BY version
"""
_UPDATE = "genops ship --to ... makes the tables and brings them up to date; it needs the right to"
_HOST = re.compile(r"(.*@)?(\[[^]]+\]|[^:@]+)(:\d{1,5})?")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


def connect(url: str) -> Any:
    """A client for `clickhouse://user:password@host:8123/database`; `clickhouses://` speaks TLS.

    Raises `ConfigurationError` for another form of URL, and where nobody answers.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or not _HOST.fullmatch(parts.netloc):
        raise ConfigurationError(f"{_without_password(url)!r} is no ClickHouse.", fix=_FIX)
    interface, port = _SCHEMES[parts.scheme]
    library = clickhouse_connect()
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # what is wrong is raised, too
    try:
        return library.get_client(
            interface=interface,
            host=parts.hostname,
            port=parts.port or port,
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or "default",
            autogenerate_session_id=False,  # statements of several threads are no session
        )
    except library.driver.exceptions.Error as error:
        where = f"{parts.hostname}:{parts.port or port}"
        problem = str(error).strip().splitlines()[0]
        problem = "nobody listens there." if "NewConnectionError" in problem else problem
        raise ConfigurationError(
            f"ClickHouse at {where} does not answer as it should: {problem}", fix=f"check the URL: {_FIX}"
        ) from None


@contextmanager
def explained() -> Iterator[None]:
    """What ClickHouse says goes on as a `ConfigurationError`."""
    try:
        yield
    except clickhouse_connect().driver.exceptions.Error as error:
        raise ConfigurationError(f"ClickHouse says: {str(error).strip().splitlines()[0]}", fix=_UPDATE) from error


def _without_password(url: str) -> str:
    return re.sub(r":[^:@/]*@", ":***@", url)


def statements_of(name: str) -> list[str]:
    """The statements of a file of this package, in order."""
    text = _COMMENT.sub("", (resources.files(__package__ or "") / name).read_text())
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


def migrate(client: Any) -> list[int]:
    """Bring the tables up to date; return the versions applied. Running it again, or twice at once, is safe."""
    with explained():
        return _migrate(client)


def _migrate(client: Any) -> list[int]:
    client.command(_MIGRATIONS)
    known = {row[0] for row in client.query("SELECT version FROM genops_migrations").result_rows}
    files = sorted(each.name for each in resources.files(__package__ or "").iterdir() if each.name.endswith(".sql"))
    applied = []
    for name in files:
        version = int(name.partition("_")[0])
        if version in known:
            continue
        for statement in statements_of(name):
            client.command(statement)
        client.command(f"INSERT INTO genops_migrations (version) SELECT {version}")
        applied.append(version)
    return applied


class ClickHouse:
    """A `Source` over a ClickHouse database that `genops ship` or the Collector fills."""

    def __init__(self, url: str) -> None:
        self._client = connect(url)

    def query(self, name: str, /, filters: Filters = Filters(), **parameters: Any) -> Rows:  # noqa: B008 - frozen
        """The answer to a named query. Raises `ConfigurationError` for a name or parameter that is none."""
        query = find_query(name)
        checked = query.checked(parameters)
        statement = render(name, CLICKHOUSE, filters, checked)
        with explained():
            found = self._client.query(statement.sql, parameters=statement.values)
        return query.answer(list(found.column_names), list(found.result_rows), checked)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()
