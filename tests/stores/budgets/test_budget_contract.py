"""What every budget store does: one suite over memory, SQLite and Redis."""

from __future__ import annotations

import os
import threading
import time

import pytest

from genops.core.budgets import forks
from genops.core.budgets.model import Leg, State, counter_key
from genops.core.budgets.store import BudgetStore, Granted, Refused
from genops.core.errors import ReservationConflict

NOW = time.time() // 3600 * 3600  # Redis forgets counters by its own clock
LATER = NOW + 600
END = int(NOW) + 3600


def leg(name: str = "team", limit: int = 100, *, hard: bool = True, **more: object) -> Leg:
    key = counter_key(name, {"team": "search"}, "hour", int(NOW))
    values = {"key": key, "thresholds": (), "also": (), "end": END, **more}
    return Leg(unit="USD", limit=limit, hard=hard, **values)  # type: ignore[arg-type]


def take(
    store: BudgetStore, name: str, legs: list[Leg], amount: int, charge: int | None = None, expires: float = LATER
):
    charges = [amount if charge is None else charge] * len(legs)
    return store.reserve(name, legs, [amount] * len(legs), charges, (NOW, expires))


def spent(store: BudgetStore, *legs: Leg) -> list[tuple[int, int]]:
    return [(counter.spent, counter.reserved) for counter in store.usage([each.key for each in legs])]


def test_reserve_takes_up_to_the_limit_and_no_further(store):
    """The last unit is usable, the next is not."""
    one = leg(limit=100)

    assert Granted(0, 40) == take(store, "a", [one], 60)
    assert Granted(0, 0) == take(store, "b", [one], 40)
    assert Refused(0, 100, 100, END - NOW) == take(store, "c", [one], 1)
    assert [(0, 100)] == spent(store, one)


def test_refused_reservation_writes_nothing_on_any_leg(store):
    """A child that does not fit leaves no trace on its parents."""
    org, team = leg("org", 1000), leg("team", 10)

    answer = take(store, "a", [org, team], 11)

    assert Refused(1, 0, 10, END - NOW) == answer
    assert [(0, 0), (0, 0)] == spent(store, org, team)
    assert isinstance(take(store, "a", [org, team], 10), Granted)


def test_zero_always_fits(store):
    """What takes nothing is not held up by a budget that is used up."""
    one = leg(limit=10)
    take(store, "a", [one], 10)

    assert isinstance(take(store, "b", [one], 0), Granted)


def test_tightest_leg_is_the_one_with_the_smallest_share_left(store):
    """Shares are compared, so that tokens and dollars can be."""
    answer = take(store, "a", [leg("org", 1000), leg("team", 20), leg("customer", 500)], 10)

    assert Granted(1, 10) == answer


def test_soft_leg_is_passed_and_named(store):
    """A soft budget lets through and says so."""
    answer = take(store, "a", [leg("org", 100), leg("team", 5, hard=False)], 10)

    assert Granted(1, -5, (1,)) == answer


def test_reserving_twice_under_one_id_reserves_once(store):
    """A retry after a lost answer gets the same answer."""
    one = leg()
    first = take(store, "a", [one], 60)

    again = take(store, "a", [one], 60)

    assert isinstance(first, Granted)
    assert (True, first.remaining) == (again.repeated, again.remaining)
    assert [(0, 60)] == spent(store, one)


def test_id_that_has_ended_cannot_be_reserved_again(store):
    """A retry of a call is a call of its own."""
    one = leg()
    take(store, "a", [one], 60)
    store.settle("a", [one], [10], NOW)

    with pytest.raises(ReservationConflict, match="needs an id of its own"):
        take(store, "a", [one], 60)


def test_settle_replaces_the_reservation(store):
    """What was reserved and not used is free again."""
    one = leg()
    take(store, "a", [one], 60)

    ended = store.settle("a", [one], [25], NOW)

    assert (State.SETTLED, (25,)) == (ended.state, ended.charged)
    assert [(25, 0)] == spent(store, one)


def test_settle_charges_more_than_was_reserved_if_that_was_used(store):
    """Spend is never hidden, even past the limit; the next call is refused."""
    one = leg(limit=100)
    take(store, "a", [one], 60)
    store.settle("a", [one], [130], NOW)

    assert [(130, 0)] == spent(store, one)
    assert Refused(0, 130, 100, END - NOW) == take(store, "b", [one], 1)


def test_settling_again_changes_nothing(store):
    """The same actual twice is one settlement."""
    one = leg()
    take(store, "a", [one], 60)
    store.settle("a", [one], [25], NOW)

    assert store.settle("a", [one], [25], NOW).repeated
    assert [(25, 0)] == spent(store, one)


def test_settling_with_another_actual_is_an_error_and_changes_nothing(store):
    """What was recorded first stays."""
    one = leg()
    take(store, "a", [one], 60)
    store.settle("a", [one], [25], NOW)

    with pytest.raises(ReservationConflict, match="nothing changed"):
        store.settle("a", [one], [26], NOW)
    assert [(25, 0)] == spent(store, one)


def test_release_gives_everything_back(store):
    """A call that the provider refused costs nothing."""
    one = leg()
    take(store, "a", [one], 60)

    ended = store.settle("a", [one], [0], NOW, release=True)

    assert State.RELEASED is ended.state
    assert [(0, 0)] == spent(store, one)
    with pytest.raises(ReservationConflict):
        store.settle("a", [one], [5], NOW)


def test_expired_reservation_is_charged_and_holds_nothing_up(store):
    """A crash does not pin a budget, and does not hand out what may have been spent."""
    one = leg()
    take(store, "a", [one], 60, charge=20, expires=NOW + 10)

    assert () == store.expire_due(NOW + 9)
    ended = store.expire_due(NOW + 10)

    assert [("a", State.EXPIRED, (20,))] == [(each.id, each.state, each.charged) for each in ended]
    assert [(20, 0)] == spent(store, one)
    assert () == store.expire_due(NOW + 11)


@pytest.mark.parametrize("actual", [0, 5, 20, 75])
def test_late_settle_posts_the_true_value(store, actual):
    """The charge for the expiry is taken back."""
    one = leg()
    take(store, "a", [one], 60, charge=20, expires=NOW + 10)
    store.expire_due(NOW + 10)

    ended = store.settle("a", [one], [actual], NOW + 20)

    assert (True, State.SETTLED) == (ended.late, ended.state)
    assert [(actual, 0)] == spent(store, one)
    assert store.settle("a", [one], [actual], NOW + 20).repeated


def test_heartbeat_lets_a_reservation_live(store):
    """A long stream is not taken for lost."""
    one = leg()
    take(store, "a", [one], 60, expires=NOW + 10)

    assert store.extend("a", NOW + 100)
    assert () == store.expire_due(NOW + 50)
    assert 1 == len(store.expire_due(NOW + 100))
    assert not store.extend("a", NOW + 200)
    assert not store.extend("nobody", NOW + 200)


def test_settling_what_the_store_does_not_know_posts_the_charge(store):
    """A store that lost a reservation still learns what was spent, once."""
    one = leg()

    assert store.settle("a", [one], [30], NOW).unknown
    assert store.settle("a", [one], [30], NOW).repeated
    assert [(30, 0)] == spent(store, one)


def test_settle_goes_into_the_window_that_was_reserved(store):
    """The record has the legs, whatever window it is by now."""
    one = leg()
    after = one._replace(key=counter_key("team", {"team": "search"}, "hour", END))
    take(store, "a", [one], 60)

    store.settle("a", [after], [25], END + 1.0)

    assert [(25, 0), (0, 0)] == spent(store, one, after)


def test_threshold_is_given_once(store):
    """Each one the first time the spend reaches it, several at once if it jumps."""
    one = leg(thresholds=(50, 80, 100))
    crossings = []
    for name, actual in (("a", 49), ("b", 1), ("c", 1), ("d", 60), ("e", 1)):
        store.reserve(name, [one], [0], [0], (NOW, LATER))
        crossings.append([(each.place, each.spent) for each in store.settle(name, [one], [actual], NOW).crossings])

    assert [[], [(0, 50)], [], [(1, 111), (2, 111)], []] == crossings


def test_threshold_is_given_on_expiry_too(store):
    """A charge is a charge."""
    one = leg(thresholds=(50,))
    take(store, "a", [one], 60, expires=NOW + 1)

    (ended,) = store.expire_due(NOW + 1)
    assert [(one.key, 0, 60)] == [tuple(each) for each in ended.crossings]


def test_rolling_window_counts_its_older_buckets(store):
    """What older buckets hold is used; a threshold passed in them is not given again."""
    old = leg(thresholds=(10,))
    new = old._replace(key=counter_key("team", {"team": "search"}, "hour", END), also=(old.key,))
    take(store, "a", [old], 60)
    store.settle("a", [old], [60], NOW)

    assert isinstance(take(store, "b", [new], 41), Refused)
    assert Granted(0, 0) == take(store, "c", [new], 40)
    assert () == store.settle("c", [new], [40], NOW).crossings
    assert [(60, 0), (40, 0)] == spent(store, old, new)


def test_bucket_counts_as_long_as_its_window_rolls(store):
    """Tidying up does not take it early; a bucket that has left every window goes, and so does nothing else."""
    day, now = 86_400, int(time.time()) // 86_400 * 86_400
    keys = [counter_key("rolling", {}, "rolling2592000", now - place * day) for place in range(51)]
    rolling = leg(key=keys[0], also=tuple(keys[1:31]), end=now + day)
    old = leg(key=keys[20], also=tuple(keys[21:]), end=now - 19 * day)
    store.settle("old", [old], [60], now)

    store.expire_due(now)
    assert isinstance(store.reserve("a", [rolling], [41], [41], (now, now + 9)), Refused)
    assert Granted(0, 0) == store.reserve("b", [rolling], [40], [40], (now, now + 9))


def test_counter_holds_large_numbers_exactly(store):
    """Up to 2^53 - 1 counted units, to the last one."""
    most = 2**53 - 1
    one = leg(limit=most)

    assert Granted(0, 1) == take(store, "a", [one], most - 1)
    assert isinstance(take(store, "b", [one], 2), Refused)
    assert Granted(0, 0) == take(store, "c", [one], 1)
    store.settle("a", [one], [most - 1], NOW)
    assert [(most - 1, 1)] == spent(store, one)


def test_counters_are_listed_by_budget(store):
    """One budget's name is not a prefix of another's."""
    team, teams = leg("team"), leg("teams")
    take(store, "a", [team, teams], 10)
    store.settle("a", [team, teams], [7, 7], NOW)

    assert [(team.key, 7, 0)] == [tuple(each) for each in store.counters("team")]
    assert sorted([team.key, teams.key]) == [each.key for each in store.counters()]


def test_adjust_sets_what_was_spent(store):
    """A repair leaves reservations alone."""
    one = leg()
    take(store, "a", [one], 10)

    store.adjust(one.key, 55)

    assert [(55, 10)] == spent(store, one)
    assert Granted(0, 35) == take(store, "b", [one], 0)


def test_names_with_separators_are_kept_apart(store):
    """A customer may be called anything."""
    odd = leg()._replace(key=counter_key("a|b", {"customer_id": "x&y=z|%é{}"}, "month", 5))
    take(store, "a", [odd], 10)

    assert [odd.key] == [each.key for each in store.counters("a|b")]
    assert [] == list(store.counters("a"))


def test_threads_do_not_overspend(store):
    """Many threads on one budget take its limit, exactly."""
    one = leg(limit=40)
    granted: list[str] = []

    def work(number: int) -> None:
        for call in range(10):
            name = f"{number}-{call}"
            if isinstance(take(store, name, [one], 1), Granted):
                granted.append(name)
                store.settle(name, [one], [1], NOW)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 40 == len(granted)
    assert [(40, 0)] == spent(store, one)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_child_after_fork_uses_the_store(store, monkeypatch):
    """A child neither hangs on a lock of its parent nor harms the parent's connection."""
    monkeypatch.setattr(forks, "_WAIT_S", 0.05)
    one = leg()
    take(store, "a", [one], 10)
    store._lock.acquire()  # as another thread might hold it at this moment
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if isinstance(take(store, "b", [one], 10), Granted) else 1)
        finally:
            os._exit(2)
    store._lock.release()

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert isinstance(take(store, "c", [one], 10), Granted)
