//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package budgetextension keeps the state of budgets and answers reservations over HTTP.
package budgetextension
