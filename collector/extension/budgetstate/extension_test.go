package budgetstate

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/genops-ai/genops/collector/extension/budgetstate/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/budget"
)

type hosting map[component.ID]component.Component

func (h hosting) GetExtensions() map[component.ID]component.Component { return h }

func started(t *testing.T, change func(*Config)) State {
	config := createDefaultConfig().(*Config)
	config.Budgets = []any{map[string]any{"name": "all", "limit": "1", "window": "total"}}
	change(config)
	require.NoError(t, config.Validate())
	made, err := NewFactory().Create(context.Background(), extensiontest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, made.Shutdown(context.Background())) })
	id := component.MustNewID("genops_state")
	found, err := Find(hosting{id: made}, id)
	require.NoError(t, err)
	return found
}

func TestEverySubscriberHearsOfEachThresholdOnce(t *testing.T) {
	state := started(t, func(*Config) {})
	first, done := state.Subscribe()
	second, _ := state.Subscribe()
	engine := state.Engine()
	plan := engine.Plan(&budget.Call{}, engine.Clock())
	for _, id := range []string{"a", "a", "b"} {
		_, err := engine.Charge(context.Background(), []budget.Charge{{ID: id, Plan: plan, Actuals: []int64{450_000_000}}})
		require.NoError(t, err)
	}
	assert.Len(t, first, 2, "50 and 80 percent")
	assert.Len(t, second, 2)
	assert.Equal(t, 50, (<-first).Threshold)
	done()
	_, err := engine.Charge(context.Background(), []budget.Charge{{ID: "c", Plan: plan, Actuals: []int64{450_000_000}}})
	require.NoError(t, err)
	assert.Len(t, first, 1, "it wants no more")
	assert.Len(t, second, 3)
}

func TestSubscriberThatDoesNotListenLosesAlertsAndHoldsNobodyUp(t *testing.T) {
	state := started(t, func(c *Config) {
		c.Budgets = []any{map[string]any{"name": "each", "limit": "1", "group_by": "customer_id", "window": "total", "thresholds": []any{100}}}
	})
	alerts, _ := state.Subscribe()
	engine := state.Engine()
	for i := range waitingAlerts + 50 {
		call := &budget.Call{}
		call.Attribution[3] = string(rune('a' + i))
		plan := engine.Plan(call, engine.Clock())
		_, err := engine.Charge(context.Background(), []budget.Charge{{ID: plan.Legs[0].Key, Plan: plan, Actuals: []int64{2_000_000_000}}})
		require.NoError(t, err)
	}
	assert.Len(t, alerts, waitingAlerts)
}

func TestBudgetsOfAFileAreCountedBesideTheOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "genops.yaml")
	require.NoError(t, os.WriteFile(path, []byte("defaults: {team: x}\nbudgets:\n  - {name: team, group_by: [team], limit: 0.1}\nrate_limits:\n  - {name: calls, limit: 60, per: 1m}\n"), 0o600))
	state := started(t, func(c *Config) { c.BudgetsFile = path })
	var names []string
	for _, each := range state.Engine().Budgets {
		names = append(names, each.Name)
	}
	assert.Equal(t, []string{"all", "team", "calls"}, names)
	assert.Equal(t, int64(100_000_000), state.Engine().Budgets[1].Limit)

	config := createDefaultConfig().(*Config)
	config.BudgetsFile = path
	config.Budgets = []any{map[string]any{"name": "team", "limit": 1}}
	_, err := config.declared()
	assert.ErrorContains(t, err, "is in the configuration already")
	require.NoError(t, os.WriteFile(path, []byte("budgets: [{name: a, limits: 1}]"), 0o600))
	_, err = config.declared()
	assert.ErrorContains(t, err, "Did you mean 'limit'?")
	assert.ErrorContains(t, err, path)
}

func TestConfigNamesWhatCannotWork(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"store is 'file:', no directory": func(c *Config) { c.Store = "file:" },
		"is no place to keep budgets":    func(c *Config) { c.Store = "memory" },
		"its scheme is unknown":          func(c *Config) { c.Store = "http://x" },
		"namespace 'a b' must be text":   func(c *Config) { c.Store, c.Namespace = "redis://x", "a b" },
		"timeout is 0s":                  func(c *Config) { c.Timeout = 0 },
		"Did you mean 'group_by'?":       func(c *Config) { c.Budgets = []any{map[string]any{"groupby": 1}} },
		"rate_limits[0].per":             func(c *Config) { c.RateLimits = []any{map[string]any{"name": "a", "limit": 1, "per": "x"}} },
	} {
		config := createDefaultConfig().(*Config)
		change(config)
		assert.ErrorContains(t, config.Validate(), want)
	}
}

func TestComponentsAreToldWhichExtensionIsMissing(t *testing.T) {
	id := component.MustNewID("genops_state")
	_, err := Find(componenttest.NewNopHost(), id)
	assert.ErrorContains(t, err, "fix: add it under extensions")
	_, err = Find(hosting{id: nil}, id)
	assert.ErrorContains(t, err, "keeps no budgets")
}

func TestDirectoryInUseStopsTheSecondCollector(t *testing.T) {
	directory := "file:" + t.TempDir()
	started(t, func(c *Config) { c.Store = directory })
	config := createDefaultConfig().(*Config)
	config.Store = directory
	made, err := NewFactory().Create(context.Background(), extensiontest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	assert.ErrorContains(t, made.Start(context.Background(), componenttest.NewNopHost()), "in use by another process")
	assert.NoError(t, made.Shutdown(context.Background()))
}
