"""What an adapter is: a frozen list of calls and the facts around them. None of its code runs on a governed call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import metadata
from typing import Any

from genops.core.errors import ConfigurationError, NotInstalled

__all__ = ["Adapter", "Call", "EnvVar", "Package", "Shape"]


class Shape(StrEnum):
    """What a vendor method returns."""

    RESPONSE = "response"  # a response, or a stream of chunks when asked for one
    MANAGER = "manager"  # a context manager that sends the request on entering
    BATCH_RESULTS = "batch_results"  # many finished responses, each with its own usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation of a vendor SDK.

    `name` is what `instrument_<name>` is called; `operation` is gen_ai.operation.name; `api` names the usage shape in
    spec/usage. `methods` are class attributes of `module`, or its functions; the asynchronous twin is one more name.
    `requires` narrows the package range where the method exists. `usage_option` is the request field that makes a
    stream report usage.

    `model` says where the model is named: an argument, or an attribute of the object called on (`.model_id`); `a|b` is
    the first that is there. `packed` is where an argument may hold the whole request, as `request.body`. `inner` are
    methods below `methods` that send one request each, when one call may send several. `chunk` is the attribute of a
    stream's event that holds the chunk. `plain` is the path of what the application gets of a chunk when `usage_option`
    had to ask for more. `service` and `variants` are for a method that makes every call of a client: its first argument
    names the variant, its second holds the request.
    """

    name: str
    operation: str
    api: str
    module: str
    methods: tuple[str, ...]
    operation_type: str = "inference"
    shape: Shape = Shape.RESPONSE
    requires: str = ""
    streamed: bool = False
    usage_option: str | None = None
    processing: str | None = None
    model: str = "model"
    packed: str = ""
    inner: tuple[str, ...] = ()
    chunk: str = ""
    plain: str = ""
    service: str = ""
    variants: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVar:
    """An environment variable the vendor SDK reads; `fix` says how to get a value."""

    name: str
    fix: str


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution and the range of versions an adapter is tested with, e.g. `>=1.40,<4`.

    `install` is what to install for it, if it is a part of something else.
    """

    name: str
    requires: str
    install: str = ""

    def installed(self) -> str | None:
        """Return the installed version, or None. Imports nothing."""
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return None

    def check(self) -> str:
        """Return the installed version. Raises `NotInstalled` when it is absent or out of range."""
        version = self.installed()
        if version is None:
            raise NotInstalled(
                f"{self.name} is not installed.", fix=f"pip install '{self.install or self.name + self.requires}'"
            )
        if not in_range(version, self.requires):
            raise NotInstalled(
                f"{self.name} {version} is installed; this adapter needs {self.requires}.",
                fix=f"pip install -U '{self.name}{self.requires}'",
            )
        return version


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One vendor SDK: its calls, its package, its environment.

    `ping` makes a call that costs nothing, for the live check of `validate_setup(live=True)`; it is given the
    vendor's module. `usage_option_providers` accept `Call.usage_option`, all of them if it is `*`; elsewhere a
    stream without usage is estimated. `address` is where the object called on keeps its base URL, a path of
    attributes; the first of `a|b` counts, and `region` where it keeps the region. `billers` maps an attribute to
    the provider that sends the bill when it is set; `{}` is its value. `routed` says that the model's name leads to
    the provider, as in `bedrock/anthropic.claude-3-haiku`. `rebound` are functions of modules, bound to a client
    when the package is imported. `retries` are the methods in which the SDK waits before it sends a request again.
    """

    name: str
    title: str
    provider: str
    package: Package
    calls: tuple[Call, ...]
    env: tuple[EnvVar, ...] = ()
    usage_option_providers: frozenset[str] = frozenset()
    address: str = "_client.base_url"
    region: str = ""
    billers: Mapping[str, str] = field(default_factory=dict)
    routed: bool = False
    rebound: tuple[str, ...] = ()
    retries: tuple[str, ...] = ()
    ping: Callable[[Any], object] | None = None
    documentation: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.calls:
            raise ConfigurationError(f"adapter {self.name!r} lists no calls")

    def operations(self) -> tuple[str, ...]:
        """The names of the operations, each once, in order."""
        every = (each for call in self.calls for each in (call.variants or (call,)))
        return tuple(dict.fromkeys(call.name for call in every))


_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([0-9][0-9.]*)\s*$")
_COMPARISONS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


def in_range(version: str, requires: str) -> bool:
    """Say whether a release lies in a range such as `>=1.40,<4`; a pre-release counts as its release."""
    release = _release(version)
    for clause in filter(None, requires.split(",")):
        match = _CLAUSE.match(clause)
        if match is None:
            raise ConfigurationError(f"not a version range: {requires!r}", fix="write it as '>=1.0,<2'")
        operator, bound = match.groups()
        width = max(len(release), bound.count(".") + 1)
        if not _COMPARISONS[operator](_padded(release, width), _padded(_release(bound), width)):
            return False
    return True


def _release(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _padded(release: tuple[int, ...], width: int) -> tuple[int, ...]:
    return release + (0,) * (width - len(release))
