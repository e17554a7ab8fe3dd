"""Comparing: what the same work costs at other models, as a range, and what a move between models changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from genops.core.cost import Cost, Unpriced
from genops.core.errors import ConfigurationError
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.repricing import EXACT
from genops.core.runtime import current_runtime
from genops.core.usage import INPUT_METERS, METERS, OUTPUT_METERS, Usage

__all__ = [
    "CostComparison",
    "MigrationEstimate",
    "ModelCost",
    "TokenRatios",
    "compare_provider_costs",
    "cost_at",
    "estimate_migration_costs",
    "split_model",
    "uncached",
]

_ONE, _PLACES = Decimal(1), Decimal("0.000000000001")
CACHE_METERS = tuple(meter for meter in INPUT_METERS if meter.startswith("cache_"))
# Two providers' tokenizers count the same text within about this of each other; a model of the same provider is taken
# to count alike. How long another model's answers are is not known, and is taken to differ as much.
_RANGE = (Decimal("0.8"), Decimal("1.3"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRatios:
    """How many tokens another model counts for one of this one: the least and the most, for input and for output."""

    input: tuple[Decimal, Decimal] = (_ONE, _ONE)
    output: tuple[Decimal, Decimal] = (_ONE, _ONE)

    def __post_init__(self) -> None:
        for low, high in (self.input, self.output):
            if not 0 < low <= high:
                raise ConfigurationError(f"token ratios {low} to {high} are no range.", fix="give (0.9, 1.2)")

    @classmethod
    def between(cls, provider: str, other: str) -> TokenRatios:
        """The ratios to allow for between models of two providers; of one provider, only answers differ in length."""
        return cls(input=(_ONE, _ONE) if provider == other else _RANGE, output=_RANGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """What some usage costs at one model: between `low` and `high` in USD; both None where there is no price."""

    provider: str
    model: str
    low: Decimal | None = None
    high: Decimal | None = None
    missing_meters: tuple[str, ...] = ()  # used, and without a price there: in no amount
    reason: str | None = None  # why there is no price

    @property
    def exact(self) -> bool:
        return self.low is not None and self.low == self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class CostComparison:
    """The same usage at several models, the cheapest first; models without a price come last."""

    costs: tuple[ModelCost, ...]
    price_data_version: str

    @property
    def cheapest(self) -> ModelCost | None:
        """The model whose dearest case is the least; None if none has a price for all that is used."""
        return next((cost for cost in self.costs if cost.high is not None and not cost.missing_meters), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationEstimate:
    """What `calls` calls like the given one cost at both models, in USD. `saving` is (least, most): negative is dearer.

    `saving` is None where one of the two has no price for all that is used.
    """

    source: ModelCost
    target: ModelCost
    calls: int
    price_data_version: str

    @property
    def saving(self) -> tuple[Decimal, Decimal] | None:
        source, target = self.source, self.target
        if source.low is None or target.low is None or source.missing_meters or target.missing_meters:
            return None
        assert source.high is not None
        assert target.high is not None
        return source.low - target.high, source.high - target.low


def compare_provider_costs(
    models: Iterable[str],
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    usage: Mapping[str, int | Decimal] | None = None,
    calls: int = 1,
    reference: str | None = None,
    ratios: TokenRatios | None = None,
    at: datetime | None = None,
    book: PriceBook | None = None,
) -> CostComparison:
    """Return what `calls` calls cost at each of `models`, named `provider/model`, the cheapest first.

    The usage of one call is in tokens, or by meter in `usage` (see `genops.core.usage.METERS`). Without `reference`
    each model is taken to count those tokens, and a cost is exact. With it, the `provider/model` that did count them,
    other models get a range: 0.8 to 1.3 times the output, and as much of the input at another provider; or `ratios`.
    The user's rates apply if GenOps is configured, list prices otherwise. Nothing is sent anywhere.
    Raises `ConfigurationError` for a name without a provider, an unknown meter and a negative quantity.
    """
    book = book or _book()
    quantities = _quantities(input_tokens, output_tokens, usage, calls)
    home = split_model(reference)[0] if reference is not None else None
    found = []
    for name in dict.fromkeys(models):
        provider, model = split_model(name)
        applied = TokenRatios() if home is None or name == reference else ratios or TokenRatios.between(home, provider)
        found.append(cost_at(book, _query(provider, model, at), quantities, calls, applied))
    if not found:
        raise ConfigurationError("there is no model to compare.", fix='compare_provider_costs(["openai/gpt-4o"], ...)')
    return CostComparison(costs=tuple(sorted(found, key=_order)), price_data_version=book.version)


def estimate_migration_costs(
    source: str,
    target: str,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    usage: Mapping[str, int | Decimal] | None = None,
    calls: int = 1,
    ratios: TokenRatios | None = None,
    at: datetime | None = None,
    book: PriceBook | None = None,
) -> MigrationEstimate:
    """Return what moving `calls` calls from `source` to `target` (`provider/model`) changes.

    The usage is that of one call at `source`. Arguments and errors are those of `compare_provider_costs`.
    """
    book = book or _book()
    quantities = _quantities(input_tokens, output_tokens, usage, calls)
    (provider, model), (other, other_model) = split_model(source), split_model(target)
    ratios = ratios or TokenRatios.between(provider, other)
    return MigrationEstimate(
        source=cost_at(book, _query(provider, model, at), quantities, calls),
        target=cost_at(book, _query(other, other_model, at), quantities, calls, ratios),
        calls=calls,
        price_data_version=book.version,
    )


def cost_at(
    book: PriceBook,
    query: PriceQuery,
    quantities: Mapping[str, int | Decimal],
    calls: int,
    ratios: TokenRatios = TokenRatios(),
) -> ModelCost:
    """What `calls` calls cost at the model of `query`, each with `quantities` that another model counted.

    Tokens read from or written to a cache cost what input costs where the model has no price for them.
    """
    model = ModelCost(provider=query.provider, model=query.request_model or "")
    amounts = []
    for end in (0, 1):
        cost = _priced(book, query, _scaled(quantities, ratios.input[end], ratios.output[end]))
        if not isinstance(cost, Cost):
            return replace(model, reason=cost.reason)
        model = replace(model, missing_meters=cost.missing_meters)
        amounts.append(EXACT.multiply(cost.amount, calls).quantize(_PLACES, context=EXACT))
    return replace(model, low=min(amounts), high=max(amounts))


def _priced(book: PriceBook, query: PriceQuery, quantities: Mapping[str, int | Decimal]) -> Cost | Unpriced:
    cost = book.price(Usage(quantities), query)
    missing = cost.missing_meters if isinstance(cost, Cost) else tuple(quantities)
    if any(meter.startswith("cache_") for meter in missing):
        return book.price(Usage(uncached(quantities, missing)), query)
    return cost


def uncached(quantities: Mapping[str, int | Decimal], meters: Iterable[str] = CACHE_METERS) -> dict[str, int | Decimal]:
    """The same tokens with those of the cache `meters` counted as input of their kind."""
    moved, found = frozenset(meters), dict[str, int | Decimal]()
    for meter, quantity in quantities.items():
        name = meter
        if meter in moved and meter.startswith("cache_"):
            name = "input" + meter.removeprefix("cache_read") if meter.startswith("cache_read") else "input"
        found[name] = found.get(name, 0) + quantity
    return found


def _query(provider: str, model: str, at: datetime | None) -> PriceQuery:
    return PriceQuery(provider=provider, at=at or datetime.now(UTC), request_model=model)


def _scaled(quantities: Mapping[str, int | Decimal], inputs: Decimal, outputs: Decimal) -> dict[str, int | Decimal]:
    """The quantities of tokens times their ratio; everything else as it is."""
    scaled: dict[str, int | Decimal] = {}
    for meter, quantity in quantities.items():
        ratio = inputs if meter in INPUT_METERS else outputs if meter in OUTPUT_METERS else _ONE
        scaled[meter] = quantity if ratio == 1 else EXACT.multiply(Decimal(quantity), ratio)
    return scaled


def _quantities(
    input_tokens: int, output_tokens: int, usage: Mapping[str, int | Decimal] | None, calls: int
) -> dict[str, int | Decimal]:
    given = dict(usage) if usage is not None else {"input": input_tokens, "output": output_tokens}
    if usage is not None and (input_tokens or output_tokens):
        raise ConfigurationError("tokens are given twice, by number and in usage.", fix="give one of the two")
    if calls < 1:
        raise ConfigurationError(f"calls is {calls}.", fix="give the number of calls, 1 or more")
    for meter, quantity in given.items():
        if meter not in METERS or quantity < 0:
            raise ConfigurationError(f"usage of {quantity} {meter} is not understood.", fix=f"use {', '.join(METERS)}")
    return {meter: quantity for meter, quantity in given.items() if quantity}


def split_model(name: str) -> tuple[str, str]:
    """The two parts of `provider/model`. Raises `ConfigurationError` for another name."""
    provider, slash, model = name.partition("/")
    if not slash or not provider or not model:
        raise ConfigurationError(f"{name!r} names no model of a provider.", fix="write it as openai/gpt-4o-mini")
    return provider, model


def _order(cost: ModelCost) -> tuple[bool, bool, Decimal, str]:
    return cost.high is None, bool(cost.missing_meters), cost.high or Decimal(0), f"{cost.provider}/{cost.model}"


def _book() -> PriceBook:
    runtime = current_runtime()
    return runtime.book if runtime is not None and isinstance(runtime.book, PriceBook) else PriceBook.default()
