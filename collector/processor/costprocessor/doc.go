//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package costprocessor prices calls to models from the spans of any instrumentation.
package costprocessor
