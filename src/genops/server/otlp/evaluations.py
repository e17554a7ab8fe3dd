"""Evaluations, as events on spans and as log records: ours, and those of OpenTelemetry's GenAI conventions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from genops import semconv as s
from genops.core.evaluation import Evaluation
from genops.core.ids import derived_id
from genops.core.ledger import plain

__all__ = ["evaluation_of", "identified"]

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = {
    s.EVENT_EVALUATION_COMPLETE: (s.GENOPS_EVAL_METRIC, s.GENOPS_EVAL_SCORE),
    s.EVENT_GEN_AI_EVALUATION_RESULT: (s.GEN_AI_EVALUATION_NAME, s.GEN_AI_EVALUATION_SCORE_VALUE),
}


def evaluation_of(event: str, given: Mapping[str, Any]) -> Evaluation | None:
    """What an event says of an evaluation, not yet what it is about; None for an event that is none."""
    if event not in _NAMES:
        return None
    of_name, of_score = _NAMES[event]
    name = given.get(of_name)
    if not isinstance(name, str) or not name.strip():
        return None
    passed, label = given.get(s.GENOPS_EVAL_PASSED), given.get(s.GEN_AI_EVALUATION_SCORE_LABEL)
    return Evaluation(
        evaluation_id="",
        evaluated_at=_NEVER,
        name=name[:200],
        score=_number(given.get(of_score)),
        threshold=_number(given.get(s.GENOPS_EVAL_THRESHOLD)),
        passed=passed if isinstance(passed, bool) else None,
        label=label[:200] if isinstance(label, str) else None,
    )


def identified(evaluation: Evaluation) -> Evaluation:
    """The same with an id that follows from what it says, so that it is one however often it comes."""
    about = (evaluation.trace_id, evaluation.span_id, evaluation.call_id, evaluation.name, evaluation.score)
    return replace(evaluation, evaluation_id=derived_id("evaluation", plain(evaluation.evaluated_at), *map(str, about)))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
