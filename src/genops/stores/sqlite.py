"""The ledger database: SQLite, one row per call id, filled from journals.

Folding reads what a journal has gained since last time and moves its offset in the same transaction, so a crash at any
moment neither loses nor repeats an entry. Many processes may fold and read at once.

Each entry that comes in gets the next number, `seq`. One process writes at a time, so numbers become visible in their
order: who has read up to a number misses nothing by reading what is above it, however late an entry came in.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genops.core.budgets.forks import ForkLock
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry

__all__ = [
    "DATABASE",
    "EVALUATIONS",
    "FOLD_PATIENCE_S",
    "JOURNALS",
    "LedgerReader",
    "connect",
    "fold_journals",
    "prune",
    "told_plainly",
]

DATABASE, JOURNALS, EVALUATIONS = "ledger.db", "journal", "evaluations"  # the last two are folders of journals
FOLD_PATIENCE_S = 30.0
_FORK_LOCK = ForkLock()  # no connection is open when this process forks: see genops.stores.budgets.sqlite
_log = logging.getLogger(__name__)
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS journals (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, call_id TEXT NOT NULL UNIQUE, started_at TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE evaluations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, evaluation_id TEXT NOT NULL UNIQUE, evaluated_at TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE prunes (before TEXT NOT NULL, call_seq INTEGER NOT NULL, evaluation_seq INTEGER NOT NULL);
CREATE TABLE identity (id TEXT NOT NULL);
INSERT INTO identity SELECT lower(hex(randomblob(16)))
"""
# Version 0 kept its entries in a table of that name, without numbers. The view keeps processes that still run it from
# making the table anew: they cannot fold, so what they write waits in their journals for a process that can.
_FROM_ENTRIES = "INSERT INTO calls (call_id, started_at, body) SELECT * FROM entries ORDER BY started_at, call_id"
_INSTEAD = (
    "DROP TABLE IF EXISTS entries",
    "CREATE VIEW entries AS SELECT call_id, started_at, body FROM calls",
    "CREATE INDEX calls_by_time ON calls (started_at)",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)
_INSERT_ALL = {
    JOURNALS: """
        INSERT INTO calls (call_id, started_at, body)
        SELECT json_extract(value, '$.call_id'), json_extract(value, '$.started_at'), value FROM json_each(?) WHERE true
        ON CONFLICT (call_id) DO NOTHING
    """,
    EVALUATIONS: """
        INSERT INTO evaluations (evaluation_id, evaluated_at, body)
        SELECT json_extract(value, '$.evaluation_id'), json_extract(value, '$.evaluated_at'), value
        FROM json_each(?) WHERE true
        ON CONFLICT (evaluation_id) DO NOTHING
    """,
}
_INSERT_ONE = {
    JOURNALS: (
        "call_id",
        "started_at",
        "INSERT OR IGNORE INTO calls (call_id, started_at, body) VALUES (?, ?, ?)",
    ),
    EVALUATIONS: (
        "evaluation_id",
        "evaluated_at",
        "INSERT OR IGNORE INTO evaluations (evaluation_id, evaluated_at, body) VALUES (?, ?, ?)",
    ),
}
_LEAST_FREE = 1 << 16  # bytes; SQLite shares 32 KiB between processes even to read


@contextlib.contextmanager
def told_plainly(directory: Path) -> Iterator[None]:
    """What SQLite says of a ledger that cannot be read goes on as a `ConfigurationError` that says what to type."""
    try:
        yield
    except sqlite3.OperationalError as error:  # locked, full, no permission
        if shutil.disk_usage(directory).free < _LEAST_FREE:
            raise ConfigurationError(
                f"the ledger in {directory} cannot be used: its disk is full.",
                fix=f"make room on it: df -h {directory}; du -sh {directory}",
            ) from error
        raise ConfigurationError(
            f"the ledger in {directory} cannot be used: {error}.",
            fix=f"see who may write there, and what holds it: ls -l {directory}; fuser {directory / DATABASE}",
        ) from error
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(
            f"the ledger in {directory} is damaged: {error}.",
            fix=f"cd {directory} && sqlite3 {DATABASE} .recover | sqlite3 rest.db && mv rest.db {DATABASE}",
        ) from error


def connect(directory: Path, patience_s: float = FOLD_PATIENCE_S) -> sqlite3.Connection:
    """Open the database of a ledger directory, making it if it is not there. Waits so long for other processes."""
    connection = sqlite3.connect(
        directory / DATABASE, timeout=patience_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    """Make what is not there yet, and number the entries of a database of version 0, oldest first."""
    if connection.execute("PRAGMA user_version").fetchone()[0] >= _SCHEMA_VERSION:
        return
    with _transaction(connection):
        if connection.execute("PRAGMA user_version").fetchone()[0] >= _SCHEMA_VERSION:
            return  # another process was quicker
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'entries'").fetchone()
        for statement in (*_SCHEMA.split(";\n"), *((_FROM_ENTRIES,) if known else ()), *_INSTEAD):
            connection.execute(statement)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: all of it, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def fold_journals(directory: Path, patience_s: float = FOLD_PATIENCE_S) -> int:
    """Move what journals have gained into the database; return how many lines could not be read."""
    journals = [path for kind in (JOURNALS, EVALUATIONS) for path in sorted((directory / kind).glob("*.jsonl"))]
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
        with _transaction(connection):
            row = connection.execute("SELECT offset FROM journals WHERE name = ?", (journal.name,)).fetchone()
            offset = row[0] if row is not None else 0
            file.seek(offset)
            content = file.read()
            complete = content[: content.rfind(b"\n") + 1]
            unread = _insert(connection, journal.parent.name, complete)
            connection.execute(
                "INSERT INTO journals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET offset = excluded.offset",
                (journal.name, offset + len(complete)),
            )
        if _owner_is_gone(file.fileno()):
            _remove(connection, journal, offset + len(complete))
    if unread:
        _log.warning("%d lines of %s are torn and were passed over", unread, journal.name)
    return unread


def _insert(connection: sqlite3.Connection, kind: str, lines: bytes) -> int:
    """Put journal lines into the database; return how many could not be read.

    SQLite takes the lines apart itself, in one statement, and so outside the interpreter's lock: folding does not slow
    the calls down that are made meanwhile. A torn line spoils the statement, and then each is read by itself.
    """
    document = b"[" + lines.rstrip(b"\n").replace(b"\n", b",") + b"]"
    with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        connection.execute(_INSERT_ALL[kind], (document.decode(),))
        return 0
    return _insert_each(connection, kind, lines)


def _insert_each(connection: sqlite3.Connection, kind: str, lines: bytes) -> int:
    unread = 0
    key, moment, statement = _INSERT_ONE[kind]
    rows = []
    for line in lines.splitlines():
        try:
            entry = json.loads(line)
            rows.append((entry[key], entry[moment], line.decode()))
        except (ValueError, KeyError, TypeError):
            unread += bool(line.strip())
    connection.executemany(statement, rows)
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
    """Delete entries and evaluations older than `retention_days`; return how many entries.

    `prunes` tells those who keep a copy what is gone: all up to a number that is older than a moment.
    """
    limit = (datetime.now(UTC) - timedelta(days=retention_days)).isoformat().replace("+00:00", "Z")
    with _FORK_LOCK, contextlib.closing(connect(directory)) as connection, _transaction(connection):
        deleted = connection.execute("DELETE FROM calls WHERE started_at < ?", (limit,)).rowcount
        gone = connection.execute("DELETE FROM evaluations WHERE evaluated_at < ?", (limit,)).rowcount
        if deleted or gone:
            last = dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
            connection.execute("DELETE FROM prunes WHERE before <= ?", (limit,))
            connection.execute(
                "INSERT INTO prunes VALUES (?, ?, ?)", (limit, last.get("calls", 0), last.get("evaluations", 0))
            )
        return int(deleted)


class LedgerReader:
    """Reads a ledger directory, up to this moment: journals are folded first."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise ConfigurationError(
                f"there is no ledger in {directory}.", fix="run a governed application first: genops demo"
            )
        from genops.stores.received import book_due  # which builds on this module

        self.directory = directory
        if os.access(directory, os.W_OK):
            with told_plainly(directory):
                fold_journals(directory)
                book_due(directory, time.time())

    def entries(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[LedgerEntry]:
        """The entries that started in the half-open interval, oldest first."""
        if not (self.directory / DATABASE).exists():
            return
        with told_plainly(self.directory), contextlib.closing(connect(self.directory)) as connection:
            rows = connection.execute(
                "SELECT body FROM calls WHERE started_at >= ? AND started_at < ? ORDER BY started_at, call_id",
                (_text(since) if since else "", _text(until) if until else "~"),
            )
            for (body,) in rows:
                yield LedgerEntry.from_dict(json.loads(body))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
