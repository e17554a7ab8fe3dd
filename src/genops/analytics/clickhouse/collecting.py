"""What the Collector's clickhouse exporter writes, as rows of the ledger.

The exporter stores each `genops.usage.recorded` as a log record with its attributes as text. A view turns it into a row
of `calls` when it is inserted. It adds nothing up, so a batch that is inserted twice is still one row per call.
"""

from __future__ import annotations

from typing import Any

from genops import semconv as s
from genops.analytics.rows import CALLS
from genops.core.errors import ConfigurationError
from genops.core.usage import INPUT_METERS, OUTPUT_METERS

__all__ = ["VIEW", "collector_view", "make_collector_view"]

VIEW, _LOGS = "calls_from_collector", "otel_logs"
_ALWAYS = ("outcome", "provider", "api", "operation", "operation_type", "policy_result", "call_id", "currency")


def collector_view() -> str:
    """The statement that makes the view, from the names of the registry."""
    columns = [f"    {_value(field, attribute)} AS {field}" for field, attribute in s.LEDGER_ATTRIBUTES.items()]
    columns += [
        "    nullIf(TraceId, '') AS trace_id",
        "    nullIf(SpanId, '') AS span_id",
        *(f"    {_tokens(meters)} AS {name}" for name, meters in _TOKENS.items()),
        "    toUInt8(1) AS precedence",
    ]
    body = ",\n".join(columns)
    return f"""CREATE MATERIALIZED VIEW IF NOT EXISTS {VIEW} TO calls AS
SELECT
{body}
FROM {_LOGS}
WHERE EventName = '{s.EVENT_USAGE_RECORDED}'"""


_TOKENS = {
    "input_tokens": INPUT_METERS,
    "output_tokens": OUTPUT_METERS,
    "cached_tokens": tuple(meter for meter in INPUT_METERS if meter.startswith("cache_read")),
}


def _tokens(meters: tuple[str, ...]) -> str:
    names = ", ".join(f"'{s.GENOPS_USAGE_QUANTITY}.{meter}'" for meter in meters)
    stated = f"mapValues(mapFilter((k, v) -> k IN ({names}), LogAttributes))"
    whole = f"arraySum(arrayMap(v -> toInt64(truncate(toDecimal128(v, 12))), {stated}))"
    return f"if(empty({stated}), NULL, {whole})"


def make_collector_view(client: Any) -> None:
    """Make the view. Raises `ConfigurationError` where the exporter has not made its table yet."""
    if not client.command(f"EXISTS TABLE {_LOGS}"):
        raise ConfigurationError(
            f"this database has no table {_LOGS}.",
            fix="start the Collector with exporters/clickhouse.yaml and this database first; it makes the table",
        )
    client.command(collector_view())


def _value(field: str, attribute: str) -> str:
    kind = CALLS[field]
    text = f"nullIf(LogAttributes['{attribute}'], '')"
    if kind.startswith("MAP"):
        return _by_prefix(f"{attribute}.", "Decimal(38, 12)" if field == "usage" else None)
    if kind == "VARCHAR[]":
        return f"JSONExtract(ifNull({text}, '[]'), 'Array(String)')"
    if kind == "TIMESTAMP":
        return f"parseDateTime64BestEffort(LogAttributes['{attribute}'], 6, 'UTC')"
    if kind == "BOOLEAN":
        return f"LogAttributes['{attribute}'] = 'true'"
    if kind == "DOUBLE":
        return (
            f"toFloat64OrZero(LogAttributes['{attribute}'])" if field == "duration_ms" else f"toFloat64OrNull({text})"
        )
    if kind == "BIGINT":
        return f"toInt64OrNull({text})"
    if kind.startswith("DECIMAL"):
        return f"toDecimal128OrNull({text}, 12)"
    if field == "currency":
        return f"ifNull({text}, 'USD')"
    return f"LogAttributes['{attribute}']" if field in _ALWAYS else text


def _by_prefix(prefix: str, kind: str | None) -> str:
    """The attributes whose names begin so, without the prefix."""
    value = "toDecimal128(v, 12)" if kind else "v"
    chosen = f"mapFilter((k, v) -> startsWith(k, '{prefix}'), LogAttributes)"
    return f"mapApply((k, v) -> (substring(k, {len(prefix) + 1}), {value}), {chosen})"
