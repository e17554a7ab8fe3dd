"""Acting on a call instead of refusing it: another model, less output, a request without personal data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from genops.core.deciding import decide
from genops.core.decision import Actions, Decision, Result, Violation
from genops.core.rules.model import RULE_ERROR

if TYPE_CHECKING:
    from genops.core.frame import Frame

__all__ = ["act", "limit_output"]

_DENY_CONTENT = "POLICY_DENY_CONTENT"


def act(frame: Frame, decision: Decision) -> Decision:
    """Do to the call of `frame` what `decision` asks for; return the decision on the call as it is sent."""
    actions = decision.notes.actions
    if actions is not None and not frame.changeable:  # what was spent elsewhere, and is only being booked
        return Decision.of(decision.violations, replace(decision.notes, actions=None))
    if actions is not None and actions.reroute is not None:
        decision = _reroute(frame, decision, actions.reroute)
        actions = decision.notes.actions
    if decision.blocked or not frame.changeable:
        return decision
    limit = actions.max_output_tokens if actions is not None else None
    if limit is not None and not _cap(frame, limit):
        return _impossible(decision, "max_output_tokens", "the SDK's method takes no limit of the output")
    redactor = frame.runtime.redactor
    kinds = (*(actions.redact if actions is not None else ()), *(redactor.always if redactor is not None else ()))
    return _redact(frame, decision, kinds) if kinds else decision


def _reroute(frame: Frame, decision: Decision, model: str) -> Decision:
    """Decide again for the other model, which is what will run: a block of the first one does not count.

    It is not sent on to a third: two rules cannot pass a call back and forth.
    """
    if frame.facts.request_model in (None, model):
        return decision
    if frame.model_key is None:
        return _impossible(decision, "reroute", "the call takes no other model: it is that of the object it is made on")
    frame.plan = frame.runtime.plans.rerouted(frame.plan, model)
    frame.facts = frame.plan.facts
    frame.changes[frame.model_key] = model
    frame.bound()
    again = decide(frame, frame.upper_bound)
    more = again.notes.actions
    before = decision.notes.actions or Actions()
    known = {violation.rule for violation in again.violations}
    warnings = (violation for violation in decision.violations if violation.result is Result.WARNING)
    kept = [violation for violation in warnings if violation.rule not in known]
    merged = before if more is None else before.with_more(more)
    return Decision.of((*again.violations, *kept), replace(again.notes, actions=merged))


def _cap(frame: Frame, limit: int) -> bool:
    """Have the request sent with at most `limit` tokens of output; False if it cannot be."""
    if frame.facts.operation_type != "inference" or (frame.output_bound is not None and frame.output_bound <= limit):
        return True
    if frame.limit_key is None:
        return False
    limit_output(frame, limit)
    frame.bound()
    return True


def limit_output(frame: Frame, limit: int) -> None:
    """Lay `limit` over the request, as the most tokens of output of all its choices together."""
    assert frame.limit_key is not None  # who asks has looked
    choices = frame.request.get("n")
    frame.output_bound = limit
    frame.changes[frame.limit_key] = limit // choices if isinstance(choices, int) and choices > 1 else limit


def _redact(frame: Frame, decision: Decision, kinds: Sequence[str]) -> Decision:
    redactor = frame.runtime.redactor
    if redactor is None:
        return _impossible(decision, "redact", "no redactor is there")
    redacted = redactor.redact_request(frame.readable_request(), kinds)
    frame.changes.update(redacted.changes)
    frame.redacted, frame.vault = redacted, redacted.vault
    if not redacted.refused:
        return decision
    found = ", ".join(redacted.refused)
    violation = Violation(
        rule="redaction",
        reason_code=_DENY_CONTENT,
        message=f"the request holds {found}, which must not be sent",
        fix="take it out of the request; or change the action for it under `redaction` in genops.yaml",
    )
    return decision.joined((violation,))


def _impossible(decision: Decision, action: str, why: str) -> Decision:
    violation = Violation(
        rule=action,
        reason_code=RULE_ERROR,
        message=f"a rule asks for {action}, and {why}",
        fix="make the rule block such calls, or leave them out of its match",
    )
    return decision.joined((violation,))
