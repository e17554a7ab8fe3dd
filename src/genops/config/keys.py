"""The keys of genops.yaml and of `genops.configure()`, and the shape of each."""

from __future__ import annotations

from dataclasses import dataclass

from genops.config.engines import EngineShape
from genops.config.redaction import REDACTION
from genops.config.shapes import (
    Amount,
    Choice,
    Count,
    Flag,
    Folder,
    ListOf,
    MapOf,
    Names,
    Raw,
    Shape,
    Table,
    Text,
    Value,
)
from genops.core.attribution_rules import FieldRule, RuleMode
from genops.core.attribution_values import ATTRIBUTION_FIELDS, REQUIRED_FIELDS, fix_for, is_placeholder
from genops.core.errors import ConfigurationError
from genops.core.policy import MATCH_KEYS, Policy, PolicyMode, Unknown

__all__ = [
    "ARGUMENTS",
    "ATTRIBUTES",
    "BACKEND_NAMES",
    "BUDGET_KEYS",
    "LOG_LEVELS",
    "RATE_KEYS",
    "SETTINGS",
    "AttributeText",
]

LOG_LEVELS = ("debug", "info", "warning", "error")
# The rows of genops.exporters.backends, which knows what is behind each; a test holds the two together.
BACKEND_NAMES = (
    *("aws", "axiom", "azure-monitor", "datadog", "dynatrace", "elastic", "gcp", "grafana-cloud", "highlight"),
    *("honeycomb", "instana", "langfuse", "newrelic", "phoenix", "signoz", "splunk", "tempo", "traceloop"),
)
_EXAMPLES = {
    "team": "search",
    "project": "shop",
    "environment": "production",
    "customer_id": "acme",
    "cost_center": "cc-4711",
    "feature": "autocomplete",
}


@dataclass(frozen=True, slots=True)
class AttributeText:
    """The value of a governance attribute: text, and no placeholder where the specification requires a value."""

    name: str

    def read(self, value: Value) -> str:
        text = Text(_EXAMPLES[self.name]).read(value)
        if self.name in REQUIRED_FIELDS and is_placeholder(text):
            raise value.error(f"{value.name} is {text!r}, a placeholder; it must say what it is.", fix_for(self.name))
        return text


@dataclass(frozen=True, slots=True)
class RuleShape:
    """What one attribute must be."""

    def read(self, value: Value) -> FieldRule:
        given = _RULE.read(value)
        mode = RuleMode(given.pop("mode", RuleMode.WARN))
        try:
            return FieldRule(mode=mode, **given)
        except ConfigurationError as error:
            raise value.child("pattern").error(error.message, str(error.fix)) from error


@dataclass(frozen=True, slots=True)
class PolicyShape:
    """One policy, with the place it is written at."""

    def read(self, value: Value) -> Policy:
        given = _POLICY.read(value)
        kinds = {
            "mode": PolicyMode,
            "on_unknown_model": Unknown,
            "on_unknown_region": Unknown,
            "on_unknown_cost": Unknown,
        }
        given |= {key: kind(given[key]) for key, kind in kinds.items() if key in given}
        return Policy(source=value.place, **given)


_UNKNOWN = Choice(tuple(Unknown))
_RULE = Table(
    {
        "required": Flag(),
        "allowed": Names("search"),
        "pattern": Text(r"cc-\d{4}"),
        "mode": Choice(tuple(RuleMode)),
    }
)
_POLICY = Table(
    {
        "name": Text("small-models-only"),
        "match": Table({key: Names("search", single=True) for key in MATCH_KEYS}),
        "allow_models": Names("gpt-4o-mini"),
        "deny_models": Names("gpt-4*"),
        "allow_regions": Names("eu"),
        "max_cost_per_request": Amount(),
        "mode": Choice(tuple(PolicyMode)),
        "on_unknown_model": _UNKNOWN,
        "on_unknown_region": _UNKNOWN,
        "on_unknown_cost": _UNKNOWN,
        "message": Text("ask #ai-platform for an exception"),
    },
    required=("name",),
)
ATTRIBUTES: dict[str, Shape] = {name: AttributeText(name) for name in _EXAMPLES} | {"tags": MapOf(Text("gold"))}
# Read by genops.core.rates, which knows what is inside.
RATE_KEYS: dict[str, Shape] = {
    "currency": Text("USD"),
    "model_aliases": Raw(dict),
    "custom_rates": ListOf(Raw(dict)),
    "discounts": ListOf(Raw(dict)),
    "free": Raw(list),
    "provisioned": Raw(list),
}
# Read by genops.config.budgets, which knows what is inside.
BUDGET_KEYS: dict[str, Shape] = {
    "budgets": ListOf(Raw(dict)),
    "rate_limits": ListOf(Raw(dict)),
    "budget_store": Raw(dict),
}
SETTINGS = Table(
    {
        "enabled": Flag(),
        "log_level": Choice(LOG_LEVELS),
        "backend": Choice(BACKEND_NAMES),
        "attribution": Table(
            {
                **ATTRIBUTES,
                "rules": Table({name: RuleShape() for name in ATTRIBUTION_FIELDS}),
                "baggage": Names("team", words=ATTRIBUTION_FIELDS, empty=True),
            }
        ),
        "policies": ListOf(PolicyShape()),
        "policy_files": Names("policies/*.yaml", empty=True),
        "policy_engines": ListOf(EngineShape()),
        "trusted_keys": Names("base64 of a public key", empty=True),
        "kill_switch": Table({"file": Text("~/.genops/kill-switch.yaml")}),
        **BUDGET_KEYS,
        "redaction": REDACTION,
        **RATE_KEYS,
        "ledger": Table(
            {"enabled": Flag(), "dir": Folder(), "retention_days": Count(1, 90), "fsync": Flag()},
        ),
        "telemetry": Table(
            {
                "enabled": Flag(),
                "metrics": Flag(),
                "logs": Flag(),
                "content": Flag(),
                "cardinality_limit": Count(1, 2000),
                "console": Flag(),
            }
        ),
        "adapters": Table(
            {"enabled": Names("openai", empty=True), "disabled": Names("openai", empty=True)},
        ),
    }
)
# `configure(team="search")` is short for `configure(attribution={"team": "search"})`.
ARGUMENTS = Table({**SETTINGS.keys, **ATTRIBUTES})
