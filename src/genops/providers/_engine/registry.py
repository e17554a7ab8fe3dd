"""The registry: which adapters exist, which are switched on, and what stands in the way of the others.

Built-in adapters are listed by name, third-party ones are found through the entry point group `genops.adapters`.
Nothing of a vendor is imported to find out.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from genops.core._guarding import contained
from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError, NotInstalled
from genops.providers._engine.ordering import keep_in_order
from genops.providers._engine.patching import Patches
from genops.providers._engine.retries import count_retries
from genops.providers._engine.spec import Adapter

__all__ = [
    "AdapterStatus",
    "adapter_named",
    "adapters",
    "instrument",
    "instrument_found",
    "instrumented",
    "patches_of",
    "statuses",
    "uninstrument",
]

BUILT_IN = (
    *("openai", "anthropic", "gemini", "bedrock", "mistral", "cohere", "groq", "together", "ollama", "watsonx"),
    *("huggingface", "litellm"),
)
ENTRY_POINTS = "genops.adapters"

_log = logging.getLogger(__name__)
_patches: dict[str, Patches] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterStatus:
    """One adapter here and now. `problem` says why it is off, None when it is on or could be."""

    name: str
    title: str
    package: str
    requires: str
    version: str | None
    instrumented: bool
    problem: str | None
    methods: tuple[str, ...] = ()


def adapters() -> dict[str, Adapter]:
    """Every adapter by name: built-ins first, then those of other packages."""
    found: dict[str, Adapter] = {}
    for name in BUILT_IN:
        found[name] = getattr(importlib.import_module(f"genops.providers.{name}"), name.upper())
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        adapter = _load(entry)
        if adapter is not None and adapter.name not in found:
            found[adapter.name] = adapter
    return found


def _load(entry: metadata.EntryPoint) -> Adapter | None:
    adapter = None
    attempt = contained(_log, f"loading adapter {entry.name!r}")  # code of others, which may raise anything
    with attempt:
        adapter = entry.load()
    if attempt.error is not None:
        _log.warning("adapter %r of %s could not be loaded: %s", entry.name, entry.value, attempt.error)
        return None
    if not isinstance(adapter, Adapter):
        _log.warning("entry point %r of group %s is not an Adapter: %s", entry.name, ENTRY_POINTS, entry.value)
        return None
    return adapter


def adapter_named(name: str) -> Adapter:
    """Return the adapter called `name`. Raises `ConfigurationError` with the nearest name."""
    known = adapters()
    if name not in known:
        hint = did_you_mean(name, known)
        raise ConfigurationError(f"no adapter called {name!r}.{hint}", fix=f"use one of: {', '.join(sorted(known))}")
    return known[name]


def patches_of(adapter: Adapter) -> Patches:
    """What `adapter` has put in place in this process."""
    return _patches.setdefault(adapter.name, Patches(adapter))


def instrument(adapter: Adapter) -> Patches:
    """Switch one adapter on. Raises `NotInstalled` when its package is absent or out of range."""
    patches = patches_of(adapter)
    patches.install(adapter.package.check())
    count_retries(adapter)
    _keep_in_order()
    return patches


@cache
def _keep_in_order() -> None:
    """Once: keep our guards above whoever comes later."""

    def each(step: str) -> None:
        for patches in list(_patches.values()):
            getattr(patches, step)()

    keep_in_order(lambda: each("lower_guards"), lambda: each("raise_guards"))


def instrument_found(names: Iterable[str] | None, excluded: Iterable[str]) -> list[str]:
    """Switch on every adapter whose package is here, or those named; return the names switched on.

    What is asked for by name and missing raises, once the others are on; what is merely not there is passed over in
    silence.
    """
    chosen = adapters() if names is None else {name: adapter_named(name) for name in names}
    switched_on, missing = [], []
    for name, adapter in chosen.items():
        if name in set(excluded):
            continue
        try:
            instrument(adapter)
        except NotInstalled as problem:
            missing.append(problem)
            _log.debug("%s is off: %s", name, problem.message)
        else:
            switched_on.append(name)
    if names is not None and missing:
        raise missing[0]
    return switched_on


def instrumented() -> list[str]:
    """The names of the adapters that are on."""
    return [name for name, patches in _patches.items() if patches.installed]


def uninstrument(names: Iterable[str] | None = None) -> None:
    """Take every adapter off, or those named."""
    for name in list(_patches) if names is None else names:
        _patches[adapter_named(name).name].remove() if name in _patches else adapter_named(name)


def statuses() -> list[AdapterStatus]:
    """Every adapter with its package, version and state."""
    return [_status(adapter) for adapter in adapters().values()]


def _status(adapter: Adapter) -> AdapterStatus:
    problem = None
    try:
        adapter.package.check()
    except NotInstalled as error:
        problem = str(error)
    patches = patches_of(adapter)
    return AdapterStatus(
        name=adapter.name,
        title=adapter.title,
        package=adapter.package.name,
        requires=adapter.package.requires,
        version=adapter.package.installed(),
        instrumented=patches.installed,
        problem=problem,
        methods=patches.methods,
    )
