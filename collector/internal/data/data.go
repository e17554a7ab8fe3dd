// Package data has the facts that Python and Go read alike: the same bytes as src/genops/data.
package data

import _ "embed"

// Prices is the price book.
//
//go:embed prices.json
var Prices []byte

// Dialects says how instrumentations write down a call on a span.
//
//go:embed dialects.json
var Dialects []byte

// UsageShapes says how providers state usage.
//
//go:embed usage_shapes.json
var UsageShapes []byte

// RedactionRules are the detectors of personal data and secrets.
//
//go:embed redaction_rules.json
var RedactionRules []byte

// PolicyInputs are the facts that the conditions of policy files may read.
//
//go:embed policy_inputs.json
var PolicyInputs []byte

// BudgetScripts are the Lua scripts of the Redis budget store, by name.
//
//go:embed budget_scripts.json
var BudgetScripts []byte
