"""The public test kit: capture telemetry, replay recordings, check conformance."""
