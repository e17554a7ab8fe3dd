"""The registry: attributes, events and metrics of spec/registry, loaded and checked once for every generator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Attribute", "Group", "Reference", "Registry", "constant", "load"]

ROOT = Path(__file__).resolve().parents[1]
SPEC_VERSION = "0.1.0"


class RegistryError(Exception):
    """The registry contradicts itself. The message names the file and what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute. `type` is a type of the semantic conventions; an enumeration is `string` with `members`."""

    name: str
    type: str
    stability: str
    level: str
    condition: str | None
    brief: str
    note: str | None
    examples: tuple[Any, ...]
    members: tuple[Mapping[str, str], ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_template(self) -> bool:
        return self.type.startswith("template[")


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute as an event or a metric uses it."""

    attribute: Attribute
    level: str
    condition: str | None
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A namespace of attributes, an event or a metric. `name` is what is emitted; for a namespace, its title."""

    kind: str
    name: str
    brief: str
    note: str | None
    stability: str | None
    attributes: tuple[Attribute, ...] = ()
    references: tuple[Reference, ...] = ()
    unit: str | None = None
    instrument: str | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that may be emitted."""

    groups: tuple[Group, ...]

    def of_kind(self, kind: str) -> Iterator[Group]:
        return (group for group in self.groups if group.kind == kind)

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return tuple(attribute for group in self.groups for attribute in group.attributes)


def constant(name: str, prefix: str = "") -> str:
    """Return the constant that holds a dotted name; under a prefix, our own namespace is left out."""
    local = name.removeprefix("genops.") if prefix else name
    return prefix + local.upper().replace(".", "_")


def load(directory: Path = ROOT / "spec" / "registry") -> Registry:
    """Read every file of the registry. Raises `RegistryError` for what is defined twice or not at all."""
    raw = [(path, group) for path in sorted(directory.glob("*.yaml")) for group in _groups(path)]
    _refuse_doubles([(path, group["id"]) for path, group in raw])
    known: dict[str, Attribute] = {}
    for path, group in raw:
        for item in group.get("attributes", ()):
            if "id" not in item:
                continue
            if item["id"] in known:
                raise RegistryError(f"{path.name}: attribute {item['id']} is defined twice; keep one definition")
            known[item["id"]] = _attribute(item)
    _refuse_doubles([(directory, constant(name)) for name in known])
    return Registry(tuple(_group(path, group, known) for path, group in raw))


def _groups(path: Path) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return groups


def _refuse_doubles(names: list[tuple[Path, str]]) -> None:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            raise RegistryError(f"{path.name}: {name} is there twice; rename one of them")
        seen.add(name)


def _attribute(item: Mapping[str, Any]) -> Attribute:
    level, condition = _level(item["requirement_level"])
    enumerated = isinstance(item["type"], Mapping)
    return Attribute(
        name=item["id"],
        type="string" if enumerated else item["type"],
        stability=item["stability"],
        level=level,
        condition=condition,
        brief=item["brief"].strip(),
        note=item["note"].strip() if "note" in item else None,
        examples=tuple(item["examples"]),
        members=tuple(item["type"]["members"]) if enumerated else (),
        annotations=item.get("annotations", {}),
    )


def _level(stated: str | Mapping[str, str]) -> tuple[str, str | None]:
    if isinstance(stated, str):
        return stated, None
    ((level, condition),) = stated.items()
    return level, condition


def _group(path: Path, group: Mapping[str, Any], known: Mapping[str, Attribute]) -> Group:
    references = []
    for item in group.get("attributes", ()):
        if "ref" not in item:
            continue
        if item["ref"] not in known:
            raise RegistryError(f"{path.name}: {group['id']} refers to {item['ref']}, which no file defines")
        references.append(
            Reference(known[item["ref"]], *_level(item["requirement_level"]), item.get("annotations", {}))
        )
    return Group(
        kind=group["type"],
        name=group.get("name") or group.get("metric_name") or group["display_name"],
        brief=group["brief"].strip(),
        note=group["note"].strip() if "note" in group else None,
        stability=group.get("stability"),
        attributes=tuple(known[item["id"]] for item in group.get("attributes", ()) if "id" in item),
        references=tuple(references),
        unit=group.get("unit"),
        instrument=group.get("instrument"),
    )
