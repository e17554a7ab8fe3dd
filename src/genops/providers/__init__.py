"""Adapters: one module for each vendor's SDK. What an adapter of your own is made of is exported here."""

from genops.providers._engine import (
    Adapter,
    Call,
    EnvVar,
    InstrumentedAdapter,
    Package,
    Shape,
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
