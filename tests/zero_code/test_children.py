"""Child processes of governed programs, however they are started: entries, spans and leases as of any process."""

from __future__ import annotations

import sys

import pytest

from .conftest import GENOPS_RUN, LEASED, OPENTELEMETRY, Collector, Place

PROGRAM = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from asking import *

def main():
    context = multiprocessing.get_context(sys.argv[1])
    ask()  # before: what the parent has open, its children must not use
    children = [context.Process(target=ask) for _ in range(2)]
    for child in children:
        child.start()
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert 3 == len([pool.submit(ask).result().id for _ in range(3)])
    for child in children:
        child.join()
    ask()
    sys.exit(10 * [child.exitcode for child in children].count(0))

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("launcher", [GENOPS_RUN, OPENTELEMETRY], ids=["genops-run", "opentelemetry-instrument"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(place: Place, collector: Collector, method: str, launcher: tuple[str, ...]) -> None:
    """7 calls of at least 4 processes: each is booked and exported once, and no lease is left behind."""
    place.write("genops.yaml", LEASED)
    exporters = {} if launcher is GENOPS_RUN else {"OTEL_TRACES_EXPORTER": "otlp"}
    result = place.run(
        *launcher, sys.executable, place.write("app.py", PROGRAM), method, **{**collector.env, **exporters}
    )

    assert (20, "") == (result.returncode, result.stderr)
    assert 7 == len(place.call_ids)
    assert place.call_ids == collector.call_ids
    assert 0 == place.reserved


def test_children_that_are_terminated_end_well(place: Place, collector: Collector) -> None:
    """`Process.terminate()` and leaving a `Pool` are SIGTERM: its exit status stays, and nothing is lost."""
    place.write("genops.yaml", LEASED)
    app = place.write(
        "app.py",
        """
import multiprocessing, signal, time
from asking import *

def work(asked):
    ask()
    asked.set()
    time.sleep(60)

if __name__ == "__main__":
    asked = multiprocessing.Event()
    child = multiprocessing.Process(target=work, args=(asked,))
    child.start()
    asked.wait()
    child.terminate()
    child.join()
    assert -signal.SIGTERM == child.exitcode, child.exitcode
    with multiprocessing.Pool(2) as pool:
        pool.map(ask, ["a", "b"], chunksize=1)
""",
    )
    result = place.run(*GENOPS_RUN, sys.executable, app, **collector.env)

    assert (0, "") == (result.returncode, result.stderr)
    assert (3, 0) == (len(place.call_ids), place.reserved)
    assert place.call_ids == collector.call_ids


def test_subprocesses_are_governed_too(place: Place) -> None:
    """A program that a governed program starts, through a shell and with a `preexec_fn`."""
    place.write("app.py", "from asking import *\nask()\n")
    outer = place.write(
        "outer.py",
        """
import os, subprocess, sys
from asking import ask
ask()
subprocess.run(f"'{sys.executable}' app.py", shell=True, check=True)
subprocess.run([sys.executable, "app.py"], check=True, preexec_fn=os.setsid)
os.execv(sys.executable, [sys.executable, "app.py"])
""",
    )
    result = place.run(*GENOPS_RUN, sys.executable, outer)

    assert (0, "") == (result.returncode, result.stderr)
    assert 4 == len(place.entries)
