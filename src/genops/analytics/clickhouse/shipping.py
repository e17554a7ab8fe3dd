"""Shipping: a ledger's entries to ClickHouse, at least once and idempotent, which is exactly once.

Batches end at multiples of their size, so that one sent again is mostly the same one, and ClickHouse passes it over by
its token. Where it is not, because it has grown meanwhile, the call id is the key of the table, and rows of one key are
one row. How far everything has arrived is written down after the batch, in ClickHouse itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from genops.analytics.clickhouse.client import explained
from genops.analytics.optional import clickhouse_connect
from genops.analytics.rows import RowMaker
from genops.core.errors import ConfigurationError
from genops.core.pricing import PriceBook
from genops.stores.arrivals import Arrivals, arrivals

__all__ = ["BATCH", "Shipped", "ship"]

BATCH = 50_000  # rows of one insert: ClickHouse wants few large ones
_TRIES = 6  # with waits of 0.5 s, 1 s, 2 s, 4 s, 8 s between them
_FIRST_WAIT_S = 0.5
_REACHED = "SELECT max(calls), max(evaluations) FROM shipments WHERE ledger = {ledger:String}"

_NOTE = """
INSERT INTO shipments (ledger, calls, evaluations) SELECT {ledger:String}, {calls:Int64}, {evaluations:Int64}
"""


class Shipped(NamedTuple):
    """How many rows were sent."""

    calls: int
    evaluations: int


def ship(
    client: Any,
    directory: Path,
    *,
    book: PriceBook | None = None,
    batch: int = BATCH,
    sleep: Callable[[float], object] = time.sleep,
) -> Shipped:
    """Send what ClickHouse does not have of the ledger in `directory`; return how much that was.

    Raises `ConfigurationError` where there is no ledger, and when ClickHouse refuses or stays away: what has arrived
    is written down, and the next run goes on from there.
    """
    with arrivals(directory) as found:
        with explained():
            calls, evaluations = client.query(_REACHED, parameters={"ledger": found.ledger_id}).result_rows[0]
        sender = _Sender(client, found, RowMaker(book), batch, sleep)
        sent, last = sender.send("calls", calls, {"evaluations": evaluations})
        judged, _ = sender.send("evaluations", evaluations, {"calls": last})
        return Shipped(sent, judged)


class _Sender:
    def __init__(
        self, client: Any, found: Arrivals, rows: RowMaker, batch: int, sleep: Callable[[float], object]
    ) -> None:
        self._client, self._found, self._rows, self._batch, self._sleep = client, found, rows, batch, sleep
        self._errors = clickhouse_connect().driver.exceptions

    def send(self, table: str, after: int, beside: dict[str, int]) -> tuple[int, int]:
        """Send one table from a number on; return how many rows, and the number that was reached."""
        read = getattr(self._found, table)
        sent = 0
        while lines := read(after, self._batch - after % self._batch):
            first, after = after, lines[-1][0]
            token = f"{self._found.ledger_id}:{table}:{first}-{after}"
            self._try(partial(self._insert, table, self._rows.arrow(table, lines), token))
            self._try(partial(self._note, {table: after} | beside))
            sent += len(lines)
        return sent, after

    def _insert(self, table: str, made: Any, token: str) -> None:
        settings = {"insert_deduplication_token": token, "async_insert": 0, "max_partitions_per_insert_block": 0}
        self._client.insert_arrow(table, made, settings=settings)

    def _note(self, reached: dict[str, int]) -> None:
        self._client.command(_NOTE, parameters={"ledger": self._found.ledger_id, **reached})

    def _try(self, action: Callable[[], None]) -> None:
        """Do it until it is done: what breaks on the way is tried again, what ClickHouse refuses is not."""
        for attempt in range(_TRIES):
            try:
                return action()
            except self._errors.OperationalError as error:
                problem = error
            except self._errors.Error as error:
                raise ConfigurationError(
                    f"ClickHouse refused a batch: {str(error).strip().splitlines()[0]}",
                    fix="genops ship --to ... brings the tables up to date; check the user's rights",
                ) from error
            if attempt < _TRIES - 1:
                self._sleep(_FIRST_WAIT_S * 2**attempt * (0.5 + random.random()))
        raise ConfigurationError(
            f"ClickHouse stayed away over {_TRIES} tries: {str(problem).strip().splitlines()[0]}",
            fix="run it again when ClickHouse is back: it goes on from where it was",
        ) from problem
