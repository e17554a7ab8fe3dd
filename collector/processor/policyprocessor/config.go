package policyprocessor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/policy"
	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Config is what a user writes under `genops_policy`.
type Config struct {
	// PolicyFiles are globs of policy files, as in genops.yaml; relative ones start at the Collector's working directory.
	// Files that cannot be used stop the Collector at start; later the last good ones stay in force.
	PolicyFiles []string `mapstructure:"policy_files"`
	// TrustedKeys are the public keys that may sign exceptions. Without the key of an exception, the files cannot be used.
	TrustedKeys []string `mapstructure:"trusted_keys"`
	// ReloadInterval is how often PolicyFiles are looked at; 0 for never.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// Attribution says for whom a call is made, where its span does not, and which fields a call must have.
	Attribution AttributionConfig `mapstructure:"attribution"`
	// Handling says what is done with the spans of a call, by the result of its decision: annotate, quarantine or drop.
	Handling map[string]string `mapstructure:"handling"`
	// TenantBy is the field of the attribution that chooses one of Tenants.
	TenantBy string `mapstructure:"tenant_by"`
	// Tenants are policies by tenant; one without an entry has those above.
	Tenants map[string]TenantConfig `mapstructure:"tenants"`

	_ struct{}
}

// AttributionConfig is that of all processors, with rules.
type AttributionConfig struct {
	attribution.Config `mapstructure:",squash"`
	// Rules are those of `attribution.rules` in genops.yaml: required, allowed, pattern, mode.
	Rules map[string]attribution.Rule `mapstructure:"rules"`
}

// TenantConfig is what differs for one tenant. A tenant that is sent calls under another's name is judged by the other's
// rules: take the field of TenantBy from from_auth or from_metadata where that matters.
type TenantConfig struct {
	// PolicyFiles take the place of the PolicyFiles above; an empty list is no policy file at all.
	PolicyFiles []string `mapstructure:"policy_files"`
	// Rules take the place of the rules on the attribution, as a whole.
	Rules map[string]attribution.Rule `mapstructure:"rules"`
}

// What can be done with the spans of a call.
const (
	annotate   = "annotate"
	quarantine = "quarantine"
	drop       = "drop"
)

var handlings = []string{annotate, quarantine, drop}

var _ component.Config = (*Config)(nil)

const defaultReload = 5 * time.Second

func createDefaultConfig() component.Config {
	return &Config{
		ReloadInterval: defaultReload,
		Attribution:    AttributionConfig{Config: attribution.Config{FromAttributes: attribution.DefaultFromAttributes()}},
		TenantBy:       "customer_id",
	}
}

// Validate names the first setting that cannot work, and what to write in its place. Policy files are read at start.
func (c *Config) Validate() error {
	if len(c.PolicyFiles) == 0 && len(c.Attribution.Rules) == 0 && len(c.Tenants) == 0 {
		return errors.New("there is nothing to decide by.  fix: policy_files: [policies/*.yaml], or attribution: {rules: {team: {required: true}}}")
	}
	if c.ReloadInterval < 0 {
		return fmt.Errorf("reload_interval is %s.  fix: give a time such as 5s, or 0 for never", c.ReloadInterval)
	}
	for _, key := range c.TrustedKeys {
		if err := policy.CheckKey(key); err != nil {
			return fmt.Errorf("trusted_keys: %w", err)
		}
	}
	if err := c.Attribution.Validate(); err != nil {
		return err
	}
	if _, err := attribution.NewRules(c.Attribution.Rules); err != nil {
		return fmt.Errorf("attribution: rules: %w", err)
	}
	if attribution.Field(c.TenantBy) < 0 {
		return fmt.Errorf("tenant_by: '%s' is no field of the attribution.  fix: tenant_by: customer_id", c.TenantBy)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		if _, err := attribution.NewRules(c.Tenants[name].Rules); err != nil {
			return fmt.Errorf("tenants: %s: rules: %w", name, err)
		}
	}
	return c.validateHandling()
}

func (c *Config) validateHandling() error {
	for _, result := range slices.Sorted(maps.Keys(c.Handling)) {
		if !slices.Contains(policy.Results, result) {
			return fmt.Errorf("handling: '%s' is no result.%s  fix: use %s", result,
				suggest.DidYouMean(result, policy.Results), strings.Join(policy.Results, ", "))
		}
		if how := c.Handling[result]; !slices.Contains(handlings, how) {
			return fmt.Errorf("handling: %s: '%s' cannot be done.%s  fix: use %s", result, how,
				suggest.DidYouMean(how, handlings), strings.Join(handlings, ", "))
		}
	}
	return nil
}
