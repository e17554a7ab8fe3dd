"""Policy: rules of the user's own about which calls may be made.

A `Policy` states rules and where they apply; a `PolicySet` evaluates them for one call and gives a `Decision`. Callers
know only `PolicySet.evaluate`, so that another evaluator of the same input and output can take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.attribution_values import ATTRIBUTION_FIELDS, Attribution, warn_once
from genops.core.decision import ALLOWED, Decision, Result, Violation
from genops.core.errors import ConfigurationError
from genops.core.matching import MATCH_KEYS, Index, any_glob

__all__ = [
    "ALLOWED",
    "MATCH_KEYS",
    "Decision",
    "Policy",
    "PolicyInput",
    "PolicyMode",
    "PolicySet",
    "Result",
    "Ruling",
    "Unknown",
    "Violation",
    "register_policy",
    "unregister_policies",
]

DENY_MODEL = "POLICY_DENY_MODEL"
DENY_REGION = "POLICY_DENY_REGION"
MAX_COST = "x_max_cost_per_request"  # an extension code: the closed set has none for the cost of one request


class PolicyMode(StrEnum):
    """What happens to a call that breaks a policy."""

    ENFORCE = "enforce"
    WARN = "warn"


class Unknown(StrEnum):
    """What happens to a call about which a rule cannot be decided, for want of the fact it is about."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInput:
    """What a policy may know of a call. `estimated_cost` is the upper bound reserved for it, in USD."""

    attribution: Attribution
    provider: str
    model: str | None = None
    region: str | None = None
    operation: str | None = None
    estimated_cost: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules under one name, for the calls that `match`.

    `match` maps an attribution field, `provider`, `operation` or `model` to patterns; all keys must match, any pattern
    of a key will do. Patterns are globs (`gpt-4*`), compared without case. `max_cost_per_request` is in USD.
    """

    name: str
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allow_models: tuple[str, ...] = ()
    deny_models: tuple[str, ...] = ()
    allow_regions: tuple[str, ...] = ()
    max_cost_per_request: Decimal | None = None
    mode: PolicyMode = PolicyMode.ENFORCE
    on_unknown_model: Unknown = Unknown.BLOCK
    on_unknown_region: Unknown = Unknown.BLOCK
    on_unknown_cost: Unknown = Unknown.WARN
    message: str | None = None
    source: str = "code"  # where it is written, for messages: genops.yaml:14

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigurationError(f"{self.source}: a policy needs a name.", fix="name: what-it-is-for")
        for key in self.match:
            if key not in MATCH_KEYS:
                raise ConfigurationError(
                    f"{self.source}: policy {self.name!r} matches on {key!r}.{did_you_mean(key, MATCH_KEYS)}",
                    fix=f"use {', '.join(MATCH_KEYS)}",
                )
        if not (self.allow_models or self.deny_models or self.allow_regions or self.max_cost_per_request is not None):
            raise ConfigurationError(
                f"{self.source}: policy {self.name!r} has no rule.",
                fix="give it allow_models, deny_models, allow_regions or max_cost_per_request",
            )
        if self.max_cost_per_request is not None and self.max_cost_per_request < 0:
            raise ConfigurationError(
                f"{self.source}: max_cost_per_request of policy {self.name!r} is {self.max_cost_per_request}.",
                fix='give an amount in USD of 0 or more, for example "0.50"',
            )

    def violations(self, call: PolicyInput) -> Iterator[Violation]:
        """Every rule of the policy that `call` breaks, or about which nothing can be said."""
        yield from self._model_violations(call)
        if self.allow_regions:
            yield from self._region_violations(call)
        if self.max_cost_per_request is not None:
            yield from self._cost_violations(call, self.max_cost_per_request)

    def _model_violations(self, call: PolicyInput) -> Iterator[Violation]:
        if not (self.allow_models or self.deny_models):
            return
        if call.model is None:
            found = "a request that names no model, so the rule on models cannot be checked"
            yield from self._undecided(DENY_MODEL, found, "on_unknown_model", self.on_unknown_model)
        elif self.deny_models and any_glob(self.deny_models, call.model):
            found = f"model {call.model!r}; denied: {', '.join(self.deny_models)}"
            yield self._violation(DENY_MODEL, found, f"use a model that matches none of {', '.join(self.deny_models)}")
        elif self.allow_models and not any_glob(self.allow_models, call.model):
            found = f"model {call.model!r}; allowed: {', '.join(self.allow_models)}."
            hint = did_you_mean(call.model, self.allow_models)
            yield self._violation(DENY_MODEL, f"{found}{hint}", f"use one of {', '.join(self.allow_models)}")

    def _region_violations(self, call: PolicyInput) -> Iterator[Violation]:
        regions = ", ".join(self.allow_regions)
        if call.region is None:
            found = f"a call whose region is unknown; allowed: {regions}"
            yield from self._undecided(DENY_REGION, found, "on_unknown_region", self.on_unknown_region)
        elif not any_glob(self.allow_regions, call.region):
            found = f"region {call.region!r}; allowed: {regions}"
            yield self._violation(DENY_REGION, found, f"use an endpoint in {regions}")

    def _cost_violations(self, call: PolicyInput, limit: Decimal) -> Iterator[Violation]:
        if call.estimated_cost is None:
            found = f"a call whose cost has no known upper bound; at most {limit} USD is allowed"
            yield from self._undecided(MAX_COST, found, "on_unknown_cost", self.on_unknown_cost)
        elif call.estimated_cost > limit:
            found = f"up to {call.estimated_cost} USD for one request; at most {limit} USD is allowed"
            yield self._violation(
                MAX_COST, found, "lower the output limit (max_tokens), send less, or use a cheaper model"
            )

    def _undecided(self, reason_code: str, found: str, setting: str, choice: Unknown) -> Iterator[Violation]:
        if choice is Unknown.ALLOW:
            return
        yield self._violation(
            reason_code,
            f"{found} ({setting} is {choice})",
            f"give the call what the rule needs, or set `{setting}: allow`",
            blocking=choice is Unknown.BLOCK,
        )

    def _violation(self, reason_code: str, found: str, fix: str, *, blocking: bool = True) -> Violation:
        blocked = blocking and self.mode is PolicyMode.ENFORCE
        verb = "refuses" if blocked else "warns of"
        note = f"\n  {self.message}" if self.message else ""
        return Violation(
            rule=self.name,
            reason_code=reason_code,
            message=f"policy {self.name!r} {verb} {found}{note}",
            fix=f"{fix}; or change policy {self.name!r} ({self.source})",
            result=Result.BLOCKED if blocked else Result.WARNING,
        )


def _fact(call: PolicyInput, key: str) -> str | None:
    value: str | None = getattr(call.attribution if key in ATTRIBUTION_FIELDS else call, key)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What policies say to calls of one kind: `decision`, as long as a call costs at most `limit` USD."""

    decision: Decision
    limit: Decimal | None
    registered: PolicySet

    @classmethod
    def always(cls, decision: Decision) -> Ruling:
        """The same decision, whatever the policies say."""
        return cls(decision=decision, limit=None, registered=_registered)

    @property
    def is_current(self) -> bool:
        """Whether no policy has been registered or taken away since."""
        return self.registered is _registered

    def covers(self, cost: Decimal | None) -> bool:
        """Whether `decision` is the answer to a call of at most `cost`; None is a cost without a known bound."""
        return self.limit is None or (cost is not None and cost <= self.limit)


class PolicySet:
    """Policies, evaluated together: every rule of every policy that matches, and the most severe one decides."""

    __slots__ = ("_index", "policies")

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self.policies = tuple(policies)
        _refuse_duplicates(self.policies)
        self._index = Index((policy.match, policy) for policy in self.policies)

    def __repr__(self) -> str:
        return f"PolicySet({[policy.name for policy in self.policies]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PolicySet) and self.policies == other.policies

    def rule(self, call: PolicyInput, prior: Decision = ALLOWED) -> Ruling:
        """Return what is decided about all calls that differ from `call` in nothing but their cost."""
        registered = _registered
        matching = (*self._about(call), *registered._about(call))
        limits = [policy.max_cost_per_request for policy in matching if policy.max_cost_per_request is not None]
        free = replace(call, estimated_cost=Decimal(0))  # breaks no limit
        return Ruling(
            decision=self._decided(matching, free, prior),
            limit=min(limits, default=None),
            registered=registered,
        )

    def evaluate(self, call: PolicyInput, prior: Decision = ALLOWED) -> Decision:
        """Return the decision on `call`, `prior` findings included. Warnings are logged once per process and rule."""
        if not self.policies and not _registered.policies:
            return prior
        return self._decided((*self._about(call), *_registered._about(call)), call, prior)

    def _decided(self, matching: Iterable[Policy], call: PolicyInput, prior: Decision) -> Decision:
        found = [violation for policy in matching for violation in policy.violations(call)]
        for violation in found:
            if violation.result is Result.WARNING:
                key = (violation.rule, violation.reason_code, call.provider, call.model)
                warn_once(key, f"{violation.message}\n  fix: {violation.fix}")
        return prior.joined(found)

    def _about(self, call: PolicyInput) -> list[Policy]:
        return self._index.find(lambda key: _fact(call, key))


def _refuse_duplicates(policies: Iterable[Policy]) -> None:
    seen: dict[str, Policy] = {}
    for policy in policies:
        if policy.name in seen:
            raise ConfigurationError(
                f"{policy.source}: policy {policy.name!r} is there already ({seen[policy.name].source}).",
                fix="give each policy a name of its own",
            )
        seen[policy.name] = policy


# -- policies from code ------------------------------------------------------------------------------------------------

_registered = PolicySet()


def register_policy(
    name: str,
    *,
    match: Mapping[str, str | Iterable[str]] | None = None,
    max_cost_per_request: Decimal | int | str | None = None,
    **rules: Any,
) -> Policy:
    """Add a policy to those of genops.yaml, for the whole process, and return it. The same name again replaces it.

    `rules` are the keys of a policy in genops.yaml: allow_models, deny_models, allow_regions, mode, message,
    on_unknown_model, on_unknown_region, on_unknown_cost. Raises `ConfigurationError`.
    """
    global _registered
    known = _RULE_TYPES
    for rule in rules:
        if rule not in known:
            raise ConfigurationError(
                f"register_policy() got an unknown rule {rule!r}.{did_you_mean(rule, known)}",
                fix=f"use {', '.join((*known, 'max_cost_per_request', 'match'))}",
            )
    policy = Policy(
        name=name,
        match={key: _names(key, patterns) for key, patterns in (match or {}).items()},
        max_cost_per_request=None if max_cost_per_request is None else _money(max_cost_per_request),
        source="register_policy",
        **{rule: known[rule](rule, value) for rule, value in rules.items()},
    )
    _registered = PolicySet((*(other for other in _registered.policies if other.name != name), policy))
    return policy


def unregister_policies(*names: str) -> None:
    """Take away policies that `register_policy` added; all of them if none is named."""
    global _registered
    kept = (policy for policy in _registered.policies if names and policy.name not in names)
    _registered = PolicySet(kept)


def _names(key: str, value: str | Iterable[str]) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(f"{key} is {value!r}, expected names.", fix=f'{key}=["..."]')
    return names


def _money(value: Decimal | int | str) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, Decimal | int | str) else None
    except ArithmeticError:
        amount = None
    if amount is None or not amount.is_finite():
        raise ConfigurationError(
            f"max_cost_per_request is {value!r}, expected an exact amount in USD.", fix='max_cost_per_request="0.50"'
        )
    return amount


def _choice(kind: type[StrEnum]) -> Callable[[str, Any], StrEnum]:
    def choose(key: str, value: Any) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            raise ConfigurationError(
                f"{key} is {value!r}.{did_you_mean(str(value), kind)}", fix=f"use {', '.join(kind)}"
            ) from None

    return choose


def _message(key: str, value: Any) -> str:
    return str(value)


_RULE_TYPES: Mapping[str, Callable[[str, Any], Any]] = {
    "allow_models": _names,
    "deny_models": _names,
    "allow_regions": _names,
    "mode": _choice(PolicyMode),
    "on_unknown_model": _choice(Unknown),
    "on_unknown_region": _choice(Unknown),
    "on_unknown_cost": _choice(Unknown),
    "message": _message,
}
