"""Evaluations: what somebody found out about the quality of a call, kept beside the ledger's entries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from genops.core.ledger import plain

__all__ = ["EVALUATION_SCHEMA_VERSION", "Evaluation", "EvaluationSink"]

EVALUATION_SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One score of one call or trace. Money is no part of it, nor is the content that was judged.

    `score` is in the unit of the metric; `passed` is None where no threshold was given.
    """

    evaluation_id: str  # ULID, or derived from what it is about; the idempotency key
    evaluated_at: datetime  # aware
    name: str
    score: float | None = None
    threshold: float | None = None
    passed: bool | None = None
    label: str | None = None

    # about what
    call_id: str | None = None
    trace_id: str | None = None  # 32 hex digits
    span_id: str | None = None  # 16 hex digits

    # for whom
    team: str | None = None
    project: str | None = None
    environment: str | None = None
    customer_id: str | None = None
    cost_center: str | None = None
    feature: str | None = None
    session_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """One line of JSON, without a line end; what is None or empty is left out."""
        found = {item.name: plain(getattr(self, item.name)) for item in fields(self)}
        stated = {name: value for name, value in found.items() if value is not None and value != {}}
        document = {"schema_version": EVALUATION_SCHEMA_VERSION, **stated}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Evaluation:
        """Read what `to_json` wrote. Raises `ValueError` for a later schema, `KeyError` or `TypeError` for the rest."""
        if found.get("schema_version", 0) > EVALUATION_SCHEMA_VERSION:
            raise ValueError(
                f"evaluation of schema {found['schema_version']}; this version reads {EVALUATION_SCHEMA_VERSION}"
            )
        names = {item.name for item in fields(cls)}
        values = {name: value for name, value in found.items() if name in names}
        return cls(**(values | {"evaluated_at": datetime.fromisoformat(values["evaluated_at"])}))


@runtime_checkable
class EvaluationSink(Protocol):
    """Takes evaluations. `append_evaluation` must return without waiting for a network."""

    def append_evaluation(self, evaluation: Evaluation) -> None: ...
