"""Attribution across services, as W3C baggage: opt-in, field by field.

Off until `enable` is given the fields that may travel. Sending: the propagator adds them to the `baggage` header of
outgoing requests. Receiving: they count as context, below what this process sets itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import baggage, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, get_current
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from genops import semconv
from genops.core import attribution
from genops.core._suggest import did_you_mean
from genops.core.attribution_values import ATTRIBUTION_FIELDS, REQUIRED_FIELDS, is_placeholder
from genops.core.errors import ConfigurationError

__all__ = ["AttributionPropagator", "disable", "enable", "from_baggage", "to_baggage"]

LONGEST_VALUE = 256  # characters; W3C baggage guarantees 8192 bytes for all entries together

_KEYS: Mapping[str, str] = {
    "team": semconv.GENOPS_TEAM,
    "project": semconv.GENOPS_PROJECT,
    "environment": semconv.GENOPS_ENVIRONMENT,
    "customer_id": semconv.GENOPS_CUSTOMER_ID,
    "cost_center": semconv.GENOPS_COST_CENTER,
    "feature": semconv.GENOPS_FEATURE,
    "session_id": semconv.GENOPS_SESSION_ID,
}
_allowed: tuple[str, ...] = ()


def to_baggage(context: Context | None = None) -> Context:
    """Return `context` (the current one by default) with the allowed attributes of a call made here in its baggage.

    A value longer than 256 characters is left out. Values are percent-encoded by OpenTelemetry when they are sent.
    """
    carried = attribution.current()
    for field in _allowed:
        value = getattr(carried, field)
        if value is not None and len(value) <= LONGEST_VALUE:
            context = baggage.set_baggage(_KEYS[field], value, context)
    return get_current() if context is None else context


def from_baggage(context: Context | None = None) -> dict[str, str]:
    """Return the allowed attributes that the baggage of `context` (the current one by default) carries.

    What is blank, longer than 256 characters or, in a required attribute, a placeholder is passed over: it comes from
    another process, and is nobody's mistake here.
    """
    arrived = baggage.get_all(context)
    attributes = {}
    for field in _allowed:
        value = arrived.get(_KEYS[field])
        text = value.strip() if isinstance(value, str) else ""
        if text and len(text) <= LONGEST_VALUE and not (field in REQUIRED_FIELDS and is_placeholder(text)):
            attributes[field] = text
    return attributes


class AttributionPropagator(TextMapPropagator):
    """Writes the allowed attributes into the `baggage` header. Receiving is left to OpenTelemetry's own propagator."""

    def __init__(self) -> None:
        self._baggage = W3CBaggagePropagator()

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        if _allowed:
            self._baggage.inject(carrier, to_baggage(context), setter)

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        return get_current() if context is None else context

    @property
    def fields(self) -> set[str]:
        return self._baggage.fields


def enable(fields: Iterable[str]) -> None:
    """Let `fields` travel in baggage, in both directions; none of them switches baggage off again."""
    global _allowed
    chosen = tuple(fields)
    for field in chosen:
        if field not in _KEYS:
            raise ConfigurationError(
                f"{field!r} cannot travel in baggage.{did_you_mean(field, _KEYS)}",
                fix=f"use {', '.join(ATTRIBUTION_FIELDS)}",
            )
    _allowed = chosen
    attribution.read_incoming_with(_incoming if chosen else None)
    if chosen and not _installed(propagate.get_global_textmap()):
        propagate.set_global_textmap(CompositePropagator([propagate.get_global_textmap(), AttributionPropagator()]))


def disable() -> None:
    """Let nothing travel."""
    enable(())


def _incoming() -> Mapping[str, Any]:
    return from_baggage()


def _installed(propagator: object) -> bool:
    inner = getattr(propagator, "_propagators", ())
    return isinstance(propagator, AttributionPropagator) or any(_installed(each) for each in inner)
