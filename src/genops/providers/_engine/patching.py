"""Patching: put guard and meter around a vendor's methods, lazily, once, and take them off again.

Nothing is imported here on the application's behalf: a module that is not loaded yet is patched when it is.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import wrapt

from genops.core._guarding import never_raises
from genops.core.budgets.forks import new_lock
from genops.providers._engine.calls import GovernedCall
from genops.providers._engine.operations import GovernedClient
from genops.providers._engine.spec import Adapter, Call, Shape, in_range

__all__ = ["Patches", "missing_targets", "wrappers_around"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Patch:
    owner: Any
    name: str
    original: Any
    installed: Any
    call: GovernedCall


class Patches:
    """What one adapter has put in place. Installing twice is installing once; `remove` restores the originals."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._patches: dict[tuple[str, str], _Patch] = {}
        self._lock = new_lock()
        self._wanted = False
        self._hooked = False

    @property
    def installed(self) -> bool:
        """Whether the adapter is switched on; its methods are patched as their modules load."""
        return self._wanted

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods patched so far, as `module:Class.method`."""
        return tuple(f"{module}:{method}" for module, method in self._patches)

    def install(self, version: str) -> None:
        """Patch every method that exists in `version` of the package, now or when its module is imported."""
        self._wanted = True
        for key, patch in list(self._patches.items()):
            patch.call.active = True
            if not _is_around(patch.owner.__dict__.get(patch.name), patch.installed):
                del self._patches[key]  # somebody who had wrapped it has put the vendor's method back
        if self._hooked:
            self._install_loaded(version)
            return
        self._hooked = True
        for module in dict.fromkeys(call.module for call in _calls(self.adapter, version)):
            wrapt.register_post_import_hook(self._hook(module, version), module)

    def remove(self) -> None:
        """Restore the vendor's methods; where somebody has wrapped ours since, ours pass everything through."""
        self._wanted = False
        with self._lock:
            for key, patch in list(self._patches.items()):
                patch.call.active = False
                if patch.owner.__dict__.get(patch.name) is patch.installed:
                    setattr(patch.owner, patch.name, patch.original)
                    del self._patches[key]

    def _install_loaded(self, version: str) -> None:
        for call in _calls(self.adapter, version):
            module = sys.modules.get(call.module)
            if module is not None:
                self._patch_module(module, version)

    def _hook(self, name: str, version: str) -> Callable[[Any], None]:
        def loaded(module: Any) -> None:
            if self._wanted:
                self._patch_module(module, version)

        return loaded

    @never_raises
    def _patch_module(self, module: Any, version: str) -> None:
        here = [call for call in _calls(self.adapter, version) if call.module == module.__name__]
        with self._lock:
            for call in here:
                governed = (GovernedClient if call.variants else GovernedCall)(self.adapter, call)
                for method in call.methods:
                    self._patch(module, method, governed)
                for method in call.inner:
                    self._patch(module, method, governed, inner=True)
        _rebind(self.adapter)

    def _patch(self, module: Any, method: str, governed: GovernedCall, *, inner: bool = False) -> None:
        key = (module.__name__, method)
        owner, name = _owner_of(module, method)
        original = owner.__dict__.get(name) if owner is not None else None
        if key in self._patches or original is None:
            if original is None:
                _log.debug("%s:%s does not exist in %s", module.__name__, method, self.adapter.package.installed())
            return
        installed = _around_each(original, governed) if inner else _wrapped(original, governed)
        setattr(owner, name, installed)
        self._patches[key] = _Patch(owner, name, original, installed, governed)


def _is_around(method: Any, ours: Any) -> bool:
    """Whether `ours` is somewhere in the chain of wrappers that ends in the vendor's method."""
    while method is not None:
        if method is ours:
            return True
        method = getattr(method, "__dict__", {}).get("__wrapped__", getattr(method, "__wrapped__", None))
    return False


def _owner_of(module: Any, method: str) -> tuple[Any, str]:
    """What holds a method, a class or the module, and its name there."""
    class_name, dot, name = method.partition(".")
    return (getattr(module, class_name, None), name) if dot else (module, class_name)


def _rebind(adapter: Adapter) -> None:
    """Bind functions of modules that are methods of a client anew: they were bound before the methods were patched."""
    for target in adapter.rebound:
        module_name, _, name = target.partition(":")
        module = sys.modules.get(module_name)
        client = getattr(getattr(module, name, None), "__self__", None)
        if client is not None:
            setattr(module, name, getattr(client, name))


def _around_each(original: Any, governed: GovernedCall) -> Any:
    asynchronous = inspect.iscoroutinefunction(inspect.unwrap(original))
    return wrapt.FunctionWrapper(original, governed.aeach if asynchronous else governed.each)


def _wrapped(original: Any, governed: GovernedCall) -> Any:
    if governed.call.shape is Shape.MANAGER:
        return wrapt.FunctionWrapper(original, governed.manage)
    if governed.call.inner:
        asynchronous = inspect.iscoroutinefunction(inspect.unwrap(original))
        return wrapt.FunctionWrapper(original, governed.aguard if asynchronous else governed.guard)
    if inspect.iscoroutinefunction(inspect.unwrap(original)):
        return wrapt.FunctionWrapper(wrapt.FunctionWrapper(original, governed.ameter), governed.aguard)
    return wrapt.FunctionWrapper(wrapt.FunctionWrapper(original, governed.meter), governed.guard)


def _calls(adapter: Adapter, version: str) -> list[Call]:
    return [call for call in adapter.calls if in_range(version, call.requires)]


def missing_targets(adapter: Adapter, version: str) -> list[str]:
    """The methods the adapter lists for `version` that the installed package does not have. Imports the package."""
    missing = []
    for call in _calls(adapter, version):
        module = _import(call.module)
        for method in (*call.methods, *call.inner):
            owner, name = _owner_of(module, method)
            if not hasattr(owner, name):
                missing.append(f"{call.module}:{method}")
    return missing


def wrappers_around(adapter: Adapter) -> dict[str, tuple[str, ...]]:
    """Who wraps each patched method, outermost first, as the modules of the wrappers; `genops` is us."""
    chains = {}
    for call in adapter.calls:
        module = sys.modules.get(call.module)
        for method in call.methods:
            owner, name = _owner_of(module, method)
            target = getattr(owner, "__dict__", {}).get(name)
            if target is not None:
                chains[f"{call.module}:{method}"] = tuple(_chain(target))
    return chains


def _chain(target: Any) -> list[str]:
    modules: list[str] = []
    while target is not None:
        wrapper = getattr(target, "_self_wrapper", None)
        module = getattr(wrapper, "__module__", None)
        if module is not None:
            name = "genops" if module.startswith("genops.") else module
            if not modules or modules[-1] != name:
                modules.append(name)
        target = getattr(target, "__wrapped__", None)
    return modules


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
