"""GenOps: governance for AI, built on OpenTelemetry."""
