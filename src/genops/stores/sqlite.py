"""The ledger database: SQLite, one row per call id, filled from journals.

Folding reads what a journal has gained since last time and moves its offset in the same transaction, so a crash at any
moment neither loses nor repeats an entry. Many processes may fold and read at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genops.core.budgets.forks import ForkLock
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry

__all__ = ["DATABASE", "FOLD_PATIENCE_S", "JOURNALS", "LedgerReader", "fold_journals", "prune"]

DATABASE, JOURNALS = "ledger.db", "journal"
FOLD_PATIENCE_S = 30.0
_FORK_LOCK = ForkLock()  # no connection is open when this process forks: see genops.stores.budgets.sqlite
_log = logging.getLogger(__name__)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    call_id TEXT PRIMARY KEY, started_at TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_time ON entries (started_at);
CREATE TABLE IF NOT EXISTS journals (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
"""
_INSERT_ALL = """
INSERT INTO entries
SELECT json_extract(value, '$.call_id'), json_extract(value, '$.started_at'), value FROM json_each(?) WHERE true
ON CONFLICT (call_id) DO NOTHING
"""


def connect(directory: Path, patience_s: float = FOLD_PATIENCE_S) -> sqlite3.Connection:
    """Open the database of a ledger directory, making it if it is not there. Waits so long for other processes."""
    connection = sqlite3.connect(
        directory / DATABASE, timeout=patience_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def fold_journals(directory: Path, patience_s: float = FOLD_PATIENCE_S) -> int:
    """Move what journals have gained into the database; return how many lines could not be read."""
    journals = sorted((directory / JOURNALS).glob("*.jsonl"))
    if not journals:
        return 0
    with _FORK_LOCK, contextlib.closing(connect(directory, patience_s)) as connection:
        return sum(_fold(connection, journal) for journal in journals)


def _fold(connection: sqlite3.Connection, journal: Path) -> int:
    try:
        file = journal.open("rb")
    except FileNotFoundError:
        return 0  # folded and removed by another process
    with file:
        connection.execute("BEGIN IMMEDIATE")
        try:
            row = connection.execute("SELECT offset FROM journals WHERE name = ?", (journal.name,)).fetchone()
            offset = row[0] if row is not None else 0
            file.seek(offset)
            content = file.read()
            complete = content[: content.rfind(b"\n") + 1]
            unread = _insert(connection, complete)
            connection.execute(
                "INSERT INTO journals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET offset = excluded.offset",
                (journal.name, offset + len(complete)),
            )
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        if _owner_is_gone(file.fileno()):
            _remove(connection, journal, offset + len(complete))
    if unread:
        _log.warning("%d lines of %s are torn and were passed over", unread, journal.name)
    return unread


def _insert(connection: sqlite3.Connection, lines: bytes) -> int:
    """Put journal lines into the database; return how many could not be read.

    SQLite takes the lines apart itself, in one statement, and so outside the interpreter's lock: folding does not slow
    the calls down that are made meanwhile. A torn line spoils the statement, and then each is read by itself.
    """
    document = b"[" + lines.rstrip(b"\n").replace(b"\n", b",") + b"]"
    with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        connection.execute(_INSERT_ALL, (document.decode(),))
        return 0
    return _insert_each(connection, lines)


def _insert_each(connection: sqlite3.Connection, lines: bytes) -> int:
    unread = 0
    rows = []
    for line in lines.splitlines():
        try:
            entry = json.loads(line)
            rows.append((entry["call_id"], entry["started_at"], line.decode()))
        except (ValueError, KeyError, TypeError):
            unread += bool(line.strip())
    connection.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?)", rows)
    return unread


def _owner_is_gone(descriptor: int) -> bool:
    """A living writer holds a lock on its journal."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(connection: sqlite3.Connection, journal: Path, folded: int) -> None:
    """Remove a journal whose writer is gone, once nothing but a torn last line is left of it."""
    if journal.exists() and b"\n" not in journal.read_bytes()[folded:]:
        journal.unlink(missing_ok=True)
        connection.execute("DELETE FROM journals WHERE name = ?", (journal.name,))


def prune(directory: Path, retention_days: int) -> int:
    """Delete entries older than `retention_days`; return how many."""
    limit = (datetime.now(UTC) - timedelta(days=retention_days)).isoformat().replace("+00:00", "Z")
    with _FORK_LOCK, contextlib.closing(connect(directory)) as connection:
        return connection.execute("DELETE FROM entries WHERE started_at < ?", (limit,)).rowcount


class LedgerReader:
    """Reads a ledger directory, up to this moment: journals are folded first."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise ConfigurationError(
                f"there is no ledger in {directory}.", fix="run a governed application first: genops demo"
            )
        self.directory = directory
        if os.access(directory, os.W_OK):
            fold_journals(directory)

    def entries(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[LedgerEntry]:
        """The entries that started in the half-open interval, oldest first."""
        if not (self.directory / DATABASE).exists():
            return
        with contextlib.closing(connect(self.directory)) as connection:
            rows = connection.execute(
                "SELECT body FROM entries WHERE started_at >= ? AND started_at < ? ORDER BY started_at, call_id",
                (_text(since) if since else "", _text(until) if until else "~"),
            )
            for (body,) in rows:
                yield LedgerEntry.from_dict(json.loads(body))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
