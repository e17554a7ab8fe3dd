package policyprocessor

import "go.opentelemetry.io/collector/component"

// Config is what a user writes under `genops_policy`.
type Config struct{}

var _ component.Config = (*Config)(nil)

// Validate names the first setting that cannot work, and what to write in its place.
func (*Config) Validate() error { return nil }
