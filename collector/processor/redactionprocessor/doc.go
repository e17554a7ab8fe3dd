//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package redactionprocessor takes personal data and secrets out of spans, log records and metrics.
package redactionprocessor
