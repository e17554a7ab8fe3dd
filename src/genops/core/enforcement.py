"""Enforcement: policies of genops.yaml, or rules written in place, put in force for a block or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from decimal import Decimal
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from genops.core._stepping import run_inside
from genops.core.policy import Policy, PolicySet

__all__ = ["enforce_policy", "scoped"]

P = ParamSpec("P")
R = TypeVar("R")
_scoped: ContextVar[tuple[PolicySet, ...]] = ContextVar("genops.enforced", default=())


def scoped() -> tuple[PolicySet, ...]:
    """The policies that the blocks around the running code add to those of the settings."""
    return _scoped.get()


class enforce_policy:
    """Rules for every governed call inside a block or a function, beside those of `genops.yaml`.

    `with genops.enforce_policy(allow_models=["gpt-4o-mini"], max_cost_per_request="0.05"):` or as a decorator, sync or
    async. A call that breaks a rule raises `PolicyBlocked` before it is sent. Raises `ConfigurationError` for a rule
    that is not understood.
    """

    def __init__(
        self,
        name: str = "enforce_policy",
        *,
        allow_models: Iterable[str] = (),
        deny_models: Iterable[str] = (),
        allow_regions: Iterable[str] = (),
        max_cost_per_request: Decimal | str | int | None = None,
        message: str | None = None,
    ) -> None:
        limit = None if max_cost_per_request is None else Decimal(max_cost_per_request)
        self._policies = PolicySet(
            [
                Policy(
                    name=name,
                    allow_models=tuple(allow_models),
                    deny_models=tuple(deny_models),
                    allow_regions=tuple(allow_regions),
                    max_cost_per_request=limit,
                    message=message,
                    source="enforce_policy",
                )
            ]
        )
        self._outer: list[tuple[PolicySet, ...]] = []

    def __enter__(self) -> None:
        outer = _scoped.get()
        self._outer.append(outer)
        _scoped.set((*outer, self._policies))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _scoped.set(self._outer.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return run_inside(function, _Block(self._policies))


class _Block:
    """The reusable block behind the decorator: safe for concurrent runs, since it keeps nothing on itself."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies

    def __enter__(self) -> Any:
        _scoped.set((*_scoped.get(), self._policies))

    def __exit__(self, *_: object) -> None:
        _scoped.set(_scoped.get()[:-1])
