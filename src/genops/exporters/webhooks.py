"""Budget alerts to a webhook, from a thread of their own: no call ever waits for them.

A delivery that fails is tried again, each time after twice the wait, with jitter. When deliveries keep failing, the
receiver is left alone for a while and alerts are kept meanwhile, up to a limit.
"""

from __future__ import annotations

import http.client
import json
import logging
import random
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from genops.core.budgets.alerts import BudgetAlert
from genops.core.budgets.forks import call_after_fork
from genops.core.errors import ConfigurationError

__all__ = ["Patience", "WebhookAlerts"]

_log = logging.getLogger(__name__)
_MOST_KEPT = 1000  # alerts; the oldest are dropped beyond it, and counted
_AGAIN = frozenset({408, 425, 429})  # besides 5xx


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a receiver, and when to leave it alone."""

    timeout_s: float = 5.0
    attempts: int = 5  # of one delivery
    first_wait_s: float = 0.5  # before the second attempt; doubled each time
    longest_wait_s: float = 30.0
    failures: int = 3  # deliveries in a row that fail before the receiver is left alone
    left_alone_s: float = 60.0


class WebhookAlerts:
    """Posts each alert it is called with as JSON to `url`. `secret` is sent as a bearer token."""

    def __init__(self, url: str, *, secret: str | None = None, patience: Patience | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no address of a webhook.", fix="https://hooks.example.com/budgets")
        self.delivered, self.dropped = 0, 0
        self._url = url
        self._shown = f"{parts.scheme}://{parts.hostname}"  # the path of a webhook may be its secret
        self._headers: Mapping[str, str] = {
            "Content-Type": "application/json",
            "User-Agent": "genops",
            **({"Authorization": f"Bearer {secret}"} if secret else {}),
        }
        self._patience = patience or Patience()
        self._start_over()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        """Also in a child process: what the parent has to deliver, the parent delivers."""
        self._kept: deque[BudgetAlert] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._failures = 0
        self._busy = False
        self._thread: threading.Thread | None = None

    def __call__(self, alert: BudgetAlert) -> None:
        """Take an alert to deliver. Returns at once."""
        with self._changed:
            if self._closing.is_set():
                return
            self._kept.append(alert)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popleft()
                self.dropped += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="genops-alerts", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until every alert is delivered or given up; whether that was so in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._kept and not self._busy, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Deliver what is kept, as far as the time allows, and stop."""
        self.flush(timeout_s)
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    @property
    def open(self) -> bool:
        """Whether the circuit is open: the receiver failed again and again and is left alone."""
        return self._failures >= self._patience.failures

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closing.is_set():
            if self.open:
                self._closing.wait(self._patience.left_alone_s)
            with self._changed:
                self._changed.wait_for(lambda: self._kept or self._closing.is_set())
                if not self._kept:
                    return
                alert, self._busy = self._kept.popleft(), True
            delivered = self._deliver(alert)
            with self._changed:
                self._busy = False
                self._note(alert, delivered)
                self._changed.notify_all()

    def _note(self, alert: BudgetAlert, delivered: bool | None) -> None:
        if delivered:
            self.delivered += 1
            self._failures = 0
        elif delivered is False:  # the receiver does not want it, which is an answer
            self.dropped += 1
        else:
            self._failures += 1
            self._kept.appendleft(alert)
            if self._failures == self._patience.failures:
                _log.warning(
                    "budget alerts cannot be delivered to %s; trying again every %.0f s.\n"
                    "  fix: check the address of the webhook, and that it can be reached from here",
                    self._shown,
                    self._patience.left_alone_s,
                )

    def _deliver(self, alert: BudgetAlert) -> bool | None:
        """Whether the receiver took it; None if it could not be asked, however often."""
        attempts = 1 if self.open else self._patience.attempts
        wait = self._patience.first_wait_s
        for attempt in range(attempts):
            if attempt:
                self._closing.wait(min(wait, self._patience.longest_wait_s) * random.uniform(0.5, 1.0))
                wait *= 2
            if self._closing.is_set():
                return None
            answer = self._post(alert)
            if answer is not None:
                return answer
        return None

    def _post(self, alert: BudgetAlert) -> bool | None:
        body = json.dumps(alert.as_dict()).encode()
        request = urllib.request.Request(self._url, body, dict(self._headers), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._patience.timeout_s):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            if error.code >= 500 or error.code in _AGAIN:
                return None
            _log.warning("%s refused a budget alert: %s", self._shown, error.code)
            return False
        except (OSError, http.client.HTTPException) as error:
            _log.debug("a budget alert could not be delivered to %s: %s", self._shown, error)
            return None
