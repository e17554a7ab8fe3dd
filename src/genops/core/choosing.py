"""Choosing a model: the cheapest that is good enough for a task and fits what may still be spent.

How good a model is, is the user's to say: each candidate is given with the hardest task it is trusted with. How hard a
request is can be said, too; otherwise it is judged from its text by plain signs, the same way every time.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.attribution import ATTRIBUTION_FIELDS, current
from genops.core.budgets.plans import BudgetCall
from genops.core.comparing import split_model
from genops.core.errors import BudgetStoreError, ConfigurationError
from genops.core.estimate import estimate_tokens
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.runtime import current_runtime

__all__ = ["Complexity", "ModelChoice", "choose_model", "complexity_of"]

_DEFAULT_OUTPUT = 1024  # tokens, where the caller states no limit
_LONG, _VERY_LONG = 1_500, 8_000  # tokens of a prompt
_HARD_WORDS = re.compile(
    r"\b(prove|derive|refactor|architect\w*|debug|optimi[sz]e|step[- ]by[- ]step|trade-?offs?|root cause|theorem|"
    r"legal|contract|diagnos\w+|algorithm\w*|concurren\w+|security|plan|strategy|analy[sz]e|compare|evaluate)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"```|\bdef \w+\(|\bclass \w+|\bfunction \w+\(|\bSELECT\b.+\bFROM\b|Traceback \(most recent")
_PARTS = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+", re.MULTILINE)


class Complexity(IntEnum):
    """How hard a task is, and how hard a task a model is trusted with."""

    SIMPLE = 1  # classify, extract, short answers
    MODERATE = 2  # summarise, draft, ordinary code
    COMPLEX = 3  # reason over several steps, long or critical work


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """The chosen model, `provider/model`, and why.

    `bound` is the most the call costs in USD, `room` the least that is left of `max_cost` and the budgets; None where
    it is not known. `fits` is False if no candidate stays within it: the budget will have its say. `downgraded` says
    that the model is trusted with less than the task asks for.
    """

    name: str
    provider: str
    model: str
    complexity: Complexity
    bound: Decimal | None
    room: Decimal | None
    fits: bool
    downgraded: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    trusted_with: Complexity
    bound: Decimal | None
    room: Decimal | None

    @property
    def fits(self) -> bool:
        """A model without a price cannot be said to fit, unless nothing is limited."""
        return self.room is None or (self.bound is not None and self.bound <= self.room)


def complexity_of(prompt: str) -> Complexity:
    """Judge how hard a request is from its text: its length, code in it, several parts, words of reasoning.

    Plain signs, one point each; two points make it moderate, four complex. A judgement of wording, not of meaning: say
    the complexity yourself where you know it.
    """
    tokens = estimate_tokens(prompt)
    points = (tokens > _LONG) + 2 * (tokens > _VERY_LONG)
    points += 2 * bool(_CODE.search(prompt)) + (len(_PARTS.findall(prompt)) >= 3)
    points += min(3, len({word.lower() for word in _HARD_WORDS.findall(prompt)}))
    return Complexity.COMPLEX if points >= 4 else Complexity.MODERATE if points >= 2 else Complexity.SIMPLE


def choose_model(
    candidates: Mapping[str, Complexity | str],
    *,
    prompt: str | None = None,
    complexity: Complexity | str | None = None,
    input_tokens: int | None = None,
    max_output_tokens: int = _DEFAULT_OUTPUT,
    max_cost: Decimal | str | None = None,
    downgrade: bool = True,
    **attributes: Any,
) -> ModelChoice:
    """Return the cheapest of `candidates` that is trusted with the task and fits the money that is left.

    `candidates` maps `provider/model` to the hardest task it is trusted with: simple, moderate or complex. The task is
    `complexity`, or what `complexity_of` says of `prompt`. The money is `max_cost`, in USD as text or Decimal, and what
    is left of the budgets that match the attribution in force, with `attributes` over it. If no trusted model fits,
    `downgrade` lets a less trusted one be chosen; if none fits at all, the cheapest trusted one is, with `fits` False.
    Nothing is reserved. Raises `ConfigurationError` for no candidates, a name that is none, and neither prompt nor
    complexity.
    """
    if complexity is None and prompt is None:
        raise ConfigurationError("how hard the task is, is not said.", fix='choose_model(..., complexity="simple")')
    wanted = _level(complexity) if complexity is not None else complexity_of(prompt or "")
    tokens = input_tokens if input_tokens is not None else estimate_tokens(prompt or "")
    limit = _amount(max_cost)
    fields = _fields(attributes)
    found = [_candidate(name, level, (tokens, max_output_tokens), limit, fields) for name, level in candidates.items()]
    if not found:
        raise ConfigurationError(
            "there is no model to choose.", fix='choose_model({"openai/gpt-4o-mini": "simple"}, ...)'
        )
    trusted = [each for each in found if each.trusted_with >= wanted]
    pools: list[tuple[Sequence[_Candidate], str]] = [
        ([each for each in trusted if each.fits], "the cheapest that is trusted with it")
    ]
    if downgrade:
        fitting = [each for each in found if each.fits]
        best = max((each.trusted_with for each in fitting), default=wanted)
        pools.append(
            ([each for each in fitting if each.trusted_with == best], "no model trusted with it fits what is left")
        )
    pools.append((trusted or found, "nothing fits what is left" if trusted else "no model is trusted with it"))
    for pool, reason in pools:
        if pool:
            return _chosen(min(pool, key=_price), wanted, f"a {wanted.name.lower()} task: {reason}")
    raise AssertionError("the last pool has every candidate")


def _price(candidate: _Candidate) -> tuple[bool, Decimal, str]:
    return candidate.bound is None, candidate.bound or Decimal(0), candidate.name


def _chosen(candidate: _Candidate, wanted: Complexity, reason: str) -> ModelChoice:
    provider, model = split_model(candidate.name)
    return ModelChoice(
        name=candidate.name,
        provider=provider,
        model=model,
        complexity=wanted,
        bound=candidate.bound,
        room=candidate.room,
        fits=candidate.fits,
        downgraded=candidate.trusted_with < wanted,
        reason=reason,
    )


def _candidate(
    name: str, level: Complexity | str, tokens: tuple[int, int], limit: Decimal | None, fields: Mapping[str, str | None]
) -> _Candidate:
    provider, model = split_model(name)
    runtime = current_runtime()
    book = runtime.book if runtime is not None else PriceBook.default()
    bound = book.bound(PriceQuery(provider=provider, at=datetime.now(UTC), request_model=model), *tokens)
    rooms = [limit] if limit is not None else []
    if runtime is not None and runtime.account is not None:
        call = BudgetCall(fields, provider, model, "chat", *tokens, cost=bound)
        engine = runtime.account.engine
        money = {budget.name for budget in engine.budgets if budget.unit == "USD"}
        with contextlib.suppress(BudgetStoreError):  # the store is down: the budget says what becomes of the call
            rooms += [left for budget, left in engine.remaining(call).items() if budget in money]
    return _Candidate(name, _level(level), bound, min(rooms, default=None))


def _level(value: Complexity | str) -> Complexity:
    if isinstance(value, Complexity):
        return value
    names = {level.name.lower(): level for level in Complexity}
    if value not in names:
        raise ConfigurationError(
            f"there is no complexity {value!r}.{did_you_mean(str(value), names)}", fix=f"use {', '.join(names)}"
        )
    return names[value]


def _amount(value: Any) -> Decimal | None:
    if value is None or isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        raise ConfigurationError(f"a float is never money: {value!r}.", fix=f'max_cost="{value}"')
    try:
        return Decimal(value)
    except ArithmeticError:
        raise ConfigurationError(f"max_cost is {value!r}, which is no amount.", fix='max_cost="0.05"') from None


def _fields(attributes: Mapping[str, Any]) -> dict[str, str | None]:
    """Whose call it is, as budgets match it."""
    found = current(attributes)
    return {
        **{name: getattr(found, name) for name in ATTRIBUTION_FIELDS},
        **{f"tag.{key}": value for key, value in found.tags.items()},
    }
