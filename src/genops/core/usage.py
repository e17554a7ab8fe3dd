"""Usage: how much of what a call consumed, in disjoint buckets.

A bucket is called a meter. Meters never overlap, so a cost is a plain sum over them. What a provider reports is turned
into meters by `genops.providers._engine.reading`, from the shapes in spec/usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

__all__ = ["INPUT_METERS", "METERS", "OUTPUT_METERS", "Reading", "Usage", "UsageSource"]

# Tokens that went in. `input` is what no other input meter covers: uncached text, or input of unstated modality.
INPUT_METERS = (
    "input",
    "input_audio",
    "input_image",
    "input_video",
    "cache_read",
    "cache_read_audio",
    "cache_read_image",
    "cache_read_video",
    "cache_write",  # the provider's default lifetime: 5 minutes at Anthropic, 30 minutes at OpenAI
    "cache_write_1h",
    "cache_write_12h",
)
# Tokens that came out. Reasoning is part of `output`; `Usage.reasoning_tokens` says how much of it.
OUTPUT_METERS = ("output", "output_audio", "output_image", "output_video")
# Everything else, with its unit.
OTHER_METERS = {
    "input_characters": "characters",
    "audio_seconds": "seconds",
    "output_audio_seconds": "seconds",
    "output_video_seconds": "seconds",
    "output_images": "images",
    "pages": "pages",
    "pages_annotated": "pages",
    "search_units": "search units",
    "web_searches": "searches",
    "web_searches_preview": "searches",
    "file_searches": "searches",
    "maps_searches": "searches",
    "code_sessions": "sessions",
    "requests": "requests",
    "compute_seconds": "seconds",
}
METERS: Mapping[str, str] = dict.fromkeys(INPUT_METERS + OUTPUT_METERS, "tokens") | OTHER_METERS

_INPUT = frozenset(INPUT_METERS)
_OUTPUT = frozenset(OUTPUT_METERS)


class UsageSource(StrEnum):
    """Where the quantities come from."""

    REPORTED = "reported"  # the provider's own figures
    ESTIMATED = "estimated"  # counted by us: the provider gave none


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call consumed.

    `quantities` maps a meter of `METERS` to an amount in its unit; a meter that is absent was not stated, one with 0
    was stated as zero. `flags` names what did not add up, e.g. `total_mismatch`.
    """

    quantities: Mapping[str, int | Decimal] = field(default_factory=dict)
    reasoning_tokens: int | None = None
    source: UsageSource = UsageSource.REPORTED
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for meter, quantity in self.quantities.items():
            if meter not in METERS:
                raise ValueError(f"unknown meter {meter!r}; one of {', '.join(METERS)}")
            if quantity < 0:
                raise ValueError(f"{meter} is negative: {quantity}")

    @property
    def input_tokens(self) -> int | None:
        """All input tokens, cached and written ones included; None if none were stated."""
        return _total(self.quantities, _INPUT)

    @property
    def output_tokens(self) -> int | None:
        """All output tokens, reasoning included; None if none were stated."""
        return _total(self.quantities, _OUTPUT)


def _total(quantities: Mapping[str, int | Decimal], meters: frozenset[str]) -> int | None:
    stated = [int(quantity) for meter, quantity in quantities.items() if meter in meters]
    return sum(stated) if stated else None


class Reading(NamedTuple):
    """What a response says about itself, beyond its content. Every field is None where the response is silent."""

    usage: Usage | None = None
    response_id: str | None = None
    response_model: str | None = None
    service_tier: str | None = None  # as served, lower case, the provider's word: default, flex, priority, batch
    region: str | None = None  # where it ran, in the provider's word: us, eu, global, ...
    reported_cost: Decimal | None = None  # USD, when the provider states its own charge
