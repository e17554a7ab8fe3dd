"""Received calls: what comes in by OTLP, made one entry a call in the ledger's database.

A call may be told many times: as the record and as the span of a GenOps SDK, by another instrumentation, by the
Collector, once more after a lost answer. A record holds a whole entry and is booked at once. A span holds less, and
what tells that it is not the call to book may come later; so its entry is held for a while first. Both are on disk
before anything is acknowledged, and everything that decides is in the same transaction.

The rules are those of `genops.providers._engine.foreign` and of the Collector's cost processor.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from genops.core.cost import CostSource
from genops.core.evaluation import Evaluation
from genops.core.ids import identifies
from genops.core.ledger import LedgerEntry, plain
from genops.stores.sqlite import connect, fold_journals

__all__ = ["Batch", "Kind", "ReceivedCall", "ReceivedCalls", "book_due"]

HOLD_S = 10.0  # SDKs send records each second and spans every five
_PATIENCE_S = 5.0  # for other processes that write
_REMEMBERED = 500_000  # calls and spans by which duplicates are recognised
_CATCH_UP = 100_000  # entries looked at when a ledger is received into for the first time
_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (
    call_id TEXT PRIMARY KEY, trace_id TEXT, span_id TEXT, kind TEXT NOT NULL, due REAL NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_by_due ON held (due);
CREATE INDEX IF NOT EXISTS held_by_span ON held (trace_id, span_id);
CREATE TABLE IF NOT EXISTS told (
    call_id TEXT NOT NULL UNIQUE, parent_call_id TEXT, trace_id TEXT, span_id TEXT, began REAL, model TEXT NOT NULL,
    provider TEXT, response_id TEXT, foreign_span INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS told_by_trace ON told (trace_id, began) WHERE trace_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS told_by_response ON told (response_id) WHERE response_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS told_by_parent ON told (parent_call_id) WHERE parent_call_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS above (trace_id TEXT NOT NULL, span_id TEXT NOT NULL, UNIQUE (trace_id, span_id));
CREATE TABLE IF NOT EXISTS alerts (alert_id TEXT PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS received (seq INTEGER NOT NULL);
"""
# What `told` remembers of the entries that have arrived since: the ledger's own, too.
_FOLLOW = """
INSERT OR IGNORE INTO told
SELECT call_id, json_extract(body, '$.parent_call_id'), json_extract(body, '$.trace_id'),
    json_extract(body, '$.span_id'), julianday(started_at),
    coalesce(json_extract(body, '$.request_model'), json_extract(body, '$.response_model'), ''),
    json_extract(body, '$.provider'), json_extract(body, '$.response_id'),
    coalesce(json_extract(body, '$.cost_source'), '') = 'span'
FROM calls WHERE seq > ? AND seq <= ?
"""
# Whether another span of the trace told a call of that model that began since; a version may follow a model's name.
_BOOKED_SINCE = """
SELECT 1 FROM told WHERE trace_id = ?1 AND span_id <> ?2 AND began >= julianday(?3)
    AND (substr(model, 1, length(?4)) = ?4 OR substr(?4, 1, length(model)) = model) LIMIT 1
"""


# An SDK writes an evaluation down by itself, too, a moment after it has put the event on the span.
_EVALUATION = """
INSERT OR IGNORE INTO evaluations (evaluation_id, evaluated_at, body) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (
    SELECT 1 FROM evaluations WHERE seq > (SELECT max(seq) FROM evaluations) - 1000
        AND abs(julianday(evaluated_at) - julianday(?2)) < 1.0 / 86400 AND json_extract(body, '$.name') = ?4
        AND json_extract(body, '$.span_id') IS ?5 AND json_extract(body, '$.score') IS ?6
)
"""


class Kind(StrEnum):
    """How a call is told, the best first."""

    RECORD = "record"  # the log record of a GenOps SDK or Collector: a whole entry
    SPAN = "span"  # the span of a GenOps SDK
    BATCH = "batch"  # the span of a batch, with the sum of its items: it counts if they do not come themselves
    FOREIGN = "foreign"  # the span of another instrumentation, priced
    FRAMEWORK = "framework"  # the same, of one that watches a framework: it may repeat what others say


_FOREIGN = frozenset({Kind.FOREIGN, Kind.FRAMEWORK})


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """One call as it came in."""

    entry: LedgerEntry
    kind: Kind


@dataclass(slots=True)
class Batch:
    """What one request of OTLP says.

    `parents` leads from each span, trace id and span id, to the id of the one above it. `alerts` are JSON-ready
    documents by their id.
    """

    calls: list[ReceivedCall] = field(default_factory=list)
    parents: dict[tuple[str, str], str] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    alerts: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.calls or self.parents or self.evaluations or self.alerts)

    def __len__(self) -> int:
        return len(self.calls) + len(self.parents) + len(self.evaluations) + len(self.alerts)


class ReceivedCalls:
    """The receiving end of a ledger directory. For one thread of one process at a time."""

    def __init__(self, directory: Path, *, hold_s: float = HOLD_S) -> None:
        self.directory = directory
        self.hold_s = hold_s
        directory.mkdir(parents=True, exist_ok=True)
        self._db = connect(directory, _PATIENCE_S)
        try:
            self._db.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives a power cut, too
            self._db.execute("PRAGMA cache_size=-65536")  # KiB: keys are random
            self._db.executescript(_SCHEMA)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def write(self, batches: Sequence[Batch], now: float) -> None:
        """Make what the batches say durable, all of it or nothing.

        `now` is in seconds since 1970. Raises `OSError` or `sqlite3.Error`; then everything may be written again.
        """
        fold_journals(self.directory, _PATIENCE_S)  # an SDK writes its entry before it sends anything
        with self._transaction():
            self._follow()
            for batch in batches:
                self._take(batch, now + self.hold_s)
            self._forget()

    def settle(self, now: float) -> int:
        """Book the held calls that are due; return how many calls were held until then."""
        with self._transaction():
            self._follow()
            rows = self._db.execute("SELECT call_id, kind, body FROM held WHERE due <= ?", (now,)).fetchall()
            for call_id, kind, body in rows:
                entry = json.loads(body)
                if not self._told_better(kind, entry):
                    self._book(call_id, entry["started_at"], body)
            self._db.execute("DELETE FROM held WHERE due <= ?", (now,))
            return len(rows)

    def alerts(self, limit: int = 100) -> list[dict[str, Any]]:
        """The budget alerts that came in, the latest first."""
        rows = self._db.execute("SELECT body FROM alerts ORDER BY at DESC LIMIT ?", (limit,))
        return [json.loads(body) for (body,) in rows]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # -- one batch -----------------------------------------------------------------------------------------------------

    def _take(self, batch: Batch, due: float) -> None:
        records = [each.entry for each in batch.calls if each.kind is Kind.RECORD]
        spans = [each for each in batch.calls if each.kind is not Kind.RECORD]
        for entry in records:
            self._take_record(entry)
        if records:
            self._follow()
        self._mark_above(batch, spans)
        # Those that an SDK of GenOps booked, then the others, then what may repeat them: their order does not matter.
        for kinds in ((Kind.SPAN, Kind.BATCH), (Kind.FOREIGN,), (Kind.FRAMEWORK,)):
            for each in spans:
                if each.kind in kinds:
                    self._take_span(each, due)
        for found in batch.evaluations:
            row = (found.evaluation_id, plain(found.evaluated_at), found.to_json().decode())
            self._db.execute(_EVALUATION, (*row, found.name, found.span_id, found.score))
        self._db.executemany(
            "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?)",
            [(key, each["at"], json.dumps(each)) for key, each in batch.alerts.items()],
        )

    def _take_record(self, entry: LedgerEntry) -> None:
        self._db.execute("DELETE FROM held WHERE call_id = ?", (entry.call_id,))
        foreign = entry.cost_source == CostSource.SPAN
        for call_id, theirs in self._same_response(entry):
            if foreign or (theirs and self._has(call_id)):
                return
            if theirs:  # the SDK knows better than what is read from a span
                self._db.execute("DELETE FROM held WHERE call_id = ?", (call_id,))
        if entry.operation_type == "batch" and entry.parent_call_id and self._has(entry.parent_call_id):
            return  # the batch was booked as one
        self._book(entry.call_id, plain(entry.started_at), entry.to_json().decode())

    def _take_span(self, call: ReceivedCall, due: float) -> None:
        entry, foreign = call.entry, call.kind in _FOREIGN
        if self._has(entry.call_id) or (foreign and self._is_above(entry)):
            return
        if call.kind is Kind.FRAMEWORK and self._told_better(call.kind, entry.to_dict()):
            return
        for call_id, theirs in self._same_response(entry):
            if foreign or (theirs and self._has(call_id)):
                return
            if theirs:
                self._db.execute("DELETE FROM held WHERE call_id = ?", (call_id,))
        row = (entry.call_id, entry.trace_id, entry.span_id, call.kind, due, entry.to_json().decode())
        added = self._db.execute("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?)", row).rowcount
        if added:
            self._remember(entry, foreign)

    def _told_better(self, kind: str, entry: Mapping[str, Any]) -> bool:
        """Whether a call that was held turned out to be told by others, too, and better."""
        if kind == Kind.BATCH:
            query = "SELECT 1 FROM told WHERE parent_call_id = ? LIMIT 1"
            return self._db.execute(query, (entry["call_id"],)).fetchone() is not None
        if kind in _FOREIGN and any(not foreign for _, foreign in self._same_response(LedgerEntry.from_dict(entry))):
            return True
        if kind == Kind.FRAMEWORK:
            model = entry.get("request_model") or entry.get("response_model") or ""
            given = (entry["trace_id"], entry["span_id"], entry["started_at"])
            return self._booked_since(given, model)
        return False

    # -- what is known -------------------------------------------------------------------------------------------------

    def _has(self, call_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM calls WHERE call_id = ?", (call_id,)).fetchone() is not None

    def _book(self, call_id: str, started_at: str, body: str) -> None:
        row = (call_id, started_at, body)
        self._db.execute("INSERT OR IGNORE INTO calls (call_id, started_at, body) VALUES (?, ?, ?)", row)

    def _is_above(self, entry: LedgerEntry) -> bool:
        key = (entry.trace_id, entry.span_id)
        return self._db.execute("SELECT 1 FROM above WHERE trace_id = ? AND span_id = ?", key).fetchone() is not None

    def _booked_since(self, since: tuple[str, str, str], model: str) -> bool:
        return self._db.execute(_BOOKED_SINCE, (*since, model)).fetchone() is not None

    def _same_response(self, entry: LedgerEntry) -> list[tuple[str, bool]]:
        """Other calls with the same response: their ids, and whether they were read from a foreign span."""
        if not identifies(entry.response_id):
            return []
        rows = self._db.execute(
            "SELECT call_id, foreign_span FROM told"
            " WHERE response_id = ? AND call_id <> ? AND (provider = ? OR trace_id = ?)",
            (entry.response_id, entry.call_id, entry.provider, entry.trace_id),
        )
        return [(call_id, bool(foreign)) for call_id, foreign in rows.fetchall()]

    def _remember(self, entry: LedgerEntry, foreign: bool) -> None:
        model = entry.request_model or entry.response_model or ""
        told = (entry.call_id, entry.parent_call_id, entry.trace_id, entry.span_id, plain(entry.started_at), model)
        self._db.execute(
            "INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?, julianday(?), ?, ?, ?, ?)",
            (*told, entry.provider, entry.response_id, foreign),
        )

    def _mark_above(self, batch: Batch, spans: Iterable[ReceivedCall]) -> None:
        """Note what is above calls: it repeats them. What is above that may come in this batch, or in a later one."""
        calls = {(each.entry.trace_id or "", each.entry.span_id or "") for each in spans}
        begun = [*calls, *(key for key in self._known_above({trace for trace, _ in batch.parents}) if key not in calls)]
        found: dict[tuple[str, str], None] = {}
        for trace, span in begun:
            parent = batch.parents.get((trace, span))
            while parent is not None and (trace, parent) not in found:
                found[trace, parent] = None
                parent = batch.parents.get((trace, parent))
        self._db.executemany("INSERT OR IGNORE INTO above VALUES (?, ?)", list(found))
        # But one with the same response stays: the call below it will be passed over as its repetition.
        stays = {other for each in spans if each.kind in _FOREIGN for other, _ in self._same_response(each.entry)}
        drop = (
            "DELETE FROM held WHERE trace_id = ? AND span_id = ? AND kind IN ('foreign', 'framework')"
            " AND call_id NOT IN (SELECT value FROM json_each(?))"
        )
        self._db.executemany(drop, [(*key, json.dumps(sorted(stays))) for key in found])

    def _known_above(self, traces: set[str]) -> list[tuple[str, str]]:
        query = "SELECT trace_id, span_id FROM above WHERE trace_id IN (SELECT value FROM json_each(?))"
        return self._db.execute(query, (json.dumps(sorted(traces)),)).fetchall()

    def _follow(self) -> None:
        """Learn of the entries that have arrived since, whoever wrote them."""
        last = self._db.execute("SELECT coalesce(max(seq), 0) FROM calls").fetchone()[0]
        row = self._db.execute("SELECT seq FROM received").fetchone()
        if row is None:
            self._db.execute("INSERT INTO received VALUES (?)", (max(last - _CATCH_UP, 0),))
            row = (max(last - _CATCH_UP, 0),)
        if last > row[0]:
            self._db.execute(_FOLLOW, (row[0], last))
            self._db.execute("UPDATE received SET seq = ?", (last,))

    def _forget(self) -> None:
        for table in ("told", "above"):
            self._db.execute(f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - {_REMEMBERED}")


def book_due(directory: Path, now: float) -> None:
    """Book what a server has received, was held until now, and that it did not live to book."""
    with contextlib.closing(connect(directory, _PATIENCE_S)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'held'").fetchone() is None:
            return
        if connection.execute("SELECT 1 FROM held WHERE due <= ? LIMIT 1", (now,)).fetchone() is None:
            return
    with contextlib.closing(ReceivedCalls(directory)) as calls:
        calls.settle(now)
