"""The mechanism behind every adapter: patching, reading, streams. Adapters import from here and from nowhere else."""

from genops.providers._engine.spec import Adapter, Call, EnvVar, Package, Shape
from genops.providers._engine.surface import (
    InstrumentedAdapter,
    cost_context_of,
    instrument_adapter,
    print_validation_result,
    validate_adapter,
)

__all__ = [
    "Adapter",
    "Call",
    "EnvVar",
    "InstrumentedAdapter",
    "Package",
    "Shape",
    "cost_context_of",
    "instrument_adapter",
    "print_validation_result",
    "validate_adapter",
]
