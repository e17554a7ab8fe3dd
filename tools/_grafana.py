"""Grafana's dashboards: one on Prometheus and Tempo, one on the ledger in ClickHouse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import _registry
from _dashboards import PANELS, TITLE, Count, Panel, Quantiles, Shape, Share, Unpriced
from genops import semconv as s

__all__ = ["prometheus_name", "render_ledger", "render_overview"]

_PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
_TEMPO = {"type": "tempo", "uid": "${tempo}"}
_CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "${clickhouse}"}
_TYPES = {Shape.NUMBER: "stat", Shape.LINES: "timeseries", Shape.BARS: "bargauge", Shape.TABLE: "table"}
_UNITS = {"money": "none", "calls": "short", "tokens": "short", "share": "percentunit", "s": "s", "": "short"}
_METRICS = {group.name: group for group in _registry.load().of_kind("metric")}
_WITHOUT_TEAM = {s.METRIC_BUDGET_ALERTS, s.METRIC_SDK_ERRORS}


def prometheus_name(name: str) -> str:
    """The name that a metric of the registry, or an attribute, has on Prometheus, by OpenTelemetry's rules."""
    plain = name.replace(".", "_")
    metric = _METRICS.get(name)
    if metric is None:
        return plain
    unit = "_seconds" if metric.unit == "s" else ""  # {currency} and the like are annotations: no suffix
    return plain + unit + ("_total" if metric.instrument == "counter" else "_bucket")


# -- Prometheus --------------------------------------------------------------------------------------------------------


def _selector(count: Count | Quantiles) -> str:
    matchers = []
    if count.metric not in _WITHOUT_TEAM:
        matchers += [
            f'{prometheus_name(s.GENOPS_TEAM)}=~"$team"',
            f'{prometheus_name(s.GENOPS_ENVIRONMENT)}=~"$environment"',
        ]
    if count.metric == s.METRIC_COST:
        matchers.append(f'{prometheus_name(s.GENOPS_COST_CURRENCY)}="$currency"')
    if isinstance(count, Count) and count.where is not None:
        matchers.append(f'{prometheus_name(count.where[0])}="{count.where[1]}"')
    return f"{prometheus_name(count.metric)}{{{','.join(matchers)}}}" if matchers else prometheus_name(count.metric)


def _risen(count: Count) -> str:
    """What each series of a counter rose by, exactly: `increase()` guesses at the ends, and misses how a series began.

    A series with a reset is left to `increase()`; else its end less its beginning, which is 0 where nothing was counted
    on the day before.
    """
    series = _selector(count)
    highest, before = f"max_over_time({series}[$__range])", f"last_over_time({series}[1d] offset $__range)"
    reset = f"(increase({series}[$__range]) and resets({series}[$__range]) > 0)"
    return f"{reset} or ({highest} - {before} >= 0) or {highest}"


def _promql(panel: Panel) -> Iterator[tuple[str, str]]:
    """Queries with their legends."""
    by = f" by ({', '.join(map(prometheus_name, panel.by))}) " if panel.by else ""
    legend = " ".join(f"{{{{{prometheus_name(each)}}}}}" for each in panel.by)
    match panel.what:
        case Count() as count if panel.shape is Shape.LINES:
            yield f"3600 * sum{by}(rate({_selector(count)}[$__rate_interval]))", legend
        case Count() as count:
            total = f"sum{by}({_risen(count)})"
            yield (total if panel.shape is Shape.NUMBER else f"topk(10, {total} > 0)"), legend
        case Share(part, whole):
            yield f"(sum({_risen(part)}) or vector(0)) / sum({_risen(whole)})", ""
        case Quantiles(_, quantiles) as found:
            for quantile in quantiles:
                rate = f"sum by (le) (rate({_selector(found)}[$__rate_interval]))"
                yield f"histogram_quantile({quantile}, {rate})", f"p{quantile * 100:g}"
        case Unpriced():
            calls = Count(s.METRIC_CALLS, (s.GENOPS_CALL_OUTCOME, "completed"))
            cost = f"{prometheus_name(s.METRIC_COST)}"
            priced = f"unless ignoring ({prometheus_name(s.GENOPS_COST_CURRENCY)}) {cost}"
            yield f"topk(10, sum{by}(({_risen(calls)}) {priced}) > 0)", legend


def _prometheus_panel(panel: Panel) -> dict[str, Any]:
    instant = panel.shape is not Shape.LINES
    targets = [
        {"refId": chr(65 + place), "datasource": _PROMETHEUS, "expr": expr, "legendFormat": legend,
         "instant": instant, "range": not instant, "format": "table" if panel.shape is Shape.TABLE else "time_series"}
        for place, (expr, legend) in enumerate(_promql(panel))
    ]  # fmt: skip
    return {"datasource": _PROMETHEUS, "targets": targets}


def render_overview() -> str:
    """overview.json: the panels on Prometheus, and the dearest calls of Tempo."""
    panels = [_panel(each, _prometheus_panel) for each in PANELS]
    query = (
        f'{{ span.{s.GENOPS_COST_TOTAL} > 0 && span.{s.GENOPS_TEAM} =~ "$team" }} '
        f"| select(span.{s.GENOPS_COST_TOTAL}, span.{s.GENOPS_TEAM}, span.{s.GENOPS_CUSTOMER_ID}, "
        f"span.{s.GEN_AI_REQUEST_MODEL})"
    )
    target = {
        "refId": "A",
        "datasource": _TEMPO,
        "queryType": "traceql",
        "query": query,
        "limit": 50,
        "tableType": "spans",
    }
    panels.append({"type": "table", "title": "Calls that cost something", "datasource": _TEMPO, "targets": [target]})
    team, environment, currency = map(prometheus_name, (s.GENOPS_TEAM, s.GENOPS_ENVIRONMENT, s.GENOPS_COST_CURRENCY))
    calls, cost = prometheus_name(s.METRIC_CALLS), prometheus_name(s.METRIC_COST)
    variables = [
        _source("prometheus", "prometheus"),
        _source("tempo", "tempo"),
        _choice("team", _PROMETHEUS, f"label_values({calls}, {team})"),
        _choice("environment", _PROMETHEUS, f"label_values({calls}, {environment})"),
        _choice("currency", _PROMETHEUS, f"label_values({cost}, {currency})", all_of_them=False),
    ]
    return _dashboard("genops-overview", TITLE, variables, panels)


# -- ClickHouse --------------------------------------------------------------------------------------------------------

_FIELDS = {
    reference.attribute.name: reference.annotations["ledger_field"]
    for event in _registry.load().of_kind("event")
    for reference in event.references
    if "ledger_field" in reference.annotations
} | {s.GEN_AI_REQUEST_MODEL: "model"}  # the model that was priced, else answered, else asked for
_MEASURES = {s.METRIC_COST: "sum(cost)", s.METRIC_CALLS: "count()"}
_SECONDS = {s.METRIC_CALL_DURATION: "duration_ms", s.METRIC_CALL_TIME_TO_FIRST_CHUNK: "time_to_first_chunk_ms"}
# FINAL: a batch that was sent again is stored again, until parts are merged.
_FROM = (
    "FROM calls FINAL WHERE $__timeFilter(started_at) AND ifNull(team, '') IN (${team:singlequote})"
    " AND ifNull(environment, '') IN (${environment:singlequote})"
)
_MONEY = " AND (currency = '${currency}' OR cost IS NULL)"
_BUCKET = "$__timeInterval(started_at) AS time"


def _sql(panel: Panel) -> Iterator[str]:
    """The query of a panel on the table `calls`; none for what is no part of the ledger."""
    fields = [_FIELDS[each] for each in panel.by if each in _FIELDS]
    columns = ", ".join(f"ifNull({each}, '') AS {each}" for each in fields)
    names = ", ".join(fields)
    match panel.what:
        case Count(s.METRIC_TOKENS):
            sums = "sum(input_tokens) AS input, sum(output_tokens) AS output"
            yield f"SELECT {_BUCKET}, {sums} {_FROM} GROUP BY time ORDER BY time"
        case Count(metric) if metric in _MEASURES and panel.shape is Shape.LINES:
            value = f"{columns}, {_measure(metric)}"
            yield f"SELECT {_BUCKET}, {value} {_FROM}{_MONEY} GROUP BY time, {names} ORDER BY time"
        case Count(metric) if metric in _MEASURES and panel.by:
            yield f"SELECT {columns}, {_measure(metric)} {_FROM}{_MONEY} GROUP BY {names} ORDER BY value DESC LIMIT 10"
        case Count(metric) if metric in _MEASURES:
            yield f"SELECT {_measure(metric)} {_FROM}{_MONEY}"
        case Share(Count(metric), _) if metric == s.METRIC_COST:
            yield f"SELECT sum(cost) / countIf(outcome = 'completed') AS value {_FROM}{_MONEY}"
        case Share(Count(_, (_, outcome)), _):
            yield f"SELECT countIf(outcome = '{outcome}') / count() AS value {_FROM}"
        case Quantiles(metric, quantiles):
            each = ", ".join(f"quantile({q})({_SECONDS[metric]}) / 1000 AS p{q * 100:g}" for q in quantiles)
            yield f"SELECT {_BUCKET}, {each} {_FROM} GROUP BY time ORDER BY time"
        case Unpriced():
            yield (
                f"SELECT {columns}, any(unpriced_reason) AS reason, count() AS calls {_FROM}"
                f" AND cost_status = 'unpriced' GROUP BY {names} ORDER BY calls DESC LIMIT 10"
            )


def _measure(metric: str) -> str:
    return f"{_MEASURES[metric]} AS value"


# What the ledger knows and no metric does.
_OF_THE_LEDGER = (
    ("How sure the costs are", Shape.TABLE,
     f"SELECT ifNull(cost_status, 'refused') AS status, count() AS calls, sum(cost) AS cost {_FROM}"
     " GROUP BY status ORDER BY calls DESC"),
    ("Refused, by rule", Shape.TABLE,
     "SELECT ifNull(policy_name, ifNull(budget_name, '')) AS rule, ifNull(policy_reason_code, '') AS reason,"
     f" count() AS calls {_FROM} AND outcome = 'blocked' GROUP BY rule, reason ORDER BY calls DESC LIMIT 10"),
    ("Dearest calls", Shape.TABLE,
     "SELECT started_at, team, customer_id, model, cost, duration_ms, trace_id, call_id"
     f" {_FROM}{_MONEY} AND cost > 0 ORDER BY cost DESC LIMIT 20"),
    ("Prices in use", Shape.TABLE,
     "SELECT ifNull(price_data_version, '') AS version, ifNull(cost_source, '') AS source, count() AS calls,"
     f" sum(cost) AS cost {_FROM} GROUP BY version, source ORDER BY calls DESC"),
)  # fmt: skip


def _clickhouse_target(sql: str, shape: Shape) -> dict[str, Any]:
    kind = "timeseries" if shape is Shape.LINES else "table"
    target = {"refId": "A", "datasource": _CLICKHOUSE, "rawSql": sql, "queryType": kind, "editorType": "sql",
              "format": 0 if shape is Shape.LINES else 1}  # fmt: skip
    return {"datasource": _CLICKHOUSE, "targets": [target]}


def render_ledger() -> str:
    """ledger.json: the same panels, exact, from the ledger in ClickHouse."""
    panels = [
        _panel(panel, lambda each, sql=sql: _clickhouse_target(sql, each.shape))
        for panel in PANELS
        for sql in _sql(panel)
    ]
    panels += [
        {"type": _TYPES[shape], "title": title, **_clickhouse_target(sql, shape)}
        for title, shape, sql in _OF_THE_LEDGER
    ]
    distinct = "SELECT DISTINCT ifNull({}, '') FROM calls ORDER BY 1"
    variables = [
        _source("clickhouse", "grafana-clickhouse-datasource"),
        _choice("team", _CLICKHOUSE, distinct.format("team")),
        _choice("environment", _CLICKHOUSE, distinct.format("environment")),
        _choice("currency", _CLICKHOUSE, "SELECT DISTINCT currency FROM calls ORDER BY 1", all_of_them=False),
    ]
    return _dashboard("genops-ledger", f"{TITLE}, from the ledger", variables, panels)


# -- both --------------------------------------------------------------------------------------------------------------


def _panel(panel: Panel, source: Callable[[Panel], dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": _TYPES[panel.shape], "title": panel.title, **source(panel)}
    if panel.note:
        made["description"] = panel.note
    decimals = {"decimals": 4} if panel.unit == "money" else {}
    made["fieldConfig"] = {"defaults": {"unit": _UNITS[panel.unit], **decimals}, "overrides": []}
    if panel.shape is Shape.LINES and panel.unit in ("money", "calls", "tokens"):
        made["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": 20, "stacking": {"mode": "normal"}}
    if panel.shape is Shape.BARS:
        made["options"] = {
            "orientation": "horizontal",
            "displayMode": "gradient",
            "reduceOptions": {"calcs": ["lastNotNull"], "values": "rawSql" in made["targets"][0]},
        }
    return made


def _source(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "label": name.capitalize(), "type": "datasource", "query": kind}


def _choice(name: str, source: dict[str, str], query: str, *, all_of_them: bool = True) -> dict[str, Any]:
    many = {"multi": True, "includeAll": True, "current": {"text": ["All"], "value": ["$__all"]}} if all_of_them else {}
    if all_of_them and source is _PROMETHEUS:
        many["allValue"] = ".*"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": source,
        "query": query,
        "refresh": 2,
        **many,
    }


def _dashboard(uid: str, title: str, variables: list[dict[str, Any]], panels: list[dict[str, Any]]) -> str:
    x = y = 0
    for number, panel in enumerate(panels, 1):
        number_like = panel["type"] == "stat"
        width, height = (24 // 5 + (number == 1) * 4, 4) if number_like else (12, 8)
        if x + width > 24:
            x, y = 0, y + (4 if panels[number - 2]["type"] == "stat" else 8)
        panel |= {"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": height}}
        x += width
    whole = {
        "uid": uid,
        "title": title,
        "tags": ["genops", "generated"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": variables},
        "panels": panels,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
