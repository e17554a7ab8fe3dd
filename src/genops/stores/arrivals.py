"""Arrivals: what came into a ledger since somebody last looked, for those who keep a copy of it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from genops.core.errors import ConfigurationError
from genops.stores.received import book_due
from genops.stores.sqlite import connect, fold_journals, told_plainly

__all__ = ["Arrivals", "Prune", "arrivals"]


class Prune(NamedTuple):
    """What was deleted: calls with a number up to `call_seq` that started before `before`; evaluations likewise."""

    before: str  # ISO 8601 with Z, as in the ledger
    call_seq: int
    evaluation_seq: int


class Arrivals:
    """The lines of a ledger in the order of their numbers, which never show late: see `genops.stores.sqlite`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.ledger_id: str = connection.execute("SELECT id FROM identity").fetchone()[0]

    def calls(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Up to `limit` entries with a number above `after`: number and JSON."""
        statement = "SELECT seq, body FROM calls WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._connection.execute(statement, (after, limit)).fetchall()

    def evaluations(self, after: int, limit: int) -> list[tuple[int, str]]:
        """The same of evaluations, which have numbers of their own."""
        statement = "SELECT seq, body FROM evaluations WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._connection.execute(statement, (after, limit)).fetchall()

    def prunes(self) -> list[Prune]:
        """All that retention has deleted."""
        rows = self._connection.execute("SELECT before, call_seq, evaluation_seq FROM prunes ORDER BY before")
        return [Prune(*row) for row in rows]


@contextlib.contextmanager
def arrivals(directory: Path) -> Iterator[Arrivals]:
    """Open a ledger directory, with what waits to be booked booked.

    Raises `ConfigurationError` if there is none, and if it cannot be read, then or while it is read.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"there is no ledger in {directory}.", fix="run a governed application first: genops demo"
        )
    with told_plainly(directory):
        if os.access(directory, os.W_OK):
            fold_journals(directory)
            book_due(directory, time.time())
        with contextlib.closing(connect(directory)) as connection:
            yield Arrivals(connection)
