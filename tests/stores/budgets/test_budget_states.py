"""Reserve, settle, release, extend and expire in any order and number: counters are the sum of what is recorded."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from genops.core.budgets.model import Leg, State, counter_key
from genops.core.budgets.store import BudgetStore, Granted, Refused
from genops.core.errors import ReservationConflict
from genops.stores.budgets.memory import MemoryBudgetStore
from genops.stores.budgets.redis import RedisBudgetStore
from genops.stores.budgets.sqlite import SQLiteBudgetStore

LEGS = tuple(
    Leg(counter_key(name, {}, "total", 0), unit, limit, hard, (limit // 2, limit), (), None)
    for name, unit, limit, hard in (
        ("org", "USD", 300, True),
        ("team", "USD", 120, True),
        ("calls", "requests", 40, False),
    )
)
CHOICES = st.sets(st.integers(0, 2), min_size=1).map(lambda places: tuple(LEGS[place] for place in sorted(places)))
IDS = st.sampled_from([f"r{n}" for n in range(8)])
AMOUNTS = st.integers(0, 60)


class Model:
    """What one reservation amounts to, in the plainest way."""

    def __init__(self, legs: tuple[Leg, ...], amount: int, charge: int, expires: float) -> None:
        self.legs, self.amount, self.charge, self.expires = legs, amount, charge, expires
        self.state, self.charged = State.OPEN, 0


class Budgets(RuleBasedStateMachine):
    make: staticmethod
    store: BudgetStore

    @initialize()
    def start(self) -> None:
        self.store = self.make()
        self.now = 1000.0
        self.known: dict[str, Model] = {}
        self.alerts: list[tuple[str, int]] = []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def used(self, leg: Leg) -> tuple[int, int]:
        on_leg = [model for model in self.known.values() if leg in model.legs]
        spent = sum(model.charged for model in on_leg)
        return spent, sum(model.amount for model in on_leg if model.state is State.OPEN)

    def note(self, crossings) -> None:
        self.alerts += [(crossing.key, crossing.place) for crossing in crossings]

    @rule(name=IDS, legs=CHOICES, amount=AMOUNTS, charge=AMOUNTS, life=st.integers(1, 30))
    def reserve(self, name: str, legs: tuple[Leg, ...], amount: int, charge: int, life: int) -> None:
        charge = min(amount, charge)
        many = [amount] * len(legs)

        def ask() -> Granted | Refused:
            return self.store.reserve(name, legs, many, [charge] * len(legs), (self.now, self.now + life))

        known = self.known.get(name)
        if known is not None and known.state is not State.OPEN:
            with pytest.raises(ReservationConflict):
                ask()
            return
        if known is not None:
            legs = known.legs
            assert ask().repeated  # type: ignore[union-attr]  # a repetition is never refused
            return
        answer = ask()
        fits = all(not leg.hard or not amount or sum(self.used(leg)) + amount <= leg.limit for leg in legs)
        assert fits is isinstance(answer, Granted)
        if fits:
            self.known[name] = Model(legs, amount, charge, self.now + life)

    @rule(name=IDS, actual=AMOUNTS, release=st.booleans())
    def settle(self, name: str, actual: int, release: bool) -> None:
        known = self.known.get(name)
        if known is None:
            return
        actual = 0 if release else actual
        actuals = [actual] * len(known.legs)
        if known.state in (State.SETTLED, State.RELEASED):
            if actual == known.charged:
                assert self.store.settle(name, known.legs, actuals, self.now, release=release).repeated
            else:
                with pytest.raises(ReservationConflict):
                    self.store.settle(name, known.legs, actuals, self.now, release=release)
            return
        ended = self.store.settle(name, known.legs, actuals, self.now, release=release)
        assert (known.state is State.EXPIRED) is ended.late
        known.state, known.charged = (State.RELEASED if release else State.SETTLED), actual
        self.note(ended.crossings)

    @rule(name=IDS, life=st.integers(1, 30))
    def extend(self, name: str, life: int) -> None:
        known = self.known.get(name)
        extended = self.store.extend(name, self.now + life)
        assert extended is (known is not None and known.state is State.OPEN)
        if extended and known is not None:
            known.expires = self.now + life

    @rule(seconds=st.integers(0, 20))
    def expire(self, seconds: int) -> None:
        self.now += seconds
        due = {name for name, model in self.known.items() if model.state is State.OPEN and model.expires <= self.now}
        ended = self.store.expire_due(self.now)
        assert due == {each.id for each in ended}
        for each in ended:
            known = self.known[each.id]
            known.state, known.charged = State.EXPIRED, known.charge
            self.note(each.crossings)

    @precondition(lambda self: hasattr(self, "known"))
    @invariant()
    def counters_are_the_sum_of_entries(self) -> None:
        counters = self.store.usage([leg.key for leg in LEGS])
        assert [self.used(leg) for leg in LEGS] == [(counter.spent, counter.reserved) for counter in counters]

    @precondition(lambda self: hasattr(self, "known"))
    @invariant()
    def each_alert_is_given_once(self) -> None:
        assert len(set(self.alerts)) == len(self.alerts)


def run(make, examples: int) -> None:
    machine = type("Machine", (Budgets,), {"make": staticmethod(make)})
    limits = settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=limits)  # type: ignore[no-untyped-call]


def test_memory() -> None:
    run(MemoryBudgetStore, 150)


def test_sqlite(tmp_path) -> None:
    run(lambda: SQLiteBudgetStore(tmp_path / f"{uuid.uuid4().hex}.db"), 25)


def test_redis(redis_server) -> None:
    run(lambda: RedisBudgetStore(redis_server.url, namespace=uuid.uuid4().hex, timeout_s=5.0), 40)
