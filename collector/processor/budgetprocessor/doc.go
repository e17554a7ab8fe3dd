//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package budgetprocessor charges what calls cost to budgets, and tells of the thresholds they pass.
package budgetprocessor
