"""Compliance: who is on record, where data goes, what is taken out of it, and what may break a rule just now."""

from __future__ import annotations

import time
from typing import Any

from genops.config.watching import FileKillSwitch
from genops.core.attribution_values import REQUIRED_FIELDS
from genops.core.errors import ConfigurationError
from genops.server.dashboard.view import View

__all__ = ["compliance"]

_ROWS = 20


def compliance(view: View) -> dict[str, Any]:
    """What an auditor asks first."""
    settings = view.state.settings
    switch = FileKillSwitch(settings.policy.kill_switch, settings.policy.stop)
    stop = switch.stop(time.time_ns())
    exemptions, trouble = _exemptions(view)
    totals = view.sums()
    return {
        "totals": totals,
        "coverage": view.rows("attribution_coverage"),
        "required": REQUIRED_FIELDS,
        "places": view.rows("sums", by=("provider", "region"), limit=_ROWS) if totals["calls"] else [],
        "prices": view.rows("prices_in_use"),
        "stop": stop.violation().message if stop is not None else None,
        "switch": settings.policy.kill_switch,
        "exemptions": exemptions,
        "trouble": trouble,
        "redaction": settings.redaction,
        "content": settings.telemetry.content,
        "retention_days": settings.ledger.retention_days,
    }


def _exemptions(view: View) -> tuple[list[Any], str | None]:
    """The signed exceptions of the policy files, those in force first."""
    policy = view.state.settings.policy
    if not policy.files:
        return [], None
    try:
        rules, _ = policy.load()
    except ConfigurationError as error:
        return [], str(error)
    return sorted(rules.exemptions, key=lambda each: (each.expires <= view.now, each.expires)), None
