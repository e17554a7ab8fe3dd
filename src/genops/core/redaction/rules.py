"""The rules that ship with GenOps, and rules of the user's own."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError
from genops.core.redaction.boundaries import BOUNDARIES
from genops.core.redaction.model import Kind, Rule
from genops.core.redaction.validators import VALIDATORS

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """A set of rules; `version` changes with every rule, `entities` says the kind of each entity."""

    version: str
    entities: Mapping[str, Kind]
    rules: tuple[Rule, ...]

    @classmethod
    def default(cls) -> Rules:
        """The rules that ship with GenOps."""
        return _shipped()

    def extended(self, custom: Iterable[Rule]) -> Rules:
        """These rules and `custom` ones, which may bring entities of their own."""
        added = tuple(custom)
        if not added:
            return self
        for rule in added:
            _check(rule)
        taken = {rule.id for rule in self.rules}
        if doubled := sorted(rule.id for rule in added if rule.id in taken):
            raise ConfigurationError(
                f"the redaction rule {doubled[0]!r} exists already.", fix="give your pattern another name"
            )
        entities = dict(self.entities) | {rule.entity: rule.kind for rule in added if rule.entity not in self.entities}
        return Rules(f"{self.version}+{len(added)}", MappingProxyType(entities), self.rules + added)


def _check(rule: Rule) -> None:
    for what, name, known in (("boundary", rule.boundary, BOUNDARIES), ("validator", rule.validate, VALIDATORS)):
        if name is not None and name not in known:
            raise ConfigurationError(
                f"redaction rule {rule.id!r}: there is no {what} {name!r}.{did_you_mean(name, known)}",
                fix=f"use one of {', '.join(sorted(known))}",
            )


@functools.cache
def _shipped() -> Rules:
    document: dict[str, Any] = json.loads(
        resources.files("genops.data").joinpath("redaction_rules.json").read_text(encoding="utf-8")
    )
    entities = {name: Kind(kind) for name, kind in document["entities"].items()}
    rules = tuple(_rule(each, entities) for each in document["rules"])
    return Rules(document["version"], MappingProxyType(entities), rules)


def _rule(each: dict[str, Any], entities: Mapping[str, Kind]) -> Rule:
    return Rule(
        id=each["id"],
        entity=each["entity"],
        pattern=each["pattern"],
        kind=entities[each["entity"]],
        group=each.get("group", 0),
        boundary=each.get("boundary"),
        validate=each.get("validate"),
        minimum=each.get("min", 0.0),
        near=tuple(each.get("near", ())),
        unless=tuple(each.get("unless", ())),
        rank=each["rank"],
    )
