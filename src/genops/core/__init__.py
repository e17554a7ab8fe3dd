"""What governance is. Knows no vendor, no environment variable and no OpenTelemetry SDK (its API only)."""
