"""Anomalies: days that cost what such days do not cost, and what the change is made of.

A day is held against the median of the days before it, in units of their median absolute deviation, neither of which
a few wild days move. The change is taken apart exactly: the parts add up to it.

    volume   more or fewer calls, at the old mix, rate and price
    mix      calls that moved between models
    rate     more or fewer tokens per call
    price    what a token costs: list prices, caching, tiers, and how much of it is output

Source: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993: 0.6745 of a deviation, threshold 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from statistics import median

__all__ = ["PARTS", "Anomaly", "Change", "ModelDay", "decompose", "find_anomalies"]

PARTS = ("volume", "mix", "rate", "price")
THRESHOLD = Decimal("3.5")
LEAST_DAYS = 7  # of a baseline
_SAME_WEEKDAYS = 4  # from so many on, a day is held against its own weekday only
_TO_SIGMA = Decimal("0.6745")
_FLOOR = Decimal("0.02")  # of the median: days that are all alike have no deviation, and a cent more is no anomaly
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLACES = Decimal("0.000000000001")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ModelDay:
    """What one model took on one day (or over a span): priced calls, tokens of input and output, cost in USD."""

    calls: int
    tokens: int
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of cost in USD with its parts, which add up to it to the last of 12 places."""

    total: Decimal
    volume: Decimal
    mix: Decimal
    rate: Decimal
    price: Decimal

    @property
    def largest(self) -> str:
        """The part that accounts for most of it."""
        return max(PARTS, key=lambda part: (getattr(self, part) * (1 if self.total >= 0 else -1), part))


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One day of one segment that stands out. `score` is in deviations; below 0 it cost less than usual."""

    segment: str | None
    day: date
    cost: Decimal
    usual: Decimal  # the median of the days it is held against
    score: Decimal
    days: int  # how many those are
    change: Change  # against their average
    models: tuple[tuple[str, Decimal], ...]  # the change of each model, the largest first


Days = Mapping[date, Mapping[str, ModelDay]]  # day -> model -> what it took


def find_anomalies(
    segments: Mapping[str | None, Days],
    days: Iterable[date],
    *,
    window: int = 28,
    threshold: Decimal = THRESHOLD,
    least: Decimal = _ZERO,
) -> list[Anomaly]:
    """The days of `days` that stand out, the largest change first.

    Each is held against the up to `window` days before it: those of the same weekday where there are four, all of them
    otherwise, at least seven. `least` is the smallest change, in USD, that is worth telling.
    """
    wanted = sorted(set(days))
    found = []
    for segment, spent in segments.items():
        for day in wanted:
            anomaly = _judge(segment, spent, day, window, (threshold, least))
            if anomaly is not None:
                found.append(anomaly)
    return sorted(found, key=lambda anomaly: (-abs(anomaly.change.total), anomaly.day, str(anomaly.segment)))


def _judge(segment: str | None, spent: Days, day: date, window: int, limits: tuple[Decimal, Decimal]) -> Anomaly | None:
    first = min(spent, default=day)
    before = [each for each in _days_before(day, window) if each >= first]
    if len(before) < LEAST_DAYS:
        return None
    alike = [each for each in before if each.weekday() == day.weekday()]
    held_against = alike if len(alike) >= _SAME_WEEKDAYS else before
    usual, score = _score(_cost(spent, day), {each: _cost(spent, each) for each in before}, held_against)
    baseline = _average(spent, held_against)
    change = decompose(baseline, spent.get(day, {}))
    threshold, least = limits
    if abs(score) < threshold or abs(change.total) < least:
        return None
    return Anomaly(
        segment=segment,
        day=day,
        cost=_cost(spent, day),
        usual=usual,
        score=score,
        days=len(held_against),
        change=change,
        models=_by_model(baseline, spent.get(day, {})),
    )


def _days_before(day: date, window: int) -> list[date]:
    return [date.fromordinal(day.toordinal() - number) for number in range(1, window + 1)]


def _cost(spent: Days, day: date) -> Decimal:
    return sum((model.cost for model in spent.get(day, {}).values()), _ZERO)


def _score(cost: Decimal, costs: Mapping[date, Decimal], held_against: Sequence[date]) -> tuple[Decimal, Decimal]:
    """The median of the days a day is held against, and how many deviations it is away from it.

    Four days say too little of how much such days vary: that comes from all days before, each in units of the median
    of its own kind. The median of n days is uncertain itself, which makes the deviation wider.
    """
    middle = median(costs[day] for day in held_against)
    if len(held_against) == len(costs):
        deviation = median(abs(each - middle) for each in costs.values())
    else:
        deviation = middle * _relative_deviation(costs)
    count = len(held_against)
    deviation = deviation / _TO_SIGMA * Decimal(1 + 1 / count).sqrt() * Decimal(1 + 1.57 / count).sqrt()
    deviation = max(deviation, middle * _FLOOR, _PLACES)
    return middle, round((cost - middle) / deviation, 2)


def _relative_deviation(costs: Mapping[date, Decimal]) -> Decimal:
    """The median absolute deviation of days from the median of their weekday, in units of it."""
    by_weekday: dict[int, list[Decimal]] = {}
    for day, cost in costs.items():
        by_weekday.setdefault(day.weekday(), []).append(cost)
    medians = {weekday: median(found) for weekday, found in by_weekday.items()}
    ratios = [abs(cost / medians[day.weekday()] - 1) for day, cost in costs.items() if medians[day.weekday()]]
    return median(ratios) if ratios else _ZERO


Amounts = Mapping[str, tuple[Fraction, Fraction, Fraction]]  # model -> calls, tokens, cost


def _average(spent: Days, days: Sequence[date]) -> Amounts:
    sums: dict[str, list[Fraction]] = {}
    for day in days:
        for model, took in spent.get(day, {}).items():
            found = sums.setdefault(model, [Fraction(0)] * 3)
            amounts = Fraction(took.calls), Fraction(took.tokens), Fraction(took.cost)
            for place, amount in enumerate(amounts):
                found[place] += amount / len(days)
    return {model: (calls, tokens, cost) for model, (calls, tokens, cost) in sums.items()}


def _amounts(models: Mapping[str, ModelDay]) -> Amounts:
    return {name: (Fraction(took.calls), Fraction(took.tokens), Fraction(took.cost)) for name, took in models.items()}


def decompose(before: Mapping[str, ModelDay] | Amounts, after: Mapping[str, ModelDay]) -> Change:
    """Take the change of cost between two sets of models apart. Exact: the parts add up.

    A model that is new has its own rate and price from the start, so it is all mix; so is one that is gone.
    """
    old = _as_amounts(before)
    new = _amounts(after)
    calls_before, calls_after = (sum((each[0] for each in side.values()), Fraction(0)) for side in (old, new))
    cost_before, cost_after = (sum((each[2] for each in side.values()), Fraction(0)) for side in (old, new))
    if not calls_before or not calls_after:
        parts = [cost_after - cost_before, Fraction(0), Fraction(0), Fraction(0)]
    else:
        parts = [(calls_after - calls_before) * cost_before / calls_before, Fraction(0), Fraction(0), Fraction(0)]
        for model in old.keys() | new.keys():
            mix, rate, price = _parts_of(old.get(model), new.get(model), calls_before, calls_after)
            parts[1] += mix
            parts[2] += rate
            parts[3] += price
    return _rounded(cost_after - cost_before, parts)


def _as_amounts(models: Mapping[str, ModelDay] | Amounts) -> Amounts:
    return {
        name: (Fraction(took.calls), Fraction(took.tokens), Fraction(took.cost)) if isinstance(took, ModelDay) else took
        for name, took in models.items()
    }


Took = tuple[Fraction, Fraction, Fraction]


def _parts_of(
    old: Took | None, new: Took | None, calls_before: Fraction, calls_after: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    """The mix, rate and price parts of one model."""
    was, now = (None if each is None or not each[0] else each for each in (old, new))
    by_token = all(each is None or each[1] for each in (was, now))  # else a call is the unit of use
    use_before, price_before = _rate_and_price(was or now, by_token)
    use_after, price_after = _rate_and_price(now or was, by_token)
    share_before = was[0] / calls_before if was else Fraction(0)
    share_after = now[0] / calls_after if now else Fraction(0)
    mix = calls_after * (share_after - share_before) * use_before * price_before
    rate = calls_after * share_after * (use_after - use_before) * price_before
    price = calls_after * share_after * use_after * (price_after - price_before)
    return mix, rate, price


def _rate_and_price(took: Took | None, by_token: bool) -> tuple[Fraction, Fraction]:
    if took is None:
        return Fraction(0), Fraction(0)
    calls, tokens, cost = took
    return (tokens / calls, cost / tokens) if by_token else (Fraction(1), cost / calls)


def _rounded(total: Fraction, parts: Sequence[Fraction]) -> Change:
    """At 12 places; what rounding leaves over goes to the largest part."""
    amounts = [_decimal(part) for part in parts]
    whole = _decimal(total)
    largest = max(range(len(amounts)), key=lambda place: abs(amounts[place]))
    amounts[largest] += whole - sum(amounts, _ZERO)
    return Change(total=whole, **dict(zip(PARTS, amounts, strict=True)))


def _decimal(amount: Fraction) -> Decimal:
    return _EXACT.divide(Decimal(amount.numerator), Decimal(amount.denominator)).quantize(_PLACES, context=_EXACT)


def _by_model(before: Amounts, after: Mapping[str, ModelDay]) -> tuple[tuple[str, Decimal], ...]:
    changes = {
        model: _decimal(
            (Fraction(after[model].cost) if model in after else 0) - before.get(model, (0, 0, Fraction(0)))[2]
        )
        for model in before.keys() | after.keys()
    }
    return tuple(sorted(changes.items(), key=lambda item: (-abs(item[1]), item[0])))
