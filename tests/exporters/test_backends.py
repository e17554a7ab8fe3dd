"""Each backend gets what it wants: the real exporters, to a server on loopback in the backend's place."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from tests.exporters import loopback
from tests.exporters.loopback import TOKEN, run

from genops.config.keys import BACKEND_NAMES
from genops.core.errors import ConfigurationError
from genops.exporters.backends import BACKENDS, find_backend
from genops.exporters.destinations import Destination, Signal, resolve
from genops.exporters.otlp import exporter_to

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
STANDARD = ("/v1/traces", "/v1/metrics", "/v1/logs")


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a vendor's pages ask for, written down a second time."""

    needs: dict[str, str]
    override: str
    base: str  # on the vendor's own address
    paths: tuple[str, ...] = STANDARD
    headers: dict[str, str]
    metrics: int = CUMULATIVE
    url: str = ""  # what the override has behind the host
    signal_headers: dict[str, dict[str, str]] = field(default_factory=dict)


EXPECTED = {
    "datadog": Expected(
        needs={"DD_API_KEY": "k"},
        override="DD_OTLP_ENDPOINT",
        base="https://otlp.datadoghq.com/v1/traces",
        headers={"dd-api-key": "k"},
        metrics=DELTA,
    ),
    "honeycomb": Expected(
        needs={"HONEYCOMB_API_KEY": "k"},
        override="HONEYCOMB_ENDPOINT",
        base="https://api.honeycomb.io/v1/traces",
        headers={"x-honeycomb-team": "k"},
        signal_headers={"/v1/metrics": {"x-honeycomb-dataset": "genops"}},
    ),
    "newrelic": Expected(
        needs={"NEW_RELIC_LICENSE_KEY": "k"},
        override="NEW_RELIC_ENDPOINT",
        base="https://otlp.nr-data.net/v1/traces",
        headers={"api-key": "k"},
        metrics=DELTA,
    ),
    "grafana-cloud": Expected(
        needs={"GRAFANA_ZONE": "prod-eu-west-2", "GRAFANA_INSTANCE_ID": "12", "GRAFANA_TOKEN": "glc"},
        override="GRAFANA_OTLP_ENDPOINT",
        base="https://otlp-gateway-prod-eu-west-2.grafana.net/otlp/v1/traces",
        paths=("/otlp/v1/traces", "/otlp/v1/metrics", "/otlp/v1/logs"),
        headers={"authorization": basic("12:glc")},
        url="/otlp",
    ),
    "tempo": Expected(
        needs={"TEMPO_TENANT": "a"},
        override="TEMPO_ENDPOINT",
        base="http://127.0.0.1:4318/v1/traces",
        paths=("/v1/traces",),
        headers={"x-scope-orgid": "a"},
    ),
    "dynatrace": Expected(
        needs={"DT_ENVIRONMENT": "abc", "DT_API_TOKEN": "dt0"},
        override="DT_OTLP_ENDPOINT",
        base="https://abc.live.dynatrace.com/api/v2/otlp/v1/traces",
        paths=tuple(f"/e/abc/api/v2/otlp{path}" for path in STANDARD),
        headers={"authorization": "Api-Token dt0"},
        metrics=DELTA,
        url="/e/abc/api/v2/otlp",
    ),
    "splunk": Expected(
        needs={"SPLUNK_ACCESS_TOKEN": "k"},
        override="SPLUNK_OTLP_ENDPOINT",
        base="https://ingest.us0.observability.splunkcloud.com/v2/trace/otlp",
        paths=("/v2/trace/otlp", "/v2/datapoint/otlp"),
        headers={"x-sf-token": "k"},
    ),
    "instana": Expected(
        needs={"INSTANA_AGENT_KEY": "k", "HOSTNAME": "web-1"},
        override="INSTANA_ENDPOINT",
        base="https://otlp-blue-saas.instana.io/v1/traces",
        headers={"x-instana-key": "k", "x-instana-host": "web-1"},
    ),
    "highlight": Expected(
        needs={"HIGHLIGHT_PROJECT_ID": "p1"},
        override="HIGHLIGHT_ENDPOINT",
        base="https://otel.highlight.io:4318/v1/traces",
        headers={"x-highlight-project": "p1"},
    ),
    "traceloop": Expected(
        needs={"TRACELOOP_API_KEY": "k"},
        override="TRACELOOP_BASE_URL",
        base="https://api.traceloop.com/v1/traces",
        paths=("/v1/traces",),
        headers={"authorization": "Bearer k"},
    ),
    "elastic": Expected(
        needs={"ELASTIC_API_KEY": "k"},
        override="ELASTIC_OTLP_ENDPOINT",
        base="",
        headers={"authorization": "ApiKey k"},
        metrics=DELTA,
    ),
    "signoz": Expected(
        needs={"SIGNOZ_INGESTION_KEY": "k", "SIGNOZ_REGION": "eu"},
        override="SIGNOZ_ENDPOINT",
        base="https://ingest.eu.signoz.cloud:443/v1/traces",
        headers={"signoz-ingestion-key": "k"},
    ),
    "langfuse": Expected(
        needs={"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"},
        override="LANGFUSE_HOST",
        base="https://cloud.langfuse.com/api/public/otel/v1/traces",
        paths=("/api/public/otel/v1/traces",),
        headers={"authorization": basic("pk:sk"), "x-langfuse-ingestion-version": "4"},
    ),
    "phoenix": Expected(
        needs={"PHOENIX_API_KEY": "k"},
        override="PHOENIX_COLLECTOR_ENDPOINT",
        base="http://127.0.0.1:6006/v1/traces",
        paths=("/v1/traces",),
        headers={"authorization": "Bearer k"},
    ),
    "axiom": Expected(
        needs={
            "AXIOM_TOKEN": "k",
            "AXIOM_DATASET": "spans",
            "AXIOM_LOGS_DATASET": "logs",
            "AXIOM_METRICS_DATASET": "metrics",
        },
        override="AXIOM_URL",
        base="https://api.axiom.co/v1/traces",
        headers={"authorization": "Bearer k"},
        signal_headers={
            "/v1/traces": {"x-axiom-dataset": "spans"},
            "/v1/metrics": {"x-axiom-dataset": "metrics"},
            "/v1/logs": {"x-axiom-dataset": "logs"},
        },
    ),
}
CLOUDS = {"aws", "azure-monitor", "gcp"}


@pytest.fixture
def server() -> Iterator[loopback.Backend]:
    """A backend on loopback."""
    with loopback.backend() as running:
        yield running


def send_everything(destination: Destination) -> None:
    """One span, one counter and one histogram, one log record, by the SDK and OpenTelemetry's own exporters."""
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter_to(destination, Signal.TRACES)))
    tracers.get_tracer("t").start_span("call").end()
    tracers.shutdown()
    if Signal.METRICS in destination.endpoints:
        meters = MeterProvider([PeriodicExportingMetricReader(exporter_to(destination, Signal.METRICS))])
        meters.get_meter("t").create_counter("spent").add(1)
        meters.get_meter("t").create_histogram("took").record(1)
        meters.get_meter("t").create_up_down_counter("open").add(1)
        meters.shutdown()
    if Signal.LOGS in destination.endpoints:
        loggers = LoggerProvider()
        loggers.add_log_record_processor(SimpleLogRecordProcessor(exporter_to(destination, Signal.LOGS)))
        loggers.get_logger("t").emit(LogRecord(body="settled"))
        loggers.shutdown()


def test_every_row_is_expected_here_and_a_word_of_the_settings() -> None:
    """The table, the settings and this file know the same backends."""
    assert set(BACKENDS) == set(EXPECTED) | CLOUDS == set(BACKEND_NAMES)


@pytest.mark.parametrize("name", EXPECTED)
def test_backend_gets_each_signal_where_and_as_it_wants_it(name: str, server: loopback.Backend) -> None:
    """Paths, headers, binary protobuf, gzip, and the temporality of counters and histograms."""
    expected = EXPECTED[name]
    values = expected.needs | {expected.override: server.url + expected.url}
    send_everything(resolve(BACKENDS[name], values.get))

    assert set(expected.paths) == server.paths
    for sent in server.sent:
        assert "application/x-protobuf" == sent.headers["content-type"]
        assert "gzip" == sent.headers["content-encoding"]
        wanted = expected.headers | expected.signal_headers.get(sent.path, {})
        assert wanted == {key: sent.headers.get(key) for key in wanted}
    assert ["call"] == [span.name for span in server.to(expected.paths[0]).spans]
    if len(expected.paths) > 1:
        metrics = server.to(expected.paths[1]).metrics
        assert expected.metrics == metrics["spent"].sum.aggregation_temporality
        assert expected.metrics == metrics["took"].histogram.aggregation_temporality
        assert CUMULATIVE == metrics["open"].sum.aggregation_temporality


@pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name].base])
def test_without_an_override_it_is_the_vendors_address(name: str) -> None:
    """What is sent to when only the key is set."""
    assert EXPECTED[name].base == resolve(BACKENDS[name], EXPECTED[name].needs.get).endpoints[Signal.TRACES]


@pytest.mark.parametrize("name", BACKENDS)
def test_error_names_every_variable_that_is_missing(name: str) -> None:
    """And what to type; a backend that needs none resolves."""
    row = BACKENDS[name]
    needed = [each.name for each in row.variables if each.default is None]
    if not needed:
        assert resolve(row, {}.get).endpoints
        return
    with pytest.raises(ConfigurationError) as raised:
        resolve(row, {}.get)

    assert [] == [
        each for each in needed if each not in raised.value.message or f"{each}=" not in str(raised.value.fix)
    ]


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ("api.honeycomb.io:443", "export HONEYCOMB_ENDPOINT=https://api.honeycomb.io:443"),
        ("https://x.io/v1/traces", "export HONEYCOMB_ENDPOINT=https://x.io"),
        ("https://x.io/a/v1/metrics/", "export HONEYCOMB_ENDPOINT=https://x.io/a"),
    ],
)
def test_address_that_is_no_base_is_refused(given: str, fix: str) -> None:
    """A host without scheme, and the full address of one signal."""
    with pytest.raises(ConfigurationError) as raised:
        resolve(BACKENDS["honeycomb"], {"HONEYCOMB_API_KEY": "k", "HONEYCOMB_ENDPOINT": given}.get)

    assert fix == raised.value.fix


def test_unknown_backend_is_told_the_nearest() -> None:
    """`grafana` is not a row; `grafana-cloud` is."""
    with pytest.raises(ConfigurationError, match="Did you mean 'grafana-cloud'"):
        find_backend("grafana")


def test_signal_without_its_variable_is_left_out() -> None:
    """Axiom's datasets are one for each signal: without one, the signal is not sent, and validate says so."""
    found = resolve(BACKENDS["axiom"], {"AXIOM_TOKEN": "k", "AXIOM_DATASET": "d"}.get)

    assert {Signal.TRACES} == set(found.endpoints)
    assert {Signal.METRICS: "AXIOM_METRICS_DATASET", Signal.LOGS: "AXIOM_LOGS_DATASET"} == found.left_out


def test_header_without_its_variable_is_left_out() -> None:
    """A Phoenix without authentication gets no empty one."""
    assert {} == resolve(BACKENDS["phoenix"], {}.get).headers[Signal.TRACES]


def test_address_of_the_users_own_needs_no_parts_of_the_vendors() -> None:
    """DT_ENVIRONMENT is a part of an address that is given whole."""
    values = {"DT_API_TOKEN": "t", "DT_OTLP_ENDPOINT": "https://gate:9999/e/x/api/v2/otlp"}

    assert "https://gate:9999/e/x/api/v2/otlp/v1/logs" == resolve(BACKENDS["dynatrace"], values.get).endpoints["logs"]


def test_destination_does_not_show_its_keys() -> None:
    """What is printed or logged has no secret in it."""
    assert "hush" not in repr(resolve(BACKENDS["datadog"], {"DD_API_KEY": "hush"}.get))


def test_request_over_the_limit_is_sent_in_parts(server: loopback.Backend) -> None:
    """New Relic takes 1 MB: 40 spans of 60 kB are three requests or more, and none is lost."""
    values = {"NEW_RELIC_LICENSE_KEY": "k", "NEW_RELIC_ENDPOINT": server.url}
    exporter = exporter_to(resolve(BACKENDS["newrelic"], values.get), Signal.TRACES)
    tracer = TracerProvider().get_tracer("t")
    spans = [tracer.start_span(str(n), attributes={"text": f"{n:06d}" * 10_000}) for n in range(40)]
    for span in spans:
        span.end()
    exporter.export(spans)
    exporter.shutdown()

    assert [str(n) for n in range(40)] == [span.name for each in server.sent for span in each.spans]
    assert 1_000_000 >= max(len(each.body) for each in server.sent)


# -- what a user writes ------------------------------------------------------------------------------------------------

APP = """
import sys, genops
genops.configure({arguments})
print(genops.status().exporting_to)
from opentelemetry import trace
trace.get_tracer("t").start_span("wide", attributes={{"text": "x" * 9000}}).end()
genops.track_cost("0.25", provider="acme", model="m")
"""


@pytest.mark.parametrize("how", ["argument", "file", "variable"])
def test_backend_is_one_word_of_the_settings(how: str, server: loopback.Backend, tmp_path: Path) -> None:
    """`configure(backend=...)`, `backend:` in genops.yaml and GENOPS_BACKEND are the same."""
    variables = {"NEW_RELIC_LICENSE_KEY": "k", "NEW_RELIC_ENDPOINT": server.url}
    if how == "variable":
        variables["GENOPS_BACKEND"] = "newrelic"
    if how == "file":
        (tmp_path / "genops.yaml").write_text("backend: newrelic\n")
    code = APP.format(arguments="backend='newrelic'" if how == "argument" else "")
    done = run(tmp_path, code, **variables)

    assert 0 == done.returncode, done.stderr
    assert f"New Relic, {server.url}/v1/traces" == done.stdout.strip()
    assert set(STANDARD) == server.paths
    assert DELTA == server.to("/v1/metrics").metrics["genops.cost"].sum.aggregation_temporality
    (wide,) = (span for sent in server.sent if sent.path == "/v1/traces" for span in sent.spans if span.name == "wide")
    assert 4095 == len(wide.attributes[0].value.string_value)  # New Relic keeps no more


def test_missing_key_is_an_error_before_any_call(tmp_path: Path) -> None:
    """It is asked for by name, so it does not go on in silence."""
    done = run(tmp_path, APP.format(arguments="backend='honeycomb'"))

    assert 1 == done.returncode
    assert "backend 'honeycomb' needs HONEYCOMB_API_KEY, which is not set." in done.stderr
    assert "fix: export HONEYCOMB_API_KEY=hcaik_..." in done.stderr


def test_backend_is_not_set_up_where_the_sdk_is_disabled(server: loopback.Backend, tmp_path: Path) -> None:
    """OTEL_SDK_DISABLED switches exporting off, as everywhere; the ledger is kept."""
    variables = {"OTEL_SDK_DISABLED": "true", "HONEYCOMB_ENDPOINT": server.url}
    done = run(tmp_path, APP.format(arguments="backend='honeycomb'"), **variables)

    assert (0, "None") == (done.returncode, done.stdout.strip())
    assert [] == server.sent


def test_unknown_backend_in_the_environment_is_told_the_nearest(tmp_path: Path) -> None:
    """The variable is named, and what it may be."""
    done = run(tmp_path, APP.format(arguments=""), GENOPS_BACKEND="honeycom")

    assert "GENOPS_BACKEND is 'honeycom', and there is no such backend. Did you mean 'honeycomb'?\n" in done.stderr


def test_unknown_backend_in_the_file_is_told_its_line(tmp_path: Path) -> None:
    """File, line and the nearest name."""
    (tmp_path / "genops.yaml").write_text("enabled: true\nbackend: honeycom\n")
    done = run(tmp_path, APP.format(arguments=""))

    assert "genops.yaml:2: backend is 'honeycom'" in done.stderr
    assert "Did you mean 'honeycomb'?" in done.stderr


def test_own_providers_go_before_the_backend(tmp_path: Path) -> None:
    """An application that set OpenTelemetry up keeps what it has, and is told."""
    own = (
        "import logging; logging.basicConfig()\nfrom opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\ntrace.set_tracer_provider(TracerProvider())\n"
    )
    done = run(tmp_path, own + APP.format(arguments="backend='honeycomb'"), HONEYCOMB_API_KEY="k")

    assert "backend honeycomb is not set up" in done.stderr
    assert "the application's own OpenTelemetry providers" == done.stdout.strip()


def test_configuring_twice_is_configuring_once(server: loopback.Backend, tmp_path: Path) -> None:
    """The second time nothing is set up anew, nothing is complained of, and the place is still known."""
    variables = {"HONEYCOMB_API_KEY": "k", "HONEYCOMB_ENDPOINT": server.url}
    code = "import logging; logging.basicConfig()\nimport genops\ngenops.configure(backend='honeycomb')\n"
    done = run(tmp_path, code + APP.format(arguments="backend='honeycomb'"), **variables)

    assert ("", f"Honeycomb, {server.url}/v1/traces") == (done.stderr, done.stdout.strip())


def test_exporter_in_code_takes_a_backend(server: loopback.Backend, tmp_path: Path) -> None:
    """`configure_otlp_exporter(backend=...)`, and not together with an endpoint."""
    code = "import genops\nprint(genops.configure_otlp_exporter(backend='honeycomb'))\n" + APP.format(arguments="")
    done = run(tmp_path, code, HONEYCOMB_API_KEY="k", HONEYCOMB_ENDPOINT=server.url)
    both = run(tmp_path, "import genops; genops.configure_otlp_exporter('http://x', backend='honeycomb')")

    assert 0 == done.returncode, done.stderr
    assert "k" == server.to("/v1/traces").headers["x-honeycomb-team"]
    assert "a backend has its own endpoint and headers" in both.stderr


# -- credentials that change -------------------------------------------------------------------------------------------


def _host(url: str) -> str:
    return urlsplit(url).netloc


CLOUD_VARIABLES: dict[str, Callable[[str], dict[str, str]]] = {
    "aws": lambda url: {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_OTLP_LOG_GROUP": "group",
    },
    "azure-monitor": lambda url: {
        "AZURE_MONITOR_ENDPOINT": url,
        "AZURE_MONITOR_DCR": "dcr-1",
        "IDENTITY_ENDPOINT": f"{url}/msi/token",
        "IDENTITY_HEADER": "h",
    },
    "gcp": lambda url: {
        "GCP_OTLP_ENDPOINT": url,
        "GOOGLE_CLOUD_PROJECT": "shop-123",
        "GCE_METADATA_HOST": _host(url),
        "GCE_METADATA_IP": _host(url),
        "GCE_METADATA_ROOT": _host(url),
    },
}


def test_requests_to_aws_are_signed(server: loopback.Backend, tmp_path: Path) -> None:
    """The signature is the one that botocore computes from what arrived; each signal is a service of its own."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    done = run(tmp_path, APP.format(arguments="backend='aws'"), **CLOUD_VARIABLES["aws"](server.url))
    assert (0, "") == (done.returncode, done.stderr)
    assert set(STANDARD) == server.paths
    for path, service in (("/v1/traces", "xray"), ("/v1/metrics", "monitoring"), ("/v1/logs", "logs")):
        sent = server.to(path)
        scope = sent.headers["authorization"].partition("Credential=")[2].partition(",")[0]
        assert scope.endswith(f"/eu-central-1/{service}/aws4_request")
        names = sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        again = AWSRequest("POST", server.url + path, {name: sent.headers[name] for name in names}, sent.raw)
        again.context["timestamp"] = sent.headers["x-amz-date"]
        signer = SigV4Auth(Credentials("AKID", "secret", "session"), service, "eu-central-1")
        signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
        assert sent.headers["authorization"].endswith(f"Signature={signature}")
    assert ("group", "genops") == tuple(
        server.to("/v1/logs").headers[f"x-aws-log-{each}"] for each in ("group", "stream")
    )


def test_azure_gets_a_token_and_the_streams_of_its_rule(server: loopback.Backend, tmp_path: Path) -> None:
    """azure-identity fetches it, from the identity endpoint; histograms are exponential, as Azure wants them."""
    done = run(
        tmp_path, APP.format(arguments="backend='azure-monitor'"), **CLOUD_VARIABLES["azure-monitor"](server.url)
    )
    streams = "/dataCollectionRules/dcr-1/streams"
    metrics = f"{streams}/Custom-Metrics-Otel/otlp/v1/metrics"

    assert (0, "") == (done.returncode, done.stderr)
    assert {
        f"{streams}/Microsoft-OTLP-Traces/otlp/v1/traces",
        metrics,
        f"{streams}/Microsoft-OTLP-Logs/otlp/v1/logs",
    } == server.paths
    assert {f"Bearer {TOKEN}"} == {sent.headers["authorization"] for sent in server.sent}
    assert DELTA == server.to(metrics).metrics["genops.call.duration"].exponential_histogram.aggregation_temporality


def test_google_gets_a_token_and_the_project(server: loopback.Backend, tmp_path: Path) -> None:
    """google-auth fetches it, from the metadata server; the project is in the resource."""
    done = run(tmp_path, APP.format(arguments="backend='gcp'"), **CLOUD_VARIABLES["gcp"](server.url))

    assert (0, "") == (done.returncode, done.stderr)
    assert {"/v1/traces", "/v1/metrics"} == server.paths
    assert {f"Bearer {TOKEN}"} == {sent.headers["authorization"] for sent in server.sent}
    assert "shop-123" == server.to("/v1/traces").resource["gcp.project_id"]


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [("aws", "botocore.session", "botocore"), ("azure-monitor", "azure.identity", "azure-identity"),
     ("gcp", "google.auth", "google-auth")],
)  # fmt: skip
def test_missing_vendor_library_is_named(name: str, module: str, package: str, tmp_path: Path) -> None:
    """Asked for and not there: an error with what to install."""
    hidden = f"import sys; sys.modules[{module!r}] = None\n"
    variables = CLOUD_VARIABLES[name]("http://127.0.0.1:9")
    done = run(tmp_path, hidden + APP.format(arguments=f"backend={name!r}"), **variables)

    assert f"fix: pip install {package}" in done.stderr


def test_missing_aws_credentials_are_named(tmp_path: Path) -> None:
    """No key, no profile, no role."""
    variables = {"AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}
    done = run(tmp_path, APP.format(arguments="backend='aws'"), **variables)

    assert "no AWS credentials were found" in done.stderr
