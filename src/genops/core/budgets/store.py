"""The store of budget counters: what every store does, each operation at once or not at all.

A counter holds what was spent and what is reserved. A reservation adds its amounts to `reserved` of all its legs, or of
none; settling replaces them by what was used, in the window that was reserved. Every operation may be repeated with the
same id: the repetition changes nothing and gives the recorded answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from genops.core.budgets.model import Leg, State, parse_key
from genops.core.errors import ReservationConflict

__all__ = [
    "BudgetStore",
    "Counter",
    "Crossing",
    "Ended",
    "Granted",
    "Refused",
    "conflict",
    "crossed",
    "kept_until",
]


class Granted(NamedTuple):
    """All legs are reserved. `tightest` is the place of the leg with the smallest share of its limit left.

    `remaining` is what is left of that leg after this reservation; below 0 on a soft leg past its limit.
    `over` are the places of soft legs that are past their limit.
    """

    tightest: int
    remaining: int
    over: tuple[int, ...] = ()
    repeated: bool = False


class Refused(NamedTuple):
    """Nothing is reserved: the leg at `place` does not take it. `used` is spent and reserved, before the call."""

    place: int
    used: int
    limit: int
    retry_after_s: float | None  # until its window ends; None for a total


class Crossing(NamedTuple):
    """A threshold passed for the first time in its window: `place` in the leg's thresholds, `spent` after it."""

    key: str
    place: int
    spent: int


class Ended(NamedTuple):
    """A reservation that has ended: how, what each leg was charged, and which thresholds that passed.

    `late` says that it had expired and the charge for that was taken back; `unknown` that the store had no record of it
    and only the charge was posted.
    """

    id: str
    state: State
    charged: tuple[int, ...]
    crossings: tuple[Crossing, ...] = ()
    repeated: bool = False
    late: bool = False
    unknown: bool = False


class Counter(NamedTuple):
    """What a counter holds."""

    key: str
    spent: int
    reserved: int


class BudgetStore(Protocol):
    """Keeps counters and reservations. Times are UTC seconds; amounts are counted units, one for each leg.

    Raises `BudgetStoreError` when it does not answer. A store is safe to use from many threads, and after a fork.
    """

    def clock(self) -> float:
        """The time of the store: that of its server, where it has one, so that all processes agree."""

    def reserve(
        self,
        reservation_id: str,
        legs: Sequence[Leg],
        amounts: Sequence[int],
        charges: Sequence[int],
        times: tuple[float, float],
    ) -> Granted | Refused:
        """Reserve `amounts` on all `legs` or on none. `times` are those of the call and of the expiry.

        A hard leg takes what fits its limit with all that is spent and reserved; an amount of 0 always fits.
        `charges` is what each leg is charged if the reservation expires. A repetition while it is open gives the same
        answer; raises `ReservationConflict` when the id has ended.
        """

    def settle(
        self, reservation_id: str, legs: Sequence[Leg], actuals: Sequence[int], now: float, *, release: bool = False
    ) -> Ended:
        """Charge `actuals` in place of what is reserved. `release`: nothing ran, and the actuals are zeros.

        Raises `ReservationConflict` when the reservation has ended with other actuals.
        """

    def extend(self, reservation_id: str, expires_at: float) -> bool:
        """Let an open reservation live until `expires_at`; False if it is not open."""

    def expire_due(self, now: float) -> tuple[Ended, ...]:
        """Charge the open reservations whose time is over; a call ends a bounded number of them."""

    def usage(self, keys: Sequence[str]) -> tuple[Counter, ...]:
        """The counters of `keys`, in their order; zeros for one that is not there."""

    def counters(self, budget: str | None = None) -> tuple[Counter, ...]:
        """Every counter, or those of one budget, by key."""

    def adjust(self, key: str, spent: int) -> None:
        """Set what a counter says was spent: the repair of a counter that differs from the ledger."""

    def close(self) -> None:
        """Let go of connections; using the store again opens them again."""


def crossed(leg: Leg, spent: int, mask: int) -> tuple[int, list[Crossing]]:
    """The alert mask with every threshold that `spent` has passed, and those that were not in `mask`."""
    found = []
    for place, threshold in enumerate(leg.thresholds):
        if spent >= threshold and not mask >> place & 1:
            mask |= 1 << place
            found.append(Crossing(leg.key, place, spent))
    return mask, found


def kept_until(leg: Leg, grace_s: int) -> int:
    """Until when a counter is wanted, in UTC seconds: `grace_s` after a calendar window; 0 for ever.

    A bucket of a rolling window counts for the length of the window after its own end; a day is for late settlements.
    """
    if leg.end is None:
        return 0
    if leg.also:
        return 2 * leg.end - parse_key(leg.also[-1])[3] + min(grace_s, 86_400)
    return leg.end + grace_s


def conflict(reservation_id: str, state: State, charged: Sequence[int], asked: str) -> ReservationConflict:
    """The error for a reservation that has ended and is asked to do something else."""
    stands = f"{state.name.lower()} with {list(charged)}"
    return ReservationConflict(
        f"reservation {reservation_id} is {stands} and cannot {asked}; nothing changed.",
        fix="settle a reservation once; a retry of a call needs an id of its own",
    )
