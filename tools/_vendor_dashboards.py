"""The dashboards of Datadog, Honeycomb, New Relic and Dynatrace, each in the form that it imports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from _dashboards import PANELS, TITLE, Count, Panel, Quantiles, Shape, Share, Unpriced
from genops import semconv as s

__all__ = ["render_datadog", "render_dynatrace", "render_honeycomb", "render_newrelic"]

_ABOUT = "Made from tools/_dashboards.py of GenOps; every name is in docs/reference/telemetry.md."


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


# -- Datadog: metrics, and log records for what has no price -----------------------------------------------------------

_DATADOG_TYPES = {
    Shape.NUMBER: "query_value",
    Shape.LINES: "timeseries",
    Shape.BARS: "toplist",
    Shape.TABLE: "toplist",
}
_DATADOG_VARIABLES = {"team": s.GENOPS_TEAM, "environment": s.GENOPS_ENVIRONMENT}


def _datadog_scope(count: Count) -> str:
    names = [] if count.metric in (s.METRIC_BUDGET_ALERTS, s.METRIC_SDK_ERRORS) else ["$team", "$environment"]
    if count.where is not None:
        names.append(f"{count.where[0]}:{count.where[1]}")
    return ",".join(names) or "*"


def _datadog_count(count: Count, by: tuple[str, ...]) -> str:
    split = f" by {{{','.join(by)}}}" if by else ""
    return f"sum:{count.metric}{{{_datadog_scope(count)}}}{split}.as_count()"


def _datadog_queries(panel: Panel) -> tuple[list[dict[str, Any]], list[str]]:
    """Queries, and the formulas over their names."""
    match panel.what:
        case Count() as count:
            texts, formulas = [_datadog_count(count, panel.by)], ["query1"]
        case Share(part, whole):
            texts, formulas = [_datadog_count(part, ()), _datadog_count(whole, ())], ["query1 / query2"]
        case Quantiles(metric, quantiles):
            texts = [f"p{q * 100:g}:{metric}{{$team,$environment}}" for q in quantiles]
            formulas = [f"query{place}" for place in range(1, len(quantiles) + 1)]
        case Unpriced():
            groups = [
                {"facet": f"@{each}", "limit": 10, "sort": {"aggregation": "count", "order": "desc"}}
                for each in panel.by
            ]
            search = {"query": f"@{s.GENOPS_COST_STATUS}:unpriced"}
            query = {"data_source": "logs", "name": "query1", "search": search, "indexes": ["*"],
                     "compute": {"aggregation": "count"}, "group_by": groups}  # fmt: skip
            return [query], ["query1"]
    aggregator = "sum" if isinstance(panel.what, Count | Share) else "avg"
    made = [
        {"data_source": "metrics", "name": f"query{place}", "query": text}
        | ({} if panel.shape is Shape.LINES else {"aggregator": aggregator})
        for place, text in enumerate(texts, 1)
    ]
    return made, formulas


def render_datadog() -> str:
    """overview.json for Import dashboard JSON."""
    widgets = []
    for panel in PANELS:
        queries, formulas = _datadog_queries(panel)
        kind = "timeseries" if panel.shape is Shape.LINES else "scalar"
        request = {
            "response_format": kind,
            "queries": queries,
            "formulas": [{"formula": each} for each in formulas],
        }
        if panel.shape is Shape.LINES:
            request["display_type"] = "line" if isinstance(panel.what, Quantiles) else "bars"
        definition: dict[str, Any] = {"title": panel.title, "type": _DATADOG_TYPES[panel.shape], "requests": [request]}
        if panel.shape is Shape.NUMBER:
            definition |= {"autoscale": True, "precision": 4 if panel.unit in ("money", "share") else 0}
        widgets.append({"definition": definition})
    variables = [{"name": name, "prefix": prefix, "default": "*"} for name, prefix in _DATADOG_VARIABLES.items()]
    return _text(
        {
            "title": TITLE,
            "description": f"{_ABOUT} Percentiles must be switched on for {s.METRIC_CALL_DURATION} in Metrics Summary.",
            "layout_type": "ordered",
            "reflow_type": "auto",
            "template_variables": variables,
            "widgets": widgets,
        }
    )


# -- Honeycomb: spans and the ledger's log records ---------------------------------------------------------------------

_ONE_SPAN_A_CALL = [
    {"column": s.GENOPS_CALL_OUTCOME, "op": "exists"},
    {"column": s.GENOPS_COST_ROLE, "op": "not-in", "value": ["mirror", "aggregate"]},
    {"column": s.GENOPS_LEDGER_STARTED_AT, "op": "does-not-exist"},
]
_SETTLED = [{"column": s.GENOPS_LEDGER_STARTED_AT, "op": "exists"}]  # the log record of a call, one each, never sampled
_LEDGER_COLUMNS = {
    s.METRIC_CALL_DURATION: s.GENOPS_LEDGER_DURATION_MS,
    s.METRIC_CALL_TIME_TO_FIRST_CHUNK: s.GENOPS_LEDGER_TIME_TO_FIRST_CHUNK_MS,
}


def _honeycomb(panel: Panel) -> Iterator[dict[str, Any]]:
    """The query of a panel; none for what only a metric says."""
    query: dict[str, Any] = {"time_range": 86400, "breakdowns": list(panel.by)}
    match panel.what:
        case Count(s.METRIC_COST):
            yield query | {"calculations": [{"op": "SUM", "column": s.GENOPS_COST_TOTAL}]}
        case Count(s.METRIC_CALLS):
            yield query | {"calculations": [{"op": "COUNT"}], "filters": _SETTLED}
        case Count(s.METRIC_TOKENS):
            tokens = (s.GEN_AI_USAGE_INPUT_TOKENS, s.GEN_AI_USAGE_OUTPUT_TOKENS)
            sums = [{"op": "SUM", "column": each} for each in tokens]
            yield query | {"breakdowns": [], "calculations": sums, "filters": _ONE_SPAN_A_CALL}
        case Count(s.METRIC_BUDGET_ALERTS):
            passed = [{"column": s.GENOPS_BUDGET_THRESHOLD, "op": "exists"}]
            yield query | {"calculations": [{"op": "COUNT"}], "filters": passed}
        case Share(Count(s.METRIC_COST), _):
            yield query | {"calculations": [{"op": "AVG", "column": s.GENOPS_COST_TOTAL}]}
        case Share(Count(_, (column, value)), _):
            filters = [*_SETTLED, {"column": column, "op": "=", "value": value}]
            yield query | {"calculations": [{"op": "COUNT"}], "filters": filters}
        case Quantiles(metric, quantiles):
            ops = [{"op": f"P{q * 100:02.0f}", "column": _LEDGER_COLUMNS[metric]} for q in quantiles]
            yield query | {"calculations": ops, "filters": _SETTLED}
        case Unpriced():
            filters = [*_SETTLED, {"column": s.GENOPS_COST_STATUS, "op": "=", "value": "unpriced"}]
            yield query | {"calculations": [{"op": "COUNT"}], "filters": filters}


def render_honeycomb() -> str:
    """board.json, which create.py loads: queries first, then the board that shows them."""
    panels = []
    for panel in PANELS:
        for query in _honeycomb(panel):
            largest = [{**query["calculations"][0], "order": "descending"}]
            ordered = query | ({"orders": largest, "limit": 10} if panel.by else {})
            style = "table" if panel.shape is Shape.TABLE else "graph"
            panels.append({"title": panel.title, "description": panel.note, "style": style, "query": ordered})
    return _text({"name": TITLE, "description": _ABOUT, "panels": panels})


# -- New Relic: metrics, and spans for what has no price ---------------------------------------------------------------

_NEWRELIC_TYPES = {
    Shape.NUMBER: "viz.billboard",
    Shape.LINES: "viz.line",
    Shape.BARS: "viz.bar",
    Shape.TABLE: "viz.table",
}


def _nrql(panel: Panel) -> str:
    match panel.what:
        case Count() as count:
            query = f"SELECT {_nrql_sum(count)} FROM Metric"
        case Share(part, whole):
            query = f"SELECT {_nrql_sum(part)} / {_nrql_sum(whole)} FROM Metric"
        case Quantiles(metric, quantiles):
            query = f"SELECT percentile({_tick(metric)}, {', '.join(f'{q * 100:g}' for q in quantiles)}) FROM Metric"
        case Unpriced():
            query = f"SELECT count(*) FROM Log WHERE {_tick(s.GENOPS_COST_STATUS)} = 'unpriced'"
    facet = f" FACET {', '.join(map(_tick, panel.by))} LIMIT 10" if panel.by else ""
    return query + facet + (" TIMESERIES" if panel.shape is Shape.LINES else "") + " SINCE 1 day ago"


def _nrql_sum(count: Count) -> str:
    total = f"sum({_tick(count.metric)})"
    return f"filter({total}, WHERE {_tick(count.where[0])} = '{count.where[1]}')" if count.where else total


def _tick(name: str) -> str:
    return f"`{name}`"


def render_newrelic() -> str:
    """overview.json for Import dashboard; the account is chosen there."""
    widgets = [
        {
            "title": panel.title,
            "layout": {"column": 1 + 4 * (place % 3), "row": 1 + 3 * (place // 3), "width": 4, "height": 3},
            "visualization": {"id": _NEWRELIC_TYPES[panel.shape]},
            "rawConfiguration": {"nrqlQueries": [{"accountIds": [], "query": _nrql(panel)}]},
        }
        for place, panel in enumerate(PANELS)
    ]
    page = {"name": "Overview", "description": None, "widgets": widgets}
    return _text({"name": TITLE, "description": _ABOUT, "permissions": "PUBLIC_READ_WRITE", "pages": [page]})


# -- Dynatrace: metrics, and log records for what has no price ---------------------------------------------------------

_DYNATRACE_TYPES = {
    Shape.NUMBER: "singleValue",
    Shape.LINES: "lineChart",
    Shape.BARS: "categoricalBarChart",
    Shape.TABLE: "table",
}


def _dql(panel: Panel) -> str:
    by = f", by:{{{', '.join(panel.by)}}}" if panel.by else ""
    match panel.what:
        case Count() as count:
            query = f"timeseries value = {_dql_sum(count)}{by}{_dql_filter(count)}"
        case Share(part, whole):
            first = f"timeseries part = {_dql_sum(part)}{_dql_filter(part)}"
            second = f"append [timeseries whole = {_dql_sum(whole)}{_dql_filter(whole)}]"
            sums = "summarize part = sum(arraySum(part)), whole = sum(arraySum(whole))"
            return f"{first}\n| {second}\n| {sums}\n| fields value = part / whole"
        case Quantiles(metric, quantiles):
            each = ", ".join(f"p{q * 100:g} = percentile({metric}, {q * 100:g})" for q in quantiles)
            return f"timeseries {{{each}}}"
        case Unpriced():
            where = f'fetch logs\n| filter {s.GENOPS_COST_STATUS} == "unpriced"'
            return f"{where}\n| summarize value = count(){by}\n| sort value desc\n| limit 10"
    if panel.shape is Shape.LINES:
        return query
    kept = ", ".join((*panel.by, "value = arraySum(value)"))
    return f"{query}\n| fields {kept}" + ("\n| sort value desc\n| limit 10" if panel.by else "")


def _dql_sum(count: Count) -> str:
    return f"sum({count.metric})"


def _dql_filter(count: Count) -> str:
    return f', filter:{{{count.where[0]} == "{count.where[1]}"}}' if count.where else ""


def render_dynatrace() -> str:
    """overview.json for Upload in the Dashboards app."""
    tiles, layouts = {}, {}
    for place, panel in enumerate(PANELS):
        tile = {
            "type": "data",
            "title": panel.title,
            "query": _dql(panel),
            "visualization": _DYNATRACE_TYPES[panel.shape],
        }
        tiles[str(place)] = tile | ({"description": panel.note} if panel.note else {})
        layouts[str(place)] = {"x": 8 * (place % 3), "y": 6 * (place // 3), "w": 8, "h": 6}
    return _text({"version": 17, "variables": [], "tiles": tiles, "layouts": layouts})
