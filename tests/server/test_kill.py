"""`kill -9` under load, at random moments: what was acknowledged is there once, and nothing is there twice.

GENOPS_KILL_ROUNDS=50 python -m pytest tests/server/test_kill.py
"""

from __future__ import annotations

import collections
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal

import httpx
from tests.server.conftest import Server
from tests.server.telling import COST, USED, logs, record, sdk_span, span, traces

from genops.analytics import open_source

ROUNDS = int(os.environ.get("GENOPS_KILL_ROUNDS", "3"))
SENDERS = 3
IN_A_REQUEST = 20


class Sender(threading.Thread):
    """Sends calls, each request until it is acknowledged: as records, as spans of an SDK, as foreign spans, or both."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._number = number
        self.acknowledged: list[str] = []  # what identifies each call
        self.sent: set[str] = set()
        self.ending = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self.ending.is_set():
            turn += 1
            numbers = [self._number * 10**9 + turn * 1000 + each for each in range(IN_A_REQUEST)]
            names = [f"CALL{number}" for number in numbers]
            asked = {"gen_ai.response.id": f"chatcmpl-{self._number:05}-{turn:08}"}
            requests = [
                logs(*(record(name, number=number, trace=number) for name, number in zip(names, numbers, strict=True))),
                traces(
                    *(sdk_span(name, number=number, trace=number) for name, number in zip(names, numbers, strict=True)),
                    scope="genops",
                ),
                traces(*(span(number, USED, trace=number, parent=1) for number in numbers)),
                traces(*(span(number, {**USED, **asked}, trace=number) for number in numbers)),
            ]
            chosen = random.choice([[0], [1], [0, 1], [1, 0], [2], [3]])
            keys = names if chosen[0] < 2 else [f"{number:016x}" for number in numbers[: 1 if chosen == [3] else None]]
            self.sent.update(keys)
            if all(self._until_acknowledged(requests[each]) for each in chosen):
                self.acknowledged += keys

    def _until_acknowledged(self, request: dict[str, object]) -> bool:
        while not self.ending.is_set():
            try:
                if self._server.send(request).status_code == 200:
                    return True
            except httpx.TransportError:
                time.sleep(0.02)  # it was killed; it comes back
        return False


def test_nothing_that_was_acknowledged_is_lost_or_doubled(serve: Callable[..., Server]) -> None:
    """Records, spans and duplicates from several senders, over servers that are killed at any moment."""
    server = serve()
    senders = [Sender(server, number) for number in range(1, SENDERS + 1)]
    for sender in senders:
        sender.start()
    for _ in range(ROUNDS):
        time.sleep(random.uniform(0.05, 1.5))
        server.stop(signal.SIGKILL)
        server.start()
    time.sleep(0.5)
    for sender in senders:
        sender.ending.set()
    for sender in senders:
        sender.join(timeout=60)
    (totals,) = open_source(server.ledger).query("totals")
    server.stop()

    entries = server.entries()
    found = collections.Counter(entry.span_id if entry.cost_source == "span" else entry.call_id for entry in entries)
    assert not [key for key, count in found.items() if count > 1]
    assert set().union(*(sender.acknowledged for sender in senders)) <= found.keys()
    assert found.keys() <= set().union(*(sender.sent for sender in senders))
    assert {Decimal(COST)} == {entry.cost for entry in entries}
    with_analytics = open_source(server.ledger).query("totals")[0]
    assert (len(entries), len(entries) * Decimal(COST)) == (with_analytics["calls"], with_analytics["cost"])
    assert totals["calls"] <= len(entries)
