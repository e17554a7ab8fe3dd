"""Attribution: for whom a call is made. Resolved once per call, immutable within it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ATTRIBUTION_FIELDS", "Attribution"]

# The order is that of every table, report and dimension list.
ATTRIBUTION_FIELDS = ("team", "project", "environment", "customer_id", "cost_center", "feature", "session_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The governance attributes of one call. None means not given; a value is never empty."""

    team: str | None = None
    project: str | None = None
    environment: str | None = None
    customer_id: str | None = None
    cost_center: str | None = None
    feature: str | None = None
    session_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
