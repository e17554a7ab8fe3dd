//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package ledgerconnector turns settled calls on spans into ledger events and metrics.
package ledgerconnector
