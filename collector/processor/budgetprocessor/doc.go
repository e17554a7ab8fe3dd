//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package budgetprocessor charges settled calls to budgets and says on the spans where those stand.
package budgetprocessor
