//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package decision answers services of any language before they call a model: reserve, then settle.
package decision
