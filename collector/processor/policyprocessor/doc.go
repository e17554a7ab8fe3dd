//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package policyprocessor decides calls by policy files after the fact, and marks, drops or routes them.
package policyprocessor
