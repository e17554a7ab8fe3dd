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
from genops.providers._engine.ordering import chain, lowest_foreign, wrapped_by_others
from genops.providers._engine.spec import Adapter, Call, Shape, in_range

__all__ = ["Patches", "missing_targets", "wrappers_around"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Patch:
    """A method and what was put around it. `under` is the foreign wrapper that our meter was put below."""

    owner: Any
    name: str
    original: Any
    installed: Any
    call: GovernedCall
    under: Any = None
    top: Any = None

    @property
    def current(self) -> Any:
        """What the class has under the method's name."""
        return self.owner.__dict__.get(self.name)

    def take_off(self) -> bool:
        """Restore what was there before; False where somebody has wrapped ours since."""
        self.lower()
        if self.current is not self.installed:
            return False
        setattr(self.owner, self.name, self.original)
        if self.under is not None:
            self.under.__wrapped__ = self.under.__wrapped__.__wrapped__
        return True

    def lower(self) -> None:
        """Take off the guard that was put above others."""
        if self.top is not None and self.current is self.top:
            setattr(self.owner, self.name, self.top.__wrapped__)
        self.top = None

    def raise_again(self) -> bool:
        """Put a guard above whoever wraps the method; False if ours are not there any more."""
        if not _is_around(self.current, self.installed):
            return False
        self.call.mirrored = wrapped_by_others(self.current)
        if self.current is not self.installed and self.top is None and self.call.call.shape is not Shape.MANAGER:
            self.top = _guarded(self.current, self.call)
            setattr(self.owner, self.name, self.top)
        return True


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
        for patch in self._patches.values():
            patch.call.active = True
        self.raise_guards()
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
                if patch.take_off():
                    del self._patches[key]

    def lower_guards(self) -> None:
        """Step aside: somebody is about to take his wrappers off."""
        with self._lock:
            for patch in self._patches.values():
                patch.lower()

    def raise_guards(self) -> None:
        """Put guards above everybody's wrappers, and patch anew where somebody has put the vendor's method back."""
        if not self._wanted:
            return
        with self._lock:
            lost = [key for key, patch in self._patches.items() if not patch.raise_again()]
            for key in lost:
                del self._patches[key]
        if lost:
            self._install_loaded(self.adapter.package.check())

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
        under = None if inner else _metered_under(original, governed)
        if under is not None:
            installed = _guarded(original, governed)
        else:
            installed = _around_each(original, governed) if inner else _wrapped(original, governed)
        governed.mirrored = governed.mirrored or wrapped_by_others(original)
        setattr(owner, name, installed)
        self._patches[key] = _Patch(owner, name, original, installed, governed, under)


def _is_around(method: Any, ours: Any) -> bool:
    """Whether `ours` is somewhere in the chain of wrappers that ends in the vendor's method."""
    return any(each is ours for each in chain(method))


def _metered_under(method: Any, governed: GovernedCall) -> Any:
    """The foreign wrapper of `method` that our meter was put below; None if there is none that it can be put under."""
    lowest = None if governed.call.shape is Shape.MANAGER or governed.call.inner else lowest_foreign(method)
    if lowest is not None:
        meter = governed.ameter if _is_asynchronous(method) else governed.meter
        lowest.__wrapped__ = wrapt.FunctionWrapper(lowest.__wrapped__, meter)
    return lowest


def _guarded(method: Any, governed: GovernedCall) -> Any:
    return wrapt.FunctionWrapper(method, governed.aguard if _is_asynchronous(method) else governed.guard)


def _is_asynchronous(method: Any) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(method))


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
    return wrapt.FunctionWrapper(original, governed.aeach if _is_asynchronous(original) else governed.each)


def _wrapped(original: Any, governed: GovernedCall) -> Any:
    if governed.call.shape is Shape.MANAGER:
        return wrapt.FunctionWrapper(original, governed.manage)
    if governed.call.inner:
        return _guarded(original, governed)
    meter = governed.ameter if _is_asynchronous(original) else governed.meter
    return _guarded(wrapt.FunctionWrapper(original, meter), governed)


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
    for each in chain(target):
        module = getattr(getattr(each, "_self_wrapper", None), "__module__", None)
        if module is not None:
            name = "genops" if module.startswith("genops.") else module
            if not modules or modules[-1] != name:
                modules.append(name)
    return modules


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
