package budgetextension

import "go.opentelemetry.io/collector/component"

type budgets struct {
	component.StartFunc
	component.ShutdownFunc
	cfg *Config
}
