"""Every query of every dashboard refers only to what the registry defines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import _registry  # noqa: E402
from _dashboards import PANELS, Count, Share  # noqa: E402

DASHBOARDS = ROOT / "deploy/dashboards"
REGISTRY = _registry.load()
ATTRIBUTES = {attribute.name: attribute for attribute in REGISTRY.attributes}
METRICS = {group.name: {each.attribute.name for each in group.references} for group in REGISTRY.of_kind("metric")}


def read(name: str) -> dict[str, Any]:
    return json.loads((DASHBOARDS / name).read_text())


# -- Prometheus --------------------------------------------------------------------------------------------------------


def of_prometheus(name: str) -> str | None:
    """The metric of the registry behind a name on Prometheus; None if there is none."""
    for metric in REGISTRY.of_kind("metric"):
        seconds = "_seconds" if metric.unit == "s" else ""
        ends = ("_total",) if metric.instrument == "counter" else ("_bucket", "_sum", "_count")
        if name in {metric.name.replace(".", "_") + seconds + end for end in ends}:
            return metric.name
    return None


def selectors(node: Any) -> Iterator[Any]:
    """Every selector in a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        inner = getattr(node, name, None)
        if inner is not None and not isinstance(inner, str):
            yield from selectors(inner)
    for inner in getattr(node, "args", ()):
        yield from selectors(inner)


def split(node: Any) -> Iterator[str]:
    """Every label that a query groups or joins by."""
    modifier = getattr(node, "modifier", None)
    yield from getattr(modifier, "labels", None) or ()
    yield from getattr(getattr(modifier, "matching", None), "labels", None) or ()
    for name in ("expr", "lhs", "rhs"):
        inner = getattr(node, name, None)
        if inner is not None and not isinstance(inner, str):
            yield from split(inner)
    for inner in getattr(node, "args", ()):
        yield from split(inner)


def problems(query: str, recorded: frozenset[str] = frozenset()) -> list[str]:
    """What a query names that is not there."""
    for variable, value in (("$__rate_interval", "1m"), ("$__range", "5m")):
        query = query.replace(variable, value)
    tree = promql_parser.parse(query)
    found, labels = [], {"le"}
    for selector in selectors(tree):
        metric = of_prometheus(selector.name)
        if metric is None and selector.name not in recorded:
            found.append(selector.name)
        labels |= {each.replace(".", "_") for each in METRICS.get(metric or "", ATTRIBUTES)}
        found += [each.name for each in selector.matchers.matchers if each.name not in labels]
    return found + [label for label in split(tree) if label not in labels]


def expressions() -> list[str]:
    targets = [target for panel in read("grafana/overview.json")["panels"] for target in panel["targets"]]
    return [target["expr"] for target in targets if "expr" in target]


@pytest.mark.parametrize("query", expressions())
def test_prometheus_query_names_what_is_there(query: str) -> None:
    """It parses; its metrics are ours, with the suffixes of Prometheus, and its labels are theirs."""
    assert [] == problems(query)


def test_rules_name_what_is_there() -> None:
    """Alerts and recorded series, too."""
    rules = [
        rule
        for group in yaml.safe_load((DASHBOARDS / "prometheus/rules.yaml").read_text())["groups"]
        for rule in group["rules"]
    ]
    recorded = frozenset(rule["record"] for rule in rules if "record" in rule)

    assert {rule["expr"]: [] for rule in rules} == {rule["expr"]: problems(rule["expr"], recorded) for rule in rules}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sum(rate(genops_costs_total[5m]))", ["genops_costs_total"]),
        ('genops_cost_total{tem="a"}', ["tem"]),
        ("sum by (genops_budget_name) (genops_calls_total)", ["genops_budget_name"]),
    ],
)
def test_wrong_names_are_found(query: str, named: list[str]) -> None:
    """The check can fail: a metric, a label, and a label of another metric."""
    assert named == problems(query)


def test_variables_of_grafana_name_what_is_there() -> None:
    """What the choices at the top are filled from."""
    for variable in read("grafana/overview.json")["templating"]["list"]:
        found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"])
        if found is not None:
            metric = of_prometheus(found[1])
            assert found[2] in {each.replace(".", "_") for each in METRICS[str(metric)]}


# -- the others --------------------------------------------------------------------------------------------------------


def test_tempo_query_names_what_is_there() -> None:
    """TraceQL: attributes of spans."""
    queries = [target["query"] for panel in read("grafana/overview.json")["panels"] for target in panel["targets"]
               if target.get("queryType") == "traceql"]  # fmt: skip
    named = {name for query in queries for name in re.findall(r"span\.([\w.]+)", query)}

    assert named
    assert set() == named - set(ATTRIBUTES)


def datadog(dashboard: dict[str, Any]) -> Iterator[str]:
    """What the queries of a Datadog dashboard name that is not there."""
    variables = {each["name"]: each["prefix"] for each in dashboard["template_variables"]}
    yield from (prefix for prefix in variables.values() if prefix not in ATTRIBUTES)
    queries = [query for widget in dashboard["widgets"] for request in widget["definition"]["requests"]
               for query in request["queries"]]  # fmt: skip
    for query in queries:
        if query["data_source"] == "logs":
            names = [
                *re.findall(r"@([\w.]+):", query["search"]["query"]),
                *(each["facet"][1:] for each in query["group_by"]),
            ]
            yield from (name for name in names if name not in ATTRIBUTES)
            continue
        parts = re.fullmatch(r"\w+:([\w.]+)\{([^}]*)\}(?: by \{([^}]*)\})?(?:\.as_count\(\))?", query["query"])
        assert parts is not None, query["query"]
        metric, scope, by = parts.groups()
        tags = {variables[part[1:]] if part.startswith("$") else part.partition(":")[0] for part in scope.split(",")}
        known = METRICS.get(metric)
        yield from [metric] if known is None else (tags | set(filter(None, (by or "").split(",")))) - known - {"*"}


def test_datadog_names_what_is_there() -> None:
    """Metrics, their tags, facets of log records and template variables; every formula has its queries."""
    dashboard = read("datadog/overview.json")
    assert [] == list(datadog(dashboard))
    for widget in dashboard["widgets"]:
        for request in widget["definition"]["requests"]:
            queries = {query["name"] for query in request["queries"]}
            assert queries == set(re.findall(r"query\d", " ".join(each["formula"] for each in request["formulas"])))


def test_honeycomb_names_what_is_there() -> None:
    """Columns that are calculated, filtered and split by."""
    columns = set()
    for panel in read("honeycomb/board.json")["panels"]:
        query = panel["query"]
        parts = (*query["calculations"], *query.get("filters", ()), *query.get("orders", ()))
        columns |= {each["column"] for each in parts if "column" in each} | set(query["breakdowns"])

    assert columns
    assert set() == columns - set(ATTRIBUTES)


def test_newrelic_names_what_is_there() -> None:
    """NRQL: metrics and attributes, each in backticks; what is split is an attribute of the metric."""
    for page in read("newrelic/overview.json")["pages"]:
        for widget in page["widgets"]:
            for each in widget["rawConfiguration"]["nrqlQueries"]:
                named = set(re.findall(r"`([^`]+)`", each["query"]))
                metrics = named & set(METRICS)
                known = set(ATTRIBUTES) if not metrics else set.union(*(METRICS[name] for name in metrics))
                assert named
                assert set() == named - metrics - known, each["query"]
                assert bool(metrics) == ("FROM Metric" in each["query"])


def test_dynatrace_names_what_is_there() -> None:
    """DQL: every dotted name is a metric or one of its attributes, or a field of a log record."""
    for tile in read("dynatrace/overview.json")["tiles"].values():
        named = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)+", tile["query"]))
        metrics = named & set(METRICS)
        known = set(ATTRIBUTES) if not metrics else set.union(*(METRICS[name] for name in metrics))
        assert named
        assert set() == named - metrics - known, tile["query"]


def test_values_that_are_asked_for_exist() -> None:
    """`completed`, `blocked` and `error` are words that the registry gives outcomes."""
    counts = [count for panel in PANELS for count in (
        (panel.what,) if isinstance(panel.what, Count) else
        (panel.what.part, panel.what.whole) if isinstance(panel.what, Share) else ())]  # fmt: skip
    for count in counts:
        if count.where is not None:
            name, value = count.where
            assert value in {member["value"] for member in ATTRIBUTES[name].members}


def test_every_backend_has_every_panel() -> None:
    """One description: none of them lags behind."""
    titles = [panel.title for panel in PANELS]

    assert titles == [panel["title"] for panel in read("grafana/overview.json")["panels"]][: len(titles)]
    assert titles == [widget["definition"]["title"] for widget in read("datadog/overview.json")["widgets"]]
    assert titles == [widget["title"] for widget in read("newrelic/overview.json")["pages"][0]["widgets"]]
    assert titles == [tile["title"] for tile in read("dynatrace/overview.json")["tiles"].values()]
    assert {"Faults of GenOps"} == set(titles) - {panel["title"] for panel in read("honeycomb/board.json")["panels"]}
