"""Governed programs that fork: every entry once, nothing hangs, and a call in flight stays its parent's."""

from __future__ import annotations

import sys

from .conftest import GENOPS_RUN, Collector, Place


def test_forked_while_threads_call(place: Place) -> None:
    """Children that are forked amid calls, and that fork again, book what they call, and their parent what it calls."""
    app = place.write(
        "app.py",
        """
import signal, threading
from asking import *
signal.alarm(110)
ask()  # what the SDK imports late is imported: Python's own import locks do not survive a fork amid an import

def work():
    for _ in range(10):
        ask()

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()

def child():
    signal.alarm(100)
    ask()
    pid = os.fork()
    if pid == 0:
        signal.alarm(90)
        ask()
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

pids = []
while len(pids) < 6:
    pids.append(os.fork())
    if pids[-1] == 0:
        child()
assert [0] * 6 == [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
for thread in threads:
    thread.join()
""",
    )
    result = place.run(*GENOPS_RUN, sys.executable, app)

    assert 0 == result.returncode, result.stderr
    assert (43, 43) == (len(place.server.requests), len(place.entries))


def test_stream_that_is_open_over_a_fork_is_the_parents(place: Place) -> None:
    """A child that ends with a copy of the stream neither books the call nor settles its reservation."""
    place.write("genops.yaml", "budgets: [{name: cap, limit: 1, window: day}]\n")
    app = place.write(
        "app.py",
        """
from asking import *
stream = ask(stream=True, stream_options={"include_usage": True})
chunks = [next(stream)]
pid = os.fork()
if pid == 0:
    del stream
    sys.exit(0)
assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
chunks += list(stream)
""",
    )
    result = place.run(*GENOPS_RUN, sys.executable, app)

    assert (0, "") == (result.returncode, result.stderr)
    assert [("completed", "reported")] == [(entry.outcome.value, entry.usage_source) for entry in place.entries]


def test_children_export_over_connections_of_their_own(place: Place, collector: Collector) -> None:
    """What the parent has open to the backend, its children leave alone: two of them on one connection mix answers."""
    app = place.write(
        "app.py",
        """
import multiprocessing
from asking import *
from opentelemetry import trace

def call():
    ask()
    trace.get_tracer_provider().force_flush()

call()
children = [multiprocessing.get_context("fork").Process(target=call) for _ in range(2)]
for child in children:
    child.start()
for child in children:
    child.join()
call()
""",
    )
    result = place.run(*GENOPS_RUN, sys.executable, app, **collector.env)

    assert (0, "") == (result.returncode, result.stderr)
    assert place.call_ids == collector.call_ids
    assert (4, 3) == (len(place.call_ids), len(collector.connections))
