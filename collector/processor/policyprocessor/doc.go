//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package policyprocessor decides about calls to models by policy files, after they were made.
package policyprocessor
