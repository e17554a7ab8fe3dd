"""How governed programs end: SIGTERM, Ctrl-C and `kill -9`, and what each of them leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from .conftest import DEADLINE_S, GENOPS_RUN, LEASED, OPENTELEMETRY, Collector, Place, wait_for

WAITING = """
import signal, time
from asking import *
ask()
open("asked", "w").close()
while True:
    time.sleep(60)
"""


def started(place: Place, app: str, *launcher: str, **env: str) -> subprocess.Popen[str]:
    """A program that has made its call."""
    place.write("genops.yaml", LEASED)
    process = place.start(*(launcher or GENOPS_RUN), sys.executable, place.write("app.py", app), **env)
    wait_for(lambda: (place.folder / "asked").exists() or process.poll() is not None, "the program made no call")
    assert process.poll() is None, place.output
    return process


@pytest.mark.parametrize("launcher", [GENOPS_RUN, OPENTELEMETRY], ids=["genops-run", "opentelemetry-instrument"])
def test_sigterm_exports_and_gives_back_and_ends_the_process(
    place: Place, collector: Collector, launcher: tuple[str, ...]
) -> None:
    """A program without a handler still dies of the signal."""
    exporters = {} if launcher is GENOPS_RUN else {"OTEL_TRACES_EXPORTER": "otlp"}
    process = started(place, WAITING, *launcher, **{**collector.env, **exporters})
    assert place.reserved > 0
    process.terminate()

    assert -signal.SIGTERM == process.wait(DEADLINE_S), place.output
    assert (1, 0, "") == (len(place.call_ids), place.reserved, place.output)
    assert place.call_ids == collector.call_ids


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        pytest.param("signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", 3, id="handler"),
        pytest.param("signal.signal(signal.SIGTERM, signal.SIG_DFL)", -signal.SIGTERM, id="default"),
    ],
)
def test_handler_of_the_program_is_its_own(place: Place, collector: Collector, handler: str, status: int) -> None:
    """What the program sets for SIGTERM is what happens; entries are there whatever it is."""
    process = started(place, WAITING.replace("ask()", f"{handler}; ask()"), **collector.env)
    process.terminate()

    assert status == process.wait(DEADLINE_S), place.output
    assert 1 == len(place.call_ids)
    assert place.call_ids == (collector.call_ids if status == 3 else place.call_ids)


def test_handler_that_was_there_first_stays(place: Place) -> None:
    """A program that calls `GenOpsInstrumentor().instrument()` late keeps the handler it has."""
    app = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
from genops.zero_code.instrumentor import GenOpsInstrumentor
GenOpsInstrumentor().instrument()
signal.raise_signal(signal.SIGTERM)
"""
    assert 4 == place.run(sys.executable, "-c", app).returncode


def test_collector_that_hangs_does_not_hold_up_the_end(place: Place, collector: Collector) -> None:
    """The process is gone a few seconds after SIGTERM, and at once after a second one; leases are given back first."""
    collector.silent.set()
    process = started(place, WAITING, **collector.env)
    process.terminate()

    assert -signal.SIGTERM == process.wait(15), place.output
    assert (1, 0) == (len(place.call_ids), place.reserved)
    (place.folder / "asked").unlink()
    process = started(place, WAITING, **collector.env)
    process.terminate()
    wait_for(lambda: place.reserved == 0, "the leases were not given back")
    before = time.monotonic()
    process.terminate()

    assert -signal.SIGTERM == process.wait(15), place.output
    assert time.monotonic() - before < 4


def test_sigterm_in_the_middle_of_our_own_work(place: Place, collector: Collector) -> None:
    """A program that is interrupted at any moment of its calls, ours among them, ends without waiting for itself."""
    app = WAITING.replace("while True:\n    time.sleep(60)", "while True:\n    ask()")
    process = started(place, app, **collector.env)
    wait_for(lambda: len(place.entries) > 5, "there were no calls")
    process.terminate()

    assert -signal.SIGTERM == process.wait(4.5), place.output
    assert (0, "") == (place.reserved, place.output)


def test_ctrl_c_is_the_programs(place: Place, collector: Collector) -> None:
    """KeyboardInterrupt reaches it, its traceback is its own, and ending well follows."""
    process = started(place, WAITING, **collector.env)
    os.kill(process.pid, signal.SIGINT)

    assert -signal.SIGINT == process.wait(DEADLINE_S)
    assert place.output.endswith("KeyboardInterrupt\n")
    assert "genops" not in place.output.replace(str(place.folder), "")
    assert (1, 0) == (len(place.call_ids), place.reserved)
    assert place.call_ids == collector.call_ids


def test_kill_loses_no_entry(place: Place) -> None:
    """`kill -9`: what was answered is booked; a lease is held until it expires."""
    process = started(place, WAITING)
    process.kill()
    process.wait(DEADLINE_S)

    assert 1 == len(place.entries)
    assert place.reserved > 0


def test_alert_of_a_short_program_is_delivered(place: Place, collector: Collector) -> None:
    """A process that passes a threshold and ends at once still tells the webhook."""
    webhook = f"{collector.env['OTEL_EXPORTER_OTLP_ENDPOINT']}/alerts"
    place.write(
        "genops.yaml",
        f"budgets: [{{name: cap, unit: requests, limit: 1, window: day}}]\nbudget_store: {{webhook: {webhook!r}}}\n",
    )
    result = place.run(*GENOPS_RUN, sys.executable, place.write("app.py", "from asking import *\nask()\n"))

    assert 0 == result.returncode, result.stderr
    assert [100] == [alert["threshold_percent"] for alert in collector.alerts][-1:]
