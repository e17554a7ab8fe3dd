package budgetreceiver

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Config is what a user writes under `genops_budget` in receivers.
type Config struct {
	// State is the extension that keeps the counters.
	State component.ID `mapstructure:"state"`
	// Interval is how often metrics say where the budgets stand.
	Interval time.Duration `mapstructure:"interval"`
	// SeriesLimit is the most counters that metrics tell of: budgets without groups, then those that calls of this process
	// touched in the windows that run. Others are left out, and counted.
	SeriesLimit int `mapstructure:"series_limit"`

	_ struct{}
}

var _ component.Config = (*Config)(nil)

const (
	defaultInterval = 15 * time.Second
	defaultSeries   = 2000
)

func createDefaultConfig() component.Config {
	return &Config{State: component.MustNewID("genops_state"), Interval: defaultInterval, SeriesLimit: defaultSeries}
}

// Validate names the first setting that cannot work, and what to write in its place.
func (c *Config) Validate() error {
	if c.Interval <= 0 {
		return fmt.Errorf("interval is %s.  fix: interval: 15s", c.Interval)
	}
	if c.SeriesLimit < 1 {
		return fmt.Errorf("series_limit is %d.  fix: series_limit: 2000", c.SeriesLimit)
	}
	return nil
}
