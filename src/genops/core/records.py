"""Records: cost and evaluations that the application itself reports."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opentelemetry import trace

from genops import semconv as s
from genops.core.attribution import ATTRIBUTION_FIELDS, current
from genops.core.cost import Cost, CostSource, CostStatus
from genops.core.errors import ConfigurationError
from genops.core.evaluation import Evaluation, EvaluationSink
from genops.core.frame import CallFacts, Frame, open_frame
from genops.core.ids import new_id
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.runtime import Runtime, current_runtime
from genops.core.usage import Reading, Usage

__all__ = ["record_evaluation", "track_cost"]


def track_cost(
    amount: Decimal | str | int | None = None,
    *,
    provider: str,
    model: str | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    currency: str = "USD",
    operation: str = "inference",
    **attributes: Any,
) -> LedgerEntry | None:
    """Book a call that no adapter sees, and return its ledger entry.

    With `amount`, an exact figure (text or Decimal, not float), that is what it cost; without it, the price book prices
    the tokens. Keyword arguments are governance attributes. Returns None when GenOps is not configured.
    """
    runtime = current_runtime()
    if runtime is None:
        return None
    facts = CallFacts(
        provider=provider,
        api="manual",
        operation=operation,
        operation_type="manual",
        operation_name=f"{provider}.{operation}",
        request_model=model,
    )
    frame = open_frame(runtime, facts, {}, current(attributes))
    quantities = {"input": input_tokens, "output": output_tokens}
    stated: dict[str, int | Decimal] = {meter: count for meter, count in quantities.items() if count is not None}
    reading = Reading(usage=Usage(stated) if stated else None)
    if amount is None:
        return frame.settle(reading, Outcome.COMPLETED)
    return frame.settle_at(reading, _manual_cost(amount, currency, runtime, frame, reading))


def _manual_cost(amount: Any, currency: str, runtime: Runtime, frame: Frame, reading: Reading) -> Cost:
    if isinstance(amount, float):
        raise ConfigurationError(f"a float is never money: {amount!r}.", fix=f'track_cost("{amount}", ...)')
    listed = runtime.book.price(reading.usage, frame.query(reading)) if reading.usage is not None else None
    return Cost(
        Decimal(amount),
        listed.list_amount if isinstance(listed, Cost) else None,
        CostStatus.PRICED,
        CostSource.MANUAL,
        currency=currency,
    )


def record_evaluation(
    metric: str,
    score: float,
    *,
    threshold: float | None = None,
    passed: bool | None = None,
    call_id: str | None = None,
    span: Any = None,
) -> None:
    """Record what an evaluation said: in the ledger, and as an event on `span`, the current one if left out.

    `passed` follows from `threshold` when it is not given. `call_id` is the call that was judged; without it, the
    evaluation belongs to the span's trace. Raises `ConfigurationError` for a metric without a name.
    """
    if not metric.strip():
        raise ConfigurationError(
            "an evaluation needs the name of its metric.", fix='record_evaluation("accuracy", 0.93)'
        )
    attributes: dict[str, Any] = {s.GENOPS_EVAL_METRIC: metric, s.GENOPS_EVAL_SCORE: float(score)}
    if threshold is not None:
        attributes[s.GENOPS_EVAL_THRESHOLD] = float(threshold)
        passed = score >= threshold if passed is None else passed
    if passed is not None:
        attributes[s.GENOPS_EVAL_PASSED] = passed
    target = span if span is not None else trace.get_current_span()
    target.add_event(s.EVENT_EVALUATION_COMPLETE, attributes)
    runtime = current_runtime()
    if runtime is not None:
        found = {"name": metric, "score": float(score), "threshold": threshold, "passed": passed, "call_id": call_id}
        _keep(runtime, found, target.get_span_context())


def _keep(runtime: Runtime, found: dict[str, Any], about: trace.SpanContext) -> None:
    """Give an evaluation to every sink that keeps them, with the attribution of here and now."""
    if about.is_valid:
        found |= {"trace_id": trace.format_trace_id(about.trace_id), "span_id": trace.format_span_id(about.span_id)}
    attribution = current()
    now = runtime.clock()
    evaluation = Evaluation(
        evaluation_id=new_id(int(now.timestamp() * 1000)),
        evaluated_at=now,
        **found,
        **{name: getattr(attribution, name) for name in (*ATTRIBUTION_FIELDS, "tags")},
    )
    for sink in runtime.sinks:
        if isinstance(sink, EvaluationSink):
            sink.append_evaluation(evaluation)
