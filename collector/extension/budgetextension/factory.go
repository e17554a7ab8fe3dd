package budgetextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/genops-ai/genops/collector/extension/budgetextension/internal/metadata"
)

// NewFactory makes the factory of `genops_budgets`.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		metadata.Type,
		func() component.Config { return &Config{} },
		func(_ context.Context, _ extension.Settings, cfg component.Config) (extension.Extension, error) {
			return &budgets{cfg: cfg.(*Config)}, nil
		},
		metadata.ExtensionStability,
	)
}
