package budgetstate

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/genops-ai/genops/collector/extension/budgetstate/internal/metadata"
)

// NewFactory makes the factory of `genops_state`.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	return &state{config: cfg.(*Config), logger: set.Logger, telemetry: telemetry, subscribers: map[int]chan budgetAlert{}}, nil
}
