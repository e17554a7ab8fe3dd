"""Recommendations: where the same work would cost less, with the most it could save and what that rests on.

A saving is what the calls of the span would have cost less, between `low` and `high`. What the ledger cannot know (how
much of a prompt repeats, whether an answer can wait) makes the range wide, and is said. A cheaper model is named only
where evaluations of both say that it does the work as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from genops.analytics.filters import Filters
from genops.analytics.source import Source
from genops.analytics.whatif import ModelUsage, read_usage, what_if
from genops.core.comparing import CACHE_METERS
from genops.core.cost import Cost
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.repricing import EXACT
from genops.core.usage import INPUT_METERS, Usage

__all__ = ["Recommendation", "recommend"]

_ZERO, _PLACES = Decimal(0), Decimal("0.000001")
_CACHEABLE_TOKENS = 1024  # the shortest prompt that OpenAI and Anthropic cache
_LONG_PROMPT = 8000  # tokens of an average call
_SHORTER = Decimal("0.1")
_LITTLE_CACHED = Decimal("0.2")
_LITTLE_USED = Decimal("0.25")
_LEAST_CALLS = 20
_EVIDENCE = 30  # evaluations of either model
_AS_GOOD = 0.02  # of the score
_DEAR_TIERS = ("priority", "fast", "ultrafast")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One thing to do. Amounts are USD over the span that was looked at; `why` is the evidence, `how` what to do."""

    kind: str  # cache, batch, tier, prompt, max_tokens, model
    subject: str
    low: Decimal
    high: Decimal
    why: str
    how: str

    @property
    def is_spent(self) -> bool:
        """Whether the amounts are money that was spent; of max_tokens, they are budget room that was held back."""
        return self.kind != "max_tokens"


def recommend(source: Source, filters: Filters, *, book: PriceBook, at: datetime | None = None) -> list[Recommendation]:
    """What to do about the calls of `filters`, the largest possible saving first."""
    moment = at or datetime.now(UTC)
    found = [each for each in read_usage(source, filters) if each.calls - each.unpriced >= _LEAST_CALLS]
    checks: tuple[Callable[[ModelUsage, PriceBook, datetime], Recommendation | None], ...] = (
        _cache,
        _batch,
        _flex,
        _prompt,
    )
    made = [check(usage, book, moment) for usage in found for check in checks]
    made += list(_tiers(source, filters, book, moment))
    made += list(_max_tokens(source, filters))
    made += list(_models(source, filters, book, moment))
    kept = [each for each in made if each is not None and each.high > 0]
    return sorted(kept, key=lambda each: (not each.is_spent, -each.high, -each.low, each.kind, each.subject))


def _total(usage: ModelUsage) -> Decimal:
    return sum((quantity for meter, quantity in usage.usage.items() if meter in INPUT_METERS), _ZERO)


def _cache(usage: ModelUsage, book: PriceBook, at: datetime) -> Recommendation | None:
    plain = usage.usage.get("input", _ZERO)
    cached = sum((usage.usage.get(meter, _ZERO) for meter in CACHE_METERS), _ZERO)
    per_call = _total(usage) / usage.calls
    prices = book.row(_query(usage, at)).meters
    if per_call < _CACHEABLE_TOKENS or cached > _LITTLE_CACHED * (plain + cached) or "cache_read" not in prices:
        return None
    saving = _cost(book, usage, {"input": plain}, at) - _cost(book, usage, {"cache_read": plain}, at)
    return Recommendation(
        kind="cache",
        subject=usage.model,
        low=_ZERO,
        high=_money(saving),
        why=f"{per_call:,.0f} input tokens a call, {_share(cached, plain + cached)} of them from the cache",
        how="put what repeats (system prompt, documents, tools) first, marked for caching where that is asked for",
    )


def _batch(usage: ModelUsage, book: PriceBook, at: datetime) -> Recommendation | None:
    return _cheaper_tier(usage, book, at, "batch", "if the answers can wait up to a day, send them as a batch")


def _flex(usage: ModelUsage, book: PriceBook, at: datetime) -> Recommendation | None:
    return _cheaper_tier(usage, book, at, "flex", "where slow answers and retries will do, ask for service_tier=flex")


def _cheaper_tier(usage: ModelUsage, book: PriceBook, at: datetime, tier: str, how: str) -> Recommendation | None:
    there = _cost_or_none(book, usage, at, tier)
    here = _cost_or_none(book, usage, at, None)
    if there is None or here is None or there >= here:
        return None
    saving = min(here - there, usage.cost - there)  # what went as a batch already costs no less
    return Recommendation(
        kind="batch" if tier == "batch" else "tier",
        subject=usage.model,
        low=_ZERO,
        high=_money(saving),
        why=f"{usage.calls} calls at the {tier} price would cost this much less; which can wait is not known here",
        how=how,
    )


def _prompt(usage: ModelUsage, book: PriceBook, at: datetime) -> Recommendation | None:
    per_call = _total(usage) / usage.calls
    if per_call < _LONG_PROMPT:
        return None
    shorter = {
        meter: EXACT.multiply(quantity, _SHORTER) for meter, quantity in usage.usage.items() if meter in INPUT_METERS
    }
    saving = _cost(book, usage, shorter, at)
    return Recommendation(
        kind="prompt",
        subject=usage.model,
        low=_ZERO,
        high=_money(saving),
        why=f"{per_call:,.0f} input tokens a call; a tenth fewer would save this",
        how="send less context: fewer retrieved passages, a shorter history, fewer tool descriptions",
    )


def _tiers(source: Source, filters: Filters, book: PriceBook, at: datetime) -> Iterator[Recommendation]:
    """What the dear tiers in use cost more than the standard one."""
    for tier in _DEAR_TIERS:
        for usage in read_usage(source, filters.and_where("service_tier", tier)):
            standard, own = _cost_or_none(book, usage, at, None), _cost_or_none(book, usage, at, tier)
            if standard is not None and own is not None and standard < own:
                yield Recommendation(
                    kind="tier",
                    subject=usage.model,
                    low=_ZERO,
                    high=_money(min(own - standard, usage.cost)),
                    why=f"{usage.calls} calls went at the {tier} price",
                    how=f"keep {tier} for calls that somebody waits for",
                )


def _max_tokens(source: Source, filters: Filters) -> Iterator[Recommendation]:
    """Budgets hold back what a call may cost at most; a limit far above what is used holds back money for nothing."""
    for row in source.query("reservations", filters, by=("model",)):
        if row["calls"] < _LEAST_CALLS or not row["reserved"] or row["actual"] >= _LITTLE_USED * row["reserved"]:
            continue
        yield Recommendation(
            kind="max_tokens",
            subject=row["model"] or "(none)",
            low=_ZERO,
            high=_money(row["reserved"] - row["actual"]),
            why=f"{row['calls']} calls used {_share(row['actual'], row['reserved'])} of what was reserved for them",
            how="set max_tokens near what answers take, or estimator: adaptive on the budget",
        )


def _models(source: Source, filters: Filters, book: PriceBook, at: datetime) -> Iterator[Recommendation]:
    """A cheaper model for a feature, of those that were evaluated on it and did as well."""
    features: dict[str, list[str]] = {}
    for row in source.query("spend_by", filters, by=("feature", "model")):
        if row["feature"] is not None and row["model"] is not None:
            features.setdefault(row["feature"], []).append(row["model"])
    for feature, models in features.items():
        of_feature = filters.and_where("feature", feature)
        scores = {model: _scores(source, of_feature.and_where("model", model)) for model in models}
        usages = {usage.model: usage for usage in read_usage(source, of_feature) if usage.model in models}
        for usage in usages.values():
            swaps = (_swap(feature, (usage, other), scores, book, at) for other in usages.values())
            better = [each for each in swaps if each is not None]
            if better:
                yield max(better, key=lambda each: each.low)


Scores = dict[str, tuple[int, float]]  # metric -> how many, their mean


def _scores(source: Source, filters: Filters) -> Scores:
    sums: dict[str, tuple[int, float]] = {}
    for row in source.query("evaluations", filters, bucket="month"):
        if row["mean"] is not None:
            count, total = sums.get(row["name"], (0, 0.0))
            sums[row["name"]] = count + row["count"], total + row["mean"] * row["count"]
    return {name: (count, total / count) for name, (count, total) in sums.items() if count}


def _swap(
    feature: str, pair: tuple[ModelUsage, ModelUsage], scores: dict[str, Scores], book: PriceBook, at: datetime
) -> Recommendation | None:
    """Sending a feature's calls to another of its models, if that is as good and surely cheaper."""
    usage, other = pair
    mine, theirs = scores.get(usage.model, {}), scores.get(other.model, {})
    if usage.model == other.model or not mine or usage.unpriced:
        return None
    for metric, (count, mean) in mine.items():
        other_count, other_mean = theirs.get(metric, (0, 0.0))
        if min(count, other_count) < _EVIDENCE or other_mean < mean - _AS_GOOD * max(abs(mean), 1e-9):
            return None  # every metric must hold
    query = PriceQuery(provider=other.provider, at=at, request_model=other.model)
    if book.row(query).reason is not None:
        return None
    moved = what_if([usage], (other.provider, other.model), book=book, at=at)
    if not moved.moved or moved.high >= usage.cost:
        return None
    told = ", ".join(
        f"{metric} {theirs[metric][1]:.3g} against {mean:.3g}" for metric, (_, mean) in sorted(mine.items())
    )
    return Recommendation(
        kind="model",
        subject=f"{feature}: {usage.model} -> {other.model}",
        low=_money(usage.cost - moved.high),
        high=_money(usage.cost - moved.low),
        why=f"evaluated on this feature: {told}",
        how=f"send {feature} to {other.model}, for a share of the calls first",
    )


def _query(usage: ModelUsage, at: datetime, tier: str | None = None) -> PriceQuery:
    return PriceQuery(provider=usage.provider, at=at, request_model=usage.model, service_tier=tier)


def _cost_or_none(book: PriceBook, usage: ModelUsage, at: datetime, tier: str | None) -> Decimal | None:
    """What all calls of `usage` cost at a tier, as so many average calls; None without a price for all of it."""
    cost = book.price(Usage(usage.per_call), _query(usage, at, tier))
    if not isinstance(cost, Cost) or cost.missing_meters:
        return None
    return EXACT.multiply(cost.amount, usage.calls)


def _cost(book: PriceBook, usage: ModelUsage, quantities: dict[str, Decimal], at: datetime) -> Decimal:
    """What some of the tokens cost at the model's standard price; 0 without one."""
    per_call = {meter: EXACT.divide(quantity, usage.calls) for meter, quantity in quantities.items()}
    cost = book.price(Usage(per_call), _query(usage, at))
    return EXACT.multiply(cost.amount, usage.calls) if isinstance(cost, Cost) else _ZERO


def _share(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole:.0%}" if whole else "0%"


def _money(amount: Decimal) -> Decimal:
    return max(_ZERO, amount).quantize(_PLACES)
