package budgetprocessor

import (
	"fmt"

	"go.opentelemetry.io/collector/component"

	"github.com/genops-ai/genops/collector/internal/attribution"
)

// Config is what a user writes under `genops_budget` in processors.
type Config struct {
	// State is the extension that keeps the counters.
	State component.ID `mapstructure:"state"`
	// Charge says which calls are charged. `foreign`: those that no SDK of GenOps charged to a budget. `all`: every settled
	// call, each call id once; those that an SDK settled in the same Redis and namespace are recognised there, but not
	// those of an SDK whose budgets have a slice, which settles leases: with such budgets `all` counts twice.
	Charge string `mapstructure:"charge"`
	// Annotate puts genops.budget.* attributes on the spans of calls that this processor charged.
	Annotate bool `mapstructure:"annotate"`
	// Attribution says for whom a call is made, where its span does not.
	Attribution attribution.Config `mapstructure:"attribution"`

	_ struct{}
}

var _ component.Config = (*Config)(nil)

const (
	chargeForeign = "foreign"
	chargeAll     = "all"
)

func createDefaultConfig() component.Config {
	return &Config{
		State: component.MustNewID("genops_state"), Charge: chargeForeign, Annotate: true,
		Attribution: attribution.Config{FromAttributes: attribution.DefaultFromAttributes()},
	}
}

// Validate names the first setting that cannot work, and what to write in its place.
func (c *Config) Validate() error {
	if c.Charge != chargeForeign && c.Charge != chargeAll {
		return fmt.Errorf("charge is '%s'.  fix: use foreign or all", c.Charge)
	}
	return c.Attribution.Validate()
}
