"""The demo ends with a dashboard: one that is there where somebody looks, and the command for it elsewhere."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

from genops.cli.demo.history import DAYS, TAGS, add_history
from genops.core.ledger import LedgerEntry, Outcome
from genops.stores import LedgerReader

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def test_demo_leaves_a_dashboard_running_until_ctrl_c(tmp_path: Path) -> None:
    """What it prints as its last line can be opened, and shows the calls of the demo."""
    code = "from genops.cli import main; main()"
    command = [sys.executable, "-u", "-c", code, "demo", "--ledger", str(tmp_path / "ledger"), "--serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            said = ""
            while (found := re.search(r"The dashboard (http://127\.0\.0\.1:\d+)", said)) is None:
                line = process.stdout.readline()
                assert line, said
                said += line
            page = _page(f"{found[1]}/?period=all", "By team")
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            status = process.wait()
        finally:
            process.kill()

    assert "support" in page
    assert (0, True) == (status, "genops serve --ledger" in rest)


def _page(url: str, awaited: str) -> str:
    """The page, once it shows what the server loads after it has started."""
    deadline = time.monotonic() + 60
    while True:
        with urlopen(url) as answer:
            page: str = answer.read().decode()
        if awaited in page or time.monotonic() > deadline:
            return page
        time.sleep(0.2)


def _entry(number: int) -> LedgerEntry:
    return LedgerEntry(
        call_id=f"{number:026}",
        trace_id=f"{number // 2:032x}",
        started_at=NOON,
        duration_ms=5.0,
        outcome=Outcome.COMPLETED,
        provider="openai",
        api="chat_completions",
        operation="chat",
        operation_type="inference",
        feature="answer-ticket",
        policy_result="ALLOWED",
    )


def test_history_is_marked_and_lies_in_the_past(tmp_path: Path) -> None:
    """Copies say that they are copies; calls that shared a trace still do; the same entries give the same days."""
    entries = [_entry(number) for number in range(40)]
    counts = {add_history(tmp_path / name, entries, NOON) for name in ("a", "b")}
    copies = list(LedgerReader(tmp_path / "a").entries())

    assert {len(copies)} == counts
    assert all(copy.tags == TAGS and copy.started_at < NOON for copy in copies)
    assert len(copies) == 2 * len({copy.trace_id for copy in copies})
    assert DAYS >= len({copy.started_at.date() for copy in copies}) > DAYS // 2
