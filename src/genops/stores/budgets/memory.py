"""The budget store of one process: counters in memory, gone when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from genops.core.budgets.forks import call_after_fork
from genops.core.budgets.model import Leg, State, counter_key, parse_key
from genops.core.budgets.store import Counter, Crossing, Ended, Granted, Refused, conflict, crossed, kept_until

__all__ = ["MemoryBudgetStore"]

_REMEMBERED = 10_000  # ended reservations whose repetition is recognised
_KEPT_S = 86_400  # counters after their window, and for as long as something is reserved there
_FORGET_EVERY_S = 600
_SPENT, _RESERVED, _MASK = range(3)  # and until when the counter is kept
_FOREVER = float("inf")


class _Record:
    """A reservation as it stands."""

    __slots__ = ("amounts", "charges", "expires_at", "legs", "state")

    def __init__(
        self, legs: Sequence[Leg], amounts: Sequence[int], charges: Sequence[int], expires_at: float, state: State
    ) -> None:
        self.legs = legs
        self.amounts = amounts
        self.charges = charges  # on expiry; once it has ended, what was charged
        self.expires_at = expires_at
        self.state = state


class MemoryBudgetStore:
    """A `BudgetStore` in the memory of this process. A child after `fork` goes on with a copy of its own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._counters: dict[str, list[int]] = {}
        self._open: dict[str, _Record] = {}
        self._ended: dict[str, _Record] = {}
        self._next_expiry = _FOREVER
        self._forgotten_at = 0.0
        call_after_fork(self._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def reserve(
        self,
        reservation_id: str,
        legs: Sequence[Leg],
        amounts: Sequence[int],
        charges: Sequence[int],
        times: tuple[float, float],
    ) -> Granted | Refused:
        now, expires_at = times
        with self._lock:
            known = self._open.get(reservation_id) or self._ended.get(reservation_id)
            if known is not None:
                return self._repeated(reservation_id, known)
            found = self._fits(legs, amounts, now)
            if type(found) is Refused:
                return found
            counters = self._counters
            for leg, amount in zip(legs, amounts, strict=True):
                counter = counters.get(leg.key)
                if counter is None:
                    counters[leg.key] = [0, amount, 0, kept_until(leg, _KEPT_S)]
                else:
                    counter[_RESERVED] += amount
            self._open[reservation_id] = _Record(legs, amounts, charges, expires_at, State.OPEN)
            if expires_at < self._next_expiry:
                self._next_expiry = expires_at
            return found

    def _fits(self, legs: Sequence[Leg], amounts: Sequence[int], now: float) -> Granted | Refused:
        counters = self._counters
        tightest, remaining, least = 0, 0, _FOREVER
        over: tuple[int, ...] = ()
        for place, leg in enumerate(legs):
            counter = counters.get(leg.key)
            used = counter[0] + counter[1] if counter is not None else 0
            if leg.also:
                used += self._older(leg)
            left = leg.limit - used - amounts[place]
            if left < 0 and amounts[place]:
                if leg.hard:
                    return Refused(place, used, leg.limit, None if leg.end is None else max(0.0, leg.end - now))
                over = (*over, place)
            share = left / (leg.limit or 1)
            if share < least:
                tightest, remaining, least = place, left, share
        return Granted(tightest, remaining, over)

    def knows(self, reservation_id: str) -> bool:
        """Whether the reservation was made here, as far as that is remembered."""
        return reservation_id in self._open or reservation_id in self._ended

    def _older(self, leg: Leg) -> int:
        return sum(counter[0] + counter[1] for key in leg.also if (counter := self._counters.get(key)) is not None)

    def _repeated(self, reservation_id: str, record: _Record) -> Granted:
        if record.state is not State.OPEN:
            raise conflict(reservation_id, record.state, record.charges, "be reserved again")
        found = self._fits(record.legs, [0] * len(record.legs), 0.0)
        assert isinstance(found, Granted)  # zeros always fit
        return found._replace(repeated=True)

    def settle(
        self, reservation_id: str, legs: Sequence[Leg], actuals: Sequence[int], now: float, *, release: bool = False
    ) -> Ended:
        state = State.RELEASED if release else State.SETTLED
        with self._lock:
            record = self._open.pop(reservation_id, None)
            if record is not None:
                crossings = self._charge(record.legs, actuals, record.amounts)
                return self._end(reservation_id, record, actuals, state, crossings)
            record = self._ended.get(reservation_id)
            if record is None:
                record = _Record(legs, actuals, actuals, now, state)
                crossings = self._charge(legs, actuals, [0] * len(legs))
                return self._end(reservation_id, record, actuals, state, crossings)._replace(unknown=True)
            if record.state is State.EXPIRED:
                return self._settle_late(reservation_id, record, actuals, state)
            if tuple(actuals) != tuple(record.charges):
                raise conflict(reservation_id, record.state, record.charges, f"be charged {list(actuals)}")
            return Ended(reservation_id, record.state, tuple(record.charges), repeated=True)

    def _settle_late(self, reservation_id: str, record: _Record, actuals: Sequence[int], state: State) -> Ended:
        """Post the true value of a call that was taken for lost, and take back the charge for that."""
        differences = [actual - charged for actual, charged in zip(actuals, record.charges, strict=True)]
        crossings = self._charge(record.legs, differences, [0] * len(differences))
        return self._end(reservation_id, record, actuals, state, crossings)._replace(late=True)

    def _charge(self, legs: Sequence[Leg], spent: Sequence[int], reserved: Sequence[int]) -> tuple[Crossing, ...]:
        """Add to `spent`, take from `reserved`, and return which thresholds that passed."""
        counters = self._counters
        crossings: tuple[Crossing, ...] = ()
        for leg, more, less in zip(legs, spent, reserved, strict=True):
            counter = counters.get(leg.key)
            if counter is None:
                counter = counters[leg.key] = [0, 0, 0, kept_until(leg, _KEPT_S)]
            counter[0] += more
            counter[1] -= less
            if leg.thresholds and (leg.also or counter[0] >= leg.thresholds[0]):
                crossings += self._crossings(leg, counter)
        return crossings

    def _crossings(self, leg: Leg, counter: list[int]) -> tuple[Crossing, ...]:
        spent, mask = counter[_SPENT], counter[_MASK]
        for key in leg.also:
            older = self._counters.get(key)
            if older is not None:
                spent += older[_SPENT]
                mask |= older[_MASK]
        mask, found = crossed(leg, spent, mask)
        if found:
            counter[_MASK] = mask
        return tuple(found)

    def _end(
        self,
        reservation_id: str,
        record: _Record,
        charged: Sequence[int],
        state: State,
        crossings: tuple[Crossing, ...],
    ) -> Ended:
        record.state = state
        record.charges = charged
        self._ended[reservation_id] = record
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        return Ended(reservation_id, state, tuple(charged), crossings)

    def extend(self, reservation_id: str, expires_at: float) -> bool:
        with self._lock:
            record = self._open.get(reservation_id)
            if record is None:
                return False
            record.expires_at = expires_at
            self._next_expiry = min(self._next_expiry, expires_at)
            return True

    def expire_due(self, now: float) -> tuple[Ended, ...]:
        with self._lock:
            if now - self._forgotten_at > _FORGET_EVERY_S:
                self._forgotten_at = now
                self._forget(now)
            return self._expire(now) if now >= self._next_expiry else ()

    def _expire(self, now: float) -> tuple[Ended, ...]:
        due = [(name, record) for name, record in self._open.items() if record.expires_at <= now]
        ended = []
        for name, record in due:
            del self._open[name]
            crossings = self._charge(record.legs, record.charges, record.amounts)
            ended.append(self._end(name, record, record.charges, State.EXPIRED, crossings))
        self._next_expiry = min((record.expires_at for record in self._open.values()), default=_FOREVER)
        return tuple(ended)

    def _forget(self, now: float) -> None:
        old = [key for key, (_, reserved, _, until) in self._counters.items() if 0 < until < now and not reserved]
        for key in old:
            del self._counters[key]

    def usage(self, keys: Sequence[str]) -> tuple[Counter, ...]:
        with self._lock:
            found = [(key, self._counters.get(key)) for key in keys]
            return tuple(Counter(key, *(counter[:2] if counter else (0, 0))) for key, counter in found)

    def counters(self, budget: str | None = None) -> tuple[Counter, ...]:
        start = "" if budget is None else counter_key(budget, {}, "", 0).partition("|")[0] + "|"
        with self._lock:
            return tuple(
                Counter(key, *counter[:2]) for key, counter in sorted(self._counters.items()) if key.startswith(start)
            )

    def adjust(self, key: str, spent: int) -> None:
        parse_key(key)
        with self._lock:
            self._counters.setdefault(key, [0, 0, 0, 0])[_SPENT] = spent

    def close(self) -> None:
        return None
