"""The environment: GENOPS_* variables as settings, and what OpenTelemetry's variables say. Nobody else reads it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

import yaml

from genops.config.keys import BACKEND_NAMES, LOG_LEVELS
from genops.core._suggest import did_you_mean
from genops.core.attribution_values import is_placeholder
from genops.core.errors import ConfigurationError
from genops.core.killswitch import Stop

__all__ = [
    "VARIABLES",
    "OtelEnvironment",
    "Variable",
    "detect_otel_environment",
    "environment_settings",
    "environment_variable",
    "exec_with_path",
    "governance_is_required",
    "is_disabled_instrumentation",
    "otel_attributes",
]

_log = logging.getLogger("genops.config")

_ON = frozenset({"on", "true", "yes", "1"})
_OFF = frozenset({"off", "false", "no", "0"})
# OpenTelemetry resource attribute -> field. The SDK names a service it knows nothing of "unknown_service...".
_RESOURCE = (
    ("service.name", "project"),
    ("service.namespace", "team"),
    ("deployment.environment", "environment"),  # the name before semantic conventions 1.27
    ("deployment.environment.name", "environment"),
)


def environment_variable(name: str) -> str | None:
    """Return the value of an environment variable; None if it is not set or blank."""
    return (os.environ.get(name) or "").strip() or None


def governance_is_required() -> bool:
    """Whether a program that cannot be governed must not start. A value that cannot be read is a yes."""
    return (environment_variable("GENOPS_REQUIRED") or "off").casefold() not in _OFF


def is_disabled_instrumentation(name: str) -> bool:
    """Whether OpenTelemetry is told to leave out the instrumentation `name`: by its variable, or by its file.

    Its loader does not heed `enabled: false` of OTEL_CONFIG_FILE when it goes through the installed instrumentations.
    """
    named = (environment_variable("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS") or "").split(",")
    return not {"*", name}.isdisjoint(each.strip() for each in named) or _is_disabled_in_file(name)


def _is_disabled_in_file(name: str) -> bool:
    path = environment_variable("OTEL_CONFIG_FILE")
    if path is None:
        return False
    try:
        found = yaml.safe_load(Path(path).read_bytes())
    except (OSError, yaml.YAMLError):
        return False  # OpenTelemetry says what is wrong with it
    for key in ("instrumentation/development", "python", name, "enabled"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found is False


def environment_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the GENOPS_* variables set, shaped as genops.yaml is, and `config`. A blank variable is not set."""
    _warn_of_misspelt(environ)
    settings: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        text = environ.get(name, "").strip()
        if not text:
            continue
        *tables, key = variable.key.split(".")
        table = settings
        for each in tables:
            table = table.setdefault(each, {})
        table[key] = variable.read(name, text)
    settings.pop("required", None)  # governance_is_required() reads it, where programs are started
    return settings


def _error(name: str, found: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is {found!r}, expected {expected}.", fix=f"export {name}={VARIABLES[name].example}"
    )


def _text(name: str, text: str) -> str:
    return text


def _meaningful(name: str, text: str) -> str:
    if is_placeholder(text):
        raise _error(name, text, "a name, not a placeholder")
    return text


def _path(name: str, text: str) -> Path:
    return Path(text).expanduser()


def _flag(name: str, text: str) -> bool:
    word = text.casefold()
    if word not in _ON | _OFF:
        raise _error(name, text, "on or off")
    return word in _ON


def _level(name: str, text: str) -> str:
    if text.casefold() not in LOG_LEVELS:
        raise _error(name, text, " or ".join(LOG_LEVELS))
    return text.casefold()


def _backend(name: str, text: str) -> str:
    word = text.casefold()
    if word not in BACKEND_NAMES:
        raise ConfigurationError(
            f"{name} is {text!r}, and there is no such backend.{did_you_mean(word, BACKEND_NAMES)}",
            fix=f"use {', '.join(BACKEND_NAMES)}",
        )
    return word


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise _error(name, text, "a whole number of 1 or more")
    return int(text)


def _names(name: str, text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    return () if names == ("none",) else names


def _pairs(name: str, text: str) -> dict[str, str]:
    pairs = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = (part.strip() for part in pair.partition("="))
        if not (key and value):
            raise _error(name, text, "key=value,key=value")
        pairs[key] = value
    return pairs


def _stop(name: str, text: str) -> Stop | None:
    return Stop.parse(text, name)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that sets the setting `key` (dotted, as in genops.yaml)."""

    key: str
    read: Callable[[str, str], Any]
    example: str
    meaning: str


# Every variable GenOps reads. docs/reference/configuration.md is made from it.
VARIABLES: Mapping[str, Variable] = {
    "GENOPS_TEAM": Variable("attribution.team", _meaningful, "search", "The team that calls are made for."),
    "GENOPS_PROJECT": Variable("attribution.project", _meaningful, "shop", "The project."),
    "GENOPS_ENVIRONMENT": Variable("attribution.environment", _meaningful, "production", "The environment."),
    "GENOPS_CUSTOMER_ID": Variable("attribution.customer_id", _text, "acme", "The customer."),
    "GENOPS_COST_CENTER": Variable("attribution.cost_center", _text, "cc-4711", "The cost center."),
    "GENOPS_FEATURE": Variable("attribution.feature", _text, "autocomplete", "The feature of the product."),
    "GENOPS_TAGS": Variable(
        "attribution.tags", _pairs, "tier=gold,channel=web", "Tags of your own, as key=value pairs."
    ),
    "GENOPS_CONFIG": Variable(
        "config", _path, "/etc/genops.yaml", "The settings file, instead of the nearest genops.yaml."
    ),
    "GENOPS_ENABLED": Variable("enabled", _flag, "on", "off switches GenOps off; no file is read then."),
    "GENOPS_REQUIRED": Variable(
        "required",
        _flag,
        "on",
        "on: a program that cannot be governed is not started by `genops run` and `opentelemetry-instrument`.",
    ),
    "GENOPS_LOG_LEVEL": Variable("log_level", _level, "warning", "Least severe level that GenOps logs."),
    "GENOPS_BACKEND": Variable(
        "backend", _backend, "honeycomb", "The backend that telemetry goes to, set up by its own variables."
    ),
    "GENOPS_LEDGER": Variable("ledger.enabled", _flag, "on", "off keeps no local ledger."),
    "GENOPS_LEDGER_DIR": Variable("ledger.dir", _path, "~/.genops", "Where the local ledger is kept."),
    "GENOPS_LEDGER_RETENTION_DAYS": Variable(
        "ledger.retention_days", _count, "90", "Days that ledger entries are kept."
    ),
    "GENOPS_REDACTION_KEY": Variable(
        "redaction.key", _text, "9f86d081884c7d65", "The key of the redaction action `hash`; 16 characters or more."
    ),
    "GENOPS_KILL_SWITCH": Variable(
        "kill_switch.stop", _stop, "team=ads", "Stops calls for as long as the process runs: on, or what to stop."
    ),
    "GENOPS_ADAPTERS": Variable(
        "adapters.enabled", _names, "openai,anthropic", "The adapters to switch on; none for none."
    ),
}


def _warn_of_misspelt(environ: Mapping[str, str]) -> None:
    known = {name.removeprefix("GENOPS_"): name for name in VARIABLES}
    for name in environ:
        if name.startswith("GENOPS_") and name not in VARIABLES:
            # 0.8: GENOPS_TEAMS is near, the GENOPS_SERVICE_HOST that Kubernetes sets is not
            near = get_close_matches(name.removeprefix("GENOPS_"), known, n=1, cutoff=0.8)
            if near:
                _log.warning("%s is no setting, and was ignored. Did you mean %s?", name, known[near[0]])


# -- OpenTelemetry's variables -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OtelEnvironment:
    """Where the standard OTEL_* variables send telemetry. None means the variable is not set."""

    disabled: bool = False  # OTEL_SDK_DISABLED=true
    traces_endpoint: str | None = None
    metrics_endpoint: str | None = None
    logs_endpoint: str | None = None
    traces_exporter: str | None = None  # OTEL_TRACES_EXPORTER: otlp, console, none
    metrics_exporter: str | None = None
    logs_exporter: str | None = None
    protocol: str | None = None  # OTEL_EXPORTER_OTLP_PROTOCOL: http/protobuf, grpc

    @property
    def has_endpoint(self) -> bool:
        """Whether any signal has somewhere to go."""
        endpoints = (self.traces_endpoint, self.metrics_endpoint, self.logs_endpoint)
        return not self.disabled and any(endpoint is not None for endpoint in endpoints)


def detect_otel_environment(environ: Mapping[str, str] | None = None) -> OtelEnvironment:
    """Read the variables of OpenTelemetry that decide whether and where telemetry is exported.

    Source: OpenTelemetry specification, "SDK environment variables" and "OTLP exporter configuration".
    """
    variables = os.environ if environ is None else environ

    def get(name: str) -> str | None:
        return variables.get(name, "").strip() or None

    common = get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return OtelEnvironment(
        disabled=(get("OTEL_SDK_DISABLED") or "").casefold() == "true",
        traces_endpoint=get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or common,
        metrics_endpoint=get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") or common,
        logs_endpoint=get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") or common,
        traces_exporter=get("OTEL_TRACES_EXPORTER"),
        metrics_exporter=get("OTEL_METRICS_EXPORTER"),
        logs_exporter=get("OTEL_LOGS_EXPORTER"),
        protocol=get("OTEL_EXPORTER_OTLP_PROTOCOL"),
    )


def otel_attributes(environ: Mapping[str, str], resource: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the governance attributes that the OpenTelemetry resource implies.

    `resource` are the attributes of the application's own resource; they go before OTEL_SERVICE_NAME, and that before
    OTEL_RESOURCE_ATTRIBUTES. Values that are no names (`unknown_service`) are passed over.
    """
    stated: dict[str, Any] = {}
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, text = pair.partition("=")
        stated[key.strip()] = unquote(text)
    if environ.get("OTEL_SERVICE_NAME", "").strip():
        stated["service.name"] = environ["OTEL_SERVICE_NAME"]
    attributes = {}
    for source in (stated, resource or {}):
        for key, field in _RESOURCE:
            value = source.get(key)
            if isinstance(value, str) and value.strip() and not _is_no_name(value.strip()):
                attributes[field] = value.strip()
    return attributes


def _is_no_name(text: str) -> bool:
    return text.startswith("unknown_service") or is_placeholder(text)


def exec_with_path(program: str, command: list[str], directory: Path) -> NoReturn:
    """Replace this process by `command`, with `directory` first on its PYTHONPATH."""
    path = os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))
    os.execve(program, command, {**os.environ, "PYTHONPATH": path})
