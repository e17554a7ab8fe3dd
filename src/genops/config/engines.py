"""The key `policy_engines` of genops.yaml: engines outside GenOps that are asked about every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genops.config.shapes import Choice, Count, Table, Text, Value
from genops.core.rules.model import OnTrouble

__all__ = ["CedarSettings", "EngineSettings", "EngineShape", "OPASettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What every engine has."""

    on_error: OnTrouble = OnTrouble.BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class OPASettings(EngineSettings):
    """An Open Policy Agent server; `cache_s` 0 asks it about every call."""

    url: str
    path: str = "genops/decision"
    timeout_ms: int = 250
    cache_s: int = 0
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CedarSettings(EngineSettings):
    """Cedar policies in a file."""

    policies: str


_ON_ERROR = Choice(tuple(OnTrouble))
_OPA = Table(
    {
        "url": Text("http://127.0.0.1:8181"),
        "path": Text("genops/decision"),
        "timeout_ms": Count(1, 250),
        "cache_s": Count(0, 1),
        "token": Text("a bearer token"),
        "on_error": _ON_ERROR,
    },
    required=("url",),
)
_CEDAR = Table({"policies": Text("policies/calls.cedar"), "on_error": _ON_ERROR}, required=("policies",))
_ENGINE = Table({"opa": _OPA, "cedar": _CEDAR})


@dataclass(frozen=True, slots=True)
class EngineShape:
    """One engine: {opa: {...}} or {cedar: {...}}."""

    def read(self, value: Value) -> EngineSettings:
        given: Mapping[str, Any] = _ENGINE.read(value)
        if len(given) != 1:
            raise value.error(f"{value.name} has to name one engine.", "{opa: {url: ...}} or {cedar: {policies: ...}}")
        ((kind, stated),) = given.items()
        if "on_error" in stated:
            stated["on_error"] = OnTrouble(stated["on_error"])
        return OPASettings(**stated) if kind == "opa" else CedarSettings(**stated)
