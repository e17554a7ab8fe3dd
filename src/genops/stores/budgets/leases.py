"""Leased slices: a process takes a part of a budget from the shared store and grants calls from it by itself.

A lease is a reservation in the shared store like any other, so what all processes hold and spend never exceeds the
limit. It lives by a heartbeat; a process that dies has its leases charged in full when they expire: what it may have
spent. At worst the sum of all slices is held back for a while, or is spent twice if the store loses its data.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from collections import deque
from collections.abc import Sequence

from genops.core.budgets.forks import Beat, call_after_fork
from genops.core.budgets.model import Leg
from genops.core.budgets.store import BudgetStore, Counter, Crossing, Ended, Granted, Refused
from genops.core.errors import BudgetStoreError
from genops.stores.budgets.memory import MemoryBudgetStore

__all__ = ["LeasingStore"]

_log = logging.getLogger(__name__)
_LEASE_S = 60.0  # renewed at a third of it; a process that is gone holds its slices back for that long


class _Pool:
    """What this process has leased of one counter: the leases that are not settled, and how much they were in all.

    `leased` only grows, as what is spent here does; what of it may be granted is the difference to the local counter.
    """

    __slots__ = ("busy", "leased", "leases", "leg", "posted")

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.leased = 0
        self.posted = 0  # of what was spent here, what the shared store knows
        self.leases: deque[tuple[str, int]] = deque()
        self.busy = False  # whether anything was asked of it since the last heartbeat


class LeasingStore:
    """A `BudgetStore` before a shared one. A call whose budgets all have a slice is answered without a round trip."""

    def __init__(self, shared: BudgetStore, *, lease_s: float = _LEASE_S) -> None:
        self.shared = shared
        self.clock = shared.clock
        self._lease_s = lease_s
        self._heart = Beat(self._beat, lease_s / 3, name="genops-leases")
        self._start_over()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        """Also in a child process: the leases are the parent's."""
        self._lock = threading.RLock()
        self._local = MemoryBudgetStore(self.clock)
        self._pools: dict[str, _Pool] = {}
        self._legs: dict[tuple[Leg, ...], tuple[Leg, ...]] = {}
        self._crossings: list[Crossing] = []

    # -- before the call -----------------------------------------------------------------------------------------------

    def reserve(
        self,
        reservation_id: str,
        legs: Sequence[Leg],
        amounts: Sequence[int],
        charges: Sequence[int],
        times: tuple[float, float],
    ) -> Granted | Refused:
        for leg in legs:
            if not leg.slice or not leg.hard:
                return self.shared.reserve(reservation_id, legs, amounts, charges, times)
        with self._lock:
            local = self._local_legs(tuple(legs))
            answer = self._local.reserve(reservation_id, local, amounts, charges, times)
            while type(answer) is Refused:
                place = answer.place
                lacking = answer.used + amounts[place] - answer.limit
                refusal = self._lease(legs[place], lacking, times[0])
                if refusal is not None:
                    unused = max(0, answer.limit - answer.used)
                    return refusal._replace(place=place, used=refusal.used - unused)
                answer = self._local.reserve(reservation_id, self._local_legs(tuple(legs)), amounts, charges, times)
            return answer

    def _local_legs(self, legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
        """The legs with what is leased in place of their limits. Alerts are for the shared store to give."""
        found = self._legs.get(legs)
        if found is None:
            for leg in legs:
                pool = self._pools.setdefault(leg.key, _Pool(leg))
                pool.busy = True
            found = self._legs[legs] = tuple(
                leg._replace(limit=self._pools[leg.key].leased, thresholds=(), also=()) for leg in legs
            )
        return found

    def _lease(self, leg: Leg, lacking: int, now: float) -> Refused | None:
        """Lease a slice, or what is lacking where a slice no longer fits. Returns the refusal if neither does."""
        for amount in dict.fromkeys((max(leg.slice, lacking), lacking)):
            lease_id = f"lease-{uuid.uuid4().hex}"
            answer = self.shared.reserve(lease_id, (leg,), (amount,), (amount,), (now, now + self._lease_s))
            if isinstance(answer, Granted):
                pool = self._pools[leg.key]
                pool.leases.append((lease_id, amount))
                pool.leased += amount
                self._legs.clear()
                self._heart.start()
                return None
        return answer  # type: ignore[return-value]  # the last one was no Granted

    # -- after the call ------------------------------------------------------------------------------------------------

    def settle(
        self, reservation_id: str, legs: Sequence[Leg], actuals: Sequence[int], now: float, *, release: bool = False
    ) -> Ended:
        with self._lock:
            if not self._local.knows(reservation_id):
                return self.shared.settle(reservation_id, legs, actuals, now, release=release)
            ended = self._local.settle(reservation_id, legs, actuals, now, release=release)
            for leg in legs:
                self._post_used_up(self._pools[leg.key], now)
            crossings, self._crossings = tuple(self._crossings), []
            return ended._replace(crossings=crossings)

    def _post_used_up(self, pool: _Pool, now: float) -> None:
        """Settle the leases that are spent to the last unit; the last one with what was spent beyond it."""
        ((_, spent, _),) = self._local.usage((pool.leg.key,))
        while spent > pool.posted:
            new, last = spent - pool.posted, len(pool.leases) <= 1
            if pool.leases and new < pool.leases[0][1]:
                return
            if not self._post(pool, new if last else pool.leases[0][1], now):
                return

    def _post(self, pool: _Pool, spent: int, now: float) -> bool:
        """Settle the oldest lease with `spent`, or a charge of its own if there is none; whether the store took it."""
        lease_id = pool.leases[0][0] if pool.leases else f"lease-{uuid.uuid4().hex}"
        try:
            ended = self.shared.settle(lease_id, (pool.leg,), (spent,), now)
        except BudgetStoreError as error:
            _log.debug("a lease could not be settled and will be again: %s", error)
            return False
        if pool.leases:
            pool.leases.popleft()
        pool.posted += spent
        self._crossings += ended.crossings
        return True

    def extend(self, reservation_id: str, expires_at: float) -> bool:
        here = self._local.knows(reservation_id)
        return (self._local if here else self.shared).extend(reservation_id, expires_at)

    def expire_due(self, now: float) -> tuple[Ended, ...]:
        with self._lock:
            ended = self._local.expire_due(now)
        return (*ended, *self.shared.expire_due(now))

    # -- leases --------------------------------------------------------------------------------------------------------

    def give_back(self) -> None:
        """Settle every lease that no call in flight stands on; the rest is leased anew when it is wanted."""
        self._give_all_back(in_flight=False)

    def _give_all_back(self, *, in_flight: bool) -> None:
        now = self.clock()
        with self._lock:
            for key, pool in list(self._pools.items()):
                self._give_back(key, pool, now, in_flight=in_flight)
            self._legs.clear()

    def _give_back(self, key: str, pool: _Pool, now: float, *, in_flight: bool = False) -> None:
        """Settle the leases of `pool`; those that calls stand on only if `in_flight`, and then those as reserved."""
        ((_, spent, reserved),) = self._local.usage((key,))
        if reserved and not in_flight:
            return
        used = spent + reserved
        while pool.leases or used > pool.posted:
            if not self._post(pool, used - pool.posted, now):
                return
        pool.leased = used
        if pool.leg.end is not None and pool.leg.end < now:
            del self._pools[key]

    def beat(self) -> None:
        """Renew the leases in use and give back the others. Done by a thread, a third of a lease apart."""
        now = self.clock()
        with self._lock:
            for key, pool in list(self._pools.items()):
                ended = pool.leg.end is not None and pool.leg.end < now
                if ended or not pool.busy:
                    self._give_back(key, pool, now)
                pool.busy = False
                for lease_id, _ in pool.leases:
                    self.shared.extend(lease_id, now + self._lease_s)
            self._legs.clear()  # so that the next call marks its pools as busy

    def _beat(self) -> None:
        with contextlib.suppress(BudgetStoreError):  # the next beat tries again
            self.beat()

    # -- views ---------------------------------------------------------------------------------------------------------

    def usage(self, keys: Sequence[str]) -> tuple[Counter, ...]:
        """As the shared store has it: what is leased is reserved there."""
        return self.shared.usage(keys)

    def counters(self, budget: str | None = None) -> tuple[Counter, ...]:
        return self.shared.counters(budget)

    def adjust(self, key: str, spent: int) -> None:
        self.shared.adjust(key, spent)

    def close(self) -> None:
        """Give everything back and let go of the shared store. Calls in flight are charged what they reserved."""
        self._heart.stop()
        with contextlib.suppress(BudgetStoreError):
            self._give_all_back(in_flight=True)
        self.shared.close()
