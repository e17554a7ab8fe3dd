"""The budget store of one machine: a SQLite file that any number of processes share.

Each operation is one `BEGIN IMMEDIATE` transaction: SQLite lets one writer in at a time, so what is read in it stands
until it commits. A crash of a process loses nothing; with `synchronous=NORMAL` a power cut may lose the last moments.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from genops.core.budgets.forks import ForkLock, call_after_fork
from genops.core.budgets.model import Leg, State, counter_key, parse_key
from genops.core.budgets.store import Counter, Crossing, Ended, Granted, Refused, conflict, crossed, kept_until
from genops.core.errors import BudgetStoreError, ConfigurationError
from genops.stores.budgets._rows import KEPT_S, legs_from_text, legs_to_text, numbers_from_text, numbers_to_text
from genops.stores.budgets.filesystems import filesystem_of, is_network

__all__ = ["SQLiteBudgetStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (
    key TEXT PRIMARY KEY, spent INTEGER NOT NULL, reserved INTEGER NOT NULL,
    mask INTEGER NOT NULL, until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_over ON counters (until) WHERE until > 0;
CREATE TABLE IF NOT EXISTS reservations (
    id TEXT PRIMARY KEY, state INTEGER NOT NULL, expires_at REAL NOT NULL,
    legs TEXT NOT NULL, amounts TEXT NOT NULL, charges TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reservations_due ON reservations (expires_at) WHERE state = 0;
CREATE INDEX IF NOT EXISTS reservations_ended ON reservations (expires_at) WHERE state > 0;
"""
_AT_ONCE = 100  # expired reservations charged by one operation
_REMEMBERED_S = 7 * 86_400  # ended reservations whose repetition is recognised, counted from their expiry
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.02  # between attempts to get in; with jitter, so that nobody starves
_inherited: list[sqlite3.Connection] = []  # of a parent process: closing them here could harm it


class SQLiteBudgetStore:
    """A `BudgetStore` in the file `path`. Waits `timeout_s` at most for other writers, then raises `BudgetStoreError`.

    Refuses a network file system, where SQLite cannot lock: there, use Redis or Valkey.
    """

    def __init__(self, path: Path, *, timeout_s: float = 5.0, clock: Callable[[], float] = time.time) -> None:
        kind = filesystem_of(path)
        if is_network(kind):
            raise ConfigurationError(
                f"{path} is on a network file system ({kind}), where SQLite cannot lock; budgets would be overspent.",
                fix="put the file on a local disk, or share budgets through Redis: redis://host:6379/0",
            )
        self.path = path
        self.clock = clock
        self._timeout_s = timeout_s
        self._connection: sqlite3.Connection | None = None
        # SQLite keeps what a process has locked in memory that a child inherits: one that is forked beside an open
        # connection locks nothing, and its writes are lost. sqlite.org/howtocorrupt.html, 2.6
        self._lock = ForkLock(quiet=self._drop)
        call_after_fork(self._after_fork)

    def _after_fork(self) -> None:
        """In a child of a process that could not let go of its connection: leave that one alone."""
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None

    # -- transactions --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._begin()
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._drop()
                raise self._failure(error) from error

    def _begin(self) -> sqlite3.Connection:
        deadline = time.monotonic() + self._timeout_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                connection = self._connection or self._open()
                connection.execute("BEGIN IMMEDIATE")
                return connection
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _failure(self, error: Exception) -> BudgetStoreError:
        return BudgetStoreError(
            f"the budget store {self.path} cannot be used: {error}",
            fix=f"check that {self.path} can be written, and that no process holds it for long",
        )

    # -- operations ----------------------------------------------------------------------------------------------------

    def reserve(
        self,
        reservation_id: str,
        legs: Sequence[Leg],
        amounts: Sequence[int],
        charges: Sequence[int],
        times: tuple[float, float],
    ) -> Granted | Refused:
        with self._writing() as db:
            known = _record(db, reservation_id)
            if known is not None and known[0] is not State.OPEN:
                raise conflict(reservation_id, known[0], known[3], "be reserved again")
            if known is not None:
                found = _fits(db, legs, [0] * len(legs), times[0])
                assert isinstance(found, Granted)  # zeros always fit
                return found._replace(repeated=True)
            found = _fits(db, legs, amounts, times[0])
            if isinstance(found, Refused):
                return found
            for leg, amount in zip(legs, amounts, strict=True):
                _add(db, leg, 0, amount)
            row = (reservation_id, State.OPEN, times[1], legs_to_text(legs))
            db.execute(
                "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?)",
                (*row, numbers_to_text(amounts), numbers_to_text(charges)),
            )
            return found

    def settle(
        self, reservation_id: str, legs: Sequence[Leg], actuals: Sequence[int], now: float, *, release: bool = False
    ) -> Ended:
        state = State.RELEASED if release else State.SETTLED
        with self._writing() as db:
            known = _record(db, reservation_id)
            if known is None:
                crossings = _charge(db, legs, actuals, [0] * len(legs))
                row = (reservation_id, state, now, legs_to_text(legs), numbers_to_text(actuals))
                db.execute("INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?)", (*row, numbers_to_text(actuals)))
                return Ended(reservation_id, state, tuple(actuals), crossings, unknown=True)
            found, kept, amounts, charges = known
            if found is State.OPEN:
                crossings = _charge(db, kept, actuals, amounts)
            elif found is State.EXPIRED:
                more = [actual - charged for actual, charged in zip(actuals, charges, strict=True)]
                crossings = _charge(db, kept, more, [0] * len(more))
            elif tuple(actuals) != charges:
                raise conflict(reservation_id, found, charges, f"be charged {list(actuals)}")
            else:
                return Ended(reservation_id, found, charges, repeated=True)
            _end(db, reservation_id, state, actuals)
            return Ended(reservation_id, state, tuple(actuals), crossings, late=found is State.EXPIRED)

    def extend(self, reservation_id: str, expires_at: float) -> bool:
        with self._writing() as db:
            changed = db.execute(
                "UPDATE reservations SET expires_at = ? WHERE id = ? AND state = 0", (expires_at, reservation_id)
            )
            return changed.rowcount == 1

    def expire_due(self, now: float) -> tuple[Ended, ...]:
        with self._writing() as db:
            due = db.execute(
                "SELECT id, legs, amounts, charges FROM reservations WHERE state = 0 AND expires_at <= ? "
                "ORDER BY expires_at LIMIT ?",
                (now, _AT_ONCE),
            ).fetchall()
            ended = []
            for name, legs, amounts, charges in due:
                charged = numbers_from_text(charges)
                crossings = _charge(db, legs_from_text(legs), charged, numbers_from_text(amounts))
                _end(db, name, State.EXPIRED, charged)
                ended.append(Ended(name, State.EXPIRED, charged, crossings))
            db.execute("DELETE FROM reservations WHERE state > 0 AND expires_at < ?", (now - _REMEMBERED_S,))
            db.execute("DELETE FROM counters WHERE until > 0 AND until < ? AND reserved = 0", (now,))
            return tuple(ended)

    def usage(self, keys: Sequence[str]) -> tuple[Counter, ...]:
        with self._writing() as db:
            return tuple(Counter(key, *_read(db, key)[:2]) for key in keys)

    def counters(self, budget: str | None = None) -> tuple[Counter, ...]:
        start = "" if budget is None else counter_key(budget, {}, "", 0).partition("|")[0] + "|"
        with self._writing() as db:
            rows = db.execute("SELECT key, spent, reserved FROM counters ORDER BY key").fetchall()
        return tuple(Counter(*row) for row in rows if row[0].startswith(start))

    def adjust(self, key: str, spent: int) -> None:
        parse_key(key)
        with self._writing() as db:
            db.execute(
                "INSERT INTO counters VALUES (?, ?, 0, 0, 0) ON CONFLICT (key) DO UPDATE SET spent = excluded.spent",
                (key, spent),
            )

    def close(self) -> None:
        with self._lock:
            self._drop()


_Known = tuple[State, tuple[Leg, ...], tuple[int, ...], tuple[int, ...]]


def _record(db: sqlite3.Connection, reservation_id: str) -> _Known | None:
    row = db.execute(
        "SELECT state, legs, amounts, charges FROM reservations WHERE id = ?", (reservation_id,)
    ).fetchone()
    if row is None:
        return None
    return State(row[0]), legs_from_text(row[1]), numbers_from_text(row[2]), numbers_from_text(row[3])


def _read(db: sqlite3.Connection, key: str) -> tuple[int, int, int]:
    row = db.execute("SELECT spent, reserved, mask FROM counters WHERE key = ?", (key,)).fetchone()
    return row if row is not None else (0, 0, 0)


def _fits(db: sqlite3.Connection, legs: Sequence[Leg], amounts: Sequence[int], now: float) -> Granted | Refused:
    tightest, remaining, least = 0, 0, float("inf")
    over: tuple[int, ...] = ()
    for place, leg in enumerate(legs):
        used = sum(sum(_read(db, key)[:2]) for key in (leg.key, *leg.also))
        left = leg.limit - used - amounts[place]
        if left < 0 and amounts[place]:
            if leg.hard:
                return Refused(place, used, leg.limit, None if leg.end is None else max(0.0, leg.end - now))
            over = (*over, place)
        share = left / (leg.limit or 1)
        if share < least:
            tightest, remaining, least = place, left, share
    return Granted(tightest, remaining, over)


def _add(db: sqlite3.Connection, leg: Leg, spent: int, reserved: int) -> None:
    db.execute(
        "INSERT INTO counters VALUES (?, ?, ?, 0, ?) "
        "ON CONFLICT (key) DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved",
        (leg.key, spent, reserved, kept_until(leg, KEPT_S)),
    )


def _charge(
    db: sqlite3.Connection, legs: Sequence[Leg], spent: Sequence[int], reserved: Sequence[int]
) -> tuple[Crossing, ...]:
    """Add to `spent`, take from `reserved`, and return which thresholds that passed."""
    crossings: list[Crossing] = []
    for leg, more, less in zip(legs, spent, reserved, strict=True):
        _add(db, leg, more, -less)
        if not leg.thresholds:
            continue
        rows = [_read(db, key) for key in (leg.key, *leg.also)]
        mask = 0
        for row in rows:
            mask |= row[2]
        mask, found = crossed(leg, sum(row[0] for row in rows), mask)
        if found:
            db.execute("UPDATE counters SET mask = ? WHERE key = ?", (mask, leg.key))
            crossings += found
    return tuple(crossings)


def _end(db: sqlite3.Connection, reservation_id: str, state: State, charged: Sequence[int]) -> None:
    db.execute(
        "UPDATE reservations SET state = ?, charges = ? WHERE id = ?",
        (state, numbers_to_text(charged), reservation_id),
    )
