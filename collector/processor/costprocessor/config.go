package costprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

// Config is what a user writes under `genops_cost`.
type Config struct {
	// Prices has the price keys of genops.yaml: model_aliases, custom_rates, discounts, free, provisioned. A wrong rate
	// makes every amount wrong that it covers; the list price is kept beside it as genops.cost.list.
	Prices map[string]any `mapstructure:"prices"`
	// RatesFile is a YAML file with the same keys, laid over Prices key by key and read again when it changes. A file
	// that cannot be read at start stops the Collector; later the last good rates stay in force.
	RatesFile string `mapstructure:"rates_file"`
	// ReloadInterval is how often RatesFile is looked at; 0 for never.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// Attribution says for whom a call is made, where its span does not.
	Attribution attribution.Config `mapstructure:"attribution"`
	// Duplicates bounds what is remembered to recognise a call that several instrumentations tell.
	Duplicates DuplicatesConfig `mapstructure:"duplicates"`
	// Logs says what events of calls count for.
	Logs LogsConfig `mapstructure:"logs"`
	// TenantBy is the field of the attribution that chooses one of Tenants.
	TenantBy string `mapstructure:"tenant_by"`
	// Tenants are rates and default attributions by tenant; one without an entry has those above.
	Tenants map[string]TenantConfig `mapstructure:"tenants"`

	_ struct{}
}

// DuplicatesConfig bounds the memory of calls seen.
type DuplicatesConfig struct {
	// MaxTraces is how many traces are remembered; beyond it the oldest is forgotten, and a span of it that comes later
	// may be priced though another span of the same call was.
	MaxTraces int `mapstructure:"max_traces"`
	// TTL is for how long.
	TTL time.Duration `mapstructure:"ttl"`
}

// LogsConfig says what events of calls count for.
type LogsConfig struct {
	// Account prices events (gen_ai.client.inference.operation.details and the like). Only for pipelines that carry no
	// spans of the same calls: otherwise each is counted twice.
	Account bool `mapstructure:"account"`
}

// TenantConfig is what differs for one tenant.
type TenantConfig struct {
	// Prices takes the place of the Prices above, as a whole.
	Prices map[string]any `mapstructure:"prices"`
	// Default is laid over the attribution's defaults.
	Default map[string]string `mapstructure:"default"`
}

var _ component.Config = (*Config)(nil)

const (
	defaultReload    = 30 * time.Second
	defaultTTL       = 10 * time.Minute
	defaultMaxTraces = 50_000
)

func createDefaultConfig() component.Config {
	return &Config{
		ReloadInterval: defaultReload,
		Attribution:    attribution.Config{FromAttributes: attribution.DefaultFromAttributes()},
		Duplicates:     DuplicatesConfig{MaxTraces: defaultMaxTraces, TTL: defaultTTL},
		TenantBy:       "customer_id",
	}
}

// Validate names the first setting that cannot work, and what to write in its place.
func (c *Config) Validate() error {
	if _, err := pricing.ParseRates(c.Prices); err != nil {
		return fmt.Errorf("prices: %w", err)
	}
	if c.ReloadInterval < 0 {
		return fmt.Errorf("reload_interval is %s.  fix: give a time such as 30s, or 0 for never", c.ReloadInterval)
	}
	if c.Duplicates.MaxTraces < 1 || c.Duplicates.TTL <= 0 {
		return errors.New("duplicates: max_traces and ttl must be more than 0.  fix: max_traces: 50000, ttl: 10m")
	}
	if err := c.Attribution.Validate(); err != nil {
		return err
	}
	if attribution.Field(c.TenantBy) < 0 {
		return fmt.Errorf("tenant_by: '%s' is no field of the attribution.  fix: tenant_by: customer_id", c.TenantBy)
	}
	for name, tenant := range c.Tenants {
		if _, err := pricing.ParseRates(tenant.Prices); err != nil {
			return fmt.Errorf("tenants: %s: prices: %w", name, err)
		}
		own := attribution.Config{Default: tenant.Default}
		if err := own.Validate(); err != nil {
			return fmt.Errorf("tenants: %s: %w", name, err)
		}
	}
	return nil
}
