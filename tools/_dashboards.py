"""The dashboards' one description: which panels there are. Each backend's language is a module of its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from genops import semconv as s

__all__ = ["PANELS", "TITLE", "Count", "Panel", "Quantiles", "Shape", "Share", "Unpriced"]

TITLE = "GenOps: spend and governance"


class Shape(StrEnum):
    """What a panel looks like."""

    NUMBER = "number"
    LINES = "lines"
    BARS = "bars"
    TABLE = "table"


@dataclass(frozen=True)
class Count:
    """What a counter rose by, where an attribute has a value."""

    metric: str
    where: tuple[str, str] | None = None


@dataclass(frozen=True)
class Share:
    """One count as a part of another; for money over calls, the mean."""

    part: Count
    whole: Count


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of a histogram of seconds."""

    metric: str
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Unpriced:
    """Completed calls for which no price is known."""


@dataclass(frozen=True)
class Panel:
    """One panel. `by` are the attributes it is split by; bars and tables show the largest ten."""

    title: str
    shape: Shape
    what: Count | Share | Quantiles | Unpriced
    by: tuple[str, ...] = ()
    unit: str = ""  # money, calls, tokens, share, s
    note: str = ""


_SPEND = Count(s.METRIC_COST)
_CALLS = Count(s.METRIC_CALLS)
_COMPLETED = Count(s.METRIC_CALLS, (s.GENOPS_CALL_OUTCOME, "completed"))
PANELS = (
    Panel("Spend", Shape.NUMBER, _SPEND, unit="money", note="Calls without a known price are not in it."),
    Panel("Calls", Shape.NUMBER, _CALLS, unit="calls"),
    Panel("Mean cost of a call", Shape.NUMBER, Share(_SPEND, _COMPLETED), unit="money"),
    Panel(
        "Refused",
        Shape.NUMBER,
        Share(Count(s.METRIC_CALLS, (s.GENOPS_CALL_OUTCOME, "blocked")), _CALLS),
        unit="share",
        note="By a policy, a budget or a missing attribute, before anything was sent.",
    ),
    Panel(
        "Failed",
        Shape.NUMBER,
        Share(Count(s.METRIC_CALLS, (s.GENOPS_CALL_OUTCOME, "error")), _CALLS),
        unit="share",
    ),
    Panel("Spend by team", Shape.LINES, _SPEND, (s.GENOPS_TEAM,), "money"),
    Panel("Spend by model", Shape.BARS, _SPEND, (s.GEN_AI_PROVIDER_NAME, s.GEN_AI_REQUEST_MODEL), "money"),
    Panel("Spend by customer", Shape.BARS, _SPEND, (s.GENOPS_CUSTOMER_ID,), "money"),
    Panel("Spend by feature", Shape.BARS, _SPEND, (s.GENOPS_FEATURE,), "money"),
    Panel("Spend by cost center", Shape.BARS, _SPEND, (s.GENOPS_COST_CENTER,), "money"),
    Panel("Calls by outcome", Shape.LINES, _CALLS, (s.GENOPS_CALL_OUTCOME,), "calls"),
    Panel("Tokens", Shape.LINES, Count(s.METRIC_TOKENS), (s.GENOPS_TOKEN_TYPE,), "tokens"),
    Panel("Duration", Shape.LINES, Quantiles(s.METRIC_CALL_DURATION, (0.5, 0.95)), unit="s"),
    Panel("Time to first chunk", Shape.LINES, Quantiles(s.METRIC_CALL_TIME_TO_FIRST_CHUNK, (0.5, 0.95)), unit="s"),
    Panel(
        "Budgets that passed a threshold",
        Shape.TABLE,
        Count(s.METRIC_BUDGET_ALERTS),
        (s.GENOPS_BUDGET_NAME, s.GENOPS_BUDGET_THRESHOLD),
        note="The threshold is a percentage of the budget.",
    ),
    Panel(
        "Calls without a price",
        Shape.TABLE,
        Unpriced(),
        (s.GEN_AI_PROVIDER_NAME, s.GEN_AI_REQUEST_MODEL),
        "calls",
        "They cost something, and nobody knows what: give their model a price in custom_rates, or an alias.",
    ),
    Panel(
        "Faults of GenOps",
        Shape.TABLE,
        Count(s.METRIC_SDK_ERRORS),
        (s.ERROR_TYPE,),
        note="Contained; reports are welcome.",
    ),
)
