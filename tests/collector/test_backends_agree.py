"""deploy/collector/exporters and the table of the SDK's backends say the same, and no queue there loses anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from genops.exporters.backends import BACKENDS
from genops.exporters.destinations import Backend, Signal, resolve

DEPLOY = Path(__file__).resolve().parents[2] / "deploy/collector"
FILES = sorted((DEPLOY / "exporters").glob("*.yaml"))
ROWS = [row for row in BACKENDS.values() if row.collector is not None]
# What has a file, at least: the backends that teams were promised.
PROMISED = {
    *("datadog", "honeycomb", "newrelic", "grafana-cloud", "tempo", "dynatrace", "splunk", "instana"),
    *("highlight", "traceloop", "elastic", "signoz", "clickhouse", "prometheus", "loki"),
}
# Written to where nothing is in flight, or counters whose next sample says it all.
WITHOUT_A_QUEUE = ("file", "prometheusremotewrite")


def _merged(below: Any, above: Any) -> Any:
    """As the Collector merges: mappings key by key, anything else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: _merged(below.get(key), value) for key, value in above.items()}
    return above


def _over_agent(file: Path) -> dict[str, Any]:
    return _merged(yaml.safe_load((DEPLOY / "agent.yaml").read_text()), yaml.safe_load(file.read_text()))


def _stated(text: str, values: dict[str, str]) -> str:
    """The text with `${env:NAME:-default}` as it is where only `values` are set."""
    return re.sub(r"\$\{env:(\w+)(?::-([^}]*))?\}", lambda found: values.get(found[1]) or found[2] or "", text)


def _example(row: Backend) -> dict[str, str]:
    values = {each.name: each.default or f"of-{each.name.lower()}" for each in row.variables}
    return values | ({row.override: "https://given.example"} if row.base is None else {})


def test_every_backend_that_was_promised_has_a_file() -> None:
    """And every file that a row names is there."""
    assert set() == PROMISED - {file.stem for file in FILES}
    assert set() == {str(row.collector) for row in ROWS} - {file.name for file in FILES}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_collector_and_sdk_agree(row: Backend) -> None:
    """The same addresses and the same headers, from the same variables."""
    values = _example(row)
    found = resolve(row, values.get)
    exporter = yaml.safe_load((DEPLOY / "exporters" / str(row.collector)).read_text())["exporters"]["otlp_http/backend"]
    basic = {"GRAFANA_BASIC": found.headers[Signal.TRACES].get("authorization", "").removeprefix("Basic ")}
    headers = {name.lower(): _stated(text, values | basic) for name, text in exporter["headers"].items()}
    for signal, endpoint in found.endpoints.items():
        own = exporter.get(f"{signal}_endpoint")
        if row.name != "tempo":  # on a port of its own there: the Collector has 4318 itself
            assert endpoint == _stated(own or exporter["endpoint"], values) + ("" if own else f"/v1/{signal}")
        assert found.headers[signal].items() <= headers.items()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_signals_that_a_backend_does_not_take_go_elsewhere(row: Backend) -> None:
    """Splunk's logs and Tempo's metrics are not sent to an address that is not there."""
    for name, pipeline in _over_agent(DEPLOY / "exporters" / str(row.collector))["service"]["pipelines"].items():
        taken = name.partition("/")[0] in row.paths
        assert taken == ("otlp_http/backend" in pipeline["exporters"]), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_queue_loses_what_it_holds(file: Path) -> None:
    """On disk, forced there, blocking when it is full, retried without an end."""
    config = _over_agent(file)
    used = {each for pipeline in config["service"]["pipelines"].values() for each in pipeline["exporters"]}
    assert config["extensions"]["file_storage"]["fsync"] is True
    for name in used - set(config["connectors"]):
        kind = name.partition("/")[0]
        if kind in WITHOUT_A_QUEUE:
            continue
        exporter = config["exporters"][name]
        queue = exporter["sending_queue"]
        assert ("0s", "file_storage") == (exporter["retry_on_failure"]["max_elapsed_time"], queue["storage"]), name
        assert queue["block_on_overflow"] is True, name


def test_files_that_lose_something_are_found(tmp_path: Path) -> None:
    """The check can fail: an exporter in memory is caught."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "exporters: {otlp_http/more: {endpoint: x}}\nservice: {pipelines: {logs: {exporters: [otlp_http/more]}}}"
    )
    with pytest.raises(KeyError):
        test_no_queue_loses_what_it_holds(wrong)
