"""GenOps: governance for AI, built on OpenTelemetry.

`genops.auto_instrument()` and nothing else changes: every call of a supported SDK gets an attribution, a decision, a
reservation, an exact cost and one ledger entry. The names below load on first use.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from genops._version import __version__

if TYPE_CHECKING:
    from genops.core.api import production_workflow_context, track, track_usage
    from genops.core.attribution import (
        attribution,
        clear_context,
        get_context,
        propagate,
        set_context,
        set_default_attributes,
    )
    from genops.core.chains import create_chain_cost_context, multi_provider_cost_tracking
    from genops.core.choosing import choose_model
    from genops.core.comparing import compare_provider_costs, estimate_migration_costs
    from genops.core.comparing import compare_provider_costs as compare_costs
    from genops.core.comparing import estimate_migration_costs as estimate_migration
    from genops.core.cost_context import FrameworkCostSummary
    from genops.core.enforcement import enforce_policy
    from genops.core.errors import (
        ApprovalRequired,
        BudgetBlocked,
        ConfigurationError,
        GenOpsBlocked,
        GenOpsError,
        PolicyBlocked,
        RateLimited,
    )
    from genops.core.policy import register_policy
    from genops.core.records import record_evaluation, track_cost
    from genops.core.records import record_evaluation as track_evaluation
    from genops.core.validation import ValidationResult
    from genops.exporters.otlp import configure_otlp_exporter
    from genops.providers._engine.price_response import price_response
    from genops.providers._engine.setup import auto_instrument, configure, status, uninstrument
    from genops.providers._engine.setup import auto_instrument as init
    from genops.providers._engine.surface import print_validation_result
    from genops.providers._engine.validate import validate_setup

__all__ = [
    "ApprovalRequired",
    "BudgetBlocked",
    "ConfigurationError",
    "FrameworkCostSummary",
    "GenOpsBlocked",
    "GenOpsError",
    "PolicyBlocked",
    "RateLimited",
    "ValidationResult",
    "__version__",
    "attribution",
    "auto_instrument",
    "choose_model",
    "clear_context",
    "compare_costs",
    "compare_provider_costs",
    "configure",
    "configure_otlp_exporter",
    "create_chain_cost_context",
    "enforce_policy",
    "estimate_migration",
    "estimate_migration_costs",
    "get_context",
    "init",
    "multi_provider_cost_tracking",
    "price_response",
    "print_validation_result",
    "production_workflow_context",
    "propagate",
    "record_evaluation",
    "register_policy",
    "set_context",
    "set_default_attributes",
    "status",
    "track",
    "track_cost",
    "track_evaluation",
    "track_usage",
    "uninstrument",
    "validate_setup",
]

_HOMES = {
    "genops.core.api": ("production_workflow_context", "track", "track_usage"),
    "genops.core.attribution": (
        *("attribution", "clear_context", "get_context", "propagate", "set_context", "set_default_attributes"),
    ),
    "genops.core.chains": ("create_chain_cost_context", "multi_provider_cost_tracking"),
    "genops.core.choosing": ("choose_model",),
    "genops.core.comparing": ("compare_provider_costs", "estimate_migration_costs"),
    "genops.core.cost_context": ("FrameworkCostSummary",),
    "genops.core.enforcement": ("enforce_policy",),
    "genops.core.errors": (
        *("ApprovalRequired", "BudgetBlocked", "ConfigurationError", "GenOpsBlocked", "GenOpsError"),
        *("PolicyBlocked", "RateLimited"),
    ),
    "genops.core.policy": ("register_policy",),
    "genops.core.records": ("record_evaluation", "track_cost"),
    "genops.core.validation": ("ValidationResult",),
    "genops.exporters.otlp": ("configure_otlp_exporter",),
    "genops.providers._engine.price_response": ("price_response",),
    "genops.providers._engine.setup": ("auto_instrument", "configure", "status", "uninstrument"),
    "genops.providers._engine.surface": ("print_validation_result",),
    "genops.providers._engine.validate": ("validate_setup",),
}
_HOME = {name: (module, name) for module, names in _HOMES.items() for name in names} | {
    "compare_costs": ("genops.core.comparing", "compare_provider_costs"),
    "estimate_migration": ("genops.core.comparing", "estimate_migration_costs"),
    "init": ("genops.providers._engine.setup", "auto_instrument"),
    "track_evaluation": ("genops.core.records", "record_evaluation"),
}

logging.getLogger("genops").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genops' has no attribute {name!r}")
    module, attribute = _HOME[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
