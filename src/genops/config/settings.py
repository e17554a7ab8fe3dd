"""Settings: what governs this process, from arguments, genops.yaml and the environment. Later sources go before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genops.config.budgets import BudgetSettings, budget_settings
from genops.config.derive import derive
from genops.config.engines import EngineSettings
from genops.config.environment import (
    OtelEnvironment,
    detect_otel_environment,
    environment_settings,
    environment_variable,
    otel_attributes,
)
from genops.config.files import Document, find_file, read_file
from genops.config.keys import ARGUMENTS, ATTRIBUTES, RATE_KEYS, SETTINGS
from genops.config.policies import find_policy_files, read_policy_file, rule_set
from genops.config.redaction import RedactionSettings
from genops.config.shapes import Value
from genops.core.attribution_rules import AttributionRules
from genops.core.attribution_values import AttributionSources
from genops.core.errors import ConfigurationError
from genops.core.killswitch import Stop
from genops.core.policy import PolicySet
from genops.core.rules.ruleset import RuleSet
from genops.core.rules.signing import check_key

__all__ = [
    "ARGUMENTS_NAME",
    "AdapterSettings",
    "LedgerSettings",
    "OtelEnvironment",
    "PolicySettings",
    "Settings",
    "TelemetrySettings",
    "detect_otel_environment",
    "environment_variable",
    "load",
]

KILL_SWITCH_FILE = "kill-switch.yaml"
ARGUMENTS_NAME = "genops.configure()"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """The local ledger. `retention_days` None keeps everything."""

    enabled: bool = True
    dir: Path = field(default_factory=lambda: Path.home() / ".genops")
    retention_days: int | None = None
    fsync: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """What is exported. `content` (prompts and completions) is off unless the user turns it on."""

    enabled: bool = True
    metrics: bool = True
    logs: bool = True
    content: bool = False
    cardinality_limit: int = 2000
    console: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """Where policy files and the kill switch are. `files` are globs from `base`, the folder of genops.yaml."""

    files: tuple[str, ...] = ()
    base: Path = field(default_factory=Path.cwd)
    trusted_keys: tuple[str, ...] = ()
    kill_switch: Path = field(default_factory=lambda: Path.home() / ".genops" / KILL_SWITCH_FILE)
    engines: tuple[EngineSettings, ...] = ()
    stop: Stop | None = None  # from the environment: for as long as the process runs

    def load(self) -> tuple[RuleSet, tuple[Path, ...]]:
        """Read the files. Raises `ConfigurationError`."""
        paths = find_policy_files(self.files, self.base)
        names = [path.relative_to(self.base) if path.is_relative_to(self.base) else path for path in paths]
        files = [read_policy_file(path, name=str(name)) for path, name in zip(paths, names, strict=True)]
        return rule_set(files, trusted_keys=self.trusted_keys), paths


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """Which adapters `auto_instrument()` switches on. `enabled` None means every one whose SDK is installed."""

    enabled: tuple[str, ...] | None = None
    disabled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. docs/reference/configuration.md lists the keys."""

    enabled: bool = True
    log_level: str = "warning"
    backend: str | None = None
    attribution: AttributionSources = field(default_factory=AttributionSources)
    rules: AttributionRules = field(default_factory=AttributionRules)
    baggage: tuple[str, ...] = ()
    policies: PolicySet = field(default_factory=PolicySet)
    policy: PolicySettings = field(default_factory=PolicySettings)
    prices: Mapping[str, Any] = field(
        default_factory=dict
    )  # model_aliases, custom_rates, ...: read by genops.core.rates
    budgets: BudgetSettings = field(default_factory=BudgetSettings)
    redaction: RedactionSettings = field(default_factory=RedactionSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    adapters: AdapterSettings = field(default_factory=AdapterSettings)
    source: Path | None = None  # the file that was read


def load(
    arguments: Mapping[str, Any] | None = None,
    *,
    config_file: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    resource: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings from `arguments`, a file and the environment; each goes before the one named before it.

    The file is GENOPS_CONFIG, else `config_file`, else the nearest genops.yaml from `cwd` up to the repository's root.
    `resource` are the attributes of the application's OpenTelemetry resource. With GENOPS_ENABLED=off nothing else is
    read. Raises `ConfigurationError` with file, line and fix.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    from_environment = environment_settings(environ)
    if from_environment.get("enabled") is False:
        return Settings(enabled=False)
    path, document = _file(from_environment.pop("config", None), config_file, cwd)
    from_file = SETTINGS.read(Value(document.values, document))
    from_arguments = _read_arguments(arguments or {})
    own = from_environment.get("attribution", {})
    from_environment["attribution"] = otel_attributes(environ, resource) | own
    merged: dict[str, Any] = {}
    for layer in (from_arguments, from_file, from_environment):
        merged = _laid_over(merged, layer)
    derived = derive(environ, cwd)
    return Settings(
        **{key: merged[key] for key in ("enabled", "log_level", "backend") if key in merged},
        attribution=AttributionSources(
            derived={name: value for name, (value, _) in derived.items()},
            default=_attributes(from_arguments),
            file=_attributes(from_file),
            environment=_attributes(from_environment),
            origins={name: origin for name, (_, origin) in derived.items()},
        ),
        rules=AttributionRules(merged.get("attribution", {}).get("rules", {})),
        baggage=merged.get("attribution", {}).get("baggage", ()),
        policies=PolicySet((*from_arguments.get("policies", ()), *from_file.get("policies", ()))),
        policy=_policy(merged, cwd if path is None else path.parent),
        prices={key: merged[key] for key in RATE_KEYS if key in merged},
        budgets=budget_settings(document, _given(arguments or {})),
        redaction=RedactionSettings(**merged.get("redaction", {}), stated="redaction" in merged),
        ledger=LedgerSettings(**merged.get("ledger", {})),
        telemetry=TelemetrySettings(**merged.get("telemetry", {})),
        adapters=AdapterSettings(**merged.get("adapters", {})),
        source=path,
    )


def _policy(merged: Mapping[str, Any], base: Path) -> PolicySettings:
    for key in merged.get("trusted_keys", ()):
        check_key(key)
    directory = LedgerSettings(**merged.get("ledger", {})).dir
    switch = merged.get("kill_switch", {})
    file = switch.get("file")
    return PolicySettings(
        files=merged.get("policy_files", ()),
        base=base,
        trusted_keys=merged.get("trusted_keys", ()),
        kill_switch=directory / KILL_SWITCH_FILE if file is None else base / Path(file).expanduser(),
        engines=tuple(merged.get("policy_engines", ())),
        stop=switch.get("stop"),
    )


def _file(variable: Path | None, argument: str | Path | None, cwd: Path) -> tuple[Path | None, Document]:
    if variable is not None:
        return variable, read_file(cwd / variable, asked_for_by="GENOPS_CONFIG")
    if argument is not None:
        path = cwd / Path(argument).expanduser()
        return path, read_file(path, asked_for_by="config_file")
    found = find_file(cwd)
    return (None, Document("genops.yaml", {})) if found is None else (found, read_file(found))


def _given(arguments: Mapping[str, Any]) -> Document:
    return Document(ARGUMENTS_NAME, {key: value for key, value in arguments.items() if value is not None})


def _read_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Read keyword arguments: the keys of the file, and the governance attributes by themselves. None is not given."""
    document = _given(arguments)
    read = ARGUMENTS.read(Value(document.values, document))
    attributes = {key: read.pop(key) for key in ATTRIBUTES if key in read}
    inside = read.get("attribution", {})
    for key in attributes:
        if key in inside:
            raise ConfigurationError(
                f"{ARGUMENTS_NAME}: {key} is given twice, by itself and in attribution.", fix=f"keep {key}=..."
            )
    return {**read, "attribution": {**inside, **attributes}}


def _attributes(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in layer.get("attribution", {}).items() if key in ATTRIBUTES}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _laid_over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged
