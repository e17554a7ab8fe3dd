"""The attribution of a call as a value: its fields, what they may hold, how sources are laid over one another."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError

__all__ = [
    "ATTRIBUTION_FIELDS",
    "NOTHING",
    "PLACEHOLDERS",
    "REQUIRED_FIELDS",
    "Attribution",
    "AttributionSources",
    "Changes",
    "fix_for",
    "forget_warnings",
    "is_placeholder",
    "missing_required",
    "normalise",
    "overlay",
    "warn_once",
]

_log = logging.getLogger("genops.attribution")

# The order is that of every table, report and dimension list.
ATTRIBUTION_FIELDS = ("team", "project", "environment", "customer_id", "cost_center", "feature", "session_id")
# Required on every call, and never a placeholder: GenOps specification v0.1.0, "Attributes".
REQUIRED_FIELDS = ("team", "project", "environment")
# What people write when they do not know. Compared in lower case.
PLACEHOLDERS = frozenset(
    {"unknown", "n/a", "na", "none", "null", "nil", "undefined", "default", "placeholder", "todo", "tbd", "changeme"}
    | {"unset", "-", "--", "?", "...", "xxx"}
)
_WARNINGS_KEPT = 1000  # distinct warnings remembered; after that, silence rather than memory

Changes = dict[str, Any]  # field -> text, and "tags" -> dict of text


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


NOTHING = Attribution()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionSources:
    """What is known before any block or call, lowest source first.

    `derived` is what was found out when nobody said it (`origins` says from what, per field), `default` comes from
    code, `file` from genops.yaml, `environment` from GENOPS_* variables and the OpenTelemetry resource.
    """

    derived: Mapping[str, Any] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    file: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, more_defaults: Mapping[str, Any] | None = None) -> Attribution:
        """Return the attribution of a call outside every block; `more_defaults` are laid over `default`."""
        merged = NOTHING
        for source in (self.derived, self.default, more_defaults, self.file, self.environment):
            merged = overlay(merged, source) if source else merged
        return merged


def overlay(base: Attribution, changes: Mapping[str, Any]) -> Attribution:
    """Return `base` with the normalised `changes` over it. Tags are laid over one by one."""
    get, tags = changes.get, changes.get("tags")
    return Attribution(
        team=get("team") or base.team,
        project=get("project") or base.project,
        environment=get("environment") or base.environment,
        customer_id=get("customer_id") or base.customer_id,
        cost_center=get("cost_center") or base.cost_center,
        feature=get("feature") or base.feature,
        session_id=get("session_id") or base.session_id,
        tags={**base.tags, **tags} if tags else base.tags,
    )


def normalise(attributes: Mapping[str, Any]) -> Changes:
    """Return what `attributes` really says: text without surrounding blanks, nothing for None.

    A name that is no field, or a value that is not text, a whole number or a UUID, is a mistake in the program and
    raises `ConfigurationError`. Blank text, and a placeholder in a required field, are mistakes in data: they are
    ignored with a warning, so that the next lower source applies.
    """
    changes: Changes = {}
    for name, value in attributes.items():
        if value is None:
            continue
        if name == "tags":
            changes["tags"] = _normalise_tags(value)
        elif name not in ATTRIBUTION_FIELDS:
            known = (*ATTRIBUTION_FIELDS, "tags")
            raise ConfigurationError(
                f"unknown governance attribute {name!r}.{did_you_mean(name, known)}",
                fix=f"use one of {', '.join(ATTRIBUTION_FIELDS)}, or tags={{{name!r}: ...}}",
            )
        elif (text := _text(name, value)) is not None:
            changes[name] = text
    return changes


def _normalise_tags(tags: Any) -> dict[str, str]:
    if not isinstance(tags, Mapping):
        raise ConfigurationError(f"tags is {_described(tags)}, expected a mapping.", fix="tags={'tier': 'gold'}")
    normalised = {}
    for key, value in tags.items():
        if not isinstance(key, str) or not key.strip():
            raise ConfigurationError(f"a tag is named {key!r}, expected text.", fix="tags={'tier': 'gold'}")
        text = None if value is None else _text(f"tags[{key!r}]", value)
        if text is not None:
            normalised[key.strip()] = text
    return normalised


def _text(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, int | UUID) and not isinstance(value, bool):
        text = str(value)
    else:
        raise ConfigurationError(
            f"{name} is {_described(value)}, expected text.", fix=f'pass text, for example {name}="..."'
        )
    if not text or (name in REQUIRED_FIELDS and is_placeholder(text)):
        what = f"is {text!r}, a placeholder" if text else "is empty"
        warn_once((name, text), f"{name} {what}, and was ignored.\n  fix: {fix_for(name)}")
        return None
    return text


def _described(value: Any) -> str:
    return f"{str(value)[:60]!r} ({type(value).__name__})"


def is_placeholder(text: str) -> bool:
    """Whether `text` stands for not knowing. The specification forbids it in required attributes."""
    return text.strip().casefold() in PLACEHOLDERS


def missing_required(attribution: Attribution) -> tuple[str, ...]:
    """The fields the specification requires on every call that are not given. `fix_for` says what to type."""
    return tuple(name for name in REQUIRED_FIELDS if getattr(attribution, name) is None)


def fix_for(name: str) -> str:
    """What to type to set the attribute called `name`."""
    if name not in ATTRIBUTION_FIELDS:
        return f"genops.attribution(tags={{...}}), without {name} where it has no value"
    fix = f"genops.attribution({name}=...), or `{name}: ...` under `attribution:` in genops.yaml"
    return fix if name == "session_id" else f"{fix}, or GENOPS_{name.upper()}=..."


_warned: set[Any] = set()


def warn_once(key: Any, message: str) -> None:
    """Log `message` as a warning, the first time `key` is seen in this process."""
    if key not in _warned and len(_warned) < _WARNINGS_KEPT:
        _warned.add(key)
        _log.warning("%s", message)


def forget_warnings() -> None:
    """Let every warning be given once more."""
    _warned.clear()
