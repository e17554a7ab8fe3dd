package ledgerconnector

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Config is what a user writes under `genops_ledger`.
type Config struct {
	// Dimensions are what metrics are kept apart by. Each one multiplies the series; calls beyond SeriesLimit are added
	// to one overflow series, so sums stay right and the breakdown does not.
	Dimensions []string `mapstructure:"dimensions"`
	// SeriesLimit is the most combinations of dimensions in one interval.
	SeriesLimit int `mapstructure:"series_limit"`
	// FlushInterval is how often metrics are sent. What was not sent is lost with the process; the log records are not.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// Remembered is how many calls are recognised when they come again. Beyond it a batch that is sent again late is
	// added to the metrics twice; log records carry the call's id and can always be told apart.
	Remembered int `mapstructure:"remembered_calls"`
	// Events are the log records to write: usage, one of each settled call, and violation, one of each call that breaks
	// rules. Alerts want a connector of their own: what reads the ledger expects usage alone.
	Events []string `mapstructure:"events"`

	_ struct{}
}

// Events that there are.
const (
	usageEvent     = "usage"
	violationEvent = "violation"
)

var eventNames = []string{usageEvent, violationEvent}

var _ component.Config = (*Config)(nil)

const (
	defaultSeries     = 2000
	defaultFlush      = 15 * time.Second
	defaultRemembered = 200_000
)

func createDefaultConfig() component.Config {
	return &Config{
		Dimensions: slices.Clone(dimensionNames), SeriesLimit: defaultSeries, FlushInterval: defaultFlush,
		Remembered: defaultRemembered, Events: []string{usageEvent},
	}
}

// Validate names the first setting that cannot work, and what to write in its place.
func (c *Config) Validate() error {
	for _, name := range c.Dimensions {
		if !slices.Contains(dimensionNames, name) {
			return fmt.Errorf("dimensions: '%s' is none.%s  fix: use %s", name,
				suggest.DidYouMean(name, dimensionNames), strings.Join(dimensionNames, ", "))
		}
	}
	for _, name := range c.Events {
		if !slices.Contains(eventNames, name) {
			return fmt.Errorf("events: '%s' is none.%s  fix: use %s", name,
				suggest.DidYouMean(name, eventNames), strings.Join(eventNames, ", "))
		}
	}
	if c.SeriesLimit < 1 {
		return fmt.Errorf("series_limit is %d.  fix: series_limit: 2000", c.SeriesLimit)
	}
	if c.FlushInterval <= 0 {
		return fmt.Errorf("flush_interval is %s.  fix: flush_interval: 15s", c.FlushInterval)
	}
	if c.Remembered < 1 {
		return fmt.Errorf("remembered_calls is %d.  fix: remembered_calls: 200000", c.Remembered)
	}
	return nil
}
