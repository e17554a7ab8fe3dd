"""Measure one subject in one process and print one JSON line.

Blocks of bare calls and blocks of instrumented calls alternate in the same process, so that the machine's noise and the
versions in the environment cancel out; the difference is the subject's own cost. `spans_per_call` and `booked_per_call`
show that only the instrumented side was traced and that nothing was dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import importlib.util
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

for _name, _value in {
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_TRACES_EXPORTER": "none",
    "DO_NOT_TRACK": "1",
    "TRACELOOP_TELEMETRY": "false",
    "ANONYMIZED_TELEMETRY": "false",
    "OPENAI_API_KEY": "sk-bench",
}.items():
    os.environ.setdefault(_name, _value)

_started = time.perf_counter()
import openai  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: E402

BASE_IMPORT_S = time.perf_counter() - _started

import fixtures as fx  # noqa: E402
from subjects import SUBJECTS, Bare, Setting, Subject  # noqa: E402
from transport import capture_originals, make_clients  # noqa: E402

__all__ = ["main"]

# scenario: (method, pairs of blocks, calls per block, warm-up calls)
PLAN = {
    "chat": ("chat", 40, 20, 150),
    "stream": ("stream", 120, 1, 12),  # single calls: 10 ms apart, the machine has not changed its speed
    "async100": ("achat", 14, 1, 3),
    "embeddings": ("embed", 30, 16, 100),
}
CONCURRENT = 100
TOTAL_CALLS, TOTAL_PAIRS = 250, 8
BARE = Bare()


class Dropping(SpanExporter):
    """Takes spans and drops them; keeps them when told to."""

    def __init__(self) -> None:
        self.count = 0
        self.keep = False
        self.spans: list[Any] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.count += len(spans)
        if self.keep:
            self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def metrics_and_logs(seen: dict[str, Any]) -> tuple[Any, Any]:
    """The SDK's providers for metrics and logs, with exporters that drop what they are given; `seen` says what it was."""
    from opentelemetry import metrics
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    class DroppingLogs(LogRecordExporter):
        def export(self, batch: Any) -> LogRecordExportResult:
            seen["log_attributes"] = len(batch[-1].log_record.attributes or {})
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return True

    seen["reader"] = InMemoryMetricReader()
    meter_provider = MeterProvider(metric_readers=[seen["reader"]])
    metrics.set_meter_provider(meter_provider)
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(DroppingLogs()))
    set_logger_provider(logger_provider)
    return meter_provider, logger_provider


def make_setting(exporter: Dropping, with_metrics: bool, seen: dict[str, Any]) -> Setting:
    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    meter_provider, logger_provider = metrics_and_logs(seen) if with_metrics else (None, None)
    return Setting(provider, meter_provider, logger_provider, exporter, lambda: BatchSpanProcessor(exporter))


# -- timing ------------------------------------------------------------------------------------------------------------


class Samples:
    """Latencies and CPU time per call of the blocks of one side, in nanoseconds."""

    def __init__(self) -> None:
        self.blocks: list[list[float]] = []
        self.cpu: list[float] = []

    def summary(self) -> dict[str, float]:
        every = sorted(latency for block in self.blocks for latency in block)
        last = len(every) - 1
        return {
            "n": len(every),
            "median_us": statistics.median(every) / 1e3,
            "p95_us": every[int(last * 0.95)] / 1e3,
            "p99_us": every[int(last * 0.99)] / 1e3,
            "cpu_us": statistics.median(self.cpu) / 1e3,
        }


def compared(bare: Samples, own: Samples) -> dict[str, Any]:
    """Per pair of neighbouring blocks the difference of the medians; then the median over the pairs."""
    wall = [statistics.median(i) - statistics.median(b) for b, i in zip(bare.blocks, own.blocks, strict=True)]
    cpu = [i - b for b, i in zip(bare.cpu, own.cpu, strict=True)]
    return {
        "bare": bare.summary(),
        "own": own.summary(),
        "added_us": statistics.median(wall) / 1e3,
        "added_cpu_us": statistics.median(cpu) / 1e3,
    }


def order(pair: int) -> tuple[bool, bool]:
    """Which side goes first: they take turns."""
    return (False, True) if pair % 2 else (True, False)


def measure(
    scenario: str, subject: Subject, setting: Setting, clients: tuple[Any, Any], scale: float
) -> tuple[Any, int]:
    method, pairs, calls, warm_up = PLAN[scenario]
    pairs = max(3, int(pairs * scale))
    sides = {True: (getattr(subject, method), clients[1]), False: (getattr(BARE, method), clients[0])}
    samples = {True: Samples(), False: Samples()}
    for _ in range(warm_up):
        for call, client in sides.values():
            call(client)
    subject.drain(setting)
    gc.collect()
    for pair in range(pairs):
        for own in order(pair):
            call, client = sides[own]
            latencies = []
            cpu = time.process_time_ns()
            for _ in range(calls):
                started = time.perf_counter_ns()
                call(client)
                latencies.append(time.perf_counter_ns() - started)
            samples[own].cpu.append((time.process_time_ns() - cpu) / calls)
            samples[own].blocks.append(latencies)
    return compared(samples[False], samples[True]), warm_up + pairs * calls


def measure_async(subject: Subject, setting: Setting, clients: tuple[Any, Any], scale: float) -> tuple[Any, int]:
    _, pairs, _, warm_up = PLAN["async100"]
    pairs = max(3, int(pairs * scale))
    sides = {True: (subject.achat, clients[1]), False: (BARE.achat, clients[0])}
    samples = {True: Samples(), False: Samples()}

    async def main() -> None:
        for pair in range(-warm_up, pairs):
            if pair == 0:
                gc.collect()
            for own in order(pair):
                call, client = sides[own]
                cpu, started = time.process_time_ns(), time.perf_counter_ns()
                await asyncio.gather(*[call(client) for _ in range(CONCURRENT)])
                wall = (time.perf_counter_ns() - started) / CONCURRENT
                if pair >= 0:
                    samples[own].cpu.append((time.process_time_ns() - cpu) / CONCURRENT)
                    samples[own].blocks.append([wall])

    asyncio.run(main())
    subject.drain(setting)
    return compared(samples[False], samples[True]), (warm_up + pairs) * CONCURRENT


def time_scenarios(
    subject: Subject, setting: Setting, exporter: Dropping, scenarios: list[str], scale: float
) -> dict[str, Any]:
    bare_clients = make_clients(bare=True)
    started = time.perf_counter()
    subject.setup(setting)
    result: dict[str, Any] = {"setup_s": time.perf_counter() - started}
    sync_client, async_client = make_clients()
    spans, every = exporter.count, 0
    measured = {}
    for scenario in scenarios:
        if scenario == "async100":
            clients = (bare_clients[1], async_client)
            measured[scenario], calls = measure_async(subject, setting, clients, scale)
        else:
            clients = (bare_clients[0], sync_client)
            measured[scenario], calls = measure(scenario, subject, setting, clients, scale)
        subject.drain(setting)
        measured[scenario]["spans_per_call"] = (exporter.count - spans) / calls
        spans, every = exporter.count, every + calls
    booked = subject.booked()
    return result | {
        "scenarios": measured,
        "calls": every,
        "booked_per_call": None if booked is None else booked / every,
    }


def total(subject: Subject, setting: Setting, scale: float) -> dict[str, Any]:
    """CPU time per chat call, to the last span exported and the last entry in the database.

    In `time` what happens in the background falls on either side of a pair by chance; here every block of own calls ends
    with a flush, which counts.
    """
    bare_client = make_clients(bare=True)[0]
    subject.setup(setting)
    client = make_clients()[0]
    sides = {True: (subject.chat, client), False: (BARE.chat, bare_client)}
    samples: dict[bool, list[float]] = {True: [], False: []}
    for pair in range(-1, max(3, int(TOTAL_PAIRS * scale))):
        for own in order(pair):
            call, with_client = sides[own]
            gc.collect()
            started = time.process_time_ns()
            for _ in range(TOTAL_CALLS):
                call(with_client)
            if own:
                subject.drain(setting)
            if pair >= 0:
                samples[own].append((time.process_time_ns() - started) / TOTAL_CALLS / 1e3)
    added = [own - bare for bare, own in zip(samples[False], samples[True], strict=True)]
    return {
        "scenarios": {"chat": {"added_cpu_us": statistics.median(added), "added_mean_cpu_us": statistics.mean(added)}}
    }


# -- what a span carries -----------------------------------------------------------------------------------------------


def seen_on(spans: list[Any], calls: int) -> dict[str, Any]:
    fullest = max(spans, key=lambda span: len(span.attributes or {}), default=None)
    attributes = dict(fullest.attributes or {}) if fullest else {}
    events = {event.name: len(event.attributes or {}) for event in fullest.events} if fullest else {}
    text = json.dumps(
        [
            [str(v) for v in (s.attributes or {}).values()] + [str(dict(e.attributes or {})) for e in s.events]
            for s in spans
        ]
    )
    return {
        "spans_per_call": len(spans) / calls,
        "attributes": len(attributes),
        "events": events,
        "keys": sorted(attributes),
        "tokens": any("token" in key for key in attributes),
        "cost": {key: str(value) for key, value in attributes.items() if "cost" in key.lower()},
        "prompt_on_span": fx.MARK in text,
        "answer_on_span": fx.MARK_OUT in text,
    }


def measurements(reader: Any) -> dict[str, int]:
    """Per instrument since the process started: measurements of a histogram, attribute sets of a counter."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    every = [m for resource in data.resource_metrics for scope in resource.scope_metrics for m in scope.metrics]
    return {m.name: sum(getattr(point, "count", 1) for point in m.data.data_points) for m in every}


def verify(
    subject: Subject, setting: Setting, exporter: Dropping, scenarios: list[str], seen: dict[str, Any]
) -> dict[str, Any]:
    subject.setup(setting)
    exporter.keep = True
    client, async_client = make_clients()
    found = {}
    for scenario in scenarios:
        exporter.spans.clear()
        calls = 10 if scenario == "async100" else 1
        if scenario == "async100":

            async def ten() -> None:
                await asyncio.gather(*[subject.achat(async_client) for _ in range(10)])

            asyncio.run(ten())
        else:
            getattr(subject, PLAN[scenario][0])(client)
        subject.drain(setting)
        found[scenario] = seen_on(exporter.spans, calls)
        if setting.meter_provider is not None:
            setting.logger_provider.force_flush()
            found[scenario] |= {"instruments": measurements(seen["reader"]), "log": seen.get("log_attributes")}
    return {"carries": found}


def build_of(package: str) -> str | None:
    """What of our own code was measured: a hash of its installed sources."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    digest = hashlib.sha256()
    for source in sorted(Path(found.origin).parent.rglob("*")):
        if source.suffix in (".py", ".json"):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject", choices=sorted(SUBJECTS))
    parser.add_argument("--mode", default="time", choices=["time", "total", "verify"])
    parser.add_argument("--scenarios", default=",".join(PLAN))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--metrics", action="store_true", help="with the SDK's metrics and logs")
    args = parser.parse_args()
    capture_originals()
    exporter, seen = Dropping(), {}
    setting = make_setting(exporter, args.metrics, seen)
    subject = SUBJECTS[args.subject]()
    result: dict[str, Any] = {
        "subject": subject.name,
        "mode": args.mode,
        "content": subject.content,
        "openai": openai.__version__,
        "base_import_s": BASE_IMPORT_S,
        "build": build_of("genops"),
    }
    scenarios = args.scenarios.split(",")
    if args.mode == "time":
        result |= time_scenarios(subject, setting, exporter, scenarios, args.scale)
    elif args.mode == "total":
        result |= total(subject, setting, args.scale)
    else:
        result |= verify(subject, setting, exporter, scenarios, seen)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # no subject's exit handlers: some of them reach for the network
