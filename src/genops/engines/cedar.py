"""Cedar: policies in Amazon's authorization language, evaluated in this process by `cedarpy`.

A call is the request `Team::"search"` may do `Action::"chat"` on `Model::"gpt-4o"`. What else is known is in the
context: texts, numbers and flags by the names of the inputs, lists as sets, `tags` and `flags` as records. Cedar has no
fractions, so the cost is `estimated_cost_micro_usd`, the share of the budget `budget_used_percent`, the time
`now_epoch_s`.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genops.core.decision import Result, Violation
from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.rules.engines import PolicyEngineError
from genops.core.rules.model import REASON_CODES

__all__ = ["CedarEngine"]

_CODE = re.compile(r"x_[a-z0-9_]+")
_NO_PERMIT = "no-permit"


@dataclass(frozen=True, slots=True)
class _Policy:
    """What a forbid policy says in its annotations: @id, @decision, @reason_code, @message, @fix."""

    rule: str
    result: Result
    code: str
    message: str | None
    fix: str | None


class CedarEngine:
    """Evaluates `policies`, a text in Cedar. A call that nothing permits is refused, as is Cedar's way.

    Raises `NotInstalled` without `cedarpy`, and `ConfigurationError` for policies that cannot be read.
    """

    def __init__(self, policies: str, *, entities: Sequence[Mapping[str, Any]] = (), source: str = "code") -> None:
        self.name = "cedar"
        self._source = source
        try:
            self._cedar: Any = importlib.import_module("cedarpy")
        except ImportError:
            raise NotInstalled("the cedar engine needs cedarpy.", fix="pip install 'genops-ai[cedar]'") from None
        try:
            self._set = self._cedar.PolicySet.from_str(policies)
            stated = json.loads(self._cedar.policies_to_json_str(policies))["staticPolicies"]
            self._entities = self._cedar.Entities.from_json_str(json.dumps(list(entities)))
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(f"{source}: not Cedar: {error}", fix="correct the policies") from error
        self._policies = {name: self._policy(name, each) for name, each in stated.items()}

    def _policy(self, name: str, stated: Mapping[str, Any]) -> _Policy:
        said: Mapping[str, str] = stated.get("annotations", {})
        rule, decision, code = (
            said.get("id", name),
            said.get("decision", "BLOCKED"),
            said.get("reason_code", "x_policy_denied"),
        )
        if decision not in ("BLOCKED", "WARNING", "RATE_LIMITED"):
            raise ConfigurationError(
                f"{self._source}: policy {rule!r} decides {decision!r}.",
                fix='@decision("BLOCKED"), "WARNING" or "RATE_LIMITED"',
            )
        if code not in REASON_CODES and _CODE.fullmatch(code) is None:
            raise ConfigurationError(
                f"{self._source}: policy {rule!r} has the reason code {code!r}.",
                fix=f"use {', '.join(REASON_CODES)} or x_...",
            )
        return _Policy(rule, Result(decision), code, said.get("message"), said.get("fix"))

    def evaluate(self, call: Mapping[str, Any]) -> Sequence[Violation]:
        """The forbid policies that hold; one of our own if nothing permits the call. Raises `PolicyEngineError`."""
        request = {
            "principal": {"type": "Team", "id": str(call.get("team", ""))},
            "action": {"type": "Action", "id": str(call.get("operation", ""))},
            "resource": {"type": "Model", "id": str(call.get("model", ""))},
            "context": _context(call),
        }
        try:
            answer = self._cedar.is_authorized(request, self._set, self._entities)
        except (ValueError, RuntimeError, TypeError) as error:
            raise self._error(str(error)) from error
        if answer.diagnostics.errors:  # a forbid that fails would be passed over
            raise self._error("; ".join(map(str, answer.diagnostics.errors)))
        if answer.decision is self._cedar.Decision.Allow:
            return ()
        forbidding = [self._policies[name] for name in answer.diagnostics.reasons]
        if not forbidding:
            forbidding = [_Policy(_NO_PERMIT, Result.BLOCKED, "x_policy_denied", "no policy permits the call", None)]
        return [self._violation(policy) for policy in forbidding]

    def _violation(self, policy: _Policy) -> Violation:
        return Violation(
            rule=policy.rule,
            reason_code=policy.code,
            message=f"policy {policy.rule!r} of Cedar: {policy.message or 'the call is not allowed'}",
            fix=f"{policy.fix or 'change the call'}; or change the policy ({self._source})",
            result=policy.result,
        )

    def _error(self, what: str) -> PolicyEngineError:
        return PolicyEngineError(
            f"{self._source}: {what[:300]}",
            fix="test for what may be absent: context has region && context.region == ...",
        )


def _context(call: Mapping[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    for name, value in call.items():
        if name == "estimated_cost":
            context["estimated_cost_micro_usd"] = round(value * 1_000_000)
        elif name == "budget_used":
            context["budget_used_percent"] = round(value * 100)
        elif name == "now":
            context["now_epoch_s"] = int(datetime.fromisoformat(value).timestamp())
        else:
            context[name] = value
    return context
