"""Alerts to a webhook: delivered by a thread of their own, tried again, and held back while nobody answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from genops.core.budgets.alerts import BudgetAlert
from genops.core.errors import ConfigurationError
from genops.exporters.webhooks import Patience, WebhookAlerts

QUICK = Patience(timeout_s=1.0, attempts=3, first_wait_s=0.01, failures=2, left_alone_s=0.2)
ALERT = BudgetAlert(
    budget="team-monthly",
    group={"team": "search"},
    threshold=80,
    consumed=Decimal("400.25"),
    allocated=Decimal(500),
    unit="USD",
    period="2026-11",
    window_start=1,
    window_end=2,
    at=1.5,
)


class Receiver(ThreadingHTTPServer):
    """Answers with the given codes in turn, then with 200; keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.codes: list[int] = []
        self.got: list[dict[str, object]] = []
        self.seen: list[tuple[float, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook/secret-path"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.seen.append((time.monotonic(), self.headers["Authorization"]))
        code = server.codes.pop(0) if server.codes else 200
        if code == 200:
            server.got.append(body)
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_alert_is_posted_as_json(receiver):
    """Amounts as exact text; the secret as a bearer token."""
    alerts = WebhookAlerts(receiver.url, secret="s3cret", patience=QUICK)
    alerts(ALERT)

    assert alerts.flush()
    alerts.close()
    assert [ALERT.as_dict()] == receiver.got
    assert ("400.25", "Bearer s3cret") == (receiver.got[0]["consumed"], receiver.seen[0][1])


def test_failed_delivery_is_tried_again_after_longer_and_longer_waits(receiver):
    """500 and 429 pass; the alert arrives once."""
    receiver.codes = [500, 429]
    alerts = WebhookAlerts(receiver.url, patience=Patience(attempts=3, first_wait_s=0.1))
    alerts(ALERT)
    assert alerts.flush()
    alerts.close()

    times = [moment for moment, _ in receiver.seen]
    assert (1, 3) == (len(receiver.got), len(times))
    assert times[1] - times[0] >= 0.05
    assert times[2] - times[1] >= 0.1


def test_refused_alert_is_not_sent_again(receiver):
    """404 will not get better; it is counted."""
    receiver.codes = [404]
    alerts = WebhookAlerts(receiver.url, patience=QUICK)
    alerts(ALERT)
    assert alerts.flush()
    alerts.close()

    assert (1, 0, 1) == (len(receiver.seen), alerts.delivered, alerts.dropped)


def test_receiver_that_keeps_failing_is_left_alone_and_gets_everything_later(receiver, caplog):
    """The circuit opens after two deliveries of three attempts; the alerts are kept, in order."""
    receiver.codes = [503] * 6
    alerts = WebhookAlerts(receiver.url, patience=QUICK)
    for budget in ("a", "b", "c"):
        alerts(replace(ALERT, budget=budget))
    deadline = time.monotonic() + 5
    while not alerts.open and time.monotonic() < deadline:
        time.sleep(0.005)
    asked = len(receiver.seen)

    assert (True, 6) == (alerts.open, asked)
    assert alerts.flush()
    alerts.close()
    assert ["a", "b", "c"] == [alert["budget"] for alert in receiver.got]
    assert receiver.seen[6][0] - receiver.seen[5][0] >= 0.15
    assert "cannot be delivered to http://127.0.0.1;" in caplog.text
    assert "secret-path" not in caplog.text


def test_caller_never_waits(receiver):
    """A receiver that is not there costs the caller nothing; memory is bounded."""
    alerts = WebhookAlerts("http://127.0.0.1:1/", patience=Patience(first_wait_s=10))
    began = time.monotonic()
    for _ in range(1500):
        alerts(ALERT)

    assert time.monotonic() - began < 0.5
    assert 499 <= alerts.dropped <= 500
    alerts.close(timeout_s=0.05)


@pytest.mark.parametrize("url", ["hooks.example.com", "file:///etc/passwd", "https://"])
def test_what_is_no_webhook_is_refused(url):
    """Only http and https."""
    with pytest.raises(ConfigurationError):
        WebhookAlerts(url)
