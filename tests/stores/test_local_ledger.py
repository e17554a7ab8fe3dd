"""The local ledger: nothing that was appended is lost, torn or booked twice."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.core.errors import ConfigurationError
from genops.core.evaluation import Evaluation
from genops.core.ledger import LedgerEntry, Outcome
from genops.stores import LedgerReader, open_ledger
from genops.stores.arrivals import arrivals
from genops.stores.sqlite import prune

WRITER = """
import sys
from datetime import datetime, UTC
from decimal import Decimal
from pathlib import Path
from genops.core.ids import new_id
from genops.core.ledger import LedgerEntry, Outcome
from genops.stores import open_ledger
import time
ledger = open_ledger(Path(sys.argv[1]))
while True:
    entry = LedgerEntry(call_id=new_id(time.time_ns() // 1_000_000), started_at=datetime.now(UTC), duration_ms=1.0,
        outcome=Outcome.COMPLETED, provider="openai", api="chat_completions", operation="chat",
        operation_type="inference", policy_result="ALLOWED", cost=Decimal("0.000000000001"))
    ledger.append(entry)
    print(entry.call_id, flush=True)
"""


def _entry(call_id: str = "01", **more: object) -> LedgerEntry:
    facts: dict[str, object] = {
        "started_at": datetime(2026, 11, 23, 12, tzinfo=UTC),
        "duration_ms": 12.5,
        "outcome": Outcome.COMPLETED,
        "provider": "openai",
        "api": "chat_completions",
        "operation": "chat",
        "operation_type": "inference",
        "policy_result": "ALLOWED",
    }
    return LedgerEntry(call_id=call_id, **(facts | more))  # type: ignore[arg-type]


@given(
    cost=st.none() | st.decimals(min_value=0, max_value=10**6, places=12),
    team=st.none() | st.text(min_size=1),
    tags=st.dictionaries(st.text(min_size=1), st.text(min_size=1), max_size=3),
    tokens=st.integers(0, 10**9),
)
def test_entry_survives_json(cost: Decimal | None, team: str | None, tags: dict[str, str], tokens: int) -> None:
    """What is written is what is read, to the last decimal place."""
    entry = _entry(cost=cost, team=team, tags=tags, usage={"input": tokens, "audio_seconds": Decimal("1.5")})

    assert entry == LedgerEntry.from_dict(json.loads(entry.to_json()))


def test_appended_entries_are_read_at_once(tmp_path: Path) -> None:
    """A reader sees what a living writer has appended."""
    ledger = open_ledger(tmp_path)
    ledger.append(_entry("01"))
    ledger.append(_entry("02"))

    assert ["01", "02"] == [entry.call_id for entry in LedgerReader(tmp_path).entries()]
    ledger.close()


def test_full_journal_is_left_behind_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that lives long does not keep all it ever wrote twice."""
    monkeypatch.setattr("genops.stores.journal._ROTATE_AT", 4000)
    ledger = open_ledger(tmp_path)
    for number in range(60):
        ledger.append(_entry(f"{number:02}"))
    ledger.flush()

    assert 60 == len(list(LedgerReader(tmp_path).entries()))
    assert 1 >= len(list((tmp_path / "journal").iterdir()))
    ledger.close()


def test_same_call_id_is_booked_once(tmp_path: Path) -> None:
    """The ledger is idempotent on call id, over processes and restarts."""
    for _ in range(2):
        ledger = open_ledger(tmp_path)
        ledger.append(_entry("01"))
        ledger.close()

    assert ["01"] == [entry.call_id for entry in LedgerReader(tmp_path).entries()]


def test_torn_line_spoils_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line cut by a crash is passed over and reported; its neighbours are kept."""
    journal = tmp_path / "journal"
    journal.mkdir()
    good = [_entry(call_id).to_json() for call_id in ("01", "02")]
    (journal / "1-dead.jsonl").write_bytes(good[0] + b"\n" + good[1][:40] + b"\n" + good[1] + b"\n" + good[0][:10])

    assert ["01", "02"] == [entry.call_id for entry in LedgerReader(tmp_path).entries()]
    assert "1 lines" in caplog.text


def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    """Every entry whose append returned is in the ledger exactly once, whenever kill -9 strikes."""
    promised: list[str] = []
    for delay in (0.0, 0.05, 0.1):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        for writer in writers:
            assert writer.stdout is not None
            promised.append(writer.stdout.readline().strip())
        time.sleep(delay)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            assert writer.stdout is not None
            promised += [line.strip() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            writer.stdout.close()
            writer.wait()

    found = [entry.call_id for entry in LedgerReader(tmp_path).entries()]
    assert set(promised) <= set(found)
    assert len(found) == len(set(found))


def test_child_after_fork_keeps_its_own_journal(tmp_path: Path) -> None:
    """Parent and child both write, and neither loses an entry."""
    ledger = open_ledger(tmp_path)
    ledger.append(_entry("parent-1"))
    child = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            "import os, sys; sys.path.insert(0, sys.argv[2])\n"
            "from pathlib import Path; from test_local_ledger import _entry; from genops.stores import open_ledger\n"
            "ledger = open_ledger(Path(sys.argv[1])); ledger.append(_entry('before'))\n"
            "pid = os.fork()\n"
            "ledger.append(_entry('child' if pid == 0 else 'parent-2'))\n"
            "os._exit(0) if pid == 0 else os.waitpid(pid, 0)\n",
            str(tmp_path),
            str(Path(__file__).parent),
        ],
        check=False,
    )
    ledger.close()

    assert child.returncode == 0
    assert {"parent-1", "before", "child", "parent-2"} == {e.call_id for e in LedgerReader(tmp_path).entries()}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    made = tmp_path / "disk"
    made.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(made)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield made
    subprocess.run(["umount", "-l", str(made)], check=True)


def test_entries_wait_until_a_full_disk_has_room(small_disk: Path) -> None:
    """Nothing is raised, nothing is lost, and one warning says what is going on."""
    filler = small_disk / "filler"
    ledger = open_ledger(small_disk / "ledger")
    ledger.append(_entry("before"))
    ledger.flush()
    with contextlib.suppress(OSError):
        filler.write_bytes(bytes(1 << 21))
    for number in range(300):
        ledger.append(_entry(f"full-{number}"))
    with pytest.raises(ConfigurationError, match="its disk is full"):
        list(LedgerReader(small_disk / "ledger").entries())
    filler.unlink()
    ledger.append(_entry("after"))
    ledger.close()

    found = {entry.call_id for entry in LedgerReader(small_disk / "ledger").entries()}
    assert {"before", "after", *(f"full-{number}" for number in range(300))} == found
    assert 0 == ledger.dropped


def test_file_in_the_way_is_one_warning_and_no_exception(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A directory that cannot be made: calls go on, one warning says what to do, and at the end how much is lost."""
    (tmp_path / "ledger").write_text("not a directory")
    ledger = open_ledger(tmp_path / "ledger")
    ledger.append(_entry("01"))
    ledger.append(_entry("02"))

    assert 1 == caplog.text.count("fix: make room")
    ledger.close()
    assert 2 == ledger.dropped
    assert "2 entries are lost" in caplog.text


def test_entries_that_waited_are_written_without_another_call(tmp_path: Path) -> None:
    """What was in the way is gone: flushing is enough, and so is the thread that folds."""
    (tmp_path / "ledger").write_text("not a directory")
    ledger = open_ledger(tmp_path / "ledger")
    ledger.append(_entry("01"))
    (tmp_path / "ledger").unlink()
    ledger.flush()

    assert ["01"] == [entry.call_id for entry in LedgerReader(tmp_path / "ledger").entries()]
    ledger.close()


def test_memory_for_entries_that_wait_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are kept, and what has no place is counted."""
    monkeypatch.setattr("genops.stores.journal._MOST_WAITING", 2)
    (tmp_path / "ledger").write_text("not a directory")
    ledger = open_ledger(tmp_path / "ledger")
    for name in ("01", "02", "03"):
        ledger.append(_entry(name))
    (tmp_path / "ledger").unlink()
    ledger.close()

    assert ["01", "02"] == [entry.call_id for entry in LedgerReader(tmp_path / "ledger").entries()]
    assert 1 == ledger.dropped


@pytest.mark.parametrize(("configured", "heard"), [(False, ""), (True, "mine: ")])
def test_a_loss_is_heard_where_no_logging_is_set_up(configured: bool, heard: str) -> None:
    """On standard error, once; an application with handlers of its own has it there."""
    code = f"""
import logging, genops
from genops.core.alarms import warn_of_loss
if {configured}:
    logging.basicConfig(format="mine: %(message)s")
warn_of_loss(logging.getLogger("genops.stores.journal"), "%d entries are lost", 2)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert f"{heard}2 entries are lost\n" == run.stderr


def test_retention_deletes_what_is_older(tmp_path: Path) -> None:
    """Entries past the retention go, younger ones stay."""
    ledger = open_ledger(tmp_path)
    ledger.append(_entry("old", started_at=datetime.now(UTC) - timedelta(days=40)))
    ledger.append(_entry("new", started_at=datetime.now(UTC)))
    ledger.close()

    assert prune(tmp_path, 30) == 1
    assert ["new"] == [entry.call_id for entry in LedgerReader(tmp_path).entries()]


# -- numbers and evaluations -------------------------------------------------------------------------------------------

VERSION_0 = """
CREATE TABLE entries (call_id TEXT PRIMARY KEY, started_at TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX entries_by_time ON entries (started_at);
CREATE TABLE journals (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
"""


def _row(call_id: str, **more: object) -> tuple[str, str, str]:
    entry = _entry(call_id, **more)
    return entry.call_id, entry.to_dict()["started_at"], entry.to_json().decode()


def _numbered(directory: Path, after: int = 0) -> list[tuple[int, str]]:
    with arrivals(directory) as found:
        return [(number, json.loads(body)["call_id"]) for number, body in found.calls(after, 1000)]


def test_late_entry_has_a_number_above_all_before(tmp_path: Path) -> None:
    """Who has read up to a number finds an entry above it that started before all others."""
    ledger = open_ledger(tmp_path)
    ledger.append(_entry("02"))
    ledger.append(_entry("03"))
    ledger.flush()
    last = _numbered(tmp_path)[-1][0]
    ledger.append(_entry("01", started_at=datetime(2020, 1, 1, tzinfo=UTC)))
    ledger.append(_entry("02"))
    ledger.close()

    assert ["01"] == [call_id for _, call_id in _numbered(tmp_path, last)]


def test_number_is_never_given_twice(tmp_path: Path) -> None:
    """Not even when the last entries have been deleted."""
    ledger = open_ledger(tmp_path)
    ledger.append(_entry("old", started_at=datetime.now(UTC) - timedelta(days=40)))
    ledger.flush()
    last = _numbered(tmp_path)[-1][0]
    prune(tmp_path, 30)
    ledger.append(_entry("new", started_at=datetime.now(UTC)))
    ledger.close()

    assert [(last + 1, "new")] == _numbered(tmp_path)


def test_database_of_version_0_is_changed_in_place(tmp_path: Path) -> None:
    """Its entries are there, numbered, oldest first, and so is what its processes go on writing to their journals."""
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as old:
        old.executescript(VERSION_0)
        rows = [_row("02"), _row("01", started_at=datetime(2026, 11, 1, tzinfo=UTC))]
        old.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        old.commit()

        assert ["01", "02"] == [call_id for _, call_id in _numbered(tmp_path)]

        with pytest.raises(sqlite3.OperationalError):  # version 0 makes what is not there before it folds
            old.executescript(VERSION_0.replace("TABLE", "TABLE IF NOT EXISTS").replace("INDEX", "INDEX IF NOT EXISTS"))
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "1-of-version-0.jsonl").write_text(f"{_row('03')[2]}\n{_row('02')[2]}\n")

    assert ["01", "02", "03"] == [call_id for _, call_id in _numbered(tmp_path)]
    assert {"01", "02", "03"} == {entry.call_id for entry in LedgerReader(tmp_path).entries()}


def test_processes_that_fold_at_once_lose_no_number(tmp_path: Path) -> None:
    """Read while four processes write and fold, by number alone, every entry shows up exactly once."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    seen: list[str] = []
    reached = 0
    for _ in range(15):
        for number, call_id in _numbered(tmp_path, reached):
            reached = number
            seen.append(call_id)
    for writer in writers:
        writer.kill()
        writer.communicate()
    seen += [call_id for _, call_id in _numbered(tmp_path, reached)]

    everything = [entry.call_id for entry in LedgerReader(tmp_path).entries()]
    assert sorted(everything)[: len(seen)] == sorted(seen)[: len(everything)]
    assert len(seen) == len(set(seen))


def test_evaluations_are_kept_once_beside_the_entries(tmp_path: Path) -> None:
    """They survive like entries, count once per id, and are no entry to those who read entries."""
    found = Evaluation(evaluation_id="e1", evaluated_at=datetime(2026, 11, 23, tzinfo=UTC), name="tone", score=0.5)
    for _ in range(2):
        ledger = open_ledger(tmp_path)
        ledger.append_evaluation(found)
        ledger.append(_entry())
        ledger.close()

    assert ["01"] == [entry.call_id for entry in LedgerReader(tmp_path).entries()]
    with arrivals(tmp_path) as ledger_rows:
        assert [found] == [Evaluation.from_dict(json.loads(body)) for _, body in ledger_rows.evaluations(0, 10)]


def test_retention_deletes_evaluations_too_and_says_what_is_gone(tmp_path: Path) -> None:
    """Who keeps a copy learns up to which number and moment."""
    ledger = open_ledger(tmp_path)
    old = datetime.now(UTC) - timedelta(days=40)
    ledger.append_evaluation(Evaluation(evaluation_id="e1", evaluated_at=old, name="tone"))
    ledger.append(_entry("old", started_at=old))
    ledger.close()
    prune(tmp_path, 30)

    with arrivals(tmp_path) as found:
        assert [] == found.evaluations(0, 10)
        assert [(1, 1)] == [(each.call_seq, each.evaluation_seq) for each in found.prunes()]
