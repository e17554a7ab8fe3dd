"""Zero-code: governing programs that do not know of GenOps, from `genops run` or `opentelemetry-instrument`."""
