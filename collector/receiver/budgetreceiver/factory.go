package budgetreceiver

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/genops-ai/genops/collector/receiver/budgetreceiver/internal/metadata"
)

// NewFactory makes the factory of the receiver `genops_budget`.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(metadata.Type, createDefaultConfig,
		receiver.WithLogs(createLogs, metadata.LogsStability), receiver.WithMetrics(createMetrics, metadata.MetricsStability))
}

func base(set receiver.Settings, cfg component.Config) (*telling, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	return &telling{config: cfg.(*Config), logger: set.Logger, telemetry: telemetry, version: set.BuildInfo.Version}, nil
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	made, err := base(set, cfg)
	return &logs{telling: made, next: next}, err
}

func createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	made, err := base(set, cfg)
	return &metrics{telling: made, next: next}, err
}
