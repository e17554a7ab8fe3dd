package budgetstate

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.yaml.in/yaml/v3"

	"github.com/genops-ai/genops/collector/internal/budget"
)

// Config is what a user writes under `genops_state`.
type Config struct {
	// Store is where budgets are counted: `memory:` (gone with the process), `file:/var/lib/genops/budgets` (one
	// Collector), or the URL of a Redis or Valkey that SDKs and other Collectors count in, too: redis://, rediss://,
	// unix://, cluster://, sentinel://. While it does not answer, calls are answered by on_store_error of each budget, and
	// charges wait in memory.
	Store string `mapstructure:"store"`
	// Namespace keeps installations apart on one Redis. It must be that of the SDKs' budget_store, or they count apart.
	Namespace string `mapstructure:"namespace"`
	// Timeout bounds one operation on a Redis; with the one repetition it may take twice as long.
	Timeout time.Duration `mapstructure:"timeout"`
	// Fsync makes a file store wait for the disk: without it a machine that loses its power loses the last charges. A
	// process that is killed loses none either way.
	Fsync bool `mapstructure:"fsync"`
	// Budgets and RateLimits are those of genops.yaml, under the same keys.
	Budgets    any `mapstructure:"budgets"`
	RateLimits any `mapstructure:"rate_limits"`
	// BudgetsFile is a genops.yaml whose budgets and rate limits are taken as well. It is read at start.
	BudgetsFile string `mapstructure:"budgets_file"`

	_ struct{}
}

var _ component.Config = (*Config)(nil)

const (
	memoryStore = "memory:"
	fileStore   = "file:"
)

func createDefaultConfig() component.Config {
	return &Config{Store: memoryStore, Namespace: "default", Timeout: 500 * time.Millisecond, Fsync: true}
}

// Validate names the first setting that cannot work, and what to write in its place.
func (c *Config) Validate() error {
	if _, err := budget.Parse(c.Budgets, c.RateLimits); err != nil {
		return err
	}
	if c.Timeout <= 0 {
		return fmt.Errorf("timeout is %s.  fix: timeout: 500ms", c.Timeout)
	}
	if directory, ok := strings.CutPrefix(c.Store, fileStore); ok {
		if strings.Trim(directory, "/ ") == "" {
			return fmt.Errorf("store is '%s', no directory.  fix: store: file:/var/lib/genops/budgets", c.Store)
		}
		return nil
	}
	if c.Store == memoryStore {
		return nil
	}
	if !strings.Contains(c.Store, "://") {
		return errors.New("store is no place to keep budgets.  " +
			"fix: store: memory:, file:/var/lib/genops/budgets, or redis://host:6379/0")
	}
	store, err := budget.OpenRedis(c.Store, c.Namespace, c.Timeout)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return store.Close()
}

// open makes the store.
func (c *Config) open() (budget.Store, error) {
	if directory, ok := strings.CutPrefix(c.Store, fileStore); ok {
		return budget.OpenFile(strings.TrimPrefix(directory, "//"), c.Fsync, nil)
	}
	if c.Store == memoryStore {
		return budget.NewMemory(nil), nil
	}
	return budget.OpenRedis(c.Store, c.Namespace, c.Timeout)
}

// declared are the budgets of the configuration and of the file.
func (c *Config) declared() ([]*budget.Budget, error) {
	own, err := budget.Parse(c.Budgets, c.RateLimits)
	if err != nil || c.BudgetsFile == "" {
		return own, err
	}
	text, err := os.ReadFile(c.BudgetsFile)
	if err != nil {
		return nil, fmt.Errorf("budgets_file: %w", err)
	}
	var read struct {
		Budgets    any `yaml:"budgets"`
		RateLimits any `yaml:"rate_limits"`
	}
	if err := yaml.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("%s: %s", c.BudgetsFile, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	found, err := budget.Parse(read.Budgets, read.RateLimits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.BudgetsFile, err)
	}
	names := map[string]bool{}
	for _, each := range own {
		names[each.Name] = true
	}
	for _, each := range found {
		each.Source = c.BudgetsFile + ": " + each.Source
		if names[each.Name] {
			return nil, fmt.Errorf("%s: budget '%s' is in the configuration already.  fix: give each budget a name of its own",
				each.Source, each.Name)
		}
	}
	return append(own, found...), nil
}
