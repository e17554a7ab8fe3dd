"""OTLP: what OpenTelemetry sends, over HTTP and gRPC, and how it is answered.

Source: OpenTelemetry Protocol specification 1.9, opentelemetry.io/docs/specs/otlp.
"""
