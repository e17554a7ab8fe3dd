"""Anomalies: planted days are found, ordinary ones are not, and a change's parts are the change."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genops.analytics.anomalies import PARTS, Days, ModelDay, decompose, find_anomalies

FIRST = date(2026, 10, 5)  # a Monday
LAST = FIRST + timedelta(days=35)

MODEL_DAYS = st.builds(
    ModelDay,
    st.integers(1, 10**6),
    st.integers(0, 10**9),
    st.integers(0, 10**15).map(lambda nanos: Decimal(nanos) / 10**9),
)
SIDES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), MODEL_DAYS)


@settings(max_examples=300, deadline=None)
@given(SIDES, SIDES)
def test_parts_add_up_to_the_change_exactly(before: dict[str, ModelDay], after: dict[str, ModelDay]) -> None:
    """Whatever models come, go and change, to the last of 12 places."""
    change = decompose(before, after)
    costs = [sum((each.cost for each in side.values()), Decimal(0)) for side in (before, after)]

    assert costs[1] - costs[0] == change.total == sum((getattr(change, part) for part in PARTS), Decimal(0))


def _only(change: object) -> set[str]:
    return {part for part in PARTS if getattr(change, part)}


def test_each_cause_alone_is_its_part_alone() -> None:
    """Twice the calls, longer prompts, a dearer price, another model: one part each."""
    base = {"small": ModelDay(100, 10_000, Decimal(1)), "large": ModelDay(100, 10_000, Decimal(10))}

    assert {"volume"} == _only(
        decompose(base, {"small": ModelDay(200, 20_000, Decimal(2)), "large": ModelDay(200, 20_000, Decimal(20))})
    )
    assert {"rate"} == _only(decompose(base, {**base, "small": ModelDay(100, 30_000, Decimal(3))}))
    assert {"price"} == _only(decompose(base, {**base, "large": ModelDay(100, 10_000, Decimal(15))}))
    assert {"mix"} == _only(
        decompose(base, {"small": ModelDay(50, 5_000, Decimal("0.5")), "large": ModelDay(150, 15_000, Decimal(15))})
    )
    assert {"mix"} == _only(decompose(base, {"small": base["small"], "new": ModelDay(100, 50_000, Decimal(70))}))
    assert {"volume"} == _only(decompose({}, base))


def _ordinary(seed: int = 1) -> dict[date, dict[str, ModelDay]]:
    """Five weeks, quiet at weekends, within a tenth of the usual."""
    chance = random.Random(seed)
    days = {}
    for number in range(36):
        day = FIRST + timedelta(days=number)
        calls = round((100 if day.weekday() < 5 else 20) * chance.uniform(0.9, 1.1))
        days[day] = {"openai/gpt-4o": ModelDay(calls, calls * 1000, Decimal(calls) / 100)}
    return days


def _judged(days: Days, **more: object) -> list[tuple[date, str]]:
    return [(each.day, each.change.largest) for each in find_anomalies({"search": days}, days, **more)]  # type: ignore[arg-type]


def test_ordinary_days_and_weekends_do_not_stand_out() -> None:
    """A quiet Sunday is a usual Sunday, over ten ordinary ledgers."""
    days = [FIRST + timedelta(days=number) for number in range(29, 36)]
    found = [each for seed in range(10) for each in find_anomalies({None: _ordinary(seed)}, days)]

    assert len(found) <= 2


def test_planted_day_is_found_with_its_cause() -> None:
    """Prompts three times as long on the last day."""
    days = _ordinary()
    (model, took), *_ = days[LAST].items()
    days[LAST] = {model: ModelDay(took.calls, took.tokens * 3, took.cost * 3)}
    (found,) = find_anomalies({"search": days}, [LAST])

    assert ("search", LAST, "rate") == (found.segment, found.day, found.change.largest)
    assert found.score > Decimal("3.5")
    assert model == found.models[0][0]


def test_a_day_without_calls_where_there_always_were_some_stands_out() -> None:
    """Silence is an anomaly, too."""
    days = _ordinary()
    del days[LAST]
    (found,) = find_anomalies({"search": days}, [LAST])

    assert (Decimal(0), "volume") == (found.cost, found.change.largest)
    assert found.score < 0


def test_one_wild_day_in_the_past_does_not_hide_the_next() -> None:
    """The median and its deviation are not moved by it."""
    days = _ordinary()
    for day in (LAST - timedelta(days=7), LAST):
        (model, took), *_ = days[day].items()
        days[day] = {model: ModelDay(took.calls * 9, took.tokens * 9, took.cost * 9)}

    assert LAST in [day for day, _ in _judged({day: days[day] for day in days})]


@pytest.mark.parametrize("least", ["0.5", "100"])
def test_small_changes_are_not_worth_telling(least: str) -> None:
    """`least` is a floor in USD."""
    days = _ordinary()
    (model, took), *_ = days[LAST].items()
    days[LAST] = {model: ModelDay(took.calls, took.tokens, took.cost * 4)}

    assert bool(find_anomalies({None: days}, [LAST], least=Decimal(least))) is (least == "0.5")


def test_fewer_than_seven_days_before_are_not_judged() -> None:
    """Nothing to hold it against is no verdict."""
    days = dict(list(_ordinary().items())[:7])

    assert [] == _judged(days, threshold=Decimal(0))
