package budgetprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
)

type budgetProcessor struct{}

func newBudget(processor.Settings, *Config) *budgetProcessor {
	return &budgetProcessor{}
}

func (p *budgetProcessor) processTraces(_ context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	return td, nil
}
