"""The budget store of many machines: Redis or Valkey, one server-side script per operation.

The time is the server's: it comes back with every answer, and processes whose own clocks differ still agree. A server
that was restarted without its data is noticed and treated as one that does not answer, until `genops budgets reconcile`
has rebuilt the counters. A replica that is promoted may lack the last acknowledged writes; turn on persistence (AOF).
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from genops.core.budgets.forks import ForkLock, call_after_fork
from genops.core.budgets.model import Leg, State, counter_key, parse_key
from genops.core.budgets.store import Counter, Crossing, Ended, Granted, Refused, conflict
from genops.core.errors import BudgetStoreError, ConfigurationError
from genops.stores.budgets import _scripts
from genops.stores.budgets._rows import legs_to_text, numbers_from_text, numbers_to_text
from genops.stores.budgets.redis_urls import connect, errors_of, without_password

__all__ = ["RedisBudgetStore"]

_AT_ONCE = 100  # expired reservations charged by one operation
_REMEMBERED_S = 7 * 86_400  # ended reservations whose repetition is recognised
_MOST_LEG_TEXTS = 10_000


class RedisBudgetStore:
    """A `BudgetStore` on the server at `url`: redis://, rediss://, unix://, cluster://, sentinel://host:port/service.

    `namespace` keeps budgets of different installations apart. An operation takes `timeout_s` at most, twice that with
    the one retry after a broken connection; then it raises `BudgetStoreError`.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "default",
        timeout_s: float = 0.5,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not namespace or any(character in namespace for character in "{}: "):
            raise ConfigurationError(
                f"the budget namespace {namespace!r} must be text without braces, colons or blanks.",
                fix="namespace: production",
            )
        self.url = url
        self._shown_url = without_password(url)
        self._prefix = f"genops:{{{namespace}}}:"
        self._timeout_s = timeout_s
        self._errors = errors_of(url)
        self._fixed_clock = clock
        self._ahead_s = (
            time.time() - time.monotonic()
        )  # the server's clock less our monotonic one, once it has answered
        self._asked_time = False
        self._mark = ""
        self._client: Any = None
        self._lock = ForkLock()
        self._texts: dict[int, tuple[Sequence[Leg], str, str]] = {}
        call_after_fork(self._after_fork)

    def _after_fork(self) -> None:
        self._client = None

    # -- scripts -------------------------------------------------------------------------------------------------------

    def clock(self) -> float:
        """The server's time; that of this machine until the server has answered once."""
        if self._fixed_clock is not None:
            return self._fixed_clock()
        if not self._asked_time:
            self._asked_time = True
            with contextlib.suppress(BudgetStoreError):
                self._run(_USAGE, "")
        return time.monotonic() + self._ahead_s

    def _run(self, script: _Script, *arguments: object, keys: Sequence[str] = ()) -> list[str]:
        """Run a script and return what follows the mark. Raises `BudgetStoreError`."""
        names = [f"{self._prefix}mark", *(f"{self._prefix}c:{key}" for key in keys)]
        given = (self._prefix, self._mark, secrets.token_hex(8), *arguments)
        before = time.monotonic()
        try:
            client = self._connected()
            try:
                answer = client.evalsha(script.sha, len(names), *names, *given)
            except self._errors.no_script:
                answer = client.eval(script.text, len(names), *names, *given)
        except self._errors.failures as error:
            raise self._failure(error) from error
        kind, server_us, *rest = answer
        self._ahead_s = int(server_us) / 1e6 - (before + time.monotonic()) / 2
        if kind == "LOST":
            raise BudgetStoreError(
                f"the budget store {self._shown_url} has lost what it held: it was restarted empty, or emptied.",
                fix="genops budgets reconcile   (it rebuilds the counters from the ledger)",
            )
        self._mark = rest[0]
        return [kind, *rest[1:]]

    def _connected(self) -> Any:
        if self._client is None:
            with self._lock:
                if self._client is None:
                    client = connect(self.url, self._timeout_s)
                    client.ping()  # with the lock: Python's own import locks do not survive a fork amid an import
                    self._client = client
        return self._client

    def _failure(self, error: Exception) -> BudgetStoreError:
        return BudgetStoreError(
            f"the budget store {self._shown_url} does not answer: {type(error).__name__}: {error}",
            fix="start the server, or correct the URL of the budget store",
        )

    def _legs(self, legs: Sequence[Leg]) -> tuple[str, str]:
        """The legs and their limits as text. Legs are used again and again, so their text is kept with them."""
        known = self._texts.get(id(legs))
        if known is None or known[0] is not legs:
            limits = " ".join(f"{'h' if leg.hard else 's'}{leg.limit}" for leg in legs)
            if len(self._texts) >= _MOST_LEG_TEXTS:
                self._texts.clear()
            known = self._texts[id(legs)] = (legs, legs_to_text(legs), limits)
        return known[1], known[2]

    # -- operations ----------------------------------------------------------------------------------------------------

    def reserve(
        self,
        reservation_id: str,
        legs: Sequence[Leg],
        amounts: Sequence[int],
        charges: Sequence[int],
        times: tuple[float, float],
    ) -> Granted | Refused:
        text, limits = self._legs(legs)
        now, expires_at = times
        numbers = (numbers_to_text(amounts), numbers_to_text(charges), limits)
        keys = [key for leg in legs for key in (leg.key, *leg.also)]
        kind, *rest = self._run(_RESERVE, reservation_id, repr(now), repr(expires_at), text, *numbers, keys=keys)
        if kind == "ENDED":
            raise conflict(reservation_id, State(int(rest[0])), numbers_from_text(rest[1]), "be reserved again")
        if kind == "REFUSED":
            leg = legs[int(rest[0])]
            retry_after_s = None if leg.end is None else max(0.0, leg.end - now)
            return Refused(int(rest[0]), int(rest[1]), leg.limit, retry_after_s)
        return Granted(int(rest[0]), int(rest[1]), numbers_from_text(rest[2]), rest[3] == "1")

    def settle(
        self, reservation_id: str, legs: Sequence[Leg], actuals: Sequence[int], now: float, *, release: bool = False
    ) -> Ended:
        state = State.RELEASED if release else State.SETTLED
        text, _ = self._legs(legs)
        charged = numbers_to_text(actuals)
        keys = [key for leg in legs for key in (leg.key, *leg.also)]
        kind, *rest = self._run(_SETTLE, reservation_id, text, charged, int(state), _REMEMBERED_S, keys=keys)
        if kind == "ENDED":
            asked = f"be charged {list(actuals)}"
            raise conflict(reservation_id, State(int(rest[0])), numbers_from_text(rest[1]), asked)
        found, how, recorded, *crossings = rest
        return Ended(
            reservation_id,
            State(int(found)),
            numbers_from_text(recorded),
            _crossings(crossings),
            repeated=how == "repeated",
            late=how == "late",
            unknown=how == "unknown",
        )

    def extend(self, reservation_id: str, expires_at: float) -> bool:
        return self._run(_EXTEND, reservation_id, repr(expires_at))[1] == "1"

    def expire_due(self, now: float) -> tuple[Ended, ...]:
        _, *rest = self._run(_EXPIRE, repr(now), _AT_ONCE, _REMEMBERED_S)
        ended, place = [], 0
        while place < len(rest):
            name, charged, parts = rest[place : place + 3]
            place += 3 + int(parts)
            crossings = _crossings(rest[place - int(parts) : place])
            ended.append(Ended(name, State.EXPIRED, numbers_from_text(charged), crossings))
        return tuple(ended)

    def usage(self, keys: Sequence[str]) -> tuple[Counter, ...]:
        return _counters(self._run(_USAGE, *keys, keys=keys)[1:]) if keys else ()

    def counters(self, budget: str | None = None) -> tuple[Counter, ...]:
        start = "" if budget is None else counter_key(budget, {}, "", 0).partition("|")[0] + "|"
        found = _counters(self._run(_USAGE)[1:])
        return tuple(sorted(counter for counter in found if counter.key.startswith(start)))

    def adjust(self, key: str, spent: int) -> None:
        parse_key(key)
        self._run(_ADJUST, key, spent, keys=(key,))

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


class _Script:
    """A script and the name the server knows it by."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_RESERVE, _SETTLE, _EXTEND = _Script(_scripts.RESERVE), _Script(_scripts.SETTLE), _Script(_scripts.EXTEND)
_EXPIRE, _USAGE, _ADJUST = _Script(_scripts.EXPIRE), _Script(_scripts.USAGE), _Script(_scripts.ADJUST)


def _crossings(parts: Sequence[str]) -> tuple[Crossing, ...]:
    return tuple(
        Crossing(key, int(which), int(spent))
        for key, which, spent in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    )


def _counters(parts: Sequence[str]) -> tuple[Counter, ...]:
    return tuple(
        Counter(key, int(spent), int(reserved))
        for key, spent, reserved in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    )
