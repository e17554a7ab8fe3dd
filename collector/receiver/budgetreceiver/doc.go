//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package budgetreceiver tells of budgets: a log record for each threshold that is passed, and metrics of where they stand.
package budgetreceiver
