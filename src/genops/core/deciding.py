"""Deciding about a call: kill switch, attribution rules, policies, rules of policy files, engines; in this order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from genops.core import enforcement
from genops.core.decision import ALLOWED, Decision
from genops.core.policy import PolicyInput, Ruling
from genops.core.rules.inputs import INPUTS, plain_input, tool_names

if TYPE_CHECKING:
    from genops.core.frame import Frame

__all__ = ["Situation", "decide"]

_READS_RESULTS = "batch"  # its money was spent when it ran; reading the results spends none


def decide(frame: Frame, upper_bound: Decimal | None) -> Decision:
    """Return the decision on the call of `frame`, which costs at most `upper_bound` USD, if that is known."""
    runtime, plan = frame.runtime, frame.plan
    reads_results = frame.facts.operation_type == _READS_RESULTS
    if runtime.kill_switch is not None and not reads_results:
        stop = runtime.kill_switch.stop(frame.started_ns)
        if stop is not None and stop.stops(plan.inputs.get):
            return Decision.of((stop.violation(),))
    decision = _by_policies(frame, upper_bound)
    if reads_results or (runtime.policy_rules is None and not runtime.policy_engines):
        return decision
    situation = Situation(frame, upper_bound)
    if runtime.policy_rules is not None:
        rules = runtime.policy_rules.current(frame.started_ns)
        scope = plan.scope
        if scope is None or not scope.is_current(rules, frame.started_at):
            scope = plan.scope = rules.scope(plan.inputs, frame.started_at)
        found = scope.decide(situation.value, frame.started_at)
        decision = found if decision is ALLOWED else Decision.of((*decision.violations, *found.violations), found.notes)
    for engine in runtime.policy_engines:
        decision = decision.joined(engine(plain_input(situation.value)))
    return decision


def _by_policies(frame: Frame, upper_bound: Decimal | None) -> Decision:
    ruling, scoped = frame.plan.ruling, enforcement.scoped()
    if ruling is None or not ruling.is_current:
        ruling = frame.plan.ruling = _rule(frame)
    if not scoped and ruling.covers(upper_bound):
        return ruling.decision
    decision = frame.runtime.rules.decide(frame.plan.attribution)
    if frame.facts.operation_type == _READS_RESULTS:
        return decision
    call = _policy_input(frame, upper_bound)
    for policies in (frame.runtime.policies, *scoped):
        decision = policies.evaluate(call, decision)
    return decision


def _rule(frame: Frame) -> Ruling:
    """What is decided about every call of the plan."""
    by_rules = frame.runtime.rules.decide(frame.plan.attribution)
    if frame.facts.operation_type == _READS_RESULTS:
        return Ruling.always(by_rules)
    return frame.runtime.policies.rule(_policy_input(frame, None), by_rules)


def _policy_input(frame: Frame, upper_bound: Decimal | None) -> PolicyInput:
    facts = frame.facts
    return PolicyInput(
        attribution=frame.plan.attribution,
        provider=facts.provider,
        model=facts.request_model,
        region=facts.region,
        operation=facts.operation,
        estimated_cost=upper_bound,
    )


class Situation:
    """The inputs of rules for one call. What takes time to find out is found out when it is asked for."""

    __slots__ = ("_frame", "_upper_bound")

    def __init__(self, frame: Frame, upper_bound: Decimal | None) -> None:
        self._frame = frame
        self._upper_bound = upper_bound

    def value(self, name: str) -> Any:
        """The value of an input; None if it is not known."""
        return _DYNAMIC[name](self) if INPUTS[name].dynamic else self._frame.plan.inputs.get(name)

    def _estimated_cost(self) -> float | None:
        return None if self._upper_bound is None else float(self._upper_bound)

    def _input_tokens(self) -> int:
        return self._frame.input_estimate

    def _max_output_tokens(self) -> int:
        return self._frame.output_tokens()

    def _tools(self) -> list[str]:
        return tool_names(self._frame.request)

    def _entities(self) -> list[str]:
        redactor = self._frame.runtime.redactor
        return [] if redactor is None else redactor.entities(self._frame.readable_request())

    def _budget_used(self) -> float | None:
        runtime, frame = self._frame.runtime, self._frame
        return None if runtime.account is None else runtime.account.used_share(frame.budgeted())

    def _now(self) -> Any:
        return self._frame.started_at


_DYNAMIC: dict[str, Callable[[Situation], Any]] = {
    "estimated_cost": Situation._estimated_cost,
    "input_tokens": Situation._input_tokens,
    "max_output_tokens": Situation._max_output_tokens,
    "tools": Situation._tools,
    "entities": Situation._entities,
    "budget_used": Situation._budget_used,
    "now": Situation._now,
}
