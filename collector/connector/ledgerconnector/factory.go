package ledgerconnector

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/genops-ai/genops/collector/connector/ledgerconnector/internal/metadata"
)

// NewFactory makes the factory of `genops_ledger`.
func NewFactory() connector.Factory {
	return connector.NewFactory(
		metadata.Type,
		createDefaultConfig,
		connector.WithTracesToLogs(createTracesToLogs, metadata.TracesToLogsStability),
		connector.WithTracesToMetrics(createTracesToMetrics, metadata.TracesToMetricsStability),
	)
}

func createTracesToLogs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Traces, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	events := cfg.(*Config).Events
	return &toLogs{
		next: next, telemetry: telemetry, version: set.BuildInfo.Version,
		usage: slices.Contains(events, usageEvent), violations: slices.Contains(events, violationEvent),
	}, nil
}

func createTracesToMetrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Traces, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	return newToMetrics(cfg.(*Config), set, telemetry, next), nil
}
