//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package budgetstate keeps the counters of budgets for processors, receivers and the decision endpoint.
package budgetstate
