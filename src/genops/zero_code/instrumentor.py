"""The instrumentor: GenOps as one of the instrumentations of OpenTelemetry, under the name `genops`.

Needs `opentelemetry-instrumentation`, which whoever loads this has: nothing else of GenOps imports it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, make_dataclass
from decimal import Decimal
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from genops.config.environment import is_disabled_instrumentation
from genops.config.keys import ARGUMENTS
from genops.providers._engine import setup
from genops.zero_code.starting import NAME, govern

__all__ = ["GenOpsInstrumentor", "Options"]

_FILE = "OTEL_CONFIG_FILE, instrumentation/development: python: genops"


def _take(self: Any, **options: Any) -> None:
    """Keep every option; unknown ones for the message that names the nearest key."""
    for field in fields(self):
        setattr(self, field.name, options.pop(field.name, None))
    self.others = options or None


# What OTEL_CONFIG_FILE may say under `instrumentation/development: python: genops`: what genops.yaml may.
Options: type[Any] = make_dataclass(
    "Options", [(name, Any, None) for name in ("config_file", *ARGUMENTS.keys, "others")], namespace={"__init__": _take}
)


class GenOpsInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # it has no types
    """Governs every supported SDK, as `genops.auto_instrument()` does, whose arguments `instrument()` takes.

    It raises nothing: what is wrong is said on stderr. `uninstrument()` is `genops.uninstrument()`.
    """

    configuration = Options

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: each adapter looks for its own SDK."""
        return ()

    def instrument(self, **options: Any) -> None:
        """Govern; a second time only with options, as `opentelemetry-instrument` asks twice with OTEL_CONFIG_FILE."""
        if options.keys() - {"skip_dep_check"} or not self.is_instrumented_by_opentelemetry:
            self._is_instrumented_by_opentelemetry = False
            super().instrument(**options)

    def _instrument(self, **options: Any) -> None:
        if not options and is_disabled_instrumentation(NAME):
            return
        others = options.pop("others", None) or {}
        govern({name: _exact(value) for name, value in {**options, **others}.items()}, asked_by=_FILE)

    def _uninstrument(self, **options: Any) -> None:
        setup.uninstrument()


def _exact(value: Any) -> Any:
    """The same with Decimal for float, as it was written: a float is never money."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {key: _exact(each) for key, each in value.items()}
    return [_exact(each) for each in value] if isinstance(value, list) else value
