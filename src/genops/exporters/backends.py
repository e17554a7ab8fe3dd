"""Backends: one row for each, with what it takes, where, and what goes wrong.

The facts are those of the vendors' pages, read in November 2026. docs/reference/backends.md is made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError
from genops.exporters.destinations import Backend, Needed, Signal, Temporality

__all__ = ["BACKENDS", "find_backend"]

_TRACES = {Signal.TRACES: "/v1/traces"}
_TRACES_METRICS = {**_TRACES, Signal.METRICS: "/v1/metrics"}
_ALL = {**_TRACES_METRICS, Signal.LOGS: "/v1/logs"}
_BOTH = "HTTP protobuf, gRPC"


def _at(prefix: str, paths: Mapping[Signal, str]) -> dict[Signal, str]:
    return {signal: prefix + path for signal, path in paths.items()}


_ROWS = (
    Backend(
        name="datadog",
        title="Datadog",
        override="DD_OTLP_ENDPOINT",
        base="https://otlp.{DD_SITE}",
        paths=_ALL,
        headers={"dd-api-key": "{DD_API_KEY}"},
        variables=(
            Needed(name="DD_API_KEY", meaning="an API key of the organisation", example="0123..."),
            Needed(name="DD_SITE", meaning="the site", example="datadoghq.eu", default="datadoghq.com"),
        ),
        protocols="HTTP protobuf, HTTP JSON",
        temporality=Temporality.DELTA,
        pitfalls=(
            "a key of another site answers 403: set DD_SITE",
            "spans make no APM trace metrics by themselves; the dashboards count with the metrics of GenOps",
            "the vendor asks for its Agent or the Collector at large volumes",
        ),
        collector="datadog.yaml",
        source="https://docs.datadoghq.com/opentelemetry/setup/otlp_ingest/",
    ),
    Backend(
        name="honeycomb",
        title="Honeycomb",
        override="HONEYCOMB_ENDPOINT",
        base="https://api.honeycomb.io",
        paths=_ALL,
        headers={"x-honeycomb-team": "{HONEYCOMB_API_KEY}"},
        signal_headers={Signal.METRICS: {"x-honeycomb-dataset": "{HONEYCOMB_METRICS_DATASET}"}},
        variables=(
            Needed(name="HONEYCOMB_API_KEY", meaning="an ingest key of the environment", example="hcaik_..."),
            Needed(
                name="HONEYCOMB_METRICS_DATASET", meaning="the dataset of metrics", example="genops", default="genops"
            ),
        ),
        protocols="HTTP protobuf, HTTP JSON, gRPC",
        pitfalls=(
            "in the EU: HONEYCOMB_ENDPOINT=https://api.eu1.honeycomb.io",
            "spans and log records go to the dataset named like `service.name`: set OTEL_SERVICE_NAME",
        ),
        collector="honeycomb.yaml",
        source="https://docs.honeycomb.io/send-data/opentelemetry/",
    ),
    Backend(
        name="newrelic",
        title="New Relic",
        override="NEW_RELIC_ENDPOINT",
        base="https://otlp.nr-data.net",
        paths=_ALL,
        headers={"api-key": "{NEW_RELIC_LICENSE_KEY}"},
        variables=(Needed(name="NEW_RELIC_LICENSE_KEY", meaning="a licence key for ingest", example="...NRAL"),),
        protocols=_BOTH,
        temporality=Temporality.DELTA,
        attribute_length=4095,
        request_bytes=1_000_000,
        pitfalls=(
            "in the EU: NEW_RELIC_ENDPOINT=https://otlp.eu01.nr-data.net",
            "values over 4,095 characters are cut, so prompts are; lists over 64 items, too",
            "it answers 200 to what it cannot use: look for NrIntegrationError",
        ),
        collector="newrelic.yaml",
        source="https://docs.newrelic.com/docs/opentelemetry/best-practices/opentelemetry-otlp/",
    ),
    Backend(
        name="grafana-cloud",
        title="Grafana Cloud",
        override="GRAFANA_OTLP_ENDPOINT",
        base="https://otlp-gateway-{GRAFANA_ZONE}.grafana.net/otlp",
        paths=_ALL,
        headers={"authorization": "Basic {GRAFANA_INSTANCE_ID:GRAFANA_TOKEN}"},
        variables=(
            Needed(name="GRAFANA_ZONE", meaning="the zone of the stack", example="prod-eu-west-2"),
            Needed(name="GRAFANA_INSTANCE_ID", meaning="the instance id, a number", example="123456"),
            Needed(name="GRAFANA_TOKEN", meaning="a token of an access policy that may write", example="glc_..."),
        ),
        temporality=Temporality.CUMULATIVE,
        pitfalls=("not the address of Tempo, STACK.grafana.net/tempo, which refuses OTLP over HTTP",),
        collector="grafana-cloud.yaml",
        source="https://grafana.com/docs/grafana-cloud/send-data/otlp/send-data-otlp/",
    ),
    Backend(
        name="tempo",
        title="Grafana Tempo",
        override="TEMPO_ENDPOINT",
        base="http://127.0.0.1:4318",
        paths=_TRACES,
        headers={"x-scope-orgid": "{TEMPO_TENANT}"},
        variables=(
            Needed(name="TEMPO_TENANT", meaning="the tenant, where there are several", example="team-a", default=""),
        ),
        protocols=_BOTH,
        pitfalls=("it takes traces alone: metrics go to Mimir or Prometheus, log records to Loki, by the Collector",),
        collector="tempo.yaml",
        source="https://grafana.com/docs/tempo/latest/configuration/",
    ),
    Backend(
        name="dynatrace",
        title="Dynatrace",
        override="DT_OTLP_ENDPOINT",
        base="https://{DT_ENVIRONMENT}.live.dynatrace.com/api/v2/otlp",
        paths=_ALL,
        headers={"authorization": "Api-Token {DT_API_TOKEN}"},
        variables=(
            Needed(name="DT_ENVIRONMENT", meaning="the id of the environment", example="abc12345"),
            Needed(
                name="DT_API_TOKEN",
                meaning="scopes openTelemetryTrace.ingest, metrics.ingest, logs.ingest",
                example="dt0c01...",
            ),
        ),
        temporality=Temporality.DELTA,
        pitfalls=(
            "cumulative metrics are refused; so are gRPC and JSON, with 415",
            "through an ActiveGate: DT_OTLP_ENDPOINT=https://HOST:9999/e/ENVIRONMENT/api/v2/otlp",
        ),
        collector="dynatrace.yaml",
        source="https://docs.dynatrace.com/docs/ingest-from/opentelemetry/otlp-api",
    ),
    Backend(
        name="splunk",
        title="Splunk Observability Cloud",
        override="SPLUNK_OTLP_ENDPOINT",
        base="https://ingest.{SPLUNK_REALM}.observability.splunkcloud.com",
        paths={Signal.TRACES: "/v2/trace/otlp", Signal.METRICS: "/v2/datapoint/otlp"},
        headers={"x-sf-token": "{SPLUNK_ACCESS_TOKEN}"},
        variables=(
            Needed(name="SPLUNK_ACCESS_TOKEN", meaning="an access token for ingest", example="..."),
            Needed(name="SPLUNK_REALM", meaning="the realm", example="eu0", default="us0"),
        ),
        protocols=_BOTH,
        pitfalls=("its paths are its own", "log records go to a HEC endpoint, which is not OTLP: they are not sent"),
        collector="splunk.yaml",
        source="https://help.splunk.com/en/splunk-observability-cloud/manage-data/other-ingestion-methods",
    ),
    Backend(
        name="instana",
        title="IBM Instana",
        override="INSTANA_ENDPOINT",
        base="https://otlp-blue-saas.instana.io",
        paths=_ALL,
        headers={"x-instana-key": "{INSTANA_AGENT_KEY}", "x-instana-host": "{HOSTNAME}"},
        variables=(
            Needed(name="INSTANA_AGENT_KEY", meaning="the agent key", example="..."),
            Needed(name="HOSTNAME", meaning="the host that spans are shown under", example="web-1", default="genops"),
        ),
        protocols=_BOTH,
        pitfalls=(
            "each region has an address of its own: INSTANA_ENDPOINT=https://otlp-COLOR-saas.instana.io",
            "without host.id, faas.id or device.id in the resource, the header x-instana-host is what it goes by",
        ),
        collector="instana.yaml",
        source="https://www.ibm.com/docs/en/instana-observability?topic=opentelemetry-sending-otlp-data-instana-backend",
    ),
    Backend(
        name="highlight",
        title="Highlight (LaunchDarkly)",
        override="HIGHLIGHT_ENDPOINT",
        base="https://otel.highlight.io:4318",
        paths=_ALL,
        headers={"x-highlight-project": "{HIGHLIGHT_PROJECT_ID}"},
        resource={"highlight.project_id": "{HIGHLIGHT_PROJECT_ID}"},
        variables=(Needed(name="HIGHLIGHT_PROJECT_ID", meaning="the project", example="1jdkoe52"),),
        protocols=_BOTH,
        pitfalls=("legacy: whether the service goes on under this address was not confirmed",),
        collector="highlight.yaml",
        source="https://www.highlight.io/docs/getting-started/native-opentelemetry/overview",
    ),
    Backend(
        name="traceloop",
        title="Traceloop",
        override="TRACELOOP_BASE_URL",
        base="https://api.traceloop.com",
        paths=_TRACES,
        headers={"authorization": "Bearer {TRACELOOP_API_KEY}"},
        variables=(Needed(name="TRACELOOP_API_KEY", meaning="the key of a project and environment", example="tl_..."),),
        pitfalls=("it takes traces alone", "a key is of one project and one environment"),
        collector="traceloop.yaml",
        source="https://www.traceloop.com/docs/openllmetry/integrations/traceloop",
    ),
    Backend(
        name="elastic",
        title="Elastic Cloud",
        override="ELASTIC_OTLP_ENDPOINT",
        base=None,
        paths=_ALL,
        headers={"authorization": "ApiKey {ELASTIC_API_KEY}"},
        variables=(Needed(name="ELASTIC_API_KEY", meaning="an API key of the deployment", example="..."),),
        protocols=_BOTH,
        temporality=Temporality.DELTA,
        pitfalls=(
            "for a cluster of your own, run an EDOT Collector as gateway; the .apm address is the path of before",
            "before 9.5.3 cumulative histograms are dropped; delta is what every version takes",
        ),
        collector="elastic.yaml",
        source="https://www.elastic.co/docs/reference/managed-inputs/managed-otlp-endpoint",
    ),
    Backend(
        name="signoz",
        title="SigNoz",
        override="SIGNOZ_ENDPOINT",
        base="https://ingest.{SIGNOZ_REGION}.signoz.cloud:443",
        paths=_ALL,
        headers={"signoz-ingestion-key": "{SIGNOZ_INGESTION_KEY}"},
        variables=(
            Needed(name="SIGNOZ_REGION", meaning="the region of SigNoz Cloud", example="eu", default="us"),
            Needed(
                name="SIGNOZ_INGESTION_KEY", meaning="of SigNoz Cloud; your own has none", example="...", default=""
            ),
        ),
        protocols=_BOTH,
        pitfalls=("one of your own: SIGNOZ_ENDPOINT=http://HOST:4318, and no key",),
        collector="signoz.yaml",
        source="https://signoz.io/docs/ingestion/signoz-cloud/overview/",
    ),
    Backend(
        name="langfuse",
        title="Langfuse",
        override="LANGFUSE_HOST",
        base="https://cloud.langfuse.com",
        paths=_at("/api/public/otel", _TRACES),
        headers={
            "authorization": "Basic {LANGFUSE_PUBLIC_KEY:LANGFUSE_SECRET_KEY}",
            "x-langfuse-ingestion-version": "4",
        },
        variables=(
            Needed(name="LANGFUSE_PUBLIC_KEY", meaning="the public key of the project", example="pk-lf-..."),
            Needed(name="LANGFUSE_SECRET_KEY", meaning="the secret key of the project", example="sk-lf-..."),
        ),
        protocols="HTTP protobuf, HTTP JSON",
        pitfalls=(
            "in the US: LANGFUSE_HOST=https://us.cloud.langfuse.com",
            "it takes traces alone: metrics are accepted and thrown away, so they are not sent",
        ),
        source="https://langfuse.com/integrations/native/opentelemetry",
    ),
    Backend(
        name="phoenix",
        title="Arize Phoenix",
        override="PHOENIX_COLLECTOR_ENDPOINT",
        base="http://127.0.0.1:6006",
        paths=_TRACES,
        headers={"authorization": "Bearer {PHOENIX_API_KEY}"},
        variables=(Needed(name="PHOENIX_API_KEY", meaning="where Phoenix asks for one", example="...", default=""),),
        protocols=_BOTH,
        pitfalls=(
            "it takes traces alone",
            "it draws what has OpenInference names: run an openinference instrumentation beside GenOps",
        ),
        source="https://arize.com/docs/phoenix/tracing/how-to-tracing/setup-tracing",
    ),
    Backend(
        name="axiom",
        title="Axiom",
        override="AXIOM_URL",
        base="https://api.axiom.co",
        paths=_ALL,
        headers={"authorization": "Bearer {AXIOM_TOKEN}"},
        signal_headers={
            Signal.TRACES: {"x-axiom-dataset": "{AXIOM_DATASET}"},
            Signal.METRICS: {"x-axiom-dataset": "{AXIOM_METRICS_DATASET}"},
            Signal.LOGS: {"x-axiom-dataset": "{AXIOM_LOGS_DATASET}"},
        },
        variables=(
            Needed(name="AXIOM_TOKEN", meaning="an API token that may ingest", example="xaat-..."),
            Needed(name="AXIOM_DATASET", meaning="the dataset of traces", example="genops-traces"),
            Needed(name="AXIOM_LOGS_DATASET", meaning="the dataset of log records", example="genops-logs", default=""),
            Needed(
                name="AXIOM_METRICS_DATASET", meaning="the dataset of metrics", example="genops-metrics", default=""
            ),
        ),
        pitfalls=("each signal has a dataset of its own; one without is not sent", "metrics are in preview"),
        source="https://axiom.co/docs/send-data/opentelemetry",
    ),
    Backend(
        name="aws",
        title="AWS (X-Ray and CloudWatch)",
        override="AWS_ENDPOINT_URL",
        base=None,
        bases={
            Signal.TRACES: "https://xray.{AWS_REGION}.amazonaws.com",
            Signal.METRICS: "https://monitoring.{AWS_REGION}.amazonaws.com",
            Signal.LOGS: "https://logs.{AWS_REGION}.amazonaws.com",
        },
        paths=_ALL,
        signal_headers={
            Signal.LOGS: {"x-aws-log-group": "{AWS_OTLP_LOG_GROUP}", "x-aws-log-stream": "{AWS_OTLP_LOG_STREAM}"}
        },
        variables=(
            Needed(name="AWS_REGION", meaning="the region", example="eu-central-1"),
            Needed(
                name="AWS_OTLP_LOG_GROUP", meaning="an existing group for log records", example="genops", default=""
            ),
            Needed(name="AWS_OTLP_LOG_STREAM", meaning="an existing stream in it", example="calls", default="genops"),
        ),
        credentials="aws",
        region="{AWS_REGION}",
        protocols="HTTP protobuf, HTTP JSON",
        request_bytes=5_000_000,
        pitfalls=(
            "requests are signed (SigV4) by botocore, with the credentials of AWS's tools: pip install botocore",
            "a span over 200 KB is refused; a resource over 16 KB, or a span older than 14 days, refuses the request",
            "traces are taken once CloudWatch is the destination of X-Ray's spans (Transaction Search)",
        ),
        source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html",
    ),
    Backend(
        name="azure-monitor",
        title="Azure Monitor",
        override="AZURE_MONITOR_ENDPOINT",
        base=None,
        bases={
            Signal.TRACES: "{AZURE_MONITOR_LOGS_DCE}",
            Signal.METRICS: "{AZURE_MONITOR_METRICS_DCE}",
            Signal.LOGS: "{AZURE_MONITOR_LOGS_DCE}",
        },
        paths={
            Signal.TRACES: "/dataCollectionRules/{AZURE_MONITOR_DCR}/streams/Microsoft-OTLP-Traces/otlp/v1/traces",
            Signal.METRICS: "/dataCollectionRules/{AZURE_MONITOR_DCR}/streams/Custom-Metrics-Otel/otlp/v1/metrics",
            Signal.LOGS: "/dataCollectionRules/{AZURE_MONITOR_DCR}/streams/Microsoft-OTLP-Logs/otlp/v1/logs",
        },
        variables=(
            Needed(
                name="AZURE_MONITOR_LOGS_DCE",
                meaning="the logs address of the data collection endpoint",
                example="https://NAME.REGION-1.ingest.monitor.azure.com",
            ),
            Needed(
                name="AZURE_MONITOR_METRICS_DCE",
                meaning="its metrics address",
                example="https://NAME.REGION-1.metrics.ingest.monitor.azure.com",
            ),
            Needed(name="AZURE_MONITOR_DCR", meaning="the immutable id of the rule", example="dcr-0123..."),
        ),
        credentials="azure",
        temporality=Temporality.DELTA,
        exponential_histograms=True,
        pitfalls=(
            "preview: the vendor's pages disagree on when it is general",
            "a token of Microsoft Entra is fetched by azure-identity: pip install azure-identity",
            "the identity needs the role Monitoring Metrics Publisher on the data collection rule, or 403",
        ),
        source="https://learn.microsoft.com/en-us/azure/azure-monitor/containers/opentelemetry-protocol-ingestion",
    ),
    Backend(
        name="gcp",
        title="Google Cloud",
        override="GCP_OTLP_ENDPOINT",
        base="https://telemetry.googleapis.com",
        paths=_TRACES_METRICS,
        resource={"gcp.project_id": "{GOOGLE_CLOUD_PROJECT}"},
        variables=(Needed(name="GOOGLE_CLOUD_PROJECT", meaning="the project", example="shop-123"),),
        credentials="google",
        protocols=_BOTH,
        pitfalls=(
            "application default credentials are renewed by google-auth: pip install google-auth",
            "the account needs roles/telemetry.writer; log records are not sent, that part of the API is in preview",
        ),
        source="https://docs.cloud.google.com/stackdriver/docs/reference/telemetry/overview",
    ),
)
BACKENDS: Mapping[str, Backend] = {row.name: row for row in _ROWS}


def find_backend(name: str) -> Backend:
    """Return the row of the backend `name`. Raises `ConfigurationError` that says which there are."""
    if name not in BACKENDS:
        raise ConfigurationError(
            f"there is no backend {name!r}.{did_you_mean(name, BACKENDS)}", fix=f"use {', '.join(sorted(BACKENDS))}"
        )
    return BACKENDS[name]
