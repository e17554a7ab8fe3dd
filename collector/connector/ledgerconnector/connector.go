package ledgerconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type reading struct {
	component.StartFunc
	component.ShutdownFunc
}

func (reading) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: false} }

type toLogs struct {
	reading
	cfg  *Config
	next consumer.Logs
}

func (*toLogs) ConsumeTraces(context.Context, ptrace.Traces) error { return nil }

type toMetrics struct {
	reading
	cfg  *Config
	next consumer.Metrics
}

func (*toMetrics) ConsumeTraces(context.Context, ptrace.Traces) error { return nil }
